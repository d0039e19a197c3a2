//! The threads that read packets: one, or several that take turns at a plain file.
//!
//! ```text
//! thread 0   copies piece 0   reads it   copies piece 2   reads it   …
//! thread 1   copies piece 1           reads it   copies piece 3   reads it   …
//! ```
//!
//! To copy a large file takes longer than to read the packets in it. So each thread copies a piece beside the others, and
//! once those before it were read, reads what it has copied, near its own core.

use super::super::source::Source;
use super::batch::Batches;
use crate::capture::{Copier, Piece};
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

/// Whoever has it reads.
pub(super) struct Baton {
    source: Source,
    batches: Batches,
    items: u32,
}

/// A ring of such threads.
pub(super) struct Packets {
    /// To the first of them.
    first: Sender<Box<Baton>>,
    threads: Vec<JoinHandle<Option<Source>>>,
}

impl Packets {
    /// A thread for each of these copiers, or one where there are none. They wait for the baton.
    ///
    /// # Errors
    /// There can be no such thread.
    pub(super) fn begin(copiers: Vec<Copier>) -> io::Result<Packets> {
        let count = copiers.len().max(1);
        let (mut turns, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| channel()).unzip();
        let mut copiers = copiers.into_iter();
        let mut threads = Vec::with_capacity(count);
        for (index, turn) in receivers.into_iter().enumerate() {
            let (copier, next) = (copiers.next(), turns[(index + 1) % count].clone());
            let work = move || match copier {
                Some(copier) => take_turns(copier, &turn, &next),
                None => turn.recv().ok().map(|baton| baton.read_all()),
            };
            threads.push(Builder::new().name(String::from("packets")).spawn(work)?);
        }
        Ok(Packets { first: turns.swap_remove(0), threads })
    }

    /// Lets them read all that `source` gives, and gives the threads, one of which returns it.
    pub(super) fn start(self, source: Source, batches: Batches) -> Vec<JoinHandle<Option<Source>>> {
        // It has just begun to wait for this.
        let _ = self.first.send(Box::new(Baton { source, batches, items: 0 }));
        self.threads
    }
}

/// Reads one's own pieces, and gives back the source with the last of all; nothing where another one does.
fn take_turns(mut copier: Copier, turn: &Receiver<Box<Baton>>, next: &Sender<Box<Baton>>) -> Option<Source> {
    loop {
        let piece = copier.copy();
        let mut baton = turn.recv().ok()?;
        if !baton.read_piece(piece) {
            return Some(baton.end());
        }
        next.send(baton).ok()?;
    }
}

impl Baton {
    /// Reads up to the item of which the next piece has the rest; false at the end.
    fn read_piece(&mut self, piece: Piece) -> bool {
        let until = piece.until();
        self.source.input.take(piece);
        while !self.source.input.is_through(until) {
            if !self.read() {
                return false;
            }
        }
        true
    }

    fn read_all(mut self: Box<Self>) -> Source {
        while self.read() {}
        self.end()
    }

    /// Reads one item; false at the end, or where nobody needs it.
    #[inline]
    fn read(&mut self) -> bool {
        if self.batches.is_abandoned() || !self.source.read(&mut self.batches) {
            return false;
        }
        self.items = self.items.wrapping_add(1);
        // What was collected does not wait for what may be long in coming.
        let late = !self.batches.is_empty() && self.source.input.may_wait();
        if self.batches.is_full() || late || self.items.is_multiple_of(TELL_PROGRESS) {
            self.batches.send(self.source.input.progress());
        }
        true
    }

    fn end(mut self: Box<Self>) -> Source {
        self.batches.end(self.source.last, self.source.input.progress());
        self.source
    }
}

/// Items after which the merge is told how far reading has come, even where they concern no worker.
const TELL_PROGRESS: u32 = 1 << 16;
