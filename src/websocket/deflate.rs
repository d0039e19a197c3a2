//! The inflating side of permessage-deflate (RFC 7692 §7.2.2) for one direction.
//!
//! zlib does the work. It does not hold a sender to a smaller window than the largest, so that each context is as large.

use flate2::{Decompress, FlushDecompress, Status};

/// A context for inflating, with the output that a next message may refer to.
pub(super) struct Inflater {
    raw: Decompress,
    /// Output: what was inflated last, up to `end`, and room behind it. References reach back [`WINDOW`] bytes, so that
    /// many of these are kept.
    output: Box<[u8]>,
    end: usize,
}

/// How far back the messages of a sender may refer, among what they inflate to (RFC 7692 §7.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Window {
    bits: u8,
}

impl Window {
    /// The largest, which needs no agreement.
    pub const LARGEST: Window = Window { bits: 15 };

    /// As a parameter tells it: 8 to 15, in decimal without a leading zero.
    pub fn parse(value: &str) -> Option<Window> {
        let bits = value.parse().ok().filter(|bits| (8..=15).contains(bits))?;
        (!value.starts_with(['0', '+'])).then_some(Window { bits })
    }

    /// The binary logarithm of its bytes, 8 to 15.
    pub fn bits(self) -> u8 {
        self.bits
    }

    /// Its size.
    pub fn bytes(self) -> u32 {
        1 << self.bits
    }
}

/// Why a message cannot be inflated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Corrupt {
    /// It refers to what lies before all that its sender may refer to.
    Distance,
    /// It is no DEFLATE data.
    Data,
}

/// Why a message was not inflated to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    Corrupt(Corrupt),
    /// It is longer than it may be.
    TooLong,
}

/// What a context costs in memory: zlib's own state, as measured, and the output kept.
pub(super) const CONTEXT: usize = (47 << 10) + OUTPUT;

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("end", &self.end).finish_non_exhaustive()
    }
}

impl Inflater {
    /// For a first message.
    pub(super) fn new() -> Inflater {
        Inflater { raw: Decompress::new(false), output: vec![0; OUTPUT].into(), end: 0 }
    }

    /// Takes a piece of a message and hands out what it inflates to. That counts down `room`.
    pub(super) fn push(
        &mut self,
        piece: &[u8],
        room: &mut u64,
        out: &mut impl FnMut(&[u8]),
    ) -> Result<(), Failure> {
        let mut rest = piece;
        loop {
            self.make_room();
            let free = self.output.get_mut(self.end..).unwrap_or_default();
            let (free_len, was_in, was_out) = (free.len(), self.raw.total_in(), self.raw.total_out());
            let status = self.raw.decompress(rest, free, FlushDecompress::Sync);
            let used = count(was_in, self.raw.total_in());
            let made = count(was_out, self.raw.total_out());
            let from = self.end;
            self.end = self.end.saturating_add(made);
            rest = rest.get(used..).unwrap_or_default();
            *room = room.checked_sub(made as u64).ok_or(Failure::TooLong)?;
            out(self.output.get(from..self.end).unwrap_or_default());
            match status {
                Ok(Status::StreamEnd) => self.go_on(self.end),
                Ok(Status::Ok | Status::BufError) if made < free_len && (rest.is_empty() || used == 0) => {
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) => {
                    let distance =
                        error.message().is_some_and(|message| message.contains("distance too far"));
                    return Err(Failure::Corrupt(if distance { Corrupt::Distance } else { Corrupt::Data }));
                }
            }
            if rest.is_empty() && made < free_len {
                return Ok(());
            }
        }
    }

    /// Ends a message: its sender left out the last four bytes (RFC 7692 §7.2.1).
    pub(super) fn finish(&mut self, room: &mut u64, out: &mut impl FnMut(&[u8])) -> Result<(), Failure> {
        self.push(&[0, 0, 0xFF, 0xFF], room, out)
    }

    /// Forgets the messages before, as a sender without context takeover does.
    pub(super) fn reset(&mut self) {
        self.raw.reset(false);
    }

    /// The output that a next message may refer to.
    pub(super) fn history(&self, window: Window) -> &[u8] {
        let window = usize::try_from(window.bytes()).unwrap_or(WINDOW);
        self.output.get(self.end.saturating_sub(window)..self.end).unwrap_or_default()
    }

    /// A context after messages that inflated to this.
    pub(super) fn after(history: &[u8]) -> Inflater {
        let mut inflater = Inflater::new();
        let history = history.get(history.len().saturating_sub(WINDOW)..).unwrap_or_default();
        if let Some(output) = inflater.output.get_mut(..history.len()) {
            output.copy_from_slice(history);
            inflater.go_on(history.len());
        }
        inflater
    }

    /// Begins a DEFLATE stream anew, with references to the output before `end`. A sender may end the stream with a
    /// message, and go on with another that refers to the same window (RFC 7692 §7.2.3.4).
    fn go_on(&mut self, end: usize) {
        self.end = end;
        self.raw.reset(false);
        if end > 0 {
            let history = self.output.get(end.saturating_sub(WINDOW)..end).unwrap_or_default();
            // Only a stream with a header can refuse one.
            let _ = self.raw.set_dictionary(history);
        }
    }

    fn make_room(&mut self) {
        if self.output.len().saturating_sub(self.end) < LEAST_ROOM {
            let from = self.end.saturating_sub(WINDOW);
            self.output.copy_within(from..self.end, 0);
            self.end = self.end.saturating_sub(from);
        }
    }
}

