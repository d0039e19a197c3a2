//! The messages of one direction one by one, for those who ask for a list of them.

use super::reading::{Payloads, Reading};
use super::{FrameHeader, Opcode, unmask};
use crate::capture::Seen;
use crate::limits;
use std::collections::VecDeque;
use std::sync::Arc;

/// Lists messages as their frames come: the last ones, where they are many.
#[derive(Debug)]
pub(super) struct Journal {
    entries: VecDeque<Entry>,
    left_out: u64,
    /// The message in progress.
    open: Option<Entry>,
    payloads: Payloads,
    reading: Arc<Reading>,
}

/// One message, or as much of it as was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The packet with the header of its first frame.
    pub seen: Seen,
    /// Text or binary; `None` where its first frame was not seen.
    pub text: Option<bool>,
    /// Its frames.
    pub frames: u32,
    /// Payload bytes of these, as sent.
    pub bytes: u64,
    /// Whether its first frame has RSV1 set, as permessage-deflate does where it compressed a message.
    pub compressed: bool,
    /// What is known of what it says.
    pub content: Content,
    /// How that begins, where it was asked for and can be read; at most [`limits::EXCERPT`] bytes.
    pub excerpt: Option<Box<[u8]>>,
}

/// What is known of what a message says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// It was sent as it is.
    Plain,
    /// It was compressed, and inflates to so many bytes.
    Inflated(u64),
    /// It cannot be read.
    Unread(Unreadable),
}

/// Why a message cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// The capture lacks a part of it, or its sender never finished it.
    Incomplete,
    /// It may refer to earlier messages, one of which could not be read.
    ContextMissing,
    /// It is no DEFLATE data, or refers to what its sender may not refer to.
    Corrupt,
    /// It inflates to more than [`limits::INFLATED`].
    TooLong,
    /// This program keeps no more than it does already ([`limits::INFLATING_TOTAL`]).
    TooMany,
    /// RSV1 is set, and what gives it a meaning was not agreed, was not seen, or is not known here.
    UnknownExtension,
    /// Frames were searched for after a gap, and what they mean is not certain.
    FramingLost,
}

impl Unreadable {
    /// For programs.
    pub fn name(self) -> &'static str {
        match self {
            Unreadable::Incomplete => "incomplete",
            Unreadable::ContextMissing => "context-missing",
            Unreadable::Corrupt => "corrupt",
            Unreadable::TooLong => "too-long",
            Unreadable::TooMany => "too-many",
            Unreadable::UnknownExtension => "unknown-extension",
            Unreadable::FramingLost => "framing-lost",
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Unreadable::Incomplete => "incomplete",
            Unreadable::ContextMissing => "context missing",
            Unreadable::Corrupt => "corrupt",
            Unreadable::TooLong => "too long",
            Unreadable::TooMany => "too many at once",
            Unreadable::UnknownExtension => "unknown extension",
            Unreadable::FramingLost => "framing lost",
        }
    }
}

impl Journal {
    /// Nothing is listed yet; `None` where nobody asks for it.
    pub(super) fn new(reading: &Arc<Reading>) -> Option<Box<Journal>> {
        let payloads = reading.listed()?;
        let (entries, reading) = (VecDeque::new(), Arc::clone(reading));
        Some(Box::new(Journal { entries, left_out: 0, open: None, payloads, reading }))
    }

    /// A frame begins.
    #[cold]
    pub(super) fn begin(&mut self, header: &FrameHeader, seen: Seen) {
        let text = match header.opcode {
            Opcode::Text => Some(true),
            Opcode::Binary => Some(false),
            Opcode::Continuation => None,
            _ => return,
        };
        if let (None, Some(open)) = (text, &mut self.open) {
            open.frames = open.frames.saturating_add(1);
            return;
        }
        self.lose();
        self.open = Some(Entry {
            seen,
            text,
            frames: 1,
            bytes: 0,
            compressed: header.rsv1(),
            content: match text {
                Some(_) => Content::Plain,
                None => Content::Unread(Unreadable::Incomplete),
            },
            excerpt: None,
        });
    }

