//! What carried a WebSocket: an HTTP/1.1 connection of its own, or one stream among others (RFC 8441).

use crate::capture::Seen;
use crate::http::h2::{ErrorCode, Pseudo};
use crate::role::Role;

/// What carried a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Carrier {
    /// HTTP/1.1, whose connection became the WebSocket.
    Http1,
    /// One stream of an HTTP/2 connection.
    Http2(Box<Http2>),
}

/// Facts about the HTTP/2 stream of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Http2 {
    /// Its number.
    pub stream: u32,
    /// Whether the server allows extended CONNECT.
    pub connect_protocol: ConnectProtocol,
    /// `:protocol` as written; `None` where it was attempted in the way of HTTP/1.1, or where it is not known.
    pub protocol: Option<String>,
    /// `:scheme` as written.
    pub scheme: Option<String>,
    /// Pseudo-header fields that an extended CONNECT must have (RFC 8441 §4) and that are certainly not there.
    pub lacks: Vec<Pseudo>,
    /// The first END_STREAM: who sent it.
    pub end_stream: Option<(Role, Seen)>,
    /// The RST_STREAM that ended it: who sent it, and why.
    pub reset: Option<(Role, ErrorCode, Seen)>,
    /// The first GOAWAY of the connection while it was open.
    pub goaway: Option<(Role, ErrorCode, Seen)>,
}

/// What the server's SETTINGS say of SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441 §3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectProtocol {
    /// Extended CONNECT was allowed before the request came.
    Announced,
    /// It was allowed in this packet, which came after the request.
    Late(Seen),
    /// The server sent SETTINGS without it, the last ones in this packet.
    Absent(Seen),
    /// Its SETTINGS are not in the capture.
    Unknown,
}

impl Carrier {
    /// The facts of the stream, on HTTP/2.
    pub fn http2(&self) -> Option<&Http2> {
        match self {
            Carrier::Http1 => None,
            Carrier::Http2(facts) => Some(facts),
        }
    }

    pub(super) fn http2_mut(&mut self) -> Option<&mut Http2> {
        match self {
            Carrier::Http1 => None,
            Carrier::Http2(facts) => Some(facts),
        }
    }
}

impl Http2 {
    /// Of a stream of which nothing else is known.
    pub(crate) const fn new(stream: u32) -> Http2 {
        Http2 {
            stream,
            connect_protocol: ConnectProtocol::Unknown,
            protocol: None,
            scheme: None,
            lacks: Vec::new(),
            end_stream: None,
            reset: None,
            goaway: None,
        }
    }

    /// Whether it was asked for by extended CONNECT, as it must be.
    pub fn is_extended_connect(&self) -> bool {
        self.protocol.as_ref().is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
    }
}
