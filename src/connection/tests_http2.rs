//! WebSockets over HTTP/2, from stream events to facts.

use super::tests::{C, Play, S, closes, one, opened, status};
use super::*;
use crate::http::h2::{ErrorCode, PREFACE, Pseudo};
use crate::limits;
use crate::role::Role;
use crate::tcp::Event;
use proptest::prelude::*;

const ALLOWED: [u8; 6] = [0, 8, 0, 0, 0, 1];
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const RST: u8 = 3;
/// Close 1000 of a client, masked with zeros, and of a server.
const CLOSE: [&[u8]; 2] = [b"\x88\x82\0\0\0\0\x03\xE8", b"\x88\x02\x03\xE8"];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// HEADERS with literal fields that are put into the table.
fn head(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let block: Vec<u8> =
        fields.iter().flat_map(|(name, value)| [vec![0x40], text(name), text(value)].concat()).collect();
    frame(1, END_HEADERS, stream, &block)
}

fn connect(stream: u32) -> Vec<u8> {
    head(
        stream,
        &[
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":path", "/chat"),
            (":authority", "example.org"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", "chat"),
            ("sec-websocket-extensions", "permessage-deflate"),
        ],
    )
}

fn ok(stream: u32) -> Vec<u8> {
    head(stream, &[(":status", "200"), ("sec-websocket-protocol", "chat")])
}

fn data(stream: u32, bytes: &[u8]) -> Vec<u8> {
    frame(0, 0, stream, bytes)
}

fn greeted() -> Play {
    let mut play = opened();
    play.data(C, &[&PREFACE[..], &frame(4, 0, 0, &[])].concat());
    play.data(S, &frame(4, 0, 0, &ALLOWED));
    play
}

/// The field that was inserted so many fields before the newest one.
fn indexed(age: u8) -> u8 {
    0x80 | (62 + age)
}

fn stream(connection: &Connection) -> &Http2 {
    connection.carrier.http2().unwrap()
}

#[test]
fn many_websockets_on_one_connection_are_told_each() {
    let mut play = greeted();
    play.data(C, &[connect(1), head(3, &[(":method", "GET"), (":path", "/")]), connect(5)].concat());
    play.data(S, &[ok(5), ok(1), head(3, &[(":status", "200")]), data(3, b"a page")].concat());
    play.data(C, &[data(5, CLOSE[0]), data(1, b"\x81\x82\0\0\0\0hi"), frame(0, END_STREAM, 5, b"")].concat());
    play.data(S, &[data(5, CLOSE[1]), frame(0, END_STREAM, 5, b"")].concat());
    let mut all = play.carried();
    assert_eq!(all.len(), 1, "a stream that is over is told at once");
    play.event(S, Event::Fin { crosses: false });
    all.extend(play.close());
    let facts: Vec<_> = all.iter().map(|c| (stream(c).stream, c.outcome, c.ending.close)).collect();
    let (clean, none) = (Some(CloseState::Clean), Some(CloseState::None));
    assert_eq!(facts, [(5, Outcome::Established, clean), (1, Outcome::Established, none)]);
    let [five, first] = &all[..] else { panic!() };
    let request = five.request.as_ref().unwrap();
    assert_eq!((request.head.method.as_str(), request.head.target.as_str()), ("CONNECT", "/chat"));
    assert_eq!(request.head.head.text("host").as_deref(), Some("example.org"));
    assert_eq!((status(five), five.response.as_ref().unwrap().accept_valid), (Some(200), None));
    assert_eq!(five.missing_extensions(), ["permessage-deflate"]);
    assert_eq!(stream(five).connect_protocol, ConnectProtocol::Announced);
    assert_eq!(closes(five), [(Role::Client, Some(1000), ""), (Role::Server, Some(1000), "")]);
    assert_eq!((five.ending.transport, five.ending.by.unwrap().0), (Transport::Fin, Role::Client));
    assert_eq!(five.last.packet.number(), 7);
    assert_eq!(first.frames.as_ref().unwrap().client.text, 1);
    assert_eq!((first.ending.transport, first.ending.by.unwrap().0), (Transport::Fin, Role::Server));
    assert_eq!(first.tcp.client.port, 51234);
}

