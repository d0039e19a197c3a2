//! The stages wired together; the only file that knows all of them.

mod bench;

use crate::capture::{CaptureInfo, Format, Item, LinkType, Merged, Packet, Seen};
use crate::connection::{Carried, Connection, Connections, Outcome, Unread};
use crate::error::Error;
use crate::legs::LegPair;
use crate::limits;
use crate::net::{self, Decoded};
use crate::rules::{Finding, Selection};
use crate::tcp;
use crate::tls::{KeyLog, Keyring};
use bench::Bench;

/// Receives what an analysis finds, connection by connection, in the order in which they become final.
pub trait Observer {
    /// Takes one connection and what the rules say of it.
    fn connection(&mut self, connection: Connection, findings: Vec<Finding>);

    /// Takes a pair of legs, before either of its connections: those of one session come right after its pairs.
    fn legs(&mut self, pair: LegPair) {
        let _ = pair;
    }
}

/// What is known when all input was read.
#[derive(Debug, Default)]
pub struct Summary {
    /// The inputs, in order.
    pub captures: Vec<CaptureInfo>,
    /// Counts over all of them.
    pub totals: Totals,
    /// Inputs of which no packet could be read, because nothing here knows their link type.
    pub unreadable: Vec<Error>,
}

/// Counts over all inputs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Totals {
    /// Packet records.
    pub packets: u64,
    /// TCP connections, of any use.
    pub tcp_connections: u64,
    /// Of these, TLS.
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
}

