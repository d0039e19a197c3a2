//! Memory is measured in a process of its own, for the counter counts all threads of one. The modules take the bounds of
//! `limits.rs` stage by stage: input that goes well past each of them.

mod capture;
mod net;
mod tcp;
mod whole;

use crate::traffic::{self, Endless, Step};
use peak_alloc::PeakAlloc;
use std::io::Write as _;
use std::process::Command;
use wsanalyze::capture::{Merged, Reader};
use wsanalyze::connection::{Connection, Outcome};
use wsanalyze::limits;
use wsanalyze::pipeline::{self, Observer, Options, Summary};
use wsanalyze::report::{Glyphs, Page, Secrets, TableReport};
use wsanalyze::rules::Finding;
use wsanalyze::tls::KeyLog;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MB: u64 = 1 << 20;

#[test]
fn two_hundred_megabytes_of_bulk_take_no_more_than_two() {
    alone("two_hundred_megabytes_of_bulk_take_no_more_than_two", 2 * MB, || {
        let (summary, seen) = analyze(200 * MB, traffic::bulk());
        assert!(summary.captures[0].complete && summary.totals.packets > 130_000);
        assert_eq!((seen.connections, seen.messages > 3_000, seen.lost), (1, true, 0));
    });
}

#[test]
fn fifty_chats_take_the_same_memory_however_long_they_last() {
    alone("fifty_chats_take_the_same_memory_however_long_they_last", 2 * MB, || {
        let (_, seen) = analyze(30 * MB, traffic::chat(50));
        assert_eq!((seen.connections, seen.established, seen.lost), (50, 50, 0));
        assert!(seen.messages > 100_000);
    });
}

// The last connections that ended wait to be judged (limits::WAITING_CONNECTIONS): the memory is theirs.
#[test]
fn connections_that_ended_are_forgotten() {
    alone("connections_that_ended_are_forgotten", 48 * MB, || {
        let (summary, seen) = analyze(20 * MB, traffic::storm(1000));
        assert!(seen.connections > 15_000 && seen.established == seen.connections);
        assert_eq!(summary.totals.websocket_connections, seen.connections);
    });
}

#[test]
fn twenty_thousand_equal_faults_are_one_row_and_little_memory() {
    alone("twenty_thousand_equal_faults_are_one_row_and_little_memory", 48 * MB, || {
        let mut report = TableReport::new(Secrets::Hidden);
        let summary = pipeline::analyze(endless(20 * MB, traffic::storm(1010)), &mut report, &mut |_, _| {});
        let mut page = Vec::new();
        report.write(Page::new(80, false, Glyphs::Unicode), &summary, &mut page).unwrap();
        assert!(page.len() < 10_000, "{}", page.len());
    });
}

#[test]
fn half_open_connections_beyond_the_limit_are_given_up() {
    alone("half_open_connections_beyond_the_limit_are_given_up", 48 * MB, || {
        let syns = limits::FLOWS as u64 + 100_000;
        let (summary, seen) = analyze(syns * 70, traffic::half_open());
        assert!(summary.totals.tcp_connections >= syns && seen.connections == 0);
        let told = &summary.captures[0].warnings;
        assert!(
            told.iter().any(|warning| warning.contains("that nobody answered were given up")),
            "{told:?}"
        );
    });
}

#[test]
fn bytes_that_wait_behind_holes_are_bounded() {
    let bound = limits::HELD_BYTES_TOTAL as u64 + 32 * MB;
    alone("bytes_that_wait_behind_holes_are_bounded", bound, || {
        let (_, seen) = analyze(160 * MB, traffic::holes(2_000));
        assert_eq!(seen.connections, 2_000);
        assert!(seen.lost >= 1_990, "{}", seen.lost);
    });
}

#[test]
fn heads_without_end_are_given_up() {
    let bound = 300 * 2 * limits::HEAD as u64;
    alone("heads_without_end_are_given_up", bound, || {
        let (summary, _) = analyze(100 * MB, traffic::giant_heads(300));
        assert_eq!(summary.totals.tcp_connections, 300);
        assert_eq!(summary.totals.established, 0);
    });
}

