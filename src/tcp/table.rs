//! All flows: finds the one a segment belongs to, opens, numbers, ends and forgets them.

use super::event::{Closed, Event, FlowId, Interest, Sink, StreamEvent};
use super::flow::{Fate, Flow, SynKind};
use super::keys::{Keys, Known};
use super::places::Places;
use crate::capture::Seen;
use crate::limits;
use crate::net::{Flags, IcmpError, Segment, Side};
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Every TCP connection of one shard of a run (see [`limits::SHARDS`]). Memory follows the flows that are open; flows that nobody wants to hear of and
/// flows that ended cost one small entry, the oldest of which are forgotten.
#[derive(Default)]
pub struct Table {
    keys: Keys,
    flows: Places<Option<Flow>>,
    free: Vec<FlowId>,
    /// The first place that was never taken.
    next: FlowId,
    open: usize,
    generation: u32,
    /// Flows that end at a time, the next one first, those of one time in the order in which that was known.
    ending: BinaryHeap<Reverse<Later>>,
    endings: u64,
    /// Flows that a SYN began, oldest first: some have no answer yet.
    syn_opened: VecDeque<(FlowId, u32)>,
    held_bytes: usize,
    /// Where the search for a flow to evict goes on.
    eviction_cursor: u32,
    counters: Counters,
}

/// What happened to flows, for the report.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// TCP connections seen.
    pub flows: u64,
    /// Open flows that had to make place for others.
    pub evicted: u64,
    /// Flows that nobody had answered when [`limits::UNANSWERED_FLOWS`] later ones had begun, or all places were taken.
    pub unanswered: u64,
    /// Times that a flow gave up a gap because too many bytes waited in all flows together.
    pub relieved: u64,
    /// Packets with payload, SYN or FIN that were captured twice, on flows that were followed.
    pub duplicates: u64,
}

impl Counters {
    /// Takes those of another shard.
    pub fn add(&mut self, other: Counters) {
        self.flows = self.flows.saturating_add(other.flows);
        self.evicted = self.evicted.saturating_add(other.evicted);
        self.unanswered = self.unanswered.saturating_add(other.unanswered);
        self.relieved = self.relieved.saturating_add(other.relieved);
        self.duplicates = self.duplicates.saturating_add(other.duplicates);
    }
}

impl Table {
    /// Takes the next segment and tells what follows from it.
    #[inline]
    pub fn push(&mut self, segment: &Segment<'_>, seen: Seen, sink: &mut impl Sink) {
        self.pass(seen, sink);
        match self.keys.get(&segment.key) {
            Some(Known::Open(id)) if !segment.flags.has(Flags::SYN) => self.advance(id, segment, seen, sink),
            Some(Known::Open(id)) => self.synchronize(id, segment, seen, sink),
            Some(Known::Gone(gone)) => {
                if is_syn(segment) && !gone.began_with(segment.seq) {
                    self.begin(segment, seen, sink);
                }
            }
            None => self.begin(segment, seen, sink),
        }
    }

    /// Takes an ICMP error about a segment. One that quotes what its flow did not send, or what was acknowledged, is late or
    /// forged (RFC 5927 §4.1); one of a flow that is not open says nothing.
    pub fn icmp(&mut self, error: &IcmpError, seen: Seen, sink: &mut impl Sink) {
        self.pass(seen, sink);
        let Some(Known::Open(id)) = self.keys.get(&error.key) else { return };
        let Some(Some(flow)) = self.flows.get(id) else { return };
        if let Some(acked) = flow.in_flight(error.from, error.seq) {
            let (key, from, event) = (&error.key, error.from, Event::Icmp { says: error.says, acked });
            sink.event(StreamEvent { flow: id, key, seen, from, event });
        }
    }

    /// Time passes on other flows: ends what was due at `now`.
    #[inline]
    pub fn pass(&mut self, now: Seen, sink: &mut impl Sink) {
        if self.ending.peek().is_some_and(|Reverse(later)| later.at <= now.at) {
            self.end_due(now, sink);
        }
    }

    /// The flows that are open now.
    pub fn open(&self) -> impl Iterator<Item = FlowId> {
        self.flows.iter().filter_map(|(id, flow)| flow.is_some().then_some(id))
    }

