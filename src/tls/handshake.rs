//! Handshake messages: put together from records, and what matters of them (RFC 8446 §4, RFC 5246 §7.4).

use super::suite::CipherSuite;
use crate::limits;

/// Types of handshake messages.
pub(super) mod kind {
    pub(in crate::tls) const CLIENT_HELLO: u8 = 1;
    pub(in crate::tls) const SERVER_HELLO: u8 = 2;
    pub(in crate::tls) const NEW_SESSION_TICKET: u8 = 4;
    pub(in crate::tls) const END_OF_EARLY_DATA: u8 = 5;
    pub(in crate::tls) const ENCRYPTED_EXTENSIONS: u8 = 8;
    pub(in crate::tls) const CERTIFICATE: u8 = 11;
    pub(in crate::tls) const CERTIFICATE_REQUEST: u8 = 13;
    pub(in crate::tls) const CLIENT_KEY_EXCHANGE: u8 = 16;
    pub(in crate::tls) const FINISHED: u8 = 20;
    pub(in crate::tls) const KEY_UPDATE: u8 = 24;
}

/// One message, with its header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: u8,
    pub(super) body: &'a [u8],
    /// Header and body.
    pub(super) raw: &'a [u8],
}

/// Puts messages together that several records carry.
#[derive(Default)]
pub(super) struct Messages {
    partial: Vec<u8>,
    /// Whether the message in `partial` was handed out.
    given: bool,
    /// Bytes of a message that is too long to keep, still to come.
    skip: usize,
}

impl Messages {
    const HEADER: usize = 4;

    /// The next whole message of `bytes`, which advances past it; `None` where all of `bytes` is used up.
    pub(super) fn next<'a, 'b: 'a>(&'a mut self, bytes: &mut &'b [u8]) -> Option<Message<'a>> {
        if self.given {
            self.given = false;
            self.partial.clear();
        }
        let used = self.skip.min(bytes.len());
        *bytes = bytes.get(used..).unwrap_or_default();
        self.skip = self.skip.saturating_sub(used);
        if bytes.is_empty() {
            return None;
        }
        if self.partial.is_empty()
            && let Some(len) = length(bytes)
            && let Some((raw, rest)) = bytes.split_at_checked(len)
        {
            *bytes = rest;
            return message(raw);
        }
        self.fill(bytes, Self::HEADER);
        let len = length(&self.partial)?;
        if len > limits::TLS_MESSAGE {
            self.skip = len.saturating_sub(self.partial.len());
            self.partial.clear();
            return self.next(bytes);
        }
        self.fill(bytes, len);
        if self.partial.len() < len {
            return None;
        }
        self.given = true;
        message(&self.partial)
    }

    /// Bytes of a message that is not whole.
    pub(super) fn buffered(&self) -> usize {
        self.partial.len()
    }

    /// Forgets the message in progress: part of it is lost.
    pub(super) fn gap(&mut self) {
        *self = Messages::default();
    }

    fn fill(&mut self, bytes: &mut &[u8], len: usize) {
        let wanted = len.saturating_sub(self.partial.len()).min(bytes.len());
        let (now, rest) = bytes.split_at_checked(wanted).unwrap_or((bytes, &[]));
        self.partial.extend_from_slice(now);
        *bytes = rest;
    }
}

/// Bytes of the message that begins here, with its header.
fn length(bytes: &[u8]) -> Option<usize> {
    let &[_, a, b, c] = bytes.first_chunk::<4>()?;
    usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?.checked_add(Messages::HEADER)
}

fn message(raw: &[u8]) -> Option<Message<'_>> {
    Some(Message { kind: *raw.first()?, body: raw.get(Messages::HEADER..)?, raw })
}

/// What a client offers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ClientHello {
    pub(super) random: [u8; 32],
    pub(super) session_id: Box<[u8]>,
    /// The highest version that it offers and that is no GREASE (RFC 8701).
    pub(super) version: u16,
    pub(super) server_name: Option<String>,
    pub(super) alpn: Vec<String>,
    /// The ticket of TLS 1.2 (RFC 5077), where it is not empty.
    pub(super) ticket: Option<Box<[u8]>>,
    pub(super) early_data: bool,
}

/// What a server chose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ServerHello {
    pub(super) random: [u8; 32],
    pub(super) session_id: Box<[u8]>,
    pub(super) version: u16,
    pub(super) suite: CipherSuite,
    pub(super) alpn: Option<String>,
    pub(super) extended_master_secret: bool,
    pub(super) encrypt_then_mac: bool,
}

