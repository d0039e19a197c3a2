use super::super::deflate::testing::{Deflater, text};
use super::super::oracle::{self, Frame, packet};
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
        Play::sharing(transform, &Arc::new(Reading::new(depth)))
    }

    /// One of several directions that share what there is room for.
    fn sharing(transform: Transform, reading: &Arc<Reading>) -> Play {
        let messages = Messages::new(transform, reading);
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
            FrameEvent::Payload { header, offset, phase, bytes, seen } => {
                faults.extend(messages.payload(header, phase, bytes).map(|kind| Fault { kind, offset, seen }))
            }
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

const TAKEOVER: Transform = Transform::Deflate { takeover: true, window: Window::LARGEST };
const ALONE: Transform = Transform::Deflate { takeover: false, window: Window::LARGEST };
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
        Transform::agreed(&answer, "client_no_context_takeover", "client_max_window_bits")
    };
    assert_eq!(agreed(""), Transform::Plain);
    assert_eq!(agreed("Permessage-Deflate; server_no_context_takeover"), TAKEOVER);
    assert_eq!(agreed("permessage-deflate; client_no_context_takeover"), ALONE);
    let narrow = |bits| Transform::Deflate { takeover: true, window: Window::parse(bits).unwrap() };
    assert_eq!(
        agreed("permessage-deflate; client_max_window_bits=10; server_max_window_bits=9"),
        narrow("10")
    );
    assert_eq!(agreed("permessage-deflate; client_max_window_bits; server_max_window_bits=9"), TAKEOVER);
    assert_eq!(agreed("permessage-deflate; client_max_window_bits=16"), TAKEOVER);
    assert_eq!(agreed("x-webkit-deflate-frame"), Transform::Unknown);
    assert_eq!(agreed("permessage-deflate, mystery"), Transform::Unknown);
}

#[test]
fn a_message_that_refers_further_back_than_was_agreed_is_told_and_all_is_read_on() {
    let noise: Vec<u8> = oracle::random().take(1500).collect();
    // Zeros, for what does not compress at all is stored as it is.
    let again = [&noise[..300], &[0; 400]].concat();
    let (window, other) = (Window::parse("10").unwrap(), Window::parse("12").unwrap());
    for (depth, takeover) in DEPTHS.into_iter().flat_map(|depth| [(depth, true), (depth, false)]) {
        let mut deflater = Deflater::new();
        let payloads = [&noise[..], &again, &again, b"caf\xC3"].map(|message| {
            // Without takeover, each message is of a sender that remembers none.
            if !takeover {
                deflater = Deflater::new();
            }
            deflater.message(message)
        });
        let play = |window| {
            let [first, second, third, last] = &payloads;
            let (head, tail) = second.split_at(9);
            Play::new(Transform::Deflate { takeover, window }, depth)
                .frame(0xC2, first)
                .frame(0x42, head)
                .frame(0x80, tail)
                .frame(0xC2, third)
                .frame(0xC1, last)
                .read()
        };
        let (faults, facts) = play(window);
        let kinds: Vec<Violation> = faults.iter().map(|fault| fault.kind).collect();
        let beyond = undecodable(2, Corrupt::Distance, Some(Instead::LargerWindow(window)));
        let beyond = if takeover { vec![beyond] } else { vec![] };
        assert_eq!(kinds, [beyond, vec![not_utf8(b"caf\xC3")]].concat(), "{depth:?} {takeover}");
        assert_eq!((facts.sent, facts.messages, facts.unread), (4, 4, None));
        assert_eq!(play(other).0.len(), 1, "{depth:?} {takeover}");
    }
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

#[test]
fn where_there_is_no_room_it_is_asked_for_again_after_so_many_messages() {
    let reading = Arc::new(Reading::new(Depth::WhereAsked));
    let all = limits::COMPRESSED_TOTAL / limits::SHARDS;
    assert!(reading.take(all), "others have it all");
    let message = || Deflater::new().message(b"each stands for itself");
    let mut play = Play::sharing(Transform::Deflate { takeover: false, window: Window::LARGEST }, &reading)
        .frame(0xC1, &message());
    reading.give_back(all);
    for _ in 0..limits::COMPRESSED_PAUSE {
        play = play.frame(0xC1, &message());
    }
    let sent = u64::from(limits::COMPRESSED_PAUSE) + 1;
    play.messages.read(&mut |fault| panic!("{fault:?}"));
    let facts = play.messages.inflated().unwrap();
    assert_eq!((facts.sent, facts.messages, facts.unread), (sent, 0, Some(Unread::TooMany)));
    play = play.frame(0xC1, &message()).frame(0xC1, b"\xFF\xFF");
    let mut faults = Vec::new();
    play.messages.read(&mut |fault| faults.push(fault.kind));
    let facts = play.messages.inflated().unwrap();
    assert_eq!((facts.sent, facts.messages), (sent + 2, 1));
    // Those that were passed over count among the messages of their side.
    assert!(
        matches!(faults[..], [Violation::Undecodable(Undecodable { number, .. })] if number == sent + 2),
        "{faults:?}"
    );
}

#[test]
fn where_room_is_short_the_last_messages_are_kept() {
    let reading = Arc::new(Reading::new(Depth::WhereAsked));
    let all = limits::COMPRESSED_TOTAL / limits::SHARDS;
    // A direction takes room in steps of 4 KiB: there is one.
    assert!(reading.take(all - 4096));
    let mut play = Play::sharing(Transform::Deflate { takeover: false, window: Window::LARGEST }, &reading);
    for _ in 0..100 {
        play = play.frame(0xC1, &Deflater::new().message(&text(200)));
    }
    play = play.frame(0xC1, b"\xFF\xFF");
    reading.give_back(all - 4096);
    let mut faults = Vec::new();
    play.messages.read(&mut |fault| faults.push(fault.kind));
    assert!(matches!(faults[..], [Violation::Undecodable(Undecodable { number: 101, .. })]), "{faults:?}");
}
