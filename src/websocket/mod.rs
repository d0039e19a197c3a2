//! WebSocket frames, read as they stream by (RFC 6455 §5): headers always, payloads only of control frames.
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

mod check;
mod close;
mod decoder;
mod event;
mod extension;
mod handshake;
mod header;
mod list;
mod mask;
mod opcode;
#[cfg(test)]
mod oracle;
mod resume;
mod subprotocol;

pub use close::{CloseClass, CloseFlaw, ClosePayload, close_class, close_name};
pub use decoder::Decoder;
pub use event::{FrameEvent, FrameSink, Masking, Violation};
pub use extension::{Extension, Extensions, Malformed, Param};
pub use handshake::{KeyFault, accept_for, accept_is_valid, check_key};
pub use header::{FrameHeader, LONGEST_CONTROL, LONGEST_HEADER, LengthForm};
pub use mask::unmask;
pub use opcode::Opcode;
pub use resume::likely_frames;
pub use subprotocol::Subprotocols;
