//! A run on several threads: one thread reads packets (or a few take turns at it), workers follow the flows of their shards,
//! and the calling thread judges.
//!
//! ```text
//!           Batch: segments of its shards           Report: events of its flows
//!          ┌─────────────▶ worker 0 ─────────────┐
//!  reader ─┤                                     ├─▶ merge, on the calling thread ─▶ judge
//!          └─────────────▶ worker N ─────────────┘
//! ```
//!
//! A batch is a list of segments; their payloads stay where they were read, in chunks that all workers share. Whenever the
//! reader sends, every worker gets a batch, even an empty one, and answers it with a report. So the merge knows how far each
//! worker has come, and hands on events in the order of the packets that caused them: the order of a run on one thread.
//!
//! All channels are bounded, so the slowest of these threads sets the pace. There is no deadlock: a report waits for the
//! merge only, a batch waits for its worker only, and the worker for whose report the merge waits has got as many batches
//! as any other.

mod batch;
mod merge;
mod packets;
mod turns;
mod worker;

use super::Observer;
use super::judge::Judge;
use super::shard::Shard;
use super::source::Source;
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
    packets: Vec<JoinHandle<Option<Source>>>,
    workers: Vec<JoinHandle<Option<Vec<Shard>>>>,
    lanes: Vec<Lane>,
}

impl Threads {
    /// Starts `count` workers and hands the run over to them.
    ///
    /// # Errors
    /// The system gives no more threads: the run comes back as it was.
    #[expect(clippy::result_large_err, reason = "it happens once, if at all")]
    pub(super) fn begin(
        mut source: Source,
        shards: Vec<Shard>,
        count: usize,
    ) -> Result<Threads, (Source, Vec<Shard>)> {
        let count = count.clamp(1, limits::SHARDS);
        let (used, unused) = channel();
        let (mut lanes, mut inboxes, mut starts, mut workers) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (number, turns) in Turns::of_workers(count).enumerate() {
            let (inbox, batches) = sync_channel(limits::QUEUE);
            let (reports, lane) = sync_channel(limits::REPORTS);
            let (step, used) = (count, used.clone());
            let work = move |shards| {
                Worker { number, step, shards, batches, reports, used, turns, expected: 0 }.work()
            };
            let Ok((start, worker)) = spawn("flows", work) else { return Err((source, shards)) };
            inboxes.push(inbox);
            lanes.push(Lane::new(lane));
            starts.push(start);
            workers.push(worker);
        }
        let batches = Batches::new(inboxes, unused, source.input.readers().len());
        let copiers = source.input.share(count);
        if copiers.is_empty() {
            source.input.read_ahead();
        }
        let Ok(packets) = Packets::begin(copiers) else { return Err((source, shards)) };
        let mut shares: Vec<Vec<Shard>> = starts.iter().map(|_| Vec::new()).collect();
        for (number, shard) in shards.into_iter().enumerate() {
            shares[number % count].push(shard);
        }
        let packets = packets.start(source, batches);
        for (start, share) in starts.into_iter().zip(shares) {
            // It has just begun to wait for this.
            let _ = start.send(share);
        }
        Ok(Threads { packets, workers, lanes })
    }

    /// Sees the run to its end, and returns what it was started with.
    pub(super) fn finish<O: Observer>(
        mut self,
        judge: &mut Judge<'_, O>,
        progress: &mut impl FnMut(u64, Option<u64>),
    ) -> (Source, Vec<Shard>) {
        if let Err(lost) = merge::merge(&mut self.lanes, judge, progress) {
            // A worker ends early because it panicked, or because a reader did. The others may wait for input.
            joined(self.workers.swap_remove(lost));
            self.packets.into_iter().for_each(|thread| drop(joined(thread)));
            unreachable!("a worker ends early only where a thread panicked");
        }
        let shards = self.workers.into_iter().filter_map(joined).flatten().collect();
        let sources: Vec<Source> = self.packets.into_iter().filter_map(joined).collect();
        let Some(source) = sources.into_iter().next() else { unreachable!("one of them has read the last") };
        (source, shards)
    }
}

/// Starts a thread that waits for its work to be sent: so the work is not lost where the thread cannot be started.
fn spawn<T: Send + 'static, R: Send + 'static>(
    name: &str,
    work: impl FnOnce(T) -> R + Send + 'static,
) -> io::Result<(Sender<T>, JoinHandle<Option<R>>)> {
    let (give, take) = channel();
    let thread = Builder::new().name(name.to_owned()).spawn(move || take.recv().ok().map(work))?;
    Ok((give, thread))
}

/// The result of a thread; a panic of it goes on here.
fn joined<R>(thread: JoinHandle<R>) -> R {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}
