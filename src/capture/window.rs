//! The sliding window through which a capture is read.
//!
//! It decides nothing before it has the bytes that were asked for, however short the reads are, so that what is read
//! never depends on how it arrives. It keeps the system's own error, and knows its offset in the file.

use super::ahead::{Ahead, Next};
use super::chunk::Chunk;
use super::copier::{Copier, Piece, Plain};
use crate::limits::WINDOW;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Unread bytes of a source, contiguous.
pub(super) struct Window {
    source: Source,
    /// Where someone else reads it too, what comes next goes elsewhere.
    buffer: Chunk,
    /// First unread byte of `buffer`.
    start: usize,
    /// End of the bytes read into `buffer`; never before `start`.
    end: usize,
    /// Offset of `buffer`'s first byte in the source; it wraps where the buffer begins before the source does.
    base: u64,
    /// Buffers that nobody reads any more.
    rooms: Option<Rooms>,
    /// Why reading stopped, if not because of the end, and at which offset.
    failure: Option<(u64, io::Error)>,
}

type Rooms = (Sender<Vec<u8>>, Receiver<Vec<u8>>);

/// Where bytes come from.
enum Source {
    Here(Box<dyn Read + Send>),
    /// Read on another thread.
    Ahead(Ahead),
    /// Read by offsets, as others do who offer what they have read.
    Plain(Plain),
    /// It ended or failed.
    Over,
}

impl Window {
    pub(super) fn new(source: Box<dyn Read + Send>) -> Self {
        let source = Source::Here(source);
        Window { source, buffer: Chunk::default(), start: 0, end: 0, base: 0, rooms: None, failure: None }
    }

    /// Reads on a thread of its own from now on, where there can be one.
    pub(super) fn read_ahead(&mut self) {
        self.source = match std::mem::replace(&mut self.source, Source::Over) {
            Source::Here(source) => Ahead::begin(source).map_or_else(Source::Here, Source::Ahead),
            other => other,
        };
    }

    /// Reads `plain` from now on, the file that was read so far; gives `count` others who can offer pieces of it.
    pub(super) fn share(&mut self, plain: Plain, count: usize) -> Vec<Copier> {
        let copiers = Copier::several(&plain.file, self.reached(), count);
        if !matches!(self.source, Source::Over) {
            self.source = Source::Plain(plain);
        }
        copiers
    }

    /// Offset of the first byte in the source that is not here yet.
    pub(super) fn reached(&self) -> u64 {
        self.base.wrapping_add(self.end as u64)
    }

    /// Takes what comes next of a piece of the file, if it has that.
    pub(super) fn take(&mut self, piece: Piece) {
        let Source::Plain(plain) = &self.source else { return };
        let Some((chunk, start, at, end)) = piece.behind(self.bytes(), self.reached()) else { return };
        plain.count(end.saturating_sub(at));
        self.base = self.offset().wrapping_sub(start as u64);
        (self.buffer, self.start, self.end) = (chunk, start, end);
    }

    /// The buffer in which the ranges lie that were made since the last [`Window::fill`].
    #[inline]
    pub(super) fn chunk(&self) -> &Chunk {
        &self.buffer
    }

    /// The unread bytes that are here.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether `need` unread bytes are here.
    #[inline]
    pub(super) fn has(&self, need: usize) -> bool {
        self.end.wrapping_sub(self.start) >= need
    }

    /// Makes `need` unread bytes available, or all there are: false where the source ends before. Ranges
    /// made before are no longer valid afterwards.
    #[inline]
    pub(super) fn fill(&mut self, need: usize) -> bool {
        self.has(need) || self.read_until(need)
    }

    /// Passes over `count` bytes, which must be here.
    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// Passes over `count` bytes that need not be here; tells how many there were.
    pub(super) fn skip(&mut self, count: u64) -> u64 {
        let mut left = count;
        while left > 0 {
            let here = self.bytes().len();
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(here);
            self.consume(step);
            left = left.saturating_sub(step as u64);
            if left > 0 && !self.fill(1) {
                break;
            }
        }
        count.saturating_sub(left)
    }

    /// Where the `len` unread bytes from `from` on lie, for [`Window::slice`].
    #[inline]
    pub(super) fn range(&self, from: usize, len: usize) -> Range<usize> {
        let from = self.start.saturating_add(from);
        from..from.saturating_add(len)
    }

