//! What one connection may keep: each bound, gone well past.

use super::tests::{C, Play, REQUEST, S, SWITCHING, one, opened};
use super::*;
use crate::capture::{PacketId, Seen};
use crate::limits;
use crate::net::FlowKey;
use crate::tcp::{Event, FlowId, GapCause, Interest, Sink as _, StreamEvent};
use crate::time::Timestamp;
use crate::tls::testing::{conversation, key_log};
use crate::tls::{KeyLog, Keyring};
use crate::websocket::Depth;

/// A request for an upgrade, as short as it can be.
const ASKED: &[u8] = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
const REFUSED: &[u8] = b"HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n";

fn established(play: &mut Play) {
    play.data(C, REQUEST);
    play.data(S, SWITCHING);
}

/// A masked frame with the mask 0.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
}

#[test]
fn the_body_of_a_refusal_is_quoted_up_to_its_bound() {
    for times in [1, 4] {
        let len = times * limits::BODY_QUOTE;
        let mut play = opened();
        play.data(C, REQUEST);
        play.data(S, format!("HTTP/1.1 502 x\r\nContent-Length: {len}\r\n\r\n").as_bytes());
        vec![b'b'; len].chunks(100).for_each(|piece| play.data(S, piece));
        assert_eq!(one(play.close()).response.unwrap().body.len(), limits::BODY_QUOTE);
    }
}

#[test]
fn what_a_client_sends_before_the_answer_waits_up_to_its_bound() {
    let frame = masked(0x82, &[7; 94]);
    let fit = limits::WAITING / frame.len();
    for (count, bounded) in [(fit, false), (fit + 1, true), (4 * fit, true)] {
        let mut play = opened();
        play.data(C, REQUEST);
        (0..count).for_each(|_| play.data(C, &frame));
        play.data(S, SWITCHING);
        let c = one(play.close());
        assert_eq!(c.quality.bounded, bounded, "{count} frames");
        assert_eq!(c.frames.unwrap().client.binary, fit.min(count) as u64);
    }
}

#[test]
fn requests_wait_for_their_answers_up_to_a_number() {
    for (others, bounded) in [(limits::PENDING_REQUESTS - 1, false), (limits::PENDING_REQUESTS, true)] {
        let mut play = opened();
        play.data(C, &b"GET / HTTP/1.1\r\n\r\n".repeat(others));
        play.data(C, REQUEST);
        (0..others).for_each(|_| play.data(S, REFUSED));
        play.data(S, SWITCHING);
        // One request is forgotten, so that its answer belongs to another.
        let asked = |c: &Connection| c.request.is_some() && c.outcome == Outcome::Established;
        let all = play.close();
        assert_eq!((all.iter().any(asked), all[0].quality.bounded), (!bounded, bounded), "{others} before");
    }
}

#[test]
fn waiting_bytes_are_read_again_so_often() {
    for (rounds, followed) in [(limits::WAITING_ROUNDS, true), (limits::WAITING_ROUNDS + 1, false)] {
        let mut play = opened();
        // All but the first wait, and each answer has what is left read again.
        play.data(C, &ASKED.repeat(rounds as usize + 1));
        play.data(S, &REFUSED.repeat(rounds as usize + 1));
        established(&mut play);
        let all = play.close();
        assert_eq!(all.iter().any(|c| c.outcome == Outcome::Established), followed, "{rounds} rounds");
        assert!(all.len() <= limits::ATTEMPTS + 1 && all[0].quality.bounded);
    }
}

#[test]
fn close_frames_of_a_side_are_kept_up_to_their_number() {
    for (count, bounded) in [(limits::CLOSES, false), (4 * limits::CLOSES, true)] {
        let mut play = opened();
        established(&mut play);
        (0..count).for_each(|_| play.data(C, &masked(0x88, &[3, 0xe8])));
        (0..count).for_each(|_| play.data(S, b"\x88\x02\x03\xe8"));
        let c = one(play.close());
        assert_eq!((c.closes.len(), c.quality.bounded), (2 * limits::CLOSES, bounded));
        assert_eq!(c.frames.unwrap().client.close, count as u64, "all are counted");
    }
}

