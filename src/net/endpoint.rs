//! The two ends of a flow.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One end of a TCP connection. Prints as `192.0.2.7:51234` or `[2001:db8::7]:51234`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Its address.
    pub ip: IpAddr,
    /// Its port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.port),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One of the two ends of a flow, in the order of its [`FlowKey`]: says nothing about who is client.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// The smaller endpoint.
    Low,
    /// The greater endpoint.
    High,
}

impl Side {
    /// The other one.
    pub const fn other(self) -> Side {
        match self {
            Side::Low => Side::High,
            Side::High => Side::Low,
        }
    }

    /// 0 or 1, to index a pair.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What a flow is known by: its ordered endpoints and the tunnel it was seen in (`tag`, 0 for none). VLANs
/// are left out: the two directions of a connection may be seen in different ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FlowKey {
    /// IPv4 outside of tunnels, or in one without an identity.
    Short(ShortKey),
    /// IPv6, or anything in a tunnel with an identity.
    Long(LongKey),
}

/// See [`FlowKey`]. It has 12 bytes, so that a table of millions stays small and quick to compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShortKey {
    /// Low, then high address, each big-endian.
    ip: [u32; 2],
    /// Low port in the upper half, high port in the lower.
    ports: u32,
}

/// See [`FlowKey`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LongKey {
    /// Low, then high address; one of IPv4 is mapped (RFC 4291 §2.5.5.2).
    ip: [[u8; 16]; 2],
    /// As in [`ShortKey`].
    ports: u32,
    /// See [`FlowKey::tag`].
    tag: u32,
}

/// A [`FlowKey`] in the place of a short one: it is kept of each flow, and most keys are short.
#[derive(Clone, Debug)]
pub enum KeptKey {
    /// See [`FlowKey::Short`].
    Short(ShortKey),
    /// See [`FlowKey::Long`].
    Long(Box<LongKey>),
}

impl KeptKey {
    /// The key.
    pub fn get(&self) -> FlowKey {
        match self {
            KeptKey::Short(key) => FlowKey::Short(*key),
            KeptKey::Long(key) => FlowKey::Long(**key),
        }
    }
}

impl From<FlowKey> for KeptKey {
    fn from(key: FlowKey) -> KeptKey {
        match key {
            FlowKey::Short(key) => KeptKey::Short(key),
            FlowKey::Long(key) => KeptKey::Long(Box::new(key)),
        }
    }
}

impl Hash for ShortKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [low, high] = self.ip;
        state.write_u64(wide(low, high));
        state.write_u32(self.ports);
    }
}

impl Hash for LongKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.ip.iter().for_each(|&ip| state.write_u128(u128::from_ne_bytes(ip)));
        state.write_u64(wide(self.ports, self.tag));
    }
}

impl FlowKey {
    /// The key of a packet from `source` to `destination`, and which side of it the source is.
    #[inline(always)]
    pub fn v4(source: ([u8; 4], u16), destination: ([u8; 4], u16), tag: u32) -> (FlowKey, Side) {
        if tag != 0 {
            let mapped = |(ip, port)| (Ipv4Addr::from(ip).to_ipv6_mapped().octets(), port);
            return FlowKey::v6(mapped(source), mapped(destination), tag);
        }
        let a = (u32::from_be_bytes(source.0), source.1);
        let b = (u32::from_be_bytes(destination.0), destination.1);
        let (low, high, side) = if a <= b { (a, b, Side::Low) } else { (b, a, Side::High) };
        (FlowKey::Short(ShortKey { ip: [low.0, high.0], ports: both(low.1, high.1) }), side)
    }

    /// As [`FlowKey::v4`], for IPv6.
    #[inline]
    pub fn v6(source: ([u8; 16], u16), destination: ([u8; 16], u16), tag: u32) -> (FlowKey, Side) {
        let (low, high, side) = if source <= destination {
            (source, destination, Side::Low)
        } else {
            (destination, source, Side::High)
        };
        (FlowKey::Long(LongKey { ip: [low.0, high.0], ports: both(low.1, high.1), tag }), side)
    }

    /// The identities of the tunnels it came through, folded to one number; 0 for none.
    pub const fn tag(&self) -> u32 {
        match self {
            FlowKey::Short(_) => 0,
            FlowKey::Long(key) => key.tag,
        }
    }

