//! Every bound of the program, each with its reason. A bound that is reached is a fact in the report.

/// Longest message head that is followed, in bytes. Servers refuse heads far shorter; 64 KiB covers every real one.
pub const HEAD: usize = 64 << 10;

/// Bytes of an answer's body that are kept: enough for the sentence by which a gateway's error page is known.
pub const BODY_QUOTE: usize = 512;

/// Bytes of the wire quoted in evidence.
pub const QUOTE: usize = 64;

/// Bytes of the reading window. Measured: larger windows fall out of the cache, smaller ones cost system calls.
pub const WINDOW: usize = 256 << 10;

/// Longest record or block of a capture that is believed and buffered whole. A packet is far smaller; a block of
/// decryption secrets may hold a long key log.
pub const RECORD: usize = 16 << 20;

/// Longest packet of a classic capture that is believed where its header promises no longer ones: the largest snap
/// length that libpcap knows.
pub const PACKET: u32 = 256 << 10;

/// Longest block that is passed over without being buffered. Beyond it a length is taken for damage.
pub const SKIPPED_BLOCK: u64 = 256 << 20;

/// Bytes looked ahead to decide whether a record follows damage: two packets of the longest kind.
pub const RESYNC_LOOKAHEAD: usize = 520 << 10;

/// Interfaces of one pcapng section that are remembered; the obsolete packet block cannot even name more.
pub const INTERFACES: usize = 1 << 16;

/// Longest description or statistics block of a pcapng interface, which bounds the number of its options.
pub const INTERFACE_BLOCK: usize = 1 << 20;

/// Damaged places of one capture that are told one by one; the others are counted.
pub const DAMAGE_TOLD: usize = 8;