#[test]
fn another_status_refuses_and_its_body_is_quoted() {
    let mut play = greeted();
    play.data(C, &[connect(1), data(1, b"\x81\x80\0\0\0\0")].concat());
    play.data(S, &head(1, &[(":status", "103")]));
    play.data(
        S,
        &[head(1, &[(":status", "403"), ("server", "envoy")]), frame(0, END_STREAM, 1, b"no upgrade")]
            .concat(),
    );
    let c = one(play.close());
    assert_eq!((c.outcome, c.interim.as_slice(), c.frames.is_none()), (Outcome::Rejected, &[103][..], true));
    assert_eq!(&*c.response.as_ref().unwrap().body, b"no upgrade");
    assert_eq!(c.request.unwrap().early_data.unwrap().packet.number(), 4);
    assert_eq!((c.ending.close, c.ending.transport), (None, Transport::Fin));
    assert!(c.closes.is_empty());
}

#[test]
fn a_reset_and_a_go_away_end_streams_with_their_error() {
    let mut play = greeted();
    play.data(C, &[connect(1), connect(3), connect(5)].concat());
    play.data(S, &[ok(1), frame(RST, 0, 3, &[0, 0, 0, 7])].concat());
    play.data(S, &frame(7, 0, 0, &[0, 0, 0, 3, 0, 0, 0, 11]));
    play.data(C, &frame(RST, 0, 1, &[0, 0, 0, 8]));
    let all = play.close();
    let facts: Vec<_> = all
        .iter()
        .map(|c| (stream(c).stream, c.outcome, c.ending.transport, c.ending.by.unwrap().0))
        .collect();
    let reset = Transport::StreamReset;
    assert_eq!(
        facts,
        [
            (3, Outcome::Unanswered, reset, Role::Server),
            (5, Outcome::Unanswered, reset, Role::Server),
            (1, Outcome::Established, reset, Role::Server)
        ]
    );
    let error = |role, error: Option<(Role, ErrorCode, _)>| error.filter(|e| e.0 == role).map(|e| e.1.0);
    assert_eq!(error(Role::Server, stream(&all[0]).reset), Some(7));
    assert_eq!((stream(&all[1]).reset, error(Role::Server, stream(&all[1]).goaway)), (None, Some(11)));
    assert_eq!((stream(&all[2]).reset, error(Role::Server, stream(&all[2]).goaway)), (None, Some(11)));
}

#[test]
fn a_go_away_without_an_error_lets_the_streams_before_it_go_on() {
    let mut play = greeted();
    play.data(C, &connect(1));
    play.data(S, &ok(1));
    play.data(S, &frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]));
    play.data(C, &frame(RST, 0, 1, &[0, 0, 0, 8]));
    let c = one(play.close());
    assert_eq!((c.ending.transport, c.ending.by.unwrap().0), (Transport::StreamReset, Role::Client));
    assert_eq!(stream(&c).reset.map(|(_, error, _)| error.0), Some(8));
}

#[test]
fn what_the_server_allows_is_known_by_its_settings() {
    let mut play = opened();
    play.data(S, &frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]));
    play.data(C, &[&PREFACE[..], &connect(1)].concat());
    let absent = one(play.close());
    assert!(
        matches!(stream(&absent).connect_protocol, ConnectProtocol::Absent(seen) if seen.packet.number() == 2)
    );
    let mut play = opened();
    play.data(C, &[&PREFACE[..], &connect(1)].concat());
    play.data(S, &[frame(4, 0, 0, &ALLOWED), ok(1)].concat());
    assert!(matches!(stream(&one(play.close())).connect_protocol, ConnectProtocol::Late(_)));
    let mut play = opened();
    play.data(C, &[&PREFACE[..], &connect(1)].concat());
    play.gap(S, 15);
    let c = one(play.close());
    assert_eq!((stream(&c).connect_protocol, c.outcome), (ConnectProtocol::Unknown, Outcome::Unseen));
}

