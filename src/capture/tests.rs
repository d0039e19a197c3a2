//! The stage as a whole, on captures that are built byte by byte.

use super::testing::{Endian, SECONDS, data, pcap, pcap_header, pcap_record, pcapng};
use super::*;
use crate::error::Error;
use crate::time::Timestamp;
use std::io::{self, Read, Write};

// ---- reading them

/// An item, kept.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Kept {
    Packet { number: u64, at: i64, link: u32, original: u32, fcs: u8, data: Vec<u8> },
    Secrets(Vec<u8>),
}

pub(super) fn keep(item: Item<'_>) -> Kept {
    match item {
        Item::Packet(p) => Kept::Packet {
            number: p.seen.packet.number(),
            at: p.seen.at.as_nanos(),
            link: p.link.0,
            original: p.original_len,
            fcs: p.fcs_len,
            data: p.data.to_vec(),
        },
        Item::Secrets(text) => Kept::Secrets(text.to_vec()),
    }
}

/// Gives its bytes in reads of the given sizes, round and round, then fails or ends.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    sizes: Vec<usize>,
    turn: usize,
    fails: bool,
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = &self.bytes[self.at..];
        if left.is_empty() && self.fails {
            return Err(io::Error::other("the cable was pulled"));
        }
        let size = self.sizes[self.turn % self.sizes.len()].min(left.len()).min(buf.len());
        self.turn += 1;
        buf[..size].copy_from_slice(&left[..size]);
        self.at += size;
        Ok(size)
    }
}

pub(super) fn pieces(bytes: &[u8], sizes: &[usize], fails: bool) -> Box<dyn Read + Send> {
    Box::new(Pieces { bytes: bytes.to_vec(), at: 0, sizes: sizes.to_vec(), turn: 0, fails })
}

pub(super) fn drain(mut reader: Reader) -> (Vec<Kept>, CaptureInfo) {
    let mut items = Vec::new();
    while let Some(item) = reader.next() {
        items.push(keep(item));
    }
    assert!(!reader.advance() && reader.current().is_none());
    (items, reader.info())
}

pub(super) fn read(bytes: &[u8]) -> (Vec<Kept>, CaptureInfo) {
    drain(Reader::from_read("test", 0, Box::new(io::Cursor::new(bytes.to_vec()))).unwrap())
}

fn refused(bytes: &[u8]) -> String {
    match Reader::from_read("test", 0, Box::new(io::Cursor::new(bytes.to_vec()))) {
        Err(Error::NotACapture { found, .. }) => found,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("read as a capture"),
    }
}

/// What `pcap(count)` and `pcapng(_, count)` hold, without `missing`.
pub(super) fn expected(numbers: impl Iterator<Item = u32>) -> Vec<Kept> {
    numbers
        .zip(1..)
        .map(|(n, number)| Kept::Packet {
            number,
            at: i64::from(SECONDS + n) * 1_000_000_000 + 5_000,
            link: 1,
            original: data(n).len() as u32,
            fcs: 0,
            data: data(n),
        })
        .collect()
}

pub(super) fn time(item: &Kept) -> i64 {
    match item {
        Kept::Packet { at, .. } => *at,
        Kept::Secrets(_) => panic!("no packet"),
    }
}

// ---- formats

#[test]
fn every_variant_of_the_classic_format_tells_the_same_packets() {
    for endian in [Endian::Little, Endian::Big] {
        for (magic, unit, more) in [(0xa1b2_c3d4, 1, 0), (0xa1b2_3c4d, 1000, 0), (0xa1b2_cd34, 1, 8)] {
            let mut file = pcap_header(endian, magic, 1);
            for n in 0..5 {
                let mut record = pcap_record(endian, SECONDS + n, 5 * unit, &data(n));
                record.splice(16..16, vec![7; more]);
                file.extend(record);
            }
            let (items, info) = read(&file);
            assert_eq!(items, expected(0..5), "{magic:x} {endian:?}");
            assert!(info.complete && info.warnings.is_empty(), "{info:?}");
            assert_eq!((info.format, info.packets, info.bytes), (Format::Pcap, 5, file.len() as u64));
        }
    }
}

