//! The out-of-order buffer of one direction: segments that wait for missing bytes before them, or for the bytes of the other
//! direction that they acknowledge.

use super::delivered::{Ack, Delivered};
use crate::capture::Seen;
use crate::limits;
use std::collections::BTreeMap;

/// The segments of one direction that wait, and how long they have waited.
pub(super) struct Hole {
    /// By stream offset; ranges never overlap, and all lie behind the bytes that were delivered.
    held: BTreeMap<u64, Held>,
    /// What `held` takes: captured bytes, and [`limits::HELD_SEGMENT`] for each segment.
    bytes: usize,
    /// The FIN, by the offset it stands at.
    fin: Option<Fin>,
    /// When it opened, or last let something go.
    since: Seen,
    /// Segments of the flow since the missing bytes were acknowledged.
    waited: u32,
}

/// A range that waits.
pub(super) struct Held {
    pub(super) bytes: Box<[u8]>,
    /// Bytes that were sent; more than `bytes` holds where the packet was cut.
    pub(super) sent: u64,
    /// Acknowledgment of its packet.
    ack: Ack,
    pub(super) seen: Seen,
}

impl Held {
    fn cost(&self) -> usize {
        self.bytes.len().saturating_add(limits::HELD_SEGMENT)
    }
}

#[derive(Clone, Copy)]
struct Fin {
    at: u64,
    ack: Ack,
    seen: Seen,
}

/// What can be delivered of a hole.
pub(super) enum Next {
    /// A range, by its offset.
    Bytes(u64, Held),
    /// The FIN, which this packet brought, with this acknowledgment.
    Fin(Seen, Ack),
    /// Nothing yet.
    Wait,
    /// Nothing waits any more.
    Closed,
}

impl Hole {
    pub(super) fn new(since: Seen) -> Hole {
        Hole { held: BTreeMap::new(), bytes: 0, fin: None, since, waited: 0 }
    }

    /// Offset and acknowledgment of the first thing that waits.
    pub(super) fn first(&self) -> Option<(u64, Ack)> {
        let held = || self.held.first_key_value().map(|(&at, held)| (at, held.ack));
        self.next_fin().map(|fin| (fin.at, fin.ack)).or_else(held)
    }

    /// The offset behind the last bytes that wait; 0 where only a FIN does.
    pub(super) fn end(&self) -> u64 {
        self.held.last_key_value().map_or(0, |(&at, held)| at.saturating_add(held.sent))
    }

    /// The packet of the first thing that waits.
    pub(super) fn first_seen(&self) -> Option<Seen> {
        let held = || self.held.first_key_value().map(|(_, held)| held.seen);
        self.next_fin().map(|fin| fin.seen).or_else(held)
    }

    /// The packet of the FIN, where nothing waits before it.
    pub(super) fn only_fin(&self) -> Option<Seen> {
        self.next_fin().map(|fin| fin.seen)
    }

    /// The FIN, where it is the first thing that waits. Nothing follows it: what lies behind it, as a stray segment far outside
    /// of the window, is not of this stream.
    fn next_fin(&self) -> Option<Fin> {
        self.fin.filter(|fin| self.held.keys().next().is_none_or(|&at| at >= fin.at))
    }

    /// Takes out what can be delivered where all before `offset` was.
    pub(super) fn next(&mut self, offset: u64, delivered: Delivered, now: Seen) -> Next {
        if let Some(fin) = self.next_fin() {
            return match fin.at <= offset && delivered.covers(fin.ack) {
                true => Next::Fin(fin.seen, fin.ack),
                false => Next::Wait,
            };
        }
        let Some(first) = self.held.first_entry() else { return Next::Closed };
        let at = *first.key();
        if at > offset || !delivered.covers(first.get().ack) {
            return Next::Wait;
        }
        let held = first.remove();
        self.bytes = self.bytes.saturating_sub(held.cost());
        self.restart(now);
        Next::Bytes(at, held)
    }

    /// Counts a segment of the flow that the missing bytes, already acknowledged, did not come with.
    pub(super) fn wait(&mut self) {
        self.waited = self.waited.saturating_add(1);
    }

    /// Whether the grace for packets captured out of order is over.
    pub(super) fn is_late(&self, now: Seen) -> bool {
        self.waited > limits::GAP_GRACE_SEGMENTS
            || now.at.nanos_since(self.since.at) > limits::GAP_GRACE_NANOS
    }

    /// Whether more waits than may.
    pub(super) fn is_full(&self) -> bool {
        self.bytes > limits::HELD_BYTES || self.held.len() > limits::HELD_SEGMENTS
    }

    /// The grace begins again.
    pub(super) fn restart(&mut self, now: Seen) {
        (self.waited, self.since) = (0, now);
    }

    /// What waits takes so many bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps a FIN; the first one counts.
    pub(super) fn hold_fin(&mut self, at: u64, ack: Ack, seen: Seen) {
        self.fin.get_or_insert(Fin { at, ack, seen });
    }

    /// Keeps what is not kept yet of `[start, start + sent)`; tells the first offset at which a second copy differs from
    /// the first.
    pub(super) fn hold(
        &mut self,
        start: u64,
        (bytes, sent, ack): (&[u8], u64, Ack),
        seen: Seen,
    ) -> Option<u64> {
        let end = start.saturating_add(sent);
        // The part of this segment that lies in [from, to).
        let part = |from: u64, to: u64| {
            let from = clamp(from.saturating_sub(start)).min(bytes.len());
            let to = clamp(to.saturating_sub(start)).min(bytes.len());
            bytes.get(from..to).unwrap_or_default()
        };
        let mut pieces: Vec<(u64, u64)> = Vec::new();
        let mut conflict = None;
        let mut at = start;
        let before = self.held.range(..start).next_back();
        for (&held_at, held) in before.into_iter().chain(self.held.range(start..end)) {
            let held_end = held_at.saturating_add(held.sent);
            if held_end <= at {
                continue;
            }
            if held_at > at {
                pieces.push((at, held_at));
            }
            let (from, to) = (at.max(held_at), held_end.min(end));
            let first = held.bytes.get(clamp(from.saturating_sub(held_at))..).unwrap_or_default();
            let differs = part(from, to).iter().zip(first).position(|(a, b)| a != b);
            conflict = conflict.or(differs.map(|i| from.saturating_add(i as u64)));
            at = held_end;
            if at >= end {
                break;
            }
        }
        if at < end {
            pieces.push((at, end));
        }
        for (from, to) in pieces {
            let bytes: Box<[u8]> = part(from, to).into();
            let held = Held { bytes, sent: to.saturating_sub(from), ack, seen };
            self.bytes = self.bytes.saturating_add(held.cost());
            self.held.insert(from, held);
        }
        conflict
    }
}

/// An offset as an index: what does not fit lies past the end of any slice.
pub(super) fn clamp(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
