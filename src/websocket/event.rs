//! What the decoder tells.

use super::{FrameHeader, NotUtf8, Undecodable};
use crate::capture::Seen;

/// One thing that was read from one direction of a WebSocket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameEvent<'a> {
    /// A frame begins: its header was read whole. Its violations follow at once.
    Header {
        /// The header.
        header: &'a FrameHeader,
        /// Stream offset of its first byte.
        offset: u64,
        /// The packet with its first byte.
        seen: Seen,
        /// The packet with its last byte.
        complete_in: Seen,
    },
    /// A control frame ends: Close, Ping, Pong, or one with a reserved control opcode.
    Control {
        /// Its header, as told before.
        header: &'a FrameHeader,
        /// Stream offset of the header.
        offset: u64,
        /// The payload, unmasked: its first [`super::LONGEST_CONTROL`] bytes, or fewer where it was cut by a gap
        /// or by the end of the stream.
        payload: &'a [u8],
        /// Whether `payload` is all that the header announced.
        whole: bool,
        /// The packet with its last byte.
        seen: Seen,
    },
    /// Bytes of a data frame's payload, as they were sent.
    Payload {
        /// Its header, as told before.
        header: &'a FrameHeader,
        /// Stream offset of the header.
        offset: u64,
        /// Offset in the payload of the first of them.
        phase: u64,
        /// The bytes; never none.
        bytes: &'a [u8],
        /// The packet that brought them.
        seen: Seen,
    },
    /// A data frame ends; or the stream does, inside it.
    End {
        /// Its header, as told before.
        header: &'a FrameHeader,
        /// Stream offset of the header.
        offset: u64,
        /// Bytes of its payload that were there; fewer than `header.len` where gaps or the end of the stream cut it.
        present: u64,
        /// The packet with its last byte.
        seen: Seen,
    },
    /// Something the protocol forbids, or that a judge should know.
    Violation {
        /// What it is.
        kind: Violation,
        /// Stream offset of the frame, or of the bytes, that it is about.
        offset: u64,
        /// The packet that showed it.
        seen: Seen,
        /// The first bytes of it as sent, at most 16.
        quote: &'a [u8],
    },
}

/// Receives what is read.
pub trait FrameSink {
    /// Takes one event.
    fn frame(&mut self, event: FrameEvent<'_>);

    /// Takes a data frame without a fault that one segment brought to its end, as it brings most: the same as its header,
    /// its payload and its end. `first` is the packet with its first byte.
    #[inline]
    fn data_frame(&mut self, header: &FrameHeader, offset: u64, payload: &[u8], first: Seen, seen: Seen) {
        self.frame(FrameEvent::Header { header, offset, seen: first, complete_in: seen });
        if !payload.is_empty() {
            self.frame(FrameEvent::Payload { header, offset, phase: 0, bytes: payload, seen });
        }
        self.frame(FrameEvent::End { header, offset, present: header.len, seen });
    }
}

impl<F: FnMut(FrameEvent<'_>)> FrameSink for F {
    fn frame(&mut self, event: FrameEvent<'_>) {
        self(event);
    }
}

/// Whether the frames of a direction are masked: those of the client must be, those of the server must not
/// (RFC 6455 §5.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Masking {
    /// Frames of a client.
    Masked,
    /// Frames of a server.
    Unmasked,
    /// Not known, as where the capture begins later than the handshake: the first frame tells.
    Unknown,
}

/// What one direction of a WebSocket can do wrong, and how reading it can go astray.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Violation {
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
    /// A 64-bit length with its top bit set (RFC 6455 §5.2). Framing is lost with it.
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
    /// An HTTP message where a frame should begin. Framing is lost with it.
    HttpInStream,
    /// Other text where a frame should begin. Framing is lost with it.
    TextInStream,
    /// Bytes where no frame can begin: framing was lost here.
    FramingLost,
    /// After a gap or lost framing, frames are read again from here.
    Resynchronised {
        /// Bytes since the last place that was known to begin a frame, missing ones included.
        skipped: u64,
    },
    /// The stream ended inside a frame, or inside a fragmented message that no Close followed.
    EndsMidFrame,
    /// A text message that is not UTF-8 (RFC 6455 §8.1).
    TextNotUtf8(NotUtf8),
    /// A compressed message that does not inflate though everything before it is known (RFC 7692 §7.2.2).
    Undecodable(Undecodable),
}
