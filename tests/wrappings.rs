//! One session in many wrappings. What may differ is what a capture says of its file, never what is found in it.

use crate::support::{read, report, rules_of, run, run_with_input, scratch};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write as _};
use wsanalyze::capture::{Merged, Reader};
use wsanalyze::connection::Connection;
use wsanalyze::pipeline::{self, Observer};
use wsanalyze::rules::Finding;

/// Captures in which much happens, in classic little-endian pcap.
const SESSIONS: [&str; 5] = [
    "fixtures/captures/net_reorder.pcap",
    "fixtures/captures/net_overlap.pcap",
    "fixtures/captures/net_ip_fragments.pcap",
    "fixtures/captures/rec_nginx_chat.pcap",
    "fixtures/captures/rec_nginx_no_upgrade.pcap",
];

/// The report without what it says of the file.
fn facts(mut report: Value) -> Value {
    report.as_object_mut().unwrap().remove("captures").unwrap();
    report
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

#[test]
fn the_wrapping_changes_nothing() {
    let folder = scratch("wrappings");
    for path in SESSIONS {
        let bytes = read(path);
        let expected = facts(report(path));
        let wrapped = [
            ("pcapng", pcapng(&bytes)),
            ("big endian", big_endian(&bytes)),
            ("nanoseconds", nanoseconds(&bytes)),
            ("gzip", gzip(&bytes)),
            ("two gzip members", [gzip(&bytes[..500]), gzip(&bytes[500..])].concat()),
            ("Zstandard", zstandard(&bytes)),
            ("LZ4", lz4(&bytes)),
            ("pcapng in gzip", gzip(&pcapng(&bytes))),
        ];
        for (how, bytes) in wrapped {
            // The name says nothing of the contents, and need not.
            let file = folder.join("capture");
            fs::write(&file, bytes).unwrap();
            assert_eq!(facts(report(file.to_str().unwrap())), expected, "{path} as {how}");
        }
    }
}

#[test]
fn standard_input_gives_what_the_file_gives() {
    for path in SESSIONS {
        for bytes in [read(path), gzip(&read(path))] {
            let ran = run_with_input(&["--format", "json", "-"], bytes);
            assert_eq!(facts(parse(&ran.out)), facts(report(path)), "{path}");
            assert_eq!(ran.status, run(&[path]).status, "{path}");
        }
    }
}

#[test]
fn the_size_of_the_reads_changes_nothing() {
    for path in SESSIONS {
        let bytes = read(path);
        for bytes in [bytes.clone(), pcapng(&bytes), gzip(&bytes)] {
            let whole = told(Reader::from_read(
                path,
                0,
                Box::new(Crumbs { bytes: bytes.clone(), at: 0, size: usize::MAX }),
            ));
            assert!(!whole.is_empty());
            for size in [1, 7, 1000] {
                let crumbs = Crumbs { bytes: bytes.clone(), at: 0, size };
                assert_eq!(
                    told(Reader::from_read(path, 0, Box::new(crumbs))),
                    whole,
                    "{path} by {size} bytes"
                );
            }
        }
    }
}

#[test]
fn a_capture_cut_into_files_gives_one_connection() {
    let folder = scratch("rotated");
    for path in SESSIONS {
        let bytes = read(path);
        let begins = records(&bytes);
        let third = begins.len() / 3;
        let cuts = [begins[0], begins[third], begins[2 * third], bytes.len()];
        let files: Vec<String> = (0..3)
            .map(|n| {
                let file = folder.join(format!("{n}.pcap"));
                fs::write(&file, [&bytes[..24], &bytes[cuts[n]..cuts[n + 1]]].concat()).unwrap();
                file.to_str().unwrap().to_owned()
            })
            .collect();
        let whole = report(path);
        let args: Vec<&str> =
            ["--format", "json"].into_iter().chain(files.iter().map(String::as_str)).collect();
        let parts = parse(&run(&args).out);
        assert_eq!(rules_of(&parts), rules_of(&whole), "{path}");
        assert_eq!(sessions(&parts), sessions(&whole), "{path}");
    }
}

/// Of each connection its client, its outcome and its frames, which do not depend on the numbers of packets.
fn sessions(report: &Value) -> Vec<(Value, Value, Value)> {
    let counts = |c: &Value| {
        let mut frames = c["frames"].clone();
        for side in frames.as_object_mut().into_iter().flat_map(|sides| sides.values_mut()) {
            // Packets have other numbers in other files.
            for place in ["first", "last"] {
                assert!(side.as_object_mut().unwrap().remove(place).is_some(), "{place}");
            }
        }
        frames
    };
    let connections = report["connections"].as_array().unwrap();
    connections.iter().map(|c| (c["client"].clone(), c["outcome"].clone(), counts(c))).collect()
}

/// Runs the program where it may have so many files open.
#[cfg(unix)]
fn run_with_few_files(limit: u32, args: &[&str]) -> crate::support::Ran {
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]);
    shell.arg(env!("CARGO_BIN_EXE_wsanalyze")).args(args).stdin(std::process::Stdio::null());
    shell.output().unwrap().into()
}

