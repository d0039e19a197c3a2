//! The connections of all flows: one small entry while nothing was said, more once it may be WebSocket.

use super::ending::Transport;
use super::facts::{Connection, Outcome, Unused};
use super::flow::{Flow, Protocol, ResetOf};
use super::head_cache::HeadCache;
use super::start::{Begun, Start};
use super::unread::Unread;
use crate::capture::PacketId;
use crate::limits;
use crate::net::{FlowKey, Side};
use crate::tcp::{Closed, Event, FlowId, Interest, Places, Sink, StreamEvent};
use crate::tls::{KeyLog, Keyring, Turn};
use crate::websocket::{Depth, Reading};
use std::collections::VecDeque;
use std::sync::Arc;

/// What a flow turned out to have carried.
#[derive(Clone, Debug)]
pub enum Carried {
    /// A WebSocket connection, or one attempt at it.
    WebSocket(Box<Connection>),
    /// TLS of which nothing could be read.
    Encrypted(Box<Connection>),
    /// No payload at all.
    Nothing(Unused),
}

/// What is told of a flow, which is known by its first packet.
#[derive(Debug)]
pub enum FlowEvent {
    /// It began.
    Opened(PacketId),
    /// It carried this.
    Carried(PacketId, Carried),
    /// Nothing more will be told of it.
    Gone(PacketId),
}

/// Turns the events of all flows into connections, each told once it is final.
pub struct Connections {
    flows: Places<Entry>,
    /// Bytes that all flows keep until it is known what they are.
    buffered: usize,
    /// Flows that began to keep some, oldest first, each with its first packet; some keep none by now.
    keeping: VecDeque<(FlowId, PacketId)>,
    counters: Counters,
    /// Flows of HTTP/2 that are open now.
    http2: u32,
    keys: Keyring,
    heads: Arc<HeadCache>,
    reading: Arc<Reading>,
    /// Flows that ended and hold records for which a key may still come.
    parked: Vec<Parked>,
    unread: Unread,
    events: Vec<FlowEvent>,
}

/// A flow that ended and waits for a key.
pub struct Parked {
    flow: Box<Flow>,
    key: FlowKey,
    why: Closed,
    unseen: Option<Side>,
}

impl Parked {
    /// Its first packet.
    pub fn first(&self) -> PacketId {
        self.flow.first()
    }
}

/// Counts over all flows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Flows that began with a TLS handshake, directly or after a PROXY header or a tunnel's.
    pub tls: u64,
    /// Of these, those of which application data could be read.
    pub tls_opened: u64,
    /// Flows of HTTP/2.
    pub http2: u64,
    /// Of these, those that were not followed because of [`limits::HTTP2_CONNECTIONS`].
    pub http2_dropped: u64,
    /// Flows given up before it was known what they are, because all of them together kept too many bytes.
    pub given_up: u64,
}

#[derive(Default)]
enum Entry {
    #[default]
    Vacant,
    /// Nothing but its first packet yet.
    Begun(Begun),
    /// No payload yet.
    Idle(Box<Start>),
    Busy(Box<Flow>),
}

