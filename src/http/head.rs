//! Request and response heads: the start line, over a [`Head`] that keeps every byte.

use super::fields::{Lines, text};
use super::first::is_method;
use super::redact::without_query;
use compact_str::CompactString;
use std::sync::Arc;

/// A message head with all of its bytes, from the start line to the blank line.
///
/// The line table is made from the bytes themselves, so that what a strict parser refuses or silently repairs is
/// still there to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    pub(super) raw: Box<[u8]>,
    /// Shared by heads that differ in one value only.
    pub(super) lines: Arc<Lines>,
}

/// One header field line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field<'a> {
    /// The name as written.
    pub name: &'a [u8],
    /// The value without surrounding white space; continuation lines still folded into it.
    pub value: &'a [u8],
}

/// Which kind of head to expect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeadKind {
    /// From a client.
    Request,
    /// From a server.
    Response,
}

/// Something about a head that tolerant parsers hide and strict ones refuse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Oddity {
    /// A line ended with LF alone (RFC 9112 §2.2).
    BareLf,
    /// A field continues on a line that starts with white space (RFC 9112 §5.2).
    ObsFold,
    /// White space between field name and colon (RFC 9112 §5.1).
    SpaceBeforeColon,
    /// A line with no colon.
    NoColon,
    /// A control byte or CR inside a line.
    ControlByte,
    /// The start line does not follow the grammar.
    StartLine,
}

/// A request head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestHead {
    /// All of its bytes and lines.
    pub head: Head,
    /// As written, `GET` for a handshake.
    pub method: CompactString,
    /// The request target as written; bytes that are not UTF-8 are replaced.
    pub target: CompactString,
    /// Major and minor version, where the start line has one.
    pub version: Option<(u8, u8)>,
}

/// A response head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResponseHead {
    /// All of its bytes and lines.
    pub head: Head,
    /// Major and minor version.
    pub version: Option<(u8, u8)>,
    /// The status code; three digits on the wire.
    pub status: u16,
    /// The reason phrase, empty where there is none.
    pub reason: CompactString,
}

impl RequestHead {
    /// Reads a request head (RFC 9112 §3), tolerating what some servers tolerate: extra white space, a lower-case
    /// method, a missing version, white space inside the target. `None` where this is no request at all: the first
    /// word is no method, or nothing follows it, or the bytes are more than [`limits::HEAD`](crate::limits::HEAD).
    pub fn parse(raw: &[u8]) -> Option<RequestHead> {
        let mut head = Head::read(raw, HeadKind::Request)?;
        let line = head.start_line();
        let (method, rest) = split_word(line.trim_ascii());
        let (target, version) = match rest.iter().rposition(|&byte| is_space(byte)) {
            Some(space) => {
                let (target, last) = rest.split_at_checked(space)?;
                if is_version(last.trim_ascii_start()) {
                    (target.trim_ascii_end(), Some(last.trim_ascii_start()))
                } else {
                    (rest, None)
                }
            }
            None if is_version(rest) => (&[][..], Some(rest)),
            None => (rest, None),
        };
        let known =
            if version.is_some() { is_token(method) } else { is_method(method) && !target.is_empty() };
        if !known {
            return None;
        }
        let (method_text, target_text, numbers) =
            (text(method), text(target), version.and_then(version_numbers));
        let strict = numbers.is_some()
            && !target.is_empty()
            && !target.iter().any(|&byte| is_space(byte))
            && line.len() == method.len().saturating_add(target.len()).saturating_add("  HTTP/1.1".len())
            && begins_with(line, &[method, b" ", target, b" "]);
        if !strict {
            head.add_oddity(Oddity::StartLine);
        }
        Some(RequestHead { head, method: method_text, target: target_text, version: numbers })
    }

    /// Its target without query and fragment.
    pub fn path(&self) -> &str {
        without_query(&self.target)
    }

