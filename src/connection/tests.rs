//! From stream events to facts, without any packet.

use super::*;
use crate::capture::{PacketId, Seen};
use crate::net::{FlowKey, Side};
use crate::role::Role;
use crate::tcp::{Closed, Event, FlowId, GapCause, Interest, ResetKind, Sink, StreamEvent};
use crate::time::Timestamp;
use crate::websocket::{Depth, Violation};

pub(super) const C: Side = Side::Low;
pub(super) const S: Side = Side::High;

pub(super) const REQUEST: &[u8] = b"GET /chat?token=1 HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
pub(super) const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
/// Close 1010 `permessage-deflate`, masked with zeros.
pub(super) const CLIENT_1010: &[u8] = b"\x88\x94\0\0\0\0\x03\xF2permessage-deflate";
pub(super) const SERVER_1010: &[u8] = b"\x88\x14\x03\xF2permessage-deflate";

/// Plays events of one flow; each gets the next packet number.
pub(super) struct Play {
    pub(super) connections: Connections,
    pub(super) flow: u32,
    offsets: [u64; 2],
    packet: u64,
    pub(super) ignored: bool,
}

impl Play {
    pub(super) fn new(opener: Option<Side>) -> Play {
        Play::with_keys(opener, crate::tls::Keyring::default())
    }

    pub(super) fn with_keys(opener: Option<Side>, keys: crate::tls::Keyring) -> Play {
        let connections = Connections::new(keys, Depth::WhereAsked, Default::default());
        let mut play = Play { connections, flow: 3, offsets: [0; 2], packet: 0, ignored: false };
        play.again(opener);
        play
    }

    /// Another connection begins.
    pub(super) fn again(&mut self, opener: Option<Side>) {
        (self.offsets, self.ignored) = ([0; 2], false);
        self.event(C, Event::Opened { opener });
    }

    /// The last packet.
    pub(super) fn seen(&self) -> Seen {
        let at = Timestamp::from_nanos(self.packet as i64 * 1_000_000);
        Seen { packet: PacketId::new(0, self.packet), at }
    }

    pub(super) fn event(&mut self, from: Side, event: Event<'_>) {
        if self.ignored {
            return;
        }
        self.packet += 1;
        self.event_again(from, event);
    }

    /// As part of the same packet as the event before.
    fn event_again(&mut self, from: Side, event: Event<'_>) {
        let (key, _) = FlowKey::v4(([10, 0, 0, 5], 51234), ([10, 0, 0, 9], 80), 0);
        let (flow, seen) = (FlowId(self.flow), self.seen());
        let interest = self.connections.event(StreamEvent { flow, key: &key, seen, from, event });
        self.ignored |= interest == Interest::Ignore;
    }

    pub(super) fn data(&mut self, from: Side, bytes: &[u8]) {
        let offset = self.offsets[from.index()];
        self.offsets[from.index()] += bytes.len() as u64;
        self.event(from, Event::Data { offset, bytes });
    }

    pub(super) fn gap(&mut self, from: Side, len: u64) {
        let offset = self.offsets[from.index()];
        self.offsets[from.index()] += len;
        self.event(from, Event::Gap { offset, len, cause: GapCause::Lost });
    }

    pub(super) fn close(&mut self) -> Vec<Connection> {
        self.close_unseen(None)
    }

    pub(super) fn close_unseen(&mut self, unseen: Option<Side>) -> Vec<Connection> {
        let last = self.seen().at;
        self.event(C, Event::Closed { why: Closed::Ended, unseen, last });
        self.carried()
    }

    /// The connections that became final since it was last asked.
    pub(super) fn carried(&mut self) -> Vec<Connection> {
        let carried = self.connections.take_events().filter_map(|told| match told {
            FlowEvent::Carried(_, Carried::WebSocket(connection) | Carried::Encrypted(connection)) => {
                Some(*connection)
            }
            _ => None,
        });
        carried.collect()
    }
}

pub(super) fn opened() -> Play {
    Play::new(Some(C))
}

