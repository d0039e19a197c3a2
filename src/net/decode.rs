//! The walk from a packet's first byte to its TCP segment.

use super::counters::Counters;
use super::endpoint::FlowKey;
use super::fragments::{Fragments, Key};
use super::icmp::{self, IcmpError};
use super::ip::{self, Addresses, Chain, Fragment, Header};
use super::rest::Rest;
use super::segment::{Flags, Segment};
use super::tunnel::{self, Tunnel};
use super::{checksum, link, plain, wireless};
use crate::capture::{LinkType, Packet};
use crate::limits;
use etherparse::{TcpHeader, TcpHeaderSlice, err};
use std::fmt;

/// Finds TCP segments in packets; keeps fragments until their datagram is complete, and counts.
#[derive(Default)]
pub struct Decoder {
    counters: Counters,
    fragments: Fragments,
}

/// What one packet was.
#[derive(Clone, Copy, Debug)]
pub enum Decoded<'a> {
    /// A TCP segment.
    Tcp(Segment<'a>),
    /// An ICMP error about one.
    Icmp(IcmpError),
    /// Something else.
    Other(Other),
}

/// What a packet was that held no TCP segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Other {
    /// A UDP datagram.
    Udp,
    /// One that begins a QUIC connection, as HTTP/3 does.
    Quic,
    /// IP with another protocol, by its number.
    Transport(u8),
    /// No IP.
    NotIp,
    /// An encrypted 802.11 frame.
    Encrypted,
    /// An IP fragment whose datagram is not complete.
    Fragment,
    /// A link type that is not read.
    Unsupported(LinkType),
    /// The capture ends inside the headers of this layer.
    Cut(Layer),
    /// The headers of this layer contradict themselves.
    Malformed(Layer),
    /// Too many headers in each other.
    TooDeep,
}

/// Where in a packet something was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layer {
    /// The link layer, with VLAN tags, LLC and PPP.
    Link,
    /// A tunnel's header.
    Tunnel,
    /// IPv4.
    Ipv4,
    /// IPv6 and its extension headers.
    Ipv6,
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// ICMP and ICMPv6.
    Icmp,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layer::Link => "link layer",
            Layer::Tunnel => "tunnel",
            Layer::Ipv4 => "IPv4",
            Layer::Ipv6 => "IPv6",
            Layer::Udp => "UDP",
            Layer::Tcp => "TCP",
            Layer::Icmp => "ICMP",
        })
    }
}

/// The header that comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    Link(LinkType),
    Ethernet,
    EtherType(u16),
    Llc,
    /// IEEE 802.11, its header padded to a word or not.
    Wireless {
        padded: bool,
    },
    Ppp,
    Pppoe,
    Mpls,
    Gre,
    /// By its version.
    Ip,
    Ipv4,
    Ipv6,
}

impl Decoder {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Finds the segment of a packet. It borrows from the packet, or from the decoder where it came in fragments.
    #[inline(always)]
    pub fn decode<'a>(&'a mut self, packet: &Packet<'a>) -> Decoded<'a> {
        let (counters, mut found) = (&mut self.counters, None);
        plain::segment(packet, |segment, bytes, addresses| {
            count(bytes, addresses, counters);
            found = Some(*segment);
        });
        found.map_or_else(|| self.walk(packet), Decoded::Tcp)
    }

