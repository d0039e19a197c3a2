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
        // First the oldest goes, so that the list never grows beyond its bound, which is a power of two.
        if self.gone.len() >= limits::REMEMBERED_FLOWS / limits::PARTS
            && let Some((key, slot)) = self.gone.pop_front()
            && self.slots.get(&key) == Some(&slot)
        {
            self.slots.remove(&key);
        }
        self.slots.insert(key, slot);
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

#[cfg(test)]
mod tests {
    use super::*;
    use foldhash::fast::FixedState;
    use std::hash::BuildHasher;

    /// How many of these keys fall into the fullest of 1024 places.
    fn fullest(keys: &[ShortKey], hasher: &impl BuildHasher) -> usize {
        let mut places = vec![0; 1024];
        keys.iter().for_each(|key| places[hasher.hash_one(key) as usize % 1024] += 1);
        places.into_iter().max().unwrap()
    }

    #[test]
    fn flows_that_collide_under_a_seed_that_is_known_do_not_in_the_table() {
        let known = FixedState::with_seed(7);
        let all = (0..u32::MAX).filter_map(|number| {
            let [a, b, c, d] = number.to_be_bytes();
            match FlowKey::v4(([10, a, b, c], 1024 + u16::from(d)), ([192, 0, 2, 9], 443), 0).0 {
                FlowKey::Short(key) => Some(key),
                FlowKey::Long(_) => None,
            }
        });
        let keys: Vec<ShortKey> = all.filter(|key| known.hash_one(key) % 1024 == 0).take(1024).collect();
        assert_eq!(fullest(&keys, &known), 1024);
        // By chance, one place of as many as there are keys has more than a dozen once in a billion runs.
        for keep in [Keys::default(), Keys::default()] {
            let fullest = fullest(&keys, keep.short.slots.hasher());
            assert!(fullest <= 16, "{fullest} flows in one place");
        }
    }
}
