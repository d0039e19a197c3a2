//! The messages of one direction: whether text is UTF-8, and whether what is compressed can be inflated.

use super::compressed::{Compressed, Inflated, Unread};
use super::journal::{Content, Entry, Journal, Unreadable};
use super::kept::About;
use super::reading::Reading;
use super::utf8::{NotUtf8, Utf8};
use super::{Extension, Extensions, FrameHeader, Opcode, Violation};
use crate::capture::Seen;
use std::sync::Arc;

/// Reads the payloads of one direction. It knows of messages by frames alone, and of compression by what was agreed.
#[derive(Default, Debug)]
pub struct Messages {
    current: Current,
    text: Utf8,
    transform: Transform,
    compressed: Option<Box<Compressed>>,
    /// The list of them, where one was asked for.
    journal: Option<Box<Journal>>,
}

/// What the extensions make of the messages of one direction.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Transform {
    /// Nothing is known of it, so that no payload can be judged.
    #[default]
    Unknown,
    /// They are sent as they are.
    Plain,
    /// permessage-deflate (RFC 7692).
    Deflate {
        /// Whether a message may refer to those before it.
        takeover: bool,
    },
}

/// What the message in progress is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Current {
    /// None, or one that is not looked at.
    #[default]
    Skipped,
    Text,
    Compressed {
        text: bool,
    },
}

/// Something wrong with a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What it is.
    pub kind: Violation,
    /// Stream offset of the frame in which it was found.
    pub offset: u64,
    /// The packet that showed it.
    pub seen: Seen,
}

impl Transform {
    /// What an answer makes of the messages of one side, whose context takeover `no_takeover` forbids.
    pub fn agreed(answer: &Extensions, no_takeover: &str) -> Transform {
        let known = ["permessage-deflate", "bbf-usp-protocol"];
        let is_known = |element: &Extension| known.iter().any(|name| element.is(name));
        if answer.malformed.is_some() || !answer.list.iter().all(is_known) {
            return Transform::Unknown;
        }
        match answer.get("permessage-deflate") {
            None => Transform::Plain,
            Some(deflate) => Transform::Deflate {
                takeover: deflate.params.iter().all(|param| !param.name.eq_ignore_ascii_case(no_takeover)),
            },
        }
    }
}

impl Messages {
    /// From the first message on.
    pub fn new(transform: Transform, reading: &Arc<Reading>) -> Messages {
        let compressed = match transform {
            Transform::Deflate { takeover } => Some(Box::new(Compressed::new(takeover, Arc::clone(reading)))),
            Transform::Unknown | Transform::Plain => None,
        };
        let journal = Journal::new(reading);
        Messages { current: Current::Skipped, text: Utf8::default(), transform, compressed, journal }
    }

    /// A data frame begins: the packet `seen` completes its header.
    #[inline]
    pub fn begin(&mut self, header: &FrameHeader, seen: Seen) {
        if let Some(journal) = &mut self.journal {
            journal.begin(header, seen);
        }
        let text = match header.opcode {
            Opcode::Text => true,
            Opcode::Binary => false,
            _ => return,
        };
        self.current = match self.transform {
            Transform::Deflate { .. } if header.rsv1() => Current::Compressed { text },
            Transform::Deflate { .. } | Transform::Plain if text && !header.rsv1() => Current::Text,
            _ => Current::Skipped,
        };
        match self.current {
            Current::Text => self.text = Utf8::default(),
            Current::Compressed { .. } => self.compressed.iter_mut().for_each(|messages| messages.begin()),
            Current::Skipped => {}
        }
    }

    /// Bytes of its payload, the first of them at offset `phase` in it.
    #[inline]
    pub fn payload(&mut self, header: &FrameHeader, phase: u64, bytes: &[u8]) -> Option<Violation> {
        if let Some(journal) = &mut self.journal {
            journal.payload(header, phase, bytes);
        }
        match self.current {
            Current::Skipped => None,
            _ if matches!(header.opcode, Opcode::Reserved(_)) => None,
            Current::Text => {
                let valid = match header.mask {
                    None => self.text.push(bytes),
                    Some(key) => self.text.push_masked(bytes, key, phase),
                };
                valid.err().map(|fault| self.not_utf8(fault))
            }
            Current::Compressed { .. } => {
                if let Some(messages) = &mut self.compressed {
                    messages.push(bytes, header.mask, phase);
                }
                None
            }
        }
    }

