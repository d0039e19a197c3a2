//! Captures that are cut, broken, or no captures at all: what is whole is read, and the rest is told.

use super::testing::{Endian, SECONDS, data, pcap, pcap_record, pcapng};
use super::tests::{Kept, drain, expected, gzip, pieces, read, time};
use super::*;
use proptest::prelude::*;
use std::io::{self, Read as _};

#[test]
fn a_capture_cut_at_any_byte_is_read_up_to_there() {
    for file in [pcap(6), pcapng(Endian::Little, 6), pcapng(Endian::Big, 6)] {
        let all = expected(0..6);
        let mut whole = 0;
        for len in 60..=file.len() {
            let (items, info) = read(&file[..len]);
            assert_eq!(items, all[..items.len()], "cut at {len}");
            assert!(items.len() >= whole);
            whole = items.len();
            assert_eq!(info.warnings.is_empty(), info.complete);
            assert!(
                info.complete || info.warnings[0].starts_with("the capture ends inside the "),
                "{info:?}"
            );
        }
        assert_eq!(whole, 6);
    }
    let told = "the capture ends inside the packet record at offset 24: 40 of 76 bytes are there";
    assert_eq!(read(&pcap(1)[..64]).1.warnings, [told]);
    let told = "the capture ends inside the record header at offset 100: 3 of 16 bytes are there";
    assert_eq!(read(&pcap(2)[..103]).1.warnings, [told]);
}

#[test]
fn a_broken_record_costs_itself_and_is_told_with_its_place() {
    let start: usize = 24 + (0..3).map(|n| 16 + data(n).len()).sum::<usize>();
    let rest = || (0..3).chain(4..20);
    for (field, value) in [(8, 0xffff_ffff_u32), (8, 10_000_000), (8, 200_000), (8, 0)] {
        let mut file = pcap(20);
        file[start + field..start + field + 4].copy_from_slice(&value.to_le_bytes());
        let (items, info) = read(&file);
        let got: Vec<i64> = items.iter().map(time).collect();
        let want: Vec<i64> = expected(rest()).iter().map(time).collect();
        // A length of 0 is no lie that can be seen: that packet is kept, empty.
        assert!(got == want || (value == 0 && got.len() == 20), "{value}: {info:?}");
        assert!(!info.complete && info.warnings[0].starts_with("damaged at offset "), "{info:?}");
    }
    let mut file = pcap(20);
    file[start..start + 16].fill(0);
    let (items, info) = read(&file);
    assert_eq!(items, expected(rest()));
    let told = format!(
        "damaged at offset {start}: a record header of zeros; 79 bytes skipped up to the next believable record"
    );
    assert_eq!(info.warnings, [told]);
}

#[test]
fn missing_and_foreign_bytes_in_a_pcapng_cost_the_blocks_they_hit() {
    for endian in [Endian::Little, Endian::Big] {
        let file = pcapng(endian, 30);
        let mut shorter = file.clone();
        shorter.drain(500..611);
        let mut longer = file.clone();
        longer.splice(500..500, vec![0xee; 700_001]);
        let mut lying = file.clone();
        let at = 48 + (0..3).map(|n| 32 + data(n).len().next_multiple_of(4)).sum::<usize>();
        assert_eq!(lying[at..at + 4], endian.n32(6));
        lying[at + 4..at + 8].copy_from_slice(&endian.n32(0xffff_fff0));
        for (damaged, lost) in [(shorter, 3), (longer, 1), (lying, 1)] {
            let (items, info) = read(&damaged);
            assert!(items.len() >= 30 - lost, "{} {info:?}", items.len());
            assert!(items.windows(2).all(|two| time(&two[0]) < time(&two[1])));
            assert_eq!(time(items.last().unwrap()), time(expected(0..30).last().unwrap()));
            assert!(!info.complete && info.warnings.len() == 1, "{info:?}");
        }
    }
}

#[test]
fn a_block_whose_fields_contradict_each_other_costs_itself_only() {
    let e = Endian::Little;
    let mut liar = e.enhanced(0, 0, 3, b"abc");
    liar[20..24].copy_from_slice(&e.n32(4000));
    let stranger = e.enhanced(9, 0, 3, b"abc");
    let good = e.enhanced(0, 0, 3, b"abc");
    let file = [e.section(), e.interface(1, 0, &[]), liar, stranger, good].concat();
    let (items, info) = read(&file);
    assert!(items.len() == 1 && !info.complete);
    assert_eq!(
        info.warnings,
        [
            "damaged at offset 48: a packet longer than its block; 36 bytes skipped up to the next believable record",
            "1 packet skipped: the section does not describe its interface"
        ]
    );
}

