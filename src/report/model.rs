//! The report as data: the shape that `--format json` prints and scripts rely on.
//!
//! The order of the fields is the order in which they are printed. What was not seen is `null`. Fields may be added;
//! none may change its meaning within version 1 of [`SCHEMA`].

mod message;
mod tls;

pub use message::Message;
pub use tls::{Alert, Tls, TlsSent};

use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The name of this shape.
pub const SCHEMA: &str = "wsanalyze.report/1";

/// The whole document.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Report {
    /// [`SCHEMA`].
    #[schemars(extend("enum" = ["wsanalyze.report/1"]))]
    pub schema: &'static str,
    /// What wrote it.
    pub tool: Tool,
    /// The inputs, in order.
    pub captures: Vec<Capture>,
    /// Counts over all of them.
    pub totals: Totals,
    /// What they lack, and what cannot be concluded because of it.
    pub quality: Quality,
    /// Every WebSocket connection or attempt at one, and TLS connections that could not be read, in order of its first packet.
    pub connections: Vec<Connection>,
    /// Pairs of connections around one gateway, in order of their client legs.
    pub leg_pairs: Vec<LegPair>,
    /// What the rules found, in order of connection, then of packet; what is about the run as a whole comes last.
    pub findings: Vec<Finding>,
    /// How the connections stood to each demand of the policy, in its order; absent where none was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Vec<Demand>>,
}

/// One demand of a policy.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Demand {
    /// The name of the expectation that it is part of.
    pub expectation: String,
    /// Pattern of host and path that it is about; `*` for all.
    pub place: String,
    /// The name of the rule whose findings tell what does not meet it.
    pub rule: &'static str,
    /// That rule's code.
    pub code: &'static str,
    /// What is expected.
    pub expected: String,
    /// Whether all connections met it; null where none could be judged.
    pub met: Option<bool>,
    /// What was found: of the first connection that did not meet it, or of the first one.
    pub actual: Option<String>,
    /// How many connections could be judged.
    pub judged: u64,
    /// How many of them did not meet it.
    pub unmet: u64,
    /// Id of the connection that `actual` is of.
    pub connection: Option<usize>,
    /// Index of its capture.
    pub capture: Option<u16>,
    /// The packet that shows it.
    pub packet: Option<u64>,
}

