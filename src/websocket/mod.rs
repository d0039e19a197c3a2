//! WebSocket frames, read as they stream by (RFC 6455 §5): headers always, payloads only of control frames.

mod extension;
mod opcode;

pub use extension::{Extension, Extensions, Malformed, Param};
pub use opcode::Opcode;