    /// A data frame ends, at stream offset `offset`, of which `present` bytes were there.
    #[inline]
    pub fn end(
        &mut self,
        header: &FrameHeader,
        present: u64,
        offset: u64,
        seen: Seen,
        tell: &mut impl FnMut(Fault),
    ) {
        self.judge(header, present == header.len, offset, seen, tell);
        if let Some(journal) = &mut self.journal {
            let (transform, compressed) = (self.transform, &mut self.compressed);
            journal.end(header, present, || content(transform, compressed.as_deref_mut()));
        }
    }

    /// A data frame that came whole: the same as its beginning, its payload and its end.
    #[inline]
    pub fn frame(
        &mut self,
        header: &FrameHeader,
        payload: &[u8],
        offset: u64,
        seen: Seen,
        tell: &mut impl FnMut(Fault),
    ) {
        let is_text = matches!(header.opcode, Opcode::Text) && !header.rsv1();
        if header.fin && is_text && self.journal.is_none() && self.transform != Transform::Unknown {
            // A text in one frame, as most are: nothing of it need be kept.
            self.current = Current::Skipped;
            let mut text = Utf8::default();
            let read = match header.mask {
                None => text.push(payload),
                Some(key) => text.push_masked(payload, key, 0),
            };
            if let Err(fault) = read.and_then(|()| text.end()) {
                tell(Fault { kind: self.not_utf8(fault), offset, seen });
            }
            return;
        }
        self.begin(header, seen);
        if !payload.is_empty()
            && let Some(kind) = self.payload(header, 0, payload)
        {
            tell(Fault { kind, offset, seen });
        }
        self.end(header, header.len, offset, seen, tell);
    }

    #[inline]
    fn judge(
        &mut self,
        header: &FrameHeader,
        whole: bool,
        offset: u64,
        seen: Seen,
        tell: &mut impl FnMut(Fault),
    ) {
        if self.current == Current::Skipped || matches!(header.opcode, Opcode::Reserved(_)) {
            return;
        }
        if !whole {
            return self.lose();
        }
        if !header.fin {
            return;
        }
        match std::mem::replace(&mut self.current, Current::Skipped) {
            Current::Text => {
                if let Err(fault) = self.text.end() {
                    tell(Fault { kind: self.not_utf8(fault), offset, seen });
                }
            }
            Current::Compressed { text } => {
                if let Some(messages) = &mut self.compressed {
                    messages.end(About { text, offset, seen }, &mut |kind, about| {
                        tell(Fault { kind, offset: about.offset, seen: about.seen });
                    });
                }
            }
            Current::Skipped => {}
        }
    }

    /// A part of the message in progress is missing.
    #[cold]
    pub fn lose(&mut self) {
        self.current = Current::Skipped;
        if let Some(messages) = &mut self.compressed {
            messages.lose(Unread::Lost);
        }
    }

    /// Where frames begin is not sure any more: what follows is not judged.
    #[cold]
    pub fn give_up(&mut self) {
        self.lose();
        self.transform = Transform::Unknown;
        if let Some(journal) = &mut self.journal {
            journal.lose();
        }
    }

    /// Reads the compressed messages that were kept.
    pub fn read(&mut self, tell: &mut impl FnMut(Fault)) {
        if let Some(messages) = &mut self.compressed {
            messages.read(&mut |kind, about| tell(Fault { kind, offset: about.offset, seen: about.seen }));
        }
    }

    /// What came of the compressed messages; `None` where none was agreed.
    pub fn inflated(&self) -> Option<Inflated> {
        self.compressed.as_ref().map(|messages| messages.facts())
    }

    /// The messages one by one, and how many earlier ones are not among them; `None` where nobody asked for a list.
    pub fn listed(&mut self) -> Option<(impl Iterator<Item = Entry>, u64)> {
        let (entries, left_out) = self.journal.as_mut()?.finish();
        Some((entries.into_iter(), left_out))
    }

    #[cold]
    fn not_utf8(&mut self, fault: NotUtf8) -> Violation {
        self.current = Current::Skipped;
        Violation::TextNotUtf8(fault)
    }
}

/// What is known of a message with RSV1 set that ended just now.
fn content(transform: Transform, compressed: Option<&mut Compressed>) -> (Content, Option<Box<[u8]>>) {
    let why = match (transform, compressed) {
        (Transform::Deflate { .. }, Some(compressed)) => return compressed.last(),
        (Transform::Unknown, Some(compressed)) if compressed.takes_over() => Unreadable::ContextMissing,
        (Transform::Unknown, Some(_)) => Unreadable::FramingLost,
        (Transform::Unknown | Transform::Plain | Transform::Deflate { .. }, _) => {
            Unreadable::UnknownExtension
        }
    };
    (Content::Unread(why), None)
}

