//! One of the [`limits::PARTS`] into which the flows of a run are divided: reassembly, and all that stands on it.

use super::front::Front;
use crate::capture::{PacketId, Seen};
use crate::connection::{self, Connections, Known, Parked, Told, Unread};
use crate::limits;
use crate::net::{FlowKey, IcmpError, Segment};
use crate::tcp::{self, FlowId};
use crate::tls::{KeyLog, Keyring, Sessions, Turn};
use crate::websocket::Depth;
use std::sync::Arc;

/// See the module.
pub(super) struct Part {
    tcp: tcp::Table,
    connections: Connections,
}

/// The parts of a run, all empty.
pub(super) fn all(front: &Front, depth: Depth) -> Vec<Part> {
    let known = Arc::<Known>::default();
    let part = |sessions| {
        let keys = Keyring::new(front.keys.clone(), front.more_keys()).sharing(sessions);
        Part { tcp: tcp::Table::default(), connections: Connections::new(keys, depth, Arc::clone(&known)) }
    };
    Sessions::of_parts(limits::PARTS).map(part).collect()
}

/// The part to which a flow belongs.
#[inline]
pub(super) fn of(key: &FlowKey) -> usize {
    ((u64::from(key.scatter()) * limits::PARTS as u64) >> 32) as usize
}

impl Part {
    /// Takes the next segment of its flows.
    #[inline]
    pub(super) fn push(&mut self, segment: &Segment<'_>, seen: Seen) {
        self.tcp.push(segment, seen, &mut self.connections);
    }

    /// Takes an error about a segment of its flows.
    pub(super) fn icmp(&mut self, error: &IcmpError, seen: Seen) {
        self.tcp.icmp(error, seen, &mut self.connections);
    }

    /// Time passes.
    pub(super) fn pass(&mut self, now: Seen) {
        self.tcp.pass(now, &mut self.connections);
    }

    /// From now on the parts are worked on at the same time: those of one thread share `known`.
    pub(super) fn take_turns(&mut self, turn: Box<dyn Turn>, known: Arc<Known>) {
        self.connections.take_turns(turn, known);
    }

    /// A capture brought keys.
    pub(super) fn renew(&mut self, keys: &KeyLog) {
        self.connections.renew(keys);
    }

    /// Whether there is something to tell.
    #[inline]
    pub(super) fn has_told(&self) -> bool {
        self.connections.has_told()
    }

    /// What there is to tell.
    pub(super) fn tell(&mut self) -> impl Iterator<Item = Told> {
        self.connections.tell()
    }
}

/// Ends what is still open in `parts`, in the order of the flows' first packets, and hands to `tell` what is told of each.
pub(super) fn end(parts: &mut [Part], last: Option<Seen>, mut tell: impl FnMut(PacketId, Told)) {
    let mut left = Vec::new();
    for (index, part) in (0_u8..).zip(parts.iter_mut()) {
        let parked = part.connections.seal();
        left.extend(parked.into_iter().map(|parked| (parked.first(), index, Left::Parked(Box::new(parked)))));
        for flow in part.tcp.open() {
            if let Some(first) = part.connections.first(flow) {
                limits::grow(&mut left, 1);
                left.push((first, index, Left::Open(flow)));
            }
        }
    }
    left.sort_unstable_by_key(|&(first, ..)| first);
    for (first, index, left) in left {
        let Part { tcp, connections } = &mut parts[usize::from(index)];
        match (left, last) {
            (Left::Open(flow), Some(last)) => tcp.end(flow, last, connections),
            (Left::Open(_), None) => {}
            (Left::Parked(parked), _) => connections.unpark(*parked),
        }
        connections.tell().for_each(|told| tell(first, told));
    }
}

/// A flow of which something may still be told.
enum Left {
    Open(FlowId),
    Parked(Box<Parked>),
}

/// What was counted in all parts.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) tcp: tcp::Counters,
    pub(super) connections: connection::Counters,
    pub(super) unread: Unread,
}

/// Adds up what was counted.
pub(super) fn counts(parts: impl IntoIterator<Item = Part>) -> Counts {
    let mut counts = Counts::default();
    for part in parts {
        counts.tcp.add(part.tcp.counters());
        counts.connections.add(part.connections.counters());
        counts.unread.add(part.connections.unread());
    }
    counts
}