impl Connections {
    /// None yet; their payloads will be read as `depth` says. Parts that are worked on in turn share `heads`.
    pub fn new(keys: Keyring, depth: Depth, heads: Arc<HeadCache>) -> Self {
        Connections {
            flows: Places::default(),
            buffered: 0,
            keeping: VecDeque::new(),
            counters: Counters::default(),
            http2: 0,
            keys,
            heads,
            reading: Arc::new(Reading::new(depth)),
            parked: Vec::new(),
            unread: Unread::default(),
            events: Vec::new(),
        }
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// TLS of which nothing could be read.
    pub fn unread(&self) -> &Unread {
        &self.unread
    }

    /// From now on the shards of the run are worked on at the same time: those of one thread share `heads`.
    pub fn take_turns(&mut self, turn: Box<dyn Turn>, heads: Arc<HeadCache>) {
        self.keys.take_turns(turn);
        self.heads = heads;
    }

    /// Takes the key log anew: a capture brought more of it.
    pub fn renew(&mut self, log: &KeyLog) {
        self.keys.renew(log);
    }

    /// Whether there is something to tell.
    #[inline]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// What there is to tell, in the order in which it came about.
    pub fn take_events(&mut self) -> impl Iterator<Item = FlowEvent> {
        self.events.drain(..)
    }

    /// The first packet of an open flow of which something may be told.
    pub fn first(&self, flow: FlowId) -> Option<PacketId> {
        match self.flows.get(flow)? {
            Entry::Vacant => None,
            Entry::Begun(begun) => Some(begun.first()),
            Entry::Idle(start) => Some(start.first()),
            Entry::Busy(flow) => Some(flow.first()),
        }
    }

    /// The input is over and no more keys will come: hands out the flows that wait for one, to be given to
    /// [`Connections::unpark`].
    pub fn seal(&mut self) -> Vec<Parked> {
        self.keys.seal();
        std::mem::take(&mut self.parked)
    }

    /// The last event of a flow that waited for a key.
    pub fn unpark(&mut self, parked: Parked) {
        let Parked { flow, key, why, unseen } = parked;
        self.close(flow, &key, why, unseen);
    }

    /// The last event of a busy flow.
    fn close(&mut self, flow: Box<Flow>, key: &FlowKey, why: Closed, unseen: Option<Side>) {
        let room = self.parked.len() < limits::TLS_PARKED / limits::SHARDS;
        if flow.waits_for_key() && self.keys.may_grow() && room {
            self.parked.push(Parked { flow, key: *key, why, unseen });
            return;
        }
        let (first, events, unread, keys) =
            (flow.first(), &mut self.events, &mut self.unread, &mut self.keys);
        let opened = flow.close(key, why, unseen, keys, &mut |connection| {
            if connection.outcome != Outcome::Encrypted {
                events.push(FlowEvent::Carried(first, Carried::WebSocket(connection)));
            } else if unread.count(&connection) {
                events.push(FlowEvent::Carried(first, Carried::Encrypted(connection)));
            }
        });
        self.events.push(FlowEvent::Gone(first));
        self.counters.count(opened);
    }

    /// The last event of a flow without payload.
    fn unused(&mut self, start: &Start, key: &FlowKey) {
        if let Some(unused) = start.unused(key) {
            self.events.push(FlowEvent::Carried(start.first(), Carried::Nothing(unused)));
        }
        self.events.push(FlowEvent::Gone(start.first()));
    }

    fn entry(&mut self, e: &StreamEvent<'_>) -> &mut Entry {
        self.flows.at(e.flow)
    }

    /// The entry of a flow of which there is more to say than its first packet.
    fn begun(&mut self, e: &StreamEvent<'_>) -> &mut Entry {
        let entry = self.entry(e);
        if let Entry::Begun(begun) = entry {
            *entry = Entry::Idle(Box::new(begun.start()));
        }
        entry
    }

    /// Takes bytes or a gap: with the first of them a flow is no longer idle.
    #[inline(never)]
    fn take(&mut self, e: &StreamEvent<'_>) -> Interest {
        if let Entry::Idle(_) = self.begun(e)
            && let Entry::Idle(start) = std::mem::take(self.entry(e))
        {
            let (heads, reading) = (Arc::clone(&self.heads), Arc::clone(&self.reading));
            *self.entry(e) = Entry::Busy(Box::new(Flow::new(start, heads, reading)));
        }
        self.carry(e)
    }

    /// Lets a busy flow take an event, and forgets the flow where it carries nothing for us.
    fn carry(&mut self, e: &StreamEvent<'_>) -> Interest {
        // One that was given up for others is not here any more.
        let Some(Entry::Busy(flow)) = self.flows.get_mut(e.flow) else { return Interest::Ignore };
        let before = flow.buffered();
        let protocol = match e.event {
            Event::Data { offset, bytes } => flow.data(e.from, offset, bytes, e.seen, &mut self.keys),
            Event::Gap { offset, len, .. } => flow.gap(e.from, offset, len, e.seen, &mut self.keys),
            _ => Protocol::Open,
        };
        let after = if matches!(protocol, Protocol::Open | Protocol::Http2) { flow.buffered() } else { 0 };
        if before != after {
            self.buffered = self.buffered.saturating_sub(before).saturating_add(after);
            if before == 0 {
                let first = flow.first();
                self.list(e.flow, first);
            }
        }
        let interest = self.turn(e, protocol);
        if after > before && self.buffered > limits::BUFFERED_TOTAL / limits::SHARDS {
            self.relieve();
            let kept = matches!(self.flows.get(e.flow), Some(Entry::Busy(_)));
            return if kept { interest } else { Interest::Ignore };
        }
        interest
    }

    /// What becomes of a busy flow that carries this.
    fn turn(&mut self, e: &StreamEvent<'_>, protocol: Protocol) -> Interest {
        let Some(Entry::Busy(flow)) = self.flows.get_mut(e.flow) else { return Interest::Keep };
        match protocol {
            Protocol::Open => return Interest::Keep,
            Protocol::Http2 => {
                let (first, events) = (flow.first(), &mut self.events);
                let is_new = flow.hand_out(e.key, &self.keys, &mut |connection| {
                    events.push(FlowEvent::Carried(first, Carried::WebSocket(connection)));
                });
                if !is_new {
                    return Interest::Keep;
                }
                self.counters.http2 += 1;
                self.http2 += 1;
                if self.http2 <= limits::HTTP2_CONNECTIONS / limits::SHARDS as u32 {
                    return Interest::Keep;
                }
                self.counters.http2_dropped += 1;
                self.buffered = self.buffered.saturating_sub(flow.buffered());
            }
            Protocol::Nothing => {}
        }
        self.forget(e.flow);
        Interest::Ignore
    }

    /// A busy flow carries nothing for us.
    fn forget(&mut self, id: FlowId) {
        let Some(Entry::Busy(flow)) = self.flows.get_mut(id) else { return };
        self.http2 -= u32::from(flow.is_counted());
        flow.forget(&mut self.keys);
        self.events.push(FlowEvent::Gone(flow.first()));
        self.counters.count(flow.tls());
        *self.flows.at(id) = Entry::Vacant;
    }

    /// Notes that a flow begins to keep bytes.
    fn list(&mut self, id: FlowId, first: PacketId) {
        if self.keeping.len() > 2 * self.flows.count() {
            let flows = &self.flows;
            let keeps = |entry: Option<&Entry>, packet| matches!(entry, Some(Entry::Busy(flow)) if flow.first() == packet && flow.buffered() > 0);
            let mut seen = vec![false; flows.count()];
            self.keeping.retain(|&(id, first)| {
                keeps(flows.get(id), first) && !std::mem::replace(&mut seen[id.index()], true)
            });
        }
        self.keeping.push_back((id, first));
    }

    /// Gives up flows until all together keep no more than they may: of those that keep bytes for the longest time, the
    /// one that keeps most. A head that is sent in earnest is soon whole.
    #[cold]
    fn relieve(&mut self) {
        while self.buffered > limits::BUFFERED_TOTAL / limits::SHARDS {
            let mut oldest = Vec::with_capacity(limits::EVICTION_SAMPLE);
            while oldest.len() < limits::EVICTION_SAMPLE
                && let Some((id, first)) = self.keeping.pop_front()
            {
                match self.flows.get(id) {
                    Some(Entry::Busy(flow)) if flow.first() == first && flow.buffered() > 0 => {
                        oldest.push((flow.buffered(), id, first));
                    }
                    _ => {}
                }
            }
            let most = oldest.iter().rev().max_by_key(|(kept, ..)| *kept).copied();
            let Some((kept, id, _)) = most else { break };
            oldest.retain(|&(_, other, _)| other != id);
            oldest.into_iter().rev().for_each(|(_, id, first)| self.keeping.push_front((id, first)));
            let Some(Entry::Busy(flow)) = self.flows.get_mut(id) else { break };
            self.counters.given_up += 1;
            let protocol = flow.give_up(&mut self.keys);
            let left = if protocol == Protocol::Nothing { 0 } else { flow.buffered() };
            self.buffered = self.buffered.saturating_sub(kept).saturating_add(left);
            // What is final of HTTP/2 is handed out with its next event.
            if protocol == Protocol::Nothing {
                self.forget(id);
            }
        }
    }
}

impl Sink for Connections {
    #[inline]
    fn event(&mut self, e: StreamEvent<'_>) -> Interest {
        match e.event {
            Event::Data { offset, bytes } => {
                if let Some(Entry::Busy(flow)) = self.flows.get_mut(e.flow)
                    && flow.frames(e.from, offset, bytes, e.seen)
                {
                    return Interest::Keep;
                }
                return self.take(&e);
            }
            Event::Gap { .. } => return self.take(&e),
            Event::Opened { opener } => {
                *self.entry(&e) = Entry::Begun(Begun::new(opener, e.seen));
                self.events.push(FlowEvent::Opened(e.seen.packet));
            }
            Event::Syn { isn } => {
                if let Entry::Begun(begun) = self.entry(&e)
                    && begun.synchronize(e.from, isn, e.seen)
                {
                    return Interest::Keep;
                }
                if let Entry::Idle(start) = self.begun(&e) {
                    start.synchronize(e.from, Some(isn), e.seen);
                }
            }
            Event::SynAgain => {
                if let Entry::Idle(start) = self.begun(&e) {
                    start.synchronize(e.from, None, e.seen);
                }
            }
            Event::Window { closed } => {
                if let Entry::Busy(flow) = self.entry(&e) {
                    flow.window(e.from, closed, e.seen);
                }
            }
            Event::Repeat { offset, bytes } => {
                if let Entry::Busy(flow) = self.entry(&e) {
                    flow.repeat(e.from, offset, bytes, e.seen);
                }
            }
            Event::Conflict { .. } => {
                if let Entry::Busy(flow) = self.entry(&e) {
                    flow.conflict();
                }
            }
            Event::Fin { crosses } => match self.begun(&e) {
                Entry::Busy(flow) => flow.fin(e.from, crosses, e.seen),
                Entry::Idle(start) => start.end(e.from, Transport::Fin, e.seen),
                Entry::Begun(_) | Entry::Vacant => {}
            },
            Event::FinUnseen => match self.begun(&e) {
                Entry::Busy(flow) => flow.end_unseen(e.from, e.seen),
                Entry::Idle(start) => start.end_unseen(e.from, e.seen),
                Entry::Begun(_) | Entry::Vacant => {}
            },
            Event::Reset { ttl, usual_ttl, kind } => match self.begun(&e) {
                Entry::Busy(flow) => flow.reset(ResetOf { side: e.from, seen: e.seen, ttl, usual_ttl, kind }),
                Entry::Idle(start) => start.end(e.from, Transport::Reset, e.seen),
                Entry::Begun(_) | Entry::Vacant => {}
            },
            Event::Icmp { says, acked } => match self.begun(&e) {
                Entry::Busy(flow) => flow.icmp(e.from, (says, acked), e.key, e.seen),
                Entry::Idle(start) => start.errors.note(e.from, (says, acked), e.key, e.seen),
                Entry::Begun(_) | Entry::Vacant => {}
            },
            Event::Closed { why, unseen, last } => match self.flows.get_mut(e.flow).map(std::mem::take) {
                Some(Entry::Busy(mut flow)) => {
                    flow.heard_until(last);
                    self.http2 -= u32::from(flow.is_counted());
                    self.buffered = self.buffered.saturating_sub(flow.buffered());
                    self.close(flow, e.key, why, unseen);
                }
                Some(Entry::Begun(begun)) => self.unused(&begun.start(), e.key),
                Some(Entry::Idle(start)) => self.unused(&start, e.key),
                Some(Entry::Vacant) | None => {}
            },
        }
        Interest::Keep
    }
}

impl Counters {
    /// Takes those of another shard.
    pub fn add(&mut self, other: Counters) {
        self.tls += other.tls;
        self.tls_opened += other.tls_opened;
        self.http2 += other.http2;
        self.http2_dropped += other.http2_dropped;
        self.given_up += other.given_up;
    }

    /// Counts a flow that is over: whether it was TLS, and whether that was opened.
    fn count(&mut self, tls: Option<bool>) {
        self.tls += u64::from(tls.is_some());
        self.tls_opened += u64::from(tls == Some(true));
    }
}