/// Each scene sends so much that a bound which does not hold is noticed: it fails where `limits::UNANSWERED_FLOWS`,
/// `limits::HELD_BYTES_TOTAL`, `limits::BUFFERED_TOTAL` or `limits::WAITING_CONNECTIONS` is eight times as large.
#[test]
fn hostile_input_stays_within_its_bound_on_several_threads() {
    if !is_alone("hostile_input_stays_within_its_bound_on_several_threads") {
        return;
    }
    for threads in [2, 8] {
        for Hostile { name, sent, bound, scene } in hostile() {
            let peak = peak(|| {
                let options = Options { threads, packets_before_threads: 0, ..Options::default() };
                let mut seen = Seen::default();
                let (input, keys) = (endless(sent, scene), KeyLog::default());
                let summary = pipeline::analyze_with(&options, keys, input, &mut seen, &mut |_, _| {});
                assert!(summary.totals.packets > 10_000, "{name}");
            });
            println!("{name} on {threads} threads: {} KiB at the peak", peak >> 10);
            assert!(peak <= bound, "{name} on {threads} threads: {peak} bytes, at most {bound} allowed");
        }
    }
}

/// What strangers send to fill memory.
struct Hostile {
    name: &'static str,
    /// Bytes of it.
    sent: u64,
    /// Bytes that the run may take at its peak, some 8 MB of which are pieces and batches on their way.
    bound: u64,
    scene: Step,
}

fn hostile() -> [Hostile; 6] {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 8 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let scene = |name, sent, bound, scene| Hostile { name, sent: sent * MB, bound: bound * MB, scene };
    [
        scene("half-open connections", 12, 16, traffic::half_open()),
        scene("holes", 80, 64, traffic::holes(2_000)),
        scene("giant heads", 32, 20, traffic::giant_heads(1_000)),
        scene("giant frames", 16, 10, traffic::giant_frames(2_000)),
        scene("bombs", 16, 12, traffic::bombs(bomb)),
        scene("a storm", 12, 20, traffic::storm(1009)),
    ]
}

/// What came of a run.
#[derive(Default)]
struct Seen {
    connections: u64,
    established: u64,
    messages: u64,
    /// Connections of which bytes are missing.
    lost: u64,
}

impl Observer for Seen {
    fn connection(&mut self, connection: Box<Connection>, _: Vec<Finding>) {
        self.connections += 1;
        self.established += u64::from(connection.outcome == Outcome::Established);
        self.lost += u64::from(!connection.quality.is_whole());
        if let Some(frames) = &connection.frames {
            let sides = wsanalyze::role::Role::BOTH.iter().map(|&role| frames[role].messages);
            self.messages += sides.sum::<u64>();
        }
    }
}

fn analyze(bytes: u64, step: Step) -> (Summary, Seen) {
    let mut seen = Seen::default();
    let summary = pipeline::analyze(endless(bytes, step), &mut seen, &mut |_, _| {});
    (summary, seen)
}

fn endless(bytes: u64, step: Step) -> Merged {
    let source = Box::new(Endless::new(bytes, step));
    Merged::new(vec![Reader::from_read("made", 0, source).unwrap()])
}

/// Runs `body` in a process of its own and holds it to `bound` bytes.
fn alone(test: &str, bound: u64, body: impl FnOnce()) {
    if !is_alone(test) {
        return;
    }
    let peak = peak(body);
    println!("{test}: {} KiB at the peak", peak >> 10);
    assert!(peak <= bound, "{peak} bytes at the peak, at most {bound} allowed");
}

/// Runs what `prepared` gives in a process of its own, first with as much as the bound allows and then with four times as
/// much, which must not take four times the memory, nor twice as much: a hash table from which as much is taken as is put
/// in doubles once, and stays so.
fn flat<F: FnOnce()>(test: &str, prepared: impl Fn(usize) -> F) {
    if !is_alone(test) {
        return;
    }
    let (once, more) = (peak(prepared(1)), peak(prepared(4)));
    println!("{test}: {} KiB at the bound, {} KiB beyond it", once >> 10, more >> 10);
    assert!(more <= 2 * once + (32 << 10), "{once} bytes at the bound, {more} beyond it");
}

/// Bytes that `body` keeps at its peak.
fn peak(body: impl FnOnce()) -> u64 {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    body();
    (MEMORY.peak_usage() - before) as u64
}

/// Whether this process has nothing to do but this test; where it has, one is begun that has not, and must succeed.
fn is_alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let ran = Command::new(std::env::current_exe().unwrap())
        .args([&format!("bounds::{test}"), "--exact", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// Set in the process that measures.
const ALONE: &str = "WSANALYZE_TEST_ALONE";
