//! The number of threads changes nothing but the time that it takes. What an observer is told, in which order, is compared
//! to the letter: whatever a report says comes from that.

use crate::support::{captures, files, read, root, run};
use crate::traffic::{self, Endless, Step};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fmt::Write as _;
use std::io::{self, Cursor, Read, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use wsanalyze::capture::{Merged, Reader, open};
use wsanalyze::connection::Connection;
use wsanalyze::legs::LegPair;
use wsanalyze::pipeline::{self, Observer, Options};
use wsanalyze::rules::Finding;
use wsanalyze::tls::KeyLog;

type Scene = fn() -> Step;

/// Threads, and packets that are read before they are begun.
const RUNS: [(usize, u64); 4] = [(2, 0), (3, 0), (8, 0), (16, 5)];

#[test]
fn any_number_of_threads_tells_the_same_of_every_fixture() {
    let captures = captures();
    assert!(captures.len() > 25);
    for path in captures {
        let path = root().join(path);
        let path = path.to_str().unwrap();
        is_the_same(path, || Merged::new(vec![open(path, 0).unwrap()]));
    }
}

#[test]
fn any_number_of_threads_tells_the_same_of_all_fixtures_at_once() {
    let paths: Vec<_> = captures().iter().map(|path| root().join(path)).collect();
    let open =
        |(index, path): (usize, &std::path::PathBuf)| open(path.to_str().unwrap(), index as u16).unwrap();
    is_the_same("all", || Merged::new(paths.iter().enumerate().map(open).collect()));
}

#[test]
fn any_number_of_threads_tells_the_same_of_made_traffic() {
    let scenes: [(&str, Scene); 4] = [
        ("chat", || traffic::chat(50)),
        ("bulk", traffic::bulk),
        ("storm", || traffic::storm(1010)),
        ("haystack", traffic::haystack),
    ];
    for (name, scene) in scenes {
        is_the_same(name, || made(1 << 20, scene));
    }
}

#[test]
fn bounds_take_away_the_same_whatever_the_number_of_threads() {
    // More than limits::FLOWS, than limits::HELD_BYTES_TOTAL and than limits::BUFFERED_TOTAL.
    let scenes: [(&str, u64, Scene); 3] = [
        ("were given up", 19, traffic::half_open),
        ("gaps were given up early", 66, || traffic::holes(2_000)),
        ("before their first head was whole", 40, || traffic::giant_heads(700)),
    ];
    for (warning, megabytes, scene) in scenes {
        let one = told(1, 0, made(megabytes << 20, scene));
        assert!(one.contains(warning), "{warning}: {one}");
        assert!(one == told(3, 0, made(megabytes << 20, scene)), "{warning}");
    }
}

fn made(bytes: u64, scene: Scene) -> Merged {
    Merged::new(vec![Reader::from_read("made", 0, Box::new(Endless::new(bytes, scene()))).unwrap()])
}

#[test]
fn what_is_compressed_or_cut_is_told_the_same_too() {
    let made = traffic::capture(1 << 20, traffic::storm(1010));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&made).unwrap();
    let packed = encoder.finish().unwrap();
    let mut wrong_sum = packed.clone();
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 1;
    let cut = &packed[..packed.len() / 2];
    for (name, bytes) in [("plain", &made[..]), ("gzip", &packed), ("wrong sum", &wrong_sum), ("cut", cut)] {
        let source = || Box::new(Cursor::new(bytes.to_vec()));
        is_the_same(name, || Merged::new(vec![Reader::from_read(name, 0, source()).unwrap()]));
    }
}

#[test]
fn damaged_captures_are_told_the_same() {
    for path in files("fixtures/broken") {
        let bytes = read(&path);
        if Reader::from_read(&path, 0, Box::new(Cursor::new(bytes.clone()))).is_err() {
            continue;
        }
        let source = || Box::new(Cursor::new(bytes.clone()));
        is_the_same(&path, || Merged::new(vec![Reader::from_read(&path, 0, source()).unwrap()]));
    }
}

#[test]
fn a_plain_file_that_threads_copy_by_turns_is_told_the_same() {
    let whole = traffic::capture(5 << 20, traffic::haystack());
    let mut damaged = whole.clone();
    damaged[2 << 20..5 << 19].fill(0xff);
    let cut = &whole[..whole.len() - 40];
    for (name, bytes) in [("whole", &whole[..]), ("damaged", &damaged), ("cut", cut)] {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("by-turns-{name}.pcap"));
        std::fs::write(&path, bytes).unwrap();
        is_the_same(name, || Merged::new(vec![open(path.to_str().unwrap(), 0).unwrap()]));
    }
}

