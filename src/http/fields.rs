//! The lines of a head: a table of field positions made from the bytes themselves, and what a strict parser says.

use super::head::{Field, Head, HeadKind, Oddity};
use super::names::{FieldName, Sign, Signs};
use crate::limits;
use compact_str::CompactString;
use std::ops::Range;
use std::sync::Arc;

/// What is known of the lines of a head besides their bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Lines {
    kind: HeadKind,
    signs: Signs,
    ranges: Box<[FieldRange]>,
    oddities: Box<[Oddity]>,
    upgrade: Upgrade,
}

/// What `Upgrade` and `Connection` name (RFC 9110 §7.8): of every handshake this is asked again and again.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Upgrade {
    websocket: bool,
    h2c: bool,
    connection: bool,
}

/// Where a field lies in the raw head; small, because every head of a capture may be kept.
/// Two bytes are enough: a head has at most 64 KiB and begins with its start line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FieldRange {
    name_start: u16,
    name_length: u16,
    value_start: u16,
    value_length: u16,
    sign: Sign,
}

impl Head {
    /// All of its bytes, from the start line to the blank line.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Bytes that it takes.
    pub fn weight(&self) -> usize {
        self.raw.len().saturating_add(size_of_val(&*self.lines.ranges))
    }

    /// The first line without its line end.
    pub fn start_line(&self) -> &[u8] {
        let end = memchr::memchr(b'\n', &self.raw);
        let line = end.and_then(|end| self.raw.get(..end)).unwrap_or(&self.raw);
        line.strip_suffix(b"\r").filter(|_| end.is_some()).unwrap_or(line)
    }

