//! A run on one thread.

use super::Observer;
use super::judge::Judge;
use super::shard::{self, Shard};
use super::source::{Source, Target};
use crate::capture::{Merged, Seen};
use crate::net::{IcmpError, Segment};
use crate::tls::KeyLog;

/// Reads up to `items` items of the input; true where it is over by then.
pub(super) fn run<O: Observer>(
    source: &mut Source,
    shards: &mut [Shard],
    judge: &mut Judge<'_, O>,
    progress: &mut impl FnMut(u64, Option<u64>),
    items: u64,
) -> bool {
    let mut run = SingleThread { shards, judge };
    for item in 1..=items {
        if !source.read(&mut run) {
            shard::end(run.shards, source.last, |_, event| run.judge.take(event));
            return true;
        }
        if item.is_multiple_of(PROGRESS_EVERY) {
            let (read, total) = source.input.progress();
            progress(read, total);
        }
    }
    false
}

/// Items between two calls of `progress`.
const PROGRESS_EVERY: u64 = 4096;

struct SingleThread<'a, 'b, O> {
    shards: &'a mut [Shard],
    judge: &'a mut Judge<'b, O>,
}

impl<O: Observer> Target for SingleThread<'_, '_, O> {
    #[inline]
    fn segment(&mut self, segment: &Segment<'_>, seen: Seen, _: &Merged) {
        let shard = &mut self.shards[shard::of(&segment.key)];
        shard.push(segment, seen);
        if shard.has_events() {
            shard.take_events().for_each(|event| self.judge.take(event));
        }
    }

    #[cold]
    fn icmp(&mut self, error: &IcmpError, seen: Seen) {
        let shard = &mut self.shards[shard::of(&error.key)];
        shard.icmp(error, seen);
        shard.take_events().for_each(|event| self.judge.take(event));
    }

    fn pass(&mut self, now: Seen) {
        for shard in &mut *self.shards {
            shard.pass(now);
            shard.take_events().for_each(|event| self.judge.take(event));
        }
        self.judge.second();
    }

    fn renew(&mut self, keys: &KeyLog) {
        self.shards.iter_mut().for_each(|shard| shard.renew(keys));
    }
}
