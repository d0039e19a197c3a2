//! The PROXY protocol header with which a load balancer names the true client before the first byte of HTTP
//! (HAProxy's proxy-protocol.txt, sections 2.1 and 2.2).

use super::first::{PROXY_V1, PROXY_V2};
use crate::limits;
use crate::net::Endpoint;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What became of a PROXY protocol header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProxyHeader {
    /// It goes on after these bytes.
    More,
    /// It is complete.
    Done {
        /// Its length in bytes; the stream proper begins after it.
        len: usize,
        /// Source and destination; `None` where it names none (`UNKNOWN`, `LOCAL`, a Unix socket).
        addresses: Option<(Endpoint, Endpoint)>,
    },
    /// This is no such header, or a broken one.
    Invalid,
}

/// Longest header of version 1 with its CRLF, as the protocol sets it.
const V1_LENGTH: usize = 107;

/// Reads a PROXY protocol header, version 1 or 2, from the first bytes of a stream. Call it again with more bytes from
/// the same beginning after [`ProxyHeader::More`].
pub fn proxy_header(bytes: &[u8]) -> ProxyHeader {
    if PROXY_V1.starts_with(bytes) || PROXY_V2.starts_with(bytes) {
        return ProxyHeader::More;
    }
    if let Some(rest) = bytes.strip_prefix(PROXY_V2) {
        return version_2(rest).unwrap_or(ProxyHeader::Invalid);
    }
    if bytes.starts_with(PROXY_V1) {
        return version_1(bytes).unwrap_or(ProxyHeader::Invalid);
    }
    ProxyHeader::Invalid
}

/// `PROXY TCP4 192.0.2.1 198.51.100.2 56324 443` and CRLF. `None` means invalid.
fn version_1(bytes: &[u8]) -> Option<ProxyHeader> {
    let window = bytes.get(..V1_LENGTH).unwrap_or(bytes);
    let Some(end) = memchr::memchr(b'\n', window) else {
        return (bytes.len() < V1_LENGTH).then_some(ProxyHeader::More);
    };
    let line = std::str::from_utf8(window.get(..end)?.strip_suffix(b"\r")?).ok()?;
    let mut words = line.split(' ').skip(1);
    let family = words.next()?;
    let len = end.checked_add(1)?;
    // The receiver must ignore whatever follows UNKNOWN.
    if family == "UNKNOWN" {
        return Some(ProxyHeader::Done { len, addresses: None });
    }
    let mut address = || -> Option<IpAddr> {
        let word = words.next()?;
        match family {
            "TCP4" => word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (source, destination) = (address()?, address()?);
    let mut port =
        || words.next().filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok();
    let source = Endpoint { ip: source, port: port()? };
    let destination = Endpoint { ip: destination, port: port()? };
    words.next().is_none().then_some(ProxyHeader::Done { len, addresses: Some((source, destination)) })
}

/// What follows the signature: version and command, family, length, addresses, TLVs. `None` means invalid.
fn version_2(bytes: &[u8]) -> Option<ProxyHeader> {
    let command = match bytes.first() {
        None => return Some(ProxyHeader::More),
        Some(0x20) => Command::Local,
        Some(0x21) => Command::Proxy,
        Some(_) => return None,
    };
    let Some((&[_, family, high, low], rest)) = bytes.split_first_chunk::<4>() else {
        return Some(ProxyHeader::More);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > limits::PROXY {
        return None;
    }
    let Some(block) = rest.get(..length) else { return Some(ProxyHeader::More) };
    let addresses = match (command, family >> 4) {
        (Command::Proxy, 1) => {
            let (&source, rest) = block.split_first_chunk::<4>()?;
            let (&destination, ports) = rest.split_first_chunk::<4>()?;
            Some(endpoints(IpAddr::from(source), IpAddr::from(destination), ports)?)
        }
        (Command::Proxy, 2) => {
            let (&source, rest) = block.split_first_chunk::<16>()?;
            let (&destination, ports) = rest.split_first_chunk::<16>()?;
            Some(endpoints(IpAddr::from(source), IpAddr::from(destination), ports)?)
        }
        // The connection is the proxy's own, or has no addresses of this kind.
        _ => None,
    };
    let len = PROXY_V2.len().checked_add(4)?.checked_add(length)?;
    Some(ProxyHeader::Done { len, addresses })
}

enum Command {
    /// The proxy's own connection, such as a health check.
    Local,
    Proxy,
}

fn endpoints(source: IpAddr, destination: IpAddr, ports: &[u8]) -> Option<(Endpoint, Endpoint)> {
    let &[a, b, c, d] = ports.first_chunk::<4>()?;
    Some((
        Endpoint { ip: source, port: u16::from_be_bytes([a, b]) },
        Endpoint { ip: destination, port: u16::from_be_bytes([c, d]) },
    ))
}
