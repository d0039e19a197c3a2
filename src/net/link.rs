//! Link layers: from the first byte of a packet to what it carries.

use super::decode::{Layer, Next, Other};
use super::rest::Rest;
use super::wireless;
use crate::capture::LinkType;

/// Whether packets of this link type are read.
pub fn is_supported(link: LinkType) -> bool {
    matches!(
        link.0,
        NULL | ETHERNET
            | PPP
            | RAW_BSD
            | RAW_OPENBSD
            | PPP_HDLC
            | PPP_ETHER
            | ATM_RFC1483
            | RAW
            | C_HDLC
            | IEEE802_11
            | FRELAY
            | LOOP
            | ENC
            | LINUX_SLL
            | PFLOG
            | IEEE802_11_RADIOTAP
            | USER2
            | IEEE802_11_AVS
            | PPP_PPPD
            | PPI
            | PPP_WITH_DIR
            | C_HDLC_WITH_DIR
            | FRELAY_WITH_DIR
            | MPLS
            | IPV4
            | IPV6
            | NFLOG
            | PKTAP
            | LINUX_SLL2
    )
}

/// Passes what a link type puts before its payload.
#[inline(always)]
pub(super) fn open(link: LinkType, rest: &mut Rest<'_>) -> Result<Next, Other> {
    match link.0 {
        ETHERNET => Ok(Next::Ethernet),
        RAW | RAW_BSD | RAW_OPENBSD => Ok(Next::Ip),
        IPV4 => Ok(Next::Ipv4),
        IPV6 => Ok(Next::Ipv6),
        _ => uncommon(link, rest),
    }
}

#[inline(never)]
fn uncommon(link: LinkType, rest: &mut Rest<'_>) -> Result<Next, Other> {
    match link.0 {
        NULL | LOOP => loopback(rest),
        LINUX_SLL => cooked(rest),
        LINUX_SLL2 => {
            let head = rest.take::<20>(Layer::Link)?;
            Ok(cooked_protocol(u16::from_be_bytes([head[0], head[1]])))
        }
        PPP | PPP_HDLC => Ok(Next::Ppp),
        PPP_WITH_DIR => rest.skip(1, Layer::Link).map(|()| Next::Ppp),
        // One byte of direction stands in the place of HDLC's address.
        PPP_PPPD => rest.skip(2, Layer::Link).map(|()| Next::Ppp),
        PPP_ETHER => Ok(Next::Pppoe),
        C_HDLC => cisco(rest),
        C_HDLC_WITH_DIR => rest.skip(1, Layer::Link).and_then(|()| cisco(rest)),
        FRELAY => frame_relay(rest),
        FRELAY_WITH_DIR => rest.skip(1, Layer::Link).and_then(|()| frame_relay(rest)),
        ATM_RFC1483 => Ok(Next::Llc),
        IEEE802_11 => Ok(Next::Wireless { padded: false }),
        IEEE802_11_RADIOTAP => wireless::radiotap(rest),
        IEEE802_11_AVS => {
            let &[_, _, _, _, l1, l2, l3, l4] = rest.peek(Layer::Link)?;
            rest.skip(length(u32::from_be_bytes([l1, l2, l3, l4])), Layer::Link)?;
            Ok(Next::Wireless { padded: false })
        }
        PPI => {
            let &[_, _, l1, l2, t1, t2, t3, t4] = rest.peek(Layer::Link)?;
            rest.skip(u16::from_le_bytes([l1, l2]).into(), Layer::Link)?;
            inner(u32::from_le_bytes([t1, t2, t3, t4]), PPI)
        }
        MPLS => Ok(Next::Mpls),
        ENC => rest.skip(12, Layer::Link).map(|()| Next::Ip),
        PFLOG => {
            let &[len] = rest.peek(Layer::Link)?;
            // The length leaves out the padding to a word.
            rest.skip(usize::from(len).next_multiple_of(4), Layer::Link)?;
            Ok(Next::Ip)
        }
        NFLOG => nflog(rest),
        PKTAP => pktap(rest, PKTAP),
        USER2 => pktap(rest, USER2),
        _ => Err(Other::Unsupported(link)),
    }
}

/// The ether type of an Ethernet frame (IEEE 802.3 §3.2.6).
#[inline(always)]
pub(super) fn ethernet(rest: &mut Rest<'_>) -> Result<u16, Other> {
    let head = rest.take::<14>(Layer::Link)?;
    Ok(u16::from_be_bytes([head[12], head[13]]))
}