    /// A number that spreads flows evenly over its range, the same in every run.
    #[inline]
    pub fn scatter(&self) -> u32 {
        let (a, b) = match self {
            FlowKey::Short(k) => (wide(k.ip[0], k.ip[1]), k.ports.into()),
            FlowKey::Long(k) => {
                let [low, high] = k.ip.map(|ip| match ip.as_chunks::<8>() {
                    ([a, b], _) => {
                        u64::from_be_bytes(*a).wrapping_mul(SPREAD).rotate_left(29) ^ u64::from_be_bytes(*b)
                    }
                    _ => 0,
                });
                (low.rotate_left(7) ^ high, wide(k.ports, k.tag))
            }
        };
        let mixed = (a ^ a >> 29).wrapping_mul(SPREAD) ^ b;
        ((mixed ^ mixed >> 32).wrapping_mul(SPREAD) >> 32) as u32
    }

    /// The endpoint on one side.
    pub fn endpoint(&self, side: Side) -> Endpoint {
        let (ips, ports): ([IpAddr; 2], u32) = match self {
            FlowKey::Short(key) => (key.ip.map(|ip| Ipv4Addr::from(ip).into()), key.ports),
            FlowKey::Long(key) => (key.ip.map(|ip| Ipv6Addr::from(ip).to_canonical()), key.ports),
        };
        let [low_ip, high_ip] = ips;
        match side {
            Side::Low => Endpoint { ip: low_ip, port: (ports >> 16) as u16 },
            Side::High => Endpoint { ip: high_ip, port: (ports & 0xFFFF) as u16 },
        }
    }
}

#[inline]
fn both(low: u16, high: u16) -> u32 {
    u32::from(low) << 16 | u32::from(high)
}

/// 2^64 divided by the golden ratio: neighbours come to lie far apart.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline]
fn wide(upper: u32, lower: u32) -> u64 {
    u64::from(upper) << 32 | u64::from(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_have_one_key() {
        let (a, b) = (([10, 0, 0, 5], 51234), ([10, 0, 0, 9], 80));
        let (k1, s1) = FlowKey::v4(a, b, 0);
        let (k2, s2) = FlowKey::v4(b, a, 0);
        assert_eq!((k1, s1, s2), (k2, Side::Low, Side::High));
        assert_eq!(k1.endpoint(s1).to_string(), "10.0.0.5:51234");
        assert_eq!(k1.endpoint(s2).to_string(), "10.0.0.9:80");
        let mut six = [0; 16];
        six[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        let (k, s) = FlowKey::v6((six, 443), ([0; 16], 9), 7);
        assert_eq!(k.endpoint(s).to_string(), "[2001:db8::]:443");
    }

    #[test]
    fn a_tunnel_keeps_equal_addresses_apart_and_shows_them_as_they_are() {
        let (a, b) = (([10, 0, 0, 5], 51234), ([10, 0, 0, 9], 80));
        let (outside, _) = FlowKey::v4(a, b, 0);
        let (inside, side) = FlowKey::v4(a, b, 7);
        assert_ne!(outside, inside);
        assert_ne!(inside, FlowKey::v4(a, b, 8).0);
        assert_eq!((inside, side.other()), FlowKey::v4(b, a, 7));
        assert_eq!(inside.endpoint(side), outside.endpoint(Side::Low));
    }

    #[test]
    fn flows_are_spread_evenly_whatever_differs_in_them() {
        let v4 = |client: [u8; 4], port| FlowKey::v4((client, port), ([192, 0, 2, 9], 443), 0).0;
        let v6 = |n: u16, port| {
            let mut client = [0xfd; 16];
            client[14..].copy_from_slice(&n.to_be_bytes());
            FlowKey::v6((client, port), ([0x20; 16], 443), 0).0
        };
        let kinds: [&dyn Fn(u16) -> FlowKey; 4] = [
            &|n| v4([10, 0, 0, 1], 20_000 + n),
            &|n| v4([10, 0, (n >> 8) as u8, n as u8], 50_000),
            &|n| v6(7, 20_000 + n),
            &|n| v6(n, 50_000),
        ];
        for (kind, key) in kinds.iter().enumerate() {
            let mut parts = [0; 16];
            (0..16_000).for_each(|n| parts[(key(n).scatter() >> 28) as usize] += 1);
            assert!(parts.iter().all(|part| (800..1200).contains(part)), "{kind}: {parts:?}");
        }
    }

    #[test]
    fn one_address_with_itself_is_told_apart_by_port() {
        let (k, s) = FlowKey::v4(([127, 0, 0, 1], 9), ([127, 0, 0, 1], 8), 0);
        assert_eq!((k.endpoint(s).port, s), (9, Side::High));
    }
}