    /// Every header field in order of appearance.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.lines.ranges.iter().map(|range| Field { name: self.name(range), value: self.value(range) })
    }

    /// The value of the first field of this name (case-insensitive), without surrounding white space.
    #[inline]
    pub fn field<'n>(&self, name: impl Into<FieldName<'n>>) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// The values of all fields of this name, in order.
    #[inline]
    pub fn values<'a, 'n, N: Into<FieldName<'n>>>(
        &'a self,
        name: N,
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n, N> {
        self.named(name.into()).map(|range| self.value(range))
    }

    /// How many fields have this name.
    #[inline]
    pub fn count<'n>(&self, name: impl Into<FieldName<'n>>) -> usize {
        self.values(name).count()
    }

    /// Whether the comma-separated list in all fields of this name has this token (RFC 9110 §5.6.1), case-insensitive
    /// and whatever its parameters (`;…`) or its version (`/…`).
    #[inline]
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.values(name).any(|value| lists(value, token.as_bytes()))
    }

    /// Whether `Upgrade` names `websocket` (RFC 6455 §4.1).
    #[inline]
    pub fn names_websocket(&self) -> bool {
        self.lines.upgrade.websocket
    }

    /// Whether `Upgrade` names `h2c` (RFC 7540 §3.2).
    #[inline]
    pub fn names_h2c(&self) -> bool {
        self.lines.upgrade.h2c
    }

    /// Whether `Connection` names `upgrade` (RFC 6455 §4.1).
    #[inline]
    pub fn names_upgrade(&self) -> bool {
        self.lines.upgrade.connection
    }

    /// Where in [`Head::raw`] the value lies that is another one in each handshake: that of the only `Sec-WebSocket-Key` of
    /// a request, or of the only `Sec-WebSocket-Accept` of a response, where it has none but letters of base64.
    pub fn nonce(&self) -> Option<Range<usize>> {
        let mut named = self.named(match self.lines.kind {
            HeadKind::Request => FieldName::new("sec-websocket-key"),
            HeadKind::Response => FieldName::new("sec-websocket-accept"),
        });
        let range = named.next().filter(|_| named.next().is_none())?;
        let start = usize::from(range.value_start);
        let place = start..start.checked_add(usize::from(range.value_length))?;
        is_base64(self.value(range)).then_some(place)
    }

    /// The head that `bytes` are, where it differs from this one in nothing but the letters of base64 at `nonce` (see
    /// [`Head::nonce`]): then its lines are known without being read.
    pub fn again(&self, nonce: &Range<usize>, bytes: &[u8]) -> Option<Head> {
        let same = |range: Range<usize>| bytes.get(range.clone()) == self.raw.get(range);
        let is_alike = bytes.len() == self.raw.len()
            && same(0..nonce.start)
            && same(nonce.end..bytes.len())
            && bytes.get(nonce.clone()).is_some_and(is_base64);
        is_alike.then(|| Head { raw: bytes.into(), lines: Arc::clone(&self.lines) })
    }

    /// The first value of this name for people: bytes that are not UTF-8 are replaced, and a fold is one space
    /// (RFC 9112 §5.2).
    #[inline]
    pub fn text<'n>(&self, name: impl Into<FieldName<'n>>) -> Option<CompactString> {
        self.field(name).map(text)
    }

    /// What is odd about it; each kind once, in order of first appearance.
    pub fn oddities(&self) -> &[Oddity] {
        &self.lines.oddities
    }

    /// What a strict parser says of it; made anew on every call, for the few heads that are shown.
    ///
    /// # Errors
    /// The strict parser's reason to refuse it.
    pub fn verdict(&self) -> Result<(), &'static str> {
        let result = match self.strictly::<256>() {
            Err(httparse::Error::TooManyHeaders) => self.strictly::<1024>(),
            result => result,
        };
        match result {
            Ok(httparse::Status::Complete(_)) => Ok(()),
            Ok(httparse::Status::Partial) => Err("the head ends before its blank line"),
            Err(httparse::Error::HeaderName) => Err("invalid byte in a field name"),
            Err(httparse::Error::HeaderValue) => Err("invalid byte in a field value"),
            Err(httparse::Error::NewLine) => Err("invalid line end"),
            Err(httparse::Error::Status) => Err("invalid status code"),
            Err(httparse::Error::Token) => Err("invalid byte in the start line"),
            Err(httparse::Error::TooManyHeaders) => Err("more than 1024 fields"),
            Err(httparse::Error::Version) => Err("invalid version, expected HTTP/1.0 or HTTP/1.1"),
        }
    }

    /// Makes the table of fields. `None` for no line at all and for more than [`limits::HEAD`] bytes.
    pub(super) fn read(raw: &[u8], kind: HeadKind) -> Option<Head> {
        let empty = raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let raw = raw.get(empty..)?;
        if raw.is_empty() || raw.len() > limits::HEAD {
            return None;
        }
        let mut table = Table { ranges: Vec::with_capacity(USUAL_FIELDS), ..Table::default() };
        let is_odd = has_odd_bytes(raw);
        // One pass finds the ends of the lines and the colons in them.
        let (mut start, mut colon, mut length) = (0, None, raw.len());
        for at in memchr::memchr2_iter(b'\n', b':', raw).chain([raw.len()]) {
            if raw.get(at) == Some(&b':') {
                colon = colon.or(Some(at));
                continue;
            }
            let line = raw.get(start..at).unwrap_or_default();
            let is_ended = at < raw.len();
            let content = line.strip_suffix(b"\r").filter(|_| is_ended).unwrap_or(line);
            if is_ended && content.len() == line.len() {
                table.note(Oddity::BareLf);
            }
            if content.is_empty() {
                length = raw.len().min(at.saturating_add(1));
                break;
            }
            if is_odd && content.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
                table.note(Oddity::ControlByte);
            }
            if start > 0 {
                table.add_line(content, start, colon.map(|colon| colon.saturating_sub(start)));
            }
            (start, colon) = (at.saturating_add(1), None);
        }
        // A long list that only gave back its room might keep half of it.
        let is_long = table.ranges.capacity() > MANY_FIELDS;
        let ranges = if is_long { table.ranges.as_slice().into() } else { table.ranges.into() };
        let oddities = table.oddities.into();
        let lines = Lines { kind, signs: table.signs, ranges, oddities, upgrade: Upgrade::default() };
        let mut head = Head { raw: raw.get(..length)?.into(), lines: Arc::new(lines) };
        let upgrade = Upgrade {
            websocket: head.has_token("upgrade", "websocket"),
            h2c: head.has_token("upgrade", "h2c"),
            connection: head.has_token("connection", "upgrade"),
        };
        Arc::make_mut(&mut head.lines).upgrade = upgrade;
        Some(head)
    }

    /// The fields of this name.
    #[inline]
    fn named<'a, 'n>(&'a self, name: FieldName<'n>) -> impl Iterator<Item = &'a FieldRange> + use<'a, 'n> {
        let ranges = if self.lines.signs.may_have(name.sign) { &*self.lines.ranges } else { &[] };
        let is_named = move |range: &&'a FieldRange| {
            range.sign == name.sign && self.name(range).eq_ignore_ascii_case(name.text().as_bytes())
        };
        ranges.iter().filter(is_named)
    }

    fn name(&self, range: &FieldRange) -> &[u8] {
        slice(&self.raw, range.name_start, range.name_length)
    }

    fn value(&self, range: &FieldRange) -> &[u8] {
        slice(&self.raw, range.value_start, range.value_length)
    }

    pub(super) fn add_oddity(&mut self, oddity: Oddity) {
        let lines = Arc::make_mut(&mut self.lines);
        let mut oddities = std::mem::take(&mut lines.oddities).into_vec();
        note(&mut oddities, oddity);
        lines.oddities = oddities.into();
    }

    fn strictly<const SLOTS: usize>(&self) -> httparse::Result<usize> {
        let mut slots = [httparse::EMPTY_HEADER; SLOTS];
        match self.lines.kind {
            HeadKind::Request => httparse::Request::new(&mut slots).parse(&self.raw),
            HeadKind::Response => httparse::Response::new(&mut slots).parse(&self.raw),
        }
    }
}

