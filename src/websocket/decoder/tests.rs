use super::super::oracle::{Frame, Owned, Piece, stream, told};
use super::*;

/// The violations told of a server's segments, with their offsets.
fn violations(segments: &[&[u8]]) -> Vec<(Violation, u64)> {
    violations_of(Masking::Unmasked, segments)
}

fn violations_of(masking: Masking, segments: &[&[u8]]) -> Vec<(Violation, u64)> {
    let pieces: Vec<Piece<'_>> = segments.iter().map(|bytes| Piece::Bytes(bytes)).collect();
    told(masking, &pieces)
        .into_iter()
        .filter_map(|told| match told {
            Owned::Violation { kind, at, .. } => Some((kind, at)),
            _ => None,
        })
        .collect()
}

/// Opcode and length of every frame told.
fn frames(masking: Masking, segments: &[&[u8]]) -> Vec<(Opcode, u64)> {
    let pieces: Vec<Piece<'_>> = segments.iter().map(|bytes| Piece::Bytes(bytes)).collect();
    told(masking, &pieces)
        .into_iter()
        .filter_map(|told| match told {
            Owned::Header { opcode, len, .. } => Some((opcode, len)),
            _ => None,
        })
        .collect()
}

const HELLO: &[u8] = b"\x81\x05hello";
const CLOSE: &[u8] = b"\x88\x02\x03\xE8";

#[test]
fn packets_of_first_and_last_header_byte_and_of_the_end_are_told_apart() {
    let bytes = Frame::masked(0x82, &[0; 300]).bytes();
    let pieces = [
        Piece::Bytes(&bytes[..1]),
        Piece::Bytes(&bytes[1..7]),
        Piece::Bytes(&bytes[7..9]),
        Piece::Bytes(&bytes[9..]),
    ];
    let header = Owned::Header { at: 0, opcode: Opcode::Binary, len: 300, first: 1, last: 3 };
    assert_eq!(told(Masking::Masked, &pieces), [header, Owned::End { present: 300, last: 4 }]);
}

#[test]
fn a_masked_close_in_two_segments_is_unmasked_whole() {
    let bytes = Frame::masked(0x88, b"\x03\xF6gone").bytes();
    let told = told(Masking::Masked, &[Piece::Bytes(&bytes[..9]), Piece::Bytes(&bytes[9..])]);
    let payload = b"\x03\xF6gone".to_vec();
    assert_eq!(told[1], Owned::Control { at: 0, opcode: Opcode::Close, payload, whole: true, last: 2 });
}

#[test]
fn each_violation_is_told_once_and_reading_goes_on() {
    let cases: [(&[u8], Violation); 11] = [
        (b"\x81\x81\x01\x02\x03\x04x", Violation::Masked),
        (b"\xC9\x01x", Violation::Rsv1Misplaced),
        (b"\xA1\x01x", Violation::Rsv23),
        (b"\x83\x01x", Violation::ReservedOpcode(3)),
        (b"\x8B\x01x", Violation::ReservedOpcode(11)),
        (b"\x09\x01x", Violation::ControlFragmented),
        (b"\x81\x7E\x00\x01x", Violation::LengthNotMinimal),
        (b"\x80\x01x", Violation::ContinuationAlone),
        (b"\x88\x01\x03", Violation::CloseOneByte),
        (b"\x88\x03\x03\xE8\xFF", Violation::CloseReasonNotUtf8),
        (&[&b"\x89\x7E\x00\x7E"[..], &[b'x'; 126]].concat(), Violation::ControlTooLong),
    ];
    for (bytes, violation) in cases {
        assert_eq!(violations(&[HELLO, bytes])[..], [(violation, 7)], "alone in its segment");
        let joined = [HELLO, bytes, b"\x89\x00"].concat();
        assert_eq!(violations(&[&joined])[..], [(violation, 7)], "{violation:?} between frames");
        assert_eq!(frames(Masking::Unmasked, &[&joined]).len(), 3);
    }
    assert_eq!(violations_of(Masking::Masked, &[HELLO]), [(Violation::Unmasked, 0)]);
}