/// One line of `--format jsonl`: an object of the document, with its type.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line<'a> {
    /// One input, when it was read to its end.
    Capture(&'a Capture),
    /// A connection. Its id counts those before it in the stream.
    Connection(&'a Connection),
    /// A pair of connections that came before it.
    LegPair(&'a LegPair),
    /// A finding about a connection that came before it. Its id counts those before it in the stream.
    Finding(&'a Finding),
    /// The last line.
    Totals(Closing<'a>),
}

/// See [`Line::Totals`].
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Closing<'a> {
    /// Counts over all inputs.
    #[serde(flatten)]
    pub totals: &'a Totals,
    /// What the inputs lack, and what cannot be concluded because of it.
    pub quality: &'a Quality,
    /// How the connections stood to the policy; absent where none was asked for. Ids are null, for the connections are
    /// long gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<&'a [Demand]>,
}

/// The program and its version.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Tool {
    /// `wsanalyze`.
    #[schemars(extend("enum" = ["wsanalyze"]))]
    pub name: &'static str,
    /// As `wsanalyze -V` says.
    pub version: &'static str,
}

/// One input.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Capture {
    /// As given on the command line.
    pub path: String,
    /// `pcap` or `pcapng`.
    #[schemars(extend("enum" = ["pcap", "pcapng"]))]
    pub format: &'static str,
    /// `gzip`, `zstd`, `lz4`, or null.
    #[schemars(extend("enum" = ["gzip", "zstd", "lz4", null]))]
    pub compression: Option<&'static str>,
    /// Records read.
    pub packets: u64,
    /// Bytes of the file as stored.
    pub bytes: u64,
    /// Time of the first record.
    #[schemars(extend("format" = "date-time"))]
    pub first: Option<String>,
    /// Time of the last record.
    #[schemars(extend("format" = "date-time"))]
    pub last: Option<String>,
    /// Of these, records that hold the beginning of their packet only.
    pub packets_cut: u64,
    /// Packets that the capturing system says it lost.
    pub packets_lost: u64,
    /// False where the file ends inside a record or is damaged.
    pub complete: bool,
    /// What is wrong with it.
    pub warnings: Vec<String>,
    /// What is curious about it and harms nothing.
    pub notes: Vec<String>,
    /// What it calls hosts, by address.
    pub host_names: BTreeMap<String, String>,
}

/// Counts over all inputs.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
#[expect(missing_docs, reason = "the names say it; see pipeline::Totals")]
pub struct Totals {
    pub packets: u64,
    pub tcp_connections: u64,
    pub tls_connections: u64,
    pub tls_decrypted: u64,
    pub websocket_connections: u64,
    pub established: u64,
    pub rejected: u64,
    pub unanswered: u64,
    /// Findings by severity.
    pub findings: Counts,
}

/// What the captures lack: nobody's fault on the wire, and a bound on what can be said of it.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Quality {
    /// Packets of which the captures hold the beginning only.
    pub packets_cut: u64,
    /// Packets that the capturing systems say they lost.
    pub packets_lost: u64,
    /// Packets that were captured twice, and counted once.
    pub packets_duplicated: u64,
    /// Captures that are damaged or end inside a record.
    pub captures_incomplete: u64,
    /// WebSocket connections that were joined after their first packet.
    pub late_start: u64,
    /// Of these, those whose handshake is not in the captures.
    pub without_handshake: u64,
    /// WebSocket connections of which one direction is not in the captures.
    pub one_direction: u64,
    /// WebSocket connections that lack bytes of a direction that was captured.
    pub with_gaps: u64,
    /// WebSocket connections that were not followed to their end, because a bound of the program was reached.
    pub not_followed: u64,
    /// WebSocket connections that were still open when the captures ended.
    pub still_open: u64,
    /// TLS connections that no key opened.
    pub encrypted: u64,
    /// What cannot be concluded because of it, one sentence each.
    pub cannot_conclude: Vec<String>,
}

/// How many findings of each severity.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub error: u64,
    pub warning: u64,
    pub info: u64,
}

impl Counts {
    /// Adds one of that severity.
    pub(super) fn count(&mut self, severity: &str) {
        match severity {
            "error" => self.error += 1,
            "warning" => self.warning += 1,
            _ => self.info += 1,
        }
    }

    /// Adds those of another part.
    pub(super) fn add(&mut self, other: Counts) {
        self.error += other.error;
        self.warning += other.warning;
        self.info += other.info;
    }
}

