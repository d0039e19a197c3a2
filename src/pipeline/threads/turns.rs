//! How far each worker has come: the shards share TLS sessions, and one that looks for a session must wait until the
//! others have read all packets before its own.

use crate::tls::Turn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::yield_now;

/// The positions that the workers have reached: everything before them is done.
#[derive(Clone)]
pub(super) struct Turns {
    reached: Arc<[Reached]>,
    own: usize,
}

/// On a cache line of its own, so that writing it slows no other worker down.
#[repr(align(64))]
struct Reached(AtomicU64);

impl Turns {
    /// One for each of `count` workers, all at the beginning.
    pub(super) fn of_workers(count: usize) -> impl Iterator<Item = Turns> {
        let reached: Arc<[Reached]> = (0..count).map(|_| Reached(AtomicU64::new(0))).collect();
        (0..count).map(move |own| Turns { reached: Arc::clone(&reached), own })
    }

    /// When it is dropped, even by a panic, this worker counts as done, so that no other waits for it.
    pub(super) fn guard(&self) -> Guard {
        Guard(self.clone())
    }

    /// Notes that this worker has done everything before `place`.
    #[inline]
    pub(super) fn reach(&self, place: u64) {
        self.reached[self.own].0.store(place, Ordering::Release);
    }
}

/// See [`Turns::guard`].
pub(super) struct Guard(Turns);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.reach(u64::MAX);
    }
}

impl Turn for Turns {
    fn place(&self) -> u64 {
        self.reached[self.own].0.load(Ordering::Relaxed)
    }

    fn wait(&self) {
        let place = self.place();
        // Whoever is behind does not wait for us: it waits for places before its own, which is before ours.
        for other in self.reached.iter() {
            while other.0.load(Ordering::Acquire) < place {
                yield_now();
            }
        }
    }
}
