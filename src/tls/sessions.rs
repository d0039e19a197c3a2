//! TLS 1.2 sessions that may be resumed. A session begins on one flow and is resumed on others, so they are known to all
//! shards of a run; and what is known does not depend on which shard is ahead of the others.

use super::keylog::Secret;
use crate::limits;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The sessions of a run, as one shard of it knows them.
pub struct Sessions {
    /// Those that each shard met. Each shard writes on its own shelf only.
    shelves: Arc<[Mutex<Shelf>]>,
    own: usize,
    /// `None` where all shards are worked on in turn, in the order of the packets.
    turn: Option<Box<dyn Turn>>,
    /// The input is over: each shard ends by itself.
    ended: bool,
}

impl Default for Sessions {
    /// Those of a run that has only this shard.
    fn default() -> Sessions {
        Sessions { shelves: Arc::new([Mutex::default()]), own: 0, turn: None, ended: false }
    }
}

/// How far the shards of a run have come, where they are worked on at the same time.
pub trait Turn: Send {
    /// The place in the run of what this shard is doing.
    fn place(&self) -> u64;

    /// Waits until all shards have done what comes before that place.
    fn wait(&self);
}

#[derive(Default)]
struct Shelf {
    /// By ID or ticket: the place in the run where it was met, and its master secret.
    sessions: HashMap<Box<[u8]>, (u64, Secret)>,
    /// Bytes of their names.
    bytes: usize,
}

impl Sessions {
    /// None yet, for each of so many shards.
    pub fn of_shards(count: usize) -> impl Iterator<Item = Sessions> {
        let shelves: Arc<[Mutex<Shelf>]> = (0..count).map(|_| Mutex::default()).collect();
        (0..count).map(move |own| Sessions { shelves: Arc::clone(&shelves), own, ..Sessions::default() })
    }

    /// From now on the shards are worked on at the same time.
    pub(super) fn take_turns(&mut self, turn: Box<dyn Turn>) {
        self.turn = Some(turn);
    }

    /// The input is over.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// The master secret of a session by its ID or ticket.
    pub(super) fn get(&self, name: &[u8]) -> Option<Secret> {
        let on = |shelf: &Mutex<Shelf>| {
            let shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
            shelf.sessions.get(name).copied()
        };
        if let Some((_, secret)) = self.shelves.get(self.own).and_then(on) {
            return Some(secret);
        }
        if let Some(turn) = &self.turn {
            turn.wait();
        }
        // Where shards are worked on in turn, all that is known was met before.
        let (now, in_turn) = (self.place(), self.turn.is_none() && !self.ended);
        let before = |met: u64| in_turn || met < now;
        self.shelves.iter().filter_map(on).find(|&(met, _)| before(met)).map(|(_, secret)| secret)
    }

    /// Remembers a session, unless so many are known that there is no room.
    pub(super) fn insert(&mut self, name: &[u8], secret: Secret) {
        let Some(shelf) = self.shelves.get(self.own) else { return };
        let mut shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = shelf.bytes.saturating_add(name.len()).saturating_add(limits::TLS_SESSION);
        if bytes > limits::TLS_SESSIONS / limits::SHARDS || shelf.sessions.contains_key(name) {
            return;
        }
        shelf.bytes = bytes;
        let place = self.place();
        shelf.sessions.insert(name.into(), (place, secret));
    }

    fn place(&self) -> u64 {
        match &self.turn {
            _ if self.ended => u64::MAX,
            Some(turn) => turn.place(),
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct At(Arc<AtomicU64>);

    impl Turn for At {
        fn place(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }

        fn wait(&self) {}
    }

    fn secret(byte: u8) -> Secret {
        Secret::new(&[byte; 48]).unwrap()
    }

    #[test]
    fn what_one_part_met_all_know_but_only_what_comes_later() {
        let mut shards: Vec<Sessions> = Sessions::of_shards(3).collect();
        shards[0].insert(b"early", secret(1));
        assert!(shards[2].get(b"early").is_some() && shards[2].get(b"late").is_none());
        let places: Vec<_> = (0..3).map(|_| Arc::new(AtomicU64::new(0))).collect();
        for (shard, place) in shards.iter_mut().zip(&places) {
            shard.take_turns(Box::new(At(Arc::clone(place))));
        }
        places[1].store(70, Ordering::Relaxed);
        shards[1].insert(b"late", secret(2));
        places[2].store(70, Ordering::Relaxed);
        assert!(shards[2].get(b"late").is_none(), "met at the same place");
        places[2].store(71, Ordering::Relaxed);
        assert!(shards[2].get(b"late").is_some_and(|found| found == secret(2)));
        assert!(shards[1].get(b"late").is_some() && shards[2].get(b"early").is_some());
        shards.iter_mut().for_each(Sessions::end);
        shards[0].insert(b"last", secret(3));
        assert!(shards[0].get(b"last").is_some() && shards[1].get(b"last").is_none());
        assert!(shards[0].get(b"late").is_some());
    }

    #[test]
    fn names_take_bounded_room() {
        for len in [32, 200] {
            let mut shards: Vec<Sessions> = Sessions::of_shards(2).collect();
            let room = limits::TLS_SESSIONS / limits::SHARDS;
            let most = room / (len + limits::TLS_SESSION);
            for n in 0..4 * most as u32 {
                shards[0].insert(&n.to_be_bytes().repeat(len / 4), secret(0));
            }
            let shelf = shards[0].shelves[0].lock().unwrap();
            assert_eq!(shelf.sessions.len(), most);
            // A table has a power of two of places, each with a byte of its own, of which it fills seven eighths.
            let places = (shelf.sessions.capacity() * 8 / 7).next_power_of_two();
            let taken = places * (size_of::<(Box<[u8]>, (u64, Secret))>() + 1) / most;
            assert!((limits::TLS_SESSION / 2..=limits::TLS_SESSION).contains(&taken), "{taken} bytes each");
            drop(shelf);
            shards[1].insert(b"other", secret(1));
            assert!(shards[0].get(b"other").is_some(), "each shard has room of its own");
        }
    }
}