/// One WebSocket connection, or one attempt at it.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Connection {
    /// Index in [`Report::connections`].
    pub id: usize,
    /// Index in [`Report::captures`].
    pub capture: u16,
    /// As Wireshark's `tcp.stream` for that capture.
    pub tcp_stream: u32,
    /// Who asked for the upgrade.
    pub client: String,
    /// Who was asked.
    pub server: String,
    /// `http/1.1` or `http/2`.
    #[schemars(extend("enum" = ["http/1.1", "http/2"]))]
    pub carrier: &'static str,
    /// The HTTP/2 stream; null on HTTP/1.1.
    pub stream_id: Option<u32>,
    /// How its TCP connection began and ended.
    pub tcp: Tcp,
    /// Facts about TLS; null on a connection without it.
    pub tls: Option<Tls>,
    /// Number of its first packet.
    pub first_packet: u64,
    /// Number of its last packet.
    pub last_packet: u64,
    /// Time of its first packet.
    #[schemars(extend("format" = "date-time"))]
    pub started: String,
    /// Time of its last packet.
    #[schemars(extend("format" = "date-time"))]
    pub ended: String,
    /// `direct`, `client-leg` or `upstream-leg`; between two gateways `upstream-leg`.
    #[schemars(extend("enum" = ["direct", "client-leg", "upstream-leg"]))]
    pub role: &'static str,
    /// The upgrade request; null where the capture began later.
    pub request: Option<Request>,
    /// Statuses of interim answers before the final one.
    pub interim: Vec<u16>,
    /// The final answer; null where none was seen.
    pub response: Option<Response>,
    /// Names of extensions that were offered, and are absent from a 101 (2xx on HTTP/2).
    pub missing_extensions: Vec<String>,
    /// `established`, `invalid`, `rejected`, `garbled`, `unanswered`, `unseen`, or
    /// `encrypted` for TLS that could not be read and may be no WebSocket at all.
    #[schemars(extend("enum" = ["established", "invalid", "rejected", "garbled", "unanswered", "unseen", "encrypted"]))]
    pub outcome: &'static str,
    /// Frames of both sides; null unless frames could be read.
    pub frames: Option<BothSides<Frames>>,
    /// The longest time in which neither side sent payload, between two packets that did; null where there is none.
    pub silence: Option<Silence>,
    /// Every Close frame on the wire, in order of time.
    pub closes: Vec<Close>,
    /// How it ended.
    pub end: End,
    /// What each side's WebSocket API reports; null where there was no session.
    pub sees: Option<BothSides<Option<Sees>>>,
    /// What the programs at both ends show of that, in the words of common libraries; null where that is what was on the
    /// wire.
    pub shows: Option<BothSides<Vec<Wording>>>,
    /// Ids of the findings about it, also of those about its other leg that concern it.
    pub findings: Vec<usize>,
    /// Its messages, in order of their first packets; absent unless a list was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Message>>,
    /// How many messages are not in that list, for it has the last ones of each side; absent with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_left_out: Option<u64>,
}

/// A packet and its time.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Mark {
    /// Index of the capture.
    pub capture: u16,
    /// Its number there.
    pub packet: u64,
    /// Its time.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
}

/// What TCP did around a connection. On HTTP/2 it carries other streams, too.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Tcp {
    /// The SYN; null where the capture began later.
    pub opened: Option<Mark>,
    /// The SYN-ACK.
    pub accepted: Option<Mark>,
    /// The first FIN of each side.
    pub fins: BothSides<Option<Mark>>,
    /// The first RST.
    pub reset: Option<Reset>,
}

/// A RST.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Reset {
    /// Whose it says it is: `client` or `server`.
    #[schemars(extend("enum" = ["client", "server"]))]
    pub from: &'static str,
    /// The packet.
    pub packet: u64,
    /// Its time.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
}

/// A time without payload of either side.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Silence {
    /// Its length.
    pub seconds: f64,
    /// The packet before it.
    pub from: Mark,
    /// The packet after it.
    pub until: Mark,
}

/// Two legs of one session, around one gateway.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct LegPair {
    /// Id of the connection from client to gateway.
    pub client_leg: usize,
    /// Id of the connection from gateway to upstream.
    pub upstream_leg: usize,
    /// Ids of other connections from the gateway for that request: attempts that failed before that one, and questions
    /// asked of a service that decides whether the upgrade may pass.
    pub attempts: Vec<usize>,
    /// The gateway's address, as the client knows it.
    pub gateway: String,
    /// `sec-websocket-key`, `masking-keys`, `trace-header`, `timing`, `proxy-protocol`, `sec-websocket-accept`,
    /// `forwarded-for` or `content`.
    #[schemars(extend("enum" = ["sec-websocket-key", "masking-keys", "trace-header", "timing", "proxy-protocol", "sec-websocket-accept", "forwarded-for", "content"]))]
    pub matched_by: &'static str,
    /// `certain`, `likely` or `possible`.
    #[schemars(extend("enum" = ["certain", "likely", "possible"]))]
    pub confidence: &'static str,
    /// `tunnel` where the gateway copies bytes, `terminating` where it speaks WebSocket itself, else null.
    #[schemars(extend("enum" = ["tunnel", "terminating", null]))]
    pub passage: Option<&'static str>,
    /// Seconds to add to times of the upstream leg to compare them with the client leg's.
    pub clock_offset: f64,
    /// How far off that may be.
    pub clock_uncertainty: f64,
    /// What is not the same on both legs.
    pub changes: Vec<Change>,
}

