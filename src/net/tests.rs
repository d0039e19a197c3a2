//! Whole packets through the decoder.

use super::*;
use crate::capture::{LinkType, Packet, PacketId, Seen};
use crate::time::Timestamp;
use etherparse::{IpHeaders, IpNumber, Ipv6Header, PacketBuilder, TcpHeader};
use proptest::prelude::*;

pub(super) const ETHERNET: u32 = 1;
pub(super) const RAW: u32 = 101;
const PAYLOAD: &[u8] = b"GET /chat HTTP/1.1\r\n";

pub(super) fn packet(link: u32, data: &[u8]) -> Packet<'_> {
    let seen = Seen { packet: PacketId::new(0, 1), at: Timestamp::default() };
    Packet { seen, link: LinkType(link), original_len: data.len() as u32, fcs_len: 0, data }
}

fn tcp() -> TcpHeader {
    TcpHeader {
        acknowledgment_number: 77,
        ack: true,
        psh: true,
        ..TcpHeader::new(51234, 80, 4_000_000_000, 512)
    }
}

pub(super) fn v4() -> Vec<u8> {
    let mut out = Vec::new();
    let header = etherparse::Ipv4Header::new(0, 61, IpNumber::TCP, [10, 0, 0, 5], [10, 0, 0, 9]).unwrap();
    let header = etherparse::Ipv4Header { identification: 4711, dont_fragment: true, ..header };
    PacketBuilder::ip(IpHeaders::Ipv4(header, Default::default()))
        .tcp_header(tcp())
        .write(&mut out, PAYLOAD)
        .unwrap();
    out
}

pub(super) fn v6() -> Vec<u8> {
    let mut out = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 55).tcp_header(tcp()).write(&mut out, PAYLOAD).unwrap();
    out
}

pub(super) fn behind(head: &[u8], data: &[u8]) -> Vec<u8> {
    [head, data].concat()
}

pub(super) fn ethernet(ether_type: u16, data: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &ether_type.to_be_bytes(), data].concat()
}

/// An IPv4 packet from 192.0.2.1 to 192.0.2.2.
pub(super) fn in_ip(protocol: u8, data: &[u8]) -> Vec<u8> {
    let header =
        etherparse::Ipv4Header::new(data.len() as u16, 9, IpNumber(protocol), [192, 0, 2, 1], [192, 0, 2, 2]);
    behind(&header.unwrap().to_bytes(), data)
}

pub(super) fn in_udp(port: u16, data: &[u8]) -> Vec<u8> {
    let len = data.len() as u16 + 8;
    in_ip(17, &[&40000u16.to_be_bytes()[..], &port.to_be_bytes(), &len.to_be_bytes(), &[0, 0], data].concat())
}

/// What a segment says, without what it borrows.
fn decoded(link: u32, data: &[u8]) -> Result<(FlowKey, Side, u32, Vec<u8>), Other> {
    match Decoder::new().decode(&packet(link, data)) {
        Decoded::Tcp(s) => Ok((s.key, s.from, s.declared_len, s.payload.to_vec())),
        Decoded::Icmp(error) => panic!("{error:?}"),
        Decoded::Other(other) => Err(other),
    }
}

pub(super) fn key(tag: u32) -> FlowKey {
    FlowKey::v4(([10, 0, 0, 5], 51234), ([10, 0, 0, 9], 80), tag).0
}

#[track_caller]
fn is_the_segment(link: u32, data: &[u8]) {
    let six = FlowKey::v6(([1; 16], 51234), ([2; 16], 80), 0).0;
    let (found, side, declared, payload) = decoded(link, data).unwrap();
    assert!(found == key(0) || found == six, "{found:?}");
    assert_eq!((side, declared as usize, payload.as_slice()), (Side::Low, PAYLOAD.len(), PAYLOAD));
}

/// The tag of a segment that came through a tunnel.
#[track_caller]
fn tag(link: u32, data: &[u8]) -> u32 {
    let (found, _, _, payload) = decoded(link, data).unwrap();
    assert_eq!(payload, PAYLOAD);
    let tag = found.tag();
    assert_eq!(found, key(tag));
    tag
}

