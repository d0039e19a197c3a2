//! UTF-8 that comes in pieces: a message may be cut inside a character, by its fragments and by segments (RFC 6455 §5.6).

use super::mask::{is_masked_ascii, unmask};

/// Follows one text from its first byte to its last.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Utf8 {
    /// Bytes before those in `begun`.
    checked: u64,
    /// A character of which the end has not come.
    begun: [u8; 3],
    have: u8,
}

/// Where a text is not UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NotUtf8 {
    /// Offset in the text of the first byte that belongs to no character.
    pub at: u64,
    /// The bytes from there on, at most four.
    bytes: [u8; 4],
    len: u8,
    /// Whether the text ends there, inside a character.
    pub cut: bool,
}

impl NotUtf8 {
    /// Where this whole text is not UTF-8.
    pub fn find(text: &[u8]) -> Option<NotUtf8> {
        let mut all = Utf8::default();
        all.push(text).and_then(|()| all.end()).err()
    }

    /// The bytes from there on, at most four.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn new(at: u64, found: &[u8], cut: bool) -> NotUtf8 {
        let mut fault = NotUtf8 { at, bytes: [0; 4], len: 0, cut };
        for (to, from) in fault.bytes.iter_mut().zip(found) {
            *to = *from;
            fault.len = fault.len.saturating_add(1);
        }
        fault
    }
}

impl Utf8 {
    /// Takes the next bytes.
    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), NotUtf8> {
        if self.have == 0 && bytes.is_ascii() {
            self.checked = self.checked.saturating_add(bytes.len() as u64);
            return Ok(());
        }
        self.push_any(bytes)
    }

    /// The same for masked bytes, of which the first has the offset `phase` in its frame's payload.
    #[inline]
    pub(super) fn push_masked(&mut self, bytes: &[u8], key: [u8; 4], phase: u64) -> Result<(), NotUtf8> {
        if self.have == 0 && is_masked_ascii(bytes, key, phase) {
            self.checked = self.checked.saturating_add(bytes.len() as u64);
            return Ok(());
        }
        let mut room = [0; PIECE];
        let mut phase = phase;
        for piece in bytes.chunks(PIECE) {
            let Some(room) = room.get_mut(..piece.len()) else { break };
            room.copy_from_slice(piece);
            unmask(room, key, phase);
            phase = phase.wrapping_add(piece.len() as u64);
            self.push_any(room)?;
        }
        Ok(())
    }

    /// The text is over.
    #[inline]
    pub(super) fn end(&self) -> Result<(), NotUtf8> {
        match self.begun.get(..usize::from(self.have)) {
            None | Some([]) => Ok(()),
            Some(begun) => Err(NotUtf8::new(self.checked, begun, true)),
        }
    }

    fn push_any(&mut self, bytes: &[u8]) -> Result<(), NotUtf8> {
        let rest = if self.have == 0 { bytes } else { self.go_on(bytes)? };
        match simdutf8::compat::from_utf8(rest) {
            Ok(_) => self.checked = self.checked.saturating_add(rest.len() as u64),
            Err(error) => {
                let (_, behind) = rest.split_at_checked(error.valid_up_to()).unwrap_or_default();
                self.checked = self.checked.saturating_add(error.valid_up_to() as u64);
                if error.error_len().is_some() {
                    return Err(NotUtf8::new(self.checked, behind, false));
                }
                self.begin(behind);
            }
        }
        Ok(())
    }

    /// Ends the character that is begun; gives back what stands behind it.
    fn go_on<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], NotUtf8> {
        let have = usize::from(self.have);
        let mut all = [0; 6];
        let begun = self.begun.iter().take(have);
        let mut len = 0_usize;
        for (to, from) in all.iter_mut().zip(begun.chain(bytes.iter().take(3))) {
            *to = *from;
            len = len.saturating_add(1);
        }
        let all = all.get(..len).unwrap_or_default();
        let valid = match std::str::from_utf8(all) {
            Ok(_) => len,
            Err(error) if error.valid_up_to() > 0 => error.valid_up_to(),
            Err(error) if error.error_len().is_some() => {
                return Err(NotUtf8::new(self.checked, all, false));
            }
            Err(_) => {
                self.begin(all);
                return Ok(&[]);
            }
        };
        self.checked = self.checked.saturating_add(valid as u64);
        self.have = 0;
        Ok(bytes.get(valid.saturating_sub(have)..).unwrap_or_default())
    }

    /// Keeps a character whose end has not come: three bytes at most.
    fn begin(&mut self, bytes: &[u8]) {
        self.have = 0;
        for (to, from) in self.begun.iter_mut().zip(bytes) {
            *to = *from;
            self.have = self.have.saturating_add(1);
        }
    }
}