/// See [`LegPair::changes`].
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Change {
    /// A field in lower case, or `target`, `http-version`, `status`, `close`.
    pub field: &'static str,
    /// `request`, `response`, `client-close` or `server-close`.
    #[serde(rename = "where")]
    #[schemars(extend("enum" = ["request", "response", "client-close", "server-close"]))]
    pub place: &'static str,
    /// Its value on the client leg.
    pub client_leg: Option<String>,
    /// Its value on the upstream leg.
    pub upstream_leg: Option<String>,
}

/// A value for each side.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct BothSides<T> {
    /// The client's.
    pub client: T,
    /// The server's.
    pub server: T,
}

/// An upgrade request.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Request {
    /// The packet with its last byte.
    pub packet: u64,
    /// That packet's time.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// `GET`.
    pub method: String,
    /// The request target, values of its query hidden unless secrets are shown.
    pub target: String,
    /// `1.1`.
    pub http_version: Option<String>,
    /// `Host`.
    pub host: Option<String>,
    /// `Origin`.
    pub origin: Option<String>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `Sec-WebSocket-Key`.
    pub key: Option<String>,
    /// `Sec-WebSocket-Version`.
    pub version: Option<String>,
    /// `Sec-WebSocket-Protocol`.
    pub subprotocols: Vec<String>,
    /// `Sec-WebSocket-Extensions`.
    pub extensions: Vec<Extension>,
}

/// The final answer to an upgrade request.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Response {
    /// The packet with its last byte.
    pub packet: u64,
    /// That packet's time.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// The status code.
    pub status: u16,
    /// The reason phrase, empty where there is none.
    pub reason: String,
    /// `Sec-WebSocket-Accept`.
    pub accept: Option<String>,
    /// Whether it answers the key; null where a key or the accept is absent.
    pub accept_valid: Option<bool>,
    /// `Sec-WebSocket-Protocol`.
    pub subprotocol: Option<String>,
    /// `Sec-WebSocket-Extensions`.
    pub extensions: Vec<Extension>,
    /// `Server`.
    pub server: Option<String>,
    /// `Via`.
    pub via: Option<String>,
}

/// One extension, offered or accepted.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Extension {
    /// In lower case.
    pub name: String,
    /// Its parameters, in order.
    pub params: Vec<Param>,
}

/// One parameter of an extension.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Param {
    /// As written.
    pub name: String,
    /// Unquoted; null for a bare parameter.
    pub value: Option<String>,
}

/// Frames of one side.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
#[expect(missing_docs, reason = "the names say it; see connection::FrameFacts")]
pub struct Frames {
    pub text: u64,
    pub binary: u64,
    pub continuation: u64,
    pub ping: u64,
    pub pong: u64,
    pub close: u64,
    pub reserved: u64,
    pub payload_bytes: u64,
    pub messages: u64,
    /// Data frames with RSV1, which permessage-deflate sets on a compressed message.
    pub compressed: u64,
    /// Pings of this side that a Pong answered.
    pub pings_answered: u64,
    /// The first frame.
    pub first: Option<Mark>,
    /// The last packet with payload after the handshake.
    pub last: Option<Mark>,
}

/// A Close frame.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Close {
    /// `client` or `server`.
    #[schemars(extend("enum" = ["client", "server"]))]
    pub from: &'static str,
    /// The packet with its last byte.
    pub packet: u64,
    /// That packet's time.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// Null for an empty Close.
    pub code: Option<u16>,
    /// What the code is called; null where there is none.
    pub name: Option<String>,
    /// The reason, empty where there is none.
    pub reason: String,
}

