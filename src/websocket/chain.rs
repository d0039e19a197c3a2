//! How much bytes prove that they are frames: a chain of headers, each where the frame before it ends.
//!
//! Evidence is counted in bits: how improbable it is that bytes at random look like this. A lawful header is worth five
//! (one byte pair in about thirty is one), a frame that ends exactly where its segment does as much as its length has
//! bits, because most senders write whole frames.

use super::check::{Faults, Message};
use super::close::{CloseClass, ClosePayload, close_class};
use super::mask::unmask;
use super::{FrameHeader, LONGEST_CONTROL, LengthForm, Masking, Opcode};
use crate::limits;

/// Tells whether the first bytes of a direction whose beginning was not captured are WebSocket frames, and whether
/// they are masked. `bytes` should be one segment. Bytes at random pass about once in a million segments; frames pass
/// where several follow one another, or where one of more than a few bytes fills the segment.
pub fn likely_frames(bytes: &[u8]) -> Option<Masking> {
    let mut chain = Chain::new(Masking::Unknown, PROBE);
    chain.walk(bytes, 0)?;
    chain.is_believed().then_some(chain.masking)
}

/// Whether a server's frame may begin so. Far more may than [`likely_frames`] believes; texts and TLS do not.
pub fn may_begin_frame(bytes: &[u8]) -> bool {
    let is_opcode = |first: u8| matches!(first & 0x8f, 0x01 | 0x02 | 0x80..=0x82 | 0x88..=0x8a);
    matches!(bytes, [first, second, ..] if first & 0x30 == 0 && is_opcode(*first) && second & 0x80 == 0)
}

/// Headers, each where the frame before ends, and how much they prove.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    masking: Masking,
    message: Message,
    /// Evidence so far.
    bits: u8,
    /// Evidence from which on it is believed.
    needs: u8,
    /// Headers so far.
    links: u8,
    /// Whether a Close was one of them, behind which nothing may follow.
    closed: bool,
}

impl Chain {
    /// Before its first header, at a place that needs so many bits.
    pub(super) const fn new(masking: Masking, needs: u8) -> Chain {
        Chain { masking, message: Message::Unknown, bits: 0, needs, links: 0, closed: false }
    }

    /// Whether it proves enough.
    pub(super) const fn is_believed(&self) -> bool {
        self.bits >= self.needs
    }

    /// Whether it proves as much as a lawful header does, so that it is worth following into the next segment.
    pub(super) const fn is_promising(&self) -> bool {
        self.bits >= HEADER
    }

    /// Whether its frames are masked, as far as it tells.
    pub(super) const fn masking(&self) -> Masking {
        self.masking
    }

    /// How many headers were read.
    pub(super) const fn links(&self) -> u8 {
        self.links
    }

    /// How much it lacks.
    pub(super) const fn missing_bits(&self) -> u8 {
        self.needs.saturating_sub(self.bits)
    }

    /// Follows the chain from `at` until it is believed or leaves `bytes`: then tells where the next header is, from
    /// the start of `bytes`. `None` where it breaks.
    pub(super) fn walk(&mut self, bytes: &[u8], at: usize) -> Option<u64> {
        let mut at = at;
        loop {
            let rest = bytes.get(at..)?;
            let Some(header) = FrameHeader::parse(rest) else { return Some(at as u64) };
            let body = rest.get(usize::from(header.header_len)..)?;
            self.link(&header, body)?;
            let end = (at as u64).checked_add(u64::from(header.header_len))?.checked_add(header.len)?;
            self.end_at(end, bytes.len(), &header);
            match usize::try_from(end) {
                Ok(end) if end < bytes.len() && !self.is_believed() => at = end,
                _ => return Some(end),
            }
        }
    }

    /// Takes one header and the bytes after it; `None` where they cannot go on the chain.
    pub(super) fn link(&mut self, header: &FrameHeader, body: &[u8]) -> Option<()> {
        let lawful = Faults::of(header, self.masking, self.message).is_empty();
        if !lawful || self.closed || header.len > limits::FRAME_PAYLOAD || !payload_fits(header, body) {
            return None;
        }
        if self.masking == Masking::Unknown {
            self.masking = if header.mask.is_some() { Masking::Masked } else { Masking::Unmasked };
        }
        self.message = self.message.after(header);
        self.closed = header.opcode == Opcode::Close;
        self.links = self.links.saturating_add(1);
        self.bits = self.bits.saturating_add(worth(header, body));
        // A chain that begins with nothing, or that proves nothing for long, only costs time.
        (self.bits > 0 && self.links < LINKS).then_some(())
    }

    /// Counts where the last frame ends: `end`, in a segment of `len` bytes.
    pub(super) fn end_at(&mut self, end: u64, len: usize, header: &FrameHeader) {
        if end != len as u64 {
            return;
        }
        let bits = match header.length_form {
            // A Close with a code that may be sent, and nothing behind it: as good as a long chain.
            _ if header.opcode == Opcode::Close => CERTAIN,
            LengthForm::Short => 7,
            LengthForm::Medium => 18,
            LengthForm::Long => 24,
        };
        self.bits = self.bits.saturating_add(bits);
    }
}

