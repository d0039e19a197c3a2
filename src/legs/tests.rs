//! Each means of matching, and what must not be matched.

use super::{Change, Fate, LegPair, Means, Paired, Passage, Place, Unconnected, pair, unreached};
use crate::capture::{PacketId, Seen};
use crate::confidence::Confidence;
use crate::connection::{Connection, OpeningFrame, Transport, Unused};
use crate::net::Endpoint;
use crate::role::Role::Server;
use crate::role::Sides;
use crate::rules::testing::{ACCEPT, ANSWER, KEY, REQUEST, Scene};
use crate::time::Timestamp;

const MILLI: i64 = 1_000_000;

fn endpoint(ip: [u8; 4], port: u16) -> Endpoint {
    Endpoint { ip: ip.into(), port }
}

/// A client leg: 10.0.0.5 to the gateway at 10.0.0.9.
pub(super) fn outer(request: &str, answer: &str) -> Connection {
    Scene::tcp().request(request).after(0.05).answer(answer, "").build()
}

/// An upstream leg from the gateway's other address, `start` milliseconds after the client leg's first packet.
pub(super) fn inner(serial: u64, start: i64, request: &str, answer: &str) -> Connection {
    let mut leg = Scene::tcp().request(request).answer(answer, "").build();
    leg.serial = serial;
    (leg.tcp.client, leg.tcp.server) = (endpoint([10, 1, 0, 1], 40_000), endpoint([10, 1, 0, 20], 8080));
    moved(leg, 0, start * MILLI)
}

/// The same connection later, in that capture.
fn moved(mut leg: Connection, capture: u16, nanos: i64) -> Connection {
    leg.tcp.capture = capture;
    // Every connection has numbers of its own.
    let isn = u32::try_from(nanos.rem_euclid(1 << 31)).unwrap() + leg.tcp.isn.client.unwrap_or_default() + 1;
    leg.tcp.isn = Sides { client: Some(isn), server: Some(isn) };
    let opened = leg.tcp.opened.iter_mut().chain(&mut leg.tcp.accepted);
    let request = leg.request.iter_mut().map(|request| &mut request.seen);
    let response = leg.response.iter_mut().map(|response| &mut response.seen);
    let closes = leg.closes.iter_mut().map(|close| &mut close.seen);
    let end = leg.ending.by.iter_mut().map(|(_, seen)| seen);
    let own = [&mut leg.first, &mut leg.last];
    for seen in own.into_iter().chain(opened).chain(request).chain(response).chain(closes).chain(end) {
        seen.packet = PacketId::new(capture, seen.packet.number() + 100);
        seen.at = Timestamp::from_nanos(seen.at.as_nanos() + nanos);
    }
    leg
}

pub(super) fn key(key: &str) -> String {
    REQUEST.replace(KEY, key)
}

pub(super) const OTHER: &str = "AQIDBAUGBwgJCgsMDQ4PEA==";