    /// The bytes of a range made by [`Window::range`] since the last [`Window::fill`].
    #[inline]
    pub(super) fn slice(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    /// Offset of the first unread byte in the source.
    pub(super) fn offset(&self) -> u64 {
        self.base.wrapping_add(self.start as u64)
    }

    /// Where and why reading stopped, if not because of the end.
    pub(super) fn failure(&self) -> Option<&(u64, io::Error)> {
        self.failure.as_ref()
    }

    /// The same, to be handed on.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take().map(|(_, reason)| reason)
    }

    /// Gives back the memory and the source: nothing is read any more.
    pub(super) fn release(&mut self) {
        self.base = self.offset();
        self.source = Source::Over;
        self.buffer = Chunk::default();
        self.rooms = None;
        self.start = 0;
        self.end = 0;
    }

    #[cold]
    fn read_until(&mut self, need: usize) -> bool {
        while self.end.saturating_sub(self.start) < need {
            match self.read(need) {
                Ok(true) => {}
                Ok(false) => {
                    self.source = Source::Over;
                    return false;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some((self.reached(), error));
                    self.source = Source::Over;
                    return false;
                }
            }
        }
        true
    }

    /// Reads some bytes on the way to `need` unread ones; false where there are no more.
    fn read(&mut self, need: usize) -> io::Result<bool> {
        if matches!(self.source, Source::Here(_) | Source::Plain(_)) {
            self.make_room(1, self.room_for(need));
        }
        let reached = self.reached();
        match &mut self.source {
            Source::Over => Ok(false),
            Source::Here(source) => append(&mut self.buffer, &mut self.end, |room| source.read(room)),
            Source::Plain(plain) => {
                append(&mut self.buffer, &mut self.end, |room| plain.read_at(room, reached))
            }
            Source::Ahead(ahead) => {
                let tail = self.buffer.get(self.start..self.end).unwrap_or_default();
                match ahead.next(tail)? {
                    Next::End => return Ok(false),
                    Next::Chunk { chunk, start, end } => {
                        self.base = self.offset().wrapping_sub(start as u64);
                        (self.buffer, self.start, self.end) = (chunk, start, end);
                    }
                    Next::Bytes(bytes) => {
                        let size = tail.len().saturating_add(bytes.len()).saturating_mul(2);
                        self.make_room(bytes.len(), size);
                        let end = self.end.saturating_add(bytes.len());
                        if let Some(room) = self.buffer.get_mut().and_then(|own| own.get_mut(self.end..end)) {
                            room.copy_from_slice(&bytes);
                            self.end = end;
                        }
                    }
                }
                Ok(true)
            }
        }
    }

    /// How large a buffer is made on the way to `need` unread bytes. Twice the need is enough: then at least as many bytes
    /// are read as were moved before, and moving stays linear. But what is needed may be the lie of a damaged length, so
    /// that room for it grows with what is really read.
    fn room_for(&self, need: usize) -> usize {
        let unread = self.end.saturating_sub(self.start);
        let grown = unread.saturating_mul(4).max(self.buffer.len()).max(WINDOW);
        need.saturating_mul(2).max(WINDOW).min(grown)
    }

    /// Makes the buffer our own, with room for `count` bytes behind the unread ones; where these must be moved, into so
    /// much room in all.
    fn make_room(&mut self, count: usize, size: usize) {
        let unread = self.start..self.end;
        let fits = self.end.saturating_add(count) <= self.buffer.len();
        match self.buffer.get_mut() {
            Some(_) if fits => return,
            Some(bytes) => {
                bytes.copy_within(unread, 0);
                bytes.resize(size, 0);
            }
            None => {
                let (home, returned) = self.rooms.get_or_insert_with(channel);
                let mut bytes = returned.try_recv().unwrap_or_default();
                bytes.resize(size, 0);
                if let (Some(to), Some(from)) = (bytes.get_mut(..unread.len()), self.buffer.get(unread)) {
                    to.copy_from_slice(from);
                }
                self.buffer = Chunk::lent(bytes, home.clone());
            }
        }
        self.base = self.offset();
        self.end = self.end.saturating_sub(self.start);
        self.start = 0;
    }
}