#[test]
fn what_comes_through_a_slow_pipe_is_worked_on_at_once() {
    let made = traffic::capture(64 << 10, traffic::chat(3));
    let half = made.len() / 2;
    let (arrived, arrivals) = channel();
    // The second half is written once the first one was worked on.
    let source = Box::new(Pipe { bytes: made, at: 0, pauses: half, arrivals });
    let input = Merged::new(vec![Reader::from_read("pipe", 0, source).unwrap()]);
    let options = Options { threads: 3, packets_before_threads: 0, ..Options::default() };
    let mut progress = |read: u64, _| {
        if read >= half as u64 {
            let _ = arrived.send(());
        }
    };
    let mut told = Words(String::new());
    pipeline::analyze_with(&options, KeyLog::default(), input, &mut told, &mut progress);
    assert_eq!(
        told.0.matches("established").count() + told.0.matches("Established").count(),
        3,
        "{}",
        told.0
    );
}

#[test]
fn a_panic_of_one_thread_ends_the_run() {
    for threads in [1, 4] {
        let source = Box::new(Bomb(traffic::capture(1 << 20, traffic::storm(1000)), 0));
        let input = Merged::new(vec![Reader::from_read("bomb", 0, source).unwrap()]);
        let options = Options { threads, packets_before_threads: 0, ..Options::default() };
        let run = || {
            let mut told = Words(String::new());
            pipeline::analyze_with(&options, KeyLog::default(), input, &mut told, &mut |_, _| {});
        };
        let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"no more"), "{threads} threads");
    }
}

#[test]
fn a_panic_of_whoever_is_told_ends_the_run_though_input_is_left() {
    struct Panics;
    impl Observer for Panics {
        fn connection(&mut self, _: Box<Connection>, _: Vec<Finding>) {
            panic!("enough");
        }
    }
    let source = Box::new(Endless::new(1 << 40, traffic::storm(1000)));
    let input = Merged::new(vec![Reader::from_read("endless", 0, source).unwrap()]);
    let options = Options { threads: 4, packets_before_threads: 0, ..Options::default() };
    let run = || {
        pipeline::analyze_with(&options, KeyLog::default(), input, &mut Panics, &mut |_, _| {});
    };
    let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"enough"));
}

#[test]
fn the_number_of_threads_is_an_option() {
    let capture = "fixtures/captures/rec_nginx_chat.pcap";
    let one = run(&["--threads", "1", "--format", "json", capture]);
    let four = run(&["--threads", "4", "--format", "json", capture]);
    assert_eq!((one.status, &one.out), (four.status, &four.out));
    assert_eq!(run(&["--threads", "0", capture]).status, 2);
}

/// One thread and all [`RUNS`] tell an observer the same of the input.
#[track_caller]
fn is_the_same(name: &str, input: impl Fn() -> Merged) {
    let expected = told(1, 0, input());
    for (threads, alone) in RUNS {
        let run = told(threads, alone, input());
        let differs = expected.lines().zip(run.lines()).find(|(one, other)| one != other);
        assert!(differs.is_none(), "{name}, {threads} threads after {alone} packets: {differs:#?}");
        assert_eq!(expected.len(), run.len(), "{name}, {threads} threads after {alone} packets");
    }
}

/// All that an observer is told by a run.
fn told(threads: usize, alone: u64, input: Merged) -> String {
    let mut keys = KeyLog::default();
    for log in files("fixtures/keys") {
        keys.read(&read(&log));
    }
    let options = Options { threads, packets_before_threads: alone, ..Options::default() };
    let mut words = Words(String::new());
    let summary = pipeline::analyze_with(&options, keys, input, &mut words, &mut |_, _| {});
    words.0 + &format!("{summary:#?}")
}

struct Words(String);

impl Observer for Words {
    fn connection(&mut self, connection: Box<Connection>, findings: Vec<Finding>) {
        writeln!(self.0, "{connection:?}\n{findings:?}").unwrap();
    }

    fn legs(&mut self, pair: LegPair) {
        writeln!(self.0, "{pair:?}").unwrap();
    }
}

/// Gives so many bytes, waits for a sign, and gives the rest.
struct Pipe {
    bytes: Vec<u8>,
    at: usize,
    pauses: usize,
    arrivals: Receiver<()>,
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.pauses {
            let sign = self.arrivals.recv_timeout(Duration::from_secs(20));
            sign.map_err(|_| io::Error::other("what was written first was not worked on"))?;
        }
        let end = if self.at < self.pauses { self.pauses } else { self.bytes.len() };
        let count = (end - self.at).min(buf.len());
        buf[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Gives its bytes, and then panics.
struct Bomb(Vec<u8>, usize);

impl Read for Bomb {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = (self.0.len() - self.1).min(buf.len());
        assert!(count > 0, "no more");
        buf[..count].copy_from_slice(&self.0[self.1..self.1 + count]);
        self.1 += count;
        Ok(count)
    }
}
