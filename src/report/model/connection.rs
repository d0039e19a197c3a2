//! One WebSocket connection: its transport, its frames, how it ended.

use super::{BothSides, Mark, Message, Request, Response, Tls};
use crate::net::Endpoint;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// One WebSocket connection, or one attempt at it.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Connection {
    /// Its index in `connections`.
    pub id: usize,
    /// Index of its capture in `captures`.
    pub capture: u16,
    /// As Wireshark's `tcp.stream` for that capture.
    pub tcp_stream: u32,
    /// Who asked for the upgrade.
    pub client: Endpoint,
    /// Who was asked.
    pub server: Endpoint,
    /// `http/1.1` or `http/2`.
    #[schemars(extend("enum" = ["http/1.1", "http/2"]))]
    pub carrier: &'static str,
    /// The HTTP/2 stream; null on HTTP/1.1.
    pub stream_id: Option<u32>,
    /// Where the tunnel leads in which it ran: what a CONNECT or a SOCKS proxy was asked for, as `host:port`; absent where it
    /// ran in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<String>,
    /// How its TCP connection began and ended.
    pub tcp: Tcp,
    /// Facts about TLS; null on a connection without it.
    pub tls: Option<Box<Tls>>,
    /// Number of its first packet.
    pub first_packet: u64,
    /// Number of its last packet.
    pub last_packet: u64,
    /// Time of its first packet.
    pub started: Timestamp,
    /// Time of its last packet.
    pub ended: Timestamp,
    /// `direct`, `client-leg` or `upstream-leg`; between two gateways `upstream-leg`.
    #[schemars(extend("enum" = ["direct", "client-leg", "upstream-leg"]))]
    pub role: &'static str,
    /// Id of the connection of which this is a second picture, taken on the other side of an address translation; null where it
    /// is none. What both show is told of the first one.
    pub same_as: Option<usize>,
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
    /// ICMP errors about its packets, one of each kind and side; absent where there was none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub icmp: Vec<IcmpError>,
}

/// What routers, firewalls or hosts say of packets that did not arrive. Anybody can forge that.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct IcmpError {
    /// Whose packets: `client` or `server`.
    #[schemars(extend("enum" = ["client", "server"]))]
    pub about: &'static str,
    /// The address that says so.
    pub by: String,
    /// Type, of ICMP or of ICMPv6 as the address is.
    #[serde(rename = "type")]
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// What they are called, as `host unreachable`.
    pub name: &'static str,
    /// The size of packets that the next link takes, the smallest that was told; null where none was.
    pub mtu: Option<u32>,
    /// How many such errors there were.
    pub count: u32,
    /// The first of them.
    pub first: Mark,
    /// The last of them.
    pub last: Mark,
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
    pub time: Timestamp,
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
    pub time: Timestamp,
    /// Null for an empty Close.
    pub code: Option<u16>,
    /// What the code is called; null where there is none.
    pub name: Option<&'static str>,
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
    pub time: Option<Timestamp>,
}

/// What one side's WebSocket API reports.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Sees {
    /// The code, 1005 and 1006 included.
    pub code: u16,
    /// Whether the API calls the ending clean.
    pub clean: bool,
}

/// How one library shows an ending.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Wording {
    /// The library.
    pub library: &'static str,
    /// Its words.
    pub text: String,
}
