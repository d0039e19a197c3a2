//! A shard: a fixed share of a run's flows, followed from reassembly to connections. See [`limits::SHARDS`].

use super::source::Source;
use crate::capture::{PacketId, Seen};
use crate::connection::{self, Connections, FlowEvent, HeadCache, Parked, Unread};
use crate::limits;
use crate::net::{FlowKey, IcmpError, Segment};
use crate::tcp::{self, FlowId};
use crate::tls::{KeyLog, Keyring, Sessions, Turn};
use crate::websocket::Depth;
use std::sync::Arc;

/// The flows of one shard: their reassembly, and their connections.
pub(super) struct Shard {
    tcp: tcp::Table,
    connections: Connections,
}

/// All shards of a run, empty.
pub(super) fn all(source: &Source, depth: Depth) -> Vec<Shard> {
    let heads = Arc::<HeadCache>::default();
    let shard = |sessions| {
        let keys = Keyring::new(source.keys.clone(), source.more_keys()).sharing(sessions);
        Shard { tcp: tcp::Table::default(), connections: Connections::new(keys, depth, Arc::clone(&heads)) }
    };
    Sessions::of_shards(limits::SHARDS).map(shard).collect()
}

/// The index of the shard to which a flow belongs.
#[inline]
pub(super) fn of(key: &FlowKey) -> usize {
    ((u64::from(key.scatter()) * limits::SHARDS as u64) >> 32) as usize
}

impl Shard {
    /// Takes the next segment of one of its flows.
    #[inline]
    pub(super) fn push(&mut self, segment: &Segment<'_>, seen: Seen) {
        self.tcp.push(segment, seen, &mut self.connections);
    }

    /// Takes an ICMP error about a segment of one of its flows.
    pub(super) fn icmp(&mut self, error: &IcmpError, seen: Seen) {
        self.tcp.icmp(error, seen, &mut self.connections);
    }

    /// The capture has come to this time.
    pub(super) fn pass(&mut self, now: Seen) {
        self.tcp.pass(now, &mut self.connections);
    }

    /// From now on the shards are worked on by several threads; those of one thread share `heads`.
    pub(super) fn take_turns(&mut self, turn: Box<dyn Turn>, heads: Arc<HeadCache>) {
        self.connections.take_turns(turn, heads);
    }

    /// The capture brought TLS keys.
    pub(super) fn renew(&mut self, keys: &KeyLog) {
        self.connections.renew(keys);
    }

    /// Whether its flows have new events.
    #[inline]
    pub(super) fn has_events(&self) -> bool {
        self.connections.has_events()
    }

    /// The new events of its flows.
    pub(super) fn take_events(&mut self) -> impl Iterator<Item = FlowEvent> {
        self.connections.take_events()
    }
}

/// The input is over: ends the flows that are still open, in the order of their first packets, and hands the events of each to
/// `take`.
pub(super) fn end(shards: &mut [Shard], last: Option<Seen>, mut take: impl FnMut(PacketId, FlowEvent)) {
    let mut left = Vec::new();
    for (index, shard) in (0_u8..).zip(shards.iter_mut()) {
        let parked = shard.connections.seal();
        left.extend(parked.into_iter().map(|parked| (parked.first(), index, Left::Parked(Box::new(parked)))));
        for flow in shard.tcp.open() {
            if let Some(first) = shard.connections.first(flow) {
                limits::grow(&mut left, 1);
                left.push((first, index, Left::Open(flow)));
            }
        }
    }
    left.sort_unstable_by_key(|&(first, ..)| first);
    for (first, index, left) in left {
        let Shard { tcp, connections } = &mut shards[usize::from(index)];
        match (left, last) {
            (Left::Open(flow), Some(last)) => tcp.end(flow, last, connections),
            (Left::Open(_), None) => {}
            (Left::Parked(parked), _) => connections.unpark(*parked),
        }
        connections.take_events().for_each(|event| take(first, event));
    }
}

/// A flow that is still open, or waits for TLS keys.
enum Left {
    Open(FlowId),
    Parked(Box<Parked>),
}

/// What was counted in all shards.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) tcp: tcp::Counters,
    pub(super) connections: connection::Counters,
    pub(super) unread: Unread,
}

/// Adds up what was counted.
pub(super) fn counts(shards: impl IntoIterator<Item = Shard>) -> Counts {
    let mut counts = Counts::default();
    for shard in shards {
        counts.tcp.add(shard.tcp.counters());
        counts.connections.add(shard.connections.counters());
        counts.unread.add(shard.connections.unread());
    }
    counts
}
