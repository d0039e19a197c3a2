//! What the first bytes of a direction are: HTTP, or something that comes before or instead of it.

/// What a stream begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FirstBytes {
    /// An HTTP/1 request line.
    Request,
    /// An HTTP/1 status line.
    Response,
    /// Too few bytes to tell: they begin something recognised.
    Unsure,
    /// A TLS record with a hello (RFC 8446 §5.1).
    Tls,
    /// The client preface of HTTP/2 (RFC 9113 §3.4).
    Http2Preface,
    /// The server preface of HTTP/2: SETTINGS, which a server may send before it heard anything (RFC 9113 §3.4).
    Http2Settings,
    /// A PROXY protocol header, version 1.
    ProxyV1,
    /// A PROXY protocol header, version 2.
    ProxyV2,
    /// None of these.
    Other,
}

/// Begins every PROXY protocol header of version 2.
pub(super) const PROXY_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Begins every PROXY protocol header of version 1.
pub(super) const PROXY_V1: &[u8] = b"PROXY ";

const HTTP2: &[u8] = b"PRI * HTTP/2.0";
const METHODS: [&[u8]; 9] =
    [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"];
const LONGEST_METHOD: usize = 20;
/// Empty lines before a message that are skipped (RFC 9112 §2.2), in bytes.
const EMPTY_LINES: usize = 4;
/// A TLS record's payload is at most 2^14 bytes and 2048 more when encrypted (RFC 5246 §6.2.3).
const TLS_RECORD: u16 = 0x4800;

/// Tells from its first bytes what a direction, or a message in it, begins with. Looks at some thirty bytes at most.
pub fn looks_like(bytes: &[u8]) -> FirstBytes {
    if bytes.first() == Some(&0x16) {
        return tls(bytes);
    }
    if bytes.first() == Some(&0) {
        return settings(bytes);
    }
    if bytes.len() >= PROXY_V2.len() && bytes.starts_with(PROXY_V2) {
        return FirstBytes::ProxyV2;
    }
    if PROXY_V2.starts_with(bytes) {
        return FirstBytes::Unsure;
    }
    let empty = bytes.iter().take(EMPTY_LINES).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    message(bytes.get(empty..).unwrap_or_default())
}

/// Whether a word may be a method where nothing else shows that this is HTTP: a known one in any case, or 3 to 20
/// upper-case letters, hyphens and underscores.
pub(super) fn is_method(word: &[u8]) -> bool {
    let is_long_enough = (3..=LONGEST_METHOD).contains(&word.len());
    (is_long_enough && begins_unknown_method(word))
        || METHODS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// A SETTINGS frame of at most 42 settings, which is no acknowledgement.
fn settings(bytes: &[u8]) -> FirstBytes {
    let length_fits = bytes.get(2).is_none_or(|length| length.is_multiple_of(6));
    let rest_fits = [(1, 0), (3, 4), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0)]
        .iter()
        .all(|&(place, expected)| bytes.get(place).is_none_or(|byte| *byte == expected));
    match bytes.get(8) {
        _ if !length_fits || !rest_fits => FirstBytes::Other,
        None => FirstBytes::Unsure,
        Some(_) => FirstBytes::Http2Settings,
    }
}

fn tls(bytes: &[u8]) -> FirstBytes {
    let version_fits =
        bytes.get(1).is_none_or(|&major| major == 3) && bytes.get(2).is_none_or(|&minor| minor <= 4);
    let length_fits = match (bytes.get(3), bytes.get(4)) {
        (Some(&high), Some(&low)) => (1..=TLS_RECORD).contains(&u16::from_be_bytes([high, low])),
        (Some(&high), None) => u16::from_be_bytes([high, 0]) <= TLS_RECORD,
        _ => true,
    };
    match bytes.get(5) {
        _ if !version_fits || !length_fits => FirstBytes::Other,
        None => FirstBytes::Unsure,
        Some(1 | 2) => FirstBytes::Tls,
        Some(_) => FirstBytes::Other,
    }
}

fn message(bytes: &[u8]) -> FirstBytes {
    const STATUS_LINE: &[u8] = b"HTTP/1.";
    if bytes.is_empty() {
        return FirstBytes::Unsure;
    }
    if let Some(rest) = bytes.strip_prefix(STATUS_LINE) {
        return match rest.first() {
            None => FirstBytes::Unsure,
            Some(byte) if byte.is_ascii_digit() => FirstBytes::Response,
            Some(_) => FirstBytes::Other,
        };
    }
    if bytes.starts_with(HTTP2) {
        return FirstBytes::Http2Preface;
    }
    if bytes.starts_with(PROXY_V1) {
        return FirstBytes::ProxyV1;
    }
    if [STATUS_LINE, HTTP2, PROXY_V1].iter().any(|known| known.starts_with(bytes)) {
        return FirstBytes::Unsure;
    }
    request(bytes)
}

fn request(bytes: &[u8]) -> FirstBytes {
    let Some(space) = bytes.iter().take(LONGEST_METHOD.saturating_add(1)).position(|&byte| byte == b' ')
    else {
        let may_become = bytes.len() <= LONGEST_METHOD && begins_method(bytes);
        return if may_become { FirstBytes::Unsure } else { FirstBytes::Other };
    };
    let (method, rest) = bytes.split_at_checked(space).unwrap_or((bytes, &[]));
    if !is_method(method) {
        return FirstBytes::Other;
    }
    // A few spaces more are tolerated, as the reader of heads tolerates them.
    match rest.iter().take(8).find(|byte| **byte != b' ') {
        Some(&byte) if may_begin_target(byte) => FirstBytes::Request,
        None if rest.len() < 8 => FirstBytes::Unsure,
        _ => FirstBytes::Other,
    }
}

/// RFC 9112 §3.2: a path, `*`, a URI or an authority.
fn may_begin_target(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'*' | b'[' | b'?' | b'%')
}

