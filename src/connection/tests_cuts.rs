//! However the bytes are cut, whatever they are: the same facts, and no panic.

use super::tests::{C, CLIENT_1010, Play, REQUEST, S, SERVER_1010, SWITCHING, closes, one, opened, status};
use super::*;
use crate::role::Role;
use proptest::prelude::*;

#[test]
fn the_first_part_of_a_close_is_no_data_before_it() {
    const HEADER: usize = 6;
    for cut in HEADER..CLIENT_1010.len() {
        let mut play = opened();
        play.data(C, REQUEST);
        play.data(S, SWITCHING);
        play.data(S, b"\x81\x02hi");
        play.data(C, &CLIENT_1010[..cut]);
        // What comes meanwhile is no data before it either.
        play.data(S, b"\x81\x02ho");
        play.data(C, &CLIENT_1010[cut..]);
        let connection = one(play.close());
        let after = connection.closes[0].after;
        assert_eq!((after.client, after.server.map(|seen| seen.packet.number())), (None, Some(4)));
    }
}

/// The facts that must not depend on how the bytes were cut, as text.
fn facts(connections: &[Connection]) -> String {
    let mut out = String::new();
    for c in connections {
        let head = c.request.as_ref().map(|request| request.head.clone());
        let answer = c.response.as_ref().map(|r| (r.head.clone(), r.accept_valid, r.body.clone()));
        let frames = c.frames.map_frames();
        let mut closes = closes(c);
        closes.sort();
        let anomalies: Vec<_> = c.anomalies.iter().map(|a| (a.kind, a.from, a.offset, a.count)).collect();
        out += &format!(
            "{head:?} {answer:?} {:?} {:?} {frames:?} {:?} {:?} {anomalies:?}\n",
            c.outcome, c.interim, closes, c.ending.close
        );
    }
    out
}

trait MapFrames {
    fn map_frames(&self) -> Option<Vec<[u64; 9]>>;
}

impl MapFrames for Option<Box<crate::role::Sides<FrameFacts>>> {
    fn map_frames(&self) -> Option<Vec<[u64; 9]>> {
        self.as_ref().map(|frames| {
            Role::BOTH
                .iter()
                .map(|&role| {
                    let f = &frames[role];
                    [
                        f.text,
                        f.binary,
                        f.continuation,
                        f.ping,
                        f.pong,
                        f.close,
                        f.reserved,
                        f.payload_bytes,
                        f.messages,
                    ]
                })
                .collect()
        })
    }
}

proptest! {
    /// However the bytes of both sides are cut and interleaved, the facts are the same, as long as an answer follows
    /// its request.
    #[test]
    fn facts_do_not_depend_on_the_cuts(client in prop::collection::vec(1usize..40, 1..200), server in prop::collection::vec(1usize..40, 1..200)) {
        let from_client = [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], REQUEST, b"\x81\x83\x01\x02\x03\x04\x69\x6b\x20", b"\x01\x80\0\0\0\0\x80\x80\0\0\0\0", CLIENT_1010].concat();
        let from_server = [&b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"[..], SWITCHING, b"\xc1\x02hi", b"\x89\x01x", SERVER_1010].concat();
        let play = |client: &[usize], server: &[usize]| {
            let mut play = opened();
            let (mut c, mut s) = (&from_client[..], &from_server[..]);
            let (mut client, mut server) = (client.iter().cycle(), server.iter().cycle());
            while !c.is_empty() || !s.is_empty() {
                let n = (*client.next().unwrap()).min(c.len());
                if n > 0 { play.data(C, &c[..n]); c = &c[n..]; }
                let n = (*server.next().unwrap()).min(s.len());
                if n > 0 { play.data(S, &s[..n]); s = &s[n..]; }
            }
            facts(&play.close())
        };
        prop_assert_eq!(play(&client, &server), play(&[10_000], &[10_000]));
    }

    /// Whatever two sides say, nothing panics and what is kept stays bounded.
    #[test]
    fn anything_may_be_said(said in prop::collection::vec((any::<bool>(), 0usize..12, prop::collection::vec(any::<u8>(), 1..30)), 0..60)) {
        let pieces = [REQUEST, SWITCHING, CLIENT_1010, SERVER_1010, b"HTTP/1.1 ", b"\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"];
        for opener in [Some(C), Some(S), None] {
            let mut play = Play::new(opener);
            for (client, piece, noise) in &said {
                let side = if *client { C } else { S };
                match pieces.get(*piece) {
                    Some(piece) => play.data(side, piece),
                    None if *piece == 11 => play.gap(side, noise.len() as u64),
                    None => play.data(side, noise),
                }
            }
            play.close();
        }
    }
}

#[test]
fn the_first_words_are_the_same_whatever_the_mask_and_the_segments() {
    let words = |mask: [u8; 4], texts: [&[u8]; 3], cut: usize| {
        let mut play = opened();
        play.data(C, REQUEST);
        play.data(S, SWITCHING);
        let mut stream = Vec::new();
        for text in texts {
            stream.extend([0x81, 0x80 | text.len() as u8]);
            stream.extend(mask);
            stream.extend(text.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
        stream.chunks(cut).for_each(|segment| play.data(C, segment));
        one(play.close()).frames.unwrap().client.words
    };
    let said: [&[u8]; 3] = [b"hello there, you", b"who", b"is it"];
    let first = words([1, 2, 3, 4], said, 1000);
    for cut in [1, 2, 3, 5, 9] {
        assert_eq!(words([0x9a, 0, 0xff, 7], said, cut), first, "cut by {cut}");
    }
    assert_ne!(words([1, 2, 3, 4], [b"hello there, you", b"wha", b"is it"], 1000), first);
    assert_ne!(words([1, 2, 3, 4], [b"who", b"hello there, you", b"is it"], 1000), first);
}

/// A page, which answers a plain GET.
const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

#[test]
fn an_answer_before_the_upgrade_belongs_to_a_request_that_the_capture_lacks() {
    let lost = |play: &mut Play| play.gap(C, 27);
    let begun_later = |_: &mut Play| ();
    for (mut play, before) in [(opened(), lost as fn(&mut Play)), (Play::new(None), begun_later)] {
        before(&mut play);
        play.data(S, PAGE);
        play.data(C, REQUEST);
        play.data(S, SWITCHING);
        let c = one(play.close());
        assert_eq!((c.outcome, status(&c)), (Outcome::Established, Some(101)));
        assert_eq!(c.response.unwrap().accept_valid, Some(true));
    }
    // Where no request can be missing, the answer was only captured early.
    let mut play = opened();
    play.data(S, PAGE);
    play.data(C, REQUEST);
    assert_eq!(one(play.close()).outcome, Outcome::Rejected);
}

#[test]
fn a_101_answers_the_upgrade_whatever_answer_is_missing_before_it() {
    let mut play = opened();
    play.data(C, b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
    play.gap(S, PAGE.len() as u64);
    play.data(C, REQUEST);
    play.data(S, SWITCHING);
    let c = one(play.close());
    assert_eq!((c.outcome, c.response.unwrap().accept_valid), (Outcome::Established, Some(true)));
}