    /// Hands on the segment of a packet, where it holds one: as [`Decoder::decode`] finds it, but where it was made. A copy
    /// would wait for the stores of its fields, which costs as much as finding it. Gives the ICMP error, where it is one.
    #[inline(always)]
    pub fn segment(&mut self, packet: &Packet<'_>, mut take: impl FnMut(&Segment<'_>)) -> Option<IcmpError> {
        let counters = &mut self.counters;
        let is_plain = plain::segment(packet, |segment, bytes, addresses| {
            count(bytes, addresses, counters);
            take(segment);
        });
        if is_plain {
            return None;
        }
        match self.walk(packet) {
            Decoded::Tcp(segment) => take(&segment),
            Decoded::Icmp(error) => return Some(error),
            Decoded::Other(_) => {}
        }
        None
    }

    /// The same for any packet.
    #[inline(never)]
    pub(super) fn walk<'a>(&'a mut self, packet: &Packet<'a>) -> Decoded<'a> {
        let Decoder { counters, fragments } = self;
        match walk(packet, counters, fragments) {
            Ok(decoded) => {
                let field = match decoded {
                    Decoded::Icmp(_) => &mut counters.other_ip,
                    _ => &mut counters.tcp,
                };
                *field = field.saturating_add(1);
                decoded
            }
            Err(other) => {
                counters.count(other);
                Decoded::Other(other)
            }
        }
    }

    /// What was seen so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// Counts a segment that the straight line found.
#[inline(always)]
fn count(bytes: &[u8], addresses: Addresses<'_>, counters: &mut Counters) {
    if counters.checksums_checked < limits::CHECKSUMS {
        check(bytes, addresses, counters);
    }
    counters.tcp = counters.tcp.saturating_add(1);
}

#[inline(always)]
fn walk<'a>(
    packet: &Packet<'a>,
    counters: &mut Counters,
    fragments: &'a mut Fragments,
) -> Result<Decoded<'a>, Other> {
    // One reassembly a packet: what it gives borrows from the table, and fragments in fragments do not occur.
    let mut fragments = Some(fragments);
    let mut rest = Rest::of(packet);
    let mut tunnel = Tunnel::default();
    let mut next = link::open(packet.link, &mut rest)?;
    for _ in 0..limits::LAYERS {
        let mut header = match next {
            Next::Ipv4 => ip::v4(&mut rest)?,
            Next::Ipv6 => ip::v6(&mut rest)?,
            Next::Ip => match rest.data.first().map(|first| first >> 4) {
                Some(6) => ip::v6(&mut rest)?,
                _ => ip::v4(&mut rest)?,
            },
            _ => {
                next = match next {
                    Next::Ethernet => {
                        let ether_type = link::ethernet(&mut rest)?;
                        link::ether_type(ether_type, &mut rest)?
                    }
                    Next::EtherType(ether_type) => link::ether_type(ether_type, &mut rest)?,
                    Next::Link(link) => link::open(link, &mut rest)?,
                    Next::Llc => link::llc(&mut rest)?,
                    Next::Wireless { padded } => {
                        let (next, aggregate) = wireless::frame(&mut rest, padded)?;
                        counters.aggregates = counters.aggregates.saturating_add(aggregate.into());
                        next
                    }
                    Next::Ppp => link::ppp(&mut rest)?,
                    Next::Pppoe => tunnel.enter(tunnel::pppoe(&mut rest)?),
                    Next::Mpls => tunnel.enter((tunnel::mpls(&mut rest)?, None)),
                    Next::Gre => tunnel.enter(tunnel::gre(&mut rest)?),
                    Next::Ip | Next::Ipv4 | Next::Ipv6 => next,
                };
                continue;
            }
        };
        if let Some(fragment) = header.chain.fragment {
            let Some(table) = fragments.take() else { return Err(Other::Fragment) };
            (rest, header.chain) = reassemble(table, &header, fragment, tunnel.tag, rest, packet, counters)?;
        }
        next = match header.chain.protocol {
            ip::TCP => return segment(rest, &header, tunnel, counters).map(Decoded::Tcp),
            ip::UDP => tunnel.enter(tunnel::udp(&mut rest)?),
            ip::IN_IPV4 => tunnel.enter((Next::Ipv4, None)),
            ip::IN_IPV6 => tunnel.enter((Next::Ipv6, None)),
            ip::GRE => tunnel.enter((Next::Gre, None)),
            ip::MPLS => tunnel.enter((Next::Mpls, None)),
            // RFC 3378: two bytes of version and nothing.
            ip::ETHERNET => rest.skip(2, Layer::Tunnel).map(|()| tunnel.enter((Next::Ethernet, None)))?,
            other @ (icmp::ICMP | icmp::ICMP6) => {
                let error = icmp::error(rest, &header, tunnel.tag);
                return error.map(Decoded::Icmp).ok_or(Other::Transport(other));
            }
            other => return Err(Other::Transport(other)),
        };
    }
    Err(Other::TooDeep)
}

