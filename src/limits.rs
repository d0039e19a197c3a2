//! Every bound of the program, each with its reason. A bound that is reached is a fact in the report.

/// Longest message head that is followed, in bytes. Servers refuse heads far shorter; 64 KiB covers every real one.
pub const HEAD: usize = 64 << 10;

/// Bytes of an answer's body that are kept: enough for the sentence by which a gateway's error page is known.
pub const BODY_QUOTE: usize = 512;

/// Bytes of the wire quoted in evidence.
pub const QUOTE: usize = 64;

/// Elements of one comma-separated list of the handshake that are kept. Real ones have fewer than ten.
pub const LIST_ELEMENTS: usize = 256;

/// Parameters of one extension that are kept. permessage-deflate defines four.
pub const EXTENSION_PARAMS: usize = 64;

/// Longest payload that one frame is believed to announce, in bytes. No stack sends more than 2^31 in a frame; a header
/// that speaks of a tebibyte is no header.
pub const FRAME_PAYLOAD: u64 = 1 << 40;
