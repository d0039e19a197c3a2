//! IP fragments, put together under bounds (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! Where fragments overlap the first copy wins, as most receivers have it, and it is counted: RFC 5722 forbids overlaps
//! in IPv6, and in IPv4 nobody sends them in good faith.

use super::counters::Counters;
use super::ip::{Addresses, Fragment, Header};
use super::rest::Rest;
use crate::limits;
use crate::time::Timestamp;

/// The fragments that wait for others, oldest datagram first.
#[derive(Default)]
pub(super) struct Fragments {
    waiting: Vec<Datagram>,
    /// Bytes held by `waiting`.
    held: usize,
    /// The datagram completed last, from which its segment borrows.
    complete: Vec<u8>,
}

/// What the fragments of one datagram have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// Source, then destination, with zeros behind those of IPv4.
    addresses: [u8; 32],
    id: u32,
    /// The protocol of IPv4; `None` for IPv6, where only the first fragment's says what follows.
    protocol: Option<u8>,
    /// The tunnel it came in.
    tag: u32,
}

impl Key {
    pub fn new(header: &Header<'_>, fragment: &Fragment, tag: u32) -> Self {
        let (source, destination, protocol): (&[u8], &[u8], _) = match header.addresses {
            Addresses::V4(source, destination) => (source, destination, Some(header.chain.protocol)),
            Addresses::V6(source, destination) => (source, destination, None),
        };
        let mut addresses = [0; 32];
        addresses.iter_mut().zip(source.iter().chain(destination)).for_each(|(to, &from)| *to = from);
        Key { addresses, id: fragment.id, protocol, tag }
    }
}

struct Datagram {
    key: Key,
    /// When its first fragment was seen.
    since: Timestamp,
    data: Vec<u8>,
    /// What of `data` is there: ordered ranges that do not touch.
    pieces: Vec<(usize, usize)>,
    /// Its length, once the last fragment was seen.
    len: Option<usize>,
    /// From here on bytes are missing because the capture cut a fragment.
    cut_at: usize,
    /// What its first fragment says that follows.
    protocol: u8,
}

/// Longest payload of a datagram; jumbograms are never fragmented (RFC 2675 §4).
const LONGEST: usize = 65_535;

impl Fragments {
    /// Takes one fragment; answers with the datagram and what it carries when this one completes it.
    pub fn add<'a>(
        &'a mut self,
        key: Key,
        fragment: Fragment,
        protocol: u8,
        rest: Rest<'_>,
        at: Timestamp,
        counters: &mut Counters,
    ) -> Option<(Rest<'a>, u8)> {
        self.forget_old(at, counters);
        let index = match self.waiting.iter().position(|d| d.key == key) {
            Some(index) => index,
            None => {
                self.waiting.push(Datagram::new(key, at, protocol));
                self.waiting.len().saturating_sub(1)
            }
        };
        let datagram = self.waiting.get_mut(index)?;
        let before = datagram.data.len();
        let taken = datagram.take(fragment, protocol, rest, counters);
        self.held = self.held.saturating_sub(before).saturating_add(datagram.data.len());
        let complete = datagram.is_complete();
        if !taken {
            self.remove(index);
            counters.datagrams_dropped = counters.datagrams_dropped.saturating_add(1);
            return None;
        }
        if complete {
            let mut datagram = self.remove(index)?;
            let sent = datagram.data.len();
            datagram.data.truncate(datagram.cut_at);
            counters.datagrams_reassembled = counters.datagrams_reassembled.saturating_add(1);
            self.complete = datagram.data;
            let missing = sent.saturating_sub(self.complete.len());
            return Some((Rest { data: &self.complete, missing }, datagram.protocol));
        }
        while self.waiting.len() > limits::FRAGMENTED_DATAGRAMS || self.held > limits::FRAGMENT_BYTES {
            self.remove(0);
            counters.datagrams_dropped = counters.datagrams_dropped.saturating_add(1);
        }
        None
    }

    fn forget_old(&mut self, now: Timestamp, counters: &mut Counters) {
        while let Some(oldest) = self.waiting.first()
            && now.nanos_since(oldest.since) > limits::FRAGMENT_AGE_NANOS
        {
            self.remove(0);
            counters.datagrams_dropped = counters.datagrams_dropped.saturating_add(1);
        }
    }

    fn remove(&mut self, index: usize) -> Option<Datagram> {
        if index >= self.waiting.len() {
            return None;
        }
        let datagram = self.waiting.remove(index);
        self.held = self.held.saturating_sub(datagram.data.len());
        Some(datagram)
    }
}

