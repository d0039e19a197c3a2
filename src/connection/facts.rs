//! Every fact about one WebSocket connection, and no opinion: what rules judge and reports print.

mod frames;

pub use frames::{Close, FrameFacts, LARGE, OpeningFrame, Pings};

use super::anomaly::Anomaly;
use super::carrier::Carrier;
use super::ending::{Ending, Transport};
use super::undelivered::Undelivered;
use crate::capture::Seen;
use crate::http::{Head, RequestHead, ResponseHead};
use crate::limits;
use crate::net::Endpoint;
use crate::role::{Role, Sides};
use crate::tcp::ResetKind;
use crate::time::Timestamp;
use crate::tls;
use crate::websocket::{Entry, Extensions, Subprotocols};
use compact_str::CompactString;
use std::sync::Arc;

/// One WebSocket connection, or one attempt at it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its place in the order in which the connections of a run became final: by it findings and legs refer to it.
    pub serial: u64,
    /// The TCP connection that carried it.
    pub tcp: TcpFacts,
    /// What carried it there.
    pub carrier: Carrier,
    /// The first packet of it: the one that begins its request, or the first one seen where the capture began later.
    pub first: Seen,
    /// The last packet of it.
    pub last: Seen,
    /// The addresses a PROXY protocol header at the start of the stream gave, source then destination.
    pub proxied: Option<Box<(Endpoint, Endpoint)>>,
    /// The TLS around it; the innermost where there are several.
    pub tls: Option<Box<tls::Facts>>,
    /// Where the tunnel that it ran in leads: the authority of a CONNECT (RFC 9110 §9.3.6), or what a SOCKS proxy was asked for.
    pub tunnel: Option<String>,
    /// The upgrade request; `None` where the capture began later.
    pub request: Option<Request>,
    /// Statuses of interim answers (1xx but 101) before the final one.
    pub interim: Vec<u16>,
    /// The final answer to it.
    pub response: Option<Response>,
    /// An answer that is no HTTP.
    pub garbled: Option<Box<Garbled>>,
    /// What became of the handshake.
    pub outcome: Outcome,
    /// Frames of both sides; `None` where no frame could be read.
    pub frames: Option<Box<Sides<FrameFacts>>>,
    /// Every Close frame in the order sent: one that was sent after the other side's had come stands behind it, however
    /// the capture orders their packets.
    pub closes: Vec<Close>,
    /// How it ended.
    pub ending: Ending,
    /// The longest time in which neither side sent payload, between two packets that did.
    pub silence: Option<Span>,
    /// Violations and curiosities, in order of time; each kind once a side, with a count.
    pub anomalies: Vec<Anomaly>,
    /// What the capture did not show of it.
    pub quality: Quality,
    /// Its messages one by one, where a list was asked for.
    pub messages: Option<Box<ListedMessages>>,
}

/// Messages of both sides.
#[derive(Clone, Default, Debug)]
pub struct ListedMessages {
    /// In order of their first frames, each with its sender.
    pub entries: Vec<(Role, Entry)>,
    /// Messages that are not among these, because they are more than [`crate::limits::MESSAGES`]: earlier ones of the
    /// same side.
    pub left_out: u64,
}

/// An answer to an upgrade that is no HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Garbled {
    /// The packet of its first byte.
    pub seen: Seen,
    /// Its first bytes, at most 64.
    pub bytes: Box<[u8]>,
    /// It began as an HTTP head, which never came to its end.
    pub unfinished: bool,
}

impl Connection {
    /// Bytes that its heads take, which a stranger can make long.
    pub fn weight(&self) -> usize {
        let request = self.request.as_ref();
        let response = self.response.as_ref();
        let heads = request.map(|request| &request.head.head);
        let heads = heads.into_iter().chain(response.map(|response| &response.head.head)).map(Head::weight);
        let lists = request.map(|request| &request.extensions);
        let lists = lists.into_iter().chain(response.map(|response| &response.extensions));
        heads.chain(lists.map(|list| list.weight())).sum()
    }