/// How a connection ended.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct End {
    /// `clean`, `unechoed`, `none`; null where it was never established.
    #[schemars(extend("enum" = ["clean", "unechoed", "none", null]))]
    pub close: Option<&'static str>,
    /// `fin`, `reset` or `open`.
    #[schemars(extend("enum" = ["fin", "reset", "stream-reset", "open"]))]
    pub transport: &'static str,
    /// The error code of a stream-reset by its name, as `CANCEL`.
    pub error: Option<String>,
    /// Who ended the transport first; null while it is open.
    #[schemars(extend("enum" = ["client", "server", null]))]
    pub by: Option<&'static str>,
    /// Where.
    pub packet: Option<u64>,
    /// When.
    #[schemars(extend("format" = "date-time"))]
    pub time: Option<String>,
}

/// How one library shows an ending.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Wording {
    /// The library.
    pub library: &'static str,
    /// Its words.
    pub text: String,
}

/// What one side's WebSocket API reports.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Sees {
    /// The code, 1005 and 1006 included.
    pub code: u16,
    /// Whether the API calls the ending clean.
    pub clean: bool,
}

/// What a rule found.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Finding {
    /// Index in [`Report::findings`].
    pub id: usize,
    /// The rule's name.
    pub rule: &'static str,
    /// The rule's permanent code.
    pub code: &'static str,
    /// `error`, `warning` or `info`.
    #[schemars(extend("enum" = ["error", "warning", "info"]))]
    pub severity: &'static str,
    /// `certain`, `likely` or `possible`.
    #[schemars(extend("enum" = ["certain", "likely", "possible"]))]
    pub confidence: &'static str,
    /// Who spoke.
    #[schemars(extend("enum" = ["client", "server", "gateway", "network", "capture", null]))]
    pub origin: Option<&'static str>,
    /// Who must mend it.
    #[schemars(extend("enum" = ["client", "server", "gateway", "upstream", "network", "capture", "none", "unknown"]))]
    pub blame: &'static str,
    /// The connection it is about; null for the capture as a whole.
    pub connection: Option<usize>,
    /// Other connections that it concerns.
    pub related: Vec<usize>,
    /// Index of the capture.
    pub capture: u16,
    /// The packet that shows it best.
    pub packet: u64,
    /// That packet's time.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// The same for every connection with the same fault.
    pub title: String,
    /// This connection's own facts.
    pub message: String,
    /// Where to check it.
    pub evidence: Vec<Evidence>,
    /// What to do first.
    pub help: String,
    /// The same in another capture of the same fault.
    pub fingerprint: String,
    /// Shows the connection in Wireshark.
    pub display_filter: String,
    /// What followed from it: findings of other rules on the same connection that have no other cause.
    pub consequences: Vec<Consequence>,
    /// Why it does not count; absent where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<Suppression>,
}

/// See [`Finding::suppressed`].
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Suppression {
    /// `ignored` by the configuration, or `known` from the baseline.
    #[schemars(extend("enum" = ["ignored", "known"]))]
    pub kind: &'static str,
    /// The reason that was given for it.
    pub justification: String,
}

/// One thing to check in a packet.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Evidence {
    /// Index of the capture.
    pub capture: u16,
    /// Number of the packet.
    pub packet: u64,
    /// What is there.
    pub text: String,
}

/// See [`Finding::consequences`].
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Consequence {
    /// The rule's name.
    pub rule: &'static str,
    /// The rule's code.
    pub code: &'static str,
    /// As a finding's.
    pub title: String,
    /// The packet that shows it.
    pub packet: u64,
}

/// A rule, as `wsanalyze rules --format json` lists it.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Rule {
    /// Its permanent code.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The highest severity it gives.
    pub severity: &'static str,
    /// What it is about.
    pub category: &'static str,
    /// Where the protocol says so.
    pub reference: &'static str,
    /// What it finds, in one sentence.
    pub summary: String,
    /// Names of rules whose findings may be consequences of this one's.
    pub explains: &'static [&'static str],
}
