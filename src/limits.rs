//! Every bound of the program, each with its reason. A bound that is reached is a fact in the report.

/// Longest message head that is followed, in bytes. Servers refuse heads far shorter; 64 KiB covers every real one.
pub const HEAD: usize = 64 << 10;

/// Bytes of an answer's body that are kept: enough for the sentence by which a gateway's error page is known.
pub const BODY_QUOTE: usize = 512;

/// Bytes of the wire quoted in evidence.
pub const QUOTE: usize = 64;

/// Longest PROXY protocol version 2 header that is followed, without its first 16 bytes. The addresses need 216 at
/// most; the rest is room for TLVs such as a client certificate's name.
pub const PROXY: usize = 4 << 10;

/// Longest chunk-size line (with its extensions) or trailer line of a chunked body, in bytes. Servers allow 4 to 16 KiB.
pub const CHUNK_LINE: u32 = 16 << 10;

/// Longest trailer section of a chunked body, in bytes; as long as a head may be.
pub const TRAILERS: u32 = 64 << 10;
