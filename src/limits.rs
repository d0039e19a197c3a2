//! Every bound of the program, each with its reason. A bound that is reached is a fact in the report.

/// Longest message head that is followed, in bytes. Servers refuse heads far shorter; 64 KiB covers every real one.
pub const HEAD: usize = 64 << 10;

/// Bytes of an answer's body that are kept: enough for the sentence by which a gateway's error page is known.
pub const BODY_QUOTE: usize = 512;

/// Bytes of the wire quoted in evidence.
pub const QUOTE: usize = 64;
