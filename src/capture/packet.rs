//! What the capture stage hands on: one packet, with its address for evidence.

use crate::time::Timestamp;
use std::fmt;
use std::num::NonZeroU64;

/// The address of a packet: which capture of the run, and its number there, counted from 1 as Wireshark's frame
/// number is. Ordered by capture, then by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(NonZeroU64);

impl PacketId {
    const NUMBER_BITS: u32 = 48;

    /// The packet `number` (from 1) of the run's capture `capture` (from 0).
    pub const fn new(capture: u16, number: u64) -> Self {
        let packed = ((capture as u64) << Self::NUMBER_BITS) | (number & ((1 << Self::NUMBER_BITS) - 1));
        match NonZeroU64::new(packed) {
            Some(packed) => PacketId(packed),
            // There is no packet 0: numbers begin at 1, so that what may be absent takes no more room.
            None => PacketId(NonZeroU64::MIN),
        }
    }

    /// Index of the capture among the inputs of the run.
    pub const fn capture(self) -> u16 {
        (self.0.get() >> Self::NUMBER_BITS) as u16
    }

    /// Number of the packet in its capture, from 1.
    pub const fn number(self) -> u64 {
        self.0.get() & ((1 << Self::NUMBER_BITS) - 1)
    }
}

impl fmt::Debug for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.capture(), self.number())
    }
}

/// Where and when something was seen: the packet and its time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Seen {
    /// The packet that showed it.
    pub packet: PacketId,
    /// That packet's time.
    pub at: Timestamp,
}

/// A link-layer header type as the registry of libpcap numbers it (`LINKTYPE_…`), without the FCS bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkType(pub u32);

/// One captured packet, borrowed from the reading window.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Its address and time.
    pub seen: Seen,
    /// What its first bytes are.
    pub link: LinkType,
    /// Bytes it had on the wire; `data` is shorter where a snap length cut it.
    pub original_len: u32,
    /// Bytes of frame check sequence at its end on the wire (0 where the capture does not say).
    pub fcs_len: u8,
    /// The captured bytes, from the link-layer header on.
    pub data: &'a [u8],
}
