//! How far each worker has come, for the little that parts of a run must know of each other.

use crate::tls::Turn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::yield_now;

/// The places that the workers have reached: all that comes before was done.
#[derive(Clone)]
pub(super) struct Turns {
    reached: Arc<[Reached]>,
    own: usize,
}

/// On a cache line of its own, so that who writes it disturbs nobody.
#[repr(align(64))]
struct Reached(AtomicU64);

impl Turns {
    /// For so many workers, at the beginning.
    pub(super) fn of_workers(count: usize) -> impl Iterator<Item = Turns> {
        let reached: Arc<[Reached]> = (0..count).map(|_| Reached(AtomicU64::new(0))).collect();
        (0..count).map(move |own| Turns { reached: Arc::clone(&reached), own })
    }

    /// Keeps nobody waiting once it is dropped, whatever the reason.
    pub(super) fn guard(&self) -> Guard {
        Guard(self.clone())
    }

    /// The worker comes to this place.
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
