//! The Huffman code of HPACK (RFC 7541 §5.2, Appendix B).
//!
//! The code is canonical: codes of one length are consecutive, in order of their symbols, and follow those of the
//! length before. So the lengths alone give the whole code.

use super::hpack::Fault;

/// Appends what `bytes` encode to `out`, at most 8/5 of their length.
///
/// # Errors
///
/// An end-of-string symbol inside, or padding that is longer than seven bits or not all ones.
pub(super) fn decode(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut input = bytes.iter();
    // The next bits, from the most significant one down.
    let (mut bits, mut have) = (0_u64, 0_u32);
    loop {
        while have <= 56 {
            let Some(&byte) = input.next() else { break };
            bits |= u64::from(byte) << 56_u32.saturating_sub(have);
            have = have.saturating_add(8);
        }
        if have == 0 {
            return Ok(());
        }
        // Padding is the beginning of the end-of-string symbol, whose bits are all ones.
        let window = bits | u64::MAX.checked_shr(have).unwrap_or(0);
        let code = u32::try_from(window >> 32).unwrap_or(u32::MAX);
        let Some(level) = LEVELS.iter().find(|level| code <= level.last) else { return Err(Fault::Huffman) };
        if u32::from(level.length) > have {
            let padding = have < 8 && window == u64::MAX;
            return if padding { Ok(()) } else { Err(Fault::Huffman) };
        }
        let nth = code.saturating_sub(level.first) >> 32_u32.saturating_sub(level.length.into());
        let nth = usize::try_from(nth).unwrap_or(usize::MAX).saturating_add(level.symbols.into());
        // 256, the end of the string, must not be there.
        let symbol = SYMBOLS.get(nth).and_then(|&symbol| u8::try_from(symbol).ok()).ok_or(Fault::Huffman)?;
        out.push(symbol);
        bits <<= level.length;
        have = have.saturating_sub(level.length.into());
    }
}

/// Bits of the code of each symbol; 256 is the end of the string.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7,
    8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7,
    15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24,
    23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23,
    23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26,
    26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20,
    21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27,
    27, 27, 26, 30,
];

const LONGEST: usize = 30;

/// The codes of one length, as they stand at the top of 32 bits.
#[derive(Clone, Copy)]
struct Level {
    length: u8,
    /// The first code, followed by zeros.
    first: u32,
    /// The last code, followed by ones.
    last: u32,
    /// Where its symbols begin in [`SYMBOLS`].
    symbols: u16,
}

/// By length, so that the last codes rise.
static LEVELS: [Level; 21] = levels();

/// All symbols, by length and then by value.
static SYMBOLS: [u16; 257] = symbols();

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, which refuses an overflow"
)]
const fn levels() -> [Level; 21] {
    let mut levels = [Level { length: 0, first: 0, last: 0, symbols: 0 }; 21];
    let (mut next, mut symbols, mut count) = (0_u64, 0, 0);
    let mut length = 1;
    while length <= LONGEST {
        let mut level = Level { length: length as u8, first: next as u32, last: 0, symbols };
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                next += 1 << (32 - length);
                symbols += 1;
            }
            symbol += 1;
        }
        if symbols > level.symbols {
            level.last = (next - 1) as u32;
            levels[count] = level;
            count += 1;
        }
        length += 1;
    }
    levels
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, which refuses an overflow"
)]
const fn symbols() -> [u16; 257] {
    let mut symbols = [0; 257];
    let (mut length, mut count) = (1, 0);
    while length <= LONGEST {
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                symbols[count] = symbol as u16;
                count += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    symbols
}

/// The other way round, for tests.
#[cfg(test)]
pub(super) fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut bits: Vec<bool> = Vec::new();
    for &byte in bytes {
        let (code, length) = code(byte.into());
        bits.extend((0..length).map(|nth| code >> (31 - nth) & 1 == 1));
    }
    while !bits.len().is_multiple_of(8) {
        bits.push(true);
    }
    bits.chunks(8).map(|byte| byte.iter().fold(0, |sum, &bit| sum << 1 | u8::from(bit))).collect()
}

#[cfg(test)]
fn code(symbol: u16) -> (u32, u8) {
    let place = SYMBOLS.iter().position(|&known| known == symbol).unwrap();
    let length = LENGTHS[usize::from(symbol)];
    let level = LEVELS.iter().find(|level| level.length == length).unwrap();
    (level.first + ((place as u32 - u32::from(level.symbols)) << (32 - u32::from(length))), length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        decode(bytes, &mut out).map(|()| out)
    }

    #[test]
    fn the_code_is_complete_and_is_that_of_appendix_b() {
        let kraft: u64 = LENGTHS.iter().map(|&length| 1_u64 << (32 - u32::from(length))).sum();
        assert_eq!(kraft, 1 << 32);
        for (symbol, expected, length) in [
            (0_u16, 0xffc0_0000_u32, 13),
            (u16::from(b'0'), 0, 5),
            (u16::from(b' '), 0x5000_0000, 6),
            (u16::from(b'a'), 0x1800_0000, 5),
            (u16::from(b'z'), 0xf600_0000, 7),
            (u16::from(b'X'), 0xfc00_0000, 8),
            (u16::from(b'\\'), 0xfffe_0000, 19),
            (127, 0xffff_ffc0, 28),
            (128, 0xfffe_6000, 20),
            (137, 0xffff_b400, 23),
            (169, 0xffff_7400, 22),
            (199, 0xffff_f600, 25),
            (220, 0xffff_ffd0, 28),
            (249, 0xffff_ffe0, 28),
            (255, 0xffff_fb80, 26),
            (256, 0xffff_fffc, 30),
        ] {
            assert_eq!(code(symbol), (expected, length), "{symbol}");
        }
    }

    #[test]
    fn padding_is_at_most_seven_ones() {
        assert_eq!(decoded(&[0x07]), Ok(b"0".to_vec()));
        assert_eq!(decoded(&[]), Ok(vec![]));
        assert_eq!(decoded(&[0x06]), Err(Fault::Huffman), "padding with a zero");
        assert_eq!(decoded(&[0x07, 0xff]), Err(Fault::Huffman), "padding of eleven bits");
        assert_eq!(decoded(&[0xff]), Err(Fault::Huffman), "padding of eight bits");
        assert_eq!(decoded(&[0xff; 4]), Err(Fault::Huffman), "the end of the string");
        assert_eq!(decoded(&[0xff, 0xff, 0xff, 0xfc, 0x00]), Err(Fault::Huffman));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_again(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decoded(&encode(&bytes)), Ok(bytes));
        }

        #[test]
        fn what_can_be_decoded_has_one_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..30)) {
            if let Ok(text) = decoded(&bytes) {
                prop_assert_eq!(encode(&text), bytes);
            }
        }
    }
}
