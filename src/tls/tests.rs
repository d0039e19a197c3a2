//! Whole connections of the peers of [`super::testing`].

use super::handshake::kind;
use super::open::Opener;
use super::testing::*;
use super::*;
use crate::capture::{PacketId, Seen};
use crate::limits;
use crate::net::Side;
use crate::role::Role;
use crate::time::Timestamp;
use proptest::prelude::*;

pub(super) fn keys(text: &str, may_grow: bool) -> Keyring {
    let mut log = KeyLog::default();
    log.read(text.as_bytes());
    Keyring::new(log, may_grow)
}

fn all_keys() -> Keyring {
    keys(&key_log(|_| true), false)
}

const ASKED: &[u8] = b"GET / HTTP/1.1\r\n\r\n!";
const ANSWERED: &[u8] = b"HTTP/1.1 101 \r\n\r\n";

/// The whole connection that most tests use.
fn talk() -> Packets {
    conversation(&[ASKED, ANSWERED])
}

/// What came out of a session.
#[derive(Default, PartialEq, Debug)]
pub(super) struct Heard {
    pub(super) bytes: [Vec<u8>; 2],
    gaps: [Vec<(u64, u64)>; 2],
    seen: Vec<(Side, u64)>,
    ends: [u64; 2],
}

impl Heard {
    pub(super) fn take(&mut self, plain: Plain<'_>) {
        match plain {
            Plain::Data { from, offset, bytes, seen } => {
                assert_eq!(offset, self.ends[from.index()], "offsets leave nothing out");
                assert!(!bytes.is_empty());
                self.ends[from.index()] += bytes.len() as u64;
                self.bytes[from.index()].extend_from_slice(bytes);
                self.seen.push((from, seen.packet.number()));
            }
            Plain::Gap { from, offset, len, .. } => {
                assert_eq!(offset, self.ends[from.index()], "offsets leave nothing out");
                self.ends[from.index()] += len;
                self.gaps[from.index()].push((offset, len));
            }
        }
    }
}

pub(super) struct Play {
    pub(super) session: Session,
    pub(super) keys: Keyring,
    pub(super) heard: Heard,
    packet: u64,
}

impl Play {
    pub(super) fn new(keys: Keyring) -> Play {
        Play { session: Session::new(), keys, heard: Heard::default(), packet: 0 }
    }

    fn seen(&self) -> Seen {
        Seen { packet: PacketId::new(0, self.packet), at: Timestamp::from_nanos(0) }
    }

    pub(super) fn data(&mut self, from: Side, bytes: &[u8]) {
        self.packet += 1;
        let seen = self.seen();
        let heard = &mut self.heard;
        self.session.data(from, bytes, seen, &mut self.keys, &mut |plain, _| heard.take(plain));
    }

    pub(super) fn all(&mut self, packets: &Packets) {
        for (from, bytes) in packets {
            self.data(*from, bytes);
        }
    }

    pub(super) fn finish(&mut self) -> Facts {
        self.keys.seal();
        let seen = self.seen();
        let heard = &mut self.heard;
        self.session.finish(seen, &mut self.keys, &mut |plain, _| heard.take(plain));
        self.session.facts(C, &self.keys)
    }
}

#[test]
fn a_connection_is_opened_and_told_by_the_packets_that_brought_it() {
    let mut play = Play::new(all_keys());
    play.all(&talk());
    let facts = play.finish();
    assert_eq!(play.heard.bytes, [ASKED.to_vec(), ANSWERED.to_vec()]);
    assert_eq!(play.heard.seen, [(C, 5), (C, 5), (S, 6), (S, 6)]);
    assert_eq!(play.heard.gaps, [vec![], vec![]]);
    assert_eq!(
        (facts.opened, facts.version, facts.cipher_suite),
        (Opened::Yes, Some(Version::TLS13), Some(SUITE))
    );
    assert_eq!((facts.server_name.as_deref(), facts.alpn.as_deref()), (Some("ws.example"), Some("http/1.1")));
    let [alert] = facts.alerts[..] else { panic!("{facts:?}") };
    assert_eq!(
        (alert.from, alert.description, alert.is_failure()),
        (Role::Server, AlertDescription::CLOSE_NOTIFY, false)
    );
}

#[test]
fn cut_at_every_byte_the_same_comes_out() {
    let whole = talk();
    for piece in [1, 2, 3, 7] {
        let mut play = Play::new(all_keys());
        for (from, bytes) in &whole {
            bytes.chunks(piece).for_each(|bytes| play.data(*from, bytes));
        }
        play.finish();
        assert_eq!(play.heard.bytes, [ASKED.to_vec(), ANSWERED.to_vec()]);
    }
}

