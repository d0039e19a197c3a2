//! What the reading of a capture may keep, whatever its lengths and counts say.

use super::{Seen, alone, flat, is_alone, peak};
use std::io::{self, Cursor, Read};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use wsanalyze::capture::{CaptureInfo, Item, Merged, Reader};
use wsanalyze::limits;
use wsanalyze::pipeline;

const SECONDS: u32 = 1_700_000_000;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The header of a classic capture that promises packets of so many bytes at most.
fn pcap(snap_len: u32) -> Vec<u8> {
    words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, snap_len, 1])
}

fn record(len: u32) -> Vec<u8> {
    [words(&[SECONDS, 0, len, len]), vec![1; len as usize]].concat()
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let len = words(&[body.len() as u32 + 12]);
    [words(&[kind]), len.clone(), body, len].concat()
}

/// A section header, and one interface for Ethernet.
fn pcapng() -> Vec<u8> {
    [block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX])), interface(1)].concat()
}

fn interface(link: u32) -> Vec<u8> {
    block(1, &words(&[link, 0]))
}

/// An enhanced packet block on that interface.
fn packet(interface: u32) -> Vec<u8> {
    block(6, &words(&[interface, 0, 0, 4, 4, 0x0101_0101]))
}

/// How many packets are read, and what is told of the capture.
fn read_from(source: impl Read + Send + 'static) -> (u64, CaptureInfo) {
    let mut reader = Reader::from_read("made", 0, Box::new(source)).unwrap();
    let mut packets = 0;
    while let Some(item) = reader.next() {
        packets += u64::from(matches!(item, Item::Packet(_)));
    }
    (packets, reader.info())
}

fn read(bytes: &[&[u8]]) -> (u64, CaptureInfo) {
    read_from(Cursor::new(bytes.concat()))
}

/// The one warning of a capture.
fn told((_, info): (u64, CaptureInfo)) -> String {
    assert_eq!(info.warnings.len(), 1, "{:?}", info.warnings);
    info.warnings[0].clone()
}

#[test]
fn the_system_is_asked_for_a_window_at_a_time_however_long_a_record_is() {
    struct Asked(Cursor<Vec<u8>>, Arc<AtomicUsize>);
    impl Read for Asked {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.1.fetch_max(buf.len(), Relaxed);
            self.0.read(buf)
        }
    }
    let most = Arc::new(AtomicUsize::new(0));
    let file = [pcap(u32::MAX), record(1 << 20), record(60)].concat();
    let (packets, info) = read_from(Asked(Cursor::new(file), Arc::clone(&most)));
    assert_eq!((packets, info.complete, most.load(Relaxed)), (2, true, limits::WINDOW));
}

#[test]
fn a_record_is_believed_and_kept_up_to_its_bound() {
    alone("capture::a_record_is_believed_and_kept_up_to_its_bound", 3 * limits::RECORD as u64, || {
        let longest = limits::RECORD as u32;
        let bytes = |len: u32| {
            let head = Cursor::new([pcap(u32::MAX), words(&[SECONDS, 0, len, len])].concat());
            head.chain(io::repeat(1).take(len.into())).chain(Cursor::new(record(60)))
        };
        let (packets, info) = read_from(bytes(longest));
        assert_eq!((packets, info.complete), (2, true));
        let (packets, info) =
            read_from(Cursor::new([pcap(u32::MAX), words(&[SECONDS, 0, longest + 1, 9])].concat()));
        assert_eq!(packets, 0);
        assert!(info.warnings[0].contains(&format!("captured length {}", longest + 1)), "{info:?}");
        // A block may be as long. One of secrets that is longer is told, and not kept.
        for (len, kept) in [(longest, true), (longest + 4, false), (8 * longest, false)] {
            let head = Cursor::new([pcapng(), words(&[10, len, 0x544c_534b, len - 20])].concat());
            let rest = io::repeat(b'\n').take(u64::from(len) - 20);
            let end = Cursor::new([words(&[len]), packet(0)].concat());
            let (packets, info) = read_from(head.chain(rest).chain(end));
            assert_eq!(
                (packets, info.complete, info.warnings.is_empty()),
                (1, true, kept),
                "{len}: {info:?}"
            );
        }
    });
}