#[test]
fn an_upgrade_in_the_way_of_http_1_1_is_a_refused_attempt() {
    let mut play = greeted();
    play.data(
        C,
        &head(
            1,
            &[(":method", "GET"), (":path", "/chat"), ("upgrade", "websocket"), ("sec-websocket-key", "x")],
        ),
    );
    play.data(S, &ok(1));
    let c = one(play.close());
    assert_eq!((c.outcome, stream(&c).is_extended_connect()), (Outcome::Rejected, false));
    let mut play = greeted();
    play.data(C, &head(1, &[(":method", "CONNECT"), (":protocol", "websocket"), (":path", "/chat")]));
    let c = one(play.close());
    assert_eq!(stream(&c).lacks, [Pseudo::Scheme, Pseudo::Authority]);
}

#[test]
fn an_answer_that_selects_what_was_not_offered_is_invalid() {
    let mut play = greeted();
    play.data(C, &connect(1));
    play.data(S, &head(1, &[(":status", "200"), ("sec-websocket-extensions", "x-other")]));
    assert_eq!(one(play.close()).outcome, Outcome::Invalid);
}

#[test]
fn an_answer_captured_before_its_request_waits_for_it() {
    let mut play = greeted();
    play.data(S, &[ok(1), data(1, b"\x81\x02hi")].concat());
    play.data(S, &data(1, b"\x81\x02hi"));
    play.data(C, &connect(1));
    play.data(S, &data(1, b"\x81\x02hi"));
    let c = one(play.close());
    assert_eq!((c.outcome, c.frames.unwrap().server.text), (Outcome::Established, 3));
}

