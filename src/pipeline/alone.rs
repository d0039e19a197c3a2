//! A run on one thread.

use super::Observer;
use super::front::{Front, Target};
use super::ledger::Ledger;
use super::part::{self, Part};
use crate::capture::{Merged, Seen};
use crate::net::{IcmpError, Segment};
use crate::tls::KeyLog;

/// Reads all that `front` gives, or so many items, and tells whether that was all.
pub(super) fn run<O: Observer>(
    front: &mut Front,
    parts: &mut [Part],
    ledger: &mut Ledger<'_, O>,
    progress: &mut impl FnMut(u64, Option<u64>),
    items: u64,
) -> bool {
    let mut alone = Alone { parts, ledger };
    for item in 1..=items {
        if !front.read(&mut alone) {
            part::end(alone.parts, front.last, |_, told| alone.ledger.take(told));
            return true;
        }
        if item.is_multiple_of(PROGRESS_EVERY) {
            let (read, total) = front.input.progress();
            progress(read, total);
        }
    }
    false
}

/// Items between two calls of `progress`.
const PROGRESS_EVERY: u64 = 4096;

struct Alone<'a, 'b, O> {
    parts: &'a mut [Part],
    ledger: &'a mut Ledger<'b, O>,
}

impl<O: Observer> Target for Alone<'_, '_, O> {
    #[inline]
    fn segment(&mut self, segment: &Segment<'_>, seen: Seen, _: &Merged) {
        let part = &mut self.parts[part::of(&segment.key)];
        part.push(segment, seen);
        if part.has_told() {
            part.tell().for_each(|told| self.ledger.take(told));
        }
    }

    #[cold]
    fn icmp(&mut self, error: &IcmpError, seen: Seen) {
        let part = &mut self.parts[part::of(&error.key)];
        part.icmp(error, seen);
        part.tell().for_each(|told| self.ledger.take(told));
    }

    fn pass(&mut self, now: Seen) {
        for part in &mut *self.parts {
            part.pass(now);
            part.tell().for_each(|told| self.ledger.take(told));
        }
        self.ledger.second();
    }

    fn renew(&mut self, keys: &KeyLog) {
        self.parts.iter_mut().for_each(|part| part.renew(keys));
    }
}