#[test]
fn every_field_of_a_segment_is_what_was_sent() {
    let (frame, mut decoder) = (ethernet(0x0800, &v4()), Decoder::new());
    let Decoded::Tcp(s) = decoder.decode(&packet(ETHERNET, &frame)) else { panic!() };
    assert_eq!(s.key.endpoint(s.from).to_string(), "10.0.0.5:51234");
    assert_eq!((s.seq, s.ack, s.flags, s.window), (4_000_000_000, 77, Flags::ACK | Flags::PSH, 512));
    assert_eq!((s.ttl, s.ip_id, s.declared_len, s.payload), (61, 4711, 20, PAYLOAD));
    let counters = decoder.counters();
    assert_eq!(
        (counters.tcp, counters.packets(), counters.checksums_checked, counters.checksums_bad),
        (1, 1, 1, 0)
    );
}

#[test]
fn each_link_type_leads_to_the_segment() {
    let (four, six) = (v4(), v6());
    is_the_segment(ETHERNET, &ethernet(0x0800, &four));
    is_the_segment(ETHERNET, &ethernet(0x86DD, &six));
    let llc = [0xAA, 0xAA, 3, 0, 0, 0, 8, 0];
    is_the_segment(ETHERNET, &ethernet(68, &behind(&llc, &four)));
    for link in [RAW, 12, 14] {
        is_the_segment(link, &four);
        is_the_segment(link, &six);
    }
    is_the_segment(228, &four);
    is_the_segment(229, &six);
    let mut cooked = [0; 16];
    cooked[14] = 8;
    is_the_segment(113, &behind(&cooked, &four));
    let mut cooked2 = [0; 20];
    cooked2[0..2].copy_from_slice(&[0x86, 0xDD]);
    is_the_segment(276, &behind(&cooked2, &six));
    for link in [0, 108] {
        is_the_segment(link, &behind(&[2, 0, 0, 0], &four));
        is_the_segment(link, &behind(&[0, 0, 0, 2], &four));
        for family in [10, 23, 24, 26, 28, 30] {
            is_the_segment(link, &behind(&[family, 0, 0, 0], &six));
            is_the_segment(link, &behind(&[0, 0, 0, family], &six));
        }
    }
    is_the_segment(9, &behind(&[0xFF, 3, 0, 0x21], &four));
    is_the_segment(9, &behind(&[0x57], &six));
    is_the_segment(50, &behind(&[0x0F, 0, 8, 0], &four));
    is_the_segment(104, &behind(&[0x8F, 0, 0x86, 0xDD], &six));
    is_the_segment(107, &behind(&[0x18, 0x41, 3, 0xCC], &four));
    is_the_segment(105, &behind(&[&[0x08, 1][..], &[0; 22], &llc].concat(), &four));
    is_the_segment(105, &behind(&[&[0x88, 3][..], &[0; 28], &[0, 0], &llc].concat(), &four));
    // Radiotap with a time and flags that tell of padding, and a QoS header of 26 bytes.
    let radiotap = [&[0, 0, 17, 0, 3, 0, 0, 0][..], &[0; 8], &[0x20]].concat();
    is_the_segment(127, &behind(&[&radiotap[..], &[0x88, 1], &[0; 26], &llc].concat(), &four));
    let mut pktap = vec![0; 108];
    (pktap[0], pktap[8]) = (108, 1);
    for link in [258, 149] {
        is_the_segment(link, &behind(&pktap, &ethernet(0x0800, &four)));
    }
    let nflog =
        [&[2, 0, 0, 0][..], &[5, 0, 10, 0, 0x61, 0, 0, 0], &[(four.len() + 4) as u8, 0, 9, 0]].concat();
    is_the_segment(239, &behind(&nflog, &four));
    is_the_segment(192, &behind(&[0, 0, 8, 0, 101, 0, 0, 0], &four));
}