    /// Bytes of its payload, as sent, the first of them at offset `phase` in it.
    #[cold]
    pub(super) fn payload(&mut self, header: &FrameHeader, phase: u64, bytes: &[u8]) {
        let Some(open) = &mut self.open else { return };
        if self.payloads == Payloads::Hidden || open.compressed || open.content != Content::Plain {
            return;
        }
        if open.excerpt.as_ref().is_some_and(|excerpt| excerpt.len() >= limits::EXCERPT) {
            return;
        }
        let mut excerpt = open.excerpt.take().unwrap_or_default().into_vec();
        let old = excerpt.len();
        let room = limits::EXCERPT.saturating_sub(old).min(bytes.len());
        excerpt.extend_from_slice(bytes.get(..room).unwrap_or_default());
        if let (Some(key), Some(new)) = (header.mask, excerpt.get_mut(old..)) {
            unmask(new, key, phase);
        }
        open.excerpt = Some(excerpt.into());
    }

    /// A frame ends of which `present` bytes were there. Where it is the last one, `read` tells what its message says.
    #[cold]
    pub(super) fn end(
        &mut self,
        header: &FrameHeader,
        present: u64,
        read: impl FnOnce() -> (Content, Option<Box<[u8]>>),
    ) {
        if matches!(header.opcode, Opcode::Reserved(_)) {
            return;
        }
        let Some(open) = &mut self.open else { return };
        open.bytes = open.bytes.saturating_add(present);
        if present < header.len {
            // What follows is appended to what lacks something.
            open.content = Content::Unread(Unreadable::Incomplete);
        }
        if !header.fin {
            return;
        }
        if let Some(mut whole) = self.open.take() {
            if whole.compressed && whole.content == Content::Plain {
                (whole.content, whole.excerpt) = read();
            }
            self.push(whole);
        }
    }

    /// The message in progress does not go on.
    #[cold]
    pub(super) fn lose(&mut self) {
        if let Some(mut open) = self.open.take() {
            open.content = Content::Unread(Unreadable::Incomplete);
            self.push(open);
        }
    }

    /// All that was listed, and how many earlier messages are not among it.
    pub(super) fn finish(&mut self) -> (VecDeque<Entry>, u64) {
        self.lose();
        (std::mem::take(&mut self.entries), self.left_out)
    }

    fn push(&mut self, entry: Entry) {
        let has_room = self.entries.len() < limits::MESSAGES && self.reading.take_entry();
        if !has_room {
            self.left_out = self.left_out.saturating_add(1);
            if self.entries.pop_front().is_none() {
                return;
            }
        }
        self.entries.push_back(entry);
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.reading.give_back_entries(self.entries.len());
    }
}

#[cfg(test)]
mod tests {
    use super::super::deflate::testing::{Deflater, text};
    use super::super::oracle::{Frame, packet};
    use super::super::{Decoder, Depth, FrameEvent, Masking, Messages, Transform, Window};
    use super::*;
    use proptest::prelude::*;

    const TAKEOVER: Transform = Transform::Deflate { takeover: true, window: Window::LARGEST };
    const ALONE: Transform = Transform::Deflate { takeover: false, window: Window::LARGEST };

    /// One direction whose frames come each in a packet of its own, but for those that are lost.
    struct Play {
        decoder: Decoder,
        messages: Messages,
        offset: u64,
        packet: u64,
    }

    impl Play {
        fn new(transform: Transform) -> Play {
            Play::reading(transform, &Arc::new(Reading::new(Depth::Listed(Payloads::Quoted))))
        }

        fn reading(transform: Transform, reading: &Arc<Reading>) -> Play {
            let messages = Messages::new(transform, reading);
            Play { decoder: Decoder::new(Masking::Masked), messages, offset: 0, packet: 0 }
        }

        fn frame(self, first: u8, payload: &[u8]) -> Play {
            let bytes = Frame::masked(first, payload).bytes();
            self.piece(&bytes, 0)
        }

        /// A frame of which the last bytes are lost, and so many behind it.
        fn cut(self, first: u8, payload: &[u8], beyond: u64) -> Play {
            let bytes = Frame::masked(first, payload).bytes();
            self.piece(&bytes[..bytes.len() - 2], 2 + beyond)
        }