#[test]
fn a_packet_is_believed_up_to_the_longest_that_is_known_whatever_a_smaller_promise() {
    for (len, packets) in [(limits::PACKET, 3), (limits::PACKET + 1, 2)] {
        let (read, info) = read(&[&pcap(65_535), &record(60), &record(len), &record(60)]);
        assert_eq!((read, info.complete), (packets, packets == 3), "{len}: {info:?}");
    }
}

#[test]
fn a_block_is_passed_over_up_to_a_length_and_a_longer_one_is_damage() {
    let longest = limits::SKIPPED_BLOCK as u32;
    let of = |len: u32| told(read(&[&pcapng(), &words(&[0xbad, len]), &packet(0)]));
    assert!(of(longest).contains("the capture ends inside the block"), "{}", of(longest));
    for len in [longest + 4, 4 * (longest - 4)] {
        assert!(of(len).contains(&format!("block length {len}; 8 bytes skipped")), "{}", of(len));
    }
}

#[test]
fn a_block_behind_damage_is_looked_for_no_further_than_the_look_ahead() {
    for (len, packets) in [(limits::RESYNC_LOOKAHEAD, 2), (limits::RESYNC_LOOKAHEAD + 4, 1)] {
        let long = block(6, &[words(&[0, 0, 0, 4, 4]), vec![1; len - 32]].concat());
        let (read, info) = read(&[&pcapng(), &words(&[0xbad, 3, 0, 0]), &long, &packet(0)]);
        assert_eq!((read, info.warnings.len()), (packets, 1), "{len}");
    }
}

#[test]
fn damage_without_end_is_searched_with_little_memory() {
    flat("capture::damage_without_end_is_searched_with_little_memory", |times| {
        move || {
            let noise = io::repeat(0xff).take(times as u64 * 2 * limits::RESYNC_LOOKAHEAD as u64);
            let (packets, info) = read_from(Cursor::new([pcap(65_535), record(60)].concat()).chain(noise));
            assert_eq!((packets, info.warnings.len()), (1, 1));
        }
    });
}

#[test]
fn interfaces_beyond_their_bound_are_not_kept_and_their_packets_are_told() {
    flat("capture::interfaces_beyond_their_bound_are_not_kept_and_their_packets_are_told", |times| {
        let most = limits::INTERFACES as u32;
        let described = interface(1).repeat(times * limits::INTERFACES - 1);
        let file = [pcapng(), described, [most - 1, most, 3 * most].map(packet).concat()].concat();
        move || {
            let (read, info) = read_from(Cursor::new(file));
            assert_eq!((read, info.complete), (1, false));
            assert!(info.warnings[0].starts_with("2 packets skipped"), "{:?}", info.warnings);
            let notes = &info.warnings[1..];
            assert!(notes.iter().all(|note| note.contains("only the first")));
            assert_eq!(notes.len(), if times == 1 { 0 } else { limits::DAMAGE_TOLD });
        }
    });
}

#[test]
fn options_are_listed_of_blocks_of_a_bounded_length_only() {
    if !is_alone("capture::options_are_listed_of_blocks_of_a_bounded_length_only") {
        return;
    }
    for times in [1, 4] {
        // Options without a value, and names without one.
        let fit = (limits::INTERFACE_BLOCK - 64) / 4 * times;
        let empty = |head: &[u32], option: u32| [words(head), words(&vec![option; fit])].concat();
        let described = block(1, &empty(&[1, 0], 0x0000_0bad));
        let counted = block(5, &empty(&[0, 0, 0], 0x0000_0bad));
        let named = block(4, &empty(&[], 0x0000_0001));
        let file = [pcapng(), described, counted, named, packet(0)].concat();
        let taken = peak(|| {
            let (packets, info) = read_from(Cursor::new(file));
            let damaged: Vec<bool> = info.warnings.iter().map(|told| told.contains("that long")).collect();
            // Names that are not read are no damage.
            let expected: &[bool] = if times == 1 { &[] } else { &[true, true] };
            assert_eq!((packets, &damaged[..]), (1, expected), "{:?}", info.warnings);
        });
        // In a list, an option takes eight times its bytes; the window takes as much again.
        assert!(taken <= 4 * 8 * limits::INTERFACE_BLOCK as u64, "{taken} bytes, {times} times the bound");
    }
}

