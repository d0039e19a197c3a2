//! HTTP/2 (RFC 9113) as an onlooker reads it: frames as they stream by, header blocks, and of both only what an
//! extended CONNECT (RFC 8441) and its answer need.

mod connect;
mod error_code;
mod frame;
mod hpack;
mod huffman;
mod midway;
mod table;

pub use connect::{Asks, Fields, Pseudo};
pub use error_code::ErrorCode;
pub use frame::{Frame, FrameReader, enables_connect};
pub use hpack::{Fault, Hpack, Text};
pub use midway::{Midway, midway};

/// The client preface (RFC 9113 §3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