impl Datagram {
    fn new(key: Key, since: Timestamp, protocol: u8) -> Self {
        Datagram { key, since, data: Vec::new(), pieces: Vec::new(), len: None, cut_at: usize::MAX, protocol }
    }

    /// False where the fragment contradicts the others or breaks a bound.
    fn take(&mut self, fragment: Fragment, protocol: u8, rest: Rest<'_>, counters: &mut Counters) -> bool {
        let start = fragment.offset;
        let end = start.saturating_add(rest.sent());
        if end > LONGEST || self.pieces.len() >= limits::FRAGMENT_PIECES {
            return false;
        }
        if fragment.more {
            // All but the last are counted in units of eight bytes.
            if !rest.sent().is_multiple_of(8) || rest.sent() == 0 || self.len.is_some_and(|len| end > len) {
                return false;
            }
        } else {
            if self.len.is_some_and(|len| len != end) || self.data.len() > end {
                return false;
            }
            self.len = Some(end);
        }
        if start == 0 {
            self.protocol = protocol;
        }
        if self.data.len() < end {
            self.data.resize(end, 0);
        }
        if rest.missing != 0 {
            self.cut_at = self.cut_at.min(start.saturating_add(rest.data.len()));
        }
        if self.fill(start, end, rest.data) {
            counters.fragments_overlapping = counters.fragments_overlapping.saturating_add(1);
        }
        true
    }

    /// Writes what is not there yet; says whether it shared bytes with an earlier fragment without being a copy.
    fn fill(&mut self, start: usize, end: usize, bytes: &[u8]) -> bool {
        let (mut shared, mut differs, mut from) = (0usize, false, start);
        let (mut joined, mut merged) =
            ((start, end), Vec::with_capacity(self.pieces.len().saturating_add(1)));
        for &(a, b) in self.pieces.iter() {
            if b < start || a > end {
                merged.push((a, b));
                continue;
            }
            let (low, high) = (a.max(start), b.min(end));
            if low < high {
                write(&mut self.data, bytes, start, from, low);
                differs |= !same(&self.data, bytes, start, low, high);
                shared = shared.saturating_add(high.saturating_sub(low));
                from = high;
            }
            joined = (joined.0.min(a), joined.1.max(b));
        }
        write(&mut self.data, bytes, start, from, end);
        let place = merged.partition_point(|&(a, _)| a < joined.0);
        merged.insert(place, joined);
        self.pieces = merged;
        shared != 0 && (differs || shared != end.saturating_sub(start))
    }

    fn is_complete(&self) -> bool {
        self.len.is_some_and(|len| self.pieces.as_slice() == [(0, len)])
    }
}

/// Copies the part from `low` to `high` of a fragment that begins at `start`, as far as it was captured.
fn write(data: &mut [u8], bytes: &[u8], start: usize, low: usize, high: usize) {
    let high = high.min(start.saturating_add(bytes.len()));
    if let Some(from) = bytes.get(low.saturating_sub(start)..high.saturating_sub(start))
        && let Some(to) = data.get_mut(low..high)
    {
        to.copy_from_slice(from);
    }
}