    /// A connection that begins in this packet, with nothing known of it yet. It is large, so that it stays where it is
    /// from now on.
    pub fn begun(first: Seen) -> Box<Connection> {
        let nowhere = Endpoint { ip: std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), port: 0 };
        Box::new(Connection {
            serial: 0,
            tcp: TcpFacts {
                capture: first.packet.capture(),
                stream: 0,
                client: nowhere,
                server: nowhere,
                roles: RoleEvidence::Http,
                opened: None,
                accepted: None,
                isn: Sides::default(),
                heard: first.at,
                fins: Sides::default(),
                reset: None,
                stall: Sides::default(),
                repeats: Sides::default(),
                undelivered: Sides::default(),
            },
            carrier: Carrier::Http1,
            first,
            last: first,
            proxied: None,
            tls: None,
            tunnel: None,
            request: None,
            interim: Vec::new(),
            response: None,
            garbled: None,
            outcome: Outcome::Unseen,
            frames: None,
            closes: Vec::new(),
            ending: Ending::open(),
            silence: None,
            anomalies: Vec::new(),
            quality: Quality::default(),
            messages: None,
        })
    }

    /// Extensions that were offered and are absent from a 101 (2xx on HTTP/2), in lower case and in order of the offer.
    pub fn missing_extensions(&self) -> Vec<CompactString> {
        let agreed = |status| match &self.carrier {
            Carrier::Http1 => status == 101,
            // Where fields of the answer are not known, none can be said to be missing.
            Carrier::Http2(facts) => {
                facts.is_extended_connect()
                    && (200..300).contains(&status)
                    && self.quality.unknown_fields.server == 0
            }
        };
        match (&self.request, &self.response) {
            (Some(request), Some(response)) if agreed(response.head.status) => {
                request.extensions.missing_from(&response.extensions)
            }
            _ => Vec::new(),
        }
    }

    /// Whether the capture has no packet of it after the request, not even one that acknowledges it: a host that is there sends
    /// one, and a client that gets none sends the request again.
    pub fn falls_silent(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.seen.packet >= self.last.packet)
    }

    /// The Close frame that said this code first; one of the other side with the same code is its echo.
    ///
    /// A capture may hold the echo before what it answers. An echo may drop the reason, but has none to invent: of two,
    /// one of them without a reason, the other one came first.
    pub fn first_to_say(&self, code: u16) -> Option<&Close> {
        let mut said = self.closes.iter().filter(|close| close.code == Some(code));
        let first = said.next()?;
        let answer = said.find(|close| close.from != first.from);
        Some(answer.filter(|answer| first.reason.is_empty() && !answer.reason.is_empty()).unwrap_or(first))
    }

    /// The RST that ended the transport first, where that side did not send it, as another time to live than its usual one
    /// tells; and the usual one.
    pub fn foreign_reset(&self) -> Option<(&Reset, u8)> {
        let reset = self.tcp.reset.as_deref()?;
        let is_first = self.ending.by.is_some_and(|(_, end)| end.packet == reset.seen.packet);
        reset.foreign().filter(|_| is_first).map(|usual| (reset, usual))
    }

    /// The Close by which the session was given up; `None` where either side had ended the transport before it.
    pub fn parting_close(&self) -> Option<&Close> {
        self.closes.first().filter(|close| {
            // Nobody sends a Close after the end of its own side, in whatever order a capture holds the two.
            self.ending.by.is_none_or(|(by, end)| by == close.from || close.seen.packet <= end.packet)
        })
    }

    /// The first Close frame that one side sent.
    pub fn first_close(&self, from: Role) -> Option<&Close> {
        self.closes.iter().find(|close| close.from == from)
    }
}

