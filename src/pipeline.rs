//! The stages wired together; the only module that knows all of them.
//!
//! ```text
//!  source ──Segment──▶ shard 0 … shard 15 ──FlowEvent──▶ judge ──Connection, findings──▶ Observer
//! ```
//!
//! - The *source* reads packets and finds the TCP segments in them.
//! - A *shard* follows some of the flows, from reassembly to connections. Flows are divided by their key among a fixed number
//!   of shards ([`limits::SHARDS`]).
//! - The *judge* numbers the flows in the order of their first packets, keeps connections *pending* until enough is known
//!   of the others around them, and has them judged by the rules.
//!
//! The result does not depend on the number of threads:
//!
//! - A bound on all flows together is divided equally among the shards, so what it takes away does not depend on which thread
//!   works on which shard.
//! - An event of a flow is tagged with the packet that caused it, and the judge takes events in the order of these packets.
//!   Flows that are open at the end of the input are ended in the order of their first packets.
//! - What must know several flows at once happens on one thread, before the shards (IP fragments, checksums) or behind them
//!   (numbers, legs, patterns among connections). Only TLS sessions, which begin on one flow and are resumed on another, are
//!   shared by the shards: see `turns`.
//!
//! At the start of every run, all this happens on the calling thread. Once the input proves not to be small, the same shards
//! are handed to worker threads, if more than one thread may be used: see `threads`. The stages know nothing of it.

mod judge;
mod pending;
mod quality;
mod shard;
mod single_thread;
mod source;
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
use judge::Judge;
pub use quality::Quality;
use shard::Shard;
use source::Source;
use threads::Threads;
use warnings::{
    checksum_note, flow_warnings, http3_note, judged_early_note, name_links, net_warnings, tcp_warnings,
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

    /// Takes that the connection `second` is a duplicate of `first`, captured on the other side of an address translation. Both
    /// are a [`Connection::serial`]; this comes before either connection.
    fn duplicate(&mut self, first: u64, second: u64) {
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
    /// Packets that are read on the calling thread before others are started, so that small captures need none.
    pub packets_before_threads: u64,
}

impl Default for Options {
    fn default() -> Options {
        let (selection, depth) = (Selection::default(), Depth::default());
        let packets_before_threads = limits::PACKETS_BEFORE_THREADS;
        Options { selection, when: When::Late, depth, threads: 1, packets_before_threads }
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
    let mut source = Source::new(input, keys);
    let mut shards = shard::all(&source, options.depth);
    let mut judge = Judge::new(&options.selection, options.when, observer);
    let limit = if options.threads > 1 { options.packets_before_threads } else { u64::MAX };
    if !single_thread::run(&mut source, &mut shards, &mut judge, progress, limit) {
        (source, shards) = match Threads::begin(source, shards, options.threads) {
            Ok(threads) => threads.finish(&mut judge, progress),
            Err((mut source, mut shards)) => {
                single_thread::run(&mut source, &mut shards, &mut judge, progress, u64::MAX);
                (source, shards)
            }
        };
    }
    summarize(source, shards, judge, &options.selection)
}

/// What is known when all input was read.
fn summarize<O: Observer>(
    source: Source,
    shards: Vec<Shard>,
    judge: Judge<'_, O>,
    selection: &Selection,
) -> Summary {
    let Source { mut input, net, keys, .. } = source;
    let failures = input.take_failures();
    let counts = shard::counts(shards);
    let (mut totals, unlisted) = judge.finish();
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
        first.notes.extend(judged_early_note(totals.judged_early));
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
    let findings = rules::capture_encrypted(&unread, keys.len(), selection).into_iter().collect();
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