/// What an ether type stands for, behind any number of VLAN tags.
///
/// The VLAN does not become part of the flow's key: a mirror port shows the two directions of one connection in
/// different VLANs (before and after a router, or in the ingress and egress VLAN of a switch), or only one of them
/// tagged, and a connection torn in two is worse than two connections of equal addresses and ports taken for one.
#[inline(always)]
pub(super) fn ether_type(mut ether_type: u16, rest: &mut Rest<'_>) -> Result<Next, Other> {
    loop {
        return match ether_type {
            0x0800 => Ok(Next::Ipv4),
            0x86DD => Ok(Next::Ipv6),
            // 802.1Q, 802.1ad, and two that stood for the latter before it was one.
            0x8100 | 0x88A8 | 0x9100 | 0x9200 => {
                let &[_, _, high, low] = rest.take(Layer::Link)?;
                ether_type = u16::from_be_bytes([high, low]);
                continue;
            }
            // 802.1BR and Cisco's VN-Tag name a port of a virtual switch.
            0x8926 | 0x893F => {
                rest.skip(if ether_type == 0x8926 { 4 } else { 6 }, Layer::Link)?;
                ether_type = u16::from_be_bytes(*rest.take(Layer::Link)?);
                continue;
            }
            0x8847 | 0x8848 => Ok(Next::Mpls),
            0x8864 => Ok(Next::Pppoe),
            // Transparent Ethernet bridging (RFC 1701).
            0x6558 => Ok(Next::Ethernet),
            0x880B => Ok(Next::Ppp),
            // Up to here it is a length, and a LLC header follows; jumbo frames have a type for it.
            0..=1500 | 0x8870 => Ok(Next::Llc),
            _ => Err(Other::NotIp),
        };
    }
}

/// LLC (IEEE 802.2) with SNAP (RFC 1042), as 802.3 and 802.11 have it, and bridged frames (RFC 2684 §5.2).
pub(super) fn llc(rest: &mut Rest<'_>) -> Result<Next, Other> {
    match *rest.take::<3>(Layer::Link)? {
        [0xAA, 0xAA, 0x03] => {
            let &[o1, o2, o3, high, low] = rest.take(Layer::Link)?;
            match ([o1, o2, o3], u16::from_be_bytes([high, low])) {
                ([0, 0, 0] | [0, 0, 0xF8], ether_type) => Ok(Next::EtherType(ether_type)),
                ([0x00, 0x80, 0xC2], 1 | 7) => rest.skip(2, Layer::Link).map(|()| Next::Ethernet),
                _ => Err(Other::NotIp),
            }
        }
        [0x06, 0x06, 0x03] => Ok(Next::Ipv4),
        _ => Err(Other::NotIp),
    }
}

/// PPP (RFC 1661), with or without HDLC framing (RFC 1662), fields compressed or not.
pub(super) fn ppp(rest: &mut Rest<'_>) -> Result<Next, Other> {
    match rest.data {
        [0xFF, 0x03, ..] => rest.skip(2, Layer::Link)?,
        // Cisco's framing, on a link that was opened as PPP.
        [0x0F | 0x8F, 0x00, ..] => return cisco(rest),
        _ => {}
    }
    // A protocol's last byte is odd, its first one even: so a first one that is odd is also the last.
    let &[first] = rest.take(Layer::Link)?;
    let protocol = if first & 1 == 1 {
        u16::from(first)
    } else {
        let &[second] = rest.take(Layer::Link)?;
        u16::from_be_bytes([first, second])
    };
    match protocol {
        0x0021 => Ok(Next::Ipv4),
        0x0057 => Ok(Next::Ipv6),
        0x0281 | 0x0283 => Ok(Next::Mpls),
        _ => Err(Other::NotIp),
    }
}

/// BSD loopback: an address family in the byte order of the machine that captured, or (LOOP) of the network.
fn loopback(rest: &mut Rest<'_>) -> Result<Next, Other> {
    let head = *rest.take::<4>(Layer::Link)?;
    // Families are small, so the order in which the number is small is the right one.
    match u32::from_be_bytes(head).min(u32::from_le_bytes(head)) {
        2 => Ok(Next::Ipv4),
        // AF_INET6 of Linux, Windows, NetBSD and OpenBSD, Solaris, FreeBSD, Darwin.
        10 | 23 | 24 | 26 | 28 | 30 => Ok(Next::Ipv6),
        _ => Err(Other::NotIp),
    }
}

/// Linux's cooked header, version 1.
fn cooked(rest: &mut Rest<'_>) -> Result<Next, Other> {
    let head = rest.take::<16>(Layer::Link)?;
    Ok(cooked_protocol(u16::from_be_bytes([head[14], head[15]])))
}

/// Linux writes numbers of its own below the ether types; 4 is a frame with an LLC header.
fn cooked_protocol(protocol: u16) -> Next {
    Next::EtherType(if protocol != 4 && protocol <= 1500 { NOT_IP } else { protocol })
}

/// Cisco HDLC: address, control, ether type.
fn cisco(rest: &mut Rest<'_>) -> Result<Next, Other> {
    let &[_, _, high, low] = rest.take(Layer::Link)?;
    Ok(Next::EtherType(u16::from_be_bytes([high, low])))
}

