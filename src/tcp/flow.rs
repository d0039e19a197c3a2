//! One TCP connection: its two directions, and how it comes to its end.

use super::direction::Direction;
use super::event::{Event, FlowId, Interest, ResetKind, Sink, StreamEvent};
use crate::capture::Seen;
use crate::limits;
use crate::net::{Flags, FlowKey, KeptKey, Segment, Side};
use crate::time::Timestamp;

/// One TCP connection. There may be very many, so that it is kept to two lines of the cache.
#[repr(align(64))]
pub(super) struct Flow {
    pub(super) key: KeptKey,
    /// Who sent the SYN, and its sequence number.
    pub(super) opener: Option<(Side, u32)>,
    /// Delivered apart from the flows that had this id before.
    pub(super) generation: u32,
    /// Time of its last packet.
    pub(super) last: Timestamp,
    /// Whether any payload was delivered: such a flow is evicted last.
    pub(super) has_data: bool,
    pub(super) reset: bool,
    /// A RST that is not believed yet.
    doubted: Option<Box<Doubted>>,
    /// Who sent the last packet with SYN.
    last_syn_from: Option<Side>,
    directions: [Direction; 2],
}

/// A RST elsewhere than at its sender's next byte. Bytes before it may be missing in the capture, or are behind it only
/// there; or it is forged, and the receiver took no notice (RFC 5961 §3). What the sender does next tells.
struct Doubted {
    from: Side,
    seq: u32,
    ack: Option<u32>,
    ttl: u8,
    seen: Seen,
    /// Segments of its sender since, of which some may have been sent before it.
    later: u8,
}

/// How a SYN compares with those that its side sent before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SynKind {
    First,
    /// The same one, sent again.
    Again,
    /// The same packet, captured twice.
    Copied,
}

/// What becomes of a flow after a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It goes on.
    Open,
    /// It was reset, or a FIN waits for missing bytes: it ends a little later.
    Ending,
    /// A RST may have reset it, if its sender keeps silent.
    Doubted,
    /// It is over.
    Ended,
    /// Nobody wants to hear of it.
    Ignored,
}

const _: () = assert!(size_of::<Option<Flow>>() <= 128);

impl Flow {
    pub(super) fn new(key: FlowKey, generation: u32) -> Flow {
        Flow {
            key: key.into(),
            opener: None,
            generation,
            last: Timestamp::default(),
            has_data: false,
            reset: false,
            doubted: None,
            last_syn_from: None,
            directions: [Direction::default(), Direction::default()],
        }
    }

    #[inline]
    fn pair(&mut self, from: Side) -> (&mut Direction, &mut Direction) {
        let [low, high] = &mut self.directions;
        match from {
            Side::Low => (low, high),
            Side::High => (high, low),
        }
    }

    /// Packets that were captured twice since this was last asked.
    pub(super) fn take_duplicates(&mut self) -> u64 {
        self.directions.iter_mut().map(|direction| u64::from(direction.take_duplicates())).sum()
    }

    /// A SYN or SYN-ACK begins the sender's stream; tells whether it is the first one of a side.
    pub(super) fn synchronize(&mut self, segment: &Segment<'_>, at: Timestamp) -> SynKind {
        // A copy follows what it is a copy of; a SYN-ACK sent again follows a SYN sent again, however soon.
        let follows_own = self.last_syn_from.replace(segment.from) == Some(segment.from);
        let since_last = if follows_own { at.nanos_since(self.last) } else { i64::MAX };
        let (own, other) = self.pair(segment.from);
        own.see(segment);
        if segment.flags.has(Flags::ACK) {
            other.acknowledge(segment.ack);
            if !other.is_known() {
                other.begin(segment.ack);
            }
        }
        let first = !own.is_known() || own.is_at_start() && own.distance(segment.seq.wrapping_add(1)) != 0;
        if first {
            own.begin(segment.seq.wrapping_add(1));
            SynKind::First
        } else if own.is_duplicate(since_last) {
            SynKind::Copied
        } else {
            SynKind::Again
        }
    }

