//! The messages of a connection one by one.

use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// A message, or as much of it as was seen.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Message {
    /// `client` or `server`.
    #[schemars(extend("enum" = ["client", "server"]))]
    pub from: &'static str,
    /// The packet with the header of its first frame.
    pub packet: u64,
    /// That packet's time.
    pub time: Timestamp,
    /// Seconds since the answer to the handshake; since the connection's first packet where no answer was seen.
    pub after: f64,
    /// `text` or `binary`; null where its first frame was not seen.
    #[schemars(extend("enum" = ["text", "binary", null]))]
    pub opcode: Option<&'static str>,
    /// How many frames it came in.
    pub frames: u32,
    /// Payload bytes of these, as sent.
    pub payload_bytes: u64,
    /// Whether RSV1 says that it is compressed.
    pub compressed: bool,
    /// The bytes that it inflates to; null where it is not compressed or cannot be inflated.
    pub inflated_bytes: Option<u64>,
    /// Why it cannot be read: `incomplete`, `context-missing` (an earlier message that it may refer to could not be read),
    /// `corrupt`, `too-long`, `too-many`, `unknown-extension` or `framing-lost`; null where it can.
    #[schemars(extend("enum" = ["incomplete", "context-missing", "corrupt", "too-long", "too-many", "unknown-extension", "framing-lost", null]))]
    pub unread: Option<&'static str>,
    /// How it begins, at most 200 bytes: text as text, anything else in hexadecimal. Absent unless payload was asked for
    /// and can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}
