//! Several captures as one time line.

use super::chunk::Chunk;
use super::info::CaptureInfo;
use super::reader::{Item, Reader};
use crate::limits;
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// Reads several captures at once, the earliest packet first, those of equal time in the order of the captures.
///
/// Captures are ordered and numbered by their first packets, so that the parts of a rotated one may be given in any
/// order and a later packet has the greater [`PacketId`](super::PacketId).
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
    /// Merges `readers`, and loads the first item of each.
    pub fn new(mut readers: Vec<Reader>) -> Self {
        let mut order = BinaryHeap::with_capacity(readers.len());
        let mut first: Vec<_> = readers.drain(..).map(|mut reader| (reader.advance(), reader)).collect();
        // Those without a packet stand last.
        first.sort_by(|(a_loaded, a), (b_loaded, b)| {
            let order = b_loaded.cmp(a_loaded).then_with(|| a.time().cmp(&b.time()));
            order.then_with(|| a.path().cmp(b.path()))
        });
        for (index, (loaded, mut reader)) in first.into_iter().enumerate() {
            reader.renumber(u16::try_from(index).unwrap_or(u16::MAX));
            if loaded {
                order.push(Reverse((reader.time(), index)));
            }
            readers.push(reader);
        }
        Merged { readers, order, started: false }
    }

    /// Time of the earliest packet.
    pub fn begins(&self) -> Option<Timestamp> {
        self.readers.iter().filter_map(|reader| reader.info().first).min()
    }

    /// Loads the next item of all; false at the end.
    #[inline(always)]
    pub fn advance(&mut self) -> bool {
        match self.readers.as_mut_slice() {
            // One capture alone needs no order.
            [alone] if self.started => alone.advance(),
            _ => self.advance_first(),
        }
    }

    #[inline(never)]
    fn advance_first(&mut self) -> bool {
        if !self.started {
            self.started = true;
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
    #[inline(always)]
    pub fn current(&self) -> Option<Item<'_>> {
        self.first()?.current()
    }

    /// The reader of that item.
    #[inline(always)]
    fn first(&self) -> Option<&Reader> {
        match self.readers.as_slice() {
            [alone] => Some(alone),
            all => self.order.peek().and_then(|Reverse((_, index))| all.get(*index)),
        }
    }

    /// The bytes among which those of that item are.
    #[inline]
    pub fn chunk(&self) -> Option<&Chunk> {
        self.first().map(Reader::chunk)
    }

    /// Whether the next item may have to be waited for, because who writes it takes his time.
    #[inline]
    pub fn may_wait(&self) -> bool {
        self.first().is_some_and(Reader::may_wait)
    }

    /// Reads the captures on threads of their own from now on, unless they are many.
    pub fn read_ahead(&mut self) {
        if self.readers.len() <= limits::READ_AHEAD {
            self.readers.iter_mut().for_each(Reader::read_ahead);
        }
    }

    /// Loads the next item of all and gives it.
    #[inline(always)]
    #[allow(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Option<Item<'_>> {
        if self.advance() { self.current() } else { None }
    }

    /// The captures, in the order of their first packets.
    pub fn readers(&self) -> &[Reader] {
        &self.readers
    }

    /// What is known of each capture so far, in the order of their first packets.
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
