//! The stages wired together; the only file that knows all of them.
//!
//! ```text
//!  front ──Segment──▶ part 0 … part 15 ──Told──▶ ledger ──▶ bench ──Connection, findings──▶ Observer
//! ```
//!
//! The front reads packets and finds the segments in them. Flows are divided by their key into a fixed number of parts
//! ([`limits::PARTS`]), each of which reassembles and follows its own. The ledger numbers the flows, in the order of their
//! first packets, and the bench keeps connections until they can be judged with what stands around them.
//!
//! What is found does not depend on the number of threads, because everything that could depend on it does not:
//!
//! - a bound on all flows together is divided among the parts, so that it takes away the same wherever a part is worked on;
//! - what flows tell is tagged with the packet that caused it, and comes to the ledger in that order; what is open at the
//!   end is ended in the order of first packets;
//! - stages that know several flows at once stand before the parts (fragments, checksums) or behind them (numbers, legs,
//!   what many have in common), and so on one thread. TLS sessions, which one flow begins and another resumes, are known to
//!   all parts in the order of the packets.
//!
//! With one thread, and at the start of every run, all this happens on the calling thread. Once an input proves not to be
//! small, the same parts are handed to workers: see `threads`. Nothing in the stages knows of it.

mod alone;
mod bench;
mod front;
mod ledger;
mod part;
mod quality;
mod streams;
mod threads;
mod warnings;

use crate::capture::{CaptureInfo, Merged};
use crate::connection::{Connection, Outcome, Transport, Unused};
use crate::error::Error;
use crate::legs::LegPair;
use crate::limits;
use crate::net;
use crate::role::Role;
use crate::rules::{self, Finding, Selection};
use crate::tls::KeyLog;
use crate::websocket::Depth;
use front::Front;
use ledger::Ledger;
pub use quality::Quality;
use threads::Threads;
use warnings::{
    bench_note, checksum_note, flow_warnings, http3_note, name_links, net_warnings, tcp_warnings,
    tls_warnings,
};

/// Receives what an analysis finds, connection by connection, in the order in which they become final.
pub trait Observer {
    /// Takes one connection and what the rules say of it.
    fn connection(&mut self, connection: Box<Connection>, findings: Vec<Finding>);

    /// Takes a pair of legs, before either of its connections.
    fn legs(&mut self, pair: LegPair) {
        let _ = pair;
    }

    /// Takes that one connection is the second picture of another, taken on the other side of an address translation: both by
    /// [`Connection::serial`], and before either of them.
    fn again(&mut self, first: u64, second: u64) {
        let _ = (first, second);
    }
}

/// What is known when all input was read.
#[derive(Debug, Default)]
pub struct Summary {
    /// The inputs, in order.
    pub captures: Vec<CaptureInfo>,
    /// Counts over all of them.
    pub totals: Totals,
    /// What the rules say of the run as a whole.
    pub findings: Vec<Finding>,
    /// Inputs of which nothing could be read, and why: those that could not be opened, and those of a link type that
    /// nothing here knows.
    pub unreadable: Vec<Error>,
}

/// Counts over all inputs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Totals {
    /// Packet records.
    pub packets: u64,
    /// TCP connections, of any use.
    pub tcp_connections: u64,
    /// Of these, attempts that were refused.
    pub tcp_refused: u64,
    /// Of these, attempts of which no packet of the server was seen.
    pub tcp_unanswered: u64,
    /// Of all, TLS.
    pub tls_connections: u64,
    /// Of these, opened with a key.
    pub tls_decrypted: u64,
    /// WebSocket connections and attempts at one.
    pub websocket_connections: u64,
    /// Of these, with a valid 101.
    pub established: u64,
    /// Of these, answered with another final status.
    pub rejected: u64,
    /// Of these, without an answer.
    pub unanswered: u64,
    /// Of these, whose answer offers HTTP/3 as well (RFC 7838).
    pub http3_offered: u64,
    /// Of these, judged before all was read, because [`limits::WAITING_CONNECTIONS`] waited.
    pub judged_early: u64,
    /// What the input lacks.
    pub quality: Quality,
}

/// What may be asked of an analysis.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which rules speak, and what they demand.
    pub selection: Selection,
    /// When connections are judged; on several threads it is late.
    pub when: When,
    /// How far payloads are read.
    pub depth: Depth,
    /// Threads that follow flows, beside those that read and judge. With 1, all is done on the calling thread. What is
    /// found does not depend on it.
    pub threads: usize,
    /// Packets that are read before threads are begun, so that small captures need none.
    pub alone: u64,
}

impl Default for Options {
    fn default() -> Options {
        let (selection, depth) = (Selection::default(), Depth::default());
        Options { selection, when: When::Late, depth, threads: 1, alone: limits::ALONE }
    }
}

