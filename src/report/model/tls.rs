//! The TLS around a connection.

use super::BothSides;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// The TLS around a connection, as far as it could be read. Key material is never part of it.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Tls {
    /// `1.3`; null where no server hello was seen.
    pub version: Option<String>,
    /// `TLS_AES_128_GCM_SHA256`.
    pub cipher_suite: Option<String>,
    /// The name the client asked for.
    pub server_name: Option<String>,
    /// The protocol the server chose; with TLS 1.3 it can be read with a key only.
    pub alpn: Option<String>,
    /// The protocols the client offered.
    pub alpn_offered: Vec<String>,
    /// Whether it could be opened: `yes`, `one-direction`, `nothing-to-open`, `no-keys`, `keys-of-others`,
    /// `wrong-keys`, `unsupported` or `capture-incomplete`.
    #[schemars(extend("enum" = ["yes", "one-direction", "nothing-to-open", "no-keys", "keys-of-others", "wrong-keys", "unsupported", "capture-incomplete"]))]
    pub opened: &'static str,
    /// Alerts that could be read, `close_notify` among them.
    pub alerts: Vec<Alert>,
    /// What each side sent, by its records.
    pub sent: BothSides<TlsSent>,
}

/// A TLS alert.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Alert {
    /// `client` or `server`.
    #[schemars(extend("enum" = ["client", "server"]))]
    pub from: &'static str,
    /// The packet with its last byte.
    pub packet: u64,
    /// That packet's time.
    pub time: Timestamp,
    /// `warning` or `fatal`; without meaning in TLS 1.3. Null for any other number.
    #[schemars(extend("enum" = ["warning", "fatal", null]))]
    pub level: Option<&'static str>,
    /// `unknown_ca`.
    pub description: String,
}

/// What one side sent over TLS.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct TlsSent {
    /// Records.
    pub records: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Time of the first.
    pub first: Option<Timestamp>,
    /// Time of the last.
    pub last: Option<Timestamp>,
}