#[cfg(test)]
mod tests {
    use super::super::deflate::testing::{Deflater, text};
    use super::super::oracle::{Frame, packet};
    use super::super::{Corrupt, Decoder, Depth, FrameEvent, Instead, Masking, Undecodable};
    use super::*;
    use crate::limits;
    use proptest::prelude::*;

    /// Plays the frames of one direction, each in a packet of its own.
    struct Play {
        decoder: Decoder,
        messages: Messages,
        faults: Vec<Fault>,
        offset: u64,
        packet: u64,
    }

    impl Play {
        fn new(transform: Transform, depth: Depth) -> Play {
            let messages = Messages::new(transform, &Arc::new(Reading::new(depth)));
            let (decoder, faults) = (Decoder::new(Masking::Masked), Vec::new());
            Play { decoder, messages, faults, offset: 0, packet: 0 }
        }

        fn frame(self, first: u8, payload: &[u8]) -> Play {
            let bytes = Frame::masked(first, payload).bytes();
            self.bytes(&bytes)
        }

        fn bytes(mut self, bytes: &[u8]) -> Play {
            self.packet += 1;
            let Play { decoder, messages, faults, offset, packet: number } = &mut self;
            decoder.push(*offset, bytes, packet(*number), &mut |event: FrameEvent<'_>| match event {
                FrameEvent::Header { header, complete_in, .. } => messages.begin(header, complete_in),
                FrameEvent::Payload { header, offset, phase, bytes, seen } => faults
                    .extend(messages.payload(header, phase, bytes).map(|kind| Fault { kind, offset, seen })),
                FrameEvent::End { header, offset, present, seen } => {
                    messages.end(header, present, offset, seen, &mut |fault| faults.push(fault));
                }
                FrameEvent::Control { .. } | FrameEvent::Violation { .. } => {}
            });
            self.offset += bytes.len() as u64;
            self
        }

