//! What a client and a SOCKS proxy say to each other before the tunnel between them is open: SOCKS 5 (RFC 1928) with a
//! password (RFC 1929) or without, SOCKS 4 and 4A.

use std::net::{Ipv4Addr, Ipv6Addr};

/// How far the two have come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Socks {
    /// It goes on after these bytes.
    More,
    /// The tunnel is open.
    Open {
        /// Where it leads, as `host:port`.
        target: String,
        /// Bytes of the client that belong to SOCKS; its tunnel begins after them.
        client: usize,
        /// The same of the proxy.
        proxy: usize,
    },
    /// This is no SOCKS, or the proxy refused.
    Invalid,
}

/// Whether a client that begins with this byte may speak SOCKS.
pub fn may_be_socks(first: u8) -> bool {
    matches!(first, V4 | V5)
}

/// Reads what both sides have said from the first byte of each. Call it again with more bytes from the same beginnings
/// after [`Socks::More`].
pub fn socks(client: &[u8], proxy: &[u8]) -> Socks {
    let (mut client, mut proxy) = (Said(client, 0), Said(proxy, 0));
    let target = match client.array() {
        Ok([V5]) => version_5(&mut client, &mut proxy),
        Ok([V4]) => version_4(&mut client, &mut proxy),
        Ok(_) => Err(Stop::Invalid),
        Err(stop) => Err(stop),
    };
    match target {
        Ok(target) => Socks::Open { target, client: client.1, proxy: proxy.1 },
        Err(Stop::More) => Socks::More,
        Err(Stop::Invalid) => Socks::Invalid,
    }
}

const V4: u8 = 4;
const V5: u8 = 5;
/// The only command by which a tunnel is opened to somebody; the others wait for one, or relay UDP.
const CONNECT: u8 = 1;
/// Methods of authentication.
const NONE: u8 = 0;
const PASSWORD: u8 = 2;
/// What grants a request of version 4.
const GRANTED: u8 = 0x5A;
/// Longest name or user of version 4, which only a zero ends.
const LONGEST: usize = 255;

enum Stop {
    More,
    Invalid,
}

/// What one side has said and how much of it is read.
struct Said<'a>(&'a [u8], usize);

impl<'a> Said<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let end = self.1.saturating_add(count);
        let bytes = self.0.get(self.1..end).ok_or(Stop::More)?;
        self.1 = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        self.bytes(N)?.try_into().map_err(|_| Stop::More)
    }

    /// A string behind its length.
    fn counted(&mut self) -> Result<&'a [u8], Stop> {
        let [len] = self.array()?;
        self.bytes(len.into())
    }

    /// A string before a zero.
    fn until_zero(&mut self) -> Result<&'a [u8], Stop> {
        let rest = self.0.get(self.1..).unwrap_or_default();
        match rest.iter().take(LONGEST.saturating_add(1)).position(|&byte| byte == 0) {
            Some(len) => {
                let string = self.bytes(len)?;
                self.bytes(1).map(|_| string)
            }
            None if rest.len() > LONGEST => Err(Stop::Invalid),
            None => Err(Stop::More),
        }
    }

    /// An address and a port of version 5 (RFC 1928 §5).
    fn address(&mut self) -> Result<String, Stop> {
        let host = match self.array()? {
            [1] => Ipv4Addr::from(self.array::<4>()?).to_string(),
            [3] => String::from_utf8_lossy(self.counted()?).into_owned(),
            [4] => format!("[{}]", Ipv6Addr::from(self.array::<16>()?)),
            _ => return Err(Stop::Invalid),
        };
        Ok(format!("{host}:{}", u16::from_be_bytes(self.array()?)))
    }
}

/// RFC 1928 §3 to §6, after the version of the client's first message.
fn version_5(client: &mut Said<'_>, proxy: &mut Said<'_>) -> Result<String, Stop> {
    let offered = client.counted()?;
    // Those that are assigned, and those for private use.
    if offered.is_empty() || offered.iter().any(|method| matches!(method, 10..=0x7F | 0xFF)) {
        return Err(Stop::Invalid);
    }
    match proxy.array()? {
        [V5, NONE] if offered.contains(&NONE) => {}
        [V5, PASSWORD] if offered.contains(&PASSWORD) => {
            expect(client.array()? == [1])?;
            client.counted()?;
            client.counted()?;
            expect(proxy.array::<2>()?[1] == 0)?;
        }
        _ => return Err(Stop::Invalid),
    }
    expect(client.array()? == [V5, CONNECT, 0])?;
    let target = client.address()?;
    let [version, reply, _] = proxy.array()?;
    expect((version, reply) == (V5, 0))?;
    proxy.address()?;
    Ok(target)
}

/// After the version of the request. Version 4A puts a name behind it, where the address is none (0.0.0.x).
fn version_4(client: &mut Said<'_>, proxy: &mut Said<'_>) -> Result<String, Stop> {
    expect(client.array()? == [CONNECT])?;
    let port = u16::from_be_bytes(client.array()?);
    let address: [u8; 4] = client.array()?;
    client.until_zero()?;
    let host = match address {
        [0, 0, 0, last] if last != 0 => String::from_utf8_lossy(client.until_zero()?).into_owned(),
        _ => Ipv4Addr::from(address).to_string(),
    };
    let [version, reply, ..] = proxy.array::<8>()?;
    expect((version, reply) == (0, GRANTED))?;
    Ok(format!("{host}:{port}"))
}

