//! Several captures as one time line.

use super::info::CaptureInfo;
use super::reader::{Item, Reader};
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// Reads several captures at once, the earliest packet first, those of equal time in the order of the captures.
///
/// Each capture is read in its own order: where its clock steps back, its packets are not sorted anew, so that what
/// was captured after something else stays after it. Secrets come as soon as they are reached.
pub struct Merged {
    readers: Vec<Reader>,
    /// The readers that hold an item, by its time; the one of the current item is on top.
    order: BinaryHeap<Reverse<(Option<Timestamp>, usize)>>,
    started: bool,
}

impl Merged {
    /// Merges `readers`.
    pub fn new(readers: Vec<Reader>) -> Self {
        Merged { readers, order: BinaryHeap::new(), started: false }
    }

    /// Loads the next item of all; false at the end.
    #[inline]
    pub fn advance(&mut self) -> bool {
        if !self.started {
            self.started = true;
            for (index, reader) in self.readers.iter_mut().enumerate() {
                if reader.advance() {
                    self.order.push(Reverse((reader.time(), index)));
                }
            }
        } else if let Some(mut top) = self.order.peek_mut() {
            let Reverse((at, index)) = &mut *top;
            let reader = self.readers.get_mut(*index);
            match reader.and_then(|reader| reader.advance().then_some(reader)) {
                Some(reader) => *at = reader.time(),
                None => {
                    PeekMut::pop(top);
                }
            }
        }
        !self.order.is_empty()
    }

    /// The item that [`Merged::advance`] loaded.
    #[inline]
    pub fn current(&self) -> Option<Item<'_>> {
        let Reverse((_, index)) = self.order.peek()?;
        self.readers.get(*index)?.current()
    }

    /// Loads the next item of all and gives it.
    #[inline]
    #[allow(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Option<Item<'_>> {
        if self.advance() { self.current() } else { None }
    }

    /// The captures, in the order in which they were given.
    pub fn readers(&self) -> &[Reader] {
        &self.readers
    }

    /// What is known of each capture so far, in the order in which they were given.
    pub fn infos(&self) -> Vec<CaptureInfo> {
        self.readers.iter().map(Reader::info).collect()
    }

    /// Bytes of the stored files read so far, and their sum where all are known.
    pub fn progress(&self) -> (u64, Option<u64>) {
        self.readers.iter().map(Reader::progress).fold((0, Some(0)), |(read, total), (r, t)| {
            (read.saturating_add(r), total.zip(t).map(|(a, b): (u64, u64)| a.saturating_add(b)))
        })
    }
}
