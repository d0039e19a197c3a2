//! A run on several threads: one reads, or a few by turns, others share the parts of the run, and the one that called judges.
//!
//! ```text
//!           Batch: segments of its parts            Report: what its flows had to tell
//!          ┌─────────────▶ worker 0 ─────────────┐
//!  reader ─┤                                     ├─▶ merge, on the calling thread ─▶ ledger
//!          └─────────────▶ worker N ─────────────┘
//! ```
//!
//! A batch is a list of segments; their payloads stay where they were read, in chunks that all workers share. Every worker
//! gets each batch, be it empty, and answers it with a report. So the merge knows how far each of them has come, and hands
//! on what was told in the order of the packets that caused it: the order of a run on one thread.
//!
//! All channels are bounded: the slowest of these threads sets the pace. Nobody waits in a circle: reports wait for the
//! merge alone, batches for their worker alone, and a worker for whose report the merge waits has got no more batches than
//! any other.

mod batch;
mod merge;
mod packets;
mod turns;
mod worker;

use super::Observer;
use super::front::Front;
use super::ledger::Ledger;
use super::part::Part;
use crate::limits;
use batch::Batches;
use merge::Lane;
use packets::Packets;
use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};
use turns::Turns;
use worker::Worker;

/// The threads of a run.
pub(super) struct Threads {
    packets: Vec<JoinHandle<Option<Front>>>,
    workers: Vec<JoinHandle<Option<Vec<Part>>>>,
    lanes: Vec<Lane>,
}

impl Threads {
    /// Goes on with a run on `count` workers; gives it back where so many threads cannot be had.
    #[expect(clippy::result_large_err, reason = "it happens once, if at all")]
    pub(super) fn begin(
        mut front: Front,
        parts: Vec<Part>,
        count: usize,
    ) -> Result<Threads, (Front, Vec<Part>)> {
        let count = count.clamp(1, limits::PARTS);
        let (used, unused) = channel();
        let (mut lanes, mut inboxes, mut starts, mut workers) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (number, turns) in Turns::of_workers(count).enumerate() {
            let (inbox, batches) = sync_channel(limits::QUEUE);
            let (reports, lane) = sync_channel(limits::REPORTS);
            let (step, used) = (count, used.clone());
            let work = move |parts| {
                Worker { number, step, parts, batches, reports, used, turns, expected: 0 }.work()
            };
            let Ok((start, worker)) = spawn("flows", work) else { return Err((front, parts)) };
            inboxes.push(inbox);
            lanes.push(Lane::new(lane));
            starts.push(start);
            workers.push(worker);
        }
        let batches = Batches::new(inboxes, unused, front.input.readers().len());
        let copiers = front.input.share(count);
        if copiers.is_empty() {
            front.input.read_ahead();
        }
        let Ok(packets) = Packets::begin(copiers) else { return Err((front, parts)) };
        let mut shares: Vec<Vec<Part>> = starts.iter().map(|_| Vec::new()).collect();
        for (number, part) in parts.into_iter().enumerate() {
            shares[number % count].push(part);
        }
        let packets = packets.start(front, batches);
        for (start, share) in starts.into_iter().zip(shares) {
            // It has just begun to wait for this.
            let _ = start.send(share);
        }
        Ok(Threads { packets, workers, lanes })
    }

    /// Sees the run to its end, and gives back what it was begun with.
    pub(super) fn finish<O: Observer>(
        mut self,
        ledger: &mut Ledger<'_, O>,
        progress: &mut impl FnMut(u64, Option<u64>),
    ) -> (Front, Vec<Part>) {
        if let Err(lost) = merge::merge(&mut self.lanes, ledger, progress) {
            // A worker ends early because it panicked, or because a reader did. The others may wait for input.
            joined(self.workers.swap_remove(lost));
            self.packets.into_iter().for_each(|thread| drop(joined(thread)));
            unreachable!("a worker ends early only where a thread panicked");
        }
        let parts = self.workers.into_iter().filter_map(joined).flatten().collect();
        let fronts: Vec<Front> = self.packets.into_iter().filter_map(joined).collect();
        let Some(front) = fronts.into_iter().next() else { unreachable!("one of them has read the last") };
        (front, parts)
    }
}

/// Begins a thread that waits for its work: so this is not lost where there can be no thread.
fn spawn<T: Send + 'static, R: Send + 'static>(
    name: &str,
    work: impl FnOnce(T) -> R + Send + 'static,
) -> io::Result<(Sender<T>, JoinHandle<Option<R>>)> {
    let (give, take) = channel();
    let thread = Builder::new().name(name.to_owned()).spawn(move || take.recv().ok().map(work))?;
    Ok((give, thread))
}

/// What a thread gave; its panic is ours.
fn joined<R>(thread: JoinHandle<R>) -> R {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}
