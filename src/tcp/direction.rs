//! One direction of a flow: segments in any order become bytes in order, or a gap.
//!
//! The first copy of a byte counts. A byte that is missing is waited for: while the other side has not acknowledged
//! it, it may be sent again; once it is acknowledged, only the capture lacks it, and after a short grace for packets
//! captured out of order the gap is reported and reading goes on behind it.
//!
//! A segment that acknowledges bytes of the other direction waits until these were delivered: so an answer is delivered after
//! what it answers, whatever the order in which a capture holds the two.

use super::delivered::{Delivered, acknowledged};
use super::event::{Event, GapCause, Interest};
use super::hole::{Hole, Next, clamp};
use super::recent::Recent;
use super::seq::ahead;
use crate::capture::Seen;
use crate::net::{Flags, Segment};

/// One direction of a flow: what was delivered of it, and what waits.
#[derive(Default)]
pub(super) struct Direction {
    /// Sequence number of the next byte in order; of no meaning until `known`.
    next: u32,
    /// The highest acknowledgment of these bytes by the other side; of no meaning until there is one.
    acked: u32,
    marks: Marks,
    /// Packets that were captured twice, since that was last asked.
    duplicates: u16,
    /// Time to live of its last packet.
    ttl: u8,
    recent: Recent,
    /// Stream offset of `next`.
    offset: u64,
    /// Up to this sequence number the other direction waits for nothing any more, though not all before it was delivered.
    forgone: u32,
    /// Exists while something waits for earlier bytes.
    hole: Option<Box<Hole>>,
}

/// Several booleans in one byte, for every flow has two of these.
#[derive(Clone, Copy, Default)]
struct Marks(u8);

impl Marks {
    /// Its sequence numbers are known.
    const KNOWN: u8 = 1;
    /// A packet of it was seen; it may be known without.
    const SEEN: u8 = 1 << 1;
    /// The other side acknowledged something.
    const ACKED: u8 = 1 << 2;
    /// Its FIN was reported.
    const ENDED: u8 = 1 << 3;
    /// Its last packet announced a window of zero.
    const WINDOW_CLOSED: u8 = 1 << 4;

    #[inline]
    const fn has(self, mark: u8) -> bool {
        self.0 & mark != 0
    }

    #[inline]
    fn set(&mut self, mark: u8, on: bool) {
        self.0 = if on { self.0 | mark } else { self.0 & !mark };
    }
}

impl Direction {
    /// Whether its sequence numbers are known.
    pub(super) const fn is_known(&self) -> bool {
        self.marks.has(Marks::KNOWN)
    }

    /// Whether a packet of this direction was seen.
    pub(super) const fn is_seen(&self) -> bool {
        self.marks.has(Marks::SEEN)
    }

    /// Notes a packet of this direction; true where its window is zero, or opens with it.
    #[inline]
    pub(super) fn see(&mut self, segment: &Segment<'_>) -> bool {
        self.marks.set(Marks::SEEN, true);
        self.ttl = segment.ttl;
        self.recent.note(segment);
        let closed = segment.window == 0;
        let is_news = closed || self.marks.has(Marks::WINDOW_CLOSED);
        self.marks.set(Marks::WINDOW_CLOSED, closed);
        is_news
    }

    /// Notes a RST of this direction.
    pub(super) fn see_reset(&mut self, ttl: u8) {
        self.marks.set(Marks::SEEN, true);
        self.ttl = ttl;
    }

    /// Time to live of its last packet, where one was seen.
    pub(super) fn last_ttl(&self) -> Option<u8> {
        self.is_seen().then_some(self.ttl)
    }

    /// Whether the last packet, which says nothing new, is another copy of one captured before.
    pub(super) fn is_duplicate(&mut self, since_last: i64) -> bool {
        let duplicate = self.recent.is_copy(since_last);
        self.duplicates = self.duplicates.saturating_add(u16::from(duplicate));
        duplicate
    }

    /// Packets that were captured twice since this was last asked, as far as that was noticed: those with payload, SYN or
    /// FIN.
    pub(super) fn take_duplicates(&mut self) -> u16 {
        std::mem::take(&mut self.duplicates)
    }

    /// Whether its FIN was reported.
    pub(super) const fn is_ended(&self) -> bool {
        self.marks.has(Marks::ENDED)
    }