#[test]
fn classic_records_are_those_that_pcap_parser_reads() {
    let file = pcap(20);
    let mut rest = &file[24..];
    for item in read(&file).0 {
        let (behind, frame) = pcap_parser::pcap::parse_pcap_frame(rest).unwrap();
        let Kept::Packet { data, original, at, .. } = item else { panic!() };
        assert_eq!((frame.data, frame.origlen), (&data[..], original));
        assert_eq!(i64::from(frame.ts_sec) * 1_000_000_000 + i64::from(frame.ts_usec) * 1000, at);
        rest = behind;
    }
    assert!(rest.is_empty());
}

#[test]
fn the_fcs_bits_are_taken_off_the_link_type() {
    let mut file = pcap_header(Endian::Big, 0xa1b2_c3d4, 0x2400_0001);
    file.extend(pcap_record(Endian::Big, SECONDS, 0, &data(0)));
    assert!(matches!(read(&file).0[..], [Kept::Packet { link: 1, fcs: 4, .. }]));
    for (noted, fcs) in [(4, 4), (32, 4), (0, 0)] {
        let order = Endian::Little;
        let interface = order.interface(1, 0, &[(13, vec![noted])]);
        let file = [order.section(), interface, order.enhanced(0, 0, 3, b"abc")].concat();
        assert!(matches!(read(&file).0[..], [Kept::Packet { fcs: found, .. }] if found == fcs));
    }
}

#[test]
fn both_byte_orders_of_pcapng_tell_the_packets_of_the_classic_capture() {
    for endian in [Endian::Little, Endian::Big] {
        let (items, info) = read(&pcapng(endian, 9));
        assert_eq!(items, expected(0..9));
        assert!(info.complete && info.warnings.is_empty() && info.format == Format::Pcapng);
    }
}

#[test]
fn each_section_has_its_own_byte_order_interfaces_and_clocks() {
    let mut file = Vec::new();
    for endian in [Endian::Little, Endian::Big, Endian::Little] {
        file.extend(endian.section());
        file.extend(endian.interface(113, 0, &[(9, vec![9]), (14, endian.n64((-3600i64) as u64))]));
        file.extend(endian.interface(1, 0, &[(9, vec![0x80 | 20]), (14, endian.n64(3600))]));
        file.extend(endian.enhanced(1, u64::from(SECONDS) << 20 | 1 << 19, 2, b"ab"));
        file.extend(endian.enhanced(0, u64::from(SECONDS) * 1_000_000_000 + 1, 9, b"cd"));
    }
    let mut reader = Reader::from_read("test", 7, Box::new(io::Cursor::new(file))).unwrap();
    let base = i64::from(SECONDS) * 1_000_000_000;
    for section in 0..3 {
        let Some(Item::Packet(p)) = reader.next() else { panic!() };
        assert_eq!(
            (p.link, p.data, p.seen.at.as_nanos()),
            (LinkType(1), &b"ab"[..], base + 3_600_500_000_000)
        );
        assert_eq!((p.seen.packet.capture(), p.seen.packet.number()), (7, section * 2 + 1));
        let Some(Item::Packet(p)) = reader.next() else { panic!() };
        assert_eq!(
            (p.link, p.original_len, p.seen.at.as_nanos()),
            (LinkType(113), 9, base - 3_599_999_999_999)
        );
    }
    assert!(reader.next().is_none());
    assert_eq!(reader.link_types(), [LinkType(1), LinkType(113)]);
    assert_eq!(reader.info().warnings, ["3 packets were cut by a snap length of 2 bytes"]);
}

