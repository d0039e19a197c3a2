//! What is known of a capture as a whole.

use super::names::HostNames;
use crate::time::Timestamp;
use std::fmt;

/// The container format of a capture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Classic libpcap, any of its variants.
    Pcap,
    /// pcapng.
    Pcapng,
}

/// How a capture file is compressed, told by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// gzip (RFC 1952), also several members.
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
    /// LZ4 frames.
    Lz4,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "Zstandard",
            Compression::Lz4 => "LZ4",
        })
    }
}

/// One input, after it was read.
#[derive(Clone, Debug)]
pub struct CaptureInfo {
    /// As given on the command line; `-` for standard input.
    pub path: String,
    /// Its container.
    pub format: Format,
    /// Its compression.
    pub compression: Option<Compression>,
    /// Packet records read.
    pub packets: u64,
    /// Bytes of the file as stored.
    pub bytes: u64,
    /// Time of the first packet record, in file order.
    pub first: Option<Timestamp>,
    /// Time of the last packet record, in file order.
    pub last: Option<Timestamp>,
    /// Packet records that hold the beginning of their packet only.
    pub cut: u64,
    /// Packets that the capturing system says it lost.
    pub dropped: u64,
    /// False where the file ends inside a record or is damaged.
    pub complete: bool,
    /// What is wrong with it, one sentence each, lower case, without a final stop.
    pub warnings: Vec<String>,
    /// What is curious about it and harms nothing, in the same form.
    pub notes: Vec<String>,
    /// What it calls hosts.
    pub names: HostNames,
}
