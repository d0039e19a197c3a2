//! How far payloads are read, and what all connections of one shard of a run may spend on it together.

use crate::limits;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Shared by all connections of one shard of a run.
#[derive(Default, Debug)]
pub struct Reading {
    depth: Depth,
    /// Bytes kept of compressed messages, and of contexts to inflate them.
    kept: AtomicUsize,
    /// Bytes that messages were inflated to because their sessions' ends asked for it.
    inflated: AtomicU64,
    /// Messages that are listed.
    entries: AtomicUsize,
    /// Bytes of the heads of open HTTP/2 streams.
    heads: AtomicUsize,
}

/// How far payloads are read.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Depth {
    /// Text as it comes. Compressed messages are kept, as long as they are few, until the end of their session tells
    /// whether somebody must read them: inflating all of them costs more than everything else together.
    #[default]
    WhereAsked,
    /// All messages, whatever that costs.
    All,
    /// All messages, and each is listed.
    Listed(Payloads),
}

/// What a list of messages tells of their payloads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Payloads {
    /// How long they are.
    Hidden,
    /// How they begin, too.
    Quoted,
}

impl Reading {
    /// Nothing is spent yet.
    pub fn new(depth: Depth) -> Reading {
        Reading { depth, ..Reading::default() }
    }

    /// Whether every message is read as it ends.
    pub(super) fn reads_all(&self) -> bool {
        self.depth != Depth::WhereAsked
    }

    /// What is listed of each message; `None` where no list was asked for.
    pub(super) fn listed(&self) -> Option<Payloads> {
        match self.depth {
            Depth::WhereAsked | Depth::All => None,
            Depth::Listed(payloads) => Some(payloads),
        }
    }

    /// Takes room for one more message in a list; false where there is none.
    pub(super) fn take_entry(&self) -> bool {
        let before = self.entries.fetch_add(1, Ordering::Relaxed);
        let has_room = before < limits::MESSAGES_TOTAL / limits::SHARDS;
        if !has_room {
            self.give_back_entries(1);
        }
        has_room
    }

    pub(super) fn give_back_entries(&self, entries: usize) {
        self.entries.fetch_sub(entries, Ordering::Relaxed);
    }

    /// Takes room for so many bytes; false where there is none.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let before = self.kept.fetch_add(bytes, Ordering::Relaxed);
        let bound = match self.depth {
            Depth::WhereAsked => limits::COMPRESSED_TOTAL / limits::SHARDS,
            Depth::All | Depth::Listed(_) => limits::INFLATING_TOTAL / limits::SHARDS,
        };
        let has_room = before.saturating_add(bytes) <= bound;
        if !has_room {
            self.give_back(bytes);
        }
        has_room
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.kept.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Takes room for the heads of a stream of HTTP/2; false where there is none.
    pub fn take_heads(&self, bytes: usize) -> bool {
        let before = self.heads.fetch_add(bytes, Ordering::Relaxed);
        let has_room = before.saturating_add(bytes) <= limits::STREAM_HEADS / limits::SHARDS;
        if !has_room {
            self.give_back_heads(bytes);
        }
        has_room
    }

    /// Gives such room back.
    pub fn give_back_heads(&self, bytes: usize) {
        self.heads.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// How long the next message may become.
    pub(super) fn room(&self) -> u64 {
        match self.depth {
            Depth::All | Depth::Listed(_) => limits::INFLATED,
            Depth::WhereAsked => {
                let left = INFLATED_SHARE.saturating_sub(self.inflated.load(Ordering::Relaxed));
                left.min(limits::INFLATED)
            }
        }
    }

    /// Notes how long it became.
    pub(super) fn spend(&self, bytes: u64) {
        self.inflated.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The share of one part in [`limits::INFLATED_TOTAL`].
const INFLATED_SHARE: u64 = limits::INFLATED_TOTAL / limits::SHARDS as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kept_up_to_what_all_connections_may_keep() {
        for (depth, total) in [
            (Depth::WhereAsked, limits::COMPRESSED_TOTAL),
            (Depth::All, limits::INFLATING_TOTAL),
            (Depth::Listed(Payloads::Hidden), limits::INFLATING_TOTAL),
        ] {
            let (reading, room) = (Reading::new(depth), total / limits::SHARDS);
            let taken = (0..4 * room / 4096).filter(|_| reading.take(4096)).count();
            assert_eq!(taken * 4096, room, "{depth:?}");
            reading.give_back(4096);
            assert!(!reading.take(4097) && reading.take(4096) && !reading.take(1));
        }
    }

    #[test]
    fn work_that_was_not_asked_for_ends_at_its_bound() {
        let (asked, unasked) = (Reading::new(Depth::All), Reading::new(Depth::WhereAsked));
        let mut spent = 0;
        while unasked.room() > 0 {
            assert!(unasked.room() <= limits::INFLATED);
            spent += unasked.room();
            unasked.spend(unasked.room());
            asked.spend(limits::INFLATED);
            assert!(spent <= limits::INFLATED_TOTAL);
        }
        assert_eq!(spent, limits::INFLATED_TOTAL / limits::SHARDS as u64);
        assert_eq!(asked.room(), limits::INFLATED, "who asks for all gets it");
    }
}