    /// Ends an open flow: the input is over.
    pub fn end(&mut self, flow: FlowId, last: Seen, sink: &mut impl Sink) {
        self.close(flow, Closed::CaptureEnded, last, sink);
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    #[inline]
    fn advance(&mut self, id: FlowId, segment: &Segment<'_>, seen: Seen, sink: &mut impl Sink) {
        let Some(Some(flow)) = self.flows.get_mut(id) else { return };
        if flow.is_next(segment) {
            if flow.follow(id, segment, seen, sink) == Interest::Ignore {
                self.forget(id, Memory::Keep);
            }
            return;
        }
        self.advance_with_care(id, segment, seen, sink);
    }

    /// The same for a segment that is not simply the next one.
    fn advance_with_care(&mut self, id: FlowId, segment: &Segment<'_>, seen: Seen, sink: &mut impl Sink) {
        let Some(Some(flow)) = self.flows.get_mut(id) else { return };
        let held = flow.held_bytes();
        let fate = flow.segment(id, segment, seen, sink);
        self.counters.duplicates = self.counters.duplicates.saturating_add(flow.take_duplicates());
        let now_held = flow.held_bytes();
        if held != now_held {
            self.held_bytes = self.held_bytes.saturating_sub(held).saturating_add(now_held);
        }
        if fate != Fate::Open || self.held_bytes > limits::HELD_BYTES_TOTAL / limits::SHARDS {
            self.turn(id, fate, seen, sink);
        }
    }

    /// What seldom follows a segment.
    #[cold]
    fn turn(&mut self, id: FlowId, fate: Fate, seen: Seen, sink: &mut impl Sink) {
        match fate {
            Fate::Open => self.relieve(id, seen, sink),
            Fate::Ending => self.end_later(id, seen, Due::End),
            Fate::Doubted => self.end_later(id, seen, Due::Doubt),
            Fate::Ended => self.close(id, Closed::Ended, seen, sink),
            Fate::Ignored => self.forget(id, Memory::Keep),
        }
    }

    fn end_later(&mut self, id: FlowId, seen: Seen, due: Due) {
        let Some(Some(flow)) = self.flows.get(id) else { return };
        let nanos = match due {
            Due::End => limits::LINGER_NANOS,
            Due::Doubt => limits::DOUBTED_RESET_NANOS,
        };
        let at = Timestamp::from_nanos(seen.at.as_nanos().saturating_add(nanos));
        let generation = flow.generation;
        self.ending.push(Reverse(Later { at, order: self.endings, due, flow: id, generation }));
        self.endings = self.endings.wrapping_add(1);
    }

    fn relieve(&mut self, id: FlowId, seen: Seen, sink: &mut impl Sink) {
        let Some(Some(flow)) = self.flows.get_mut(id) else { return };
        let held = flow.held_bytes();
        if held == 0 {
            return;
        }
        self.counters.relieved = self.counters.relieved.saturating_add(1);
        let interest = flow.relieve(id, seen, sink);
        self.held_bytes = self.held_bytes.saturating_sub(held).saturating_add(flow.held_bytes());
        if interest == Interest::Ignore {
            self.forget(id, Memory::Keep);
        }
    }

    /// A SYN or SYN-ACK on an open flow: a further one of it, or a new connection on the same four-tuple.
    #[cold]
    fn synchronize(&mut self, id: FlowId, segment: &Segment<'_>, seen: Seen, sink: &mut impl Sink) {
        let Some(Some(flow)) = self.flows.get_mut(id) else { return };
        let again = flow.opener.is_some_and(|(side, isn)| side == segment.from && isn == segment.seq);
        if is_syn(segment) && !again {
            self.close(id, Closed::Reused, seen, sink);
            self.begin(segment, seen, sink);
            return;
        }
        let event = match flow.synchronize(segment, seen.at) {
            SynKind::First => Some(Event::Syn { isn: segment.seq }),
            SynKind::Again => Some(Event::SynAgain),
            SynKind::Copied => None,
        };
        if let Some(event) = event {
            sink.event(StreamEvent { flow: id, key: &segment.key, seen, from: segment.from, event });
        }
        self.advance(id, segment, seen, sink);
    }

    #[cold]
    fn begin(&mut self, segment: &Segment<'_>, seen: Seen, sink: &mut impl Sink) {
        // A reset of a connection that is not there says nothing and would begin an empty flow, but Wireshark
        // numbers it, and so do we.
        self.counters.flows = self.counters.flows.saturating_add(1);
        if self.open >= limits::FLOWS / limits::SHARDS && !self.drop_unanswered(0, seen, sink) {
            self.evict(seen, sink);
        }
        self.generation = self.generation.wrapping_add(1);
        let mut flow = Flow::new(segment.key, self.generation);
        if segment.flags.has(Flags::SYN) {
            flow.opener = Some(if segment.flags.has(Flags::ACK) {
                (segment.from.other(), segment.ack.wrapping_sub(1))
            } else {
                (segment.from, segment.seq)
            });
            flow.synchronize(segment, seen.at);
        }
        let opener = flow.opener.map(|(side, _)| side);
        let id = self.place(flow);
        if is_syn(segment) {
            self.syn_opened.push_back((id, self.generation));
            self.drop_unanswered(limits::UNANSWERED_FLOWS / limits::SHARDS, seen, sink);
        }
        self.keys.open(&segment.key, id);
        let (key, from) = (&segment.key, segment.from);
        sink.event(StreamEvent { flow: id, key, seen, from, event: Event::Opened { opener } });
        if segment.flags.has(Flags::SYN) {
            sink.event(StreamEvent {
                flow: id,
                key: &segment.key,
                seen,
                from: segment.from,
                event: Event::Syn { isn: segment.seq },
            });
        }
        self.advance(id, segment, seen, sink);
    }

    fn place(&mut self, flow: Flow) -> FlowId {
        self.open = self.open.saturating_add(1);
        // Of those that were never taken, the next one.
        let id = self.free.pop().unwrap_or_else(|| {
            let next = self.next;
            self.next = FlowId(next.0.saturating_add(1));
            next
        });
        *self.flows.at(id) = Some(flow);
        id
    }

    /// Ends the flows whose time has come.
    #[cold]
    fn end_due(&mut self, now: Seen, sink: &mut impl Sink) {
        while let Some(&Reverse(Later { at, due, flow: id, generation, .. })) = self.ending.peek() {
            if at > now.at {
                break;
            }
            self.ending.pop();
            let Some(Some(flow)) = self.flows.get_mut(id) else { continue };
            if flow.generation != generation {
                continue;
            }
            if flow.reset || due == Due::Doubt && flow.believe(id, sink) {
                self.close(id, Closed::Ended, now, sink);
            } else if due == Due::End {
                // A FIN waits for bytes that were never captured.
                let held = flow.held_bytes();
                let interest = flow.relieve(id, now, sink);
                self.held_bytes = self.held_bytes.saturating_sub(held).saturating_add(flow.held_bytes());
                let fate = if interest == Interest::Ignore { Fate::Ignored } else { flow.fate() };
                if fate != Fate::Open {
                    self.turn(id, fate, now, sink);
                }
            }
        }
    }

    /// Gives up the oldest flow that nobody answered, among all but the last `recent` that a SYN began; tells whether
    /// there was one.
    fn drop_unanswered(&mut self, recent: usize, now: Seen, sink: &mut impl Sink) -> bool {
        while self.syn_opened.len() > recent {
            let Some((id, generation)) = self.syn_opened.pop_front() else { break };
            let Some(Some(flow)) = self.flows.get(id) else { continue };
            if flow.generation == generation && !flow.has_data && flow.unseen().is_some() {
                self.counters.unanswered = self.counters.unanswered.saturating_add(1);
                self.close(id, Closed::Evicted, now, sink);
                return true;
            }
        }
        false
    }

    /// Makes place: of a few flows, the one that is idle longest, those without payload first.
    fn evict(&mut self, now: Seen, sink: &mut impl Sink) {
        let mut worst: Option<(bool, Timestamp, FlowId)> = None;
        for _ in 0..limits::EVICTION_SAMPLE {
            self.eviction_cursor = self.eviction_cursor.saturating_add(1);
            if self.eviction_cursor >= self.next.0 {
                self.eviction_cursor = 0;
            }
            let id = FlowId(self.eviction_cursor);
            let Some(Some(flow)) = self.flows.get(id) else { continue };
            let candidate = (flow.has_data, flow.last, id);
            if worst.is_none_or(|worst| candidate < worst) {
                worst = Some(candidate);
            }
        }
        if let Some((_, _, id)) = worst {
            self.counters.evicted = self.counters.evicted.saturating_add(1);
            self.close(id, Closed::Evicted, now, sink);
        }
    }

    fn close(&mut self, id: FlowId, why: Closed, now: Seen, sink: &mut impl Sink) {
        let Some(Some(flow)) = self.flows.get_mut(id) else { return };
        let held = flow.held_bytes();
        let interest = flow.finish(id, now, sink);
        self.held_bytes = self.held_bytes.saturating_sub(held);
        if interest == Interest::Keep {
            let (unseen, last) = (flow.unseen(), flow.last);
            let (key, event) = (&flow.key.get(), Event::Closed { why, unseen, last });
            sink.event(StreamEvent { flow: id, key, seen: now, from: Side::Low, event });
        }
        self.forget(id, if why == Closed::Ended { Memory::Keep } else { Memory::Drop });
    }

    fn forget(&mut self, id: FlowId, memory: Memory) {
        let Some(mut flow) = self.flows.get_mut(id).and_then(Option::take) else { return };
        self.held_bytes = self.held_bytes.saturating_sub(flow.held_bytes());
        self.counters.duplicates = self.counters.duplicates.saturating_add(flow.take_duplicates());
        self.open = self.open.saturating_sub(1);
        self.free.push(id);
        match memory {
            Memory::Drop => self.keys.forget(&flow.key.get()),
            Memory::Keep => self.keys.remember(&flow.key.get(), flow.opener.map_or(0, |(_, isn)| isn)),
        }
    }
}

/// A flow to be looked at again, ordered by when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Later {
    at: Timestamp,
    order: u64,
    due: Due,
    flow: FlowId,
    generation: u32,
}

/// Why a flow is looked at again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// It was reset, or a FIN waits for missing bytes.
    End,
    /// A RST may have reset it.
    Doubt,
}

/// Whether a closed flow's key is remembered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memory {
    Keep,
    Drop,
}

fn is_syn(segment: &Segment<'_>) -> bool {
    segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK)
}
