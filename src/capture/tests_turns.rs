//! A plain file whose pieces are copied by turns is read as without that, whatever befalls it meanwhile.

#![cfg(unix)]

use super::open::Opened;
use super::testing::{Endian, SECONDS, pcap, pcap_record, pcapng};
use super::tests::{Kept, drain, gzip, keep};
use super::*;
use crate::limits::{self, PIECE, WINDOW};
use std::fs::{self, OpenOptions};
use std::io::{Cursor, Write as _};
use std::path::PathBuf;

/// A file that goes with its test.
struct Stored(PathBuf);

impl Stored {
    fn new(name: &str, bytes: &[u8]) -> Stored {
        let path = std::env::temp_dir().join(format!("wsanalyze-turns-{}-{name}", std::process::id()));
        fs::write(&path, bytes).unwrap();
        Stored(path)
    }

    fn open(&self) -> Reader {
        open(self.0.to_str().unwrap(), 0).unwrap()
    }

    fn write(&self) -> fs::File {
        OpenOptions::new().append(true).open(&self.0).unwrap()
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Reads by turns; what befalls the file does so when this piece was copied, and before it is read.
fn by_turns(file: &Stored, count: usize, mut befall: impl FnMut(usize)) -> (Vec<Kept>, CaptureInfo) {
    let mut reader = file.open();
    let mut copiers = reader.share(count);
    assert_eq!(copiers.len(), count);
    let mut items = Vec::new();
    for turn in 0.. {
        let piece = copiers[turn % count].copy();
        befall(turn);
        let until = piece.until();
        reader.take(piece);
        while !reader.is_through(until) {
            match reader.next() {
                Some(item) => items.push(keep(item)),
                None => return (items, reader.info()),
            }
        }
    }
    unreachable!("turns have no end")
}

/// A classic capture of this length or a little more.
fn capture(len: usize) -> Vec<u8> {
    let mut file = pcap(0);
    for n in 0.. {
        if file.len() >= len {
            break;
        }
        file.extend(pcap_record(Endian::Little, SECONDS + n / 100, n % 100, &[n as u8 | 1; 1001]));
    }
    file
}

#[track_caller]
fn is_the_same(name: &str, bytes: &[u8]) {
    let file = Stored::new(name, bytes);
    let (items, info) = drain(file.open());
    for count in 1..=3 {
        let (by_turns, its_info) = by_turns(&file, count, |_| ());
        assert_eq!(by_turns.len(), items.len(), "{name}, {count}");
        assert!(by_turns == items, "{name}, {count}");
        assert_eq!(format!("{its_info:?}"), format!("{info:?}"), "{name}, {count}");
    }
}

#[test]
fn what_is_whole_is_read_the_same() {
    is_the_same("whole", &capture(4 * PIECE));
    is_the_same("small", &pcap(3));
    let e = Endian::Little;
    let mut next = pcapng(e, 0);
    for n in 0..5_000 {
        next.extend(e.enhanced(0, n, 1001, &[n as u8 | 1; 1001]));
        if n % 500 == 0 {
            next.extend(e.block(0xbad, &[7; 90_000]));
            next.extend(e.secrets(0x544c_534b, b"key"));
        }
    }
    is_the_same("pcapng", &next);
}

#[test]
fn records_longer_than_what_is_put_before_a_piece_are_read_the_same() {
    let mut file = capture(WINDOW + PIECE - 30_000);
    for n in 0..20 {
        file.extend(pcap_record(Endian::Little, SECONDS + 100, n, &[9; 250_000]));
    }
    file.extend_from_slice(&capture(PIECE)[24..]);
    is_the_same("long", &file);
}

#[test]
fn damage_anywhere_is_told_the_same() {
    let whole = capture(4 * PIECE);
    // Records have 1017 bytes. The first piece begins where the window came to before.
    let (edge, across) = (WINDOW + PIECE, (WINDOW + PIECE - 24) / 1017);
    for record in [across / 2, across - 1, across, across + 1, 2 * across] {
        for value in [u32::MAX, 200_000, 0] {
            let mut file = whole.clone();
            let field = 24 + record * 1017 + 8;
            file[field..field + 4].copy_from_slice(&value.to_le_bytes());
            is_the_same("damage", &file);
        }
    }
    for (from, len) in [(edge / 2, PIECE), (edge - 100, 200), (edge / 2, 3 * PIECE)] {
        let mut file = whole.clone();
        file[from..from + len].fill(0);
        is_the_same("hole", &file);
    }
    for len in [WINDOW, edge - 1, edge, edge + 1, edge + PIECE + 500] {
        is_the_same("cut", &whole[..len]);
    }
}

#[test]
fn a_file_that_grows_is_read_to_its_new_end() {
    let whole = capture(4 * PIECE);
    for (at, len) in [(0, 1000), (0, PIECE / 2), (1, PIECE + 5), (1, 2 * PIECE)] {
        for count in 1..=3 {
            let file = Stored::new("grows", &whole[..len]);
            let grow = |turn| {
                if turn == at {
                    file.write().write_all(&whole[len..]).unwrap();
                }
            };
            let (items, info) = by_turns(&file, count, grow);
            let (expected, all) = drain(file.open());
            assert!(items == expected, "{} items of {}", items.len(), expected.len());
            assert_eq!(format!("{info:?}"), format!("{all:?}"));
        }
    }
}

#[test]
fn a_file_that_shrinks_is_read_to_its_new_end() {
    let whole = capture(4 * PIECE);
    let len = PIECE + PIECE / 2;
    for count in 1..=3 {
        let file = Stored::new("shrinks", &whole);
        let mut copied = 0;
        let shrink = |turn| {
            copied = turn + 1;
            if turn == 0 {
                file.write().set_len(len as u64).unwrap();
            }
        };
        let (items, info) = by_turns(&file, count, shrink);
        let (expected, all) = drain(file.open());
        assert!(items == expected, "{} items of {}", items.len(), expected.len());
        assert_eq!((info.warnings, copied), (all.warnings, 2));
        assert!(!info.complete);
    }
}

#[test]
fn what_was_copied_is_not_read_again() {
    let file = Stored::new("gone", &capture(4 * PIECE));
    let (items, _) = by_turns(&file, 2, |turn| {
        if turn == 1 {
            file.write().set_len(0).unwrap();
        }
    });
    // Two pieces behind what was read before, in records of 1017 bytes.
    assert_eq!(items.len(), (WINDOW + 2 * PIECE - 24) / 1017);
}

#[test]
fn a_failure_is_told_with_its_place() {
    let bytes = capture(4 * PIECE);
    let file = Stored::new("fails", &bytes);
    // What is only to be written cannot be read.
    let known = Some((Opened::from(file.write()), bytes.len() as u64));
    let mut reader = Reader::start("made", 0, Box::new(Cursor::new(bytes)), known).unwrap();
    let mut copiers = reader.share(2);
    reader.take(copiers[0].copy());
    let (items, info) = drain(reader);
    assert_eq!(items.len(), (WINDOW - 24) / 1017);
    assert!(info.warnings[0].starts_with(&format!("reading failed at offset {WINDOW}: ")), "{info:?}");
}

#[test]
fn what_is_no_plain_file_or_not_alone_is_not_shared() {
    let file = Stored::new("alone", &pcap(3));
    let other = Stored::new("other", &pcap(3));
    assert_eq!(Merged::new(vec![file.open()]).share(100).len(), limits::COPIERS);
    assert!(Merged::new(vec![file.open(), other.open()]).share(2).is_empty());
    let piped = Reader::from_read("made", 0, Box::new(Cursor::new(pcap(3)))).unwrap();
    assert!(Merged::new(vec![piped]).share(2).is_empty());
    let packed = Stored::new("packed", &gzip(&pcap(3)));
    assert!(Merged::new(vec![packed.open()]).share(2).is_empty());
}