    /// Whether it asks for a WebSocket in any way, however wrong: a field whose name begins with `Sec-WebSocket-`, or
    /// an `Upgrade` that names `websocket`.
    pub fn shows_websocket_intent(&self) -> bool {
        const PREFIX: &[u8] = b"sec-websocket-";
        let is_ours =
            |name: &[u8]| name.get(..PREFIX.len()).is_some_and(|name| name.eq_ignore_ascii_case(PREFIX));
        self.head.names_websocket() || self.head.fields().any(|field| is_ours(field.name))
    }

    /// Whether `Upgrade` names `websocket` and `Connection` names `upgrade` (RFC 6455 §4.1).
    pub fn is_upgrade(&self) -> bool {
        self.head.names_websocket() && self.head.names_upgrade()
    }
}

impl ResponseHead {
    /// Reads a response head (RFC 9112 §4), tolerating extra white space and a missing reason. `None` where this is no
    /// response at all: no `HTTP/` at its start, or no status of exactly three digits, or more bytes than
    /// [`limits::HEAD`](crate::limits::HEAD).
    pub fn parse(raw: &[u8]) -> Option<ResponseHead> {
        let mut head = Head::read(raw, HeadKind::Response)?;
        let line = head.start_line();
        let (version, rest) = split_word(line.trim_ascii_start());
        let (code, reason) = split_word(rest);
        if !is_version(version) || code.len() != 3 {
            return None;
        }
        let status = number(code)?;
        let (version_numbers, reason_text) = (version_numbers(version), text(reason.trim_ascii_end()));
        // RFC 9112 §4: the second space is sent even where the reason is absent.
        if version_numbers.is_none() || !begins_with(line, &[version, b" ", code, b" "]) {
            head.add_oddity(Oddity::StartLine);
        }
        Some(ResponseHead { head, version: version_numbers, status, reason: reason_text })
    }
}

impl std::fmt::Debug for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.raw))
    }
}

/// RFC 9110 §5.6.2.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The first word, and what follows the white space after it.
fn split_word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| is_space(byte)).unwrap_or(bytes.len());
    let (word, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    (word, rest.trim_ascii_start())
}

/// Whether a word stands where the version belongs, even if its numbers cannot be read.
fn is_version(word: &[u8]) -> bool {
    word.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"HTTP/"))
}

/// RFC 9112 §2.3: `HTTP/`, a digit, a dot, a digit. The name is case-sensitive.
fn version_numbers(word: &[u8]) -> Option<(u8, u8)> {
    match word {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] => Some((digit(*major)?, digit(*minor)?)),
        _ => None,
    }
}

fn digit(byte: u8) -> Option<u8> {
    byte.checked_sub(b'0').filter(|digit| *digit <= 9)
}

fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0_u16, |sum, &byte| sum.checked_mul(10)?.checked_add(u16::from(digit(byte)?)))
}