    /// Whether the other side acknowledged something.
    const fn has_ack(&self) -> bool {
        self.marks.has(Marks::ACKED)
    }

    /// Whether something waits for missing bytes.
    pub(super) const fn has_hole(&self) -> bool {
        self.hole.is_some()
    }

    /// Whether no byte of it was delivered or skipped yet.
    pub(super) const fn is_at_start(&self) -> bool {
        self.offset == 0
    }

    /// Begins the stream at sequence number `next`.
    pub(super) fn begin(&mut self, next: u32) {
        self.marks.set(Marks::KNOWN, true);
        self.next = next;
        self.forgone = next;
    }

    /// How far it was delivered: what the other side's acknowledgments are compared with.
    #[inline]
    pub(super) fn delivered(&self) -> Delivered {
        let next = if ahead(self.forgone, self.next) > 0 { self.forgone } else { self.next };
        Delivered {
            next,
            more: self.is_seen() && self.is_known() && !self.is_ended(),
            whole: next == self.next && self.hole.is_none(),
            over: false,
            ended: self.is_ended(),
        }
    }

    /// Notes how far the other side waits no longer.
    pub(super) fn forgo(&mut self, delivered: Delivered) {
        self.forgone = delivered.next;
        if delivered.over {
            self.next = delivered.next;
            self.marks.set(Marks::ENDED, true);
        }
    }

    /// Whether all that it waits for is of the other direction.
    pub(super) fn is_blocked(&self) -> bool {
        self.hole.as_ref().and_then(|hole| hole.first()).is_some_and(|(at, _)| at <= self.offset)
    }

    /// The packet of the first thing that waits for the other direction alone.
    pub(super) fn blocked(&self) -> Option<Seen> {
        self.hole.as_ref().filter(|_| self.is_blocked()).and_then(|hole| hole.first_seen())
    }

    /// Notes that the other side acknowledged everything before `ack`.
    #[inline]
    pub(super) fn acknowledge(&mut self, ack: u32) {
        if !self.has_ack() || ahead(ack, self.acked) > 0 {
            self.acked = ack;
            self.marks.set(Marks::ACKED, true);
        }
    }

    /// How far the other side has acknowledged, where this number was sent and is not acknowledged. One that lies more than
    /// 2³¹ back was not sent, as far as anybody can tell.
    pub(super) fn in_flight(&self, seq: u32) -> Option<u32> {
        let behind = i64::from(ahead(self.next, seq));
        let waits = self.hole.as_ref().map_or(0, |hole| hole.end().saturating_sub(self.offset));
        // A SYN stands one before the first byte.
        let began = i64::try_from(self.offset).unwrap_or(i64::MAX).saturating_add(1);
        let is_sent = behind <= began && behind.saturating_add_unsigned(waits) > 0;
        let is_acked = self.has_ack() && ahead(self.acked, seq) > 0;
        (self.is_seen() && self.is_known() && is_sent && !is_acked).then_some(self.acked)
    }

    /// How far `seq` lies ahead of the next byte in order.
    pub(super) const fn distance(&self, seq: u32) -> i32 {
        ahead(seq, self.next)
    }

    /// Whether a segment with an open window is the next one, and nothing waits.
    #[inline]
    pub(super) fn is_next(&self, segment: &Segment<'_>) -> bool {
        segment.seq == self.next
            && self.marks.0 & (Marks::KNOWN | Marks::ENDED | Marks::WINDOW_CLOSED) == Marks::KNOWN
            && self.hole.is_none()
            && segment.window != 0
    }

    /// Whether all before `ack` was delivered, and nothing waits.
    #[inline]
    pub(super) fn has_delivered(&self, ack: u32) -> bool {
        self.is_known() && self.hole.is_none() && ahead(ack, self.next) <= 0
    }

