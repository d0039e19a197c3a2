//! What a run as a whole may keep: batches on their way, TLS that cannot be opened, contexts of compression.

use super::{MB, Seen, alone, endless};
use crate::hostile::client_hello;
use crate::traffic::{self, CLIENT, Flow, SERVER, Step, Wire, frame};
use flate2::{Compress, Compression, FlushCompress};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;
use wsanalyze::capture::{Merged, Reader};
use wsanalyze::limits;
use wsanalyze::pipeline::{self, Options, Summary};
use wsanalyze::tls::KeyLog;
use wsanalyze::websocket::Depth;

/// Gives one packet a read, or as many as are asked for, and notes how far it was read and whether another thread did.
struct Source {
    packets: u64,
    whole: bool,
    scene: Step,
    given: Arc<AtomicU64>,
    elsewhere: Arc<AtomicBool>,
    caller: thread::ThreadId,
    wire: Wire,
    at: usize,
}

impl Source {
    fn new(packets: u64, scene: Step) -> Source {
        let (given, elsewhere) = Default::default();
        let whole = false;
        Source {
            packets,
            whole,
            scene,
            given,
            elsewhere,
            caller: thread::current().id(),
            wire: Wire::new(),
            at: 0,
        }
    }
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.elsewhere.fetch_or(thread::current().id() != self.caller, SeqCst);
        if self.at == self.wire.bytes.len() {
            self.wire.bytes.clear();
            self.at = 0;
        }
        while self.packets > 0
            && (self.wire.bytes.is_empty() || self.whole && self.wire.bytes.len() < buf.len())
        {
            self.packets -= 1;
            (self.scene)(&mut self.wire);
        }
        let rest = &self.wire.bytes[self.at..];
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        self.given.fetch_add(len as u64, SeqCst);
        Ok(len)
    }
}

/// A scene of one packet a step, each with so much payload.
fn packets(payload: usize) -> Step {
    let mut flow = Flow::new(0);
    Box::new(move |wire| flow.send(wire, CLIENT, &vec![b'x'; payload]))
}

fn run(threads: usize, source: Source, progress: &mut impl FnMut(u64, Option<u64>)) -> Summary {
    let options = Options { threads, ..Options::default() };
    let input = Merged::new(vec![Reader::from_read("made", 0, Box::new(source)).unwrap()]);
    pipeline::analyze_with(&options, KeyLog::default(), input, &mut Seen::default(), progress)
}

#[test]
fn threads_are_begun_for_inputs_beyond_a_length_only() {
    for (packets, threads) in
        [(limits::PACKETS_BEFORE_THREADS - 1, false), (limits::PACKETS_BEFORE_THREADS + 1, true)]
    {
        let source = Source::new(packets, self::packets(0));
        let elsewhere = Arc::clone(&source.elsewhere);
        assert_eq!(run(2, source, &mut |_, _| {}).totals.packets, packets);
        assert_eq!(elsewhere.load(SeqCst), threads, "{packets} packets");
    }
}

#[test]
fn who_is_slow_to_take_what_is_told_slows_the_reading() {
    // In each queue, with who takes from it, and with who fills it; each has what was read at once.
    let most = (limits::QUEUE + limits::REPORTS + 4) * (limits::WINDOW + (64 << 10));
    let mut source = Source::new(5 * most as u64 / 1000, packets(1000));
    source.whole = true;
    let given = Arc::clone(&source.given);
    let mut ahead = 0;
    run(2, source, &mut |read, _| {
        thread::sleep(Duration::from_millis(5));
        ahead = ahead.max(given.load(SeqCst).saturating_sub(read));
    });
    assert!(ahead > 0 && ahead <= most as u64, "{ahead} bytes were read ahead, at most {most} expected");
}

