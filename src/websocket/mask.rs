//! Masking (RFC 6455 §5.3).

/// Masks or unmasks `data` in place (the same operation). `phase` is the offset of its first byte in the frame's
/// payload, so that a payload may come in pieces.
#[inline]
pub fn unmask(data: &mut [u8], key: [u8; 4], phase: u64) {
    let mut key = key;
    key.rotate_left((phase & 3) as usize);
    let (words, tail) = data.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// Whether masked bytes are ASCII once unmasked: told without unmasking them, for most text is.
#[inline]
pub(super) fn is_masked_ascii(data: &[u8], key: [u8; 4], phase: u64) -> bool {
    let mut key = key;
    key.rotate_left((phase & 3) as usize);
    let (words, tail) = data.as_chunks::<4>();
    let word_key = u32::from_ne_bytes(key);
    let high = words.iter().fold(0, |high, word| high | (u32::from_ne_bytes(*word) ^ word_key));
    let tail_high = tail.iter().zip(key).fold(0, |high, (byte, key)| high | (byte ^ key));
    high & 0x8080_8080 == 0 && tail_high & 0x80 == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_rfc_6455_section_5_7_says_hello() {
        let mut data = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        unmask(&mut data, [0x37, 0xfa, 0x21, 0x3d], 0);
        assert_eq!(&data, b"Hello");
    }

    proptest! {
        #[test]
        fn masked_ascii_is_known(text in prop::collection::vec(0..0x82_u8, 0..40), key: [u8; 4], phase in 0..9_u64) {
            let mut masked = text.clone();
            unmask(&mut masked, key, phase);
            prop_assert_eq!(is_masked_ascii(&masked, key, phase), text.is_ascii());
        }

        #[test]
        fn pieces_unmask_as_the_whole_does(data: Vec<u8>, key: [u8; 4], cut: prop::sample::Index) {
            let whole: Vec<u8> = data.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            let cut = if data.is_empty() { 0 } else { cut.index(data.len()) };
            let mut pieces = data;
            let (one, two) = pieces.split_at_mut(cut);
            unmask(one, key, 0);
            unmask(two, key, cut as u64);
            prop_assert_eq!(pieces, whole);
        }
    }
}
