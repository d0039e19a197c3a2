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