/// A value for people; see [`Head::text`].
pub(super) fn text(value: &[u8]) -> CompactString {
    let value = CompactString::from_utf8_lossy(value);
    if !value.contains('\n') {
        return value;
    }
    let lines: Vec<&str> = value.split('\n').map(|line| line.trim_matches([' ', '\t', '\r'])).collect();
    lines.join(" ").into()
}

/// Whether a comma-separated list has this element; see [`Head::has_token`].
fn lists(value: &[u8], token: &[u8]) -> bool {
    // As it nearly always is: one element, with nothing to it.
    value.eq_ignore_ascii_case(token)
        || value.len() > token.len()
            && value.split(|&byte| byte == b',').any(|element| {
                let end =
                    element.iter().position(|byte| matches!(byte, b';' | b'/')).unwrap_or(element.len());
                trim(element.get(..end).unwrap_or(element)).eq_ignore_ascii_case(token)
            })
}

/// Whether a head has control bytes other than tabs and line ends: seldom, so that its lines need not be searched.
fn has_odd_bytes(raw: &[u8]) -> bool {
    // Without a branch for each byte, so that many are looked at in one instruction.
    let is_odd = |byte: u8| (byte < b' ') & !matches!(byte, b'\t' | b'\r' | b'\n') | (byte == 0x7f);
    let odd = raw.iter().fold(false, |odd, &byte| odd | is_odd(byte));
    let next = raw.get(1..).unwrap_or_default();
    let lone =
        raw.iter().zip(next).fold(false, |lone, (&byte, &next)| lone | (byte == b'\r') & (next != b'\n'));
    odd || lone || raw.last() == Some(&b'\r')
}

/// Whether there are none but the letters of base64 and what it is filled up with (RFC 4648 §4); none of them means
/// anything to a head.
pub fn is_base64(bytes: &[u8]) -> bool {
    // Without a branch for each byte: of random letters none could be foreseen.
    let is_letter = |byte: u8| {
        ((byte | 0x20).wrapping_sub(b'a') < 26)
            | (byte.wrapping_sub(b'0') < 10)
            | (byte == b'+')
            | (byte == b'/')
            | (byte == b'=')
    };
    bytes.iter().fold(true, |all, &byte| all & is_letter(byte))
}

/// Without white space and folds at both ends.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let Some(start) = bytes.iter().position(is_inner) else { return &[] };
    let end = bytes.iter().rposition(is_inner).unwrap_or(start);
    bytes.get(start..=end).unwrap_or_default()
}

