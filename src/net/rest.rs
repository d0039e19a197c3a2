//! What is left of a packet behind the headers read so far.

use super::decode::{Layer, Other};
use crate::capture::Packet;

/// The bytes still to be read, and how many more were sent but not captured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest<'a> {
    /// Captured bytes.
    pub data: &'a [u8],
    /// Bytes that followed them on the wire and were cut off.
    pub missing: usize,
}

impl<'a> Rest<'a> {
    /// A whole packet, without its frame check sequence.
    #[inline]
    pub fn of(packet: &Packet<'a>) -> Self {
        let sent = usize::try_from(packet.original_len).unwrap_or(usize::MAX).max(packet.data.len());
        let mut rest = Rest { data: packet.data, missing: 0 };
        rest.limit(sent.saturating_sub(usize::from(packet.fcs_len)));
        rest
    }

    /// Bytes that were sent from here on.
    #[inline]
    pub fn sent(&self) -> usize {
        self.data.len().saturating_add(self.missing)
    }

    /// Believes a header that says how many bytes were sent from here on: cuts padding, or tells what is missing.
    ///
    /// A header that claims more than the frame held is believed too: mirrors and editors cut packets and write the new
    /// length as if it were the old one, and what counts for the stream is what its sender sent.
    #[inline]
    pub fn limit(&mut self, sent: usize) {
        match self.data.get(..sent) {
            Some(data) => *self = Rest { data, missing: 0 },
            None => self.missing = sent.saturating_sub(self.data.len()),
        }
    }

    /// The next `N` bytes, which stay.
    #[inline]
    pub fn peek<const N: usize>(&self, layer: Layer) -> Result<&'a [u8; N], Other> {
        self.data.first_chunk().ok_or_else(|| self.short(N, layer))
    }

    /// The next `N` bytes, which are passed.
    #[inline]
    pub fn take<const N: usize>(&mut self, layer: Layer) -> Result<&'a [u8; N], Other> {
        let (head, data) = self.data.split_first_chunk().ok_or_else(|| self.short(N, layer))?;
        self.data = data;
        Ok(head)
    }

    /// Passes `n` bytes.
    #[inline]
    pub fn skip(&mut self, n: usize, layer: Layer) -> Result<(), Other> {
        self.data = self.data.get(n..).ok_or_else(|| self.short(n, layer))?;
        Ok(())
    }

    /// Whose fault it is that `needed` bytes are not there: the capture's or the sender's.
    #[cold]
    pub fn short(&self, needed: usize, layer: Layer) -> Other {
        if needed <= self.sent() { Other::Cut(layer) } else { Other::Malformed(layer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{LinkType, PacketId, Seen};
    use crate::time::Timestamp;

    fn packet(data: &[u8], original_len: u32, fcs_len: u8) -> Packet<'_> {
        let seen = Seen { packet: PacketId::new(0, 1), at: Timestamp::default() };
        Packet { seen, link: LinkType(1), original_len, fcs_len, data }
    }

    #[test]
    fn a_check_sequence_is_no_part_of_the_packet_whether_captured_or_not() {
        let whole = Rest::of(&packet(&[1, 2, 3, 4, 5, 6, 7, 8], 8, 4));
        assert_eq!((whole.data, whole.missing), (&[1, 2, 3, 4][..], 0));
        let inside = Rest::of(&packet(&[1, 2, 3, 4, 5, 6], 8, 4));
        assert_eq!((inside.data, inside.missing), (&[1, 2, 3, 4][..], 0));
        let before = Rest::of(&packet(&[1, 2], 8, 4));
        assert_eq!((before.data, before.missing), (&[1, 2][..], 2));
        assert_eq!(Rest::of(&packet(&[1, 2], 2, 4)).data, &[] as &[u8]);
    }

    #[test]
    fn an_original_length_below_the_captured_one_is_not_believed() {
        let rest = Rest::of(&packet(&[1, 2, 3], 0, 0));
        assert_eq!((rest.data, rest.missing), (&[1, 2, 3][..], 0));
    }

    #[test]
    fn a_header_that_is_not_there_was_cut_or_never_sent() {
        let cut = Rest { data: &[0], missing: 3 };
        assert_eq!(cut.peek::<4>(Layer::Tcp), Err(Other::Cut(Layer::Tcp)));
        assert_eq!(cut.peek::<5>(Layer::Tcp), Err(Other::Malformed(Layer::Tcp)));
    }
}