/// The random of a server hello that is a HelloRetryRequest: SHA-256 of that word (RFC 8446 §4.1.3).
pub(super) const RETRY: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91, 0xC2,
    0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

/// Bytes of the longest name of the DNS (RFC 1035 §2.3.4).
const LONGEST_NAME: usize = 255;

/// Extension numbers.
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const ENCRYPT_THEN_MAC: u16 = 22;
const EXTENDED_MASTER_SECRET: u16 = 23;
const SESSION_TICKET: u16 = 35;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;

impl ClientHello {
    pub(super) fn parse(body: &[u8]) -> Option<ClientHello> {
        let mut at = Cursor(body);
        let version = at.u16()?;
        let random = *at.array::<32>()?;
        let session_id = at.vector8()?.into();
        at.vector16()?; // cipher suites
        at.vector8()?; // compression methods
        let mut hello = ClientHello {
            random,
            session_id,
            version,
            server_name: None,
            alpn: Vec::new(),
            ticket: None,
            early_data: false,
        };
        for (number, data) in extensions(at) {
            let mut data = Cursor(data);
            match number {
                SERVER_NAME => hello.server_name = server_name(data),
                ALPN => hello.alpn = protocols(data),
                SESSION_TICKET if !data.0.is_empty() => hello.ticket = Some(data.0.into()),
                EARLY_DATA => hello.early_data = true,
                SUPPORTED_VERSIONS => {
                    let (versions, _) = data.vector8().unwrap_or_default().as_chunks::<2>();
                    let versions = versions.iter().map(|&version| u16::from_be_bytes(version));
                    // GREASE versions repeat one byte; drafts of 1.3 begin with 0x7F.
                    if let Some(best) = versions.filter(|version| version >> 8 == 3).max() {
                        hello.version = best;
                    }
                }
                _ => {}
            }
        }
        Some(hello)
    }
}

impl ServerHello {
    pub(super) fn parse(body: &[u8]) -> Option<ServerHello> {
        let mut at = Cursor(body);
        let version = at.u16()?;
        let random = *at.array::<32>()?;
        let session_id = at.vector8()?.into();
        let suite = CipherSuite(at.u16()?);
        at.array::<1>()?; // compression method
        let mut hello = ServerHello {
            random,
            session_id,
            version,
            suite,
            alpn: None,
            extended_master_secret: false,
            encrypt_then_mac: false,
        };
        for (number, data) in extensions(at) {
            match number {
                SUPPORTED_VERSIONS => hello.version = Cursor(data).u16().unwrap_or(version),
                ALPN => hello.alpn = protocols(Cursor(data)).into_iter().next(),
                ENCRYPT_THEN_MAC => hello.encrypt_then_mac = true,
                EXTENDED_MASTER_SECRET => hello.extended_master_secret = true,
                _ => {}
            }
        }
        Some(hello)
    }

    /// Whether it asks for another client hello.
    pub(super) fn is_retry(&self) -> bool {
        self.random == RETRY
    }
}

/// What EncryptedExtensions say: the protocol, and whether early data were accepted (RFC 8446 §4.3.1).
pub(super) fn encrypted_extensions(body: &[u8]) -> (Option<String>, bool) {
    let (mut alpn, mut early_data) = (None, false);
    for (number, data) in extensions(Cursor(body)) {
        match number {
            ALPN => alpn = protocols(Cursor(data)).into_iter().next(),
            EARLY_DATA => early_data = true,
            _ => {}
        }
    }
    (alpn, early_data)
}

/// The ticket in a NewSessionTicket of TLS 1.2 (RFC 5077 §3.3).
pub(super) fn ticket(body: &[u8]) -> Option<&[u8]> {
    let mut at = Cursor(body);
    at.array::<4>()?;
    at.vector16().filter(|ticket| !ticket.is_empty())
}

/// Whether a Certificate message holds a certificate. That of TLS 1.3 begins with the context of what asked for it.
pub(super) fn has_certificate(body: &[u8], tls13: bool) -> bool {
    let context = if tls13 { body.first().map_or(1, |len| usize::from(*len).saturating_add(1)) } else { 0 };
    body.get(context..).and_then(|list| list.first_chunk()).is_some_and(|len: &[u8; 3]| *len != [0; 3])
}

/// The encrypted premaster secret in a ClientKeyExchange of RSA key exchange (RFC 5246 §7.4.7.1).
pub(super) fn encrypted_premaster(body: &[u8]) -> Option<&[u8]> {
    Cursor(body).vector16()
}