#[test]
fn an_upgrade_to_http_2_is_followed() {
    let mut play = opened();
    play.data(C, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n");
    play.data(
        S,
        &[
            &b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"[..],
            &frame(4, 0, 0, &ALLOWED),
        ]
        .concat(),
    );
    play.data(S, &head(1, &[(":status", "200")]));
    play.data(C, &[&PREFACE[..], &frame(4, 0, 0, &[]), &connect(3)].concat());
    play.data(S, &ok(3));
    let c = one(play.close());
    assert_eq!((c.outcome, stream(&c).stream), (Outcome::Established, 3));
    assert_eq!(stream(&c).connect_protocol, ConnectProtocol::Announced);
}

#[test]
fn a_101_to_http_2_that_nobody_asked_for_is_a_wrong_answer_to_the_upgrade() {
    let mut play = opened();
    play.data(C, super::tests::REQUEST);
    play.data(S, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    let c = one(play.close());
    assert_eq!((c.outcome, c.response.unwrap().head.status), (Outcome::Invalid, 101));
}

#[test]
fn after_a_gap_what_cannot_be_known_is_not_said() {
    let mut play = greeted();
    play.data(C, &connect(1));
    play.data(S, &[ok(1), data(1, b"\x81\x02hi")].concat());
    play.gap(S, 100);
    play.data(S, &data(1, CLOSE[1]));
    play.data(C, &data(1, CLOSE[0]));
    let c = one(play.close());
    assert_eq!((c.outcome, closes(&c).len(), c.quality.missing.server), (Outcome::Established, 1, 100));
    assert!(c.anomalies.is_empty() && c.ending.sees.client.is_none());
    let mut play = greeted();
    play.data(C, &connect(1));
    let answer = [ok(1), data(1, &[&b"\x82\x7e\x01\x00"[..], &[7; 256], CLOSE[1]].concat())].concat();
    let cut = ok(1).len() + 9 + 50;
    play.data(S, &answer[..cut]);
    play.gap(S, 100);
    play.data(S, &answer[cut + 100..]);
    let c = one(play.close());
    assert_eq!(closes(&c), [(Role::Server, Some(1000), "")], "a gap inside DATA is counted over");
}

#[test]
fn a_capture_that_joins_late_says_what_it_does_not_know() {
    let (request, answer) = (connect(1), ok(1));
    let mut play = Play::new(None);
    play.data(S, &data(1, b"\x81\x20a message that is long enough 32"));
    play.data(C, &data(1, b"\x81\xA0\x01\x02\x03\x04a message that is long enough 32"));
    play.data(S, &data(1, CLOSE[1]));
    let c = one(play.close());
    assert_eq!((c.outcome, stream(&c).stream, c.request.is_none()), (Outcome::Unseen, 1, true));
    assert_eq!((c.tcp.client.port, closes(&c).len()), (51234, 1));
    // Later requests of the same shape refer to a table that was filled before.
    let mut play = Play::new(None);
    play.data(C, &request);
    play.data(S, &answer);
    let again = [0x44, 5, b'/', b'l', b'a', b't', b'e', indexed(9), indexed(6), indexed(20)];
    play.data(C, &frame(1, END_HEADERS, 3, &again));
    let c = play.close();
    assert_eq!(c.len(), 1, "a request that is not known to ask for a WebSocket is none");
    assert_eq!(
        (c[0].outcome, stream(&c[0]).connect_protocol),
        (Outcome::Established, ConnectProtocol::Unknown)
    );
    let mut play = Play::new(None);
    play.data(C, &request);
    play.data(S, &answer);
    play.data(C, &frame(1, END_HEADERS, 3, &[indexed(6), indexed(20)]));
    play.data(S, &frame(1, END_HEADERS, 3, &[indexed(1), indexed(9)]));
    let c = play.close();
    let third = c.iter().find(|c| stream(c).stream == 3).unwrap();
    assert_eq!(
        (third.outcome, third.quality.unknown_fields),
        (Outcome::Established, crate::role::Sides { client: 1, server: 1 })
    );
    assert_eq!(third.missing_extensions(), [""; 0]);
    // Not even the method is known: by its frames it is a WebSocket, and without any it is none.
    for (status, frames, is_one) in
        [(&ok(3), true, true), (&ok(3), false, false), (&head(3, &[(":status", "403")]), true, false)]
    {
        let mut play = Play::new(None);
        play.data(C, &request);
        play.data(S, &answer);
        play.data(C, &frame(1, END_HEADERS, 3, &[indexed(20), indexed(21), indexed(22)]));
        play.data(S, status);
        if frames {
            play.data(C, &data(3, b"\x81\xA0\x01\x02\x03\x04a message that is long enough 32"));
            play.data(S, &data(3, CLOSE[1]));
        }
        let c = play.close();
        let found = c.iter().find(|c| stream(c).stream == 3);
        assert_eq!(
            found.map(|c| (c.outcome, closes(c).len())),
            is_one.then_some((Outcome::Established, 1)),
            "{c:?}"
        );
    }
}

#[test]
fn a_connection_without_a_websocket_leaves_no_trace() {
    let mut play = greeted();
    for number in 0..2000 {
        let stream = 2 * number + 1;
        play.data(C, &head(stream, &[(":method", "GET"), (":path", "/x")]));
        play.data(S, &[head(stream, &[(":status", "200")]), frame(0, END_STREAM, stream, b"page")].concat());
    }
    assert!(!play.ignored && play.close().is_empty());
    let mut play = opened();
    play.data(C, b"PRI * HTTP/2.0\r\n\r\nNO");
    play.data(S, b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert!(play.ignored);
}

#[test]
fn more_streams_than_the_bound_are_not_followed_and_that_is_told() {
    let mut play = greeted();
    for number in 0..limits::STREAMS as u32 + 1 {
        play.data(C, &connect(2 * number + 1));
    }
    let all = play.close();
    assert_eq!(all.len(), limits::STREAMS);
    assert!(all.iter().all(|c| c.quality.bounded));
}

#[test]
fn heads_of_open_streams_are_kept_up_to_their_bound_and_that_is_told() {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":path", "/")];
    let asks: Vec<u8> =
        fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect();
    // One field of 3,900 bytes goes into the table, and each later head has it fifteen times.
    let kept = [&[0x40, 1, b'x', 0x7F, 0xBD, 29][..], &[b'y'; 3900]].concat();
    let mut play = greeted();
    play.data(C, &frame(1, END_HEADERS, 1, &[asks.clone(), kept].concat()));
    let long = |stream: u32| frame(1, END_HEADERS, stream, &[&asks[..], &[0xBE; 15]].concat());
    let most = limits::STREAM_HEADS / limits::SHARDS;
    let fit = most / (15 * 3900);
    let opened = |number: usize| 2 * number as u32 + 1;
    (1..2 * fit).for_each(|number| play.data(C, &long(opened(number))));
    // What ends makes room.
    play.data(C, &frame(RST, 0, 3, &[0, 0, 0, 8]));
    play.data(C, &[long(opened(2 * fit)), long(opened(2 * fit + 1))].concat());
    let all = play.close();
    let heads: usize = all.iter().map(|c| c.request.as_ref().unwrap().head.head.weight()).sum();
    let one = most / fit;
    assert!((most..most + one).contains(&heads), "{heads} bytes, one of them ended");
    assert!(all.len() < fit + 2 && all.iter().all(|c| c.quality.bounded));
    assert!(all.iter().any(|c| stream(c).stream == opened(2 * fit)));
    assert!(all.iter().all(|c| stream(c).stream != opened(2 * fit + 1)));
}

#[test]
fn what_concerns_all_streams_is_held_against_them_up_to_a_number() {
    for (before, heeded) in [(limits::NOTICES - 2, true), (limits::NOTICES - 1, false)] {
        let mut play = greeted();
        play.data(C, &connect(1));
        // The server has spoken once, with its settings.
        let all = frame(7, 0, 0, &[0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]);
        (0..before).for_each(|_| play.data(S, &all));
        play.data(S, &frame(7, 0, 0, &[0; 8]));
        let c = one(play.close());
        let is_reset = c.ending.transport == Transport::StreamReset;
        assert_eq!((is_reset, c.quality.bounded), (heeded, !heeded));
    }
}

proptest! {
    #[test]
    fn wherever_the_streams_are_cut_the_facts_are_the_same(
        cuts in proptest::collection::vec((any::<proptest::sample::Index>(), any::<bool>()), 0..30),
    ) {
        let texts = [
            [&PREFACE[..], &frame(4, 0, 0, &[]), &connect(1), &connect(3), &data(1, b"\x81\x82\0\0\0\0hi"), &data(1, CLOSE[0]), &frame(RST, 0, 3, &[0, 0, 0, 8])].concat(),
            [frame(4, 0, 0, &ALLOWED), ok(1), data(1, b"\x81\x02hi"), data(1, CLOSE[1]), frame(0, END_STREAM, 1, b"")].concat(),
        ];
        let mut play = opened();
        let mut at = [0, 0];
        for (cut, server) in cuts {
            let side = usize::from(server);
            let to = (at[side] + cut.index(20)).min(texts[side].len());
            if to > at[side] {
                play.data(if server { S } else { C }, &texts[side][at[side]..to]);
            }
            at[side] = to;
        }
        for (side, text) in texts.iter().enumerate() {
            if at[side] < text.len() {
                play.data([C, S][side], &text[at[side]..]);
            }
        }
        let mut all = play.close();
        all.sort_by_key(|c| stream(c).stream);
        let facts: Vec<_> = all.iter().map(|c| (stream(c).stream, c.outcome, closes(c).len(), c.ending.close)).collect();
        prop_assert_eq!(facts, [(1, Outcome::Established, 2, Some(CloseState::Clean)), (3, Outcome::Unanswered, 0, None)]);
    }

    #[test]
    fn noise_on_an_http_2_connection_does_no_harm(
        frames in proptest::collection::vec((any::<bool>(), 0_u8..=9, any::<u8>(), 0_u32..4, proptest::collection::vec(any::<u8>(), 0..40)), 0..40),
    ) {
        let mut play = greeted();
        play.data(C, &connect(1));
        for (server, kind, flags, stream, payload) in frames {
            play.data(if server { S } else { C }, &frame(kind, flags, stream, &payload));
        }
        prop_assert!(play.close().len() <= 41);
    }
}
