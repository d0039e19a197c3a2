//! Reads a source on a thread of its own, a few pieces ahead: decompression, or the system's own copying, then takes
//! place beside everything else.

use super::chunk::Chunk;
use crate::limits::{AHEAD, PIECE};
use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// The reading end of such a thread.
pub(super) struct Ahead {
    pieces: Receiver<io::Result<Piece>>,
    home: Sender<Vec<u8>>,
}

/// Bytes from [`LEAD`] on in some room: what was left of the piece before may be put in front of them. None at the end.
struct Piece {
    room: Vec<u8>,
    end: usize,
}

/// What comes next.
pub(super) enum Next {
    /// Bytes in front of which `tail` was put, from `start` to `end`.
    Chunk { chunk: Chunk, start: usize, end: usize },
    /// Bytes to be put behind `tail`, which is too long to be moved.
    Bytes(Vec<u8>),
    /// No more.
    End,
}

impl Ahead {
    /// Begins to read `source`, or gives it back where there can be no thread.
    pub(super) fn begin(source: Box<dyn Read + Send>) -> Result<Ahead, Box<dyn Read + Send>> {
        let (pieces_in, pieces) = sync_channel(AHEAD);
        let (home, returned) = channel();
        // The thread gets the source once it is there, so that nothing is lost where it cannot be.
        let (give, take) = channel();
        let spawned = thread::Builder::new().name(String::from("read")).spawn(move || {
            if let Ok(source) = take.recv() {
                read(source, &pieces_in, &returned);
            }
        });
        match spawned {
            Ok(_) => give.send(source).map_err(|lost| lost.0).map(|()| Ahead { pieces, home }),
            Err(_) => Err(source),
        }
    }

    /// Waits for the next bytes, to follow `tail`.
    ///
    /// # Errors
    /// What the source said.
    pub(super) fn next(&self, tail: &[u8]) -> io::Result<Next> {
        let piece = self.pieces.recv().map_err(|_| io::Error::other("the thread that read it died"))?;
        let Piece { mut room, end } = piece?;
        if end <= LEAD {
            return Ok(Next::End);
        }
        let Some(start) = put_before(&mut room, LEAD, tail) else {
            room.truncate(end);
            return Ok(Next::Bytes(room.split_off(LEAD)));
        };
        Ok(Next::Chunk { chunk: Chunk::lent(room, self.home.clone()), start, end })
    }
}

/// Puts `tail` before what is at `at`, and tells where; not where it does not fit.
pub(super) fn put_before(room: &mut [u8], at: usize, tail: &[u8]) -> Option<usize> {
    let start = at.checked_sub(tail.len())?;
    room.get_mut(start..at)?.copy_from_slice(tail);
    Some(start)
}

/// Room for what is left of a piece when the next one is needed: a record, seldom longer than what a network card joins
/// from many packets.
pub(super) const LEAD: usize = 64 << 10;

pub(super) const ROOM: usize = LEAD + PIECE;

fn read(mut source: impl Read, pieces: &SyncSender<io::Result<Piece>>, returned: &Receiver<Vec<u8>>) {
    loop {
        let whole = |room: &Vec<u8>| room.len() == ROOM;
        let mut room = returned.try_recv().ok().filter(whole).unwrap_or_else(|| vec![0; ROOM]);
        let filled = room.get_mut(LEAD..).map(|room| source.read(room)).unwrap_or(Ok(0));
        let piece = match filled {
            Ok(count) => Ok(Piece { end: LEAD.saturating_add(count).min(room.len()), room }),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = piece.as_ref().map_or(true, |piece| piece.end == LEAD);
        if pieces.send(piece).is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    /// Notes how many pieces were read and not used yet.
    struct Source {
        given: usize,
        used: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
    }

    impl Read for Source {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.given == 100 {
                return Ok(0);
            }
            self.given += 1;
            self.most.fetch_max(self.given - self.used.load(SeqCst), SeqCst);
            Ok(buf.len())
        }
    }

    #[test]
    fn few_pieces_are_read_before_they_are_needed() {
        let (used, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let source = Source { given: 0, used: Arc::clone(&used), most: Arc::clone(&most) };
        let Ok(ahead) = Ahead::begin(Box::new(source)) else { panic!("no thread") };
        while let Ok(Next::Chunk { chunk, start, end }) = ahead.next(&[]) {
            // Who uses them is slower than who reads.
            assert_eq!(chunk[start..end].iter().filter(|&&byte| byte == 0).count(), limits::PIECE);
            used.fetch_add(1, SeqCst);
        }
        assert_eq!(used.load(SeqCst), 100);
        // Besides those that wait, one that there is no place for, and one that is being used.
        let most = most.load(SeqCst);
        assert!((2..=limits::AHEAD + 2).contains(&most), "{most} pieces");
    }
}