fn begins_with(line: &[u8], parts: &[&[u8]]) -> bool {
    parts.iter().try_fold(line, |rest, part| rest.strip_prefix(*part)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(raw: &str) -> RequestHead {
        RequestHead::parse(raw.as_bytes()).unwrap_or_else(|| panic!("no request: {raw:?}"))
    }

    fn response(raw: &str) -> ResponseHead {
        ResponseHead::parse(raw.as_bytes()).unwrap_or_else(|| panic!("no response: {raw:?}"))
    }

    #[test]
    fn a_request_line_gives_method_target_and_version() {
        let head = request("GET /chat?room=1 HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!((head.method.as_str(), head.target.as_str()), ("GET", "/chat?room=1"));
        assert_eq!(head.version, Some((1, 1)));
        assert_eq!(head.head.start_line(), b"GET /chat?room=1 HTTP/1.1");
        assert!(head.head.oddities().is_empty());
    }

    #[test]
    fn a_request_line_outside_the_grammar_is_read_and_said_to_be_odd() {
        for (line, method, target, version) in [
            ("GET /x", "GET", "/x", None),
            ("get /x", "get", "/x", None),
            ("GET  /x   HTTP/1.1", "GET", "/x", Some((1, 1))),
            (" GET /x HTTP/1.1 ", "GET", "/x", Some((1, 1))),
            ("GET\t/x\tHTTP/1.0", "GET", "/x", Some((1, 0))),
            ("GET /a b HTTP/1.1", "GET", "/a b", Some((1, 1))),
            ("GET HTTP/1.1", "GET", "", Some((1, 1))),
            ("GET /x HTTP/11", "GET", "/x", None),
            ("GET /x http/1.1", "GET", "/x", None),
            ("GET /x HTTP/1.12", "GET", "/x", None),
        ] {
            let head = request(&format!("{line}\r\n\r\n"));
            let read = (head.method.as_str(), head.target.as_str(), head.version);
            assert_eq!(read, (method, target, version), "{line}");
            assert_eq!(head.head.oddities(), [Oddity::StartLine], "{line}");
        }
    }

    #[test]
    fn a_lower_case_method_is_a_method_of_its_own_and_follows_the_grammar() {
        let head = request("get /x HTTP/1.1\r\n\r\n");
        assert_eq!(head.method, "get");
        assert!(head.head.oddities().is_empty());
    }

    #[test]
    fn what_is_no_head_at_all_gives_none() {
        for raw in [
            "",
            "\r\n\r\n",
            "hello world\r\n\r\n",
            "GET\r\n\r\n",
            "G(T / HTTP/1.1\r\n\r\n",
            "/x HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(RequestHead::parse(raw.as_bytes()), None, "{raw:?}");
        }
        for raw in ["", "HTTP/1.1\r\n\r\n", "ICY 200 OK\r\n\r\n", "101 Switching Protocols\r\n\r\n"] {
            assert_eq!(ResponseHead::parse(raw.as_bytes()), None, "{raw:?}");
        }
        let too_long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(crate::limits::HEAD));
        assert_eq!(RequestHead::parse(too_long.as_bytes()), None);
    }

    #[test]
    fn a_status_line_gives_version_status_and_reason() {
        for (line, reason, oddities) in [
            ("HTTP/1.1 101 Switching Protocols", "Switching Protocols", &[][..]),
            ("HTTP/1.1 101 ", "", &[]),
            ("HTTP/1.1 101", "", &[Oddity::StartLine]),
            ("HTTP/1.1  101  Upgrade", "Upgrade", &[Oddity::StartLine]),
            ("HTTP/1.1\t101\tUpgrade", "Upgrade", &[Oddity::StartLine]),
        ] {
            let head = response(&format!("{line}\r\n\r\n"));
            assert_eq!(
                (head.version, head.status, head.reason.as_str()),
                (Some((1, 1)), 101, reason),
                "{line}"
            );
            assert_eq!(head.head.oddities(), oddities, "{line}");
        }
        let no_minor = response("HTTP/1 200 OK\r\n\r\n");
        assert_eq!((no_minor.version, no_minor.head.oddities()), (None, &[Oddity::StartLine][..]));
    }

    #[test]
    fn a_status_is_exactly_three_digits() {
        for code in ["10", "1010", "1x1", "+10", "-10", "", "１０１"] {
            assert_eq!(
                ResponseHead::parse(format!("HTTP/1.1 {code} X\r\n\r\n").as_bytes()),
                None,
                "{code:?}"
            );
        }
        assert_eq!(response("HTTP/1.1 999 X\r\n\r\n").status, 999);
    }

    #[test]
    fn any_sign_of_websocket_shows_intent_but_only_both_fields_make_an_upgrade() {
        for (fields, intent, upgrade) in [
            ("Upgrade: websocket\r\nConnection: Upgrade\r\n", true, true),
            ("upgrade: h2c, WebSocket/13\r\nconnection: keep-alive, upgrade\r\n", true, true),
            ("Upgrade: WebSocket\r\nConnection: close\r\n", true, false),
            ("Connection: Upgrade\r\nsec-websocket-Key: x\r\n", true, false),
            ("Sec-WebSocket: x\r\nUpgrade: websockets\r\nConnection: Upgrade\r\n", false, false),
            ("Upgrade: h2c\r\nConnection: Upgrade\r\n", false, false),
        ] {
            let head = request(&format!("GET / HTTP/1.1\r\n{fields}\r\n"));
            assert_eq!((head.shows_websocket_intent(), head.is_upgrade()), (intent, upgrade), "{fields}");
        }
    }

    fn token() -> impl Strategy<Value = String> {
        "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}"
    }

    proptest! {
        #[test]
        fn well_formed_heads_agree_with_the_strict_parser(
            method in token(),
            target in "/[a-z0-9/?=&%.]{0,20}",
            minor in 0_u8..=1,
            status in 100_u16..=999,
            reason in "[A-Za-z][A-Za-z ]{0,10}[a-z]",
            fields in proptest::collection::vec((token(), "([!-~]([ -~]{0,20}[!-~])?)?", "[ \t]{0,2}"), 0..40),
        ) {
            let lines: String = fields.iter().map(|(name, value, space)| format!("{name}:{space}{value}{space}\r\n")).collect();
            let raw = format!("{method} {target} HTTP/1.{minor}\r\n{lines}\r\n");
            let head = request(&raw);
            let mut slots = [httparse::EMPTY_HEADER; 64];
            let mut strict = httparse::Request::new(&mut slots);
            prop_assert!(strict.parse(raw.as_bytes()).unwrap().is_complete());
            prop_assert_eq!((Some(head.method.as_str()), Some(head.target.as_str())), (strict.method, strict.path));
            prop_assert_eq!(head.version, strict.version.map(|minor| (1, minor)));
            let expected: Vec<_> = strict.headers.iter().map(|field| Field { name: field.name.as_bytes(), value: field.value }).collect();
            prop_assert_eq!(head.head.fields().collect::<Vec<_>>(), expected);
            prop_assert!(head.head.oddities().is_empty());
            prop_assert_eq!(head.head.verdict(), Ok(()));
            prop_assert_eq!(head.head.raw(), raw.as_bytes());

            let raw = format!("HTTP/1.{minor} {status} {reason}\r\n{lines}\r\n");
            let head = response(&raw);
            let mut slots = [httparse::EMPTY_HEADER; 64];
            let mut strict = httparse::Response::new(&mut slots);
            prop_assert!(strict.parse(raw.as_bytes()).unwrap().is_complete());
            prop_assert_eq!((Some(head.status), Some(head.reason.as_str())), (strict.code, strict.reason));
            prop_assert_eq!(head.head.verdict(), Ok(()));
            prop_assert!(head.head.oddities().is_empty());
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_every_field_lies_inside_the_head(
            start in prop_oneof![Just("GET / HTTP/1.1\r\n"), Just("HTTP/1.1 200 OK\r\n"), Just("GET /"), Just("")],
            rest in proptest::collection::vec(prop_oneof![
                any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b':'), Just(b' '), Just(b',')
            ], 0..120),
        ) {
            let raw = [start.as_bytes(), &rest].concat();
            let request = RequestHead::parse(&raw).map(|request| { let _ = (request.body(), request.is_upgrade()); request.head });
            let response = ResponseHead::parse(&raw).map(|response| { let _ = response.body("GET"); response.head });
            for head in request.into_iter().chain(response) {
                for field in head.fields() {
                    prop_assert!(memchr::memmem::find(head.raw(), field.name).is_some());
                    prop_assert!(memchr::memmem::find(head.raw(), field.value).is_some());
                    prop_assert!(head.count(&*String::from_utf8_lossy(field.name)) >= 1 || std::str::from_utf8(field.name).is_err());
                    let _ = head.text(&*String::from_utf8_lossy(field.name));
                }
                let _ = (head.verdict(), head.has_token("a", "b"), format!("{head:?}"));
                prop_assert!(head.oddities().len() <= 6);
            }
        }
    }
}
