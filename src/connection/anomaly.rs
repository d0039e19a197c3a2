//! Violations and curiosities, as a flat list of what can be seen.

use crate::capture::Seen;
use crate::role::Role;

/// Something on the wire that the protocol forbids, or that a judge should know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anomaly {
    /// What it is.
    pub kind: AnomalyKind,
    /// Who sent it.
    pub from: Role,
    /// Where it was first seen.
    pub seen: Seen,
    /// Offset of its first byte in the sender's TCP stream.
    pub offset: u64,
    /// The first bytes of it as sent, at most 16.
    pub quote: Box<[u8]>,
    /// How often this kind was seen from this side.
    pub count: u64,
}

/// See [`Anomaly`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AnomalyKind {
    /// A client frame without a mask (RFC 6455 §5.1).
    Unmasked,
    /// A server frame with a mask (RFC 6455 §5.1).
    Masked,
    /// RSV1 on a continuation or control frame, which no extension allows (RFC 7692 §6).
    Rsv1Misplaced,
    /// RSV2 or RSV3, which nothing defines (RFC 6455 §5.2).
    Rsv23,
    /// An opcode that nothing defines (RFC 6455 §5.2).
    ReservedOpcode(u8),
    /// A control frame with FIN=0 (RFC 6455 §5.5).
    ControlFragmented,
    /// A control frame of more than 125 bytes (RFC 6455 §5.5).
    ControlTooLong,
    /// A length in more bytes than it needs (RFC 6455 §5.2).
    LengthNotMinimal,
    /// A 64-bit length with its top bit set (RFC 6455 §5.2).
    LengthTopBit,
    /// A continuation frame with no message begun (RFC 6455 §5.4).
    ContinuationAlone,
    /// A text or binary frame inside an unfinished message (RFC 6455 §5.4).
    MessageInsideMessage,
    /// A Close body of one byte (RFC 6455 §5.5.1).
    CloseOneByte,
    /// A Close reason that is not UTF-8 (RFC 6455 §5.5.1).
    CloseReasonNotUtf8,
    /// A data frame after the sender's own Close (RFC 6455 §5.5.1).
    DataAfterClose,
    /// Another Close after the sender's own Close.
    SecondClose,
    /// An HTTP message where a frame should begin.
    HttpInStream,
    /// Bytes where no frame can begin: framing was lost here.
    FramingLost,
    /// After a gap or lost framing, frames were read again from here.
    Resynchronised,
    /// The stream ended inside a frame or a fragmented message.
    EndsMidFrame,
    /// Bytes from the client between its request and the answer (RFC 6455 §4.1).
    EarlyData,
}