fn count(before: u64, after: u64) -> usize {
    usize::try_from(after.saturating_sub(before)).unwrap_or(0)
}

/// The largest window (RFC 7692 §7.1.2).
const WINDOW: usize = 32 << 10;

/// Output kept and room for more: the larger, the less often the window is moved.
const OUTPUT: usize = 64 << 10;

const LEAST_ROOM: usize = 8 << 10;

#[cfg(test)]
pub(super) mod testing {
    //! What a sender with permessage-deflate writes.

    use flate2::{Compress, Compression, FlushCompress};

    /// A compressing sender with context takeover.
    pub struct Deflater(Compress);

    impl Deflater {
        pub fn new() -> Deflater {
            Deflater(Compress::new(Compression::default(), false))
        }

        /// The payload of a message (RFC 7692 §7.2.1).
        pub fn message(&mut self, message: &[u8]) -> Vec<u8> {
            if message.is_empty() {
                // zlib writes nothing at all; RFC 7692 §7.2.3.6 wants a byte.
                return vec![0];
            }
            let mut payload = Vec::with_capacity(message.len() + 1000);
            self.0.compress_vec(message, &mut payload, FlushCompress::Sync).unwrap();
            assert_eq!(payload.split_off(payload.len() - 4), [0, 0, 0xFF, 0xFF]);
            payload
        }
    }

    /// So many bytes of text that compresses, but not to nothing.
    pub fn text(len: usize) -> Vec<u8> {
        let words = ["lorem ", "ipsum ", "dolor ", "amet, "];
        let words = super::super::oracle::random().map(|byte| words[usize::from(byte % 4)].as_bytes());
        words.flatten().copied().take(len).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{Deflater, text};
    use super::*;

    fn inflate(inflater: &mut Inflater, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let (mut room, mut all) = (1 << 24, Vec::new());
        let mut out = |bytes: &[u8]| all.extend_from_slice(bytes);
        for piece in message.chunks(7) {
            inflater.push(piece, &mut room, &mut out)?;
        }
        inflater.finish(&mut room, &mut out)?;
        Ok(all)
    }

    #[test]
    fn the_examples_of_rfc_7692_say_hello() {
        // §7.2.3.1, §7.2.3.2, §7.2.3.3, §7.2.3.4, §7.2.3.5
        let mut shared = Inflater::new();
        for message in [
            &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00][..],
            &[0xF2, 0x00, 0x11, 0x00, 0x00],
            &[0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00],
            &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00],
            &[0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00],
        ] {
            assert_eq!(inflate(&mut shared, message).unwrap(), b"Hello", "{message:X?}");
        }
    }

    #[test]
    fn messages_longer_than_the_window_refer_to_each_other() {
        let (mut deflater, mut inflater) = (Deflater::new(), Inflater::new());
        for len in [10, 100_000, 40_000, 3, 200_000, 0, 33_000] {
            let message = text(len);
            assert_eq!(inflate(&mut inflater, &deflater.message(&message)).unwrap(), message);
        }
    }

    #[test]
    fn a_stream_that_was_ended_is_gone_on_with_in_the_same_window() {
        let (mut deflater, mut inflater) = (Deflater::new(), Inflater::new());
        let message: Vec<u8> = super::super::oracle::random().take(5000).collect();
        inflate(&mut inflater, &deflater.message(&message)).unwrap();
        // An empty block with BFINAL set.
        assert_eq!(inflate(&mut inflater, &[0x03, 0x00, 0x00]).unwrap(), b"");
        let again = deflater.message(&message);
        assert!(again.len() < 100);
        assert_eq!(inflate(&mut inflater, &again).unwrap(), message);
    }

    #[test]
    fn without_what_it_refers_to_a_message_is_told_from_other_data() {
        let mut deflater = Deflater::new();
        let message = text(3000);
        let first = deflater.message(&message);
        let second = deflater.message(&message);
        assert_eq!(inflate(&mut Inflater::new(), &second), Err(Failure::Corrupt(Corrupt::Distance)));
        assert_eq!(inflate(&mut Inflater::new(), b"\xFFhello"), Err(Failure::Corrupt(Corrupt::Data)));
        let mut inflater = Inflater::new();
        inflate(&mut inflater, &first).unwrap();
        assert_eq!(
            inflate(&mut Inflater::after(inflater.history(Window::LARGEST)), &second).unwrap(),
            message
        );
        inflater.reset();
        assert!(inflate(&mut inflater, &second).is_err());
    }

    #[test]
    fn a_window_has_8_to_15_bits_without_a_leading_zero() {
        let bits = |value: &str| Window::parse(value).map(Window::bits);
        assert_eq!([bits("8"), bits("10"), bits("15")], [Some(8), Some(10), Some(15)]);
        for value in ["7", "16", "08", "+9", "", "9 ", "0x9", "300"] {
            assert_eq!(bits(value), None, "{value}");
        }
    }

    #[test]
    fn a_bomb_is_not_inflated_beyond_its_room() {
        let bomb = Deflater::new().message(&vec![0; 8 << 20]);
        assert!(bomb.len() < 9000);
        let (mut room, mut made) = (1 << 20, 0);
        let mut out = |bytes: &[u8]| made += bytes.len();
        assert_eq!(Inflater::new().push(&bomb, &mut room, &mut out), Err(Failure::TooLong));
        assert!(made <= 1 << 20, "{made}");
    }
}
