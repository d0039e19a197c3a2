//! Tunnels: packets inside packets.
//!
//! The identity of a tunnel becomes part of the flow's key where it keeps two networks apart that may use the
//! same addresses, and only where both directions carry the same one: a VNI, a PPPoE session, a GRE key. Left out are
//! MPLS labels and the identities of GTP and L2TP, which each direction chooses for itself, and an ERSPAN session, which may
//! mirror one direction only. A tunnel without identity changes nothing, for it often carries one direction only
//! (a load balancer's IP-in-IP, whose answers go straight back).

use super::decode::{Layer, Next, Other};
use super::rest::Rest;
use crate::limits;

/// The tunnels that a packet came through.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Tunnel {
    /// Their identities, mixed; 0 for none.
    pub tag: u32,
    /// There was one, with an identity or without.
    pub entered: bool,
}

impl Tunnel {
    /// Notes one more, and hands on what it carries.
    pub fn enter(&mut self, (next, identity): (Next, Option<u32>)) -> Next {
        self.entered = true;
        if let Some(identity) = identity {
            self.tag = fold(self.tag, identity);
        }
        next
    }
}

/// Mixes one more identity into the tag of a flow, never to 0. Two tunnels may get one tag: then two connections are
/// mixed up only where also all addresses and ports are equal.
fn fold(tag: u32, identity: u32) -> u32 {
    // The multiplier is 2^32 divided by the golden ratio, which spreads small numbers well.
    (tag.rotate_left(5) ^ identity).wrapping_add(1).wrapping_mul(0x9E37_79B1).max(1)
}

/// What a UDP datagram carries when its destination is a port of a tunnel, and the tunnel's identity.
///
/// Where the bytes do not look like the tunnel, the datagram is what it seems, UDP.
pub(super) fn udp(rest: &mut Rest<'_>) -> Result<(Next, Option<u32>), Other> {
    let &[_, _, high, low, ..] = rest.take::<8>(Layer::Udp)?;
    match u16::from_be_bytes([high, low]) {
        // VXLAN (RFC 7348), and the port Linux had for it before.
        4789 | 8472 => vxlan(rest),
        4790 => vxlan_gpe(rest),
        6081 => geneve(rest),
        2152 => gtp(rest).map(|next| (next, None)),
        1701 => l2tp(rest).map(|next| (next, None)),
        // MPLS (RFC 7510) and GRE (RFC 8086) in UDP.
        6635 => Ok((Next::Mpls, None)),
        4754 => Ok((Next::Gre, None)),
        _ if begins_quic(rest.data) => Err(Other::Quic),
        _ => Err(Other::Udp),
    }
}

/// Whether a datagram begins with an Initial packet of QUIC: a long header of version 1 (RFC 9000 §17.2.2) or 2 (RFC 9369
/// §3.2), and a connection ID of at least eight bytes, as a client's first one has.
fn begins_quic(datagram: &[u8]) -> bool {
    match *datagram {
        [first, 0, 0, 0, 1, len, ..] => first & 0xF0 == 0xC0 && (8..=20).contains(&len),
        [first, 0x6B, 0x33, 0x43, 0xCF, len, ..] => first & 0xF0 == 0xD0 && (8..=20).contains(&len),
        _ => false,
    }
}

/// VXLAN (RFC 7348 §5).
fn vxlan(rest: &mut Rest<'_>) -> Result<(Next, Option<u32>), Other> {
    match *rest.take(Layer::Tunnel)? {
        [flags, _, _, _, v1, v2, v3, _] if flags & 0x08 != 0 => {
            Ok((Next::Ethernet, Some(network(v1, v2, v3))))
        }
        _ => Err(Other::Udp),
    }
}

/// VXLAN with a next protocol (draft-ietf-nvo3-vxlan-gpe).
fn vxlan_gpe(rest: &mut Rest<'_>) -> Result<(Next, Option<u32>), Other> {
    let &[flags, _, _, protocol, v1, v2, v3, _] = rest.take(Layer::Tunnel)?;
    let next = match protocol {
        _ if flags & 0x08 == 0 => return Err(Other::Udp),
        1 => Next::Ipv4,
        2 => Next::Ipv6,
        _ if flags & 0x04 == 0 => Next::Ethernet,
        3 => Next::Ethernet,
        _ => return Err(Other::NotIp),
    };
    Ok((next, Some(network(v1, v2, v3))))
}