#[test]
fn a_huge_block_is_passed_over_without_being_held() {
    let e = Endian::Little;
    let len = 40 << 20;
    let head = [e.section(), e.interface(1, 0, &[]), e.n32(0xbad), e.n32(len)].concat();
    let tail = [e.n32(len), e.enhanced(0, 0, 3, b"abc")].concat();
    let body = io::repeat(0x11).take(u64::from(len) - 12);
    let source = io::Cursor::new(head.clone()).chain(body).chain(io::Cursor::new(tail));
    let (items, info) = drain(Reader::from_read("test", 0, Box::new(source)).unwrap());
    assert!(items.len() == 1 && info.complete, "{info:?}");

    let source = io::Cursor::new(head).chain(io::repeat(0x11).take(1000));
    let (_, info) = drain(Reader::from_read("test", 0, Box::new(source)).unwrap());
    let told = format!("the capture ends inside the block at offset 48: 1008 of {len} bytes are there");
    assert_eq!(info.warnings, [told]);
}

#[test]
fn many_damaged_places_are_told_in_few_words() {
    let record = |n| [pcap_record(Endian::Little, SECONDS + n, 0, &data(n)), vec![0xff; 40]].concat();
    let mut file = pcap(0);
    for n in 0..100 {
        (0..3).for_each(|k| file.extend(pcap_record(Endian::Little, SECONDS + n, k, &data(k))));
        file.extend(record(n));
    }
    let (items, info) = read(&file);
    assert_eq!(items.len(), 400);
    assert_eq!(info.warnings.len(), 9, "{info:?}");
    assert_eq!(info.warnings[8], "damaged at 92 further places, 3680 bytes skipped there");
}

// ---- properties

/// A capture of one of the kinds, some with several sections, secrets and interfaces.
fn any_capture() -> impl Strategy<Value = Vec<u8>> {
    let endian = prop_oneof![Just(Endian::Little), Just(Endian::Big)];
    (endian, 0u32..30, 0..4).prop_map(|(endian, count, kind)| match kind {
        0 => pcap(count),
        1 => pcapng(endian, count),
        2 => [pcapng(endian, count), endian.secrets(0x544c_534b, b"key"), pcapng(Endian::Big, 3)].concat(),
        _ => gzip(&pcapng(endian, count)),
    })
}

/// Reads whatever it is to its end; each item has taken at least a record header of the bytes.
fn survive(bytes: &[u8], sizes: &[usize]) -> Option<(Vec<Kept>, CaptureInfo)> {
    let reader = Reader::from_read("test", 0, pieces(bytes, sizes, false)).ok()?;
    let (items, info) = drain(reader);
    assert!(info.compression.is_some() || items.len() <= bytes.len() / 16);
    assert_eq!(
        info.complete,
        !info.warnings.iter().any(|w| !w.contains("cut by a snap") && !w.contains("lost"))
    );
    Some((items, info))
}

proptest! {
    #[test]
    fn the_sizes_of_reads_change_nothing(
        file in any_capture(),
        sizes in prop::collection::vec(1usize..200, 1..6),
        broken in prop::option::of((any::<prop::sample::Index>(), any::<[u8; 5]>())),
    ) {
        let mut file = file;
        if let Some((at, with)) = broken {
            let at = at.index(file.len());
            let end = (at + with.len()).min(file.len());
            file[at..end].copy_from_slice(&with[..end - at]);
        }
        let plain = survive(&file, &[usize::MAX]);
        for sizes in [&sizes[..], &[1]] {
            let other = survive(&file, sizes);
            prop_assert_eq!(plain.is_some(), other.is_some());
            if let (Some((items, info)), Some((items2, info2))) = (&plain, other) {
                prop_assert_eq!(items, &items2);
                prop_assert_eq!(&info.warnings, &info2.warnings);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        start in prop::sample::select(vec![
            vec![], pcap(0), pcap(2), Endian::Big.section(), pcapng(Endian::Little, 2),
            vec![0x1f, 0x8b, 8, 0], vec![0x28, 0xb5, 0x2f, 0xfd], vec![4, 0x22, 0x4d, 0x18],
        ]),
        bytes in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        survive(&[start, bytes].concat(), &[usize::MAX]);
    }

    #[test]
    fn mutated_captures_never_panic_and_end(
        file in any_capture(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..12),
    ) {
        let mut file = file;
        for (at, with, how) in changes {
            let at = at.index(file.len());
            match how {
                0 => file[at] = with,
                1 => file.insert(at, with),
                _ => { file.drain(at..(at + usize::from(with)).min(file.len())); }
            }
            if file.is_empty() { return Ok(()) }
        }
        survive(&file, &[usize::MAX]);
    }
}