#[test]
fn vlan_tags_are_passed_and_do_not_tell_flows_apart() {
    for types in [&[0x8100u16][..], &[0x88A8, 0x8100], &[0x9100, 0x9200, 0x8100, 0x8100, 0x8100]] {
        let mut frame = v4();
        let mut inner = 0x0800u16;
        for (id, &outer) in types.iter().enumerate().rev() {
            frame = [&[0, 7 + id as u8][..], &inner.to_be_bytes(), &frame].concat();
            inner = outer;
        }
        is_the_segment(ETHERNET, &ethernet(inner, &frame));
    }
}

#[test]
fn tunnels_with_an_identity_tell_flows_apart() {
    let (four, frame) = (v4(), ethernet(0x0800, &v4()));
    let vxlan = |vni| in_udp(4789, &behind(&[8, 0, 0, 0, 0, 0, vni, 0], &frame));
    let geneve = |vni| in_udp(6081, &behind(&[1, 0, 0x65, 0x58, 0, 0, vni, 0, 0, 0, 0, 0], &frame));
    let gre = |key| in_ip(47, &behind(&[0x20, 0, 8, 0, 0, 0, 0, key], &four));
    let len = four.len() as u8 + 2;
    let pppoe = |session| ethernet(0x8864, &behind(&[0x11, 0, 0, session, 0, len, 0, 0x21], &four));
    for (link, one, two) in [
        (RAW, vxlan(1), vxlan(2)),
        (RAW, geneve(1), geneve(2)),
        (RAW, gre(1), gre(2)),
        (ETHERNET, pppoe(1), pppoe(2)),
    ] {
        let (one, two) = (tag(link, &one), tag(link, &two));
        assert!(one != 0 && two != 0 && one != two);
    }
    let nested = in_udp(4789, &behind(&[8, 0, 0, 0, 0, 0, 1, 0], &ethernet(0x0800, &vxlan(1))));
    assert_ne!(tag(RAW, &nested), tag(RAW, &vxlan(1)));
}

#[test]
fn tunnels_whose_identity_has_a_direction_do_not() {
    let (four, six, frame) = (v4(), v6(), ethernet(0x0800, &v4()));
    for data in [
        in_ip(4, &four),
        in_ip(41, &six),
        in_ip(47, &behind(&[0, 0, 8, 0], &four)),
        in_ip(47, &behind(&[0x80, 0, 0x65, 0x58, 0, 0, 0, 0], &frame)),
        // ERSPAN I, II and III.
        in_ip(47, &behind(&[0, 0, 0x88, 0xBE], &frame)),
        in_ip(47, &behind(&[0x10, 0, 0x88, 0xBE, 0, 0, 0, 1, 0x10, 0, 0, 9, 0, 0, 0, 0], &frame)),
        in_ip(47, &behind(&[&[0x10, 0, 0x22, 0xEB, 0, 0, 0, 1, 0x20][..], &[0; 11]].concat(), &frame)),
        in_ip(47, &behind(&[0x30, 0x81, 0x88, 0x0B, 0, 9, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0x21], &four)),
        in_ip(97, &behind(&[0x30, 0], &frame)),
        in_ip(137, &behind(&[0, 0, 1, 64], &four)),
        // GTP-U with a sequence number and one extension header; L2TP with a length.
        in_udp(2152, &behind(&[0x36, 0xFF, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0x85, 1, 0, 0, 0], &four)),
        in_udp(1701, &behind(&[0x40, 2, 0, 60, 0, 1, 0, 1, 0xFF, 3, 0, 0x21], &four)),
    ] {
        is_the_segment(RAW, &data);
    }
    for (labels, inside) in [
        (&[0, 0, 0, 64, 0, 0, 1, 64][..], &six),
        (&[0, 0, 1, 64], &four),
        (&[0, 0, 1, 64], &frame),
        (&[0, 0, 1, 64, 0, 0, 0, 0], &frame),
    ] {
        is_the_segment(ETHERNET, &ethernet(0x8847, &behind(labels, inside)));
    }
}

#[test]
fn a_port_of_a_tunnel_with_other_bytes_is_udp() {
    for port in [4789, 4790, 6081, 2152, 1701] {
        assert_eq!(decoded(RAW, &in_udp(port, &[0xC0; 64])), Err(Other::Udp), "{port}");
    }
    assert_eq!(decoded(RAW, &in_udp(53, PAYLOAD)), Err(Other::Udp));
}

