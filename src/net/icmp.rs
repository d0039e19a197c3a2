//! ICMP (RFC 792) and ICMPv6 (RFC 4443) errors that quote a TCP segment: a router, a firewall or a host tells a sender that
//! its packet did not arrive.

use super::decode::Layer;
use super::endpoint::{FlowKey, Side};
use super::ip::{self, Addresses, Header};
use super::rest::Rest;
use etherparse::icmpv4::{DestUnreachableHeader as V4, TimeExceededCode as ExceededV4};
use etherparse::icmpv6::{DestUnreachableCode as V6, TimeExceededCode as ExceededV6};
use etherparse::{Icmpv4Slice, Icmpv4Type, Icmpv6Slice, Icmpv6Type};
use std::net::IpAddr;

/// An error about one TCP segment, as its sender is told of it. Anybody can forge one (RFC 5927 §4): it says what its own
/// sender says, and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IcmpError {
    /// The flow of the segment that it quotes.
    pub key: FlowKey,
    /// Which end of the flow sent that segment.
    pub from: Side,
    /// The segment's sequence number.
    pub seq: u32,
    /// Who says so, and what.
    pub says: Icmp,
}

/// What an ICMP error says, and who says it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Icmp {
    /// The source of the error: a router, a firewall, or the host that was called.
    pub by: IpAddr,
    /// What it means.
    pub kind: IcmpKind,
    /// Type and code as written.
    pub code: (u8, u8),
}

impl Icmp {
    /// As people and manuals call it.
    pub fn name(&self) -> &'static str {
        match (self.kind, self.by) {
            (IcmpKind::NoRoute, _) => "network unreachable",
            (IcmpKind::NoHost, _) => "host unreachable",
            (IcmpKind::NoPort, _) => "port unreachable",
            (IcmpKind::Prohibited, _) => "administratively prohibited",
            (IcmpKind::TooBig { .. }, IpAddr::V4(_)) => "fragmentation needed",
            (IcmpKind::TooBig { .. }, IpAddr::V6(_)) => "packet too big",
            (IcmpKind::Expired, IpAddr::V4(_)) => "time to live exceeded",
            (IcmpKind::Expired, IpAddr::V6(_)) => "hop limit exceeded",
            (IcmpKind::Other, _) => "not delivered",
        }
    }
}

/// What ICMP and ICMPv6 both know under different numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IcmpKind {
    /// No route leads to the network.
    NoRoute,
    /// The network is reached, and the host does not answer there.
    NoHost,
    /// Nothing takes packets for that port; for TCP it is the word of a firewall, as a host would send a RST.
    NoPort,
    /// A filter refuses the packet.
    Prohibited,
    /// The next link takes no packet of that size.
    TooBig {
        /// The size that it takes, where that is told.
        mtu: Option<u32>,
    },
    /// The packet passed more routers than it may: it went round in a circle, mostly.
    Expired,
    /// Some other reason for which it was not delivered.
    Other,
}

/// ICMP, in the registry of protocol numbers.
pub(super) const ICMP: u8 = 1;
pub(super) const ICMP6: u8 = 58;

/// The error in what an IP header carries; `None` where it is another message, or quotes no TCP segment. `tag` is that of the
/// tunnels around it, which are around the flow as well.
#[cold]
pub(super) fn error(rest: Rest<'_>, header: &Header<'_>, tag: u32) -> Option<IcmpError> {
    let mut quote = rest;
    let (by, kind, code) = match (header.addresses, header.chain.protocol) {
        (Addresses::V4(source, _), ICMP) => {
            let icmp = Icmpv4Slice::from_slice(rest.data).ok()?;
            (IpAddr::from(*source), v4(icmp.icmp_type())?, (icmp.type_u8(), icmp.code_u8()))
        }
        (Addresses::V6(source, _), ICMP6) => {
            let icmp = Icmpv6Slice::from_slice(rest.data).ok()?;
            (IpAddr::from(*source), v6(icmp.icmp_type())?, (icmp.type_u8(), icmp.code_u8()))
        }
        _ => return None,
    };
    quote.skip(HEADER, Layer::Icmp).ok()?;
    let quoted = match header.addresses {
        Addresses::V4(..) => ip::v4(&mut quote).ok()?,
        Addresses::V6(..) => ip::v6(&mut quote).ok()?,
    };
    // Only the first fragment has the ports.
    let is_first = quoted.chain.fragment.is_none_or(|fragment| fragment.offset == 0);
    if quoted.chain.protocol != ip::TCP || !is_first {
        return None;
    }
    // A router quotes eight bytes at least (RFC 792), which is all that is needed.
    let &[s1, s2, d1, d2, q1, q2, q3, q4] = quote.peek(Layer::Tcp).ok()?;
    let (source, destination) = (u16::from_be_bytes([s1, s2]), u16::from_be_bytes([d1, d2]));
    let (key, from) = match quoted.addresses {
        Addresses::V4(from, to) => FlowKey::v4((*from, source), (*to, destination), tag),
        Addresses::V6(from, to) => FlowKey::v6((*from, source), (*to, destination), tag),
    };
    Some(IcmpError { key, from, seq: u32::from_be_bytes([q1, q2, q3, q4]), says: Icmp { by, kind, code } })
}

fn v4(message: Icmpv4Type) -> Option<IcmpKind> {
    Some(match message {
        Icmpv4Type::DestinationUnreachable(why) => match why {
            V4::Network | V4::NetworkUnknown | V4::TosNetwork => IcmpKind::NoRoute,
            V4::Host | V4::HostUnknown | V4::TosHost => IcmpKind::NoHost,
            V4::Port => IcmpKind::NoPort,
            V4::NetworkProhibited | V4::HostProhibited | V4::FilterProhibited => IcmpKind::Prohibited,
            // Routers from before RFC 1191 leave it 0.
            V4::FragmentationNeeded { next_hop_mtu } => {
                IcmpKind::TooBig { mtu: Some(next_hop_mtu.into()).filter(|&mtu| mtu > 0) }
            }
            _ => IcmpKind::Other,
        },
        Icmpv4Type::TimeExceeded(ExceededV4::TtlExceededInTransit) => IcmpKind::Expired,
        Icmpv4Type::TimeExceeded(_) => IcmpKind::Other,
        _ => return None,
    })
}

fn v6(message: Icmpv6Type) -> Option<IcmpKind> {
    Some(match message {
        Icmpv6Type::DestinationUnreachable(why) => match why {
            V6::NoRoute | V6::RejectRoute => IcmpKind::NoRoute,
            V6::Address => IcmpKind::NoHost,
            V6::Port => IcmpKind::NoPort,
            V6::Prohibited | V6::SourceAddressFailedPolicy => IcmpKind::Prohibited,
            V6::BeyondScope => IcmpKind::Other,
        },
        Icmpv6Type::PacketTooBig { mtu } => IcmpKind::TooBig { mtu: Some(mtu).filter(|&mtu| mtu > 0) },
        Icmpv6Type::TimeExceeded(ExceededV6::HopLimitExceeded) => IcmpKind::Expired,
        Icmpv6Type::TimeExceeded(_) => IcmpKind::Other,
        _ => return None,
    })
}

/// Bytes before the quoted packet, in both versions.
const HEADER: usize = 8;
