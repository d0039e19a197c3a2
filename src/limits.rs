//! Every bound of the program, each with its reason. A bound that is reached is a fact in the report.

/// Longest message head that is followed, in bytes. Servers refuse heads far shorter; 64 KiB covers every real one.
pub const HEAD: usize = 64 << 10;

/// Bytes of an answer's body that are kept: enough for the sentence by which a gateway's error page is known.
pub const BODY_QUOTE: usize = 512;

/// Bytes of the wire quoted in evidence.
pub const QUOTE: usize = 64;

/// Kinds of fault that the table keeps, each with its count. A person reads a dozen; the rest is counted, and JSON has
/// them all.
pub const REPORT_GROUPS: usize = 200;

/// Findings of one kind that the table shows with their own facts.
pub const REPORT_EXAMPLES: usize = 5;