/// When connections are judged.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum When {
    /// When as much of the run is known as can be kept.
    #[default]
    Late,
    /// A moment after they end, by what is known then: for those who watch.
    Promptly,
}

/// [`analyze_with`] default options.
pub fn analyze(
    input: Merged,
    observer: &mut impl Observer,
    progress: &mut impl FnMut(u64, Option<u64>),
) -> Summary {
    analyze_with(&Options::default(), KeyLog::default(), input, observer, progress)
}

/// Reads all of `input` and tells `observer` of every WebSocket connection in it. What `keys` and the captures' own
/// secrets open of TLS is read too; TLS that they do not open is told without its contents. `progress` is called every few
/// thousand packets with the bytes read so far and, where it is known, how many there are.
pub fn analyze_with(
    options: &Options,
    keys: KeyLog,
    input: Merged,
    observer: &mut impl Observer,
    progress: &mut impl FnMut(u64, Option<u64>),
) -> Summary {
    let mut front = Front::new(input, keys);
    let mut parts = part::all(&front, options.depth);
    let mut ledger = Ledger::new(&options.selection, options.when, observer);
    let alone = if options.threads > 1 { options.alone } else { u64::MAX };
    if !alone::run(&mut front, &mut parts, &mut ledger, progress, alone) {
        (front, parts) = match Threads::begin(front, parts, options.threads) {
            Ok(threads) => threads.finish(&mut ledger, progress),
            Err((mut front, mut parts)) => {
                alone::run(&mut front, &mut parts, &mut ledger, progress, u64::MAX);
                (front, parts)
            }
        };
    }
    let Front { mut input, net, keys, .. } = front;
    let failures = input.take_failures();
    let counts = part::counts(parts);
    let (mut totals, unlisted) = ledger.finish();
    let mut unread = counts.unread;
    unread.unlisted += unlisted;
    totals.tls_connections = counts.connections.tls;
    totals.tls_decrypted = counts.connections.tls_opened;
    totals.tcp_connections = counts.tcp.flows;
    let mut captures = input.infos();
    totals.packets = captures.iter().map(|capture| capture.packets).sum();
    totals.quality.cut = captures.iter().map(|capture| capture.cut).sum();
    totals.quality.dropped = captures.iter().map(|capture| capture.dropped).sum();
    totals.quality.incomplete = captures.iter().map(|capture| u64::from(!capture.complete)).sum();
    totals.quality.duplicates = counts.tcp.duplicates;
    totals.quality.encrypted = unread.unopened();
    if let Some(first) = captures.first_mut() {
        first.warnings.extend(net_warnings(net.counters()));
        first.warnings.extend(tcp_warnings(counts.tcp));
        first.warnings.extend(flow_warnings(counts.connections));
        first.warnings.extend(tls_warnings(&unread, &keys));
        first.notes.extend(http3_note(net.counters(), totals.http3_offered));
        first.notes.extend(bench_note(totals.judged_early));
        match checksum_note(net.counters()) {
            Ok(note) => first.notes.extend(note),
            Err(warning) => first.warnings.push(warning),
        }
    }
    let unreadable = input.readers().iter().filter_map(|reader| {
        let links = reader.link_types();
        let unsupported = !links.is_empty() && !links.iter().any(|&link| net::is_supported(link));
        unsupported.then(|| Error::LinkType { path: reader.info().path, found: name_links(links) })
    });
    let findings = rules::capture_encrypted(&unread, keys.len(), &options.selection).into_iter().collect();
    Summary { unreadable: failures.into_iter().chain(unreadable).collect(), captures, totals, findings }
}

impl Totals {
    fn count_unused(&mut self, unused: &Unused) {
        match (unused.accepted, unused.ended) {
            (Some(_), _) => {}
            (None, Some((Role::Server, Transport::Reset, _))) => self.tcp_refused += 1,
            (None, Some((Role::Server, ..))) => {}
            (None, _) => self.tcp_unanswered += 1,
        }
    }

    fn count(&mut self, connection: &Connection) {
        self.quality.count(connection);
        self.websocket_connections += u64::from(connection.outcome != Outcome::Encrypted);
        let offer = connection.response.as_ref().and_then(|response| response.head.head.field("alt-svc"));
        self.http3_offered += u64::from(offer.is_some_and(|offer| offer.starts_with(b"h3")));
        match connection.outcome {
            Outcome::Established => self.established += 1,
            Outcome::Rejected => self.rejected += 1,
            Outcome::Unanswered => self.unanswered += 1,
            Outcome::Invalid | Outcome::Garbled | Outcome::Unseen | Outcome::Encrypted => {}
        }
    }
}
