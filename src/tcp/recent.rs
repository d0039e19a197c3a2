//! Packets that were captured twice, because another interface saw them, too: by what a copy is known.

use crate::limits;
use crate::net::Segment;

/// The last four packets of a direction, 16 bits each, the last one lowest.
#[derive(Clone, Copy, Default)]
pub(super) struct Recent(u64);

impl Recent {
    /// Notes a packet.
    #[inline]
    pub(super) fn note(&mut self, segment: &Segment<'_>) {
        self.0 = self.0 << 16 | u64::from(mark(segment));
    }

    /// Whether the packet noted last, which says nothing new and came `since_last` nanoseconds after the one before it in
    /// its flow, is another copy of an earlier one. A retransmission is a new packet with an identification of its own;
    /// where there is none, as in IPv6, it comes later than a copy.
    pub(super) fn is_copy(self, since_last: i64) -> bool {
        let [last, earlier @ ..] = [0, 16, 32, 48].map(|lane: u32| self.0.wrapping_shr(lane) & 0xffff);
        if last == 0 { (0..limits::DUPLICATE_NANOS).contains(&since_last) } else { earlier.contains(&last) }
    }
}

/// By what a packet is known again: IP identification, sequence number, length and flags, folded. 0 where it has no
/// identification.
#[inline]
fn mark(segment: &Segment<'_>) -> u16 {
    if segment.ip_id == 0 {
        return 0;
    }
    let [id, flags] = [u32::from(segment.ip_id), u32::from(segment.flags.0)];
    let folded =
        segment.seq ^ id.rotate_left(16) ^ segment.declared_len.rotate_left(8) ^ flags.rotate_left(27);
    let [high, low, ..] = folded.wrapping_mul(0x9e37_79b1).to_be_bytes();
    u16::from_be_bytes([high, low]) | 1
}