fn server_name(mut data: Cursor<'_>) -> Option<String> {
    let mut list = Cursor(data.vector16()?);
    let [kind] = list.array::<1>()?;
    let name = list.vector16()?;
    // No name of the DNS is longer; what is longer would only fill memory.
    let name = name.get(..LONGEST_NAME).unwrap_or(name);
    (*kind == 0).then(|| String::from_utf8_lossy(name).into_owned())
}

fn protocols(mut data: Cursor<'_>) -> Vec<String> {
    let mut list = Cursor(data.vector16().unwrap_or_default());
    std::iter::from_fn(|| list.vector8())
        .take(limits::LIST_ELEMENTS)
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

/// Number and data of each extension.
fn extensions<'a>(mut at: Cursor<'a>) -> impl Iterator<Item = (u16, &'a [u8])> {
    let mut list = Cursor(at.vector16().unwrap_or_default());
    std::iter::from_fn(move || Some((list.u16()?, list.vector16()?)))
}

/// Reads from the front of some bytes.
#[derive(Clone, Copy)]
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (front, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(front)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(|&bytes| u16::from_be_bytes(bytes))
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(front)
    }

    fn vector8(&mut self) -> Option<&'a [u8]> {
        let &[len] = self.array()?;
        self.take(usize::from(len))
    }

    fn vector16(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vector16(bytes: &[u8]) -> Vec<u8> {
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    fn extension(number: u16, data: &[u8]) -> Vec<u8> {
        [&number.to_be_bytes()[..], &vector16(data)].concat()
    }

    #[test]
    fn a_client_hello_gives_name_protocols_and_the_best_version() {
        let extensions = [
            extension(0x0A0A, &[]),
            extension(SERVER_NAME, &vector16(b"\0\0\x0bexample.org")),
            extension(ALPN, &vector16(b"\x02h2\x08http/1.1")),
            extension(SUPPORTED_VERSIONS, &[6, 0x7A, 0x7A, 3, 4, 3, 3]),
            extension(EARLY_DATA, &[]),
            extension(SESSION_TICKET, b"ticket"),
        ]
        .concat();
        let body =
            [&[3, 3][..], &[7; 32], &[2, 9, 9], &[0, 2, 0x13, 1], &[1, 0], &vector16(&extensions)].concat();
        let hello = ClientHello::parse(&body).unwrap();
        assert_eq!((hello.random, &hello.session_id[..], hello.version), ([7; 32], &[9, 9][..], 0x0304));
        assert_eq!(hello.server_name.as_deref(), Some("example.org"));
        assert_eq!(hello.alpn, ["h2", "http/1.1"]);
        assert_eq!((hello.early_data, hello.ticket.as_deref()), (true, Some(&b"ticket"[..])));
        for end in 0..body.len() {
            ClientHello::parse(&body[..end]);
        }
    }

    #[test]
    fn a_server_hello_of_tls_1_3_says_so_in_an_extension() {
        let extensions = extension(SUPPORTED_VERSIONS, &[3, 4]);
        let body = [&[3, 3][..], &RETRY, &[0], &[0x13, 2], &[0], &vector16(&extensions)].concat();
        let hello = ServerHello::parse(&body).unwrap();
        assert_eq!((hello.version, hello.suite.0, hello.is_retry()), (0x0304, 0x1302, true));
        let plain = [&[3, 3][..], &[1; 32], &[0], &[0xC0, 0x2F], &[0]].concat();
        assert_eq!(
            ServerHello::parse(&plain).map(|hello| (hello.version, hello.is_retry())),
            Some((0x0303, false))
        );
    }

    proptest! {
        #[test]
        fn messages_are_the_same_however_they_are_cut(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 1..6),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
        ) {
            let stream: Vec<u8> = bodies
                .iter()
                .flat_map(|body| [&[11, 0, 0, u8::try_from(body.len()).unwrap()], &body[..]].concat())
                .collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let mut messages = Messages::default();
            let mut found = Vec::new();
            for cut in cuts.windows(2) {
                let mut bytes = &stream[cut[0]..cut[1]];
                while let Some(message) = messages.next(&mut bytes) {
                    found.push(message.body.to_vec());
                }
            }
            prop_assert_eq!(found, bodies);
        }

        #[test]
        fn noise_is_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            ClientHello::parse(&bytes);
            ServerHello::parse(&bytes);
            encrypted_extensions(&bytes);
            ticket(&bytes);
            let mut rest = &bytes[..];
            let mut messages = Messages::default();
            while messages.next(&mut rest).is_some() {}
        }
    }
}