pub(super) fn unkeyed() -> String {
    ANSWER.replace(ACCEPT, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
}

fn ended(mut leg: Connection, millis: i64) -> Connection {
    let seen = Seen { packet: leg.last.packet, at: Timestamp::from_nanos(millis * MILLI) };
    (leg.ending.by, leg.ending.transport, leg.last) = (Some((Server, seen)), Transport::Fin, seen);
    leg
}

fn frames(mut leg: Connection, client: &[(u64, u32)], server: &[u64]) -> Connection {
    let frame = |len, mask: Option<u32>| OpeningFrame { head: 0x81, len, mask: mask.map(u32::to_be_bytes) };
    let mut sides = Sides::<crate::connection::FrameFacts>::default();
    sides.client.opening = client.iter().map(|&(len, mask)| frame(len, Some(mask))).collect();
    sides.server.opening = server.iter().map(|&len| frame(len, None)).collect();
    sides.client.first = Some(leg.first);
    leg.frames = Some(Box::new(sides));
    leg
}

pub(super) fn matched(connections: &[Connection]) -> Vec<Paired> {
    pair(&connections.iter().collect::<Vec<_>>()).pairs
}

#[track_caller]
fn only(connections: &[Connection]) -> LegPair {
    let mut pairs = matched(connections);
    assert_eq!(pairs.len(), 1, "{pairs:#?}");
    assert_eq!((pairs[0].client, pairs[0].upstream), (0, 1));
    pairs.remove(0).pair
}

#[track_caller]
pub(super) fn none(connections: &[Connection]) {
    let pairs = matched(connections);
    assert!(pairs.is_empty(), "{pairs:#?}");
}

#[test]
fn one_key_on_two_connections_makes_them_legs() {
    let pair = only(&[outer(REQUEST, ANSWER), inner(1, 10, REQUEST, ANSWER)]);
    assert_eq!((pair.means, pair.confidence), (Means::Key, Confidence::Certain));
    assert_eq!((pair.client_leg, pair.upstream_leg), (0, 1));
    assert_eq!(pair.gateway, endpoint([10, 0, 0, 9], 80));
    assert_eq!((pair.clock.offset, pair.clock.uncertainty), (0, 0));
}

#[test]
fn of_two_legs_the_one_answered_first_is_the_inner_one_where_a_request_is_not_in_the_capture() {
    let mut late = outer(REQUEST, ANSWER);
    late.request = None;
    late.first = late.response.as_ref().unwrap().seen;
    let pair = only(&[late, inner(1, 10, REQUEST, ANSWER)]);
    assert_eq!((pair.means, pair.client_leg, pair.upstream_leg), (Means::Accept, 0, 1));
}

#[test]
fn a_connection_that_began_after_the_answer_is_no_upstream_leg() {
    none(&[outer(REQUEST, ANSWER), inner(1, 500, REQUEST, ANSWER)]);
}

#[test]
fn attempts_of_one_client_with_one_key_are_no_legs() {
    none(&[outer(REQUEST, ANSWER), moved(outer(REQUEST, ANSWER), 0, 10 * MILLI)]);
}

#[test]
fn a_key_that_two_waiting_clients_use_proves_nothing() {
    let mut other = moved(outer(REQUEST, ANSWER), 0, MILLI);
    other.tcp.client.port = 9;
    none(&[outer(REQUEST, ANSWER), other, inner(2, 10, REQUEST, ANSWER)]);
}

#[test]
fn the_sample_key_that_strangers_copy_is_likely_at_most() {
    let sample = REQUEST.replace(KEY, "dGhlIHNhbXBsZSBub25jZQ==");
    let answer = ANSWER.replace(ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let pair = only(&[outer(&sample, &answer), inner(1, 10, &sample, &answer)]);
    assert_eq!((pair.means, pair.confidence), (Means::Key, Confidence::Likely));
}

#[test]
fn the_accept_matches_where_the_requests_were_lost() {
    let lose = |mut leg: Connection| {
        leg.request = None;
        leg
    };
    let pair = only(&[lose(outer(REQUEST, ANSWER)), lose(inner(1, 10, REQUEST, ANSWER))]);
    assert_eq!((pair.means, pair.confidence), (Means::Accept, Confidence::Certain));
}

#[test]
fn a_run_of_masking_keys_matches_in_midstream() {
    let midstream = |mut leg: Connection| {
        (leg.request, leg.response, leg.quality.late_start) = (None, None, true);
        leg
    };
    let one = frames(midstream(outer(REQUEST, ANSWER)), &[(5, 1), (6, 2), (7, 3)], &[]);
    let other = frames(midstream(inner(1, 10, REQUEST, ANSWER)), &[(6, 2), (7, 3), (8, 4)], &[]);
    let pair = only(&[one.clone(), other]);
    assert_eq!((pair.means, pair.passage), (Means::MaskingKeys, Passage::Tunnel));
    let others = frames(midstream(inner(1, 10, REQUEST, ANSWER)), &[(6, 5), (7, 6)], &[]);
    none(&[one, others]);
}

#[test]
fn weak_masking_keys_match_nothing() {
    for masks in [[(5, 0), (6, 0)], [(5, 7), (6, 7)]] {
        let one = frames(outer(REQUEST, ANSWER), &masks, &[]);
        let other = frames(inner(1, 10, &key(OTHER).replace("/chat", "/x"), &unkeyed()), &masks, &[]);
        none(&[one, other]);
    }
}

#[test]
fn trace_identifiers_match_whatever_field_of_the_hop_they_hold() {
    let traced = |parent: &str| format!("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-{parent}-01\r\n");
    let one = outer(&format!("{REQUEST}{}", traced("00f067aa0ba902b7")), ANSWER);
    let request = key(OTHER).replace("/chat", "/x");
    let other = inner(1, 10, &format!("{request}{}", traced("1111111111111111")), &unkeyed());
    let pair = only(&[one, other]);
    assert_eq!((pair.means, pair.confidence), (Means::TraceHeader, Confidence::Likely));
    assert_eq!(pair.passage, Passage::Terminating);
}

#[test]
fn the_id_of_a_cdn_is_in_the_answer_of_one_leg_and_the_request_of_the_other() {
    let one = outer(REQUEST, &format!("{ANSWER}CF-RAY: 8a1b2c3d4e5f-FRA\r\n"));
    let other = inner(1, 10, &format!("{}CF-RAY: 8a1b2c3d4e5f-FRA\r\n", key(OTHER)), &unkeyed());
    assert_eq!(only(&[one, other]).means, Means::TraceHeader);
}

#[test]
fn a_field_that_names_the_client_matches_if_target_and_time_fit() {
    for field in [
        "X-Forwarded-For: 10.0.0.5, 192.0.2.1",
        "Forwarded: for=\"10.0.0.5:51234\";proto=http",
        "X-Real-IP: 10.0.0.5",
    ] {
        let forwarded = inner(1, 10, &format!("{}{field}\r\n", key(OTHER)), &unkeyed());
        let pair = only(&[outer(REQUEST, ANSWER), forwarded]);
        assert_eq!((pair.means, pair.confidence), (Means::Forwarded, Confidence::Likely), "{field}");
    }
    let other = inner(1, 10, &format!("{}X-Forwarded-For: 10.0.0.6\r\n", key(OTHER)), &unkeyed());
    none(&[ended(outer(REQUEST, ANSWER), 900), ended(other, 901)]);
}

#[test]
fn a_proxy_header_names_the_client_leg() {
    let mut leg = inner(1, 10, &key(OTHER), &unkeyed());
    leg.proxied = Some(Box::new((endpoint([10, 0, 0, 5], 51234), endpoint([10, 0, 0, 9], 80))));
    let pair = only(&[outer(REQUEST, ANSWER), leg.clone()]);
    assert_eq!((pair.means, pair.confidence), (Means::ProxyProtocol, Confidence::Certain));
    leg.proxied = Some(Box::new((endpoint([10, 0, 0, 5], 51235), endpoint([10, 0, 0, 9], 80))));
    none(&[outer(REQUEST, ANSWER), leg]);
}

#[test]
fn the_same_first_messages_both_ways_match_across_masks() {
    let request = key(OTHER).replace("/chat", "/x");
    let one = frames(outer(REQUEST, ANSWER), &[(5, 1), (60, 2), (7, 3)], &[9, 100, 12]);
    let other = frames(inner(1, 10, &request, &unkeyed()), &[(5, 11), (60, 12), (7, 13)], &[9, 100, 12]);
    let pair = only(&[one.clone(), other]);
    assert_eq!((pair.means, pair.confidence), (Means::Content, Confidence::Likely));
    assert_eq!(pair.passage, Passage::Terminating);
    let less = frames(inner(1, 10, &request, &unkeyed()), &[(5, 11), (60, 12), (8, 13)], &[9, 100, 12]);
    none(&[one.clone(), less]);
    let mut said_otherwise =
        frames(inner(1, 10, &request, &unkeyed()), &[(5, 11), (60, 12), (7, 13)], &[9, 100, 12]);
    said_otherwise.frames.as_mut().unwrap().server.words = 7;
    none(&[one, said_otherwise]);
}

#[test]
fn target_and_time_match_only_with_one_candidate_and_a_common_end() {
    let leg = |serial, start| ended(inner(serial, start, &key(OTHER), &unkeyed()), 901);
    let one = ended(outer(REQUEST, ANSWER), 900);
    let pair = only(&[one.clone(), leg(1, 10)]);
    assert_eq!((pair.means, pair.confidence), (Means::Timing, Confidence::Possible));
    let mut second = leg(2, 20);
    second.tcp.client.port = 41_000;
    none(&[one.clone(), leg(1, 10), second]);
    none(&[one.clone(), ended(inner(1, 10, &key(OTHER), &unkeyed()), 9_000)]);
    none(&[one, ended(inner(1, 10, &key(OTHER).replace("/chat", "/x"), &unkeyed()), 901)]);
}

#[test]
fn what_does_not_go_together_from_beginning_to_end_is_no_session() {
    let said = |mut leg: Connection, client, server| {
        let mut sides = Sides::<crate::connection::FrameFacts>::default();
        (sides.client.messages, sides.server.messages) = (client, server);
        leg.frames = Some(Box::new(sides));
        leg
    };
    let other = |start, end| ended(inner(1, start, &key(OTHER), &unkeyed()), end);
    let one = || ended(outer(REQUEST, ANSWER), 900);
    only(&[said(one(), 3, 2), said(other(10, 980), 3, 2)]);
    none(&[said(one(), 3, 2), said(other(10, 980), 3, 1)]);
    // The shorter they live, the less a common end says; and where nothing was said, it says the least.
    none(&[said(one(), 3, 2), said(other(10, 1_100), 3, 2)]);
    none(&[said(one(), 0, 0), said(other(10, 980), 0, 0)]);
    // It began long after it was asked for, and after the answer.
    none(&[said(one(), 3, 2), said(other(400, 901), 3, 2)]);
    // A gateway that gives up may tell its client a little before it ends what it waited for.
    let hung = |by, end: i64| {
        let mut leg = ended(inner(1, 10, &key(OTHER), &unkeyed()), end);
        (leg.response, leg.outcome) = (None, crate::connection::Outcome::Unanswered);
        leg.ending.by = leg.ending.by.map(|(_, seen)| (by, seen));
        leg
    };
    let refused_at =
        outer(REQUEST, "HTTP/1.1 504 Gateway Timeout\r\n").response.unwrap().seen.at.as_nanos() / MILLI;
    let timed_out = || ended(outer(REQUEST, "HTTP/1.1 504 Gateway Timeout\r\n"), refused_at + 1);
    only(&[timed_out(), hung(crate::role::Role::Client, refused_at + 20)]);
    none(&[timed_out(), hung(Server, refused_at + 20)]);
    none(&[timed_out(), hung(crate::role::Role::Client, refused_at + 500)]);
    // A refusal that does not end the client's waiting was another's.
    let refused = |start: i64| {
        let leg = inner(1, start, &key(OTHER), "HTTP/1.1 403 Forbidden\r\n");
        ended(leg, start + 20)
    };
    only(&[ended(outer(REQUEST, "HTTP/1.1 403 Forbidden\r\n"), 60), refused(10)]);
    none(&[one(), refused(60)]);
    // Nor does one end a session in which the server spoke.
    let accepted = || ended(outer(REQUEST, ANSWER), 150);
    only(&[said(accepted(), 1, 0), refused(85)]);
    none(&[said(accepted(), 1, 1), refused(85)]);
}

#[test]
fn among_others_who_ask_for_the_same_a_common_end_is_chance() {
    let answer = unkeyed().replace("AAAA", "BBBB");
    let legs = [
        ended(outer(REQUEST, ANSWER), 900),
        ended(inner(1, 10, &key(OTHER), &unkeyed()), 901),
        // It ends long after, so that it is itself no candidate.
        ended(inner(2, 20, &key("EA8ODQwLCgkIBwYFBAMCAQ=="), &answer), 9_000),
    ];
    only(&legs[..2]);
    let [one, other, mut third] = legs;
    third.tcp.client = endpoint([10, 9, 9, 9], 50_000);
    third.tcp.server = endpoint([10, 8, 8, 8], 443);
    none(&[one, other, third]);
}

#[test]
fn a_chain_is_pairs_in_a_row() {
    let mut last = moved(inner(2, 0, REQUEST, ANSWER), 0, 14 * MILLI);
    (last.tcp.client, last.tcp.server) = (endpoint([10, 1, 0, 20], 50_000), endpoint([10, 2, 0, 7], 9000));
    let pairs = matched(&[outer(REQUEST, ANSWER), inner(1, 10, REQUEST, ANSWER), last]);
    assert_eq!(pairs.iter().map(|pair| (pair.client, pair.upstream)).collect::<Vec<_>>(), [(0, 1), (1, 2)]);
}

#[test]
fn a_question_to_another_service_is_no_link_in_the_chain() {
    // As auth_request of nginx asks, before it goes on.
    let asks = REQUEST.replace("/chat?token=s3cret", "/verify").replace("Upgrade: websocket\r\n", "");
    let mut question = inner(1, 5, &asks, "HTTP/1.1 200 OK\r\n");
    question.tcp.server = endpoint([10, 1, 0, 30], 4181);
    let after = |answer| moved(inner(2, 0, REQUEST, answer), 0, 27 * MILLI);
    for answer in [ANSWER, "HTTP/1.1 502 Bad Gateway\r\n"] {
        let pairs = matched(&[outer(REQUEST, answer), question.clone(), after(answer)]);
        assert_eq!((pairs.len(), pairs[0].client, pairs[0].upstream), (1, 0, 2), "{pairs:#?}");
        assert_eq!((&pairs[0].pair.subrequests[..], &pairs[0].pair.attempts[..]), (&[1][..], &[1][..]));
        assert!(!pairs[0].pair.is_subrequest());
    }
    let alone = matched(&[outer(REQUEST, "HTTP/1.1 502 Bad Gateway\r\n"), question]);
    assert!(alone[0].pair.is_subrequest());
}

#[test]
fn on_one_host_a_second_session_is_no_upstream_leg_of_the_first() {
    let local = |mut leg: Connection, client: u16, server: u16| {
        (leg.tcp.client, leg.tcp.server) =
            (endpoint([127, 0, 0, 1], client), endpoint([127, 0, 0, 1], server));
        leg
    };
    let first = local(outer(REQUEST, ANSWER), 40_000, 80);
    let upstream = local(inner(1, 5, REQUEST, ANSWER), 40_001, 8080);
    let second = local(inner(2, 12, &key(OTHER), "HTTP/1.1 503 Service Unavailable\r\n"), 40_002, 80);
    let pairs = matched(&[first, upstream, second]);
    assert_eq!(pairs.iter().map(|pair| (pair.client, pair.upstream)).collect::<Vec<_>>(), [(0, 1)]);
    // Two programs of which nobody knows that one calls the other.
    let lone = local(ended(outer(REQUEST, ANSWER), 9_000), 40_000, 5173);
    none(&[lone, local(ended(inner(1, 20, &key(OTHER), &unkeyed()), 1_000), 40_001, 8080)]);
}

#[test]
fn of_several_attempts_the_one_with_the_101_is_the_leg() {
    let failed = inner(1, 5, REQUEST, "HTTP/1.1 503 Service Unavailable\r\n");
    let mut second = inner(2, 30, REQUEST, ANSWER);
    second.tcp.server = endpoint([10, 1, 0, 21], 8080);
    let pairs = matched(&[outer(REQUEST, ANSWER), failed, second]);
    assert_eq!(pairs.len(), 1, "{pairs:#?}");
    assert_eq!((pairs[0].client, pairs[0].upstream, pairs[0].attempts.as_slice()), (0, 2, &[1][..]));
    assert_eq!(pairs[0].pair.attempts, [1]);
}

#[test]
fn an_upstream_that_broke_off_is_an_attempt_and_not_the_client_of_the_next() {
    let mut second = inner(2, 30, REQUEST, ANSWER);
    second.tcp.server = endpoint([10, 1, 0, 21], 8080);
    let asked = second.request.as_ref().unwrap().seen.at.as_nanos() / MILLI;
    let mut failed = ended(inner(1, 5, REQUEST, ANSWER), asked - 1);
    (failed.response, failed.outcome) = (None, crate::connection::Outcome::Unanswered);
    let pairs = matched(&[outer(REQUEST, ANSWER), failed, second]);
    assert_eq!(pairs.len(), 1, "{pairs:#?}");
    assert_eq!((pairs[0].client, pairs[0].upstream, pairs[0].attempts.as_slice()), (0, 2, &[1][..]));
}

#[test]
fn clocks_of_two_captures_are_compared_by_cause_and_effect() {
    // The upstream leg's capture is 37.5 s behind.
    let pair = only(&[outer(REQUEST, ANSWER), moved(inner(1, 10, REQUEST, ANSWER), 1, -37_500 * MILLI)]);
    let wrong = pair.clock.offset - 37_500 * MILLI;
    assert!(wrong.abs() <= pair.clock.uncertainty, "{:?}", pair.clock);
    assert!(pair.clock.uncertainty <= 50 * MILLI, "{:?}", pair.clock);
}

#[test]
fn of_two_captures_the_leg_that_was_never_answered_is_the_inner_one_of_a_failure() {
    let mut hung = moved(inner(1, 10, REQUEST, ANSWER), 1, -37_500 * MILLI);
    (hung.response, hung.outcome) = (None, crate::connection::Outcome::Unanswered);
    // It lingers on after the client was told.
    hung.last.at = Timestamp::from_nanos(hung.last.at.as_nanos() + 5_000 * MILLI);
    only(&[outer(REQUEST, "HTTP/1.1 504 Gateway Timeout\r\n"), hung]);
}

#[test]
fn clocks_that_may_agree_are_taken_to_agree() {
    let pair = only(&[outer(REQUEST, ANSWER), moved(inner(1, 10, REQUEST, ANSWER), 1, 0)]);
    assert_eq!(pair.clock.offset, 0);
    assert!(pair.clock.uncertainty > 0);
}

#[test]
fn what_the_gateway_changed_is_listed() {
    let one = outer(&format!("{REQUEST}Sec-WebSocket-Extensions: permessage-deflate\r\n"), ANSWER);
    let changed =
        REQUEST.replace("Host: example.org", "Host: backend").replace("token=s3cret", "token=other");
    let pair = only(&[one, inner(1, 10, &changed.replace("websocket", "WebSocket"), ANSWER)]);
    let texts = |change: &Change| {
        (change.field, change.place, change.client_leg.clone(), change.upstream_leg.clone())
    };
    assert_eq!(
        pair.changes.iter().map(texts).collect::<Vec<_>>(),
        [
            ("host", Place::Request, Some("example.org".into()), Some("backend".into())),
            ("sec-websocket-extensions", Place::Request, Some("permessage-deflate".into()), None),
        ]
    );
}

#[test]
fn a_refused_attempt_belongs_to_the_connection_that_waited() {
    let refusal = |millis: i64, host| Unused {
        capture: 0,
        stream: 9,
        client: endpoint([10, 1, 0, host], 40_001),
        server: endpoint([10, 1, 0, 20], 8080),
        opened: Seen { packet: PacketId::new(0, 50), at: Timestamp::from_nanos(millis * MILLI) },
        syns: 1,
        undelivered: Vec::new(),
        accepted: None,
        ended: None,
    };
    let leg = outer(REQUEST, "HTTP/1.1 502 Bad Gateway\r\n");
    let unused = [refusal(1, 1), refusal(30, 1), refusal(40, 1), refusal(500, 1)];
    let unconnected = Unconnected::new(&unused);
    let found = unreached(&leg, &unconnected).unwrap();
    assert_eq!((found.tried.len(), found.fate), (2, Fate::Unanswered));
    assert!(unreached(&leg, &Unconnected::new(&[refusal(30, 1), refusal(40, 2)])).is_none());
    // Health checks of another server come at other times as well.
    let check = |millis| Unused { server: endpoint([10, 1, 0, 30], 8080), ..refusal(millis, 1) };
    let unused = [check(1), refusal(30, 1), check(35), check(500)];
    let unconnected = Unconnected::new(&unused);
    let found = unreached(&leg, &unconnected).unwrap();
    assert_eq!(found.upstreams, [endpoint([10, 1, 0, 20], 8080)]);
    assert!(unreached(&leg, &Unconnected::new(&[refusal(1, 1)])).is_none());
}

#[test]
fn a_refused_attempt_beside_one_that_was_accepted_is_not_the_reason() {
    let attempt = |millis: i64, host: u8| Unused {
        capture: 0,
        stream: 9,
        client: endpoint([10, 1, 0, 1], 40_001),
        server: endpoint([10, 1, 0, host], 8080),
        opened: Seen { packet: PacketId::new(0, 50), at: Timestamp::from_nanos(millis * MILLI) },
        syns: 1,
        undelivered: Vec::new(),
        accepted: None,
        ended: None,
    };
    let accepted = |millis| {
        let opened = attempt(millis, 30);
        Unused { accepted: Some(opened.opened), ..opened }
    };
    let leg = outer(REQUEST, "HTTP/1.1 502 Bad Gateway\r\n");
    let found = |unused: &[Unused]| unreached(&leg, &Unconnected::new(unused)).is_some();
    assert!(found(&[attempt(30, 20)]));
    assert!(!found(&[accepted(28), attempt(30, 20)]));
    // One that is asked at other times as well is looked after.
    assert!(found(&[accepted(1), accepted(28), attempt(30, 20)]));
}

#[test]
fn thousands_of_connections_with_one_key_are_matched_quickly() {
    let many: Vec<Connection> = (0..4_000u16)
        .map(|index| {
            let mut leg = moved(outer(REQUEST, ANSWER), 0, i64::from(index) * MILLI);
            leg.tcp.client.port = 1024 + index;
            leg.serial = u64::from(index);
            leg
        })
        .collect();
    none(&many);
    // And one behind another, as a hostile capture may have them.
    let nested: Vec<Connection> = (0..200u16)
        .map(|index| {
            let mut leg = inner(u64::from(index), i64::from(index) / 10, REQUEST, ANSWER);
            leg.tcp.client.port = 1024 + index;
            leg.tcp.server.port = 1024 + index;
            leg
        })
        .collect();
    let longest = matched(&nested).len();
    assert!(longest < nested.len());
}