/// Geneve (RFC 8926 §3.4).
fn geneve(rest: &mut Rest<'_>) -> Result<(Next, Option<u32>), Other> {
    let &[lengths, _, high, low, v1, v2, v3, _] = rest.take(Layer::Tunnel)?;
    if lengths >> 6 != 0 {
        return Err(Other::Udp);
    }
    rest.skip(usize::from(lengths & 0x3F).saturating_mul(4), Layer::Tunnel)?;
    Ok((Next::EtherType(u16::from_be_bytes([high, low])), Some(network(v1, v2, v3))))
}

/// GTP-U, version 1 (3GPP TS 29.281 §5.1).
fn gtp(rest: &mut Rest<'_>) -> Result<Next, Other> {
    const USER_DATA: u8 = 0xFF;
    const EXTENSION: u8 = 0x04;
    const OPTIONAL: u8 = 0x07;
    let &[flags, kind, ..] = rest.take::<8>(Layer::Tunnel)?;
    if flags & 0xF0 != 0x30 || kind != USER_DATA {
        return Err(Other::Udp);
    }
    if flags & OPTIONAL == 0 {
        return Ok(Next::Ip);
    }
    let &[_, _, _, next] = rest.take(Layer::Tunnel)?;
    let mut extension = if flags & EXTENSION != 0 { next } else { 0 };
    for _ in 0..limits::CHAIN {
        if extension == 0 {
            return Ok(Next::Ip);
        }
        // Its length in words, first and last byte included; the last byte is the next one's type.
        let &[words] = rest.peek(Layer::Tunnel)?;
        let len = usize::from(words).saturating_mul(4);
        let last = len.checked_sub(1).ok_or(Other::Malformed(Layer::Tunnel))?;
        extension = *rest.data.get(last).ok_or_else(|| rest.short(len, Layer::Tunnel))?;
        rest.skip(len, Layer::Tunnel)?;
    }
    Err(Other::TooDeep)
}

/// L2TP, version 2, a data message (RFC 2661 §3.1). Each end chooses the identities under which it receives.
fn l2tp(rest: &mut Rest<'_>) -> Result<Next, Other> {
    const CONTROL: u8 = 0x80;
    const LENGTH: u8 = 0x40;
    const SEQUENCE: u8 = 0x08;
    const OFFSET: u8 = 0x02;
    let &[flags, version] = rest.take(Layer::Tunnel)?;
    if version & 0x0F != 2 || flags & CONTROL != 0 {
        return Err(Other::Udp);
    }
    let optional = |flag: u8, len: usize| if flags & flag != 0 { len } else { 0 };
    rest.skip(optional(LENGTH, 2).saturating_add(4).saturating_add(optional(SEQUENCE, 4)), Layer::Tunnel)?;
    if flags & OFFSET != 0 {
        let offset = u16::from_be_bytes(*rest.take(Layer::Tunnel)?);
        rest.skip(offset.into(), Layer::Tunnel)?;
    }
    Ok(Next::Ppp)
}

