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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).unwrap().to_be_bytes();
        [PROXY_V2, &[command, family], &length, block].concat()
    }

    fn done(len: usize, source: &str, destination: &str) -> ProxyHeader {
        let end = |text: &str| {
            let address: std::net::SocketAddr = text.parse().unwrap();
            Endpoint { ip: address.ip(), port: address.port() }
        };
        ProxyHeader::Done { len, addresses: Some((end(source), end(destination))) }
    }

    #[test]
    fn version_1_names_source_and_destination() {
        let header = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nGET /";
        assert_eq!(proxy_header(header), done(45, "192.0.2.1:56324", "198.51.100.2:443"));
        let header = b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n";
        assert_eq!(proxy_header(header), done(header.len(), "[2001:db8::1]:1", "[::1]:65535"));
    }

    #[test]
    fn an_unknown_family_names_nobody_and_what_follows_it_is_ignored() {
        for header in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ff::1 what ever\r\n"] {
            let expected = ProxyHeader::Done { len: header.len(), addresses: None };
            assert_eq!(proxy_header(header.as_bytes()), expected);
        }
    }

    #[test]
    fn a_broken_version_1_is_invalid() {
        for header in [
            "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 1\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 56324 65536\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 +6324 443\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 192.0.2.1 192.0.2.1 1 2\r\n",
            "PROXY UDP4 192.0.2.1 192.0.2.1 1 2\r\n",
            "PROXX",
            "GET /",
        ] {
            assert_eq!(proxy_header(header.as_bytes()), ProxyHeader::Invalid, "{header:?}");
        }
    }

    #[test]
    fn version_1_ends_within_107_bytes() {
        let line = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16)).into_bytes();
        assert_eq!(proxy_header(&line(107)), ProxyHeader::Done { len: 107, addresses: None });
        assert_eq!(proxy_header(&line(108)), ProxyHeader::Invalid);
        assert_eq!(proxy_header(&line(108)[..106]), ProxyHeader::More);
    }

    #[test]
    fn version_2_names_source_and_destination_and_its_tlvs_are_passed_over() {
        let block = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 4, 1, 0xbb, 4, 0, 1, 0];
        let expected = done(32, "192.0.2.1:56324", "198.51.100.2:443");
        assert_eq!(proxy_header(&v2(0x21, 0x11, &block)), expected);
        let mut block = [0; 36];
        (block[15], block[31], block[33], block[35]) = (1, 2, 3, 4);
        assert_eq!(proxy_header(&v2(0x21, 0x21, &block)), done(52, "[::1]:3", "[::2]:4"));
    }

    #[test]
    fn version_2_names_nobody_for_local_unspecified_and_unix() {
        for (command, family, length) in [(0x20, 0x11, 12), (0x20, 0, 0), (0x21, 0, 0), (0x21, 0x31, 216)] {
            let header = v2(command, family, &vec![1; length]);
            assert_eq!(proxy_header(&header), ProxyHeader::Done { len: 16 + length, addresses: None });
        }
    }

    #[test]
    fn a_broken_version_2_is_invalid() {
        for header in [v2(0x11, 0x11, &[0; 12]), v2(0x22, 0x11, &[0; 12]), v2(0x21, 0x11, &[0; 11])] {
            assert_eq!(proxy_header(&header), ProxyHeader::Invalid);
        }
        assert_eq!(proxy_header(&v2(0x21, 0x21, &[0; 35])), ProxyHeader::Invalid);
        assert_eq!(proxy_header(&v2(0x20, 0, &vec![0; limits::PROXY + 1])[..16]), ProxyHeader::Invalid);
        let longest = ProxyHeader::Done { len: 16 + limits::PROXY, addresses: None };
        assert_eq!(proxy_header(&v2(0x20, 0, &vec![0; limits::PROXY])), longest);
    }

    proptest! {
        #[test]
        fn every_part_of_a_header_asks_for_more_and_what_follows_changes_nothing(
            version_1 in any::<bool>(),
            rest in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let header = if version_1 {
                b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n".to_vec()
            } else {
                v2(0x21, 0x12, &[7; 20])
            };
            for end in 0..header.len() {
                prop_assert_eq!(proxy_header(&header[..end]), ProxyHeader::More);
            }
            let whole = proxy_header(&header);
            let is_whole = matches!(whole, ProxyHeader::Done { len, addresses: Some(_) } if len == header.len());
            prop_assert!(is_whole);
            prop_assert_eq!(proxy_header(&[header, rest].concat()), whole);
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_a_length_lies_inside_them(
            start in proptest::sample::select(vec![b"".to_vec(), PROXY_V1.to_vec(), PROXY_V2.to_vec(), v2(0x21, 0x21, &[])[..14].to_vec()]),
            rest in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let bytes = [start, rest].concat();
            if let ProxyHeader::Done { len, .. } = proxy_header(&bytes) {
                prop_assert!(len <= bytes.len());
            }
        }
    }
}
