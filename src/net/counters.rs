//! What the packets of a run were.

use super::decode::Other;
use crate::capture::LinkType;
use std::collections::BTreeMap;

/// Counts of packets by what they were. Every packet is in exactly one of the first group.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// TCP segments handed on.
    pub tcp: u64,
    /// UDP datagrams that hold no tunnel known here.
    pub udp: u64,
    /// Those that begin a QUIC connection.
    pub quic: u64,
    /// IP packets with another protocol.
    pub other_ip: u64,
    /// Frames without IP.
    pub not_ip: u64,
    /// 802.11 frames that only the key of the network would open.
    pub encrypted: u64,
    /// IP fragments that did not complete their datagram.
    pub fragments_waiting: u64,
    /// Packets cut before the end of their headers.
    pub cut: u64,
    /// Packets whose headers contradict themselves.
    pub malformed: u64,
    /// Packets with more headers in each other than [`crate::limits::LAYERS`] or [`crate::limits::CHAIN`].
    pub too_deep: u64,
    /// Packets of a link type that is not read, by its number.
    pub unsupported: BTreeMap<LinkType, u64>,

    /// Segments whose last bytes were not captured.
    pub payload_cut: u64,
    /// Segments that came in a tunnel.
    pub tunnelled: u64,
    /// Datagrams put together from fragments.
    pub datagrams_reassembled: u64,
    /// Datagrams given up: too old, too many, too large, or contradicting themselves.
    pub datagrams_dropped: u64,
    /// Fragments that shared bytes with an earlier one without being its copy; the earlier bytes were kept.
    pub fragments_overlapping: u64,
    /// 802.11 aggregates, of which only the first frame was read.
    pub aggregates: u64,
    /// TCP checksums computed; at most [`crate::limits::CHECKSUMS`].
    pub checksums_checked: u64,
    /// Of these, wrong. A sender that leaves the sum to its network card shows a wrong one in its own capture.
    pub checksums_bad: u64,
}

impl Counters {
    /// All packets seen.
    pub fn packets(&self) -> u64 {
        [
            self.tcp,
            self.udp,
            self.quic,
            self.other_ip,
            self.not_ip,
            self.encrypted,
            self.fragments_waiting,
            self.cut,
            self.malformed,
            self.too_deep,
        ]
        .iter()
        .chain(self.unsupported.values())
        .fold(0, |sum, &n| sum.saturating_add(n))
    }

    pub(super) fn count(&mut self, other: Other) {
        let field = match other {
            Other::Udp => &mut self.udp,
            Other::Quic => &mut self.quic,
            Other::Transport(_) => &mut self.other_ip,
            Other::NotIp => &mut self.not_ip,
            Other::Encrypted => &mut self.encrypted,
            Other::Fragment => &mut self.fragments_waiting,
            Other::Unsupported(link) => self.unsupported.entry(link).or_default(),
            Other::Cut(_) => &mut self.cut,
            Other::Malformed(_) => &mut self.malformed,
            Other::TooDeep => &mut self.too_deep,
        };
        *field = field.saturating_add(1);
    }
}