    /// Whether a segment is what nearly all are: the next one of its direction, after all that it acknowledges, on a
    /// flow in which nothing waits, and with nothing but payload.
    #[inline]
    pub(super) fn is_next(&self, segment: &Segment<'_>) -> bool {
        let [low, high] = &self.directions;
        let (own, other) = match segment.from {
            Side::Low => (low, high),
            Side::High => (high, low),
        };
        segment.flags.is_ordinary()
            && own.is_next(segment)
            && other.has_delivered(segment.ack)
            && self.doubted.is_none()
    }

    /// Takes a segment that [`Flow::is_next`]: what [`Flow::segment`] does with it, and no more.
    #[inline]
    pub(super) fn follow(
        &mut self,
        id: FlowId,
        segment: &Segment<'_>,
        seen: Seen,
        sink: &mut impl Sink,
    ) -> Interest {
        self.last = seen.at;
        let from = segment.from;
        let (own, other) = self.pair(from);
        own.see(segment);
        other.acknowledge(segment.ack);
        if segment.declared_len == 0 {
            return Interest::Keep;
        }
        let mut emit = |seen: Seen, event: Event<'_>| {
            sink.event(StreamEvent { flow: id, key: &segment.key, seen, from, event })
        };
        let interest = own.deliver(segment.payload, u64::from(segment.declared_len), seen, &mut emit);
        self.has_data = true;
        interest
    }

    /// Takes a segment, but for its SYN.
    pub(super) fn segment(
        &mut self,
        id: FlowId,
        segment: &Segment<'_>,
        seen: Seen,
        sink: &mut impl Sink,
    ) -> Fate {
        let since_last = seen.at.nanos_since(self.last);
        self.last = seen.at;
        let from = segment.from;
        let opener_is_sender = self.opener.is_some_and(|(side, _)| side == from);
        let (own, other) = self.pair(from);
        if segment.flags.has(Flags::RST) {
            return self.reset(id, segment, seen, sink);
        }
        let window_told = own.see(segment);
        if segment.flags.has(Flags::ACK) {
            // The opener's first bare ACK tells where the other side begins, should its SYN-ACK be missing.
            if !other.is_known() && opener_is_sender && own.is_at_start() && segment.declared_len == 0 {
                other.begin(segment.ack);
            }
            other.acknowledge(segment.ack);
        }
        // A SYN counts one; data may travel with it.
        let mut segment = *segment;
        if segment.flags.has(Flags::SYN) {
            segment.seq = segment.seq.wrapping_add(1);
        }
        if !own.is_known() {
            // A keep-alive probe as the first packet would begin one byte early; nothing tells, so take it as it is.
            own.begin(segment.seq);
        }
        let key = &segment.key;
        if window_told {
            let event = Event::Window { closed: segment.window == 0 };
            sink.event(StreamEvent { flow: id, key, seen, from, event });
        }
        let mut emit =
            |seen: Seen, event: Event<'_>| sink.event(StreamEvent { flow: id, key, seen, from, event });
        let mut interest = own.arrive(&segment, seen, (other.delivered(), since_last), &mut emit);
        let in_order = !own.has_hole() && !other.has_hole();
        self.has_data |= segment.declared_len > 0;
        if !in_order && interest == Interest::Keep {
            interest = self.settle(id, from, seen, sink);
        }
        if self.doubted.is_some() && self.decide(id, from, seen, sink) {
            return Fate::Ending;
        }
        match (interest, self.fate()) {
            (Interest::Ignore, _) => Fate::Ignored,
            (Interest::Keep, Fate::Open) if !in_order && segment.flags.has(Flags::FIN) => Fate::Ending,
            (Interest::Keep, fate) => fate,
        }
    }

    /// Whether both directions have ended in order.
    pub(super) fn fate(&self) -> Fate {
        let [low, high] = &self.directions;
        if low.is_ended() && high.is_ended() { Fate::Ended } else { Fate::Open }
    }

    /// Lets both directions give up what will not come, and tell what no longer waits.
    #[cold]
    fn settle(&mut self, id: FlowId, from: Side, seen: Seen, sink: &mut impl Sink) -> Interest {
        let key = &self.key.get();
        let [low, high] = &self.directions;
        // Each waits for the other where bytes are there only in a copy sent again, which acknowledges what came after the
        // first one: the packet captured first tells the order, so the other one waits in vain.
        let in_vain = low.blocked().zip(high.blocked());
        let in_vain =
            in_vain.map(|(low, high)| if low.packet > high.packet { Side::Low } else { Side::High });
        let first = in_vain.unwrap_or(from);
        for side in [first, first.other()] {
            let (own, other) = self.pair(side);
            let mut emit = |seen: Seen, event: Event<'_>| {
                let from = if event == Event::FinUnseen { side.other() } else { side };
                sink.event(StreamEvent { flow: id, key, seen, from, event })
            };
            let mut delivered = other.delivered();
            let interest = if in_vain == Some(side) {
                own.skip(seen, &mut delivered, &mut emit)
            } else {
                own.settle(seen, other.is_seen(), &mut delivered, &mut emit)
            };
            other.forgo(delivered);
            if interest == Interest::Ignore {
                return Interest::Ignore;
            }
        }
        self.drain(id, seen, sink)
    }

    /// What one direction tells may be what the other waits for, and so on; each round tells something.
    fn drain(&mut self, id: FlowId, seen: Seen, sink: &mut impl Sink) -> Interest {
        let key = &self.key.get();
        let mut idle = 0;
        for side in [Side::Low, Side::High].into_iter().cycle() {
            let (own, other) = self.pair(side);
            let mut delivered_any = false;
            let mut emit = |seen: Seen, event: Event<'_>| {
                delivered_any = true;
                sink.event(StreamEvent { flow: id, key, seen, from: side, event })
            };
            if own.has_hole() && own.drain(seen, other.delivered(), &mut emit) == Interest::Ignore {
                return Interest::Ignore;
            }
            idle = if delivered_any { 0_u8 } else { idle.saturating_add(1) };
            if idle > 1 {
                break;
            }
        }
        Interest::Keep
    }

    /// Gives up all that anything waits for, to free it: missing bytes first, then the order of the two directions.
    #[cold]
    pub(super) fn relieve(&mut self, id: FlowId, seen: Seen, sink: &mut impl Sink) -> Interest {
        let key = &self.key.get();
        loop {
            let [low, high] = &self.directions;
            let side = match (low.has_hole(), high.has_hole()) {
                (false, false) => return Interest::Keep,
                (true, false) => Side::Low,
                (true, true) if !low.is_blocked() => Side::Low,
                _ => Side::High,
            };
            let (own, other) = self.pair(side);
            let mut emit = |seen: Seen, event: Event<'_>| {
                let from = if event == Event::FinUnseen { side.other() } else { side };
                sink.event(StreamEvent { flow: id, key, seen, from, event })
            };
            let mut delivered = other.delivered();
            let interest = own.skip(seen, &mut delivered, &mut emit);
            other.forgo(delivered);
            if interest == Interest::Ignore || self.drain(id, seen, sink) == Interest::Ignore {
                return Interest::Ignore;
            }
        }
    }

    /// A RST counts where it could be the sender's: at its next sequence number, or before it said anything; near that, if
    /// the sender says nothing more (RFC 9293 §3.5.2, RFC 5961 §3).
    fn reset(&mut self, id: FlowId, segment: &Segment<'_>, seen: Seen, sink: &mut impl Sink) -> Fate {
        let from = segment.from;
        let (own, _) = self.pair(from);
        let distance = if own.is_known() { own.distance(segment.seq) } else { 0 };
        // Who had ended its side answers what still comes with RSTs, at whatever that acknowledges.
        let ended = own.is_ended();
        if self.reset || distance.unsigned_abs() > limits::RESET_DISTANCE {
            return Fate::Open;
        }
        let ack = segment.flags.has(Flags::ACK).then_some(segment.ack);
        let reset = Doubted { from, seq: segment.seq, ack, ttl: segment.ttl, seen, later: 0 };
        if distance == 0 || ended {
            self.doubted = None;
            self.tell_reset(id, &reset, sink);
            return Fate::Ending;
        }
        if self.doubted.is_some() {
            return Fate::Open;
        }
        self.doubted = Some(Box::new(reset));
        Fate::Doubted
    }

    fn tell_reset(&mut self, id: FlowId, reset: &Doubted, sink: &mut impl Sink) {
        self.reset = true;
        let key = &self.key.get();
        let (own, other) = self.pair(reset.from);
        let kind = if reset.ack.is_some() { ResetKind::Abort } else { ResetKind::NoConnection };
        let event = Event::Reset { ttl: reset.ttl, usual_ttl: own.last_ttl(), kind };
        // The sender itself resets behind all that it sent; others guess.
        if own.last_ttl() == Some(reset.ttl) && own.is_known() {
            own.acknowledge(reset.seq);
        }
        own.see_reset(reset.ttl);
        if let Some(ack) = reset.ack {
            other.acknowledge(ack);
        }
        sink.event(StreamEvent { flow: id, key, seen: reset.seen, from: reset.from, event });
    }

    /// Judges a doubted RST by a segment that came after it, now that this was taken; true where it is believed. Segments
    /// captured out of order are its sender's last ones, and lead up to it; whoever goes on for longer did not send it.
    #[cold]
    fn decide(&mut self, id: FlowId, from: Side, seen: Seen, sink: &mut impl Sink) -> bool {
        let Some(mut doubted) = self.doubted.take() else { return false };
        if doubted.from != from {
            self.doubted = Some(doubted);
            return false;
        }
        let (own, _) = self.pair(from);
        if own.distance(doubted.seq) == 0 && !own.is_ended() {
            self.tell_reset(id, &doubted, sink);
            return true;
        }
        if seen.at.nanos_since(doubted.seen.at) <= limits::GAP_GRACE_NANOS {
            doubted.later = doubted.later.saturating_add(1);
            self.doubted = Some(doubted);
        }
        false
    }

    /// Believes a doubted RST where its sender fell silent; true where it does.
    pub(super) fn believe(&mut self, id: FlowId, sink: &mut impl Sink) -> bool {
        let Some(doubted) = self.doubted.take() else { return false };
        let (own, _) = self.pair(doubted.from);
        let believed = doubted.later < 2 && !own.is_ended();
        if believed {
            self.tell_reset(id, &doubted, sink);
        }
        believed
    }

    /// Tells everything that waits: the flow is over.
    pub(super) fn finish(&mut self, id: FlowId, now: Seen, sink: &mut impl Sink) -> Interest {
        let key = &self.key.get();
        if self.relieve(id, now, sink) == Interest::Ignore {
            return Interest::Ignore;
        }
        self.believe(id, sink);
        for side in [Side::Low, Side::High] {
            let (own, _) = self.pair(side);
            let mut emit = |seen: Seen, event: Event<'_>| {
                sink.event(StreamEvent { flow: id, key, seen, from: side, event })
            };
            if own.finish(now, &mut emit) == Interest::Ignore {
                return Interest::Ignore;
            }
        }
        Interest::Keep
    }

    /// How far the other side has acknowledged, where this side sent the number and it is not acknowledged.
    pub(super) fn in_flight(&self, from: Side, seq: u32) -> Option<u32> {
        let [low, high] = &self.directions;
        match from {
            Side::Low => low.in_flight(seq),
            Side::High => high.in_flight(seq),
        }
    }

    /// The side of which the capture has no packet.
    pub(super) fn unseen(&self) -> Option<Side> {
        let [low, high] = &self.directions;
        match (low.is_seen(), high.is_seen()) {
            (false, true) => Some(Side::Low),
            (true, false) => Some(Side::High),
            _ => None,
        }
    }

    /// Captured bytes that wait in both directions.
    pub(super) fn held_bytes(&self) -> usize {
        self.directions.iter().map(Direction::held_bytes).sum()
    }
}
