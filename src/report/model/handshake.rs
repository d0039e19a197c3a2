//! The HTTP messages of a handshake.

use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// An upgrade request.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Request {
    /// The packet with its last byte.
    pub packet: u64,
    /// That packet's time.
    pub time: Timestamp,
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
    /// `Sec-WebSocket-Protocol`, what may be a token of access hidden unless secrets are shown.
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
    pub time: Timestamp,
    /// The status code.
    pub status: u16,
    /// The reason phrase, empty where there is none.
    pub reason: String,
    /// `Sec-WebSocket-Accept`.
    pub accept: Option<String>,
    /// Whether it answers the key; null where a key or the accept is absent.
    pub accept_valid: Option<bool>,
    /// `Sec-WebSocket-Protocol`, hidden likewise.
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