pub(super) fn one(mut all: Vec<Connection>) -> Connection {
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

pub(super) fn status(connection: &Connection) -> Option<u16> {
    connection.response.as_ref().map(|response| response.head.status)
}

pub(super) fn closes(connection: &Connection) -> Vec<(Role, Option<u16>, &str)> {
    connection.closes.iter().map(|close| (close.from, close.code, close.reason.as_str())).collect()
}

fn finished_1010(play: &mut Play) {
    play.data(C, CLIENT_1010);
    play.data(S, SERVER_1010);
    play.event(S, Event::Fin { crosses: false });
    play.event(C, Event::Fin { crosses: false });
}

#[test]
fn a_client_that_leaves_with_1010_is_told_whole() {
    let mut play = opened();
    play.data(C, REQUEST);
    play.data(S, SWITCHING);
    finished_1010(&mut play);
    let c = one(play.close());
    assert_eq!((c.outcome, status(&c)), (Outcome::Established, Some(101)));
    assert_eq!(c.missing_extensions(), ["permessage-deflate"]);
    let reason = "permessage-deflate";
    assert_eq!(closes(&c), [(Role::Client, Some(1010), reason), (Role::Server, Some(1010), reason)]);
    assert_eq!(c.ending.close, Some(CloseState::Clean));
    assert_eq!(c.ending.transport, Transport::Fin);
    assert_eq!(c.ending.by.map(|(by, seen)| (by, seen.packet.number())), Some((Role::Server, 6)));
    assert_eq!(c.ending.sees.client, Some(ApiClose { code: 1010, clean: true }));
    let request = c.request.unwrap();
    assert_eq!(
        (request.seen.packet.number(), request.subprotocols.list.as_slice()),
        (2, &["chat".into(), "superchat".into()][..])
    );
    assert_eq!(c.response.unwrap().accept_valid, Some(true));
    assert_eq!((c.tcp.client.port, c.tcp.server.port), (51234, 80));
}

#[test]
fn an_answer_captured_before_its_request_waits_for_it() {
    let mut play = opened();
    play.data(S, SWITCHING);
    play.data(S, b"\x81\x02hi");
    play.data(C, REQUEST);
    finished_1010(&mut play);
    let c = one(play.close());
    assert_eq!((c.outcome, c.closes.len()), (Outcome::Established, 2));
    assert_eq!(c.frames.unwrap().server.text, 1);
    assert!(c.request.unwrap().early_data.is_none());
}

#[test]
fn frames_in_the_segment_of_the_answer_are_read() {
    let mut play = opened();
    play.data(C, REQUEST);
    play.data(S, &[SWITCHING, b"\x81\x02hi\x89\x00"].concat());
    let c = one(play.close());
    let frames = c.frames.unwrap();
    assert_eq!((frames.server.text, frames.server.ping, frames.server.payload_bytes), (1, 1, 2));
    assert_eq!(frames.server.messages, 1);
}

#[test]
fn an_upgrade_after_other_requests_is_found() {
    let mut play = opened();
    play.data(C, b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    play.data(S, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    play.data(S, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    play.data(C, REQUEST);
    play.data(S, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    play.data(S, SWITCHING);
    finished_1010(&mut play);
    let c = one(play.close());
    assert_eq!((c.outcome, c.interim.as_slice()), (Outcome::Established, &[103][..]));
    assert_eq!(c.first.packet.number(), 5);
}

#[test]
fn the_body_of_an_upgrade_request_is_no_frame_and_frames_in_its_place_are() {
    let request = [&REQUEST[..REQUEST.len() - 2], b"Content-Length: 15\r\n\r\n"].concat();
    let session = |body: &[u8]| {
        let mut play = opened();
        play.data(C, &[&request, body].concat());
        play.data(S, SWITCHING);
        finished_1010(&mut play);
        one(play.close())
    };
    let c = session(b"who am I to ask");
    assert!(c.anomalies.is_empty() && c.request.unwrap().early_data.is_none());
    let c = session(b"\x81\x89\0\0\0\0too early");
    assert!(c.frames.unwrap().client.text == 1 && c.request.unwrap().early_data.is_some());
}

#[test]
fn refused_upgrades_are_told_each_and_the_next_one_is_found() {
    let mut play = opened();
    play.data(C, REQUEST);
    play.data(S, b"HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\nContent-Length: 9\r\n\r\nno ");
    play.data(S, b"origin");
    play.data(C, REQUEST);
    play.data(S, SWITCHING);
    finished_1010(&mut play);
    let all = play.close();
    assert_eq!(all.iter().map(|c| c.outcome).collect::<Vec<_>>(), [Outcome::Rejected, Outcome::Established]);
    let refused = all[0].response.as_ref().unwrap();
    assert_eq!((refused.head.status, &*refused.body), (502, &b"no origin"[..]));
    assert_eq!(all[0].ending.close, None);
}

#[test]
fn a_refused_client_that_sends_frames_all_the_same_stays_refused() {
    let mut play = opened();
    play.data(C, REQUEST);
    play.data(S, b"HTTP/1.1 504 Gateway Time-out\r\nContent-Length: 4\r\n\r\nlate");
    play.data(C, b"\x81\x85\0\0\0\0hello");
    play.data(S, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    play.event(S, Event::Fin { crosses: false });
    let c = one(play.close());
    assert_eq!((c.outcome, c.response.unwrap().head.status), (Outcome::Rejected, 504));
    assert_eq!(c.ending.transport, Transport::Fin);
}

#[test]
fn an_answer_that_is_no_http_is_garbled_and_none_is_unanswered() {
    let mut play = opened();
    play.data(C, REQUEST);
    play.data(S, b"\x00\x01SSH-2.0-OpenSSH");
    let c = one(play.close());
    assert_eq!((c.outcome, &*c.garbled.unwrap().bytes), (Outcome::Garbled, &b"\x00\x01SSH-2.0-OpenSSH"[..]));
    let mut play = opened();
    play.data(C, REQUEST);
    play.event(C, Event::Fin { crosses: false });
    assert_eq!(one(play.close()).outcome, Outcome::Unanswered);
}

#[test]
fn an_answer_that_breaks_off_in_its_head_is_garbled() {
    let mut play = opened();
    play.data(C, REQUEST);
    play.data(S, b"HTTP/1.1 101 Switching Protocols\r\nUpgr");
    assert_eq!(one(play.close()).outcome, Outcome::Garbled);
}

#[test]
fn an_answer_in_a_gap_or_a_direction_without_packets_is_unseen_not_missing() {
    let mut play = opened();
    play.data(C, REQUEST);
    play.gap(S, 180);
    assert_eq!(one(play.close()).outcome, Outcome::Unseen);
    let mut play = opened();
    play.data(C, REQUEST);
    play.data(C, CLIENT_1010);
    let c = one(play.close_unseen(Some(S)));
    assert_eq!((c.outcome, c.closes.len()), (Outcome::Unseen, 1));
    assert_eq!(c.ending.sees.client, None);
}

#[test]
fn an_invalid_101_is_one_that_a_client_must_fail() {
    for (from, to) in [
        ("s3pPLMBi", "AAAAAAAA"),
        ("Upgrade: websocket\r\n", ""),
        ("Connection: Upgrade", "Connection: close"),
        ("Protocol: chat", "Protocol: Chat"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: x-other\r\n\r\n"),
    ] {
        let answer = String::from_utf8_lossy(SWITCHING).replacen(from, to, 1);
        let mut play = opened();
        play.data(C, REQUEST);
        play.data(S, answer.as_bytes());
        assert_eq!(one(play.close()).outcome, Outcome::Invalid, "{from} -> {to}");
    }
}

#[test]
fn other_traffic_is_left_alone() {
    for first in [&b"SSH-2.0-x\r\n"[..], b"\x00\x00\x06\x05 neither HTTP/2"] {
        let mut play = opened();
        play.data(C, first);
        assert!(play.ignored);
    }
    let mut play = opened();
    play.data(C, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    play.data(S, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert!(play.close().is_empty());
}

/// An upgrade and its end inside TLS.
fn sealed() -> crate::tls::testing::Packets {
    crate::tls::testing::conversation(&[REQUEST, SWITCHING, CLIENT_1010, SERVER_1010])
}

fn keyring(may_grow: bool) -> crate::tls::Keyring {
    let mut log = crate::tls::KeyLog::default();
    log.read(crate::tls::testing::key_log(|_| true).as_bytes());
    crate::tls::Keyring::new(log, may_grow)
}

#[test]
fn a_websocket_is_found_inside_tls_after_a_proxy_header_and_in_a_tunnel() {
    let socks: &[(Side, &[u8])] =
        &[(C, b"\x04\x01\x01\xbb\0\0\0\x01\0ws.example\0"), (S, b"\0\x5a\0\0\0\0\0\0")];
    let connect: &[(Side, &[u8])] = &[
        (C, b"CONNECT ws.example:443 HTTP/1.1\r\nHost: ws.example:443\r\n\r\n"),
        (S, b"HTTP/1.1 200 Connection established\r\n\r\n"),
    ];
    let proxy: &[(Side, &[u8])] = &[(C, b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 443\r\n")];
    for before in [&[], connect, socks, proxy] {
        let mut play = Play::with_keys(Some(C), keyring(false));
        before.iter().for_each(|(from, bytes)| play.data(*from, bytes));
        sealed().iter().for_each(|(from, bytes)| play.data(*from, bytes));
        play.event(S, Event::Fin { crosses: false });
        let c = one(play.close());
        assert_eq!((c.outcome, c.ending.close), (Outcome::Established, Some(CloseState::Clean)));
        assert_eq!(c.closes.len(), 2);
        assert_eq!(c.tls.unwrap().server_name.as_deref(), Some("ws.example"));
        assert_eq!(c.tunnel.as_deref(), (before == connect || before == socks).then_some("ws.example:443"));
        assert_eq!(c.proxied.is_some(), before == proxy);
        assert_eq!(play.connections.counters(), Counters { tls: 1, tls_opened: 1, ..Counters::default() });
    }
}

#[test]
fn tls_without_a_key_is_told_with_its_ending_and_is_no_websocket() {
    let mut play = opened();
    sealed().iter().for_each(|(from, bytes)| play.data(*from, bytes));
    play.event(S, Event::Fin { crosses: false });
    let c = one(play.close());
    assert_eq!((c.outcome, c.ending.transport, c.ending.close), (Outcome::Encrypted, Transport::Fin, None));
    assert_eq!(c.ending.by.map(|(role, _)| role), Some(Role::Server));
    let tls = c.tls.unwrap();
    assert_eq!((tls.server_name.as_deref(), tls.opened), (Some("ws.example"), crate::tls::Opened::NoKeys));
    assert_eq!(play.connections.unread().no_keys, 1);
    assert_eq!(play.connections.counters(), Counters { tls: 1, ..Counters::default() });
}

#[test]
fn a_key_that_comes_after_the_connection_ended_opens_it() {
    let mut play = Play::with_keys(Some(C), crate::tls::Keyring::new(Default::default(), true));
    sealed().iter().for_each(|(from, bytes)| play.data(*from, bytes));
    play.event(S, Event::Fin { crosses: false });
    assert!(play.close().is_empty(), "it waits");
    let mut log = crate::tls::KeyLog::default();
    log.read(crate::tls::testing::key_log(|_| true).as_bytes());
    play.connections.renew(&log);
    for parked in play.connections.seal() {
        play.connections.unpark(parked);
    }
    let c = one(play.carried());
    assert_eq!((c.outcome, c.closes.len(), c.ending.transport), (Outcome::Established, 2, Transport::Fin));
    assert_eq!(c.request.map(|request| request.seen.packet.number()), Some(6), "as its packet was seen");
}

#[test]
fn who_is_client_is_told_by_what_is_said_where_no_syn_is() {
    let mut play = Play::new(None);
    play.data(S, REQUEST);
    play.data(C, SWITCHING);
    let c = one(play.close());
    assert_eq!((c.tcp.client.port, c.tcp.roles, c.quality.late_start), (80, RoleEvidence::Http, true));
}

#[test]
fn what_stands_in_place_of_an_answer_where_a_connection_was_joined_is_no_silence() {
    let mut play = Play::new(None);
    play.data(C, REQUEST);
    play.data(S, b"\xc1\x05\xb2\x50\x30\x04\0");
    assert_eq!(one(play.close()).outcome, Outcome::Unseen);
}

#[test]
fn a_frame_in_place_of_an_answer_is_no_answer_where_the_servers_beginning_was_not_seen() {
    let outcome = |first: &[u8]| {
        let mut play = opened();
        play.data(C, REQUEST);
        play.data(S, first);
        one(play.close()).outcome
    };
    assert_eq!(outcome(b"\x81\x02hi"), Outcome::Unseen);
    for other in [&b"SSH-2.0-x"[..], b"\x15\x03\x01\0\x02", b"<html>"] {
        assert_eq!(outcome(other), Outcome::Garbled);
    }
}

#[test]
fn frames_of_a_connection_joined_midway_are_read() {
    let mut play = Play::new(None);
    let masked = b"\x81\x82\x01\x02\x03\x04\x69\x6b".repeat(4);
    play.data(C, &masked);
    play.data(S, b"\x81\x02hi\x81\x02hi\x81\x02hi\x88\x02\x03\xe8");
    let c = one(play.close());
    assert_eq!((c.outcome, c.tcp.roles), (Outcome::Unseen, RoleEvidence::Masking));
    assert_eq!(closes(&c), [(Role::Server, Some(1000), "")]);
}

#[test]
fn an_answer_whose_request_is_lost_still_opens_a_session_for_both_sides() {
    let mut play = Play::new(None);
    play.data(S, SWITCHING);
    finished_1010(&mut play);
    let c = one(play.close());
    assert_eq!((c.outcome, c.closes.len()), (Outcome::Established, 2));
    assert_eq!(c.response.unwrap().accept_valid, None);
}

#[test]
fn what_was_said_with_other_bytes_is_a_conflict() {
    let mut play = opened();
    play.data(C, REQUEST);
    play.event(C, Event::Repeat { offset: 4, bytes: b"/chat" });
    play.event(C, Event::Repeat { offset: 4, bytes: b"/evil" });
    play.data(S, SWITCHING);
    play.event(S, Event::Repeat { offset: 9, bytes: b"101" });
    play.event(S, Event::Repeat { offset: 9, bytes: b"500" });
    assert_eq!(one(play.close()).quality.conflicts, 2);
}

#[test]
fn early_client_bytes_are_noted_and_read() {
    let mut play = opened();
    play.data(C, &[REQUEST, b"\x81\x80\0\0\0\0"].concat());
    play.data(S, SWITCHING);
    let c = one(play.close());
    assert_eq!(c.request.unwrap().early_data.map(|seen| seen.packet.number()), Some(2));
    assert_eq!(c.frames.unwrap().client.text, 1);
}

#[test]
fn apis_report_what_was_received() {
    let mut play = opened();
    play.data(C, REQUEST);
    play.data(S, SWITCHING);
    play.data(S, b"\x88\x00");
    play.event(C, Event::Reset { ttl: 64, usual_ttl: Some(64), kind: ResetKind::Abort });
    let c = one(play.close());
    assert_eq!(c.ending.close, Some(CloseState::Unechoed));
    assert_eq!(c.ending.transport, Transport::Reset);
    assert_eq!(c.ending.sees.client, Some(ApiClose { code: 1005, clean: false }));
    assert_eq!(c.ending.sees.server, Some(ApiClose { code: 1006, clean: false }));
    let mut play = opened();
    play.data(C, REQUEST);
    play.data(S, SWITCHING);
    let c = one(play.close());
    assert_eq!((c.ending.transport, c.ending.sees.client), (Transport::Open, None));
}

#[test]
fn a_violation_is_kept_once_with_its_count() {
    let mut play = opened();
    play.data(C, REQUEST);
    play.data(S, SWITCHING);
    play.data(C, b"\x81\x02hi\x81\x02hi");
    let c = one(play.close());
    let masks: Vec<_> = c.anomalies.iter().filter(|a| a.kind == Violation::Unmasked).collect();
    assert_eq!((masks.len(), masks[0].count, masks[0].from), (1, 2, Role::Client));
}

#[test]
fn a_ping_that_breaks_the_rules_needs_no_pong() {
    let unanswered = |ping: &[u8]| {
        let mut play = opened();
        play.data(C, REQUEST);
        play.data(S, SWITCHING);
        play.data(S, ping);
        one(play.close()).frames.unwrap().server.pings().unanswered_count
    };
    let long: Vec<u8> = [b"\x89\x7E\x00\x7E".as_slice(), &[b'p'; 126]].concat();
    assert_eq!((unanswered(b"\x89\x01p"), unanswered(b"\x09\x01p"), unanswered(&long)), (1, 0, 0));
}
