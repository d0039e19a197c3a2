//! The sliding window through which a capture is read.
//!
//! It decides nothing before it has the bytes that were asked for, however short the reads are, so that what is read
//! never depends on how it arrives. It keeps the system's own error, and knows its offset in the file.

use crate::limits::WINDOW;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;

/// Unread bytes of a source, contiguous.
pub(super) struct Window {
    /// `None` once it ended or failed.
    source: Option<Box<dyn Read + Send>>,
    buffer: Vec<u8>,
    /// First unread byte of `buffer`.
    start: usize,
    /// End of the bytes read into `buffer`; never before `start`.
    end: usize,
    /// Offset of `buffer`'s first byte in the source.
    base: u64,
    /// Why reading stopped, if not because of the end, and at which offset.
    failure: Option<(u64, io::Error)>,
}

impl Window {
    pub(super) fn new(source: Box<dyn Read + Send>) -> Self {
        Window { source: Some(source), buffer: Vec::new(), start: 0, end: 0, base: 0, failure: None }
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
        self.base.saturating_add(self.start as u64)
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
        self.source = None;
        self.buffer = Vec::new();
        self.start = 0;
        self.end = 0;
    }

    #[cold]
    fn read_until(&mut self, need: usize) -> bool {
        let Some(source) = &mut self.source else { return false };
        if self.start.saturating_add(need) > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.base = self.base.saturating_add(self.start as u64);
            self.end = self.end.saturating_sub(self.start);
            self.start = 0;
            // Twice the need: then at least `need` bytes are consumed between two moves, and moving stays linear.
            self.buffer.resize(need.saturating_mul(2).max(WINDOW).max(self.end), 0);
        }
        while self.end.saturating_sub(self.start) < need {
            let Some(room) = self.buffer.get_mut(self.end..) else { return false };
            let most = room.len().min(WINDOW);
            let Some(room) = room.get_mut(..most) else { return false };
            match source.read(room) {
                Ok(0) => {
                    self.source = None;
                    return false;
                }
                Ok(count) => self.end = self.end.saturating_add(count.min(most)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some((self.base.saturating_add(self.end as u64), error));
                    self.source = None;
                    return false;
                }
            }
        }
        true
    }
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
}