fn begins_method(bytes: &[u8]) -> bool {
    let begins =
        |known: &[u8]| known.get(..bytes.len()).is_some_and(|known| known.eq_ignore_ascii_case(bytes));
    begins_unknown_method(bytes) || METHODS.iter().any(|known| begins(known))
}

fn begins_unknown_method(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_uppercase)
        && bytes.iter().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc];

    /// Every prefix of these is unsure until the last byte given here decides.
    const DECIDED: [(&[u8], FirstBytes); 18] = [
        (b"GET /", FirstBytes::Request),
        (b"get /", FirstBytes::Request),
        (b"Connect e", FirstBytes::Request),
        (b"CONNECT [", FirstBytes::Request),
        (b"OPTIONS *", FirstBytes::Request),
        (b"VERSION-CONTROL /", FirstBytes::Request),
        (b"GET   /", FirstBytes::Request),
        (b"\r\n\r\nGET /", FirstBytes::Request),
        (b"\nHTTP/1.1", FirstBytes::Response),
        (b"HTTP/1.0", FirstBytes::Response),
        (b"PRI * HTTP/2.0", FirstBytes::Http2Preface),
        (&[0, 0, 0, 4, 0, 0, 0, 0, 0], FirstBytes::Http2Settings),
        (&[0, 0, 18, 4, 0, 0, 0, 0, 0], FirstBytes::Http2Settings),
        (b"PROXY ", FirstBytes::ProxyV1),
        (PROXY_V2, FirstBytes::ProxyV2),
        (&[0x16, 3, 1, 2, 0, 1], FirstBytes::Tls),
        (&[0x16, 3, 3, 0, 0x7a, 2], FirstBytes::Tls),
        (&[0x16, 3, 4, 0x48, 0, 1], FirstBytes::Tls),
    ];

    #[test]
    fn every_beginning_is_known_at_its_deciding_byte_and_unsure_before() {
        for (bytes, expected) in DECIDED {
            for end in 0..bytes.len() {
                let shown = String::from_utf8_lossy(&bytes[..end]).into_owned();
                assert_eq!(looks_like(&bytes[..end]), FirstBytes::Unsure, "{shown:?}");
            }
            assert_eq!(looks_like(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn what_is_none_of_these_is_other_as_soon_as_it_shows() {
        let others: [&[u8]; 17] = [
            b"hello",
            b"SSH-2",
            b"GE /",
            b"gex",
            b"-GET /",
            b"GET \x01",
            b"GET \r",
            b"GET            ",
            b"ABCDEFGHIJKLMNOPQRSTU",
            b"HTTP/2",
            b"HTTP/1.x",
            b"\r\n\r\n\r\nGET /",
            b"\x81\x05",
            &[0x16, 2],
            &[0x16, 3, 5],
            &[0x16, 3, 1, 0, 0],
            &[0x16, 3, 1, 0x48, 1],
        ];
        for bytes in others {
            assert_eq!(looks_like(bytes), FirstBytes::Other, "{:?}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(looks_like(&[0x16, 3, 1, 2, 0, 11]), FirstBytes::Other, "a certificate is no hello");
        assert_eq!(looks_like(HELLO), FirstBytes::Tls);
    }

    proptest! {
        #[test]
        fn more_bytes_never_change_an_answer_that_was_sure(
            known in proptest::sample::select(DECIDED.to_vec()),
            cut in any::<proptest::sample::Index>(),
            rest in proptest::collection::vec(any::<u8>(), 0..30),
        ) {
            let bytes = [&known.0[..cut.index(known.0.len() + 1)], &rest].concat();
            let whole = looks_like(&bytes);
            for end in 0..bytes.len() {
                let part = looks_like(&bytes[..end]);
                prop_assert!(part == FirstBytes::Unsure || part == whole, "{part:?} at {end}, then {whole:?}");
            }
        }

        #[test]
        fn what_begins_like_a_request_with_a_version_can_be_read_as_one(line in "[A-Z]{3,20} [/*a-z][a-z/]{0,9} HTTP/1.1\r\n\r\n") {
            prop_assert_eq!(looks_like(line.as_bytes()), FirstBytes::Request);
            prop_assert!(crate::http::RequestHead::parse(line.as_bytes()).is_some());
        }
    }
}
