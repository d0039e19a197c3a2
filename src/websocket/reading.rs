//! How far payloads are read, and what all connections of one part of a run may spend on it together.

use crate::limits;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Shared by all connections of one part of a run.
#[derive(Default, Debug)]
pub struct Reading {
    depth: Depth,
    /// Bytes kept of compressed messages, and of contexts to inflate them.
    kept: AtomicUsize,
    /// Bytes that messages were inflated to because their sessions' ends asked for it.
    inflated: AtomicU64,
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
}

impl Reading {
    /// Nothing is spent yet.
    pub fn new(depth: Depth) -> Reading {
        Reading { depth, ..Reading::default() }
    }

    pub(super) fn depth(&self) -> Depth {
        self.depth
    }

    /// Takes room for so many bytes; false where there is none.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let before = self.kept.fetch_add(bytes, Ordering::Relaxed);
        let bound = match self.depth {
            Depth::WhereAsked => limits::COMPRESSED_TOTAL / limits::PARTS,
            Depth::All => limits::INFLATING_TOTAL / limits::PARTS,
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

    /// How long the next message may become.
    pub(super) fn room(&self) -> u64 {
        match self.depth {
            Depth::All => limits::INFLATED,
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
const INFLATED_SHARE: u64 = limits::INFLATED_TOTAL / limits::PARTS as u64;