/// What may be asked of an analysis.
#[derive(Clone, Default, Debug)]
pub struct Options {
    /// Which rules speak, and what they demand.
    pub selection: Selection,
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
    mut input: Merged,
    observer: &mut impl Observer,
    progress: &mut impl FnMut(u64, Option<u64>),
) -> Summary {
    let mut totals = Totals::default();
    let mut bench = Bench::new(&options.selection);
    // Only pcapng can bring keys after the packets that they open.
    let more_keys = input.infos().iter().any(|capture| capture.format == Format::Pcapng);
    let mut pipeline = Pipeline::new(Keyring::new(keys, more_keys), |carried: Carried| {
        bench.take(carried);
        if bench.is_full() {
            bench.settle(limits::WAITING_CONNECTIONS / 2, &mut totals, observer);
        }
    });
    let mut until_progress = PROGRESS_EVERY;
    while let Some(item) = input.next() {
        match item {
            Item::Packet(packet) => pipeline.push(&packet),
            Item::Secrets(text) => pipeline.connections.secrets(text),
        }
        until_progress -= 1;
        if until_progress == 0 {
            until_progress = PROGRESS_EVERY;
            let (read, total) = input.progress();
            progress(read, total);
        }
    }
    pipeline.finish();
    let Pipeline { net, tcp, connections, .. } = pipeline;
    let flows = connections.counters();
    let tls_warnings = tls_warnings(connections.unread(), connections.keys().log());
    drop(connections);
    bench.settle(usize::MAX, &mut totals, observer);
    totals.tls_connections = flows.tls;
    totals.tls_decrypted = flows.tls_opened;
    totals.tcp_connections = tcp.counters().flows;
    let mut captures = input.infos();
    totals.packets = captures.iter().map(|capture| capture.packets).sum();
    if let Some(first) = captures.first_mut() {
        first.warnings.extend(net_warnings(net.counters()));
        first.warnings.extend(tcp_warnings(tcp.counters()));
        if flows.http2_dropped > 0 {
            first.warnings.push(format!(
                "more than {} HTTP/2 connections were open at once: {} were not followed",
                crate::limits::HTTP2_CONNECTIONS,
                flows.http2_dropped
            ));
        }
        if flows.given_up > 0 {
            first.warnings.push(format!("{} TCP connections were given up before their first head was whole, because all together kept too many bytes", flows.given_up));
        }
        first.warnings.extend(tls_warnings);
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
    Summary { unreadable: unreadable.collect(), captures, totals }
}

/// Packets between two calls of `progress`.
const PROGRESS_EVERY: u32 = 4096;

/// One run's stages.
struct Pipeline<E> {
    net: net::Decoder,
    tcp: tcp::Table,
    connections: Connections<E>,
    last: Option<Seen>,
}

impl<E: FnMut(Carried)> Pipeline<E> {
    fn new(keys: Keyring, emit: E) -> Self {
        Pipeline {
            net: net::Decoder::new(),
            tcp: tcp::Table::default(),
            connections: Connections::new(keys, emit),
            last: None,
        }
    }

    #[inline]
    fn push(&mut self, packet: &Packet<'_>) {
        self.last = Some(packet.seen);
        if let Decoded::Tcp(segment) = self.net.decode(packet) {
            self.tcp.push(&segment, packet.seen, &mut self.connections);
        }
    }

    fn finish(&mut self) {
        if let Some(last) = self.last {
            self.tcp.finish(last, &mut self.connections);
        }
        self.connections.finish();
    }
}

impl Totals {
    fn count(&mut self, connection: &Connection) {
        self.websocket_connections += u64::from(connection.outcome != Outcome::Encrypted);
        match connection.outcome {
            Outcome::Established => self.established += 1,
            Outcome::Rejected => self.rejected += 1,
            Outcome::Unanswered => self.unanswered += 1,
            Outcome::Invalid | Outcome::Garbled | Outcome::Unseen | Outcome::Encrypted => {}
        }
    }
}

fn name_links(links: &[LinkType]) -> String {
    let name = |&link: &LinkType| match net::link_name(link) {
        Some(name) => format!("{name} ({})", link.0),
        None => link.0.to_string(),
    };
    links.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// What the packets of the run were that could not be followed.
fn net_warnings(counters: &net::Counters) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn = |count: u64, one: &str, many: &str| match count {
        0 => {}
        1 => warnings.push(format!("1 {one}")),
        _ => warnings.push(format!("{count} {many}")),
    };
    for (&link, &count) in &counters.unsupported {
        let links = name_links(&[link]);
        warn(
            count,
            &format!("packet of link type {links} was not read"),
            &format!("packets of link type {links} were not read"),
        );
    }
    warn(
        counters.cut,
        "packet was cut before the end of its headers",
        "packets were cut before the end of their headers",
    );
    warn(
        counters.malformed,
        "packet has headers that contradict themselves",
        "packets have headers that contradict themselves",
    );
    warn(
        counters.too_deep,
        "packet has too many headers in each other",
        "packets have too many headers in each other",
    );
    warn(counters.encrypted, "802.11 frame is encrypted", "802.11 frames are encrypted");
    warn(
        counters.datagrams_dropped,
        "fragmented datagram is not whole",
        "fragmented datagrams are not whole",
    );
    warn(counters.fragments_overlapping, "IP fragment overlaps another", "IP fragments overlap others");
    warnings
}

/// What wrong TCP checksums mean. On the host that sends, a capture shows them before the network card has computed
/// them: then nearly all of one direction are wrong, and nothing is the matter. A few wrong ones are damage.
fn checksum_note(counters: &net::Counters) -> Result<Option<String>, String> {
    let (bad, checked) = (counters.checksums_bad, counters.checksums_checked);
    match bad {
        0 => Ok(None),
        _ if bad >= checked / 4 => Ok(Some(format!(
            "TCP checksums were left to the network card ({bad} of {checked} not filled in)"
        ))),
        _ => Err(format!("{bad} of the first {checked} TCP checksums are wrong: packets may be damaged")),
    }
}

/// Bounds that were reached while following flows.
fn tcp_warnings(counters: tcp::Counters) -> Vec<String> {
    let mut warnings = Vec::new();
    if counters.evicted > 0 {
        warnings.push(format!(
            "more than {} TCP connections were open at once: {} that were idle longest were given up",
            crate::limits::FLOWS,
            counters.evicted
        ));
    }
    match counters.duplicates {
        0 => {}
        1 => warnings.push(String::from("1 packet was captured twice; it counts once")),
        count => warnings.push(format!("{count} packets were captured twice; they count once")),
    }
    if counters.relieved > 0 {
        warnings
            .push(format!("{} gaps were given up early because too many bytes waited", counters.relieved));
    }
    warnings
}

/// TLS of which nothing could be read, and why: no key, the wrong key and a failed handshake want different remedies.
fn tls_warnings(unread: &Unread, log: &KeyLog) -> Vec<String> {
    let names: Vec<&str> = unread.names.iter().map(String::as_str).collect();
    let mut names = match names.as_slice() {
        [] => String::new(),
        [one] => format!(" (server name {one})"),
        many if many.len() < limits::TLS_NAMES => format!(" (server names {})", many.join(", ")),
        many => format!(" (server names {} and perhaps others)", many.join(", ")),
    };
    let mut warnings = Vec::new();
    let mut warn = |count: u64, why_one: &str, why_many: &str| match count {
        0 => {}
        1 => warnings
            .push(format!("1 TLS connection could not be read{}: {why_one}", std::mem::take(&mut names))),
        _ => {
            let names = std::mem::take(&mut names);
            warnings.push(format!("{count} TLS connections could not be read{names}: {why_many}"));
        }
    };
    warn(unread.no_keys, "no key log was given", "no key log was given");
    let secrets = log.len();
    warn(
        unread.other_keys,
        &format!("none of the key log's secrets is of this connection ({secrets} given)"),
        &format!("none of the key log's secrets is of these connections ({secrets} given)"),
    );
    warn(
        unread.wrong_keys,
        "the key log has secrets of this connection that do not open it",
        "the key log has secrets of these connections that do not open them",
    );
    let unsupported = "this version or cipher suite of TLS is not supported";
    warn(unread.unsupported, unsupported, unsupported);
    let lost = "the capture lacks the hello messages, or the key came too late";
    warn(unread.lost, lost, lost);
    warn(unread.failed, "its handshake was not completed", "their handshakes were not completed");
    if unread.unlisted > 0 {
        warnings.push(format!(
            "{} of the TLS connections that could not be read are not listed: the limit is {}",
            unread.unlisted,
            limits::TLS_UNREAD
        ));
    }
    if log.is_full() {
        warnings.push(format!(
            "secrets beyond the first {} of the key logs were not kept",
            limits::KEY_LOG_SECRETS
        ));
    }
    warnings
}
