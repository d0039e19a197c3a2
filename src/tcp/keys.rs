//! What is known of a flow's key: most packets ask for it, and millions may be kept, so that it is kept small.

use super::event::FlowId;
use crate::limits;
use crate::net::{FlowKey, LongKey, ShortKey};
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::hash::Hash;

/// The keys of open flows, and of those that ended or are ignored, the oldest of which are forgotten.
#[derive(Default)]
pub(super) struct Keys {
    short: Index<ShortKey>,
    long: Index<LongKey>,
}

/// See [`Keys`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Known {
    /// The flow is open.
    Open(FlowId),
    /// It ended or is ignored.
    Gone(Gone),
}

/// What is left of a flow: by the sequence number of its SYN a repeated one is told from a new connection's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gone(Slot);

struct Index<K> {
    slots: HashMap<K, Slot>,
    /// Oldest first, each as it stood in `slots` then.
    gone: VecDeque<(K, Slot)>,
}

/// An open flow's id; or, with the top bit set, the other bits of a gone one's first sequence number. Two connections
/// between the same endpoints whose numbers differ in the top bit alone do not occur.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Slot(u32);

impl Gone {
    /// Whether the SYN with this sequence number began it.
    pub(super) fn began_with(self, isn: u32) -> bool {
        self.0 == Slot::gone(isn)
    }
}

impl Keys {
    /// What is known of `key`.
    #[inline]
    pub(super) fn get(&self, key: &FlowKey) -> Option<Known> {
        let slot = match key {
            FlowKey::Short(key) => self.short.slots.get(key),
            FlowKey::Long(key) => self.long.slots.get(key),
        };
        slot.map(|&slot| slot.known())
    }

    /// Notes an open flow.
    pub(super) fn open(&mut self, key: &FlowKey, id: FlowId) {
        match key {
            FlowKey::Short(key) => self.short.slots.insert(*key, Slot(id.0)),
            FlowKey::Long(key) => self.long.slots.insert(*key, Slot(id.0)),
        };
    }

    /// Forgets a flow.
    pub(super) fn forget(&mut self, key: &FlowKey) {
        match key {
            FlowKey::Short(key) => self.short.slots.remove(key),
            FlowKey::Long(key) => self.long.slots.remove(key),
        };
    }

    /// Notes that a flow is gone.
    pub(super) fn remember(&mut self, key: &FlowKey, isn: u32) {
        match key {
            FlowKey::Short(key) => self.short.remember(*key, isn),
            FlowKey::Long(key) => self.long.remember(*key, isn),
        }
    }
}

impl<K: Copy + Eq + Hash> Index<K> {
    fn remember(&mut self, key: K, isn: u32) {
        let slot = Slot::gone(isn);
        // First the oldest goes, so that the list never grows beyond its bound.
        if self.gone.len() >= limits::REMEMBERED_FLOWS / limits::PARTS
            && let Some((key, slot)) = self.gone.pop_front()
            && self.slots.get(&key) == Some(&slot)
        {
            self.slots.remove(&key);
        }
        self.slots.insert(key, slot);
        if self.gone.len() == self.gone.capacity() {
            self.gone.reserve_exact((self.gone.len() / 4).max(16));
        }
        self.gone.push_back((key, slot));
    }
}

impl<K> Default for Index<K> {
    fn default() -> Self {
        Index { slots: HashMap::default(), gone: VecDeque::new() }
    }
}

impl Slot {
    const GONE: u32 = 1 << 31;

    const fn gone(isn: u32) -> Slot {
        Slot(isn | Slot::GONE)
    }

    #[inline]
    const fn known(self) -> Known {
        if self.0 & Slot::GONE == 0 { Known::Open(FlowId(self.0)) } else { Known::Gone(Gone(self)) }
    }
}