#[test]
fn a_control_frame_that_breaks_a_rule_is_known_however_it_is_cut() {
    for (bytes, violation) in [
        (&b"\xC9\x05early"[..], Violation::Rsv1Misplaced),
        (b"\x8B\x05early", Violation::ReservedOpcode(11)),
        (b"\x89\x85\x01\x02\x03\x04early", Violation::Masked),
    ] {
        for behind in [&b""[..], b"\x89\x00", CLOSE] {
            let stream = [HELLO, bytes, behind].concat();
            for cut in 0..stream.len() {
                let (one, two) = stream.split_at(cut);
                assert_eq!(violations(&[one, two]), [(violation, 7)], "{cut}");
                let whole = frames(Masking::Unmasked, &[&stream]);
                let kinds = |frames: &[(Opcode, u64)]| frames.iter().map(|frame| frame.0).collect::<Vec<_>>();
                assert_eq!(kinds(&frames(Masking::Unmasked, &[one, two])), kinds(&whole), "{cut}");
            }
        }
    }
}

#[test]
fn what_only_looks_like_the_start_of_a_bad_control_frame_is_none() {
    let stream = [HELLO, b"\xC9\x05noise-and-more-of-it"].concat();
    assert_eq!(violations(&[&stream[..11], &stream[11..]]), [(Violation::FramingLost, 7)]);
    assert_eq!(violations(&[&stream[..11]]), [(Violation::FramingLost, 7)]);
}

#[test]
fn a_side_that_never_masks_is_read_to_its_close() {
    let long = Frame::new(0x82, &[7; 3000]).bytes();
    let segments = [&long[..1400], &long[1400..], &long[..1400], &long[1400..], HELLO, CLOSE];
    assert_eq!(
        violations_of(Masking::Masked, &segments)
            .iter()
            .filter(|(kind, _)| *kind == Violation::Unmasked)
            .count(),
        4
    );
    assert_eq!(frames(Masking::Masked, &segments).last(), Some(&(Opcode::Close, 2)));
}

#[test]
fn a_message_inside_another_is_told_once_whichever_way_the_sender_goes_on() {
    let begun: &[u8] = b"\x01\x01a";
    for rest in [&[HELLO, b"\x80\x01b", HELLO][..], &[HELLO, HELLO, b"\x01\x01a", b"\x80\x00"]] {
        let segments = [&[begun], rest].concat();
        assert_eq!(violations(&segments), [(Violation::MessageInsideMessage, 3)]);
    }
}

#[test]
fn what_a_sender_adds_after_its_close_is_told() {
    let stream = [CLOSE, HELLO, b"\x8A\x00", CLOSE].concat();
    assert_eq!(violations(&[&stream]), [(Violation::DataAfterClose, 4), (Violation::SecondClose, 13)]);
}

#[test]
fn a_long_control_frame_shows_its_first_bytes_and_is_not_whole() {
    let bytes = Frame::new(0x88, &[b'x'; 300]).bytes();
    for pieces in [
        vec![Piece::Bytes(&bytes)],
        vec![Piece::Bytes(&bytes[..4]), Piece::Bytes(&bytes[4..90]), Piece::Bytes(&bytes[90..])],
    ] {
        let told = told(Masking::Unmasked, &pieces);
        let shown = told.iter().find_map(|told| match told {
            Owned::Control { payload, whole, .. } => Some((payload.len(), *whole)),
            _ => None,
        });
        assert_eq!(shown, Some((125, false)));
    }
}

#[test]
fn http_at_the_start_of_a_frame_is_told_however_it_is_cut_and_a_close_behind_it_is_found() {
    let http = b"HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n";
    let stream = [HELLO, http].concat();
    for cut in 0..stream.len() {
        let (one, two) = stream.split_at(cut);
        assert_eq!(violations(&[one, two]), [(Violation::HttpInStream, 7)], "{cut}");
    }
    let read = frames(Masking::Unmasked, &[HELLO, http, CLOSE]);
    assert_eq!(read.last(), Some(&(Opcode::Close, 2)));
}

#[test]
fn http_inside_a_payload_is_payload() {
    assert_eq!(violations(&[&Frame::new(0x81, b"HTTP/1.1 200 OK\r\n\r\n").bytes()]), []);
}

#[test]
fn a_length_with_its_top_bit_set_ends_the_framing() {
    let stream = b"\x82\x7F\x80\x00\x00\x00\x00\x00\x00\x01xxxxxxxx";
    assert_eq!(violations(&[stream]), [(Violation::LengthTopBit, 0), (Violation::FramingLost, 0)]);
}