fn expect(holds: bool) -> Result<(), Stop> {
    holds.then_some(()).ok_or(Stop::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use proptest::prelude::*;

    /// A whole dialogue, and where it leads.
    const DIALOGUES: [(&[u8], &[u8], &str); 5] = [
        (
            b"\x05\x01\x00\x05\x01\x00\x03\x0aws.example\x00\x50",
            b"\x05\x00\x05\x00\x00\x01\x7f\0\0\x01\x12\x34",
            "ws.example:80",
        ),
        (
            b"\x05\x02\x00\x02\x01\x02me\x06secret\x05\x01\x00\x01\x0a\0\0\x07\x1f\x90",
            b"\x05\x02\x01\x00\x05\x00\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x34",
            "10.0.0.7:8080",
        ),
        (
            b"\x05\x01\x00\x05\x01\x00\x04\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\x01\xbb",
            b"\x05\x00\x05\x00\x00\x03\x02me\x12\x34",
            "[fd00::2]:443",
        ),
        (b"\x04\x01\x00\x50\x0a\0\0\x07me\0", b"\0\x5a\0\0\0\0\0\0", "10.0.0.7:80"),
        (b"\x04\x01\x00\x50\0\0\0\x01\0ws.example\0", b"\0\x5a\0\0\0\0\0\0", "ws.example:80"),
    ];

    #[test]
    fn a_tunnel_is_open_after_the_last_byte_of_either_side_and_not_before() {
        for (client, proxy, target) in DIALOGUES {
            let open = Socks::Open { target: target.into(), client: client.len(), proxy: proxy.len() };
            let on = |bytes: &[u8]| [bytes, b"GET / HTTP/1.1"].concat();
            assert_eq!(socks(client, proxy), open);
            assert_eq!(socks(&on(client), &on(proxy)), open);
            for len in 0..client.len() {
                assert_eq!(
                    socks(&client[..len], proxy),
                    Socks::More,
                    "{len} bytes of the client to {target}"
                );
            }
            for len in 0..proxy.len() {
                assert_eq!(socks(client, &proxy[..len]), Socks::More, "{len} bytes of the proxy to {target}");
            }
        }
    }

    #[test]
    fn the_longest_dialogue_is_as_long_as_the_bound() {
        let most = [b'a'; 255];
        let methods = [2_u8; 255];
        let password = [&[1, 255][..], &most, &[255], &most].concat();
        let request = [&[5, 1, 0, 3, 255][..], &most, &[0, 80]].concat();
        let client = [&[5, 255][..], &methods, &password, &request].concat();
        let answer = [&[5, 2, 1, 0, 5, 0, 0, 3, 255][..], &most, &[0, 80]].concat();
        assert_eq!(client.len(), limits::SOCKS);
        assert!(matches!(socks(&client, &answer), Socks::Open { client: limits::SOCKS, .. }));
        assert!(answer.len() < limits::SOCKS);
    }

    #[test]
    fn refusals_and_other_protocols_open_nothing() {
        let greeting = b"\x05\x01\x00";
        let asked = [greeting.as_slice(), b"\x05\x01\x00\x01\x0a\0\0\x07\x1f\x90"].concat();
        for (client, proxy) in [
            (b"\x05\x00".as_slice(), b"".as_slice()),
            (b"\x05\x01\x20", b""),
            (greeting, b"\x05\xff"),
            (greeting, b"\x05\x02"),
            (greeting, b"HTTP/1.1 400 Bad Request"),
            (&asked, b"\x05\x00\x05\x05\x00"),
            (b"\x05\x01\x02\x01\x01a\x01b", b"\x05\x02\x01\x01"),
            (b"\x05\x01\x00\x05\x03\x00", b"\x05\x00"),
            (b"\x04\x02", b""),
            (b"\x04\x01\x00\x50\x0a\0\0\x07\0", b"\0\x5b\0\0\0\0\0\0"),
            (b"GET / HTTP/1.1", b""),
        ] {
            assert_eq!(socks(client, proxy), Socks::Invalid, "{client:02x?} and {proxy:02x?}");
        }
        let endless = [b"\x04\x01\x00\x50\x0a\0\0\x07".as_slice(), &[b'a'; LONGEST + 1]].concat();
        assert_eq!(socks(&endless, b""), Socks::Invalid);
        assert_eq!(socks(&endless[..endless.len() - 1], b""), Socks::More);
    }

    proptest! {
        #[test]
        fn what_was_read_stays_read_however_the_streams_go_on(
            client in prop::collection::vec(prop_oneof![0..6_u8, any::<u8>()], 0..40),
            proxy in prop::collection::vec(prop_oneof![0..6_u8, any::<u8>()], 0..40),
            more in prop::collection::vec(any::<u8>(), 0..10),
        ) {
            let on = |bytes: &[u8]| [bytes, &more].concat();
            match socks(&client, &proxy) {
                Socks::More => {}
                read => prop_assert_eq!(socks(&on(&client), &on(&proxy)), read),
            }
        }
    }
}