        fn piece(mut self, bytes: &[u8], lost: u64) -> Play {
            self.packet += 1;
            let Play { decoder, messages, offset, packet: number } = &mut self;
            let mut sink = |event: FrameEvent<'_>| match event {
                FrameEvent::Header { header, complete_in, .. } if !header.opcode.is_control() => {
                    messages.begin(header, complete_in);
                }
                FrameEvent::Payload { header, phase, bytes, .. } => {
                    messages.payload(header, phase, bytes);
                }
                FrameEvent::End { header, offset, present, seen } => {
                    messages.end(header, present, offset, seen, &mut |_| {});
                }
                FrameEvent::Violation { kind: super::super::Violation::Resynchronised { .. }, .. } => {
                    messages.give_up();
                }
                _ => {}
            };
            decoder.push(*offset, bytes, packet(*number), &mut sink);
            *offset += bytes.len() as u64;
            if lost > 0 {
                decoder.gap(*offset, lost, packet(*number), &mut sink);
                *offset += lost;
            }
            self
        }

        fn listed(mut self) -> Vec<Entry> {
            let (entries, left_out) = self.messages.listed().unwrap();
            assert_eq!(left_out, 0);
            entries.collect()
        }

        fn contents(self) -> Vec<Content> {
            self.listed().into_iter().map(|entry| entry.content).collect()
        }
    }

    #[test]
    fn each_message_is_listed_with_its_frames_and_how_it_begins() {
        let message = text(3000);
        let payload = Deflater::new().message(&message);
        let listed = Play::new(TAKEOVER)
            .frame(0x81, "caf\u{e9}".as_bytes())
            .frame(0x42, &payload[..40])
            .frame(0x89, b"ping")
            .frame(0x80, &payload[40..])
            .frame(0x82, b"")
            .frame(0x01, b"never finished")
            .listed();
        let facts: Vec<_> =
            listed.iter().map(|e| (e.seen.packet.number(), e.text, e.frames, e.bytes, e.content)).collect();
        assert_eq!(
            facts,
            [
                (1, Some(true), 1, 5, Content::Plain),
                (2, Some(false), 2, payload.len() as u64, Content::Inflated(3000)),
                (5, Some(false), 1, 0, Content::Plain),
                (6, Some(true), 1, 14, Content::Unread(Unreadable::Incomplete)),
            ]
        );
        let excerpts: Vec<_> = listed.iter().map(|entry| entry.excerpt.as_deref()).collect();
        let begins = &message[..limits::EXCERPT];
        assert_eq!(
            excerpts,
            [Some("caf\u{e9}".as_bytes()), Some(begins), None, Some(b"never finished".as_slice())]
        );
        assert_eq!(
            listed.iter().map(|entry| entry.compressed).collect::<Vec<_>>(),
            [false, true, false, false]
        );
    }

    #[test]
    fn after_a_lost_message_the_context_is_missing_and_nothing_is_corrupt() {
        use Unreadable::{ContextMissing, Corrupt, FramingLost, Incomplete, UnknownExtension};
        let mut deflater = Deflater::new();
        let message = text(500);
        let [one, lost, two] = [(); 3].map(|()| deflater.message(&message));
        let unread = Content::Unread;
        let play = |transform| Play::new(transform).frame(0xC1, &one).cut(0xC1, &lost, 0);
        let inflated = Content::Inflated(500);
        let contents = play(TAKEOVER).frame(0xC1, &two).frame(0x81, b"plain").contents();
        assert_eq!(contents, [inflated, unread(Incomplete), unread(ContextMissing), Content::Plain]);
        let contents = play(ALONE).frame(0xC1, &Deflater::new().message(&message)).contents();
        assert_eq!(contents, [inflated, unread(Incomplete), inflated]);
        // A whole message is lost with the frame that held it, so that frames are searched for.
        for (transform, why) in [(TAKEOVER, ContextMissing), (ALONE, FramingLost)] {
            let play = Play::new(transform).frame(0xC1, &one).cut(0xC1, &lost, 50);
            let contents = play.frame(0x81, b"a text").frame(0xC1, &two).frame(0x81, b"more").contents();
            assert_eq!(contents.first_chunk(), Some(&[inflated, unread(Incomplete)]));
            assert!(contents.contains(&unread(why)), "{contents:?}");
        }
        let contents = Play::new(TAKEOVER).frame(0xC1, b"\xFF\xFF\xFF").frame(0xC1, &two).contents();
        assert_eq!(contents, [unread(Corrupt), unread(ContextMissing)]);
        for transform in [Transform::Plain, Transform::Unknown] {
            assert_eq!(Play::new(transform).frame(0xC1, &one).contents(), [unread(UnknownExtension)]);
        }
        let contents = Play::new(Transform::Plain).frame(0x80, b"the end of something").contents();
        assert_eq!(contents, [unread(Incomplete)]);
    }

    #[test]
    fn the_last_messages_are_kept_and_the_others_counted() {
        let reading = Arc::new(Reading::new(Depth::Listed(Payloads::Hidden)));
        let fill = |count: usize| {
            let play = Play::reading(Transform::Plain, &reading);
            (0..count).fold(play, |play, _| play.frame(0x81, b"hello"))
        };
        let mut long = fill(limits::MESSAGES + 10);
        let (entries, left_out) = long.messages.listed().unwrap();
        let numbers: Vec<_> = entries.map(|entry| entry.seen.packet.number()).collect();
        assert_eq!((numbers.len(), numbers.first(), left_out), (limits::MESSAGES, Some(&11), 10));
        // What was handed on is in a report, and takes its room until the run is over; what was dropped does not.
        let share = limits::MESSAGES_TOTAL / limits::SHARDS - limits::MESSAGES;
        drop(fill(10));
        let mut all: Vec<Play> = (0..10).map(|_| fill(share / 8)).collect();
        let kept: usize = all.iter_mut().map(|play| play.messages.listed().unwrap().0.count()).sum();
        let left_out: u64 = all.iter_mut().map(|play| play.messages.listed().unwrap().1).sum();
        assert_eq!((kept, left_out), (share, (10 * (share / 8) - share) as u64));
    }

    #[test]
    fn nothing_is_listed_unless_it_was_asked_for() {
        for depth in [Depth::WhereAsked, Depth::All] {
            let reading = Arc::new(Reading::new(depth));
            assert!(Messages::new(TAKEOVER, &reading).listed().is_none());
        }
        let hidden = Arc::new(Reading::new(Depth::Listed(Payloads::Hidden)));
        let payload = Deflater::new().message(b"secret");
        let play = Play::reading(TAKEOVER, &hidden).frame(0x81, b"secret").frame(0xC1, &payload);
        assert!(play.listed().iter().all(|entry| entry.excerpt.is_none()));
    }

    proptest! {
        #[test]
        fn any_bytes_and_gaps_are_listed_within_bounds(
            pieces in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 1..120), 0u64..3), 0..20),
            takeover in any::<bool>(),
        ) {
            let play = Play::new(Transform::Deflate { takeover, window: Window::LARGEST });
            let sent: usize = pieces.iter().map(|(piece, _)| piece.len()).sum();
            let listed = pieces.iter().fold(play, |play, (piece, lost)| play.piece(piece, *lost)).listed();
            prop_assert!(listed.iter().map(|entry| entry.bytes).sum::<u64>() <= sent as u64);
            for entry in listed {
                let excerpt = entry.excerpt.map_or(0, |excerpt| excerpt.len());
                prop_assert!(excerpt <= limits::EXCERPT && entry.frames > 0);
                prop_assert!(entry.compressed || !matches!(entry.content, Content::Inflated(_)));
            }
        }

        #[test]
        fn however_the_stream_is_cut_the_same_messages_are_listed(
            messages in proptest::collection::vec((any::<bool>(), 0usize..600, any::<bool>()), 1..8),
            step in 1usize..40,
        ) {
            let (mut deflater, mut stream) = (Deflater::new(), Vec::new());
            for &(compressed, len, split) in &messages {
                let message = text(len);
                let payload = if compressed { deflater.message(&message) } else { message };
                let (first, rest) = payload.split_at(if split { payload.len() / 2 } else { payload.len() });
                let bits = u8::from(compressed) << 6 | 1;
                if split {
                    stream.extend(Frame::masked(bits, first).bytes());
                    stream.extend(Frame::masked(0x80, rest).bytes());
                } else {
                    stream.extend(Frame::masked(0x80 | bits, first).bytes());
                }
            }
            let listed = |step: usize| {
                let play = stream.chunks(step).fold(Play::new(TAKEOVER), |play, piece| play.piece(piece, 0));
                let without_place = |mut entry: Entry| {
                    entry.seen = packet(0);
                    entry
                };
                play.listed().into_iter().map(without_place).collect::<Vec<_>>()
            };
            let whole = listed(stream.len());
            prop_assert_eq!(whole.len(), messages.len());
            for (entry, (compressed, len, split)) in whole.iter().zip(&messages) {
                let expected = if *compressed { Content::Inflated(*len as u64) } else { Content::Plain };
                prop_assert_eq!((entry.content, entry.frames), (expected, 1 + u32::from(*split)));
            }
            prop_assert_eq!(listed(step), whole);
        }
    }
}