#[test]
fn frames_are_looked_for_in_the_first_segments_of_a_flow_joined_midway() {
    let frames = b"\x81\x82\x01\x02\x03\x04\x69\x6b".repeat(4);
    for (noise, found) in [(limits::PROBES, true), (limits::PROBES + 1, false)] {
        let mut play = Play::new(None);
        (0..noise).for_each(|_| play.data(C, b"\x74\x9e\x5d\x3b\xe6\x33"));
        play.data(C, &frames);
        assert_eq!((play.close().len(), play.ignored), (usize::from(found), !found), "{noise} segments");
    }
}

#[test]
fn interim_answers_are_kept_up_to_their_number() {
    let mut play = opened();
    play.data(C, REQUEST);
    (0..4 * limits::INTERIM).for_each(|_| play.data(S, b"HTTP/1.1 103 x\r\n\r\n"));
    play.data(S, SWITCHING);
    let c = one(play.close());
    assert_eq!((c.interim.len(), c.outcome), (limits::INTERIM, Outcome::Established));
}

#[test]
fn tunnels_in_each_other_are_entered_to_a_depth() {
    for (depth, found) in [(limits::TUNNELS, true), (limits::TUNNELS + 1, false)] {
        let mut play = opened();
        for _ in 0..depth {
            play.data(C, b"CONNECT a:1 HTTP/1.1\r\n\r\n");
            play.data(S, b"HTTP/1.1 200 x\r\n\r\n");
        }
        established(&mut play);
        assert_eq!(!play.close().is_empty(), found, "{depth} tunnels");
    }
}

#[test]
fn tls_in_tls_is_entered_to_a_depth() {
    for (depth, found) in [(limits::TLS_LAYERS, true), (limits::TLS_LAYERS + 1, false)] {
        let mut said = vec![REQUEST.to_vec(), SWITCHING.to_vec()];
        for _ in 0..depth {
            let turns: Vec<&[u8]> = said.iter().map(Vec::as_slice).collect();
            let mut packets = conversation(&turns);
            // The alert of the server is said in one turn with what comes before it.
            let (_, alert) = packets.pop().unwrap();
            packets.last_mut().unwrap().1.extend(alert);
            assert!(packets.iter().zip([C, S].iter().cycle()).all(|((from, _), side)| from == side));
            said = packets.into_iter().map(|(_, bytes)| bytes).collect();
        }
        let mut log = KeyLog::default();
        log.read(key_log(|_| true).as_bytes());
        let mut play = Play::with_keys(Some(C), Keyring::new(log, false));
        said.iter().zip([C, S].iter().cycle()).for_each(|(bytes, &side)| play.data(side, bytes));
        let established = play.close().iter().any(|c| c.outcome == Outcome::Established);
        assert_eq!(established, found, "{depth} layers");
    }
}

#[test]
fn connections_that_wait_for_a_key_at_their_end_are_kept_up_to_a_number() {
    let room = limits::TLS_PARKED / limits::SHARDS;
    let mut play = Play::with_keys(Some(C), Keyring::new(KeyLog::default(), true));
    let packets = conversation(&[REQUEST, SWITCHING]);
    let mut told = 0;
    for _ in 0..4 * room {
        play.again(Some(C));
        packets.iter().for_each(|(from, bytes)| play.data(*from, bytes));
        told += play.close().len();
    }
    assert_eq!((play.connections.seal().len(), told), (room, 3 * room));
}

#[test]
fn connections_of_http_2_are_followed_up_to_a_number() {
    let most = limits::HTTP2_CONNECTIONS / limits::SHARDS as u32;
    let mut play = Play::new(Some(C));
    for flow in 0..4 * most {
        play.flow = flow;
        play.again(Some(C));
        play.data(C, crate::http::h2::PREFACE);
        play.data(C, &[0, 0, 0, 4, 0, 0, 0, 0, 0]);
    }
    assert_eq!(play.connections.counters().http2_dropped, u64::from(3 * most));
}

