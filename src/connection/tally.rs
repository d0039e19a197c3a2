//! What nearly every frame of one side touches, side by side in memory: where thousands of sessions are open, fetching a
//! line of it costs more than the work on it.

use super::facts::{FrameFacts, LARGE, OpeningFrame};
use crate::capture::Seen;
use crate::limits;
use crate::role::{Role, Sides};
use crate::websocket::{FrameHeader, Messages, Opcode};

/// The counters of one side's frames. What few frames touch is in the [`FrameFacts`] of the same side, which get the rest from
/// [`Tally::hand_over`] in the end.
#[repr(align(64))]
pub(super) struct Tally {
    text: u64,
    binary: u64,
    payload_bytes: u64,
    finished: u64,
    longest_frame: u64,
    longest_message: u64,
    latest_message: u64,
    /// Payload bytes of the message in progress.
    message: u64,
    /// Data frames with RSV1.
    compressed: u64,
    pub(super) messages: Messages,
    last_mask: Option<[u8; 4]>,
    /// Frames so far, as far as something is kept of each.
    glimpsed: u8,
    /// Data frames so far, as far as their first bytes matter.
    begun: u8,
    from: Role,
}

const _: () = assert!(size_of::<Tally>() <= 128 && limits::GLIMPSES < u8::MAX as usize);

impl Tally {
    /// This side has sent nothing yet; `messages` reads what it will send.
    pub(super) fn new(from: Role, messages: Messages) -> Tally {
        Tally {
            text: 0,
            binary: 0,
            payload_bytes: 0,
            finished: 0,
            longest_frame: 0,
            longest_message: 0,
            latest_message: 0,
            message: 0,
            compressed: 0,
            messages,
            last_mask: None,
            glimpsed: 0,
            begun: 0,
            from,
        }
    }

    /// Counts a frame. Always in line, as the next three: a call would fetch what `frames` points to, be it needed or not.
    #[inline(always)]
    pub(super) fn count(&mut self, header: &FrameHeader, seen: Seen, frames: &mut Box<Sides<FrameFacts>>) {
        match header.opcode {
            Opcode::Text => self.text += 1,
            Opcode::Binary => self.binary += 1,
            _ => count_other(header, &mut frames[self.from]),
        }
        if let Some(mask) = header.mask {
            if self.last_mask == Some(mask) {
                frames[self.from].mask_repeats += 1;
            }
            if mask == [0; 4] {
                frames[self.from].mask_zero += 1;
            }
            self.last_mask = Some(mask);
        }
        if usize::from(self.glimpsed) < limits::GLIMPSES {
            self.glimpsed += 1;
            frame(header, seen, &mut frames[self.from]);
        }
    }

    /// Notes that a data frame begins.
    #[inline(always)]
    pub(super) fn begin(&mut self, header: &FrameHeader, seen: Seen, frames: &mut Box<Sides<FrameFacts>>) {
        self.begun = self.begun.saturating_add(1);
        self.longest_frame = self.longest_frame.max(header.len);
        self.latest_message = match header.opcode {
            Opcode::Continuation => self.latest_message.saturating_add(header.len),
            _ => header.len,
        };
        if header.rsv1() {
            if self.compressed == 0 {
                frames[self.from].first_compressed = Some(seen);
            }
            self.compressed += 1;
        }
    }

    /// Takes in bytes of a data frame, the first of them at offset `phase`, as far as they are among its first ones. Sums do
    /// not depend on how segments cut them.
    #[inline(always)]
    pub(super) fn listen(
        &self,
        header: &FrameHeader,
        phase: u64,
        bytes: &[u8],
        frames: &mut Box<Sides<FrameFacts>>,
    ) {
        if self.begun <= limits::WORDS {
            frames[self.from].words =
                frames[self.from].words.wrapping_add(word(self.begun, header, phase, bytes));
        }
    }

    /// Adds up payload bytes.
    #[inline]
    pub(super) fn add(&mut self, bytes: u64) {
        self.payload_bytes += bytes;
    }