#[cfg(unix)]
#[test]
fn a_rotated_capture_may_have_more_files_than_may_be_open() {
    let folder = scratch("many");
    let path = "fixtures/captures/rec_nginx_chat.pcap";
    let bytes = read(path);
    let begins = records(&bytes);
    let ends = begins.iter().skip(1).chain([&bytes.len()]).copied().collect::<Vec<_>>();
    assert!(begins.len() > 24, "{} packets are too few", begins.len());
    for (index, (&begin, &end)) in begins.iter().zip(&ends).enumerate() {
        let file = [&bytes[..24], &bytes[begin..end]].concat();
        let file = match index % 4 {
            0 => file,
            1 => gzip(&file),
            2 => zstandard(&pcapng(&file)),
            _ => big_endian(&file),
        };
        // The names are in the opposite order.
        fs::write(folder.join(format!("{:04}", 5000 - index)), file).unwrap();
    }
    let whole = report(path);
    for threads in ["1", "4"] {
        let args = ["--format", "json", "--threads", threads, folder.to_str().unwrap()];
        let ran = run_with_few_files(20, &args);
        assert_eq!(ran.err, "", "with {threads} threads");
        let parts = parse(&ran.out);
        assert_eq!(rules_of(&parts), rules_of(&whole), "with {threads} threads");
        assert_eq!(sessions(&parts), sessions(&whole), "with {threads} threads");
    }
}

#[cfg(unix)]
#[test]
fn captures_that_overlap_and_are_too_many_are_told_in_one_line() {
    let folder = scratch("overlapping");
    let bytes = read("fixtures/captures/rec_nginx_chat.pcap");
    (0..40).for_each(|index| fs::write(folder.join(format!("{index:02}.pcap")), &bytes).unwrap());
    let ran = run_with_few_files(20, &["--format", "json", folder.to_str().unwrap()]);
    assert_eq!((ran.status, ran.err.lines().count()), (3, 1), "{}", ran.err);
    assert!(ran.err.contains("more: too many captures overlap in time"), "{}", ran.err);
    let extracted = folder.with_extension("pcapng");
    let _ = fs::remove_file(&extracted);
    let args = ["extract", "0", extracted.to_str().unwrap(), folder.to_str().unwrap()];
    let extract = run_with_few_files(20, &args);
    assert_eq!((extract.status, extract.err.lines().count()), (3, 1), "{}", extract.err);
    assert!(!extracted.exists());
    let report = parse(&ran.out);
    let captures = report["captures"].as_array().unwrap();
    let read = captures.iter().filter(|capture| capture["packets"] != 0).count();
    assert!((8..40).contains(&read), "{read} of {} captures were read", captures.len());
}