#[test]
fn the_first_packets_of_quic_are_known() {
    // RFC 9001 Appendix A.2, and the same of version 2, RFC 9369 Appendix A.2.
    let one = b"\xC0\0\0\0\x01\x08\x83\x94\xC8\xF0\x3E\x51\x57\x08\0\0\x44\x9E";
    let two = b"\xD0\x6B\x33\x43\xCF\x08\x83\x94\xC8\xF0\x3E\x51\x57\x08\0\0\x44\x9E";
    for datagram in [&one[..], two] {
        assert_eq!(decoded(RAW, &in_udp(443, datagram)), Err(Other::Quic));
    }
    let mut handshake = one.to_vec();
    handshake[0] = 0xE0;
    assert_eq!(decoded(RAW, &in_udp(443, &handshake)), Err(Other::Udp));
}

#[test]
fn nesting_ends() {
    let mut data = v4();
    for _ in 0..100 {
        data = in_ip(4, &data);
    }
    assert_eq!(decoded(RAW, &data), Err(Other::TooDeep));
    let mut extensions = Ipv6Header { next_header: IpNumber(60), ..Default::default() }.to_bytes().to_vec();
    (0..100).for_each(|_| extensions.extend([60, 0, 0, 0, 0, 0, 0, 0]));
    extensions[4..6].copy_from_slice(&800u16.to_be_bytes());
    assert_eq!(decoded(RAW, &extensions), Err(Other::TooDeep));
}

#[test]
fn ip_headers_with_options_and_extensions_are_passed() {
    let mut data = v4();
    data.splice(20..20, [1, 1, 1, 0, 7, 7, 7, 7]);
    (data[0], data[3]) = (0x47, data[3] + 8);
    is_the_segment(RAW, &data);

    let mut data = v6();
    let hop_by_hop_routing_destination_mobility_authentication = [
        43, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 135, 0, 0, 0, 0, 0, 0, 0, 51, 0, 0, 0, 0, 0, 0, 0,
        44, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 1,
    ];
    data[6] = 0;
    data[5] += hop_by_hop_routing_destination_mobility_authentication.len() as u8;
    data.splice(40..40, hop_by_hop_routing_destination_mobility_authentication);
    is_the_segment(RAW, &data);
}

#[test]
fn a_length_of_zero_means_to_the_end_of_the_frame_and_not_its_check_sequence() {
    for (mut data, at) in [(v4(), 2), (v6(), 4)] {
        (data[at], data[at + 1]) = (0, 0);
        is_the_segment(RAW, &data);
        let frame = [&data[..], &[1, 2, 3, 4]].concat();
        let mut decoder = Decoder::new();
        let Decoded::Tcp(s) = decoder.decode(&Packet { fcs_len: 4, ..packet(RAW, &frame) }) else { panic!() };
        assert_eq!(s.payload, PAYLOAD);
    }
}

#[test]
fn padding_is_no_payload() {
    is_the_segment(ETHERNET, &[&ethernet(0x0800, &v4())[..], &[0; 30]].concat());
    is_the_segment(ETHERNET, &[&ethernet(0x86DD, &v6())[..], &[0; 30]].concat());
}

#[test]
fn a_wrong_checksum_is_counted_and_accepted() {
    let mut data = v4();
    *data.last_mut().unwrap() ^= 1;
    let mut decoder = Decoder::new();
    for _ in 0..crate::limits::CHECKSUMS + 5 {
        assert!(matches!(decoder.decode(&packet(RAW, &data)), Decoded::Tcp(_)));
    }
    let n = crate::limits::CHECKSUMS;
    assert_eq!((decoder.counters().checksums_checked, decoder.counters().checksums_bad), (n, n));
}