/// Frame relay with an address of two to four bytes (RFC 2427).
fn frame_relay(rest: &mut Rest<'_>) -> Result<Next, Other> {
    let address = rest.data.iter().take(4).take_while(|&byte| byte & 1 == 0).count().saturating_add(1);
    rest.skip(address, Layer::Link)?;
    let &[control, after] = rest.peek(Layer::Link)?;
    match control {
        3 => rest.skip(if after == 0 { 2 } else { 1 }, Layer::Link)?,
        // Cisco's encapsulation has an ether type here.
        _ => {
            return rest
                .take::<2>(Layer::Link)
                .map(|&ether_type| Next::EtherType(u16::from_be_bytes(ether_type)));
        }
    }
    match *rest.take::<1>(Layer::Link)? {
        [0xCC] => Ok(Next::Ipv4),
        [0x8E] => Ok(Next::Ipv6),
        [0x80] => {
            let &[o1, o2, o3, high, low] = rest.take(Layer::Link)?;
            match ([o1, o2, o3], u16::from_be_bytes([high, low])) {
                ([0, 0, 0], ether_type) => Ok(Next::EtherType(ether_type)),
                ([0x00, 0x80, 0xC2], 1 | 7) => Ok(Next::Ethernet),
                _ => Err(Other::NotIp),
            }
        }
        _ => Err(Other::NotIp),
    }
}

/// Linux's netfilter log: attributes in the byte order of the machine that captured, one of which is the packet.
fn nflog(rest: &mut Rest<'_>) -> Result<Next, Other> {
    const PAYLOAD: u16 = 9;
    rest.skip(4, Layer::Link)?;
    loop {
        let &[l1, l2, t1, t2] = rest.peek(Layer::Link)?;
        // Types are below 256, so the zero byte of the type tells the order.
        let (len, kind) = match t1 {
            0 => (u16::from_be_bytes([l1, l2]), u16::from_be_bytes([t1, t2])),
            _ => (u16::from_le_bytes([l1, l2]), u16::from_le_bytes([t1, t2])),
        };
        let len = usize::from(len);
        if len < 4 {
            return Err(Other::Malformed(Layer::Link));
        }
        if kind == PAYLOAD {
            rest.limit(len);
            return rest.skip(4, Layer::Link).map(|()| Next::Ip);
        }
        rest.skip(len.next_multiple_of(4), Layer::Link)?;
    }
}

/// Darwin's header that names the interface: its length and the link type behind it, both little-endian. It was
/// captured as USER2 before it had a number, and others may mean something else by that one.
fn pktap(rest: &mut Rest<'_>, own: u32) -> Result<Next, Other> {
    let &[l1, l2, l3, l4, _, _, _, _, t1, t2, t3, t4] = rest.peek(Layer::Link)?;
    let len = length(u32::from_le_bytes([l1, l2, l3, l4]));
    if !(12..=1024).contains(&len) {
        return Err(if own == USER2 {
            Other::Unsupported(LinkType(own))
        } else {
            Other::Malformed(Layer::Link)
        });
    }
    rest.skip(len, Layer::Link)?;
    inner(u32::from_le_bytes([t1, t2, t3, t4]), own)
}

/// A link type inside another; one inside itself is nothing that anybody writes.
fn inner(link: u32, outer: u32) -> Result<Next, Other> {
    if link == outer { Err(Other::Malformed(Layer::Link)) } else { Ok(Next::Link(LinkType(link))) }
}

fn length(field: u32) -> usize {
    usize::try_from(field).unwrap_or(usize::MAX)
}

/// An ether type that nobody has.
const NOT_IP: u16 = 0xFFFF;

pub(super) const NULL: u32 = 0;
pub(super) const ETHERNET: u32 = 1;
pub(super) const PPP: u32 = 9;
pub(super) const RAW_BSD: u32 = 12;
pub(super) const RAW_OPENBSD: u32 = 14;
pub(super) const PPP_HDLC: u32 = 50;
pub(super) const PPP_ETHER: u32 = 51;
pub(super) const ATM_RFC1483: u32 = 100;
pub(super) const RAW: u32 = 101;
pub(super) const C_HDLC: u32 = 104;
pub(super) const IEEE802_11: u32 = 105;
pub(super) const FRELAY: u32 = 107;
pub(super) const LOOP: u32 = 108;
pub(super) const ENC: u32 = 109;
pub(super) const LINUX_SLL: u32 = 113;
pub(super) const PFLOG: u32 = 117;
pub(super) const IEEE802_11_RADIOTAP: u32 = 127;
pub(super) const USER2: u32 = 149;
pub(super) const IEEE802_11_AVS: u32 = 163;
pub(super) const PPP_PPPD: u32 = 166;
pub(super) const PPI: u32 = 192;
pub(super) const PPP_WITH_DIR: u32 = 204;
pub(super) const C_HDLC_WITH_DIR: u32 = 205;
pub(super) const FRELAY_WITH_DIR: u32 = 206;
pub(super) const MPLS: u32 = 219;
pub(super) const IPV4: u32 = 228;
pub(super) const IPV6: u32 = 229;
pub(super) const NFLOG: u32 = 239;
pub(super) const PKTAP: u32 = 258;
pub(super) const LINUX_SLL2: u32 = 276;
