//! Bytes that wait until it is known what they are.

use crate::capture::Seen;
use crate::limits;

/// Some bytes of one direction, and the packet that brought them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Chunk {
    pub(super) offset: u64,
    pub(super) seen: Seen,
    pub(super) bytes: Box<[u8]>,
}

/// Bytes of one direction that wait, in order.
#[derive(Default, Debug)]
pub(super) struct Waiting {
    chunks: Vec<Chunk>,
    len: usize,
}

impl Waiting {
    /// Keeps a copy; false where [`limits::WAITING`] is reached.
    pub(super) fn push(&mut self, offset: u64, seen: Seen, bytes: &[u8]) -> bool {
        if self.len + bytes.len() > limits::WAITING || self.chunks.len() >= limits::WAITING_CHUNKS {
            return false;
        }
        self.len += bytes.len();
        self.chunks.push(Chunk { offset, seen, bytes: bytes.into() });
        true
    }

    /// What they take, in bytes.
    pub(super) fn cost(&self) -> usize {
        self.len + self.chunks.len() * limits::WAITING_CHUNK
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// All bytes that wait, and `next` behind them, in one piece.
    pub(super) fn joined(&self, next: &[u8]) -> Vec<u8> {
        let waiting = self.chunks.iter().flat_map(|chunk| chunk.bytes.iter().copied());
        waiting.chain(next.iter().copied()).collect()
    }

    /// The first `most` of all bytes that wait, and of `next` behind them.
    pub(super) fn beginning(&self, next: &[u8], most: usize) -> Vec<u8> {
        let mut beginning = Vec::new();
        for bytes in self.chunks.iter().map(|chunk| &*chunk.bytes).chain([next]) {
            let room = most - beginning.len();
            if room == 0 {
                break;
            }
            beginning.extend_from_slice(&bytes[..room.min(bytes.len())]);
        }
        beginning
    }

    /// Lets go of the first `count` bytes, or of all where there are fewer; gives how many.
    pub(super) fn drop_front(&mut self, count: usize) -> usize {
        let mut left = count.min(self.len);
        let dropped = left;
        self.len -= dropped;
        self.chunks.retain_mut(|chunk| {
            let here = left.min(chunk.bytes.len());
            left -= here;
            if here > 0 {
                chunk.offset += here as u64;
                chunk.bytes = chunk.bytes[here..].into();
            }
            !chunk.bytes.is_empty()
        });
        dropped
    }

    /// The first one.
    pub(super) fn first(&self) -> Option<&Chunk> {
        self.chunks.first()
    }

    /// All of them, leaving none.
    pub(super) fn take(&mut self) -> Vec<Chunk> {
        self.len = 0;
        std::mem::take(&mut self.chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::PacketId;
    use crate::time::Timestamp;

    #[test]
    fn the_first_bytes_are_let_go_across_pieces() {
        let seen = Seen { packet: PacketId::new(0, 1), at: Timestamp::default() };
        let left = |count| {
            let mut waiting = Waiting::default();
            assert!(waiting.push(10, seen, b"abc") && waiting.push(13, seen, b"de"));
            let dropped = waiting.drop_front(count);
            (dropped, waiting.joined(b"f"), waiting.first().map(|chunk| chunk.offset), waiting.cost())
        };
        assert_eq!(left(0), (0, b"abcdef".to_vec(), Some(10), 5 + 2 * limits::WAITING_CHUNK));
        assert_eq!(left(2), (2, b"cdef".to_vec(), Some(12), 3 + 2 * limits::WAITING_CHUNK));
        assert_eq!(left(3), (3, b"def".to_vec(), Some(13), 2 + limits::WAITING_CHUNK));
        assert_eq!(left(9), (5, b"f".to_vec(), None, 0));
    }

    #[test]
    fn the_first_bytes_are_given_across_pieces() {
        let seen = Seen { packet: PacketId::new(0, 1), at: Timestamp::default() };
        let mut waiting = Waiting::default();
        assert!(waiting.push(10, seen, b"abc") && waiting.push(13, seen, b"de"));
        for most in 0..9 {
            assert_eq!(waiting.beginning(b"fg", most), b"abcdefg"[..most.min(7)]);
        }
    }

    #[test]
    fn so_many_bytes_wait_in_so_many_pieces_and_no_more() {
        let seen = Seen { packet: PacketId::new(0, 1), at: Timestamp::default() };
        for len in [1, 100, limits::WAITING] {
            let mut waiting = Waiting::default();
            let kept =
                (0..4 * limits::WAITING_CHUNKS).filter(|_| waiting.push(0, seen, &vec![0; len])).count();
            assert_eq!(kept, limits::WAITING_CHUNKS.min(limits::WAITING / len), "pieces of {len}");
            assert!(waiting.joined(&[]).len() <= limits::WAITING);
            // A list may have half as much room again as it needs, for it grows to double its size.
            let pieces = waiting.chunks.capacity() * size_of::<Chunk>();
            assert!(waiting.cost() - kept * len >= pieces * 2 / 3 || kept < 4, "{pieces} for {kept}");
        }
        assert!((size_of::<Chunk>()..2 * size_of::<Chunk>()).contains(&limits::WAITING_CHUNK));
    }
}