/// Reads behind the bytes up to `end`; false where there are no more.
fn append(
    buffer: &mut Chunk,
    end: &mut usize,
    read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
) -> io::Result<bool> {
    let room = buffer.get_mut().and_then(|bytes| bytes.get_mut(*end..)).unwrap_or_default();
    let most = room.len().min(WINDOW);
    let count = read(room.get_mut(..most).unwrap_or_default())?;
    *end = end.saturating_add(count.min(most));
    Ok(count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a byte, is interrupted, gives a byte, …, and fails at the end.
    struct Dribble {
        bytes: &'static [u8],
        interrupted: bool,
    }

    impl Read for Dribble {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.interrupted = !self.interrupted;
            if self.interrupted {
                return Err(ErrorKind::Interrupted.into());
            }
            match self.bytes.split_first() {
                Some((&first, rest)) => {
                    buf[0] = first;
                    self.bytes = rest;
                    Ok(1)
                }
                None => Err(io::Error::other("the disk is gone")),
            }
        }
    }

    #[test]
    fn it_fills_completely_from_single_bytes_and_keeps_the_real_error() {
        let mut window = Window::new(Box::new(Dribble { bytes: b"abcdefgh", interrupted: false }));
        assert!(window.fill(5));
        assert_eq!(&window.bytes()[..2], b"ab");
        window.consume(5);
        assert_eq!(window.offset(), 5);
        assert!(!window.fill(1000));
        let (offset, reason) = window.failure().unwrap();
        assert_eq!((*offset, reason.to_string().as_str()), (8, "the disk is gone"));
    }

    #[test]
    fn offsets_survive_sliding_growing_and_skipping() {
        let bytes: Vec<u8> = (0..2_000_000u32).map(|n| (n % 251) as u8).collect();
        let mut window = Window::new(Box::new(io::Cursor::new(bytes.clone())));
        assert!(window.fill(10));
        window.consume(7);
        assert!(window.fill(900_000));
        assert_eq!(&window.bytes()[..900_000], &bytes[7..900_007]);
        window.consume(900_000);
        assert_eq!(window.skip(1_000_000), 1_000_000);
        assert_eq!(window.offset(), 1_900_007);
        assert!(window.fill(1));
        assert_eq!(window.bytes()[0], bytes[1_900_007]);
        assert_eq!(window.skip(u64::MAX), 99_993);
        assert_eq!(window.offset(), 2_000_000);
        window.release();
        assert_eq!(window.offset(), 2_000_000);
    }

    /// Gives so many bytes at a time, and counts them.
    fn source(len: usize, step: usize) -> Window {
        let bytes: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        Window::new(Box::new(Steps(io::Cursor::new(bytes), step)))
    }

    struct Steps(io::Cursor<Vec<u8>>, usize);

    impl Read for Steps {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let step = buf.len().min(self.1);
            self.0.read(&mut buf[..step])
        }
    }

    #[test]
    fn room_grows_with_what_is_read_and_not_with_what_is_asked_for() {
        for (len, room) in [(100, WINDOW), (WINDOW / 2, WINDOW), (3 * WINDOW, 16 * WINDOW)] {
            for step in [7_919, usize::MAX] {
                let mut window = source(len, step);
                assert!(window.fill(10));
                window.consume(9);
                assert!(!window.fill(1 << 40));
                assert_eq!((window.bytes().len(), window.offset()), (len - 9, 9));
                assert!(window.buffer.len() <= room, "{} for {len}", window.buffer.len());
            }
        }
    }

    #[test]
    fn whatever_is_asked_for_few_bytes_are_moved_for_each_that_is_read() {
        let len = 40 * WINDOW;
        for need in [24, 1_000, WINDOW - 1, WINDOW + 1, 3 * WINDOW, len] {
            for step in [9_973, usize::MAX] {
                let (mut window, mut moved) = (source(len, step), 0);
                let mut base = 0;
                // As where a start is searched for byte by byte: each place wants to look ahead.
                while window.fill(1) {
                    let before = window.bytes().len();
                    window.fill(need);
                    moved += if window.base == base { 0 } else { before };
                    base = window.base;
                    assert_eq!(window.bytes()[0], (window.offset() % 251) as u8);
                    window.consume(need.min(1_009));
                }
                assert_eq!(window.offset(), len as u64);
                assert!(moved <= 2 * len, "{moved} bytes for {need} at a time");
            }
        }
    }
}
