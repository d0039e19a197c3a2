//! Pieces of a plain file, each copied by the thread that reads what is in it: its bytes are then near that thread's core,
//! and several threads share the copying.
//!
//! A piece is an offer and no more. A window takes of it what comes next there, if anything, and reads by itself what no
//! piece brings: so what is read depends on the file alone, be it damaged, growing or failing.

use super::ahead::{LEAD, ROOM, put_before};
use super::chunk::Chunk;
use super::open::Opened;
use crate::limits::PIECE;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Copies every so many-th piece of a file, in order.
pub struct Copier {
    file: Opened,
    /// Offset of the next piece, and how far the one after it is.
    next: u64,
    step: u64,
    home: Sender<Vec<u8>>,
    returned: Receiver<Vec<u8>>,
}

/// Bytes of the file, with room before them: what is left of those before it may be put there.
pub struct Piece {
    room: Chunk,
    end: usize,
    /// Offset of its first byte in the file.
    from: u64,
}

impl Copier {
    /// So many that share the copying of `file` from about the offset `from` on.
    pub(super) fn several(file: &Opened, from: u64, count: usize) -> Vec<Copier> {
        let step = (PIECE as u64).saturating_mul(count as u64);
        let first = from & !PAGE;
        let begin = |index: usize| {
            let (home, returned) = channel();
            let next = first.saturating_add((PIECE as u64).saturating_mul(index as u64));
            Copier { file: file.clone(), next, step, home, returned }
        };
        (0..count).map(begin).collect()
    }

    /// Copies the next piece: as much of it as can be had at once.
    pub fn copy(&mut self) -> Piece {
        let whole = |room: &Vec<u8>| room.len() == ROOM;
        let mut room = self.returned.try_recv().ok().filter(whole).unwrap_or_else(|| vec![0; ROOM]);
        // Who needs what is missing reads it again, and is told why it cannot be read.
        let count = room.get_mut(LEAD..).and_then(|room| self.file.read_at(room, self.next).ok());
        let end = LEAD.saturating_add(count.unwrap_or(0)).min(room.len());
        let piece = Piece { room: Chunk::lent(room, self.home.clone()), end, from: self.next };
        self.next = self.next.saturating_add(self.step);
        piece
    }
}

impl Piece {
    /// Where the piece after it begins.
    pub fn until(&self) -> u64 {
        self.from.saturating_add(PIECE as u64)
    }

    /// The bytes of the file from offset `at` on with `tail` in front of them, and where these bytes are: from, at, to.
    pub(super) fn behind(mut self, tail: &[u8], at: u64) -> Option<(Chunk, usize, usize, usize)> {
        let skipped = usize::try_from(at.checked_sub(self.from)?).ok()?;
        let at = LEAD.checked_add(skipped).filter(|&at| at < self.end)?;
        let start = put_before(self.room.get_mut()?, at, tail)?;
        Some((self.room, start, at, self.end))
    }
}

/// A file read by its offsets.
pub(super) struct Plain {
    pub(super) file: Opened,
    /// Bytes that were used.
    pub(super) read: Arc<AtomicU64>,
}

impl Plain {
    pub(super) fn read_at(&self, to: &mut [u8], offset: u64) -> io::Result<usize> {
        let count = self.file.read_at(to, offset)?;
        self.count(count);
        Ok(count)
    }

    pub(super) fn count(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Pieces begin where a page of the system does: these bits of their offsets are zero.
const PAGE: u64 = 4095;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn rooms_are_used_again_once_nobody_reads_them() {
        let file = Opened::from(File::open(std::env::current_exe().unwrap()).unwrap());
        let mut copiers = Copier::several(&file, 0, 1);
        let mut rooms: Vec<*const u8> = Vec::new();
        for _ in 0..100 {
            let pieces = [copiers[0].copy(), copiers[0].copy()];
            rooms.extend(pieces.iter().map(|piece| piece.room.as_ptr()));
        }
        rooms.sort();
        rooms.dedup();
        assert_eq!(rooms.len(), 2);
    }
}
