//! From header blocks to heads: extended CONNECT (RFC 8441 §4, §5), its answer, and the pseudo-header fields of both.
//!
//! The heads are those of HTTP/1.1, so that whoever reads a field needs not know where it came from.

use super::hpack::{Fault, Hpack, Text};
use crate::http::head::is_token;
use crate::http::{Head, HeadKind, Oddity, RequestHead, ResponseHead};
use crate::limits;
use compact_str::CompactString;

/// The fields of one header block. Made once and filled again for each block, so that those of ordinary streams cost
/// no allocation.
#[derive(Default, Debug)]
pub struct Fields {
    pseudo: [Value; 6],
    /// Ordinary fields as lines.
    lines: Vec<u8>,
    unknown: u32,
    /// Whether a byte was replaced that no line can hold.
    odd: bool,
    /// Whether fields were dropped beyond [`limits::HEAD`].
    cut: bool,
    upgrade: bool,
    websocket_field: bool,
}

/// A pseudo-header field (RFC 9113 §8.3, RFC 8441 §4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pseudo {
    /// `:method`
    Method,
    /// `:protocol`
    Protocol,
    /// `:scheme`
    Scheme,
    /// `:authority`
    Authority,
    /// `:path`
    Path,
    /// `:status`
    Status,
}

/// What a request asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asks {
    /// A WebSocket, by extended CONNECT.
    WebSocket,
    /// A WebSocket in the way of HTTP/1.1, with `Upgrade` or `Sec-WebSocket` fields, which HTTP/2 does not have.
    Upgrade,
    /// Fields that would tell are not known.
    Unknown,
    /// Something else.
    Other,
}

#[derive(Default, Debug)]
struct Value {
    there: bool,
    text: Vec<u8>,
}

impl Pseudo {
    /// All of them.
    pub const ALL: [Pseudo; 6] =
        [Pseudo::Method, Pseudo::Protocol, Pseudo::Scheme, Pseudo::Authority, Pseudo::Path, Pseudo::Status];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Pseudo::Method => ":method",
            Pseudo::Protocol => ":protocol",
            Pseudo::Scheme => ":scheme",
            Pseudo::Authority => ":authority",
            Pseudo::Path => ":path",
            Pseudo::Status => ":status",
        }
    }
}

impl Fields {
    /// Reads a header block.
    ///
    /// # Errors
    ///
    /// As [`Hpack::decode`].
    pub fn read(&mut self, hpack: &mut Hpack, block: &[u8]) -> Result<(), Fault> {
        self.clear();
        hpack.decode(block, &mut |name, value| self.add(name, value))
    }

    /// Fields of which the name, or name and value, were told in a part of the connection that is not in the capture.
    pub const fn unknown(&self) -> u32 {
        self.unknown
    }

    /// Whether fields were dropped because the head is longer than [`limits::HEAD`].
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// The value of a pseudo-header field.
    pub fn pseudo(&self, pseudo: Pseudo) -> Option<&[u8]> {
        let value = self.pseudo.get(pseudo as usize)?;
        value.there.then_some(&value.text)
    }

    /// What it asks for, as a request.
    pub fn asks(&self) -> Asks {
        let protocol = self.pseudo(Pseudo::Protocol);
        match (protocol, self.pseudo(Pseudo::Method)) {
            (Some(protocol), _) if protocol.eq_ignore_ascii_case(b"websocket") => Asks::WebSocket,
            (Some(_), _) => Asks::Other,
            (None, _) if self.upgrade => Asks::Upgrade,
            (None, Some(b"CONNECT")) if self.websocket_field || self.unknown > 0 => Asks::Unknown,
            (None, None) if self.unknown > 0 => Asks::Unknown,
            (None, Some(_)) if self.websocket_field => Asks::Upgrade,
            _ => Asks::Other,
        }
    }

    /// As the head of a request: `:method` and `:path` in the request line, `:authority` as `host`. A pseudo-header
    /// field that is not there, or not known, is empty.
    pub fn request(&self) -> Option<RequestHead> {
        let text = |pseudo| CompactString::from_utf8_lossy(self.pseudo(pseudo).unwrap_or_default());
        let (method, target) = (text(Pseudo::Method), text(Pseudo::Path));
        let mut raw = Vec::with_capacity(self.lines.len().saturating_add(128));
        line_text(self.pseudo(Pseudo::Method).unwrap_or_default(), &mut raw);
        raw.push(b' ');
        line_text(self.pseudo(Pseudo::Path).unwrap_or_default(), &mut raw);
        raw.extend_from_slice(b" HTTP/2\r\n");
        if let Some(authority) = self.pseudo(Pseudo::Authority) {
            raw.extend_from_slice(b"host: ");
            line_text(authority, &mut raw);
            raw.extend_from_slice(b"\r\n");
        }
        let head = self.head(raw, HeadKind::Request)?;
        Some(RequestHead { head, method, target, version: Some((2, 0)) })
    }