/// Puts a fragment to the others; goes on with the datagram when that is complete.
#[cold]
fn reassemble<'a>(
    table: &'a mut Fragments,
    header: &Header<'_>,
    fragment: Fragment,
    tag: u32,
    rest: Rest<'_>,
    packet: &Packet<'_>,
    counters: &mut Counters,
) -> Result<(Rest<'a>, Chain), Other> {
    let key = Key::new(header, &fragment, tag);
    let (mut rest, protocol) = table
        .add(key, fragment, header.chain.protocol, rest, packet.seen.at, counters)
        .ok_or(Other::Fragment)?;
    let chain = ip::extensions(&mut rest, protocol)?;
    Ok((rest, chain))
}

/// The TCP segment in what an IP header carries (RFC 9293 §3.1).
#[inline(always)]
fn segment<'a>(
    rest: Rest<'a>,
    header: &Header<'_>,
    tunnel: Tunnel,
    counters: &mut Counters,
) -> Result<Segment<'a>, Other> {
    let padded;
    let tcp = match TcpHeaderSlice::from_slice(rest.data) {
        Ok(tcp) => tcp,
        Err(err::tcp::HeaderSliceError::Content(_)) => return Err(Other::Malformed(Layer::Tcp)),
        Err(err::tcp::HeaderSliceError::Len(len)) => {
            padded = with_missing_options(&rest, len.required_len)?;
            TcpHeaderSlice::from_slice(&padded).map_err(|_| Other::Malformed(Layer::Tcp))?
        }
    };
    let header_len = tcp.slice().len();
    let ports = (tcp.source_port(), tcp.destination_port());
    let (key, from) = match header.addresses {
        Addresses::V4(source, destination) => {
            FlowKey::v4((*source, ports.0), (*destination, ports.1), tunnel.tag)
        }
        Addresses::V6(source, destination) => {
            FlowKey::v6((*source, ports.0), (*destination, ports.1), tunnel.tag)
        }
    };
    counters.tunnelled = counters.tunnelled.saturating_add(tunnel.entered.into());
    if rest.missing != 0 {
        counters.payload_cut = counters.payload_cut.saturating_add(1);
    } else if counters.checksums_checked < limits::CHECKSUMS && !header.chain.routed {
        check(rest.data, header.addresses, counters);
    }
    Ok(Segment {
        key,
        from,
        seq: tcp.sequence_number(),
        ack: tcp.acknowledgment_number(),
        flags: Flags::of(&tcp),
        window: tcp.window_size(),
        ttl: header.ttl,
        ip_id: header.id,
        declared_len: u32::try_from(rest.sent().saturating_sub(header_len)).unwrap_or(u32::MAX),
        payload: rest.data.get(header_len..).unwrap_or_default(),
    })
}

/// A header of which only options were cut: all that is handed on stands before them.
#[cold]
fn with_missing_options(rest: &Rest<'_>, needed: usize) -> Result<[u8; 60], Other> {
    if rest.data.len() < TcpHeader::MIN_LEN || needed > rest.sent() {
        return Err(rest.short(needed, Layer::Tcp));
    }
    let mut header = [0; 60];
    header.iter_mut().zip(rest.data).for_each(|(to, &from)| *to = from);
    Ok(header)
}

#[cold]
fn check(segment: &[u8], addresses: Addresses<'_>, counters: &mut Counters) {
    if let Some(right) = checksum::is_right(segment, addresses) {
        counters.checksums_checked = counters.checksums_checked.saturating_add(1);
        counters.checksums_bad = counters.checksums_bad.saturating_add((!right).into());
    }
}