/// All that is told of each connection.
fn told(reader: Result<Reader, wsanalyze::error::Error>) -> String {
    struct Words(String);
    impl Observer for Words {
        fn connection(&mut self, connection: Box<Connection>, findings: Vec<Finding>) {
            self.0 += &format!("{connection:?}\n{findings:?}\n");
        }
    }
    let mut words = Words(String::new());
    let summary = pipeline::analyze(Merged::new(vec![reader.unwrap()]), &mut words, &mut |_, _| {});
    words.0 + &format!("{:?}", summary.totals)
}

/// Gives at most `size` bytes a read.
struct Crumbs {
    bytes: Vec<u8>,
    at: usize,
    size: usize,
}

impl Read for Crumbs {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let len = buf.len().min(self.size).min(self.bytes.len() - self.at);
        buf[..len].copy_from_slice(&self.bytes[self.at..self.at + len]);
        self.at += len;
        Ok(len)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Where each record of a little-endian pcap begins.
fn records(pcap: &[u8]) -> Vec<usize> {
    let mut begins = Vec::new();
    let mut at = 24;
    while at < pcap.len() {
        begins.push(at);
        at += 16 + word(pcap, at + 8) as usize;
    }
    begins
}

/// Seconds, microseconds, captured and original length, data.
fn packets(pcap: &[u8]) -> impl Iterator<Item = ([u32; 4], &[u8])> {
    assert_eq!(word(pcap, 0), 0xa1b2_c3d4, "little-endian, microseconds");
    records(pcap).into_iter().map(|at| {
        let fields = [0, 4, 8, 12].map(|field| word(pcap, at + field));
        (fields, &pcap[at + 16..at + 16 + fields[2] as usize])
    })
}

fn big_endian(pcap: &[u8]) -> Vec<u8> {
    let mut out = 0xa1b2_c3d4_u32.to_be_bytes().to_vec();
    out.extend([0, 2, 0, 4]);
    out.extend([8, 12, 16, 20].into_iter().flat_map(|at| word(pcap, at).to_be_bytes()));
    for (fields, data) in packets(pcap) {
        out.extend(fields.into_iter().flat_map(u32::to_be_bytes));
        out.extend(data);
    }
    out
}

fn nanoseconds(pcap: &[u8]) -> Vec<u8> {
    let mut out = 0xa1b2_3c4d_u32.to_le_bytes().to_vec();
    out.extend(&pcap[4..24]);
    for ([seconds, micros, captured, original], data) in packets(pcap) {
        out.extend([seconds, micros * 1000, captured, original].into_iter().flat_map(u32::to_le_bytes));
        out.extend(data);
    }
    out
}

/// Section header, one interface with microseconds, enhanced packet blocks.
pub fn pcapng(pcap: &[u8]) -> Vec<u8> {
    fn block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
        let padding = body.len().next_multiple_of(4) - body.len();
        let length = (12 + body.len() + padding) as u32;
        out.extend([kind, length].into_iter().flat_map(u32::to_le_bytes));
        out.extend(body);
        out.extend(&[0; 3][..padding]);
        out.extend(length.to_le_bytes());
    }
    let mut out = Vec::new();
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    block(&mut out, 0x0a0d_0d0a, &section);
    let interface =
        [word(pcap, 20), word(pcap, 16)].into_iter().flat_map(u32::to_le_bytes).collect::<Vec<_>>();
    block(&mut out, 1, &interface);
    for ([seconds, micros, captured, original], data) in packets(pcap) {
        let at = u64::from(seconds) * 1_000_000 + u64::from(micros);
        let fields = [0, (at >> 32) as u32, at as u32, captured, original];
        let body =
            fields.into_iter().flat_map(u32::to_le_bytes).chain(data.iter().copied()).collect::<Vec<_>>();
        block(&mut out, 6, &body);
    }
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
