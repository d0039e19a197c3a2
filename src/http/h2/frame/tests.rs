use super::*;
use crate::capture::PacketId;
use crate::time::Timestamp;
use proptest::prelude::*;

fn seen(packet: u64) -> Seen {
    Seen { packet: PacketId::new(0, packet), at: Timestamp::from_nanos(0) }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What is read, as text, with DATA of one stream put together; gaps where a piece is `Err`.
fn told(mut reader: FrameReader, pieces: &[Result<&[u8], u64>]) -> Vec<String> {
    let (mut told, mut data): (Vec<String>, Option<(u32, Vec<u8>)>) = (Vec::new(), None);
    for (packet, piece) in pieces.iter().enumerate() {
        let mut rest = match piece {
            Ok(bytes) => *bytes,
            Err(len) => {
                if let Some(gap) = reader.gap(*len) {
                    told.push(format!("gap {gap:?}"));
                }
                &[]
            }
        };
        while let Some(frame) = reader.next(&mut rest, seen(packet as u64)) {
            if let Frame::Data { stream, bytes } = frame {
                assert!(!bytes.is_empty());
                match &mut data {
                    Some((same, all)) if *same == stream => all.extend_from_slice(bytes),
                    _ => data = Some((stream, bytes.to_vec())),
                }
                continue;
            }
            told.extend(data.take().map(|data| format!("{data:?}")));
            told.push(match frame {
                Frame::Block { stream, promise, block, .. } => {
                    format!("block {stream} {promise} {block:?}")
                }
                frame => format!("{frame:?}"),
            });
        }
        assert!(rest.is_empty());
    }
    told.extend(data.map(|data| format!("{data:?}")));
    if reader.is_lost() {
        told.push("lost".into());
    }
    told
}

fn conversation() -> Vec<u8> {
    [
        PREFACE.to_vec(),
        frame(kind::SETTINGS, 0, 0, &[0, 8, 0, 0, 0, 1]),
        frame(kind::SETTINGS, flag::ACK, 0, &[]),
        frame(kind::HEADERS, flag::PRIORITY | flag::PADDED, 1, b"\x02\0\0\0\0\x10ab\0\0"),
        frame(kind::CONTINUATION, 0, 1, b""),
        frame(kind::CONTINUATION, flag::END_HEADERS, 1, b"cd"),
        frame(kind::DATA, flag::PADDED, 1, b"\x03hello\0\0\0"),
        frame(kind::PING, 0, 0, &[0; 8]),
        frame(kind::DATA, flag::END_STREAM, 1, b" world"),
        frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 3, b"xyz"),
        frame(kind::DATA, flag::END_STREAM, 5, b""),
        frame(kind::PUSH_PROMISE, flag::END_HEADERS, 5, b"\0\0\0\x02push"),
        frame(0x42, 0xFF, 9, b"whatever"),
        frame(kind::RST_STREAM, 0, 7, &[0, 0, 0, 8]),
        frame(kind::GOAWAY, 0, 0, b"\0\0\0\x07\0\0\0\x0bcalm down"),
    ]
    .concat()
}

/// After its first frame.
fn server() -> FrameReader {
    FrameReader { fresh: false, ..FrameReader::server() }
}

#[test]
fn a_server_that_does_not_begin_with_settings_speaks_no_http_2() {
    assert_eq!(told(FrameReader::server(), &[Ok(b"HTTP/1.1 400 Bad Request\r\n\r\n")]), ["lost"]);
}

#[test]
fn every_frame_is_read_for_what_it_says() {
    let expected = [
        "Settings([0, 8, 0, 0, 0, 1])",
        "block 1 false Some([97, 98, 99, 100])",
        "(1, [104, 101, 108, 108, 111, 32, 119, 111, 114, 108, 100])",
        "EndStream { stream: 1 }",
        "block 3 false Some([120, 121, 122])",
        "EndStream { stream: 3 }",
        "EndStream { stream: 5 }",
        "block 5 true Some([112, 117, 115, 104])",
        "Reset { stream: 7, error: ErrorCode(8) }",
        "GoAway { last: 7, error: ErrorCode(11) }",
    ];
    assert_eq!(told(FrameReader::client(), &[Ok(&conversation())]), expected);
}

#[test]
fn of_a_long_goaway_what_it_says_is_read_wherever_it_is_cut() {
    let text = [b"\0\0\0\x07\0\0\0\x0b", &[b'x'; 4 * limits::SETTINGS][..]].concat();
    let bytes = frame(kind::GOAWAY, 0, 0, &text);
    for (one, two) in [0, 12, 2000].map(|cut| bytes.split_at(cut)) {
        assert_eq!(told(server(), &[Ok(one), Ok(two)]), ["GoAway { last: 7, error: ErrorCode(11) }"]);
    }
}