#[test]
fn a_length_is_believed_up_to_its_bound() {
    for (len, found) in [(limits::FRAME_PAYLOAD, true), (limits::FRAME_PAYLOAD + 1, false), (1 << 62, false)]
    {
        let stream = [&[0x82, 0x7F][..], &len.to_be_bytes(), b"xxxx"].concat();
        assert_eq!(
            frames(Masking::Unmasked, &[&stream]),
            if found { vec![(Opcode::Binary, len)] } else { vec![] }
        );
        assert_eq!(violations(&[&stream]).contains(&(Violation::FramingLost, 0)), !found, "{len}");
    }
}

#[test]
fn lost_framing_is_told_once_and_found_again_where_frames_follow() {
    let noise = [0x74, 0x9E, 0x5D, 0x3B, 0xE6, 0x33, 0x74, 0x9E, 0x5D, 0x3B, 0xE6, 0x33];
    let found = violations(&[HELLO, &noise, &noise, &[HELLO, HELLO, HELLO].concat(), HELLO]);
    assert_eq!(found, [(Violation::FramingLost, 7), (Violation::Resynchronised { skipped: 24 }, 31)]);
}

#[test]
fn after_a_gap_over_a_frame_border_the_next_segment_is_read_again() {
    let [close, hello] = [Piece::Bytes(CLOSE), Piece::Bytes(HELLO)];
    let told = told(Masking::Unmasked, &[hello, Piece::Gap(100), Piece::Bytes(b"\x82\x02ab"), close]);
    let kinds: Vec<_> = told.iter().filter(|told| matches!(told, Owned::Violation { .. })).collect();
    let kind = Violation::Resynchronised { skipped: 100 };
    assert_eq!(kinds, [&Owned::Violation { kind, at: 107, quote: b"\x82\x02ab".to_vec(), seen: 3 }]);
    assert!(matches!(told.last(), Some(Owned::Control { opcode: Opcode::Close, whole: true, .. })));
}

#[test]
fn a_gap_that_begins_in_a_frame_and_goes_beyond_ends_it() {
    let told = told(Masking::Unmasked, &[Piece::Bytes(b"\x82\x0Aabc"), Piece::Gap(20), Piece::Bytes(CLOSE)]);
    assert_eq!(told[1], Owned::End { present: 3, last: 2 });
    assert!(matches!(
        told[2],
        Owned::Violation { kind: Violation::Resynchronised { skipped: 13 }, at: 25, .. }
    ));
}

#[test]
fn a_gap_cuts_the_reason_of_a_close() {
    let told =
        told(Masking::Unmasked, &[Piece::Bytes(b"\x88\x0A\x03\xE8by"), Piece::Gap(2), Piece::Bytes(b"xxxx")]);
    let payload = b"\x03\xE8by".to_vec();
    assert_eq!(told[1], Owned::Control { at: 0, opcode: Opcode::Close, payload, whole: false, last: 3 });
}

#[test]
fn the_end_inside_a_header_a_payload_or_a_message_is_told() {
    assert_eq!(violations(&[b"\x81"]), [(Violation::EndsMidFrame, 0)]);
    assert_eq!(violations(&[b"\x81\x05he"]), [(Violation::EndsMidFrame, 0)]);
    assert_eq!(violations(&[HELLO, b"\x01\x00"]), [(Violation::EndsMidFrame, 7)]);
    assert_eq!(violations(&[HELLO, b"\x01\x00", CLOSE]), []);
}

#[test]
fn random_bytes_after_the_handshake_hardly_ever_make_a_close() {
    let mut random = super::super::oracle::random();
    let (mut closes, mut frames) = (0, 0);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = random.by_ref().take(300).collect();
        for told in told(Masking::Unmasked, &[Piece::Bytes(&bytes[..150]), Piece::Bytes(&bytes[150..])]) {
            match told {
                Owned::Header { opcode: Opcode::Close, .. } => closes += 1,
                Owned::Header { .. } => frames += 1,
                _ => {}
            }
        }
    }
    assert!(closes <= 20, "{closes} closes and {frames} other frames in 20000 streams");
    assert!(frames <= 2000, "{frames} frames");
}

#[test]
fn the_role_is_learnt_from_the_first_frame_where_it_is_not_known() {
    let frames = [Frame::masked(0x81, b"a"), Frame::new(0x81, b"b")];
    assert_eq!(violations_of(Masking::Unknown, &[&stream(&frames)]), [(Violation::Unmasked, 7)]);
}
