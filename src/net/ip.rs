//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers, with IPv6's extension headers.

use super::decode::{Layer, Other};
use super::rest::Rest;
use crate::limits;
use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice, err};

/// Source, then destination, where they stand in the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Addresses<'a> {
    V4(&'a [u8; 4], &'a [u8; 4]),
    V6(&'a [u8; 16], &'a [u8; 16]),
}

/// What an IP header says of what it carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a> {
    pub addresses: Addresses<'a>,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// IPv4 identification; 0 for IPv6.
    pub id: u16,
    pub chain: Chain,
}

/// What follows an IP header and its extensions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    /// As the registry of protocol numbers has it.
    pub protocol: u8,
    /// Set where what follows is not the whole datagram.
    pub fragment: Option<Fragment>,
    /// A routing header is present: the destination is a stop on the way, so the TCP checksum, which is over the last
    /// one (RFC 8200 §8.1), cannot be told from it.
    pub routed: bool,
}

/// A piece of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fragment {
    /// Identification, 16 bits in IPv4.
    pub id: u32,
    /// Where it begins, in bytes.
    pub offset: usize,
    /// It is not the last.
    pub more: bool,
}

/// IPv4 in IP (RFC 2003).
pub(super) const IN_IPV4: u8 = 4;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
/// IPv6 in IP (RFC 4213).
pub(super) const IN_IPV6: u8 = 41;
pub(super) const GRE: u8 = 47;
/// Ethernet in IP (RFC 3378).
pub(super) const ETHERNET: u8 = 97;
/// MPLS in IP (RFC 4023).
pub(super) const MPLS: u8 = 137;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// Reads an IPv4 header and cuts `rest` to what it carries.
#[inline(always)]
pub(super) fn v4<'a>(rest: &mut Rest<'a>) -> Result<Header<'a>, Other> {
    let ip = Ipv4HeaderSlice::from_slice(rest.data).map_err(|error| match error {
        err::ipv4::HeaderSliceError::Len(len) => rest.short(len.required_len, Layer::Ipv4),
        err::ipv4::HeaderSliceError::Content(_) => Other::Malformed(Layer::Ipv4),
    })?;
    let header_len = ip.slice().len();
    match usize::from(ip.total_len()) {
        // Written by the network card only after the capture saw the packet (segmentation offload), or too large for
        // the field (BIG TCP): it goes to the end of the frame.
        0 => {}
        total if total < header_len => return Err(Other::Malformed(Layer::Ipv4)),
        total => rest.limit(total),
    }
    rest.skip(header_len, Layer::Ipv4)?;
    let fragment = if ip.is_fragmenting_payload() {
        let offset = usize::from(ip.fragments_offset().byte_offset());
        Some(Fragment { id: ip.identification().into(), offset, more: ip.more_fragments() })
    } else {
        None
    };
    let mut chain = Chain { protocol: ip.protocol().0, fragment, routed: false };
    if chain.protocol == AUTHENTICATION && chain.fragment.is_none() {
        chain = extensions(rest, chain.protocol)?;
    }
    let [_, _, _, source, destination, ..] = ip.slice().as_chunks().0 else {
        return Err(Other::Malformed(Layer::Ipv4));
    };
    let addresses = Addresses::V4(source, destination);
    Ok(Header { addresses, ttl: ip.ttl(), id: ip.identification(), chain })
}

/// Reads an IPv6 header with its extension headers, up to a fragment, and cuts `rest` to what it carries.
#[inline(always)]
pub(super) fn v6<'a>(rest: &mut Rest<'a>) -> Result<Header<'a>, Other> {
    let ip = Ipv6HeaderSlice::from_slice(rest.data).map_err(|error| match error {
        err::ipv6::HeaderSliceError::Len(len) => rest.short(len.required_len, Layer::Ipv6),
        err::ipv6::HeaderSliceError::Content(_) => Other::Malformed(Layer::Ipv6),
    })?;
    rest.skip(ip.slice().len(), Layer::Ipv6)?;
    match ip.payload_length() {
        // A jumbogram (RFC 2675) or segmentation offload: to the end of the frame.
        0 => {}
        length => rest.limit(length.into()),
    }
    let protocol = ip.next_header().0;
    let chain = match protocol {
        TCP => Chain { protocol, fragment: None, routed: false },
        _ => extensions(rest, protocol)?,
    };
    let Some(([source, destination], _)) = ip.slice().get(8..).map(<[u8]>::as_chunks) else {
        return Err(Other::Malformed(Layer::Ipv6));
    };
    Ok(Header { addresses: Addresses::V6(source, destination), ttl: ip.hop_limit(), id: 0, chain })
}

/// Passes extension headers (RFC 8200 §4), the first of them `protocol`, up to what is none, or to a fragment.
pub(super) fn extensions(rest: &mut Rest<'_>, protocol: u8) -> Result<Chain, Other> {
    let mut chain = Chain { protocol, fragment: None, routed: false };
    for _ in 0..limits::CHAIN {
        match chain.protocol {
            FRAGMENT => {
                let &[next, _, o1, o2, i1, i2, i3, i4] = rest.take(Layer::Ipv6)?;
                let word = u16::from_be_bytes([o1, o2]);
                let (offset, more) = (usize::from(word & 0xFFF8), word & 1 != 0);
                chain.protocol = next;
                // An atomic fragment (RFC 6946) is whole.
                if offset != 0 || more {
                    chain.fragment =
                        Some(Fragment { id: u32::from_be_bytes([i1, i2, i3, i4]), offset, more });
                    return Ok(chain);
                }
            }
            AUTHENTICATION => {
                let &[next, words] = rest.peek(Layer::Ipv6)?;
                rest.skip(usize::from(words).saturating_add(2).saturating_mul(4), Layer::Ipv6)?;
                chain.protocol = next;
            }
            HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY | HIP | SHIM6 => {
                let &[next, eights] = rest.peek(Layer::Ipv6)?;
                rest.skip(usize::from(eights).saturating_add(1).saturating_mul(8), Layer::Ipv6)?;
                chain.routed |= chain.protocol == ROUTING;
                chain.protocol = next;
            }
            _ => return Ok(chain),
        }
    }
    Err(Other::TooDeep)
}