    /// As the head of a response, which has no reason phrase; `None` without a `:status` of three digits.
    pub fn response(&self) -> Option<ResponseHead> {
        let digits = self.pseudo(Pseudo::Status).filter(|digits| digits.len() == 3)?;
        let status = std::str::from_utf8(digits).ok()?.parse().ok().filter(|status| *status >= 100)?;
        let raw = format!("HTTP/2 {status}\r\n").into_bytes();
        let head = self.head(raw, HeadKind::Response)?;
        Some(ResponseHead { head, version: Some((2, 0)), status, reason: CompactString::default() })
    }

    fn head(&self, mut raw: Vec<u8>, kind: HeadKind) -> Option<Head> {
        raw.extend_from_slice(&self.lines);
        raw.extend_from_slice(b"\r\n");
        let mut head = Head::read(&raw, kind)?;
        if self.odd {
            head.add_oddity(Oddity::ControlByte);
        }
        Some(head)
    }

    fn clear(&mut self) {
        for value in &mut self.pseudo {
            value.there = false;
            value.text.clear();
        }
        self.lines.clear();
        (self.unknown, self.odd, self.cut, self.upgrade, self.websocket_field) =
            (0, false, false, false, false);
    }

    fn add(&mut self, name: Text<'_>, value: Text<'_>) {
        let (Text::Known(name), Text::Known(value)) = (name, value) else {
            self.unknown = self.unknown.saturating_add(1);
            return;
        };
        let used =
            self.pseudo.iter().map(|value| value.text.len()).fold(self.lines.len(), usize::saturating_add);
        let needed = name.len().saturating_add(value.len()).saturating_add(4);
        // Room is left for the start line and for `host`.
        if used.saturating_add(needed) > limits::HEAD.saturating_sub(64) {
            self.cut = true;
            return;
        }
        if name.first() == Some(&b':') {
            let known = Pseudo::ALL.iter().find(|pseudo| pseudo.name().as_bytes() == name);
            if let Some(slot) = known.and_then(|&pseudo| self.pseudo.get_mut(pseudo as usize))
                && !slot.there
            {
                slot.there = true;
                slot.text.extend_from_slice(value);
            }
            return;
        }
        const PREFIX: &[u8] = b"sec-websocket-";
        self.websocket_field |=
            name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
        self.upgrade |= name.eq_ignore_ascii_case(b"upgrade")
            && value.windows(b"websocket".len()).any(|word| word.eq_ignore_ascii_case(b"websocket"));
        if is_token(name) {
            self.lines.extend_from_slice(name);
        } else {
            self.odd = true;
            self.lines.extend(name.iter().map(|&byte| if is_token(&[byte]) { byte } else { b'_' }));
        }
        self.lines.extend_from_slice(b": ");
        self.odd |= line_text(value, &mut self.lines);
        self.lines.extend_from_slice(b"\r\n");
    }
}

/// Appends a value without the bytes that would end its line (RFC 9113 §8.2.1 forbids them); tells whether there were
/// any.
fn line_text(value: &[u8], line: &mut Vec<u8>) -> bool {
    let breaks = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    if !value.iter().any(breaks) {
        line.extend_from_slice(value);
        return false;
    }
    line.extend(value.iter().map(|byte| if breaks(byte) { b' ' } else { *byte }));
    true
}

#[cfg(test)]
mod tests {
    use super::super::hpack::encode::literal;
    use super::*;
    use proptest::prelude::*;

    fn read(fields: &[(&str, &str)]) -> Fields {
        let block: Vec<u8> = fields
            .iter()
            .flat_map(|(name, value)| literal(name.as_bytes(), value.as_bytes(), true, true))
            .collect();
        let mut read = Fields::default();
        read.read(&mut Hpack::new(), &block).unwrap();
        read
    }