/// Facts about the TCP connection.
#[derive(Clone, Debug)]
pub struct TcpFacts {
    /// Index of the capture that holds its first packet.
    pub capture: u16,
    /// Its number there, as Wireshark's `tcp.stream`.
    pub stream: u32,
    /// Who asked for the upgrade.
    pub client: Endpoint,
    /// Who was asked.
    pub server: Endpoint,
    /// How the two were told apart.
    pub roles: RoleEvidence,
    /// The SYN.
    pub opened: Option<Seen>,
    /// The SYN-ACK.
    pub accepted: Option<Seen>,
    /// Initial sequence number of each side, where its SYN was seen. Two captures of one connection agree in both,
    /// whatever address translation lies between them.
    pub isn: Sides<Option<u32>>,
    /// The first FIN of each side.
    pub fins: Sides<Option<Seen>>,
    /// The reset that ended it.
    pub reset: Option<Box<Reset>>,
    /// When its last packet was captured, be it one without payload.
    pub heard: Timestamp,
    /// The longest time that each side announced a window of zero.
    pub stall: Sides<Option<Box<Stall>>>,
    /// What each side sent again since it last sent something new.
    pub repeats: Sides<Option<Box<Repeats>>>,
    /// What ICMP errors say of packets that each side sent, in the order of their first ones.
    pub undelivered: Sides<Vec<Undelivered>>,
}

/// A RST, and the time to live by which its sender is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reset {
    /// Whose it says it is.
    pub from: Role,
    /// The packet.
    pub seen: Seen,
    /// Its time to live, or hop limit.
    pub ttl: u8,
    /// The same of that side's packet before it.
    pub usual_ttl: Option<u8>,
    /// What it says of its sender.
    pub kind: ResetKind,
}

impl Reset {
    /// The time to live of its side's other packets, where that tells that something else sent it, in the name of its side:
    /// smaller differences are changes of route.
    pub fn foreign(&self) -> Option<u8> {
        self.usual_ttl.filter(|usual| usual.abs_diff(self.ttl) > HOPS)
    }
}

/// Hops by which routes differ that change within a session.
const HOPS: u8 = 2;

/// A time in which one side announced a window of zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stall {
    /// From the first packet that says so to the one with which it opens, or else to the last of the connection.
    pub span: Span,
    /// The last packet that says so: from there on a packet that the capture lacks may have opened it.
    pub told: Seen,
}

/// From one packet to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The first.
    pub from: Seen,
    /// The last.
    pub until: Seen,
}

impl Span {
    /// Its length in nanoseconds; 0 where a clock went back.
    pub fn nanos(&self) -> i64 {
        self.until.at.nanos_since(self.from.at).max(0)
    }
}

/// Bytes that were sent again and again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Repeats {
    /// How often.
    pub count: u32,
    /// First and last time.
    pub span: Span,
}

/// A TCP connection that never carried a payload, as far as it was captured: a refused or unanswered attempt, or one
/// that nobody used.
#[derive(Clone, Debug)]
pub struct Unused {
    /// Index of the capture that holds its first packet.
    pub capture: u16,
    /// Its number there, as Wireshark's `tcp.stream`.
    pub stream: u32,
    /// Who sent the SYN.
    pub client: Endpoint,
    /// Who was called.
    pub server: Endpoint,
    /// The first SYN.
    pub opened: Seen,
    /// SYNs sent.
    pub syns: u32,
    /// The SYN-ACK.
    pub accepted: Option<Seen>,
    /// The first FIN or RST: who sent it, and where.
    pub ended: Option<(Role, Transport, Seen)>,
    /// What ICMP errors say of the client's SYNs.
    pub undelivered: Vec<Undelivered>,
}

/// What tells client from server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoleEvidence {
    /// The client sent the SYN.
    Syn,
    /// The client sent an HTTP request, or the server an HTTP response.
    Http,
    /// The client sent a TLS client hello.
    Tls,
    /// Client frames are masked, server frames are not.
    Masking,
}

/// An upgrade request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The packet with its last byte, as Wireshark shows it.
    pub seen: Seen,
    /// Its head.
    pub head: RequestHead,
    /// `Sec-WebSocket-Key` as written.
    pub key: Option<CompactString>,
    /// `Sec-WebSocket-Version` as written.
    pub version: Option<CompactString>,
    /// `Sec-WebSocket-Protocol`.
    pub subprotocols: Arc<Subprotocols>,
    /// `Sec-WebSocket-Extensions`.
    pub extensions: Arc<Extensions>,
    /// The first packet with bytes after the request that was captured before the answer (RFC 6455 §4.1 bids the
    /// client wait).
    pub early_data: Option<Seen>,
}

impl Request {
    /// Whether it offers this subprotocol, letter by letter.
    pub fn offers_subprotocol(&self, name: &str) -> bool {
        self.offered_subprotocols().any(|offered| offered == name.as_bytes())
    }