#[test]
fn without_keys_nothing_comes_out_and_the_hellos_are_told() {
    let mut play = Play::new(Keyring::default());
    play.all(&talk());
    let facts = play.finish();
    assert_eq!(play.heard, Heard::default());
    assert_eq!((facts.opened, facts.server_name.as_deref()), (Opened::NoKeys, Some("ws.example")));
    assert_eq!((facts.alpn, facts.alpn_offered), (None, vec![String::from("http/1.1")]));
    assert_eq!((facts.sent.client.records, facts.sent.server.records), (6, 9));
}

#[test]
fn keys_of_others_are_told_from_wrong_ones() {
    let other = key_log(|_| true).replace(&hex(&RANDOM), &hex(&[9; 32]));
    let wrong = key_log(|_| true)
        .replace(&hex(&[0xC1; 32]), &hex(&[1; 32]))
        .replace(&hex(&[0xC2; 32]), &hex(&[2; 32]));
    let wrong = wrong.replace(&hex(&[0x51; 32]), &hex(&[1; 32])).replace(&hex(&[0x52; 32]), &hex(&[2; 32]));
    for (text, expected) in [(other, Opened::OtherKeys), (wrong, Opened::WrongKeys)] {
        let mut play = Play::new(keys(&text, false));
        play.all(&talk());
        assert_eq!(play.finish().opened, expected);
        assert_eq!(play.heard, Heard::default());
    }
}

#[test]
fn with_the_keys_of_one_side_the_other_is_a_gap() {
    let mut play = Play::new(keys(&key_log(|label| label != "CLIENT_TRAFFIC_SECRET_0"), false));
    play.all(&talk());
    let facts = play.finish();
    assert_eq!(facts.opened, Opened::Only(Role::Server));
    assert_eq!(facts.unopened(), Some(Role::Client));
    assert_eq!((&play.heard.bytes[1][..], &play.heard.bytes[0][..]), (ANSWERED, &b""[..]));
    assert!(!play.heard.gaps[0].is_empty());
}

#[test]
fn traffic_secrets_alone_are_enough() {
    let mut play = Play::new(keys(&key_log(|label| label.ends_with("_0")), false));
    play.all(&talk());
    assert_eq!(play.finish().opened, Opened::Yes);
    assert_eq!(play.heard.bytes, [ASKED.to_vec(), ANSWERED.to_vec()]);
    assert_eq!(play.heard.gaps, [vec![], vec![]]);
}

#[test]
fn secrets_may_come_after_what_they_open_line_by_line() {
    let log = key_log(|_| true);
    let lines: Vec<&str> = log.lines().collect();
    fn add(play: &mut Play, log: &mut KeyLog, line: &str) {
        log.read(line.as_bytes());
        play.keys.renew(log);
    }
    for until in 0..=lines.len() {
        let (mut play, mut log) = (Play::new(keys("", true)), KeyLog::default());
        for (at, (from, bytes)) in talk().iter().enumerate() {
            play.data(*from, bytes);
            if let Some(line) = lines[..until].get(at) {
                add(&mut play, &mut log, line);
            }
        }
        assert!(until == lines.len() || play.session.is_waiting());
        lines.iter().for_each(|line| add(&mut play, &mut log, line));
        assert_eq!(play.finish().opened, Opened::Yes);
        assert_eq!(play.heard.bytes, [ASKED.to_vec(), ANSWERED.to_vec()], "after {until} lines");
        assert_eq!(play.heard.gaps, [vec![], vec![]]);
    }
}

/// A session past its hellos that has the traffic secrets only.
pub(super) fn greeted() -> Play {
    let mut play = Play::new(keys(&key_log(|label| label.ends_with("_0")), false));
    play.data(C, &client_hello(false));
    play.data(S, &server_hello([2; 32]));
    play
}

#[test]
fn whole_records_that_are_lost_are_a_gap_of_their_length() {
    let (mut play, mut c) = (greeted(), Sealer::new(0xC2));
    play.data(C, &c.seal(23, b"before"));
    let lost = [c.seal(23, &[1; 100]), c.seal(23, &[2; 200])].concat();
    play.session.gap(C, lost.len() as u64);
    play.data(C, &c.seal(23, b"after"));
    play.finish();
    assert_eq!(play.heard.bytes[0], b"beforeafter");
    assert_eq!(play.heard.gaps[0], [(6, 300)]);
}

#[test]
fn a_record_that_is_damaged_is_a_gap_of_its_length() {
    let (mut play, mut s) = (greeted(), Sealer::new(0x52));
    let cut = s.seal(23, &[3; 500]);
    play.data(S, &cut[..200]);
    play.session.gap(S, 100);
    play.data(S, &cut[300..]);
    play.data(S, &s.seal(23, b"next"));
    play.data(S, &s.seal(23, b" end"));
    play.finish();
    assert_eq!(play.heard.bytes[1], b"next end");
    assert_eq!(play.heard.gaps[1], [(0, 500)]);
}