#[test]
fn what_breaks_the_framing_ends_the_reading() {
    for wrong in [
        b"PRI * HTTP/1.1\r\n".to_vec(),
        [&PREFACE[..], &frame(kind::DATA, 0, 0, b"x")].concat(),
        [&PREFACE[..], &frame(kind::CONTINUATION, 0, 1, b"x")].concat(),
        [&PREFACE[..], &frame(kind::HEADERS, 0, 1, b"x"), &frame(kind::DATA, 0, 1, b"x")].concat(),
        [&PREFACE[..], &frame(kind::HEADERS, 0, 1, b"x"), &frame(kind::CONTINUATION, 0, 3, b"x")].concat(),
        [&PREFACE[..], &frame(kind::DATA, flag::PADDED, 1, b"\x05four")].concat(),
        [&PREFACE[..], &frame(kind::HEADERS, flag::PRIORITY, 1, b"four")].concat(),
        [&PREFACE[..], &frame(kind::SETTINGS, 0, 0, b"seven..")].concat(),
        [&PREFACE[..], &frame(kind::RST_STREAM, 0, 1, b"x")].concat(),
    ] {
        let with_more = [wrong.clone(), conversation()].concat();
        assert_eq!(told(FrameReader::client(), &[Ok(&with_more)]), ["lost"], "{wrong:?}");
    }
}

#[test]
fn a_gap_inside_a_frame_is_survived_and_one_between_frames_is_not() {
    let data = frame(kind::DATA, flag::END_STREAM, 1, b"0123456789");
    let next = frame(kind::RST_STREAM, 0, 3, &[0; 4]);
    let (a, b) = data.split_at(11);
    assert_eq!(
        told(server(), &[Ok(a), Err(6), Ok(&b[6..]), Ok(&next)]),
        [
            "gap (1, 6)",
            "(1, [48, 49, 56, 57])",
            "EndStream { stream: 1 }",
            "Reset { stream: 3, error: ErrorCode(0) }"
        ]
    );
    assert_eq!(
        told(server(), &[Ok(a), Err(8), Ok(&next)])[..2],
        ["gap (1, 8)".to_string(), "(1, [48, 49])".to_string()]
    );
    assert_eq!(told(server(), &[Ok(a), Err(9), Ok(&next)]), ["(1, [48, 49])", "lost"]);
    assert_eq!(told(server(), &[Err(1), Ok(&next)]), ["lost"]);
    let head = frame(kind::HEADERS, flag::END_HEADERS, 1, b"0123456789");
    assert_eq!(
        told(server(), &[Ok(&head[..12]), Err(3), Ok(&head[15..]), Ok(&next)])[0],
        "block 1 false None"
    );
    let settings = frame(kind::SETTINGS, 0, 0, &[0, 8, 0, 0, 0, 1]);
    assert_eq!(
        told(server(), &[Ok(&settings[..10]), Err(2), Ok(&settings[12..]), Ok(&next)]),
        ["Reset { stream: 3, error: ErrorCode(0) }"]
    );
}

#[test]
fn a_flood_of_continuation_frames_is_dropped_and_the_next_block_read() {
    let fit = limits::HEADER_BLOCK / 1024;
    for (count, kept) in [(fit, true), (fit + 1, false), (4 * fit, false)] {
        let mut bytes = frame(kind::HEADERS, 0, 1, b"");
        (0..count).for_each(|_| bytes.extend(frame(kind::CONTINUATION, 0, 1, &[b'x'; 1024])));
        bytes.extend(frame(kind::CONTINUATION, flag::END_HEADERS, 1, b""));
        bytes.extend(frame(kind::HEADERS, flag::END_HEADERS, 3, b"abc"));
        let told = told(server(), &[Ok(&bytes)]);
        assert_eq!(told[0] == "block 1 false None", !kept, "{count} frames");
        assert_eq!(told[1], "block 3 false Some([97, 98, 99])");
    }
}

#[test]
fn settings_are_kept_up_to_their_bound() {
    let setting = [0, 8, 0, 0, 0, 1];
    let bytes = frame(kind::SETTINGS, 0, 0, &setting.repeat(4 * limits::SETTINGS / 6));
    let (mut reader, mut kept) = (server(), 0);
    for mut piece in bytes.chunks(100) {
        if let Some(Frame::Settings(settings)) = reader.next(&mut piece, seen(1)) {
            kept = settings.len();
            assert_eq!(enables_connect(settings), Some(true));
        }
    }
    assert!((limits::SETTINGS - 100..=limits::SETTINGS).contains(&kept), "{kept} bytes");
}

#[test]
fn the_setting_that_allows_websockets_is_found() {
    assert_eq!(enables_connect(&[0, 3, 0, 0, 0, 100, 0, 8, 0, 0, 0, 1]), Some(true));
    assert_eq!(enables_connect(&[0, 8, 0, 0, 0, 1, 0, 8, 0, 0, 0, 0]), Some(false));
    assert_eq!(enables_connect(&[0, 3, 0, 0, 0, 100]), None);
}

proptest! {
    #[test]
    fn wherever_the_stream_is_cut_the_same_is_told(cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12)) {
        let bytes = conversation();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|pair| Ok(&bytes[pair[0]..pair[1]])).collect();
        prop_assert_eq!(told(FrameReader::client(), &pieces), told(FrameReader::client(), &[Ok(&bytes)]));
    }

    #[test]
    fn any_bytes_and_gaps_are_read_without_panic(
        pieces in proptest::collection::vec(prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..60).prop_map(Ok),
            (0_u8..=10, any::<u8>(), 0_u32..3, proptest::collection::vec(any::<u8>(), 0..20))
                .prop_map(|(kind, flags, stream, payload)| Ok(frame(kind, flags, stream, &payload))),
            (1_u64..40).prop_map(Err),
        ], 0..12),
    ) {
        let pieces: Vec<_> = pieces.iter().map(|piece| piece.as_ref().map(|bytes| &bytes[..]).map_err(|len| *len)).collect();
        told(server(), &pieces);
    }
}