    /// The subprotocols that it offers. Of a list that leaves its grammar every part between two commas was offered, be it a
    /// token or not.
    pub fn offered_subprotocols(&self) -> impl Iterator<Item = &[u8]> {
        let lines = self.head.head.values("sec-websocket-protocol");
        let parts = lines.flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
        self.subprotocols.list.iter().map(|offered| offered.as_bytes()).chain(parts)
    }

    /// Whether it offers this extension, whatever its case. Of a list that leaves its grammar nobody knows where an element
    /// ends: what it names was offered, and in more than [`limits::MALFORMED_LIST`] bytes anything may have been.
    pub fn offers_extension(&self, name: &str) -> bool {
        let names = |line: &[u8]| {
            let lower = |text: &[u8]| String::from_utf8_lossy(text).to_ascii_lowercase();
            lower(line).contains(&lower(name.as_bytes()))
        };
        let lines = || self.head.head.values("sec-websocket-extensions");
        let is_long = || lines().map(<[u8]>::len).sum::<usize>() > limits::MALFORMED_LIST;
        let malformed = self.extensions.malformed.is_some();
        self.extensions.get(name).is_some() || malformed && (is_long() || lines().any(names))
    }
}

/// The final answer to an upgrade request.
#[derive(Clone, Debug)]
pub struct Response {
    /// The packet with its last byte.
    pub seen: Seen,
    /// Its head.
    pub head: ResponseHead,
    /// Whether it answers the request's key; `None` where a key or the accept is absent.
    pub accept_valid: Option<bool>,
    /// `Sec-WebSocket-Protocol`.
    pub subprotocol: Option<CompactString>,
    /// `Sec-WebSocket-Extensions`.
    pub extensions: Arc<Extensions>,
    /// The first bytes of the body of an answer other than 101, at most [`crate::limits::BODY_QUOTE`].
    pub body: Box<[u8]>,
}

impl Response {
    /// `Sec-WebSocket-Accept` as written; the first one where it was repeated.
    pub fn accept(&self) -> Option<CompactString> {
        self.head.head.text("sec-websocket-accept")
    }
}

/// What became of the handshake.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// A 101 that a conforming client accepts.
    Established,
    /// A 101 that a conforming client must fail (RFC 6455 §4.1).
    Invalid,
    /// Another final status.
    Rejected,
    /// Bytes that are no HTTP answer.
    Garbled,
    /// No answer.
    Unanswered,
    /// The handshake is not in the capture.
    Unseen,
    /// TLS of which no application data could be read: no key opens it, or its own handshake failed. Whether it was
    /// meant for WebSocket is not known.
    Encrypted,
}

/// What the capture did not show. Poor evidence is not bad behaviour: it lowers confidence and forbids conclusions.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Quality {
    /// The capture joined the TCP connection after its SYN.
    pub late_start: bool,
    /// No packet of this side is in the capture.
    pub unseen: Sides<bool>,
    /// Bytes of each side that the capture lacks.
    pub missing: Sides<u64>,
    /// Gaps on each side.
    pub gaps: Sides<u32>,
    /// The last gap on each side.
    pub last_gap: Sides<Option<Seen>>,
    /// Header fields of request and answer that refer to what HTTP/2 sent before the capture began, or in a gap.
    pub unknown_fields: Sides<u32>,
    /// Bytes were sent again with other contents.
    pub conflicts: u32,
    /// A bound of this program was reached on the connection, so that part of it was not followed.
    pub bounded: bool,
}

impl Quality {
    /// Whether some of what was sent while it was captured is not in the capture.
    pub fn lacks_bytes(&self) -> bool {
        self.bounded || Role::BOTH.iter().any(|&role| self.unseen[role] || self.missing[role] > 0)
    }

    /// Whether both sides were captured from the start without a gap: what absence needs to mean absence.
    pub fn is_whole(&self) -> bool {
        !self.late_start
            && !self.bounded
            && Role::BOTH
                .iter()
                .all(|&role| !self.unseen[role] && self.missing[role] == 0 && self.unknown_fields[role] == 0)
    }
}