#[test]
fn a_gap_at_the_end_is_told_when_all_is_over() {
    let (mut play, mut s) = (greeted(), Sealer::new(0x52));
    play.data(S, &s.seal(23, b"begin"));
    play.session.gap(S, 400);
    play.finish();
    assert_eq!(play.heard.bytes[1], b"begin");
    assert_eq!(play.heard.gaps[1].len(), 1);
}

#[test]
fn a_key_update_is_followed_even_where_it_is_lost() {
    for lost in [false, true] {
        let mut c = Sealer::new(0xC2);
        let mut play = greeted();
        play.data(C, &c.seal(23, b"one "));
        let update = c.seal(22, &message(kind::KEY_UPDATE, &[0]));
        match lost {
            true => play.session.gap(C, update.len() as u64),
            false => play.data(C, &update),
        }
        c.update();
        play.data(C, &c.seal(23, b"two "));
        play.data(C, &c.seal(22, &message(kind::KEY_UPDATE, &[0])));
        c.update();
        play.data(C, &c.seal(23, b"three"));
        play.finish();
        assert_eq!(play.heard.bytes[0], b"one two three");
    }
}

/// A client that sends early data, and a server that accepts or rejects them.
fn early(accepted: bool) -> Packets {
    let (mut e, mut ch, mut sh, mut c, mut s) =
        (Sealer::new(0xE0), Sealer::new(0xC1), Sealer::new(0x51), Sealer::new(0xC2), Sealer::new(0x52));
    let extensions = if accepted { vector16(&extension(42, &[])) } else { vector16(&[]) };
    let flight =
        [message(kind::ENCRYPTED_EXTENSIONS, &extensions), message(kind::FINISHED, &[9; 32])].concat();
    let mut client = vec![record(20, &[1]), e.seal(23, b"GET /")];
    if accepted {
        client.push(e.seal(22, &message(kind::END_OF_EARLY_DATA, &[])));
    }
    vec![
        (C, client_hello(true)),
        (C, client.concat()),
        (S, [server_hello([2; 32]), sh.seal(22, &flight)].concat()),
        (
            C,
            [
                ch.seal(22, &message(kind::FINISHED, &[9; 32])),
                c.seal(23, if accepted { b" more" } else { b"GET / more" }),
            ]
            .concat(),
        ),
        (S, s.seal(23, b"answer")),
    ]
}

#[test]
fn early_data_count_where_the_server_accepts_them() {
    let mut play = Play::new(all_keys());
    play.all(&early(true));
    assert_eq!(play.finish().opened, Opened::Yes);
    assert_eq!(play.heard.bytes, [b"GET / more".to_vec(), b"answer".to_vec()]);
    assert_eq!(play.heard.seen, [(C, 2), (C, 4), (S, 5)]);
    let mut play = Play::new(all_keys());
    play.all(&early(false));
    play.finish();
    assert_eq!(play.heard.bytes, [b"GET / more".to_vec(), b"answer".to_vec()]);
    assert_eq!(play.heard.gaps, [vec![], vec![]]);
}

#[test]
fn early_data_without_their_key_are_a_gap() {
    let mut play = Play::new(keys(&key_log(|label| label != "CLIENT_EARLY_TRAFFIC_SECRET"), false));
    play.all(&early(true));
    play.finish();
    assert_eq!(play.heard.bytes[0], b" more");
    assert_eq!(play.heard.gaps[0].len(), 1);
    assert_eq!(play.heard.gaps[0][0].0, 0);
}

#[test]
fn a_hello_retry_request_makes_the_client_say_it_again() {
    let retry = super::handshake::RETRY;
    let rest = talk();
    // Either side may send ChangeCipherSpec there, for the sake of old boxes between them.
    let change = |side| (side, record(20, &[1]));
    for changes in [vec![change(C)], vec![change(S)], vec![change(S), change(C)], vec![]] {
        let mut packets = vec![(C, client_hello(true)), (S, server_hello(retry))];
        packets.extend(changes);
        packets.extend(rest.clone());
        let mut play = Play::new(all_keys());
        play.all(&packets);
        assert_eq!(play.finish().opened, Opened::Yes);
        assert_eq!(play.heard.bytes, [ASKED.to_vec(), ANSWERED.to_vec()]);
    }
}

#[test]
fn a_server_that_was_captured_before_its_client_waits() {
    let mut packets = talk();
    packets.swap(0, 1);
    let mut play = Play::new(all_keys());
    play.all(&packets);
    assert_eq!(play.finish().opened, Opened::Yes);
    assert_eq!(play.heard.bytes, [ASKED.to_vec(), ANSWERED.to_vec()]);
}

