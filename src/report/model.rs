//! The report as data: the shape that `--format json` prints and scripts rely on.
//!
//! The order of the fields is the order in which they are printed. What was not seen is `null`. Fields may be added;
//! none may change its meaning within version 1 of [`SCHEMA`].

mod connection;
mod finding;
mod handshake;
mod leg_pair;
mod message;

mod text;
mod tls;

pub use connection::{Close, Connection, End, Frames, IcmpError, Reset, Sees, Silence, Tcp, Wording};
pub use finding::{Consequence, Evidence, Finding, Suppression};
pub use handshake::{Extension, Param, Request, Response};
pub use leg_pair::{Change, LegPair};
pub use message::Message;
pub use tls::{Alert, Tls, TlsSent};

use crate::time::Timestamp;
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
    pub connections: Vec<Box<Connection>>,
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
    pub first: Option<Timestamp>,
    /// Time of the last record.
    pub last: Option<Timestamp>,
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
    /// Those of the list, second pictures of others (`same_as`) among them.
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
    /// Inputs of which nothing could be read, so that the report tells nothing of what they hold; absent where there are
    /// none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captures_unreadable: Vec<UnreadableCapture>,
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

/// An input of which nothing could be read.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct UnreadableCapture {
    /// As given on the command line, or as found in a folder that was.
    pub path: String,
    /// Why.
    pub reason: String,
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

/// A packet and its time.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Mark {
    /// Index of the capture.
    pub capture: u16,
    /// Its number there.
    pub packet: u64,
    /// Its time.
    pub time: Timestamp,
}

/// A value for each side.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct BothSides<T> {
    /// The client's.
    pub client: T,
    /// The server's.
    pub server: T,
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
