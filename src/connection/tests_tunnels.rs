//! What stands before the HTTP that we look for: tunnels of proxies, and their headers.

use super::tests::{C, REQUEST, S, SERVER_1010, SWITCHING, one, opened};
use super::*;
use crate::net::Side;

#[test]
fn a_connect_tunnel_is_looked_into() {
    let mut play = opened();
    play.data(C, b"CONNECT ws.example:80 HTTP/1.1\r\nHost: ws.example:80\r\n\r\n");
    play.data(S, b"HTTP/1.1 200 Connection established\r\n\r\n");
    play.data(C, REQUEST);
    play.data(S, SWITCHING);
    let c = one(play.close());
    assert_eq!((c.outcome, c.tunnel.as_deref()), (Outcome::Established, Some("ws.example:80")));
}

#[test]
fn a_socks_tunnel_is_looked_into_however_its_bytes_are_cut() {
    let asked: &[u8] = b"\x05\x01\x00\x05\x01\x00\x03\x0aws.example\x00\x50";
    let granted: &[u8] = b"\x05\x00\x05\x00\x00\x01\x7f\0\0\x01\x12\x34";
    let in_turn: Vec<(Side, Vec<u8>)> = vec![
        (C, asked[..3].to_vec()),
        (S, granted[..2].to_vec()),
        (C, asked[3..].to_vec()),
        (S, granted[2..].to_vec()),
        (C, REQUEST.to_vec()),
        (S, SWITCHING.to_vec()),
    ];
    // A client may go on before the proxy has granted it.
    let ahead = vec![(C, [asked, REQUEST].concat()), (S, [granted, SWITCHING].concat())];
    let bytewise = in_turn.iter().flat_map(|(from, bytes)| bytes.iter().map(|byte| (*from, vec![*byte])));
    for said in [bytewise.collect(), in_turn.clone(), ahead] {
        let mut play = opened();
        said.iter().for_each(|(from, bytes)| play.data(*from, bytes));
        play.data(S, SERVER_1010);
        let c = one(play.close());
        assert_eq!((c.outcome, c.tunnel.as_deref()), (Outcome::Established, Some("ws.example:80")));
        assert_eq!((c.closes.len(), c.anomalies.len()), (1, 0));
    }
}

#[test]
fn what_only_begins_like_socks_is_left_alone() {
    let mut play = opened();
    play.data(C, b"\x05\x01\x00");
    assert!(!play.ignored, "the other side may grant it");
    play.data(S, b"\x01\x02\x03\x04");
    assert!(play.ignored);
    let mut play = opened();
    play.data(C, b"\x04\x01\x00\x50\x0a\0\0\x07me\0");
    play.data(S, b"\0\x5b\0\0\0\0\0\0");
    assert!(play.ignored, "the proxy refused");
}

#[test]
fn a_proxy_header_is_skipped_and_its_addresses_kept() {
    let mut play = opened();
    play.data(C, &[b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n", REQUEST].concat());
    play.data(S, SWITCHING);
    let c = one(play.close());
    assert_eq!(c.outcome, Outcome::Established);
    assert_eq!(c.proxied.unwrap().0.to_string(), "192.0.2.1:1000");
}
