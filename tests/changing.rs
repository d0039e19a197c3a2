//! What is cut, or changes while it is read, is read as far as it goes, and said in one line.

use crate::support::{Ran, program, read, run, scratch};
use crate::traffic;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;
use wsanalyze::capture::{CaptureInfo, Merged, open};
use wsanalyze::connection::Connection;
use wsanalyze::pipeline::{self, Observer};
use wsanalyze::rules::Finding;

/// A capture with a finding of its first session, an error.
const FAULT: &str = "fixtures/captures/ext_1010_reason_list.pcapng";

struct Nobody;

impl Observer for Nobody {
    fn connection(&mut self, _: Box<Connection>, _: Vec<Finding>) {}
}

/// What is known of a file that `change` changes once its first window was read, and how many connections it has.
fn changed(path: &Path, change: impl FnOnce(&File)) -> (CaptureInfo, u64) {
    let mut input = Merged::new(vec![open(path.to_str().unwrap(), 0).unwrap()]);
    assert!(input.begins().is_some(), "it is being read");
    change(&OpenOptions::new().append(true).open(path).unwrap());
    input.read_ahead();
    let summary = pipeline::analyze(input, &mut Nobody, &mut |_, _| {});
    let mut captures = summary.captures;
    (captures.remove(0), summary.totals.websocket_connections)
}

/// Connections one after another, and where one of them ends.
fn storm() -> (Vec<u8>, usize) {
    let half = traffic::capture(1 << 20, traffic::storm(1000));
    let whole = traffic::capture(2 << 20, traffic::storm(1000));
    assert!(whole.starts_with(&half));
    (whole, half.len())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_file_that_grows_while_it_is_read_is_read_to_its_new_end() {
    let (whole, half) = storm();
    let path = scratch("grows").join("capture.pcap");
    let read_whole = |at: usize, until: usize| {
        fs::write(&path, &whole[..at]).unwrap();
        changed(&path, |mut file| file.write_all(&whole[at..until]).unwrap())
    };
    let (info, connections) = read_whole(half, whole.len());
    assert_eq!((info.complete, info.warnings.len(), info.bytes), (true, 0, whole.len() as u64));
    // Cut inside a record at first, and complete in the end.
    assert_eq!(read_whole(half - 10, whole.len()).1, connections);
    // Whoever writes it is in the middle of a record.
    let (info, fewer) = read_whole(half, whole.len() - 5);
    assert!(!info.complete && connections - fewer <= 1, "{fewer} of {connections}");
    assert!(
        matches!(&info.warnings[..], [told] if told.starts_with("the capture ends inside the packet record"))
    );
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_read_to_its_new_end() {
    let (whole, half) = storm();
    let path = scratch("shrinks").join("capture.pcap");
    let (size, left) = (whole.len(), half);
    fs::write(&path, &whole).unwrap();
    let (info, connections) = changed(&path, |file| file.set_len(left as u64).unwrap());
    assert!(!info.complete && connections > 500, "{connections} connections");
    let told = format!("the file became shorter while it was read: {left} of {size} bytes were there");
    assert_eq!(info.warnings, [told]);
    fs::write(&path, &whole).unwrap();
    let (info, same) = changed(&path, |file| file.set_len(left as u64 - 5).unwrap());
    assert!(!info.complete && connections - same <= 1, "{same} of {connections}");
    assert!(
        matches!(&info.warnings[..], [told] if told.starts_with("the capture ends inside the packet record"))
    );
    // Compressed, what is gone is the end of the compressed data.
    let packed = gzip(&whole);
    fs::write(&path, &packed).unwrap();
    let (info, fewer) = changed(&path, |file| file.set_len(packed.len() as u64 / 2).unwrap());
    assert!(!info.complete && fewer > 500, "{fewer} connections");
    assert!(matches!(&info.warnings[..], [told] if told.starts_with("reading failed at offset")), "{info:?}");
}

/// What the program says of a capture of which not all can be read: the finding, one line on what is wrong, the status
/// of the finding.
fn is_told_once(ran: &Ran, report: &Value, line: &str) {
    assert_eq!((ran.status, ran.err.as_str()), (1, ""), "{line}");
    assert!(ran.out.contains("client closed with 1010"), "{}", ran.out);
    let warnings = report["captures"][0]["warnings"].as_array().unwrap();
    assert!(matches!(&warnings[..], [told] if told.as_str().unwrap().contains(line)), "{warnings:?}");
    assert_eq!(report["captures"][0]["complete"], false);
    let words: Vec<&str> = line.split_whitespace().collect();
    let said = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(said.matches(&words.join(" ")).count(), 1, "{}", ran.out);
}

#[test]
fn what_cannot_be_read_to_its_end_is_said_in_one_line_and_its_findings_count() {
    let whole = read(FAULT);
    // The last packets are the end of TCP.
    let cut = &whole[..whole.len() - 20];
    let packed = gzip(&whole);
    let mut wrong_sum = packed.clone();
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 1;
    let path = scratch("cut").join("capture");
    let path = path.to_str().unwrap();
    for (bytes, line) in [
        (cut, "the capture ends inside the block at offset"),
        (&wrong_sum[..], "the check sum of the gzip data is wrong"),
        (&packed[..packed.len() - 30], "the gzip data end too early"),
    ] {
        fs::write(path, bytes).unwrap();
        let json = serde_json::from_str(&run(&["--format", "json", path]).out).unwrap();
        is_told_once(&run(&[path]), &json, line);
        // The same through a pipe whose other end goes away.
        let piped = |args: &[&str]| crate::support::run_with_input(args, bytes.to_vec());
        let json = serde_json::from_str(&piped(&["--format", "json", "-"]).out).unwrap();
        is_told_once(&piped(&["-"]), &json, line);
    }
}

#[test]
fn a_reader_that_goes_away_in_the_middle_of_a_long_report_is_no_error() {
    let path = scratch("closed").join("storm.pcap");
    fs::write(&path, traffic::capture(1 << 20, traffic::storm(1010))).unwrap();
    for format in crate::formats::formats() {
        let mut child = program()
            .args(["--format", &format, path.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 100];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(1), ""), "{format}");
    }
}
