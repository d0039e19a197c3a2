//! Bytes of a capture that may be read by several at once.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// A piece of a capture as it was read. A clone shares the bytes, which stay as they are while there is one.
#[derive(Clone, Default)]
pub struct Chunk(Arc<Room>);

#[derive(Default)]
struct Room {
    bytes: Vec<u8>,
    /// Who fills it again when nobody reads it any more.
    home: Option<Sender<Vec<u8>>>,
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            // Where nothing more is read, the room is not needed.
            let _ = home.send(std::mem::take(&mut self.bytes));
        }
    }
}

impl Chunk {
    /// Bytes that go home to be filled again.
    pub(super) fn lent(bytes: Vec<u8>, home: Sender<Vec<u8>>) -> Chunk {
        Chunk(Arc::new(Room { bytes, home: Some(home) }))
    }

    /// The bytes, to be changed: only where nobody else reads them.
    pub(super) fn get_mut(&mut self) -> Option<&mut Vec<u8>> {
        Arc::get_mut(&mut self.0).map(|room| &mut room.bytes)
    }

    /// Whether this is the same piece, not only an equal one.
    pub fn is(&self, other: &Chunk) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Where in these bytes `part` lies; `None` where it is not of them.
    #[inline]
    pub fn place(&self, part: &[u8]) -> Option<usize> {
        let at = part.as_ptr().addr().checked_sub(self.as_ptr().addr())?;
        let inside = self.get(at..at.checked_add(part.len())?)?;
        std::ptr::eq(inside, part).then_some(at)
    }
}

impl From<Vec<u8>> for Chunk {
    fn from(bytes: Vec<u8>) -> Chunk {
        Chunk(Arc::new(Room { bytes, home: None }))
    }
}

impl Deref for Chunk {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_part_is_found_and_a_stranger_is_not() {
        let chunk = Chunk::from(b"one two three".to_vec());
        assert_eq!(chunk.place(&chunk[4..7]), Some(4));
        assert_eq!(chunk.place(&chunk[13..]), Some(13));
        assert_eq!((chunk.place(b"two"), chunk.place(&[])), (None, None));
        assert!(chunk.clone().is(&chunk) && !Chunk::from(chunk.to_vec()).is(&chunk));
    }

    #[test]
    fn what_was_lent_comes_home_once_nobody_reads_it() {
        let (home, returned) = channel();
        let mut chunk = Chunk::lent(vec![7; 3], home);
        let other = chunk.clone();
        assert!(chunk.get_mut().is_none());
        drop(chunk);
        assert!(returned.try_recv().is_err());
        drop(other);
        assert_eq!(returned.try_recv(), Ok(vec![7; 3]));
    }
}