#[test]
fn the_first_frames_of_a_side_are_kept_up_to_their_number() {
    let mut play = opened();
    established(&mut play);
    (0..4 * limits::GLIMPSES).for_each(|_| play.data(C, &masked(0x81, b"hi")));
    let frames = one(play.close()).frames.unwrap();
    assert_eq!(
        (frames.client.opening.len(), frames.client.text),
        (limits::GLIMPSES, 4 * limits::GLIMPSES as u64)
    );
}

#[test]
fn the_first_words_of_a_side_are_compared_and_no_others() {
    let words = |different: u8| {
        let mut play = opened();
        established(&mut play);
        (1..4 * limits::WORDS).for_each(|n| {
            play.data(C, &masked(0x81, if n == different { b"some" } else { b"word" }));
        });
        one(play.close()).frames.unwrap().client.words
    };
    assert_ne!(words(limits::WORDS), words(0));
    assert_eq!(words(limits::WORDS + 1), words(0));
}

#[test]
fn pings_wait_for_their_pongs_up_to_a_number() {
    let count = 4 * limits::PINGS;
    for (ponged, answered) in [(count - limits::PINGS, 1), (count - limits::PINGS - 1, 0)] {
        let mut play = opened();
        established(&mut play);
        (0..count).for_each(|n| play.data(S, &[0x89, 1, n as u8]));
        play.data(C, &masked(0x8a, &[ponged as u8]));
        let pings = one(play.close()).frames.unwrap().server.pings.unwrap();
        assert_eq!(pings.answered, answered, "the ping with number {ponged}");
        assert_eq!(pings.unanswered_count, (limits::PINGS as u64) - answered);
    }
}

#[test]
fn unfinished_heads_of_many_flows_are_bounded_together() {
    let mut connections =
        Connections::new(crate::tls::Keyring::default(), Depth::WhereAsked, Default::default());
    let (key, _) = FlowKey::v4(([10, 0, 0, 5], 51234), ([10, 0, 0, 9], 80), 0);
    let seen = Seen { packet: PacketId::new(0, 1), at: Timestamp::default() };
    let mut event = |flow: u32, event: Event<'_>| {
        connections.event(StreamEvent { flow: FlowId(flow), key: &key, seen, from: C, event })
    };
    let head = |len| [b"GET / HTTP/1.1\r\nX: ".as_slice(), &vec![b'x'; len]].concat();
    let (small, large) = (head(10), head(50_000));
    for flow in 0..60 {
        event(flow, Event::Opened { opener: Some(C) });
        event(flow, Event::Data { offset: 0, bytes: if flow == 0 { &small } else { &large } });
    }
    let gap = Event::Gap { offset: 60_000, len: 1, cause: GapCause::Lost };
    let kept = |flow: u32| event(flow, gap) == Interest::Keep;
    let kept: Vec<bool> = (0..60).map(kept).collect();
    // Those that wait longest are given up, but for the small one; those that came last are still read.
    let first = kept.iter().skip(1).position(|kept| *kept).unwrap() + 1;
    assert!(kept[0] && kept[first..].iter().all(|kept| *kept), "{kept:?}");
    let room = limits::BUFFERED_TOTAL / limits::SHARDS / large.len();
    assert!((60 - room..63 - room).contains(&first), "{first} of 60, room for {room}");
    assert_eq!(connections.counters().given_up, first as u64 - 1);
}

#[test]
fn hostile_pipelining_is_followed_to_its_bound() {
    let mut play = opened();
    for _ in 0..40 {
        play.data(C, &REQUEST.repeat(4));
        play.data(S, &b"HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n".repeat(4));
    }
    assert_eq!(play.close().len(), limits::ATTEMPTS);
    let mut play = opened();
    play.data(S, &b"HTTP/1.1 200\n\n".repeat(4000));
    play.data(C, &b"CONNECT a:1 HTTP/1.1\r\n\r\n".repeat(2000));
    play.close();
}