/// How improbable a lawful header is at random, in bits.
fn worth(header: &FrameHeader, body: &[u8]) -> u8 {
    // A run of one byte, as in padding, can be read as frames for ever.
    if matches!(header.mask, Some([a, b, c, d]) if a != 0 && a == b && b == c && c == d) {
        return 0;
    }
    // So can a masked run of one byte, zeros above all: its key over and over.
    let begins = body.get(..body.len().min(clamp(header.len)).min(MASK)).unwrap_or_default();
    if begins.len() > 1 && header.mask.is_some_and(|key| key != [0; MASK] && key.starts_with(begins)) {
        return 0;
    }
    let header_bits = match (header.opcode, header.fin, header.len) {
        (Opcode::Ping | Opcode::Pong, _, 0) => 2,
        // Runs of zeros, or of small numbers in two bytes, are empty frames without end.
        (_, _, 0) => 0,
        (Opcode::Continuation, false, _) => 1,
        (_, false, _) => 2,
        _ => HEADER,
    };
    let length_bits = match header.length_form {
        LengthForm::Long => 12,
        _ => 0,
    };
    // Only masked text proves something by being text: the bytes around an unmasked frame are often text, too.
    let text = header.opcode == Opcode::Text && !header.rsv1() && header.mask.is_some();
    let text_bits = if text { body.len().min(clamp(header.len)).min(12) } else { 0 };
    u8::try_from(text_bits).unwrap_or(u8::MAX).saturating_add(header_bits).saturating_add(length_bits)
}

/// Whether the payload, as far as it is there, is what the header says: text that begins as UTF-8, a Close that may
/// be sent.
fn payload_fits(header: &FrameHeader, body: &[u8]) -> bool {
    let text = header.opcode == Opcode::Text && !header.rsv1();
    if !text && header.opcode != Opcode::Close {
        return true;
    }
    let mut room = [0; LONGEST_CONTROL];
    let want = if text { TEXT_TRIED } else { LONGEST_CONTROL };
    let len = body.len().min(clamp(header.len)).min(want);
    let (Some(room), Some(mut start)) = (room.get_mut(..len), body.get(..len)) else { return false };
    if let Some(key) = header.mask {
        room.copy_from_slice(start);
        unmask(room, key, 0);
        start = room;
    }
    if text {
        let whole = len as u64 == header.len;
        return std::str::from_utf8(start)
            .map_or_else(|e| e.error_len().is_none() && !(whole && header.fin), |_| true);
    }
    if (len as u64) < header.len {
        return header.len > 1;
    }
    let close = ClosePayload::parse(start);
    close.flaw.is_none() && close.code.is_none_or(|code| close_class(code) == CloseClass::Sendable)
}

fn clamp(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// Bytes of a masking key.
const MASK: usize = 4;

/// Bits of a lawful header with FIN.
const HEADER: u8 = 5;

/// Bits that are enough everywhere.
const CERTAIN: u8 = 30;

/// Bits that make a stranger's bytes frames.
const PROBE: u8 = 17;

/// Bytes of a text that are tried as UTF-8.
const TEXT_TRIED: usize = 64;

/// Headers after which a chain that is not believed is no chain.
const LINKS: u8 = 16;

#[cfg(test)]
mod tests {
    use super::super::oracle::{Frame, random, stream};
    use super::*;

    #[test]
    fn frames_of_a_chat_are_known_at_once() {
        let hello = Frame::masked(0x81, br#"{"op":"hello"}"#);
        assert_eq!(likely_frames(&hello.bytes()), Some(Masking::Masked));
        let pair = [Frame::new(0x81, b"{}"), Frame::new(0x81, b"[1,2]")];
        assert_eq!(likely_frames(&stream(&pair)), Some(Masking::Unmasked));
        assert_eq!(likely_frames(&Frame::new(0x82, &[9; 1000]).bytes()), Some(Masking::Unmasked));
        assert_eq!(likely_frames(&Frame::masked(0x88, b"\x03\xE9").bytes()), Some(Masking::Masked));
        let many = vec![Frame::new(0x82, &[1, 2, 3]); 5];
        let many = stream(&many);
        assert_eq!(likely_frames(&many[..many.len() - 2]), Some(Masking::Unmasked));
    }

    #[test]
    fn other_protocols_are_not_frames() {
        let strangers: [&[u8]; 12] = [
            b"",
            b"\x81",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03",
            b"\x17\x03\x03\x00\x20abcdefghijklmnopqrstuvwxyzabcdef",
            b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64\x00\x04\x00\x60\x00\x00",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"\x00\x00\x00\x08\x04\xD2\x16\x2F",
            b"*1\r\n$4\r\nPING\r\n",
            &[0; 1400],
            &[0x82; 1400],
        ];
        for bytes in strangers {
            assert_eq!(likely_frames(bytes), None, "{bytes:02x?}");
        }
    }

    #[test]
    fn every_byte_that_is_one_byte_repeated_is_no_frame() {
        for byte in 0..=255 {
            for len in [2, 6, 7, 64, 130, 131, 1448] {
                assert_eq!(likely_frames(&vec![byte; len]), None, "{byte:#04x} {len} times");
            }
        }
    }

    #[test]
    fn a_masked_run_of_one_byte_is_no_frame_whatever_the_key() {
        for first in 0..=255 {
            for second in 0..=255 {
                for len in [60, 246] {
                    let run: Vec<u8> = [first, second, 0x12, 0x34].into_iter().cycle().take(len).collect();
                    let mut chain = Chain::new(Masking::Masked, PROBE);
                    let goes_on = chain.walk(&run, 0).is_some() && chain.is_believed();
                    assert!(!goes_on, "{first:#04x} {second:#04x}, {len} bytes");
                }
            }
        }
    }

    #[test]
    fn random_segments_are_taken_for_frames_less_than_once_in_ten_thousand() {
        let (mut random, mut wrong) = (random(), 0);
        for round in 0..300_000_usize {
            let bytes: Vec<u8> = random.by_ref().take(2 + round % 200).collect();
            wrong += usize::from(likely_frames(&bytes).is_some());
        }
        assert!(wrong <= 10, "{wrong} of 300000");
    }
}
