//! What the network stage hands on: one TCP segment.

use super::endpoint::{FlowKey, Side};
use etherparse::TcpHeaderSlice;
use std::ops::BitOr;

/// The control bits of a TCP header (RFC 9293 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Flags = Flags(0x01);
    /// Synchronize sequence numbers.
    pub const SYN: Flags = Flags(0x02);
    /// Reset the connection.
    pub const RST: Flags = Flags(0x04);
    /// Push.
    pub const PSH: Flags = Flags(0x08);
    /// The acknowledgment field is significant.
    pub const ACK: Flags = Flags(0x10);

    /// Those of a header.
    #[inline]
    pub(super) fn of(header: &TcpHeaderSlice<'_>) -> Flags {
        Flags(header.slice().get(13).copied().unwrap_or_default())
    }

    /// Whether it acknowledges, and neither begins nor ends anything.
    #[inline]
    pub const fn is_ordinary(self) -> bool {
        self.0 & (Flags::ACK.0 | Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0) == Flags::ACK.0
    }

    /// Whether any of `bits` is set.
    #[inline]
    pub const fn has(self, bits: Flags) -> bool {
        self.0 & bits.0 != 0
    }
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// One TCP segment, borrowed from its packet.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The flow it belongs to.
    pub key: FlowKey,
    /// Which end of the flow sent it.
    pub from: Side,
    /// Sequence number of its first byte (or of SYN).
    pub seq: u32,
    /// Acknowledgment number; meaningful with [`Flags::ACK`].
    pub ack: u32,
    /// Control bits.
    pub flags: Flags,
    /// Window as written, unscaled.
    pub window: u16,
    /// IPv4 time to live, IPv6 hop limit.
    pub ttl: u8,
    /// IPv4 identification; 0 for IPv6.
    pub ip_id: u16,
    /// Payload bytes that were sent, by the IP header. Greater than `payload.len()` where the packet was cut.
    pub declared_len: u32,
    /// Payload bytes that were captured.
    pub payload: &'a [u8],
}