    const CONNECT: [(&str, &str); 7] = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", "/chat?x=1"),
        (":authority", "server.example.com"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-extensions", "permessage-deflate"),
    ];

    #[test]
    fn an_extended_connect_becomes_a_head_like_any_other() {
        let fields = read(&CONNECT);
        assert_eq!(fields.asks(), Asks::WebSocket);
        let request = fields.request().unwrap();
        assert_eq!((request.method.as_str(), request.target.as_str()), ("CONNECT", "/chat?x=1"));
        assert_eq!(request.version, Some((2, 0)));
        assert_eq!(request.head.start_line(), b"CONNECT /chat?x=1 HTTP/2");
        assert_eq!(request.head.field("Host"), Some(&b"server.example.com"[..]));
        assert_eq!(request.head.field("Sec-WebSocket-Extensions"), Some(&b"permessage-deflate"[..]));
        assert!(request.head.oddities().is_empty());
        assert_eq!(fields.pseudo(Pseudo::Scheme), Some(&b"https"[..]));
    }

    #[test]
    fn a_response_needs_a_status_of_three_digits() {
        let response = read(&[(":status", "200"), ("server", "x")]).response().unwrap();
        assert_eq!((response.status, response.version, response.reason.as_str()), (200, Some((2, 0)), ""));
        assert_eq!(response.head.raw(), b"HTTP/2 200\r\nserver: x\r\n\r\n");
        for status in ["", "20", "2000", "+20", "020", "2x0"] {
            assert!(read(&[(":status", status)]).response().is_none(), "{status:?}");
        }
        assert!(read(&[("server", "x")]).response().is_none());
    }

    #[test]
    fn what_a_request_asks_for_is_told_by_its_fields() {
        for (fields, asks) in [
            (&[(":method", "GET"), ("upgrade", "WebSocket")][..], Asks::Upgrade),
            (&[(":method", "GET"), ("sec-websocket-key", "x")], Asks::Upgrade),
            (&[(":method", "GET"), (":path", "/")], Asks::Other),
            (&[(":method", "CONNECT"), (":authority", "a:1")], Asks::Other),
            (
                &[(":method", "CONNECT"), (":protocol", "connect-udp"), ("sec-websocket-key", "x")],
                Asks::Other,
            ),
            (&[], Asks::Other),
        ] {
            assert_eq!(read(fields).asks(), asks, "{fields:?}");
        }
    }

    #[test]
    fn bytes_that_would_end_a_line_cannot_make_a_field() {
        let fields = read(&[
            (":method", "CONNECT\r\nevil: 1"),
            (":path", "/\r\n\r\nx"),
            ("a\r\nevil", "1"),
            ("b", "1\r\nevil: 1"),
            (" c:evil", "1"),
        ]);
        let request = fields.request().unwrap();
        let names: Vec<_> =
            request.head.fields().map(|field| String::from_utf8_lossy(field.name).into_owned()).collect();
        assert_eq!(names, ["a__evil", "b", "_c_evil"]);
        assert_eq!(request.head.oddities(), [Oddity::ControlByte]);
    }

    #[test]
    fn a_head_is_cut_at_the_bound_and_says_so() {
        let long = "x".repeat(30_000);
        let fields = read(&[("a", &long), (":path", "/"), ("b", &long), ("c", &long), ("d", "1")]);
        assert!(fields.is_cut());
        let request = fields.request().unwrap();
        let names: Vec<_> = request.head.fields().map(|field| field.name).collect();
        assert_eq!(names, [b"a", b"b", b"d"]);
    }

    proptest! {
        #[test]
        fn any_block_gives_heads_without_panic(block in proptest::collection::vec(any::<u8>(), 0..200), late in any::<bool>()) {
            let mut hpack = Hpack::new();
            if late {
                hpack.forget();
            }
            let mut fields = Fields::default();
            if fields.read(&mut hpack, &block).is_ok() {
                fields.asks();
                fields.response();
                prop_assert!(fields.request().is_some());
            }
        }

        #[test]
        fn fields_come_out_as_they_went_in(fields in proptest::collection::vec(("[a-z-]{1,20}", "([!-~]([ -~]{0,20}[!-~])?)?"), 0..40)) {
            let given: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let request = read(&given).request().unwrap();
            let out: Vec<_> = request.head.fields().map(|field| (field.name, field.value)).collect();
            let given: Vec<_> = given.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
            prop_assert_eq!(out, given);
        }
    }
}
