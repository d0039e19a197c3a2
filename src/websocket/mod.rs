//! WebSocket frames, read as they stream by (RFC 6455 §5): headers and control frames always, the contents of messages only
//! where they are needed.
//!
//! A [`Decoder`] reads one direction and hands out [`FrameEvent`]s. Where framing is lost, `resume` finds the next frame. A
//! second stage, `messages`, looks into messages: whether text is UTF-8, and what compressed ones inflate to (RFC 7692). The
//! header fields of the handshake are read here as well: [`Extensions`], [`Subprotocols`], keys and accepts.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )
)]

mod chain;
mod check;
mod close;
mod compressed;
mod control;
mod decoder;
mod deflate;
mod event;
mod extension;
mod handshake;
mod header;
mod journal;
mod kept;
mod list;
mod mask;
mod messages;
mod opcode;
#[cfg(test)]
mod oracle;
mod reading;
mod resume;
mod subprotocol;
mod undecided;
mod utf8;

pub use chain::{likely_frames, may_begin_frame};
pub use close::{CloseClass, CloseFlaw, ClosePayload, close_class, close_name};
pub use compressed::{Inflated, Instead, Undecodable, Unread};
pub use decoder::Decoder;
pub use deflate::{Corrupt, Window};
pub use event::{FrameEvent, FrameSink, Masking, Violation};
pub use extension::{Extension, Extensions, Malformed, Param};
pub use handshake::{KeyFault, accept_for, accept_is_valid, check_key};
pub use header::{FrameHeader, LONGEST_CONTROL, LONGEST_HEADER, LengthForm};
pub use journal::{Content, Entry, Unreadable};
pub use mask::unmask;
pub use messages::{Fault, Messages, Transform};
pub use opcode::Opcode;
pub use reading::{Depth, Payloads, Reading};
pub use subprotocol::Subprotocols;
pub use utf8::NotUtf8;
