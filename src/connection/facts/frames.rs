//! What is known of the frames of one side, of its pings, and of a Close.

use super::Span;
use crate::capture::Seen;
use crate::role::{Role, Sides};
use crate::websocket::{FrameHeader, Inflated, Opcode};
use compact_str::CompactString;
use std::borrow::Cow;

/// Frames of one side. A frame counts where its header was read whole.
#[derive(Clone, Default, Debug)]
pub struct FrameFacts {
    /// Text frames that begin a message.
    pub text: u64,
    /// Binary frames that begin a message.
    pub binary: u64,
    /// Continuation frames.
    pub continuation: u64,
    /// Pings.
    pub ping: u64,
    /// Pongs.
    pub pong: u64,
    /// Close frames.
    pub close: u64,
    /// Frames with an opcode that no specification defines.
    pub reserved: u64,
    /// Payload bytes by the frames' own lengths, of the part that was sent.
    pub payload_bytes: u64,
    /// Messages begun and finished.
    pub messages: u64,
    /// Payload length of the longest data frame by its header.
    pub longest_frame: u64,
    /// Payload bytes of the longest finished message.
    pub longest_message: u64,
    /// Payload bytes, by the frames' headers, of the message begun last, finished or not.
    pub latest_message: u64,
    /// Data frames with RSV1, which permessage-deflate sets on a compressed message.
    pub compressed: u64,
    /// The first of these.
    pub first_compressed: Option<Seen>,
    /// The first frame of this side.
    pub first: Option<Seen>,
    /// The last packet of this side with payload after the handshake.
    pub last: Option<Seen>,
    /// Finished data messages of at least [`LARGE`] bytes.
    pub large: u64,
    /// The first frames, at most [`crate::limits::GLIMPSES`]: by them two legs of one session are matched.
    pub opening: Vec<OpeningFrame>,
    /// Stands for the first bytes of the first [`crate::limits::WORDS`] data frames, without their masks.
    pub words: u64,
    /// Masked frames whose key equals the one before.
    pub mask_repeats: u64,
    /// Masked frames with the key 0.
    pub mask_zero: u64,
    /// Its pings, where it sent any that was read whole.
    pub pings: Option<Box<Pings>>,
    /// What came of its compressed messages, where compression was agreed.
    pub inflated: Option<Box<Inflated>>,
}

/// Payload bytes from which a message is large enough to be worth compressing.
pub const LARGE: u64 = 1024;

/// What is kept of each of the first frames of a side.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OpeningFrame {
    /// Its first byte, but for RSV2 and RSV3.
    pub head: u8,
    /// Payload length.
    pub len: u64,
    /// Masking key.
    pub mask: Option<[u8; 4]>,
}

impl OpeningFrame {
    /// Of a frame with this header.
    pub fn of(header: &FrameHeader) -> OpeningFrame {
        let head = u8::from(header.fin) << 7 | u8::from(header.rsv1()) << 6 | header.opcode.bits();
        OpeningFrame { head, len: header.len, mask: header.mask }
    }

    /// Its opcode.
    pub const fn opcode(&self) -> Opcode {
        Opcode::from_bits(self.head)
    }

    /// FIN.
    pub const fn fin(&self) -> bool {
        self.head & 0x80 != 0
    }

    /// RSV1.
    pub const fn is_compressed(&self) -> bool {
        self.head & 0x40 != 0
    }
}

/// Pings of one side, and what became of them (RFC 6455 §5.5.2, §5.5.3).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Pings {
    /// Pings that some Pong answered, itself or by answering a later one.
    pub answered: u64,
    /// The first of those that no Pong followed.
    pub unanswered: Option<Seen>,
    /// How many of those there are.
    pub unanswered_count: u64,
    /// Shortest and longest time between two pings, in nanoseconds.
    pub interval: Option<(i64, i64)>,
    /// The longest time from ping to pong.
    pub slowest_answer: Option<Span>,
}

impl FrameFacts {
    /// Its pings.
    pub fn pings(&self) -> Pings {
        self.pings.as_deref().copied().unwrap_or_default()
    }

    /// All frames.
    pub fn total(&self) -> u64 {
        self.text + self.binary + self.continuation + self.ping + self.pong + self.close + self.reserved
    }
}

/// A Close frame (RFC 6455 §5.5.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Close {
    /// Who sent it.
    pub from: Role,
    /// The packet with its last byte.
    pub seen: Seen,
    /// The status code; `None` for an empty body, or one of a single byte.
    pub code: Option<u16>,
    /// The reason; bytes that are not UTF-8 are replaced.
    pub reason: CompactString,
    /// The payload as sent, unmasked, where code and reason do not tell it: a single byte, or a reason that is not UTF-8.
    pub odd: Box<[u8]>,
    /// Payload length by its header.
    pub len: u64,
    /// The last packet of each side with payload after the handshake and before this frame.
    pub after: Sides<Option<Seen>>,
}

impl Close {
    /// The payload as sent, unmasked; at most 125 bytes, fewer where the frame was longer or cut.
    pub fn payload(&self) -> Cow<'_, [u8]> {
        match self.code {
            Some(code) if self.odd.is_empty() => {
                [&code.to_be_bytes(), self.reason.as_bytes()].concat().into()
            }
            _ => Cow::Borrowed(&self.odd),
        }
    }
}