#[test]
fn name_resolution_blocks_name_hosts_and_a_broken_one_harms_nothing() {
    for e in [Endian::Little, Endian::Big] {
        let record = |kind, value: &[u8]| {
            let padding = vec![0; value.len().wrapping_neg() % 4];
            [e.n16(kind), e.n16(value.len() as u16), value.to_vec(), padding].concat()
        };
        let four = record(1, b"\x0a\x00\x00\x01edge.example\0");
        let six = record(2, b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07six\0alias\0");
        let file = [
            e.section(),
            e.interface(1, 4, &[]),
            e.block(4, &[four, six, e.n32(0)].concat()),
            e.block(4, &record(1, b"\x0a\x00\x00\x02without.an.end\0")),
            e.block(3, &[e.n32(2), b"no".to_vec()].concat()),
        ]
        .concat();
        let (items, info) = read(&file);
        assert_eq!((items.len(), info.complete, info.warnings.len()), (1, true, 1));
        assert!(info.warnings[0].starts_with("1 packet has no time"), "{info:?}");
        let name = |address: &str| info.names.of(address.parse().unwrap()).map(str::to_owned);
        assert_eq!(name("10.0.0.1").as_deref(), Some("edge.example"));
        assert_eq!(name("2001:db8::7").as_deref(), Some("six"));
        assert_eq!(name("10.0.0.2"), None);
    }
}

#[test]
fn simple_and_obsolete_packets_secrets_and_statistics_are_read_and_the_rest_is_passed_over() {
    for e in [Endian::Little, Endian::Big] {
        let obsolete = [e.n16(0), e.n16(2), e.all32(&[0, 7_000_000, 3, 3]), b"xyz".to_vec()].concat();
        let counts = [(5, e.n64(4)), (7, e.n64(1))];
        let statistics = [e.all32(&[0, 0, 0]), e.options(&counts)].concat();
        let file = [
            e.section(),
            e.interface(1, 4, &[]),
            e.block(0x4242, b"nobody knows me"),
            e.secrets(0x544c_534b, b"CLIENT_RANDOM 00 11"),
            e.secrets(0x5747_4b4c, b"another protocol's"),
            e.block(3, &[e.n32(2), b"no".to_vec()].concat()),
            e.block(2, &obsolete),
            e.block(3, &[e.n32(9), b"long".to_vec()].concat()),
            e.block(5, &statistics),
        ]
        .concat();
        let (items, info) = read(&file);
        let packet = |number, at, original, data: &[u8]| Kept::Packet {
            number,
            at,
            link: 1,
            original,
            fcs: 0,
            data: data.to_vec(),
        };
        assert_eq!(
            items,
            [
                Kept::Secrets(b"CLIENT_RANDOM 00 11".to_vec()),
                packet(1, 0, 2, b"no"),
                packet(2, 7_000_000_000, 3, b"xyz"),
                packet(3, 7_000_000_000, 9, b"long"),
            ]
        );
        assert!(info.complete);
        assert_eq!(
            info.warnings,
            [
                "2 packets have no time (simple packet blocks): silences and durations there are unknown, and shown too short",
                "1 packet was cut by a snap length of 4 bytes",
                "the capturing system lost 7 packets: what looks missing may have been on the wire"
            ]
        );
    }
}

#[test]
fn a_block_length_without_its_padding_is_understood() {
    let e = Endian::Little;
    let mut odd = e.enhanced(0, 0, 3, b"abc");
    let len = e.n32(odd.len() as u32 - 1);
    let end = odd.len() - 4;
    odd[4..8].copy_from_slice(&len);
    odd[end..].copy_from_slice(&len);
    let file = [e.section(), e.interface(1, 0, &[]), odd.clone(), odd].concat();
    let (items, info) = read(&file);
    assert!(items.len() == 2 && info.complete, "{info:?}");
}

// ---- compression

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_captures_in_several_parts_read_like_plain_ones() {
    let file = pcap(40);
    let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let (head, tail) = file.split_at(1000);
    for (kind, stored) in [
        (Compression::Gzip, [gzip(head), gzip(tail)].concat()),
        (Compression::Zstd, [zstd(head), skippable.clone(), zstd(tail)].concat()),
        (Compression::Zstd, [skippable.clone(), zstd(&file)].concat()),
        (Compression::Lz4, [lz4(head), skippable, lz4(tail)].concat()),
    ] {
        for sizes in [&[1 << 20][..], &[1], &[7, 1, 300]] {
            let (items, info) = drain(Reader::from_read("test", 0, pieces(&stored, sizes, false)).unwrap());
            assert_eq!(items, expected(0..40));
            assert!(info.complete && info.compression == Some(kind), "{info:?}");
            assert_eq!(info.bytes, stored.len() as u64);
        }
    }
}

#[test]
fn a_wrong_checksum_or_a_cut_of_compressed_data_is_one_warning() {
    let mut stored = gzip(&pcap(40));
    let crc = stored.len() - 8;
    stored[crc] ^= 1;
    let (items, info) = read(&stored);
    assert_eq!(items, expected(0..40));
    assert!(!info.complete);
    assert_eq!(info.warnings.len(), 1, "{info:?}");
    let offset = pcap(40).len();
    let start = format!("reading failed at offset {offset} of the decompressed data: ");
    assert!(info.warnings[0].starts_with(&start), "{info:?}");

    for stored in [gzip(&pcap(400)), zstd(&pcap(4000)), lz4(&pcap(4000))] {
        let most = &stored[..stored.len() - 20];
        let (items, info) = read(most);
        assert!(items == expected(0..items.len() as u32) && items.len() >= 300, "{}", items.len());
        assert!(!info.complete && info.warnings.len() == 1, "{info:?}");
        let (again, info) = drain(Reader::from_read("test", 0, pieces(most, &[13], true)).unwrap());
        assert_eq!(items, again);
        assert!(info.warnings.len() == 1 && info.warnings[0].contains("the cable was pulled"), "{info:?}");
    }
    let padded = [gzip(&pcap(3)), vec![0; 1000]].concat();
    let (items, info) = read(&padded);
    assert!(items == expected(0..3) && info.complete, "{info:?}");
    let noise = [gzip(&pcap(3)), b"something else".to_vec()].concat();
    let (items, info) = read(&noise);
    assert!(items == expected(0..3) && !info.complete && info.warnings.len() == 1, "{info:?}");
}

#[test]
fn what_is_wrong_with_compressed_data_is_told_in_words() {
    let damaged = |mut stored: Vec<u8>, place: usize| {
        stored[place] ^= 0xff;
        stored
    };
    let (z, l) = (zstd(&pcap(4000)), lz4(&pcap(4000)));
    let noise = b"something else";
    for (stored, told) in [
        (z[..z.len() - 20].to_vec(), "the Zstandard data end too early"),
        (l[..l.len() - 20].to_vec(), "the LZ4 data end too early"),
        (damaged(z.clone(), z.len() - 24), "broken Zstandard data"),
        (damaged(z.clone(), z.len() - 1), "the check sum of the Zstandard data is wrong"),
        (damaged(l.clone(), 6), "the check sum of the LZ4 data is wrong"),
        ([&z[..], noise].concat(), "bytes that are no Zstandard or LZ4 frame follow the compressed data"),
        ([&l[..], noise].concat(), "bytes that are no Zstandard or LZ4 frame follow the compressed data"),
    ] {
        let found = match Reader::from_read("test", 0, Box::new(io::Cursor::new(stored))) {
            Ok(reader) => drain(reader).1.warnings.concat(),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(told), "{told}: {found}");
    }
    assert_eq!(refused(&zstd(&pcap(400))[..40]), "Zstandard data cut before the first packet");
}

// ---- what is no capture

#[test]
fn what_is_no_capture_is_named() {
    assert_eq!(refused(b""), "an empty file");
    assert_eq!(refused(b"\x7fELF\x02\x01\x01"), "an ELF program");
    assert_eq!(refused(b"{\"log\": {}}"), "JSON that begins \"{\\\"log\\\": {}}\"");
    assert_eq!(refused(b"GET / HTTP/1.1\r\n"), "a text that begins \"GET / HTTP/1.1\\r\\n\"");
    assert_eq!(refused(b"red \x1b[31m\xe2\x80\xae"), "a text that begins \"red \\u{1b}[31m\\u{202e}\"");
    assert_eq!(refused(b"<!doctype html>"), "HTML or XML that begins \"<!doctype html>\"");
    assert_eq!(refused(b"CLIENT_RANDOM 0 0"), "a TLS key log that begins \"CLIENT_RANDOM 0 0\"");
    assert_eq!(refused(&[0, 1, 2, 3, 0xff]), "data that begin with the bytes 00 01 02 03 ff");
    assert_eq!(refused(&gzip(b"hello")), "gzip data that hold a text that begins \"hello\"");
    assert_eq!(refused(&gzip(b"")), "gzip data that hold an empty file");
    assert_eq!(refused(&gzip(&gzip(&pcap(1)))), "gzip data that hold gzip data (compressed twice)");
    assert_eq!(refused(&gzip(&pcap(1))[..20]), "gzip data cut before the first packet");
    assert_eq!(refused(&pcap(1)[..10]), "a pcap file cut inside its header: 10 of 24 bytes");
    let ng = pcapng(Endian::Big, 1);
    assert_eq!(refused(&ng[..20]), "a pcapng file cut inside its section header: 20 of 28 bytes");
    let mut long = "x".repeat(600).into_bytes();
    assert_eq!(refused(&long), format!("a text that begins \"{}…\"", "x".repeat(40)));
    long[511] = 0xe2; // a character that the look ahead cuts
    long[512] = 0x82;
    long[513] = 0xac;
    assert!(refused(&long).starts_with("a text"));
}

#[test]
fn an_error_before_the_first_record_stops_the_run_and_a_later_one_does_not() {
    let file = pcap(3);
    for len in [0, 3, 24, 30] {
        let found = Reader::from_read("test", 0, pieces(&file[..len], &[5], true));
        assert!(
            matches!(found, Err(Error::Io { source, .. }) if source.to_string() == "the cable was pulled")
        );
    }
    let (items, info) = drain(Reader::from_read("test", 0, pieces(&file[..200], &[5], true)).unwrap());
    assert_eq!(items, expected(0..2));
    let told = "reading failed at offset 200: the cable was pulled; the packets before it are analysed";
    assert_eq!((info.complete, info.warnings), (false, vec![told.to_owned()]));
}

// ---- one time line

#[test]
fn merged_captures_come_in_the_order_of_time_whatever_the_order_in_which_they_are_given() {
    let capture = |name, times: &[u32]| {
        let mut file = pcap(0);
        times.iter().for_each(|&t| file.extend(pcap_record(Endian::Little, SECONDS + t, 0, b"x")));
        Reader::from_read(name, 0, Box::new(io::Cursor::new(file))).unwrap()
    };
    // The third capture's clock steps back: its packets keep their own order.
    let captures: [(&str, &[u32]); 4] = [("a", &[1, 3, 3, 9]), ("b", &[1, 8]), ("c", &[3, 2, 4]), ("d", &[])];
    for turn in 0..captures.len() {
        let mut given = captures;
        given.rotate_left(turn);
        let mut merged = Merged::new(given.map(|(name, times)| capture(name, times)).into());
        assert_eq!(merged.begins(), Some(Timestamp::from_nanos(i64::from(SECONDS + 1) * 1_000_000_000)));
        let mut order = Vec::new();
        while let Some(item) = merged.next() {
            let Item::Packet(p) = item else { panic!() };
            order.push((p.seen.packet.capture(), p.seen.packet.number()));
        }
        assert_eq!(order, [(0, 1), (1, 1), (0, 2), (0, 3), (2, 1), (2, 2), (2, 3), (1, 2), (0, 4)]);
        assert!(merged.next().is_none());
        assert_eq!(merged.infos().iter().map(|i| i.packets).collect::<Vec<_>>(), [4, 2, 3, 0]);
    }
}

#[test]
fn secrets_come_before_packets_of_any_time() {
    let e = Endian::Little;
    let keyed =
        [pcapng(e, 1), e.secrets(0x544c_534b, b"key"), e.enhanced(0, u64::MAX >> 12, 1, b"z")].concat();
    let reader =
        |index, bytes: Vec<u8>| Reader::from_read("t", index, Box::new(io::Cursor::new(bytes))).unwrap();
    let mut merged = Merged::new(vec![reader(0, pcap(3)), reader(1, keyed)]);
    let mut kinds = String::new();
    while let Some(item) = merged.next() {
        kinds.push(if matches!(item, Item::Secrets(_)) { 's' } else { 'p' });
    }
    assert_eq!(kinds, "ppsppp");
}

#[test]
fn progress_counts_the_stored_bytes() {
    let file = pcap(100);
    let path = std::env::temp_dir().join(format!("wsanalyze-progress-{}", std::process::id()));
    std::fs::write(&path, gzip(&file)).unwrap();
    let total = std::fs::metadata(&path).unwrap().len();
    let mut reader = open(path.to_str().unwrap(), 0).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(reader.advance());
    assert_eq!(reader.progress().1, Some(total));
    while reader.advance() {}
    assert_eq!(reader.progress(), (total, Some(total)));
    assert_eq!(reader.info().bytes, total);
    assert!(matches!(open("/no/such/file", 0), Err(Error::Io { .. })));
}