/// Whether that part is what `data` already holds.
fn same(data: &[u8], bytes: &[u8], start: usize, low: usize, high: usize) -> bool {
    let high = high.min(start.saturating_add(bytes.len()));
    match (bytes.get(low.saturating_sub(start)..high.saturating_sub(start)), data.get(low..high)) {
        (Some(new), Some(old)) => new == old,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(id: u32) -> Key {
        Key { addresses: [10; 32], id, protocol: Some(6), tag: 0 }
    }

    fn add(
        table: &mut Fragments,
        counters: &mut Counters,
        id: u32,
        offset: usize,
        more: bool,
        data: &[u8],
    ) -> Option<Vec<u8>> {
        let fragment = Fragment { id, offset, more };
        let rest = Rest { data, missing: 0 };
        table
            .add(key(id), fragment, 6, rest, Timestamp::default(), counters)
            .map(|(rest, _)| rest.data.to_vec())
    }

    #[test]
    fn fragments_in_any_order_make_the_datagram() {
        let (mut table, mut counters) = (Fragments::default(), Counters::default());
        assert_eq!(add(&mut table, &mut counters, 1, 16, false, b"end"), None);
        assert_eq!(add(&mut table, &mut counters, 2, 0, true, b"anotherD"), None);
        assert_eq!(add(&mut table, &mut counters, 1, 0, true, b"01234567"), None);
        let whole = add(&mut table, &mut counters, 1, 8, true, b"89abcdef").unwrap();
        assert_eq!(whole, b"0123456789abcdefend");
        assert_eq!((table.waiting.len(), table.held, counters.datagrams_reassembled), (1, 8, 1));
    }

    #[test]
    fn the_first_copy_of_a_byte_wins_and_only_true_overlaps_are_counted() {
        let (mut table, mut counters) = (Fragments::default(), Counters::default());
        add(&mut table, &mut counters, 1, 0, true, b"aaaaaaaabbbbbbbb");
        add(&mut table, &mut counters, 1, 0, true, b"aaaaaaaabbbbbbbb");
        assert_eq!(counters.fragments_overlapping, 0, "a copy is no overlap");
        let whole = add(&mut table, &mut counters, 1, 8, false, b"XXXXXXXXcc").unwrap();
        assert_eq!(whole, b"aaaaaaaabbbbbbbbcc");
        assert_eq!(counters.fragments_overlapping, 1);
    }

    #[test]
    fn a_cut_fragment_leaves_the_length_and_ends_the_bytes() {
        let (mut table, mut counters) = (Fragments::default(), Counters::default());
        let first = Rest { data: b"0123", missing: 12 };
        let fragment = Fragment { id: 1, offset: 0, more: true };
        assert!(table.add(key(1), fragment, 6, first, Timestamp::default(), &mut counters).is_none());
        let last = Fragment { id: 1, offset: 16, more: false };
        let rest = Rest { data: b"end", missing: 0 };
        let (whole, _) = table.add(key(1), last, 6, rest, Timestamp::default(), &mut counters).unwrap();
        assert_eq!((whole.data, whole.missing), (&b"0123"[..], 15));
    }

    #[test]
    fn what_cannot_be_one_datagram_is_dropped() {
        let (mut table, mut counters) = (Fragments::default(), Counters::default());
        assert_eq!(add(&mut table, &mut counters, 1, 0, true, b"seven b"), None);
        assert_eq!(add(&mut table, &mut counters, 2, 65_528, false, b"too long"), None);
        assert_eq!(add(&mut table, &mut counters, 3, 8, false, b"end"), None);
        assert_eq!(add(&mut table, &mut counters, 3, 8, false, b"other end"), None);
        assert_eq!((table.waiting.len(), table.held, counters.datagrams_dropped), (0, 0, 3));
    }

    #[test]
    fn neither_age_nor_number_nor_bytes_grow_without_bound() {
        let (mut table, mut counters) = (Fragments::default(), Counters::default());
        for id in 0..1000 {
            add(&mut table, &mut counters, id, 32_000, true, &[0; 8]);
            assert!(
                table.waiting.len() <= limits::FRAGMENTED_DATAGRAMS && table.held <= limits::FRAGMENT_BYTES
            );
        }
        assert!(counters.datagrams_dropped > 700);
        let late = Timestamp::from_nanos(limits::FRAGMENT_AGE_NANOS + 1);
        let fragment = Fragment { id: 5000, offset: 0, more: true };
        table.add(key(5000), fragment, 6, Rest { data: &[0; 8], missing: 0 }, late, &mut counters);
        assert_eq!((table.waiting.len(), table.held), (1, 8));
    }

    proptest! {
        #[test]
        fn any_cutting_into_fragments_in_any_order_gives_the_datagram_back(
            data in proptest::collection::vec(any::<u8>(), 1..2000),
            mut order in Just((0..16usize).collect::<Vec<_>>()).prop_shuffle(),
            size in 16usize..40,
        ) {
            let size = size * 8;
            let count = data.len().div_ceil(size);
            order.retain(|&i| i < count);
            let (mut table, mut counters) = (Fragments::default(), Counters::default());
            let mut whole = None;
            for i in order {
                let piece = &data[i * size..data.len().min((i + 1) * size)];
                let made = add(&mut table, &mut counters, 9, i * size, i + 1 < count, piece);
                prop_assert!(whole.is_none());
                whole = made;
            }
            prop_assert_eq!(whole, Some(data));
            prop_assert_eq!(table.held, 0);
        }
    }
}