    /// Adds up a data frame of which so many bytes of payload were there.
    #[inline(always)]
    pub(super) fn sum(&mut self, header: &FrameHeader, present: u64, frames: &mut Box<Sides<FrameFacts>>) {
        self.add(present);
        self.message = self.message.saturating_add(present);
        if header.fin && !matches!(header.opcode, Opcode::Reserved(_)) {
            self.finished += 1;
            if self.message >= LARGE {
                frames[self.from].large += 1;
            }
            self.longest_message = self.longest_message.max(self.message);
        }
        if header.fin {
            self.message = 0;
        }
    }

    /// Completes the facts of its side.
    pub(super) fn hand_over(&self, facts: &mut FrameFacts) {
        facts.text = self.text;
        facts.binary = self.binary;
        facts.payload_bytes = self.payload_bytes;
        facts.messages = self.finished;
        facts.longest_frame = self.longest_frame;
        facts.longest_message = self.longest_message;
        facts.latest_message = self.latest_message;
        facts.compressed = self.compressed;
    }
}

/// Keeps something of one of the first frames.
#[inline(never)]
fn frame(header: &FrameHeader, seen: Seen, facts: &mut FrameFacts) {
    facts.first.get_or_insert(seen);
    facts.opening.push(OpeningFrame::of(header));
}

/// Counts a frame other than text and binary ones.
#[inline(never)]
fn count_other(header: &FrameHeader, facts: &mut FrameFacts) {
    match header.opcode {
        Opcode::Text | Opcode::Binary => {}
        Opcode::Continuation => facts.continuation += 1,
        Opcode::Ping => facts.ping += 1,
        Opcode::Pong => facts.pong += 1,
        Opcode::Close => facts.close += 1,
        Opcode::Reserved(_) => facts.reserved += 1,
    }
}

/// What stands for bytes among the first ones of a data frame, of which there were so many before.
#[inline(never)]
fn word(begun: u8, header: &FrameHeader, phase: u64, bytes: &[u8]) -> u64 {
    let mut word = [0; size_of::<u64>()];
    let from = usize::try_from(phase).unwrap_or(usize::MAX);
    let Some(room) = word.get_mut(from..) else { return 0 };
    let mask = header.mask.unwrap_or_default();
    let mask = mask.iter().cycle().skip(from % mask.len());
    for ((place, byte), key) in room.iter_mut().zip(bytes).zip(mask) {
        *place = byte ^ key;
    }
    // Another odd factor for each frame, so that their order counts.
    let factor = 0x9e37_79b9_7f4a_7c15_u64.wrapping_add(u64::from(begun) << 1);
    u64::from_le_bytes(word).wrapping_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::PacketId;
    use crate::time::Timestamp;

    #[test]
    fn the_facts_hold_what_was_kept_here_and_what_was_told_them_at_once() {
        let (mut tally, mut frames) = (Tally::new(Role::Client, Messages::default()), Box::default());
        let seen = |number| Seen { packet: PacketId::new(0, number), at: Timestamp::default() };
        // Text in two frames, the first one compressed and masked with 0, then a Ping with the same mask.
        let sent: [&[u8]; 3] =
            [&[0x41, 0x81, 0, 0, 0, 0], &[0x80, 0xfe, 0x04, 0, 1, 2, 3, 4], &[0x89, 0x80, 1, 2, 3, 4]];
        for (number, bytes) in (1..).zip(sent) {
            let header = FrameHeader::parse(bytes).unwrap();
            tally.count(&header, seen(number), &mut frames);
            if !header.opcode.is_control() {
                tally.begin(&header, seen(number), &mut frames);
                tally.listen(&header, 0, b"0123456789", &mut frames);
                tally.sum(&header, header.len, &mut frames);
            }
        }
        tally.hand_over(&mut frames.client);
        let facts = &frames.client;
        assert_eq!((facts.text, facts.continuation, facts.ping, facts.total()), (1, 1, 1, 3));
        assert_eq!((facts.messages, facts.large, facts.payload_bytes), (1, 1, 1025));
        assert_eq!((facts.longest_frame, facts.longest_message, facts.latest_message), (1024, 1025, 1025));
        assert_eq!((facts.compressed, facts.first_compressed), (1, Some(seen(1))));
        assert_eq!((facts.mask_zero, facts.mask_repeats), (1, 1));
        assert_eq!((facts.opening.len(), facts.first), (3, Some(seen(1))));
        assert_ne!(facts.words, 0);
        assert_eq!(frames.server.total(), 0);
    }
}
