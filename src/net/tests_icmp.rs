//! ICMP errors through the decoder.

use super::tests::{ETHERNET, RAW, behind, ethernet, in_ip, in_udp, key, packet, v4, v6};
use super::*;
use crate::capture::Packet;
use proptest::prelude::*;
use std::net::IpAddr;

const ROUTER: [u8; 4] = [192, 0, 2, 1];

/// The segment of [`v4`], sent by its lower end.
const SEQ: u32 = 4_000_000_000;

fn icmp(kind: u8, code: u8, word: u32, quote: &[u8]) -> Vec<u8> {
    [&[kind, code, 0, 0][..], &word.to_be_bytes(), quote].concat()
}

fn in_six(data: &[u8]) -> Vec<u8> {
    let len = (data.len() as u16).to_be_bytes();
    [&[0x60, 0, 0, 0][..], &len, &[58, 64], &[9; 16], &[1; 16], data].concat()
}

fn found(link: u32, data: &[u8]) -> Option<IcmpError> {
    let mut decoder = Decoder::new();
    let error = decoder.segment(&packet(link, data), |segment| panic!("{segment:?}"));
    assert_eq!((decoder.counters().packets(), decoder.counters().tcp), (1, 0));
    error
}

#[test]
fn an_error_tells_who_says_what_of_which_segment() {
    let data = in_ip(1, &icmp(3, 1, 0, &v4()));
    let error = found(RAW, &data).unwrap();
    let says = Icmp { by: ROUTER.into(), kind: IcmpKind::NoHost, code: (3, 1) };
    assert_eq!(error, IcmpError { key: key(0), from: Side::Low, seq: SEQ, says });
    let error = found(RAW, &in_six(&icmp(2, 0, 1280, &v6()))).unwrap();
    let says = Icmp { by: IpAddr::from([9; 16]), kind: IcmpKind::TooBig { mtu: Some(1280) }, code: (2, 0) };
    let six = FlowKey::v6(([1; 16], 51234), ([2; 16], 80), 0).0;
    assert_eq!(error, IcmpError { key: six, from: Side::Low, seq: SEQ, says });
}

#[test]
fn both_versions_say_the_same_in_other_numbers() {
    let kind_of = |data: &[u8]| found(RAW, data).map(|error| error.says.kind);
    let four = |kind, code, word| kind_of(&in_ip(1, &icmp(kind, code, word, &v4())));
    let six = |kind, code, word| kind_of(&in_six(&icmp(kind, code, word, &v6())));
    for (code, kind) in [
        (0, IcmpKind::NoRoute),
        (6, IcmpKind::NoRoute),
        (1, IcmpKind::NoHost),
        (7, IcmpKind::NoHost),
        (2, IcmpKind::Other),
        (3, IcmpKind::NoPort),
        (9, IcmpKind::Prohibited),
        (10, IcmpKind::Prohibited),
        (13, IcmpKind::Prohibited),
        (15, IcmpKind::Other),
    ] {
        assert_eq!(four(3, code, 0), Some(kind), "3/{code}");
    }
    assert_eq!(four(3, 4, 1400), Some(IcmpKind::TooBig { mtu: Some(1400) }));
    assert_eq!(four(3, 4, 0), Some(IcmpKind::TooBig { mtu: None }), "a router from before RFC 1191");
    for (code, kind) in [
        (0, IcmpKind::NoRoute),
        (1, IcmpKind::Prohibited),
        (2, IcmpKind::Other),
        (3, IcmpKind::NoHost),
        (4, IcmpKind::NoPort),
        (5, IcmpKind::Prohibited),
        (6, IcmpKind::NoRoute),
    ] {
        assert_eq!(six(1, code, 0), Some(kind), "1/{code}");
    }
    assert_eq!((four(11, 0, 0), six(3, 0, 0)), (Some(IcmpKind::Expired), Some(IcmpKind::Expired)));
    assert_eq!((four(11, 1, 0), six(3, 1, 0)), (Some(IcmpKind::Other), Some(IcmpKind::Other)));
}

#[test]
fn eight_bytes_of_the_segment_are_enough_and_fewer_are_not() {
    for len in 0..v4().len() {
        let data = in_ip(1, &icmp(3, 1, 0, &v4()[..len]));
        assert_eq!(found(RAW, &data).is_some(), len >= 28, "{len}");
        let data = in_six(&icmp(1, 3, 0, &v6()[..len]));
        assert_eq!(found(RAW, &data).is_some(), len >= 48, "{len}");
    }
}

#[test]
fn tunnels_and_tags_around_an_error_are_those_of_its_flow() {
    let error = in_ip(1, &icmp(3, 1, 0, &v4()));
    let tagged = ethernet(0x8100, &behind(&[0, 7, 8, 0], &error));
    assert_eq!(found(ETHERNET, &tagged).unwrap().key, key(0));
    let vxlan = behind(&[8, 0, 0, 0, 0, 0, 1, 0], &ethernet(0x0800, &error));
    let segment = behind(&[8, 0, 0, 0, 0, 0, 1, 0], &ethernet(0x0800, &v4()));
    let tag = match Decoder::new().decode(&packet(RAW, &in_udp(4789, &segment))) {
        Decoded::Tcp(segment) => segment.key.tag(),
        other => panic!("{other:?}"),
    };
    assert_ne!(tag, 0);
    assert_eq!(found(RAW, &in_udp(4789, &vxlan)).unwrap().key, key(tag));
}

#[test]
fn other_messages_and_other_quotes_are_no_errors_of_tcp() {
    let other = |data: &[u8]| assert_eq!(found(RAW, data), None, "{data:?}");
    other(&in_ip(1, &icmp(8, 0, 0, &v4())));
    other(&in_ip(1, &icmp(5, 1, 0, &v4())));
    other(&in_ip(1, &icmp(3, 99, 0, &v4())));
    other(&in_ip(1, &icmp(3, 3, 0, &in_udp(53, &[0; 20]))));
    other(&in_ip(1, &icmp(3, 1, 0, &v6())));
    other(&in_ip(1, &[3, 1, 0]));
    other(&in_six(&icmp(1, 3, 0, &v4())));
    // ICMP in IPv6, and the other way round.
    other(&in_ip(58, &icmp(1, 3, 0, &v4())));
    let mut fragment = v4();
    fragment[7] = 9;
    other(&in_ip(1, &icmp(3, 1, 0, &fragment)));
}

proptest! {
    #[test]
    fn no_error_panics_whatever_it_quotes(
        six in any::<bool>(),
        kind in 0..12u8,
        code in 0..16u8,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        end in any::<prop::sample::Index>(),
    ) {
        let mut quote = if six { v6() } else { v4() };
        for (at, to) in changes {
            let at = at.index(quote.len());
            quote[at] = to;
        }
        quote.truncate(end.index(quote.len() + 1));
        let data = if six { in_six(&icmp(kind, code, 7, &quote)) } else { in_ip(1, &icmp(kind, code, 7, &quote)) };
        let mut decoder = Decoder::new();
        decoder.decode(&Packet { original_len: 2000, ..packet(RAW, &data) });
        prop_assert_eq!(decoder.counters().packets(), 1);
    }
}