/// Bytes unmasked at once.
const PIECE: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The verdict on a text that comes in these pieces, masked or not.
    fn verdict(pieces: &[&[u8]], key: Option<[u8; 4]>) -> Result<(), NotUtf8> {
        let (mut text, mut phase) = (Utf8::default(), 0);
        for piece in pieces {
            match key {
                None => text.push(piece)?,
                Some(key) => {
                    let mut masked = piece.to_vec();
                    unmask(&mut masked, key, phase);
                    text.push_masked(&masked, key, phase)?;
                }
            }
            phase += piece.len() as u64;
        }
        text.end()
    }

    /// The same by the standard library, of the whole.
    fn obvious(bytes: &[u8]) -> Result<(), NotUtf8> {
        std::str::from_utf8(bytes).map(drop).map_err(|error| {
            let at = error.valid_up_to();
            NotUtf8::new(at as u64, &bytes[at..], error.error_len().is_none())
        })
    }

    #[test]
    fn the_wrong_byte_is_shown_with_its_place() {
        let fault = verdict(&[b"caf\xC3", b"\xA9 \xFFabcdef"], None).unwrap_err();
        assert_eq!((fault.at, fault.bytes(), fault.cut), (6, &b"\xFFabc"[..], false));
        let fault = verdict(&[b"caf\xC3"], None).unwrap_err();
        assert_eq!((fault.at, fault.bytes(), fault.cut), (3, &b"\xC3"[..], true));
    }

    #[test]
    fn surrogates_and_overlong_forms_are_not_utf8() {
        for wrong in [&b"\xED\xA0\x80"[..], b"\xC0\xAF", b"\xF4\x90\x80\x80", b"\xE2\x82"] {
            for cut in 0..=wrong.len() {
                assert!(verdict(&[&wrong[..cut], &wrong[cut..]], None).is_err(), "{wrong:X?} {cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_are_judged_as_the_whole_is(
            text in prop_oneof![
                "[a-zé漢😀]{0,300}".prop_map(String::into_bytes),
                prop::collection::vec(prop::sample::select(&b"aZ\x00\x80\xA9\xC3\xE6\xBC\xA2\xF0\x9F\x98\xED\xFF"[..]), 0..12),
                "[a-zé漢😀]{0,9}".prop_flat_map(|text| (Just(text), any::<(prop::sample::Index, u8)>())).prop_map(|(text, (at, byte))| {
                    let mut text = text.into_bytes();
                    text.insert(at.index(text.len() + 1), byte);
                    text
                }),
            ],
            places in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            key in prop::option::of(any::<[u8; 4]>()),
        ) {
            let mut places: Vec<usize> = places.iter().map(|place| place.index(text.len() + 1)).collect();
            places.extend([0, text.len()]);
            places.sort_unstable();
            let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            let (found, expected) = (verdict(&pieces, key), obvious(&text));
            prop_assert_eq!(found.map_err(|fault| (fault.at, fault.cut)), expected.map_err(|fault| (fault.at, fault.cut)));
        }
    }
}