#[test]
fn an_alert_in_the_clear_is_told_with_its_side() {
    let mut play = Play::new(Keyring::default());
    play.data(C, &client_hello(false));
    play.data(S, &record(21, &[2, 70]));
    let facts = play.finish();
    assert_eq!(facts.opened, Opened::Nothing);
    let alert = facts.failure().unwrap();
    assert_eq!((alert.from, alert.description.to_string()), (Role::Server, String::from("protocol_version")));
}

#[test]
fn an_answer_in_plain_http_is_kept_and_http_elsewhere_is_not() {
    let answer =
        b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let answered = |before: &[u8]| {
        let mut play = Play::new(Keyring::default());
        play.data(C, &client_hello(false));
        if !before.is_empty() {
            play.data(S, before);
        }
        play.data(S, answer);
        play.finish().plain_answer
    };
    let kept = answered(b"").unwrap();
    assert_eq!(*kept.begins, answer[..limits::QUOTE]);
    assert!(answered(&record(21, &[2, 70])).is_none() && answered(b"\x16").is_none());
}

/// RFC 8448 §3: the record with the client's Finished message.
#[test]
fn the_first_record_of_the_client_in_rfc_8448_is_opened() {
    let secret = "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21";
    let sealed = "1703030035 75ec4dc238cce60b298044a71e219c56cc77b0517fe9b93c7a4bfc44d87f38f80338ac98fc46deb384bd1caeacab6867d726c40546";
    let bytes = |digits: &str| -> Vec<u8> {
        let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b' ').collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    };
    let sealed = bytes(sealed);
    let header = super::record::Header::parse(&sealed).unwrap();
    let opener = Opener::tls13(SUITE, &bytes(secret)).unwrap();
    let mut out = Vec::new();
    assert_eq!(opener.open(0, &header, &sealed[5..], &mut out), Some(super::record::ContentType::Handshake));
    assert_eq!(out, bytes("14000020 a8ec436d677634ae525ac1fcebe11a039ec17694fac6e98527b642f2edd5ce61"));
    assert_eq!(opener.open(1, &header, &sealed[5..], &mut out), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn changed_or_missing_bytes_never_stop_it_and_never_give_wrong_bytes(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        missing in proptest::collection::vec((any::<proptest::sample::Index>(), 1usize..60), 0..3),
    ) {
        let mut packets = talk();
        for (packet, byte, value) in changes {
            let at = packet.index(packets.len());
            let bytes = &mut packets[at].1;
            let byte = byte.index(bytes.len());
            bytes[byte] = value;
        }
        let mut play = Play::new(all_keys());
        for (at, (from, bytes)) in packets.iter().enumerate() {
            let gap = missing.iter().find(|(packet, _)| packet.index(packets.len()) == at);
            let (gap, rest) = bytes.split_at(gap.map_or(0, |(_, len)| *len).min(bytes.len()));
            if !gap.is_empty() {
                play.session.gap(*from, gap.len() as u64);
            }
            if !rest.is_empty() {
                play.data(*from, rest);
            }
        }
        play.finish();
        // Records are authenticated: whatever comes out was sent.
        for (heard, sent) in play.heard.bytes.iter().zip([ASKED, ANSWERED]) {
            let mut rest = sent.iter();
            prop_assert!(heard.iter().all(|byte| rest.any(|sent| sent == byte)));
        }
    }
}

#[test]
fn whether_the_client_has_the_certificate_that_it_is_asked_for_is_told() {
    let asked = |answer: Option<&[u8]>| {
        let mut play = Play::new(Keyring::default());
        play.data(C, &client_hello(false));
        // Of TLS 1.2, where all of this can be read.
        let hello = [&[3, 3][..], &[2; 32], &[0, 0xC0, 0x2F, 0]].concat();
        let wish = message(kind::CERTIFICATE_REQUEST, &[1, 1, 0, 0, 0, 0]);
        play.data(S, &record(22, &[message(kind::SERVER_HELLO, &hello), wish].concat()));
        if let Some(body) = answer {
            play.data(C, &record(22, &message(kind::CERTIFICATE, body)));
        }
        play.finish().client_certificate
    };
    let all = [asked(None), asked(Some(&[0; 3])), asked(Some(&[0, 0, 4, 0, 0, 1, 7]))];
    assert_eq!(all, [ClientCertificate::Asked, ClientCertificate::Absent, ClientCertificate::Sent]);
    // In TLS 1.3 the context of the wish comes first.
    assert!(!handshake::has_certificate(&[1, 9, 0, 0, 0], true));
    assert!(handshake::has_certificate(&[1, 9, 0, 0, 6, 0, 0, 1, 7, 0, 0], true));
}