fn is_inner(byte: &u8) -> bool {
    !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[derive(Default)]
struct Table {
    ranges: Vec<FieldRange>,
    signs: Signs,
    oddities: Vec<Oddity>,
    /// Whether the line before this one was a field, so that a fold continues it.
    can_fold: bool,
}

impl Table {
    /// Adds one line after the start line that begins at `start` in the head, and has its first colon there.
    fn add_line(&mut self, line: &[u8], start: usize, colon: Option<usize>) {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            self.note(Oddity::ObsFold);
            self.fold(line, start);
            return;
        }
        let Some(colon) = colon else {
            self.note(Oddity::NoColon);
            self.can_fold = false;
            return;
        };
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        if matches!(name.last(), Some(b' ' | b'\t')) {
            self.note(Oddity::SpaceBeforeColon);
        }
        let value_at = start.saturating_add(colon).saturating_add(1);
        let name = trim_from(name, start);
        let value = trim_from(value.get(1..).unwrap_or_default(), value_at);
        let sign = Sign::of(name.1);
        self.signs.add(sign);
        let ((name_start, name_length), (value_start, value_length)) = (span(name), span(value));
        self.ranges.push(FieldRange { name_start, name_length, value_start, value_length, sign });
        self.can_fold = true;
    }

    /// RFC 9112 §2.2: white space right after the start line continues nothing and is dropped.
    fn fold(&mut self, line: &[u8], start: usize) {
        let (more_start, more_length) = span(trim_from(line, start));
        let Some(range) = self.ranges.last_mut().filter(|_| self.can_fold) else { return };
        if range.value_length == 0 {
            (range.value_start, range.value_length) = (more_start, more_length);
        } else if more_length > 0 {
            range.value_length = more_start.saturating_sub(range.value_start).saturating_add(more_length);
        }
    }

    fn note(&mut self, oddity: Oddity) {
        note(&mut self.oddities, oddity);
    }
}

fn note(oddities: &mut Vec<Oddity>, oddity: Oddity) {
    if !oddities.contains(&oddity) {
        oddities.push(oddity);
    }
}

/// What is left of `bytes`, which begin at `start`, without white space around, and where that begins.
fn trim_from(bytes: &[u8], start: usize) -> (usize, &[u8]) {
    let before = bytes.iter().position(is_inner).unwrap_or(0);
    (start.saturating_add(before), trim(bytes.get(before..).unwrap_or_default()))
}

/// Start and length in the raw head, which is short enough for both.
fn span((start, bytes): (usize, &[u8])) -> (u16, u16) {
    let start = if bytes.is_empty() { 0 } else { start };
    (u16::try_from(start).unwrap_or(0), u16::try_from(bytes.len()).unwrap_or(0))
}

/// Fields for which a head's table has room from the start; most heads have fewer.
const USUAL_FIELDS: usize = 12;

/// Fields that few heads have as many of.
const MANY_FIELDS: usize = 128;

