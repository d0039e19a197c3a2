//! From the key of a flow to its number, or to what is remembered of it after its end. Nearly every packet asks, and millions of
//! keys may be kept, so the tables are small.

use super::event::FlowId;
use crate::limits;
use crate::net::{FlowKey, LongKey, ShortKey};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash};

/// The keys of open flows, and of those that ended or are ignored, the oldest of which are forgotten.
#[derive(Default)]
pub(super) struct Keys {
    short: Index<ShortKey>,
    long: Index<LongKey>,
    hasher: DefaultHashBuilder,
    /// Those that are gone, oldest first.
    gone: VecDeque<Left>,
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

/// The keys of one kind.
struct Index<K>(HashTable<(K, Slot)>);

/// Where a flow that is gone is found again, so that it can be forgotten: its key is not kept twice.
struct Left {
    hash: u64,
    slot: Slot,
    kind: Kind,
}

/// In which table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Short,
    Long,
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
    /// What is known of `key`. Every segment asks: a call costs ten instructions more.
    #[inline(always)]
    pub(super) fn get(&self, key: &FlowKey) -> Option<Known> {
        let slot = match key {
            FlowKey::Short(key) => self.short.get(key, self.hasher.hash_one(key)),
            FlowKey::Long(key) => self.long.get(key, self.hasher.hash_one(key)),
        };
        slot.map(Slot::known)
    }

    /// Notes an open flow.
    pub(super) fn open(&mut self, key: &FlowKey, id: FlowId) {
        self.put(key, Slot(id.0));
    }

    /// Forgets a flow.
    pub(super) fn forget(&mut self, key: &FlowKey) {
        match key {
            FlowKey::Short(key) => self.short.remove(self.hasher.hash_one(key), |(other, _)| other == key),
            FlowKey::Long(key) => self.long.remove(self.hasher.hash_one(key), |(other, _)| other == key),
        }
    }

    /// Notes that a flow is gone.
    pub(super) fn remember(&mut self, key: &FlowKey, isn: u32) {
        // First the oldest goes, so that the list never grows beyond its bound.
        if self.gone.len() >= limits::REMEMBERED_FLOWS / limits::SHARDS
            && let Some(Left { hash, slot, kind }) = self.gone.pop_front()
        {
            // One that was opened anew has another slot. Many have the same, so that the whole hash counts.
            let hasher = &self.hasher;
            match kind {
                Kind::Short => {
                    self.short.remove(hash, |(key, other)| *other == slot && hasher.hash_one(key) == hash);
                }
                Kind::Long => {
                    self.long.remove(hash, |(key, other)| *other == slot && hasher.hash_one(key) == hash);
                }
            }
        }
        let slot = Slot::gone(isn);
        let (hash, kind) = self.put(key, slot);
        if self.gone.len() == self.gone.capacity() {
            self.gone.reserve_exact((self.gone.len() / 4).max(16));
        }
        self.gone.push_back(Left { hash, slot, kind });
    }

    fn put(&mut self, key: &FlowKey, slot: Slot) -> (u64, Kind) {
        let hasher = &self.hasher;
        match key {
            FlowKey::Short(key) => (self.short.put(*key, slot, hasher), Kind::Short),
            FlowKey::Long(key) => (self.long.put(*key, slot, hasher), Kind::Long),
        }
    }
}

impl<K: Copy + Eq + Hash> Index<K> {
    #[inline]
    fn get(&self, key: &K, hash: u64) -> Option<Slot> {
        self.0.find(hash, |(other, _)| other == key).map(|&(_, slot)| slot)
    }

    /// Puts a slot in the place of the one before; gives the hash of its key.
    fn put(&mut self, key: K, slot: Slot, hasher: &DefaultHashBuilder) -> u64 {
        let hash = hasher.hash_one(key);
        match self.0.find_mut(hash, |(other, _)| *other == key) {
            Some((_, known)) => *known = slot,
            None => drop(self.0.insert_unique(hash, (key, slot), |(key, _)| hasher.hash_one(key))),
        }
        hash
    }

    fn remove(&mut self, hash: u64, is: impl FnMut(&(K, Slot)) -> bool) {
        if let Ok(entry) = self.0.find_entry(hash, is) {
            entry.remove();
        }
    }
}

impl<K> Default for Index<K> {
    fn default() -> Self {
        Index(HashTable::new())
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

    fn key(number: usize) -> FlowKey {
        let [.., a, b, c] = (number as u32).to_be_bytes();
        match number % 3 {
            0 => FlowKey::v6(([a; 16], u16::from(b)), ([c; 16], u16::from(c)), 7).0,
            _ => FlowKey::v4(([10, a, b, c], 1), ([10, 0, 0, 1], 80), 0).0,
        }
    }

    #[test]
    fn of_flows_that_are_gone_the_oldest_are_forgotten_and_no_others() {
        let (mut keys, most) = (Keys::default(), limits::REMEMBERED_FLOWS / limits::SHARDS);
        for number in 0..most + 100 {
            keys.open(&key(number), FlowId(1));
            keys.remember(&key(number), 0);
        }
        // The first of those that are left is opened anew: it stays when its turn comes.
        keys.open(&key(100), FlowId(2));
        keys.remember(&key(most + 100), 0);
        assert_eq!(keys.get(&key(100)), Some(Known::Open(FlowId(2))));
        for number in 0..most + 101 {
            let known = keys.get(&key(number));
            assert_eq!(known.is_some(), number >= 100, "{number}");
        }
        assert_eq!(keys.gone.len(), most);
        keys.forget(&key(100));
        assert_eq!(keys.get(&key(100)), None);
    }

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
            let fullest = fullest(&keys, &keep.hasher);
            assert!(fullest <= 16, "{fullest} flows in one place");
        }
    }
}