#[test]
fn tls_that_cannot_be_opened_is_listed_up_to_a_number_and_some_of_its_names_are_told() {
    let mut number = 0;
    let scene = traffic::one_by_one(0, move |flow, wire| {
        flow.greet(wire);
        flow.send(wire, CLIENT, &client_hello(format!("{number:05}.example").as_bytes()));
        flow.send(wire, SERVER, &[0x15, 3, 3, 0, 2, 2, 112]);
        flow.finish(wire);
        number += 1;
    });
    let count = 4 * limits::TLS_UNREAD as u64;
    let input = Merged::new(vec![Reader::from_read("made", 0, Box::new(Source::new(count, scene))).unwrap()]);
    let mut seen = Seen::default();
    let summary = pipeline::analyze(input, &mut seen, &mut |_, _| {});
    assert_eq!((summary.totals.tls_connections, seen.connections), (count, limits::TLS_UNREAD as u64));
    let told = &summary.captures[0].warnings;
    let left =
        format!("{} of the TLS connections that could not be read are not listed", count - seen.connections);
    assert!(told.iter().any(|warning| warning.starts_with(&left)), "{told:?}");
    let names = told.iter().map(|warning| warning.matches(".example").count()).max();
    assert_eq!(names, Some(limits::TLS_NAMES), "{told:?}");
}

#[test]
fn a_secret_takes_little_memory_so_that_as_many_as_may_be_take_no_more_than_all_else() {
    // Each is there twice while two lists become one.
    let (count, each) = (1 << 16, 180);
    assert!(limits::KEY_LOG_SECRETS as u64 * each < 192 * MB);
    let test = "whole::a_secret_takes_little_memory_so_that_as_many_as_may_be_take_no_more_than_all_else";
    alone(test, count * each, || {
        for label in ["CLIENT_RANDOM", "RSA"] {
            let mut log = KeyLog::default();
            for n in 0..count {
                // Scattered, as randoms are.
                let name = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let name = if label == "RSA" { format!("{name:016x}") } else { format!("{name:064x}") };
                log.read(format!("{label} {name} {}\n", "07".repeat(48)).as_bytes());
            }
            assert_eq!(log.len() as u64, count);
        }
    });
}

/// `sessions` that stay open, each of whose sides sends a compressed message that the next one may refer to.
fn compressing(sessions: u32) -> Step {
    let mut compress = Compress::new(Compression::fast(), false);
    let mut message = Vec::with_capacity(1000);
    compress.compress_vec(&[b'x'; 3000], &mut message, FlushCompress::Sync).unwrap();
    message.truncate(message.len() - 4);
    let agreed = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let mut number = 0;
    Box::new(move |wire| {
        let mut flow = Flow::new(number % sessions);
        number += 1;
        flow.greet(wire);
        flow.send(wire, CLIENT, traffic::REQUEST.as_bytes());
        let response = traffic::RESPONSE.trim_end();
        flow.send(wire, SERVER, [response, agreed].concat().as_bytes());
        flow.send(wire, CLIENT, &frame(0xc1, Some(traffic::MASK), &message));
        flow.send(wire, SERVER, &frame(0xc1, None, &message));
    })
}

#[test]
fn reading_all_messages_stays_in_its_bound_on_several_threads() {
    let bound = limits::INFLATING_TOTAL as u64 + 40 * MB;
    assert!(bound < 256 * MB);
    alone("whole::reading_all_messages_stays_in_its_bound_on_several_threads", bound, || {
        for threads in [1, 2, 8] {
            let options =
                Options { threads, packets_before_threads: 0, depth: Depth::All, ..Options::default() };
            let mut seen = Seen::default();
            // Four times as many contexts as there is room for.
            let sessions = 4 * limits::INFLATING_TOTAL / (100 << 10) / 2;
            let input = endless(sessions as u64 * 2000, compressing(sessions as u32));
            pipeline::analyze_with(&options, KeyLog::default(), input, &mut seen, &mut |_, _| {});
            assert!(seen.connections >= sessions as u64, "{}", seen.connections);
            println!("on {threads} threads: {} MB so far", super::MEMORY.peak_usage() >> 20);
        }
    });
}