#[test]
fn names_of_hosts_are_kept_up_to_a_number_and_a_length() {
    flat("capture::names_of_hosts_are_kept_up_to_a_number_and_a_length", |times| {
        let name = |address: u32, len: usize| {
            let value = [&address.to_be_bytes()[..], &vec![b'n'; len], &[0]].concat();
            let mut record = [words(&[1 | (value.len() as u32) << 16]), value].concat();
            record.resize(record.len().next_multiple_of(4) + 4, 0);
            record
        };
        let last = times as u32 * limits::HOST_NAMES as u32 - 1;
        let mut file = [pcapng(), block(4, &name(u32::MAX, limits::HOST_NAME + 1))].concat();
        for address in 0..=last {
            file.extend(block(4, &name(address, limits::HOST_NAME)));
        }
        move || {
            let names = read_from(Cursor::new(file)).1.names;
            assert_eq!(names.iter().count(), limits::HOST_NAMES);
            let first = names.of(Ipv4Addr::from(0).into()).unwrap();
            assert_eq!(first.len(), limits::HOST_NAME);
            assert_eq!(names.of(Ipv4Addr::from(last).into()).is_some(), times == 1);
            assert!(names.of(Ipv4Addr::BROADCAST.into()).is_none());
        }
    });
}

#[test]
fn link_types_that_are_not_read_are_told_by_name_up_to_their_bound() {
    let count = 4 * limits::LINKS_TOLD as u32;
    let links: Vec<u8> = (0..count).flat_map(|n| interface(40_000 + n)).collect();
    let packets: Vec<u8> = (1..=count).flat_map(packet).collect();
    let file = [pcapng(), links, packets].concat();
    let input = Merged::new(vec![Reader::from_read("made", 0, Box::new(Cursor::new(file))).unwrap()]);
    let summary = pipeline::analyze(input, &mut Seen::default(), &mut |_, _| {});
    let named = |text: &str| text.matches("400").count();
    let told = &summary.captures[0].warnings;
    assert_eq!(told.iter().map(|warning| named(warning)).sum::<usize>(), limits::LINKS_TOLD, "{told:?}");
    let rest = format!("{} packets of other link types were not read", 3 * limits::LINKS_TOLD);
    assert!(told.contains(&rest), "{told:?}");
    let refused = summary.unreadable[0].to_string();
    assert_eq!(named(&refused), limits::LINKS_TOLD, "{refused}");
    assert!(refused.contains(&format!(" and {} more", 3 * limits::LINKS_TOLD)), "{refused}");
}

#[test]
fn damaged_places_are_told_one_by_one_up_to_their_bound() {
    let broken = [words(&[SECONDS, 0, u32::MAX, 9]), record(60), record(60), record(60)].concat();
    for times in [1, 4] {
        let places = times * limits::DAMAGE_TOLD;
        let (packets, info) = read(&[&pcap(65_535), &record(60), &broken.repeat(places)]);
        assert_eq!(packets as usize, 1 + 3 * places);
        let further = format!("damaged at {} further places", places - limits::DAMAGE_TOLD);
        let rest: Vec<bool> =
            info.warnings[limits::DAMAGE_TOLD..].iter().map(|told| told.starts_with(&further)).collect();
        assert_eq!(rest, vec![true; times.min(2) - 1], "{:?}", info.warnings);
    }
}