    /// Takes a segment without SYN or RST; returns what the receiver of the events last wanted. `delivered` is how far the
    /// other direction was delivered, `since_last` the nanoseconds since the last packet of the flow.
    #[inline]
    pub(super) fn arrive(
        &mut self,
        segment: &Segment<'_>,
        seen: Seen,
        (delivered, since_last): (Delivered, i64),
        emit: &mut impl FnMut(Seen, Event<'_>) -> Interest,
    ) -> Interest {
        let fin = segment.flags.has(Flags::FIN);
        if self.is_ended() {
            if fin {
                self.is_duplicate(since_last);
            }
            return Interest::Keep;
        }
        let empty = segment.declared_len == 0 && !fin;
        if segment.seq == self.next
            && self.hole.is_none()
            && (empty || delivered.covers(acknowledged(segment)))
        {
            let mut interest = Interest::Keep;
            if segment.declared_len > 0 {
                interest = self.deliver(segment.payload, u64::from(segment.declared_len), seen, emit);
            }
            if fin && interest == Interest::Keep {
                self.end(seen, delivered.crosses(acknowledged(segment)), emit);
            }
            return interest;
        }
        self.arrive_out_of_order(segment, seen, (delivered, since_last), emit)
    }

    #[cold]
    fn arrive_out_of_order(
        &mut self,
        segment: &Segment<'_>,
        seen: Seen,
        (delivered, since_last): (Delivered, i64),
        emit: &mut impl FnMut(Seen, Event<'_>) -> Interest,
    ) -> Interest {
        let fin = segment.flags.has(Flags::FIN);
        let sent = u64::from(segment.declared_len);
        let ahead = self.distance(segment.seq);
        let known = u64::from(ahead.min(0).unsigned_abs());
        // What was delivered before, as far as this segment repeats it. A keep-alive probe repeats one byte at most.
        let repeated = known.min(sent);
        let (old, fresh) = segment.payload.split_at(clamp(repeated).min(segment.payload.len()));
        let probe = known == 1 && sent == 1;
        if let Some(offset) = self.offset.checked_sub(known)
            && !probe
            && !old.is_empty()
            && !(repeated == sent && self.is_duplicate(since_last))
        {
            emit(seen, Event::Repeat { offset, bytes: old });
        }
        if known > sent {
            return Interest::Keep;
        }
        let start = self.offset.saturating_add(u64::from(ahead.max(0).unsigned_abs()));
        let len = sent.saturating_sub(repeated);
        let ack = acknowledged(segment);
        let mut interest = Interest::Keep;
        if len > 0 {
            if start == self.offset && self.hole.is_none() && delivered.covers(ack) {
                interest = self.deliver(fresh, len, seen, emit);
            } else if let Some(offset) = self.hole_at(seen).hold(start, (fresh, len, ack), seen) {
                emit(seen, Event::Conflict { offset });
            }
        }
        if interest == Interest::Ignore {
            return interest;
        }
        if fin {
            let at = start.saturating_add(len);
            if at == self.offset && self.hole.is_none() && delivered.covers(ack) {
                self.end(seen, delivered.crosses(ack), emit);
            } else {
                self.hole_at(seen).hold_fin(at, ack, seen);
            }
        }
        self.drain(seen, delivered, emit)
    }

    /// Gives up missing bytes that will not come any more; to be called after each segment of the flow while there
    /// is a hole. `other_seen`: whether the other direction is in the capture, so that silence of its
    /// acknowledgments means something.
    pub(super) fn settle(
        &mut self,
        now: Seen,
        other_seen: bool,
        delivered: &mut Delivered,
        emit: &mut impl FnMut(Seen, Event<'_>) -> Interest,
    ) -> Interest {
        let acked = !other_seen || (self.has_ack() && ahead(self.acked, self.next) > 0) || self.is_blocked();
        let Some(hole) = &mut self.hole else { return Interest::Keep };
        if acked {
            hole.wait();
        }
        let waited = acked && hole.is_late(now);
        if waited || hole.is_full() { self.skip(now, delivered, emit) } else { Interest::Keep }
    }

    /// What waits takes so many bytes.
    pub(super) fn held_bytes(&self) -> usize {
        self.hole.as_ref().map_or(0, |hole| hole.bytes())
    }

    /// Tells the gap at the end, where nothing waits any more and nothing will come.
    pub(super) fn finish(
        &mut self,
        now: Seen,
        emit: &mut impl FnMut(Seen, Event<'_>) -> Interest,
    ) -> Interest {
        // Acknowledged, never captured. One number more may be a FIN that the capture lacks.
        if self.is_known() && self.has_ack() && !self.is_ended() {
            let len = ahead(self.acked, self.next);
            if len > 1 {
                let len = u64::from(len.unsigned_abs());
                return self.tell_gap(len, GapCause::Lost, now, emit);
            }
        }
        Interest::Keep
    }

    /// Gives up what the first thing that waits is waiting for: earlier bytes, or else what its packet acknowledges.
    pub(super) fn skip(
        &mut self,
        now: Seen,
        delivered: &mut Delivered,
        emit: &mut impl FnMut(Seen, Event<'_>) -> Interest,
    ) -> Interest {
        let Some(hole) = &mut self.hole else { return Interest::Keep };
        hole.restart(now);
        let (first, ack) = hole.first().unwrap_or((self.offset, None));
        let fin = hole.only_fin();
        let lost = self.has_ack() && ahead(self.acked, self.next) > 0;
        let len = first.saturating_sub(self.offset);
        if len > 0 {
            let cause = if lost { GapCause::Lost } else { GapCause::Unseen };
            if self.tell_gap(len, cause, now, emit) == Interest::Ignore {
                return Interest::Ignore;
            }
        } else {
            if let Some(fin) = fin.filter(|_| delivered.lacks_fin(ack)) {
                delivered.over = true;
                emit(fin, Event::FinUnseen);
            }
            delivered.forgo(ack);
        }
        self.drain(now, *delivered, emit)
    }

    fn tell_gap(
        &mut self,
        len: u64,
        cause: GapCause,
        seen: Seen,
        emit: &mut impl FnMut(Seen, Event<'_>) -> Interest,
    ) -> Interest {
        let offset = self.offset;
        self.advance(len);
        emit(seen, Event::Gap { offset, len, cause })
    }

    /// Tells what no longer waits.
    pub(super) fn drain(
        &mut self,
        now: Seen,
        delivered: Delivered,
        emit: &mut impl FnMut(Seen, Event<'_>) -> Interest,
    ) -> Interest {
        loop {
            let Some(hole) = &mut self.hole else { return Interest::Keep };
            let (at, held) = match hole.next(self.offset, delivered, now) {
                Next::Bytes(at, held) => (at, held),
                Next::Fin(seen, ack) => {
                    self.hole = None;
                    self.end(seen, delivered.crosses(ack), emit);
                    return Interest::Keep;
                }
                Next::Wait => return Interest::Keep,
                Next::Closed => {
                    self.hole = None;
                    return Interest::Keep;
                }
            };
            // Ranges that wait never overlap, but bytes delivered since may reach into this one.
            let delivered = self.offset.saturating_sub(at);
            let Some(left) = held.sent.checked_sub(delivered).filter(|&left| left > 0) else { continue };
            let bytes = held.bytes.get(clamp(delivered)..).unwrap_or_default();
            if self.deliver(bytes, left, held.seen, emit) == Interest::Ignore {
                return Interest::Ignore;
            }
        }
    }

    /// Tells the next bytes, and as a gap those that were sent and cut off.
    #[inline]
    pub(super) fn deliver(
        &mut self,
        bytes: &[u8],
        sent: u64,
        seen: Seen,
        emit: &mut impl FnMut(Seen, Event<'_>) -> Interest,
    ) -> Interest {
        let offset = self.offset;
        let captured = bytes.len() as u64;
        self.advance(sent.max(captured));
        let mut interest = Interest::Keep;
        if !bytes.is_empty() {
            interest = emit(seen, Event::Data { offset, bytes });
        }
        if captured < sent && interest == Interest::Keep {
            let (offset, len) = (offset.saturating_add(captured), sent.saturating_sub(captured));
            interest = emit(seen, Event::Gap { offset, len, cause: GapCause::Cut });
        }
        interest
    }

    #[inline]
    fn advance(&mut self, len: u64) {
        self.offset = self.offset.saturating_add(len);
        // Sequence numbers count modulo 2³², so the low half of the length is what they move by.
        self.next = self.next.wrapping_add((len & u64::from(u32::MAX)).try_into().unwrap_or(0));
    }

    fn end(&mut self, seen: Seen, crosses: bool, emit: &mut impl FnMut(Seen, Event<'_>) -> Interest) {
        self.marks.set(Marks::ENDED, true);
        self.next = self.next.wrapping_add(1);
        emit(seen, Event::Fin { crosses });
    }

    fn hole_at(&mut self, seen: Seen) -> &mut Hole {
        self.hole.get_or_insert_with(|| Box::new(Hole::new(seen)))
    }
}