/// GRE (RFC 2784, RFC 2890), its enhanced form (RFC 2637), and ERSPAN in it.
pub(super) fn gre(rest: &mut Rest<'_>) -> Result<(Next, Option<u32>), Other> {
    const CHECKSUM: u8 = 0x80;
    const ROUTING: u8 = 0x40;
    const KEY: u8 = 0x20;
    const SEQUENCE: u8 = 0x10;
    const ACKNOWLEDGMENT: u8 = 0x80;
    const ETHERNET: u16 = 0x6558;
    const ERSPAN: u16 = 0x88BE;
    const ERSPAN_III: u16 = 0x22EB;
    let &[flags, version, high, low] = rest.take(Layer::Tunnel)?;
    if flags & ROUTING != 0 || version & 0x07 > 1 {
        return Err(Other::Transport(47));
    }
    let protocol = u16::from_be_bytes([high, low]);
    if flags & CHECKSUM != 0 {
        rest.skip(4, Layer::Tunnel)?;
    }
    let mut key = None;
    if flags & KEY != 0 {
        key = Some(u32::from_be_bytes(*rest.take(Layer::Tunnel)?));
    }
    if flags & SEQUENCE != 0 {
        rest.skip(4, Layer::Tunnel)?;
    }
    if version & 0x07 == 1 {
        // PPTP: the key is a length and the call of one direction.
        key = None;
        if version & ACKNOWLEDGMENT != 0 {
            rest.skip(4, Layer::Tunnel)?;
        }
    }
    match protocol {
        // NVGRE's lowest byte is a hash of the flow (RFC 7637 §3.2), which each direction computes for itself.
        ETHERNET => Ok((Next::Ethernet, key.map(|key| key >> 8))),
        // Type I has no header, type II has one and always a sequence number (draft-foschiano-erspan §4).
        ERSPAN => {
            if flags & SEQUENCE != 0 {
                rest.skip(8, Layer::Tunnel)?;
            }
            Ok((Next::Ethernet, None))
        }
        ERSPAN_III => {
            const IP_FRAME: u8 = 2;
            let head = rest.take::<12>(Layer::Tunnel)?;
            if head[11] & 1 != 0 {
                rest.skip(8, Layer::Tunnel)?;
            }
            let frame = (head[10] >> 2) & 0x1F;
            Ok((if frame == IP_FRAME { Next::Ip } else { Next::Ethernet }, None))
        }
        _ => Ok((Next::EtherType(protocol), key)),
    }
}

/// An MPLS label stack (RFC 3032), which does not say what it carries: IP by its version, or an Ethernet pseudowire
/// with or without a control word (RFC 4448 §4.6).
pub(super) fn mpls(rest: &mut Rest<'_>) -> Result<Next, Other> {
    for _ in 0..limits::CHAIN {
        let &[_, _, bottom, _] = rest.take(Layer::Tunnel)?;
        if bottom & 1 == 0 {
            continue;
        }
        return Ok(match rest.data {
            data if is_ip(data, rest.sent()) => Next::Ip,
            data if is_frame(data) => Next::Ethernet,
            [0x00..=0x0F, _, _, _, frame @ ..] if is_frame(frame) => {
                rest.skip(4, Layer::Tunnel)?;
                Next::Ethernet
            }
            // Its length is wrong or left to the network card.
            [first, ..] if matches!(first >> 4, 4 | 6) => Next::Ip,
            _ => return Err(Other::NotIp),
        });
    }
    Err(Other::TooDeep)
}

/// Whether bytes begin like an IP header whose length fits what was sent.
fn is_ip(data: &[u8], sent: usize) -> bool {
    match *data {
        [0x45..=0x4F, _, high, low, ..] => {
            (20..=sent).contains(&usize::from(u16::from_be_bytes([high, low])))
        }
        [0x60..=0x6F, _, _, _, high, low, ..] => {
            usize::from(u16::from_be_bytes([high, low])) <= sent.saturating_sub(40)
        }
        _ => false,
    }
}

/// Whether bytes begin like an Ethernet frame with something that is read here.
fn is_frame(data: &[u8]) -> bool {
    match data.get(12..15) {
        Some([0x08, 0x00, first]) => first >> 4 == 4,
        Some([0x86, 0xDD, first]) => first >> 4 == 6,
        Some([0x81, 0x00, _] | [0x88, 0xA8, _] | [0x88, 0x64, 0x11] | [0x88, 0x47, _]) => true,
        _ => false,
    }
}

/// PPP over Ethernet, session stage (RFC 2516 §4).
pub(super) fn pppoe(rest: &mut Rest<'_>) -> Result<(Next, Option<u32>), Other> {
    match *rest.take(Layer::Tunnel)? {
        [0x11, 0, s1, s2, l1, l2] => {
            rest.limit(u16::from_be_bytes([l1, l2]).into());
            Ok((Next::Ppp, Some(u16::from_be_bytes([s1, s2]).into())))
        }
        [0x11, ..] => Err(Other::NotIp),
        _ => Err(Other::Malformed(Layer::Tunnel)),
    }
}

fn network(a: u8, b: u8, c: u8) -> u32 {
    u32::from_be_bytes([0, a, b, c])
}
