//! Headers in each other, and fragments of datagrams.

use super::flat;
use wsanalyze::capture::{LinkType, Packet, PacketId, Seen};
use wsanalyze::limits;
use wsanalyze::net::{Decoded, Decoder, Other};
use wsanalyze::time::Timestamp;

/// Packets that begin with the IP header.
const RAW: LinkType = LinkType(101);

const TCP: u8 = 6;
const IN_IPV4: u8 = 4;
const DESTINATION_OPTIONS: u8 = 60;

/// What is found in a packet: whether it is TCP, or what else.
fn decoded(decoder: &mut Decoder, data: &[u8], nanos: i64) -> Result<(), Other> {
    let seen = Seen { packet: PacketId::new(0, 1), at: Timestamp::from_nanos(nanos) };
    let packet = Packet { seen, link: RAW, original_len: data.len() as u32, fcs_len: 0, data };
    match decoder.decode(&packet) {
        Decoded::Tcp(_) => Ok(()),
        Decoded::Icmp(error) => panic!("{error:?}"),
        Decoded::Other(other) => Err(other),
    }
}

/// An IPv4 packet; `fragment` is what stands in the field of flags and offset.
fn ipv4(protocol: u8, (id, fragment): (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut header = [0; 20];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&(20 + payload.len() as u16).to_be_bytes());
    header[4..6].copy_from_slice(&id.to_be_bytes());
    header[6..8].copy_from_slice(&fragment.to_be_bytes());
    header[8..10].copy_from_slice(&[64, protocol]);
    header[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
    [&header[..], payload].concat()
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = [0; 40];
    header[0] = 0x60;
    header[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    header[6..8].copy_from_slice(&[next, 64]);
    (header[8], header[24]) = (1, 2);
    [&header[..], payload].concat()
}

/// An acknowledgment without payload.
fn tcp() -> Vec<u8> {
    [&[0xc3, 0x50, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff][..], &[0; 4]].concat()
}

#[test]
fn headers_are_opened_to_a_depth_and_deeper_packets_are_counted() {
    let nested = |headers: usize| {
        let innermost = ipv4(TCP, (1, 0), &tcp());
        (1..headers).fold(innermost, |packet, _| ipv4(IN_IPV4, (1, 0), &packet))
    };
    let mut decoder = Decoder::new();
    assert_eq!(decoded(&mut decoder, &nested(limits::LAYERS), 0), Ok(()));
    for more in [1, limits::LAYERS, 3 * limits::LAYERS] {
        assert_eq!(decoded(&mut decoder, &nested(limits::LAYERS + more), 0), Err(Other::TooDeep));
    }
    assert_eq!((decoder.counters().tcp, decoder.counters().too_deep), (1, 3));
}

#[test]
fn chains_of_extensions_and_labels_are_followed_so_far_and_longer_ones_are_counted() {
    // One fewer extension than the bound: it counts the header behind them, too.
    let extended = |extensions: usize| {
        let last = |packet: Vec<u8>, next| [&[next, 0, 1, 4, 0, 0, 0, 0][..], &packet].concat();
        let next = |n: usize| if n == 0 { TCP } else { DESTINATION_OPTIONS };
        ipv6(next(extensions), &(0..extensions).fold(tcp(), |packet, n| last(packet, next(n))))
    };
    // MPLS in GRE in IPv4.
    let labelled = |labels: usize| {
        let stack = (1..=labels).flat_map(|n| [0, 1, u8::from(n == labels), 64]);
        let gre = [0, 0, 0x88, 0x47].into_iter().chain(stack).chain(ipv4(TCP, (1, 0), &tcp()));
        ipv4(47, (1, 0), &gre.collect::<Vec<u8>>())
    };
    // IPv4 in GTP-U in UDP in IPv4.
    let tunnelled = |extensions: usize| {
        let extension = |last| [1, 0, 0, if last { 0 } else { 0x85 }];
        let chain = (1..=extensions).flat_map(|n| extension(n == extensions));
        let head = [0x34, 0xff, 0, 0, 0, 0, 0, 7, 0, 0, 0, if extensions > 0 { 0x85 } else { 0 }];
        let gtp: Vec<u8> = head.into_iter().chain(chain).chain(ipv4(TCP, (1, 0), &tcp())).collect();
        let length = (8 + gtp.len() as u16).to_be_bytes();
        ipv4(17, (1, 0), &[&[0x9c, 0x40, 0x08, 0x68, length[0], length[1], 0, 0][..], &gtp].concat())
    };
    let mut decoder = Decoder::new();
    let mut is_bounded = |chain: &dyn Fn(usize) -> Vec<u8>, most: usize| {
        assert_eq!(decoded(&mut decoder, &chain(most), 0), Ok(()), "{most}");
        for more in [1, 4 * limits::CHAIN] {
            assert_eq!(
                decoded(&mut decoder, &chain(most + more), 0),
                Err(Other::TooDeep),
                "{most} and {more}"
            );
        }
    };
    is_bounded(&extended, limits::CHAIN - 1);
    is_bounded(&labelled, limits::CHAIN);
    is_bounded(&tunnelled, limits::CHAIN - 1);
    assert_eq!(decoder.counters().too_deep, 6);
}

/// A fragment of eight bytes that is not the last.
fn piece(id: u16, eights: u16) -> Vec<u8> {
    ipv4(TCP, (id, 0x2000 | eights), &[7; 8])
}

#[test]
fn a_datagram_in_too_many_pieces_is_given_up() {
    let mut decoder = Decoder::new();
    let pieces = limits::FRAGMENT_PIECES as u16;
    // None touches another.
    (0..pieces).for_each(|n| assert!(decoded(&mut decoder, &piece(1, 2 * n), 0).is_err()));
    assert_eq!(decoder.counters().datagrams_dropped, 0);
    (pieces..4 * pieces).for_each(|n| assert!(decoded(&mut decoder, &piece(1, 2 * n), 0).is_err()));
    assert_eq!(decoder.counters().datagrams_dropped, 3, "each time that one piece was too many");
}

#[test]
fn a_fragment_is_waited_for_so_long() {
    for (wait, whole) in [(limits::FRAGMENT_AGE_NANOS, true), (limits::FRAGMENT_AGE_NANOS + 1, false)] {
        let (mut decoder, segment) = (Decoder::new(), tcp());
        let first = ipv4(TCP, (1, 0x2000), &segment[..16]);
        let last = ipv4(TCP, (1, 2), &segment[16..]);
        assert_eq!(decoded(&mut decoder, &first, 0), Err(Other::Fragment));
        assert_eq!(decoded(&mut decoder, &last, wait).is_ok(), whole, "after {wait} ns");
        assert_eq!(decoder.counters().datagrams_dropped, u64::from(!whole));
    }
}

#[test]
fn fragments_take_no_more_memory_however_many_come() {
    flat("net::fragments_take_no_more_memory_however_many_come", |times| {
        move || {
            // Many datagrams, then long ones: the last eight bytes of all that they may have.
            for (count, eights) in
                [(limits::FRAGMENTED_DATAGRAMS, 0), (limits::FRAGMENT_BYTES / 65_528, 8190)]
            {
                let mut decoder = Decoder::new();
                for id in 0..times * count {
                    assert!(decoded(&mut decoder, &piece(id as u16, eights), 0).is_err());
                }
                let dropped = decoder.counters().datagrams_dropped as usize;
                assert_eq!(dropped, (times - 1) * count, "what is given up is counted");
            }
        }
    });
}

#[test]
fn checksums_are_computed_of_the_first_packets_only() {
    let (mut decoder, packet) = (Decoder::new(), ipv4(TCP, (1, 0), &tcp()));
    for _ in 0..4 * limits::CHECKSUMS {
        assert!(decoded(&mut decoder, &packet, 0).is_ok());
    }
    assert_eq!(decoder.counters().checksums_checked, limits::CHECKSUMS);
}