fn slice(raw: &[u8], start: u16, length: u16) -> &[u8] {
    let start = usize::from(start);
    raw.get(start..start.saturating_add(usize::from(length))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::RequestHead;

    fn head(fields: &str) -> Head {
        RequestHead::parse(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes()).unwrap().head
    }

    #[test]
    fn a_field_is_found_whatever_the_case_of_its_name_and_without_white_space_around_its_value() {
        let head = head("Host: first\r\nhOST:\t second \t\r\nX:\r\n");
        assert_eq!(head.field("HOST"), Some(&b"first"[..]));
        assert_eq!(head.values("host").collect::<Vec<_>>(), [&b"first"[..], b"second"]);
        assert_eq!((head.count("host"), head.count("x"), head.count("y")), (2, 1, 0));
        assert_eq!((head.field("x"), head.field("y")), (Some(&b""[..]), None));
        assert!(head.oddities().is_empty());
    }

    #[test]
    fn a_name_keeps_its_case_and_a_value_its_colons() {
        let head = head("oRIGIN: https://a:1\r\n");
        assert_eq!(head.fields().collect::<Vec<_>>(), [Field { name: b"oRIGIN", value: b"https://a:1" }]);
    }

    #[test]
    fn a_token_is_found_on_any_line_whatever_its_case_parameters_or_version() {
        let head =
            head("Connection: keep-alive\r\nConnection: TE ,UPGRADE; q=1\r\nUpgrade: h2c,\twebsocket/13\r\n");
        assert!(head.has_token("connection", "upgrade"));
        assert!(head.has_token("connection", "Keep-Alive"));
        assert!(head.has_token("upgrade", "websocket"));
        assert!(!head.has_token("upgrade", "web"));
        assert!(!head.has_token("connection", "keep"));
        assert!(!head.has_token("host", "upgrade"));
    }

    #[test]
    fn every_kind_of_oddity_is_noted_once_and_the_line_still_read() {
        for (fields, oddity, value) in [
            ("A: 1\nB: 2\n", Oddity::BareLf, Some(&b"1"[..])),
            ("A: 1\r\n 2\r\n\t3\r\n", Oddity::ObsFold, Some(b"1\r\n 2\r\n\t3")),
            ("A : 1\r\nB\t: 2\r\n", Oddity::SpaceBeforeColon, Some(b"1")),
            ("nothing\r\nA: 1\r\nmore\r\n", Oddity::NoColon, Some(b"1")),
            ("A: 1\x002\r\nB: \x7f\r\n", Oddity::ControlByte, Some(b"1\x002")),
            ("A: 1\r2\r\n", Oddity::ControlByte, Some(b"1\r2")),
        ] {
            let head = head(fields);
            assert_eq!((head.oddities(), head.field("a")), (&[oddity][..], value), "{fields:?}");
            assert!(head.fields().all(|field| !field.name.ends_with(b" ")));
        }
    }

    #[test]
    fn a_fold_belongs_to_the_field_before_it_and_to_nothing_else() {
        let folded = head("A:\r\n one\r\n \r\n two\r\nB: 2\r\n");
        assert_eq!(folded.field("a"), Some(&b"one\r\n \r\n two"[..]));
        assert_eq!(folded.field("b"), Some(&b"2"[..]));
        let loose = head(" X: 0\r\nA: 1\r\nno colon\r\n Y: 2\r\n");
        assert_eq!(loose.fields().count(), 1);
        assert_eq!(loose.field("a"), Some(&b"1"[..]));
        assert_eq!(loose.oddities(), [Oddity::ObsFold, Oddity::NoColon]);
    }

    #[test]
    fn a_text_has_no_folds_and_no_bytes_outside_utf8() {
        let mut raw = b"GET / HTTP/1.1\r\nA: one \r\n\t two\r\nB: \xff\xc3\xa9\r\n\r\n".to_vec();
        let head = RequestHead::parse(&raw).unwrap().head;
        assert_eq!(head.text("a").as_deref(), Some("one two"));
        assert_eq!(head.text("b").as_deref(), Some("\u{fffd}é"));
        assert_eq!(head.text("c"), None);
        raw.truncate(20);
        assert!(RequestHead::parse(&raw).unwrap().head.verdict().is_err());
    }

    #[test]
    fn a_head_ends_at_its_blank_line_and_begins_after_empty_ones() {
        let head = RequestHead::parse(b"\r\n\nGET / HTTP/1.1\r\nA: 1\r\n\r\nB: 2\r\n").unwrap().head;
        assert_eq!(head.raw(), b"GET / HTTP/1.1\r\nA: 1\r\n\r\n");
        assert_eq!(head.count("b"), 0);
    }

    #[test]
    fn the_strict_parser_says_what_it_refuses() {
        assert_eq!(head("A: 1\r\n").verdict(), Ok(()));
        assert_eq!(head("A : 1\r\n").verdict(), Err("invalid byte in a field name"));
        assert_eq!(head("A: 1\x002\r\n").verdict(), Err("invalid byte in a field value"));
        let version = RequestHead::parse(b"GET / HTTP/3.0\r\n\r\n").unwrap().head;
        assert_eq!(version.verdict(), Err("invalid version, expected HTTP/1.0 or HTTP/1.1"));
        let status = crate::http::ResponseHead::parse(b"HTTP/1.1\t101 X\r\n\r\n").unwrap().head;
        assert!(status.verdict().is_err());
    }

    #[test]
    fn more_fields_than_the_first_slots_are_no_fault_until_the_second_are_full() {
        assert_eq!(head(&"A: 1\r\n".repeat(300)).verdict(), Ok(()));
        assert_eq!(head(&"A: 1\r\n".repeat(1025)).verdict(), Err("more than 1024 fields"));
    }

    #[test]
    fn the_last_bytes_of_the_longest_head_are_still_reached() {
        let start = "GET / HTTP/1.1\r\n";
        let padding = limits::HEAD - start.len() - "A:\r\nBcd:xyz\r\n\r\n".len();
        let raw = format!("{start}A:{}\r\nBcd:xyz\r\n\r\n", "v".repeat(padding));
        assert_eq!(raw.len(), limits::HEAD);
        let head = RequestHead::parse(raw.as_bytes()).unwrap().head;
        assert_eq!(head.field("bcd"), Some(&b"xyz"[..]));
        assert_eq!(head.field("a").map(<[u8]>::len), Some(padding));
    }
}