        /// Loses the end of a message whose frame begins with `first`.
        fn loses(mut self, first: u8, payload: &[u8]) -> Play {
            let bytes = Frame::masked(first, payload).bytes();
            let (sent, lost) = bytes.split_at(bytes.len() - 1);
            self = self.bytes(sent);
            let messages = &mut self.messages;
            self.decoder.gap(self.offset, lost.len() as u64, packet(0), &mut |event: FrameEvent<'_>| {
                if let FrameEvent::End { header, offset, present, seen } = event {
                    messages.end(header, present, offset, seen, &mut |_| {});
                }
            });
            self.offset += lost.len() as u64;
            self
        }

        fn read(mut self) -> (Vec<Fault>, Inflated) {
            let faults = &mut self.faults;
            self.messages.read(&mut |fault| faults.push(fault));
            (self.faults, self.messages.inflated().unwrap_or_default())
        }

        fn kinds(self) -> Vec<Violation> {
            self.read().0.into_iter().map(|fault| fault.kind).collect()
        }
    }

    const TAKEOVER: Transform = Transform::Deflate { takeover: true };
    const ALONE: Transform = Transform::Deflate { takeover: false };
    const DEPTHS: [Depth; 2] = [Depth::WhereAsked, Depth::All];

    fn not_utf8(text: &[u8]) -> Violation {
        Violation::TextNotUtf8(NotUtf8::find(text).unwrap())
    }

    fn undecodable(number: u64, corrupt: Corrupt, instead: Option<Instead>) -> Violation {
        Violation::Undecodable(Undecodable { number, corrupt, instead })
    }

    #[test]
    fn text_is_judged_by_messages_and_binary_is_not() {
        let play = Play::new(Transform::Plain, Depth::WhereAsked)
            .frame(0x01, b"caf\xC3")
            .frame(0x89, b"\xFF")
            .frame(0x80, b"\xA9")
            .frame(0x82, b"\xFF\xFE")
            .frame(0x81, "漢字".as_bytes());
        assert_eq!(play.kinds(), []);
        let (faults, _) = Play::new(Transform::Plain, Depth::WhereAsked)
            .frame(0x81, b"ok")
            .frame(0x01, b"a\xFF")
            .frame(0x80, b"\xFF\xFF")
            .frame(0x81, b"caf\xC3")
            .read();
        let told: Vec<_> = faults.iter().map(|fault| (fault.kind, fault.seen.packet.number())).collect();
        assert_eq!(told, [(not_utf8(b"a\xFF"), 2), (not_utf8(b"caf\xC3"), 4)]);
    }

    #[test]
    fn what_is_not_agreed_on_or_not_known_is_not_judged() {
        assert_eq!(Play::new(Transform::Unknown, Depth::All).frame(0x81, b"\xFF").kinds(), []);
        assert_eq!(Play::new(Transform::Plain, Depth::All).frame(0xC1, b"\xFF").kinds(), []);
        assert_eq!(Play::new(Transform::Plain, Depth::All).loses(0x81, b"a\xC3\xA9").kinds(), []);
    }

    #[test]
    fn messages_are_inflated_with_their_context_in_fragments_and_alone() {
        for depth in DEPTHS {
            let mut deflater = Deflater::new();
            let message = text(3000);
            let [one, two] = [deflater.message(&message), deflater.message(&message)];
            let (faults, facts) = Play::new(TAKEOVER, depth)
                .frame(0x41, &one[..100])
                .frame(0x00, &one[100..200])
                .frame(0x80, &one[200..])
                .frame(0x81, b"plain")
                .frame(0xC1, &two)
                .frame(0xC1, &deflater.message(b""))
                .read();
            assert_eq!(faults, []);
            assert_eq!((facts.sent, facts.messages, facts.inflated, facts.unread), (3, 3, 6000, None));
            assert_eq!(facts.longest, Some((one.len() as u64, 3000)));
            let play = Play::new(ALONE, depth).frame(0xC1, &Deflater::new().message(&message));
            assert_eq!(play.frame(0xC1, &Deflater::new().message(b"\xFF")).kinds(), [not_utf8(b"\xFF")]);
        }
    }

    #[test]
    fn a_context_kept_against_the_agreement_is_found_out() {
        for depth in DEPTHS {
            let mut deflater = Deflater::new();
            let message = text(500);
            let mut play = Play::new(ALONE, depth);
            for _ in 0..3 {
                play = play.frame(0xC1, &deflater.message(&message));
            }
            let first = undecodable(2, Corrupt::Distance, Some(Instead::Takeover));
            assert_eq!(play.kinds(), [first, undecodable(3, Corrupt::Distance, None)]);
        }
    }

    #[test]
    fn foreign_headers_and_plain_text_are_named() {
        let raw = Deflater::new().message(b"hello");
        let zlib = [b"\x78\x9C", &raw[..]].concat();
        let gzip = [b"\x1F\x8B\x08\0\0\0\0\0\0\x03", &raw[..]].concat();
        for (payload, instead) in [
            (&zlib[..], Some(Instead::Zlib)),
            (&gzip, Some(Instead::Gzip)),
            (b"hello, {\"a\": 1}", Some(Instead::Text)),
            (b"\xFF\xFF\xFF\xFF\xFF", None),
        ] {
            for transform in [TAKEOVER, ALONE] {
                let kinds = Play::new(transform, Depth::All).frame(0xC1, payload).kinds();
                assert_eq!(kinds, [undecodable(1, Corrupt::Data, instead)], "{payload:X?}");
            }
        }
    }

    #[test]
    fn after_a_lost_or_broken_message_nothing_is_called_corrupt() {
        for depth in DEPTHS {
            let mut deflater = Deflater::new();
            let message = text(500);
            let [one, lost, two] = [(); 3].map(|()| deflater.message(&message));
            let play = Play::new(TAKEOVER, depth).frame(0xC1, &one);
            let (faults, facts) = play.loses(0xC1, &lost).frame(0xC1, &two).read();
            assert_eq!((faults.len(), facts.sent, facts.messages), (0, 2, 1));
            assert_eq!(facts.unread, Some(Unread::Lost));
            // Without takeover it costs that message alone.
            let alone = Deflater::new().message(&message);
            let play = Play::new(ALONE, depth).frame(0xC1, &alone).loses(0xC1, &alone);
            let (faults, facts) = play.frame(0xC1, &alone).read();
            assert_eq!((faults.len(), facts.sent, facts.messages, facts.unread), (0, 2, 2, None));
            let play = Play::new(TAKEOVER, depth).frame(0xC1, b"\xFF\xFF").frame(0xC1, &two);
            let (faults, facts) = play.read();
            assert_eq!((faults.len(), facts.messages, facts.unread), (1, 0, Some(Unread::Corrupt)));
        }
    }

    #[test]
    fn what_is_kept_is_bounded_unless_all_is_asked_for() {
        let noise: Vec<u8> = super::super::oracle::random().take(limits::COMPRESSED / 8).collect();
        let play = |transform, depth| {
            let (mut deflater, mut play) = (Deflater::new(), Play::new(transform, depth));
            for _ in 0..12 {
                let deflater = if transform == TAKEOVER { &mut deflater } else { &mut Deflater::new() };
                play = play.frame(0xC2, &deflater.message(&noise));
            }
            play.read()
        };
        let (faults, facts) = play(TAKEOVER, Depth::WhereAsked);
        assert_eq!((faults.len(), facts.messages, facts.unread), (0, 12, None), "they refer to the first");
        let (_, facts) = play(ALONE, Depth::WhereAsked);
        assert!(facts.sent == 12 && (1..=8).contains(&facts.messages), "the last ones: {facts:?}");
        assert_eq!(facts.unread, Some(Unread::TooMany));
        for transform in [TAKEOVER, ALONE] {
            let (faults, facts) = play(transform, Depth::All);
            assert_eq!((faults.len(), facts.messages, facts.unread), (0, 12, None));
        }
        let long: Vec<u8> = super::super::oracle::random().take(4 * limits::COMPRESSED).collect();
        let message = Deflater::new().message(&long);
        let (_, facts) = Play::new(TAKEOVER, Depth::WhereAsked).frame(0xC2, &message).read();
        assert_eq!((facts.messages, facts.unread), (0, Some(Unread::TooMany)));
        let mut play = Play::new(TAKEOVER, Depth::All);
        for piece in Frame::masked(0xC2, &message).bytes().chunks(1400) {
            play = play.bytes(piece);
        }
        let (faults, facts) = play.read();
        assert_eq!((faults.len(), facts.messages, facts.inflated), (0, 1, long.len() as u64));
    }

    #[test]
    fn a_bomb_is_given_up() {
        let bomb = Deflater::new().message(&vec![0; limits::INFLATED as usize + 1]);
        let (faults, facts) = Play::new(TAKEOVER, Depth::All).frame(0xC2, &bomb).read();
        assert_eq!((faults.len(), facts.messages, facts.unread), (0, 0, Some(Unread::TooLong)));
        assert!(facts.longest.is_some_and(|(_, inflated)| inflated <= limits::INFLATED));
    }

    #[test]
    fn room_is_given_back() {
        let reading = Arc::new(Reading::new(Depth::All));
        for _ in 0..10_000 {
            let mut messages = Messages::new(TAKEOVER, &reading);
            let header = FrameHeader::parse(b"\xC1\x07").unwrap();
            messages.begin(&header, packet(1));
            messages.payload(&header, 0, &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]);
            messages.end(&header, header.len, 0, packet(1), &mut |fault| panic!("{fault:?}"));
            assert_eq!(messages.inflated().map(|facts| facts.messages), Some(1));
        }
    }

    #[test]
    fn an_answer_tells_what_messages_are() {
        let agreed = |answer: &str| {
            let answer = Extensions::parse([answer].into_iter().filter(|a| !a.is_empty()).map(str::as_bytes));
            Transform::agreed(&answer, "client_no_context_takeover")
        };
        assert_eq!(agreed(""), Transform::Plain);
        assert_eq!(agreed("Permessage-Deflate; server_no_context_takeover"), TAKEOVER);
        assert_eq!(agreed("permessage-deflate; client_no_context_takeover"), ALONE);
        assert_eq!(agreed("x-webkit-deflate-frame"), Transform::Unknown);
        assert_eq!(agreed("permessage-deflate, mystery"), Transform::Unknown);
    }

    proptest! {
        #[test]
        fn a_frame_that_came_whole_is_judged_as_its_beginning_payload_and_end(
            texts in prop::collection::vec(prop_oneof!["[a-zé€]{0,9}".prop_map(String::into_bytes), any::<Vec<u8>>()], 1..5),
            first in prop::sample::select(vec![0x81_u8, 0x82, 0x01, 0xC1, 0x80]), masked: bool,
            transform in prop::sample::select(vec![Transform::Unknown, Transform::Plain, ALONE]),
        ) {
            let seen = packet(1);
            let mut whole = Messages::new(transform, &Arc::new(Reading::new(Depth::All)));
            let mut pieces = Messages::new(transform, &Arc::new(Reading::new(Depth::All)));
            for text in texts {
                let frame = if masked { Frame::masked(first, &text) } else { Frame::new(first, &text) };
                let bytes = frame.bytes();
                let header = FrameHeader::parse(&bytes).unwrap();
                let payload = &bytes[usize::from(header.header_len)..];
                let (mut at_once, mut one_by_one) = (Vec::new(), Vec::new());
                whole.frame(&header, payload, 7, seen, &mut |fault| at_once.push(fault));
                pieces.begin(&header, seen);
                if !payload.is_empty() {
                    let kind = pieces.payload(&header, 0, payload);
                    one_by_one.extend(kind.map(|kind| Fault { kind, offset: 7, seen }));
                }
                pieces.end(&header, header.len, 7, seen, &mut |fault| one_by_one.push(fault));
                prop_assert_eq!(at_once, one_by_one);
            }
        }
    }
}
