//! Violations and curiosities, as a flat list of what can be seen.

use crate::capture::Seen;
use crate::role::Role;
use crate::websocket::Violation;

/// Something on the wire that the protocol forbids, or that a judge should know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anomaly {
    /// What it is.
    pub kind: Violation,
    /// Who sent it.
    pub from: Role,
    /// Where it was first seen.
    pub seen: Seen,
    /// Offset of its first byte in the sender's TCP stream, or in the DATA of its HTTP/2 stream.
    pub offset: u64,
    /// The first bytes of it as sent, at most 16.
    pub quote: Box<[u8]>,
    /// How often this kind was seen from this side.
    pub count: u64,
}
