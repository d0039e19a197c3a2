//! Request and response heads: the start line, over a [`Head`] that keeps every byte.

use super::fields::FieldRange;
use super::first::is_method;

/// A message head with all of its bytes, from the start line to the blank line.
///
/// The line table is made from the bytes themselves, so that what a strict parser refuses or silently repairs is
/// still there to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    pub(super) raw: Box<[u8]>,
    pub(super) kind: HeadKind,
    pub(super) ranges: Box<[FieldRange]>,
    pub(super) oddities: Box<[Oddity]>,
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
    pub method: String,
    /// The request target as written; bytes that are not UTF-8 are replaced.
    pub target: String,
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
    pub reason: String,
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

    /// Whether it asks for a WebSocket in any way, however wrong: a field whose name begins with `Sec-WebSocket-`, or
    /// an `Upgrade` that names `websocket`.
    pub fn shows_websocket_intent(&self) -> bool {
        const PREFIX: &[u8] = b"sec-websocket-";
        let is_ours =
            |name: &[u8]| name.get(..PREFIX.len()).is_some_and(|name| name.eq_ignore_ascii_case(PREFIX));
        self.head.has_token("upgrade", "websocket") || self.head.fields().any(|field| is_ours(field.name))
    }

    /// Whether `Upgrade` names `websocket` and `Connection` names `upgrade` (RFC 6455 §4.1).
    pub fn is_upgrade(&self) -> bool {
        self.head.has_token("upgrade", "websocket") && self.head.has_token("connection", "upgrade")
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
