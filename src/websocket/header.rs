//! Frame headers (RFC 6455 §5.2).

use super::Opcode;

/// Bytes of the longest header: two, eight of length, four of masking key.
pub const LONGEST_HEADER: usize = 14;

/// Bytes a control frame may carry (RFC 6455 §5.5).
pub const LONGEST_CONTROL: usize = 125;

/// The header of one frame, as sent: nothing in it has been judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// Payload length in bytes.
    pub len: u64,
    /// The masking key; `None` where the mask bit is clear.
    pub mask: Option<[u8; 4]>,
    /// What the frame carries.
    pub opcode: Opcode,
    /// Whether it is the last frame of its message.
    pub fin: bool,
    /// RSV1, RSV2, RSV3 as the low three bits, RSV1 the highest of them.
    pub rsv: u8,
    /// How the length was written.
    pub length_form: LengthForm,
    /// Bytes of the header itself, 2 to 14.
    pub header_len: u8,
}

/// How a payload length was written (RFC 6455 §5.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LengthForm {
    /// In the second byte: 0 to 125.
    Short,
    /// In two bytes after 126.
    Medium,
    /// In eight bytes after 127.
    Long,
}

impl FrameHeader {
    /// Reads the header at the start of `bytes`; `None` where more bytes are needed. Fourteen are always enough.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Option<FrameHeader> {
        let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
        let (len, length_form, rest, (unmasked_len, masked_len)) = match second & 0x7F {
            126 => {
                let (len, rest) = rest.split_first_chunk::<2>()?;
                (u64::from(u16::from_be_bytes(*len)), LengthForm::Medium, rest, (4, 8))
            }
            127 => {
                let (len, rest) = rest.split_first_chunk::<8>()?;
                (u64::from_be_bytes(*len), LengthForm::Long, rest, (10, 14))
            }
            len => (u64::from(len), LengthForm::Short, rest, (2, 6)),
        };
        let (mask, header_len) = match second & 0x80 {
            0 => (None, unmasked_len),
            _ => (Some(*rest.first_chunk::<4>()?), masked_len),
        };
        Some(FrameHeader {
            len,
            mask,
            opcode: Opcode::from_bits(first),
            fin: first & 0x80 != 0,
            rsv: (first >> 4) & 0x07,
            length_form,
            header_len,
        })
    }

    /// RSV1, which permessage-deflate sets on the first frame of a compressed message (RFC 7692 §6).
    pub const fn rsv1(&self) -> bool {
        self.rsv & 0b100 != 0
    }

    /// RSV2 or RSV3, which nothing defines.
    pub const fn rsv23(&self) -> bool {
        self.rsv & 0b011 != 0
    }

    /// Whether the length was written in the fewest bytes, as it must be (RFC 6455 §5.2).
    pub const fn is_minimal(&self) -> bool {
        match self.length_form {
            LengthForm::Short => true,
            LengthForm::Medium => self.len > 125,
            LengthForm::Long => self.len > 0xFFFF,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_rfc_6455_section_5_7_read_as_told_there() {
        let hello = FrameHeader::parse(&[0x81, 0x05, 0x48, 0x65]).unwrap();
        assert_eq!((hello.opcode, hello.fin, hello.mask, hello.len), (Opcode::Text, true, None, 5));
        let masked = FrameHeader::parse(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f]).unwrap();
        assert_eq!((masked.mask, masked.len, masked.header_len), (Some([0x37, 0xfa, 0x21, 0x3d]), 5, 6));
        let fragment = FrameHeader::parse(&[0x01, 0x03, 0x48]).unwrap();
        assert_eq!((fragment.opcode, fragment.fin), (Opcode::Text, false));
        let medium = FrameHeader::parse(&[0x82, 0x7E, 0x01, 0x00]).unwrap();
        assert_eq!((medium.len, medium.length_form, medium.header_len), (256, LengthForm::Medium, 4));
        let long = FrameHeader::parse(&[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]).unwrap();
        assert_eq!((long.len, long.length_form, long.header_len), (65536, LengthForm::Long, 10));
    }

    #[test]
    fn a_header_is_awaited_until_its_last_byte() {
        for whole in [
            &[0x81, 0x05][..],
            &[0x81, 0xFE, 1, 0, 1, 2, 3, 4],
            &[2, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4],
        ] {
            for cut in 0..whole.len() {
                assert_eq!(FrameHeader::parse(&whole[..cut]), None, "{cut} of {}", whole.len());
            }
            assert_eq!(usize::from(FrameHeader::parse(whole).unwrap().header_len), whole.len());
        }
    }

    #[test]
    fn reserved_bits_are_kept_apart() {
        let h = |first| FrameHeader::parse(&[first, 0]).unwrap();
        assert!(h(0xC1).rsv1() && !h(0xC1).rsv23());
        assert!(h(0xA1).rsv23() && h(0x91).rsv23() && !h(0xB1).rsv1());
    }

    #[test]
    fn a_length_in_more_bytes_than_needed_is_told() {
        assert!(!FrameHeader::parse(&[0x81, 0x7E, 0, 125]).unwrap().is_minimal());
        assert!(FrameHeader::parse(&[0x81, 0x7E, 0, 126]).unwrap().is_minimal());
        assert!(!FrameHeader::parse(&[0x81, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]).unwrap().is_minimal());
        assert!(FrameHeader::parse(&[0x81, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]).unwrap().is_minimal());
    }

    proptest! {
        #[test]
        fn fourteen_bytes_always_hold_a_header(bytes in any::<[u8; LONGEST_HEADER]>()) {
            let header = FrameHeader::parse(&bytes).unwrap();
            prop_assert!(usize::from(header.header_len) <= LONGEST_HEADER);
            prop_assert_eq!(FrameHeader::parse(&bytes[..usize::from(header.header_len)]), Some(header));
        }
    }
}