#[test]
fn a_cut_packet_tells_what_was_sent() {
    let mut with_options = Vec::new();
    PacketBuilder::ipv4([10, 0, 0, 5], [10, 0, 0, 9], 64)
        .tcp_header(TcpHeader { syn: true, ..TcpHeader::new(51234, 80, 1, 1) })
        .options_raw(&[1; 12])
        .unwrap()
        .write(&mut with_options, PAYLOAD)
        .unwrap();
    for captured in 0..with_options.len() {
        let mut decoder = Decoder::new();
        let cut =
            Packet { original_len: with_options.len() as u32, ..packet(RAW, &with_options[..captured]) };
        match (captured, decoder.decode(&cut)) {
            (0..20, Decoded::Other(Other::Cut(Layer::Ipv4))) => {}
            (20..40, Decoded::Other(Other::Cut(Layer::Tcp))) => {}
            (40.., Decoded::Tcp(s)) => {
                assert_eq!((s.declared_len, s.payload.len(), s.seq), (20, captured.saturating_sub(52), 1));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn fragments_become_a_segment_that_borrows_from_the_decoder() {
    let four = v4();
    let mut decoder = Decoder::new();
    let piece = |from: usize, to: usize, more: bool| {
        let mut data = [&four[..20], &four[20 + from..20 + to]].concat();
        let len = data.len() as u16;
        data[2..4].copy_from_slice(&len.to_be_bytes());
        data[6..8].copy_from_slice(&((from as u16 / 8) | if more { 0x2000 } else { 0 }).to_be_bytes());
        data
    };
    for (from, to) in [(24, 40), (8, 24)] {
        let data = piece(from, to, to != 40);
        let fragment = decoder.decode(&packet(RAW, &data));
        assert!(matches!(fragment, Decoded::Other(Other::Fragment)), "{fragment:?}");
    }
    let first = piece(0, 8, true);
    let Decoded::Tcp(s) = decoder.decode(&packet(RAW, &first)) else { panic!() };
    assert_eq!((s.key, s.payload, s.declared_len, s.ip_id), (key(0), PAYLOAD, 20, 4711));
    let counters = decoder.counters();
    assert_eq!(
        (counters.datagrams_reassembled, counters.fragments_waiting, counters.checksums_bad),
        (1, 2, 0)
    );

    let six = v6();
    let mut decoder = Decoder::new();
    let piece = |from: usize, to: usize, more: bool| {
        let at = from as u16 | u16::from(more);
        let fragment = [&[6, 0][..], &at.to_be_bytes(), &[0, 0, 0, 9]].concat();
        let mut data = [&six[..40], &fragment, &six[40 + from..40 + to]].concat();
        (data[5], data[6]) = ((8 + to - from) as u8, 44);
        data
    };
    assert!(matches!(decoder.decode(&packet(RAW, &piece(0, 16, true))), Decoded::Other(Other::Fragment)));
    let last = piece(16, 40, false);
    let Decoded::Tcp(s) = decoder.decode(&packet(RAW, &last)) else { panic!() };
    assert_eq!((s.payload, s.ttl), (PAYLOAD, 55));
}

#[test]
fn what_is_no_tcp_is_named() {
    assert_eq!(decoded(ETHERNET, &ethernet(0x0806, &[0; 46])), Err(Other::NotIp));
    assert_eq!(decoded(RAW, &in_ip(1, &[8; 8])), Err(Other::Transport(1)));
    assert_eq!(decoded(220, &[0; 64]), Err(Other::Unsupported(LinkType(220))));
    assert_eq!(decoded(149, b"a private format"), Err(Other::Unsupported(LinkType(149))));
    assert_eq!(decoded(105, &[&[0x08, 0x41][..], &[0; 60]].concat()), Err(Other::Encrypted));
    assert_eq!(decoded(105, &[0x80; 64]), Err(Other::NotIp), "a beacon");
    assert_eq!(decoded(ETHERNET, &[0; 9]), Err(Other::Malformed(Layer::Link)));
    let mut short = v4();
    short[3] = 30;
    assert_eq!(decoded(RAW, &short), Err(Other::Malformed(Layer::Tcp)), "10 bytes by the IP header");
    let mut offset = v4();
    offset[32] = 0x40;
    assert_eq!(decoded(RAW, &offset), Err(Other::Malformed(Layer::Tcp)), "a data offset of 16");
}

#[test]
fn a_link_type_is_opened_exactly_where_it_is_said_to_be() {
    for link in (0..1000).map(LinkType) {
        let unsupported = matches!(decoded(link.0, &[0; 64]), Err(Other::Unsupported(_)));
        // USER2 is read where it is what Darwin wrote.
        assert!(unsupported != is_supported(link) || link == LinkType(149), "{link:?}");
    }
}

fn links() -> impl Strategy<Value = u32> {
    let read: Vec<u32> = (0..1000).filter(|&n| is_supported(LinkType(n))).collect();
    proptest::sample::select(read)
}

proptest! {
    #[test]
    fn no_bytes_of_any_link_type_panic(
        link in links(),
        data in proptest::collection::vec(any::<u8>(), 0..200),
        original_len in any::<u32>(),
        fcs_len in any::<u8>(),
    ) {
        Decoder::new().decode(&Packet { original_len, fcs_len, ..packet(link, &data) });
    }

    #[test]
    fn the_straight_line_leads_where_the_walk_does(
        six in any::<bool>(),
        changes in proptest::collection::vec((0..80usize, any::<u8>()), 0..4),
        end in 60..100usize,
        more in 0..3u32,
        fcs_len in 0..2u8,
    ) {
        let mut data = if six { ethernet(0x86DD, &v6()) } else { ethernet(0x0800, &v4()) };
        prop_assert!(plain::segment(&packet(ETHERNET, &data), |_, _, _| ()));
        for (at, to) in changes {
            if let Some(byte) = data.get_mut(at) {
                *byte = to;
            }
        }
        let original_len = data.len() as u32 + more;
        data.truncate(end);
        let packet = Packet { original_len, fcs_len, ..packet(ETHERNET, &data) };
        let (mut straight, mut walking) = (Decoder::new(), Decoder::new());
        prop_assert_eq!(format!("{:?}", straight.decode(&packet)), format!("{:?}", walking.walk(&packet)));
        prop_assert_eq!(format!("{:?}", straight.counters()), format!("{:?}", walking.counters()));
    }

    #[test]
    fn no_change_to_a_good_packet_panics_or_makes_bytes(
        which in 0..8usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        end in any::<prop::sample::Index>(),
    ) {
        let (four, frame) = (v4(), ethernet(0x0800, &v4()));
        let (link, mut data) = match which {
            0 => (ETHERNET, frame),
            1 => (RAW, v6()),
            2 => (ETHERNET, ethernet(0x8847, &behind(&[0, 0, 0, 64, 0, 0, 1, 64], &four))),
            3 => (RAW, in_udp(4789, &behind(&[8, 0, 0, 0, 0, 0, 1, 0], &frame))),
            4 => (RAW, in_udp(2152, &behind(&[0x36, 0xFF, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0x85, 1, 0, 0, 0], &four))),
            5 => (RAW, in_ip(47, &behind(&[0x30, 0, 8, 0, 0, 0, 0, 1, 0, 0, 0, 1], &four))),
            6 => (127, [&[0, 0, 8, 0, 0, 0, 0, 0, 0x88, 1][..], &[0; 24], &[0xAA, 0xAA, 3, 0, 0, 0, 8, 0], &four].concat()),
            _ => (113, behind(&[0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0], &four)),
        };
        for (at, to) in changes {
            let at = at.index(data.len());
            data[at] = to;
        }
        let original_len = data.len() as u32;
        data.truncate(end.index(data.len() + 1));
        let mut decoder = Decoder::new();
        if let Decoded::Tcp(s) = decoder.decode(&Packet { original_len, ..packet(link, &data) }) {
            prop_assert!(s.payload.len() <= data.len());
            prop_assert!(s.payload.len() <= s.declared_len as usize);
            let (all, payload) = (data.as_ptr_range(), s.payload.as_ptr_range());
            prop_assert!(s.payload.is_empty() || (all.start <= payload.start && payload.end <= all.end));
        }
        prop_assert_eq!(decoder.counters().packets(), 1);
    }
}
