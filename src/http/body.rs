//! Where a message ends: the length of its body (RFC 9112 §6.3), and a reader that follows it (§7.1).

use super::fields::trim;
use super::head::{Head, RequestHead, ResponseHead};
use crate::limits;

/// How the end of a body is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    /// There is none; the next message follows the head.
    None,
    /// So many bytes, never zero when it comes from a head.
    Length(u64),
    /// Chunks, each with its length (RFC 9112 §7.1).
    Chunked,
    /// It lasts until the connection closes.
    UntilClose,
    /// There is none; after the head the connection is a tunnel (RFC 9110 §9.3.6).
    Tunnel,
}

impl RequestHead {
    /// How the end of the request's body is known (RFC 9112 §6.3). Where the length is conflicting or unreadable, a
    /// server answers 400 and there is nothing to follow: [`Body::None`].
    pub fn body(&self) -> Body {
        match framing(&self.head) {
            Framing::Chunked => Body::Chunked,
            Framing::Length(length) if length > 0 => Body::Length(length),
            _ => Body::None,
        }
    }
}

impl ResponseHead {
    /// How the end of the response's body is known (RFC 9112 §6.3), which depends on the method it answers. Where the
    /// length is absent, conflicting or unreadable, the body lasts until the connection closes.
    pub fn body(&self, request_method: &str) -> Body {
        match (self.status, framing(&self.head)) {
            _ if request_method.eq_ignore_ascii_case("HEAD") => Body::None,
            (100..=199 | 204 | 304, _) => Body::None,
            (200..=299, _) if request_method.eq_ignore_ascii_case("CONNECT") => Body::Tunnel,
            (_, Framing::Chunked) => Body::Chunked,
            (_, Framing::Length(0)) => Body::None,
            (_, Framing::Length(length)) => Body::Length(length),
            (_, Framing::Absent | Framing::Unreadable) => Body::UntilClose,
        }
    }
}

/// Follows one body through the stream without keeping any of it.
#[derive(Debug)]
pub struct BodyReader {
    state: State,
    /// Bytes of the line, or of the trailer section, that is being read.
    line: u32,
}

impl BodyReader {
    /// A reader at the first byte after the head.
    pub fn new(body: Body) -> BodyReader {
        let state = match body {
            Body::None | Body::Tunnel | Body::Length(0) => State::Done,
            Body::Length(length) => State::Length(length),
            Body::Chunked => State::Size { size: 0, has_digits: false },
            Body::UntilClose => State::UntilClose,
        };
        BodyReader { state, line: 0 }
    }

    /// Takes the next bytes of the stream, gives the content in them to `on_data`, and returns how many belong to the
    /// body: less than all when it ended. A reader that is lost takes everything and gives nothing.
    pub fn push(&mut self, bytes: &[u8], on_data: &mut impl FnMut(&[u8])) -> usize {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.state {
                State::Done => break,
                State::Lost => &[],
                State::UntilClose => {
                    on_data(rest);
                    &[]
                }
                State::Length(left) | State::Data(left) => {
                    let (data, after) = usize::try_from(left)
                        .ok()
                        .and_then(|left| rest.split_at_checked(left))
                        .unwrap_or((rest, &[]));
                    self.advance(u64::try_from(data.len()).unwrap_or(u64::MAX));
                    on_data(data);
                    after
                }
                _ => match rest.split_first() {
                    Some((&byte, after)) => {
                        self.state = self.framing_byte(byte);
                        after
                    }
                    None => break,
                },
            };
        }
        bytes.len().saturating_sub(rest.len())
    }

    /// Whether the last byte of the body has been taken. Never true for one that lasts until the connection closes.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Whether the end of the body can no longer be found, for malformed chunks or a gap.
    pub fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }

    /// Passes over `n` bytes that the capture lacks. `false` where the position in the stream is lost by it, because
    /// the gap holds more than content of this body.
    pub fn skip(&mut self, n: u64) -> bool {
        if n == 0 {
            return !self.is_lost();
        }
        match self.state {
            State::UntilClose => {}
            State::Length(left) | State::Data(left) if n <= left => self.advance(n),
            _ => self.state = State::Lost,
        }
        !self.is_lost()
    }

    /// Passes over content, at most as much as is left.
    fn advance(&mut self, n: u64) {
        self.state = match self.state {
            State::Length(left) if n >= left => State::Done,
            State::Length(left) => State::Length(left.saturating_sub(n)),
            State::Data(left) if n >= left => State::DataEnd,
            State::Data(left) => State::Data(left.saturating_sub(n)),
            state => state,
        };
    }

    /// The state after one byte of the framing of chunks (RFC 9112 §7.1). LF alone ends a line as CRLF does.
    fn framing_byte(&mut self, byte: u8) -> State {
        self.line = self.line.saturating_add(1);
        let in_trailers = matches!(self.state, State::TrailerStart | State::TrailerCr | State::Trailer);
        if self.line > if in_trailers { limits::TRAILERS } else { limits::CHUNK_LINE } {
            return State::Lost;
        }
        match (self.state, byte) {
            (
                State::Size { size, has_digits: true } | State::Extension { size } | State::SizeCr { size },
                b'\n',
            ) => {
                self.line = 0;
                if size == 0 { State::TrailerStart } else { State::Data(size) }
            }
            (State::Size { size, has_digits: true } | State::Extension { size }, b'\r') => {
                State::SizeCr { size }
            }
            (State::Size { size, has_digits: true }, b';' | b' ' | b'\t') => State::Extension { size },
            (State::Size { size, .. }, _) => match (hex_digit(byte), size.checked_mul(16)) {
                (Some(digit), Some(sixteenfold)) => {
                    State::Size { size: sixteenfold | u64::from(digit), has_digits: true }
                }
                _ => State::Lost,
            },
            (State::Extension { size }, _) => State::Extension { size },
            (State::DataEnd, b'\r') => State::DataCr,
            (State::DataEnd | State::DataCr, b'\n') => {
                self.line = 0;
                State::Size { size: 0, has_digits: false }
            }
            (State::TrailerStart, b'\r') => State::TrailerCr,
            (State::TrailerStart | State::TrailerCr, b'\n') => State::Done,
            (State::Trailer, b'\n') => State::TrailerStart,
            (State::TrailerStart | State::Trailer, _) => State::Trailer,
            _ => State::Lost,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Done,
    Lost,
    UntilClose,
    /// Bytes left of a body whose length is known.
    Length(u64),
    /// In the digits of a chunk size.
    Size {
        size: u64,
        has_digits: bool,
    },
    /// After the digits, up to the end of the line.
    Extension {
        size: u64,
    },
    /// After the CR of that line.
    SizeCr {
        size: u64,
    },
    /// Bytes left of a chunk.
    Data(u64),
    /// After the last byte of a chunk.
    DataEnd,
    /// After the CR that follows it.
    DataCr,
    TrailerStart,
    /// After a CR with which a trailer line began.
    TrailerCr,
    Trailer,
}

/// What the fields say of the length.
enum Framing {
    Absent,
    Chunked,
    Length(u64),
    Unreadable,
}

/// RFC 9112 §6.3, rules 3 to 6: `Transfer-Encoding` overrides `Content-Length`.
fn framing(head: &Head) -> Framing {
    let elements =
        |name: &'static str| head.values(name).flat_map(|value| value.split(|&byte| byte == b',')).map(trim);
    // `identity` is a coding of RFC 2616 that changes nothing; old servers still send it.
    let coding = elements("transfer-encoding")
        .map(|coding| trim(coding.split(|&byte| byte == b';').next().unwrap_or_default()))
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
        .last();
    match coding {
        Some(coding) if coding.eq_ignore_ascii_case(b"chunked") => return Framing::Chunked,
        Some(_) => return Framing::Unreadable,
        None => {}
    }
    let mut lengths = elements("content-length").map(length);
    let Some(first) = lengths.next() else { return Framing::Absent };
    match first {
        Some(length) if lengths.all(|other| other == first) => Framing::Length(length),
        _ => Framing::Unreadable,
    }
}

/// Digits only (RFC 9110 §8.6): no sign, no white space inside.
fn length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

fn hex_digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(fields: &str) -> Body {
        RequestHead::parse(format!("POST / HTTP/1.1\r\n{fields}\r\n").as_bytes()).unwrap().body()
    }

    fn response(status: u16, fields: &str, method: &str) -> Body {
        ResponseHead::parse(format!("HTTP/1.1 {status} X\r\n{fields}\r\n").as_bytes()).unwrap().body(method)
    }

    #[derive(Clone, PartialEq, Eq, Debug)]
    struct Read {
        data: Vec<u8>,
        consumed: usize,
        done: bool,
        lost: bool,
    }

    fn read(body: Body, bytes: &[u8], cuts: &[usize]) -> Read {
        let mut reader = BodyReader::new(body);
        let (mut data, mut consumed, mut start) = (Vec::new(), 0, 0);
        for end in cuts.iter().copied().chain([bytes.len()]) {
            let used = reader.push(&bytes[start..end], &mut |piece| data.extend_from_slice(piece));
            assert!(used == end - start || reader.is_done());
            consumed += used;
            start = end;
        }
        Read { data, consumed, done: reader.is_done(), lost: reader.is_lost() }
    }

    #[test]
    fn some_answers_never_have_a_body() {
        let fields = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
        for (status, method) in
            [(200, "HEAD"), (100, "GET"), (101, "GET"), (103, "GET"), (204, "GET"), (304, "GET")]
        {
            assert_eq!(response(status, fields, method), Body::None, "{status} to {method}");
        }
        assert_eq!(response(200, fields, "CONNECT"), Body::Tunnel);
        assert_eq!(response(407, fields, "CONNECT"), Body::Chunked);
    }

    #[test]
    fn chunked_as_the_last_coding_overrides_a_length() {
        for fields in [
            "Transfer-Encoding: chunked\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: gzip, Chunked\r\n",
            "Transfer-Encoding: gzip\r\ntransfer-encoding: chunked ,\r\n",
        ] {
            assert_eq!(
                (request(fields), response(200, fields, "GET")),
                (Body::Chunked, Body::Chunked),
                "{fields}"
            );
        }
        let fields = "Transfer-Encoding: chunked, gzip\r\nContent-Length: 5\r\n";
        assert_eq!((request(fields), response(200, fields, "GET")), (Body::None, Body::UntilClose));
        assert_eq!(request("Transfer-Encoding: identity\r\nContent-Length: 5\r\n"), Body::Length(5));
    }

    #[test]
    fn a_length_counts_when_every_value_of_it_is_the_same_number() {
        for (fields, length) in [
            ("Content-Length: 5\r\n", Some(5)),
            ("Content-Length: 5, 5\r\n", Some(5)),
            ("Content-Length: 5\r\nContent-length: 05\r\n", Some(5)),
            ("Content-Length: 18446744073709551615\r\n", Some(u64::MAX)),
            ("Content-Length: 18446744073709551616\r\n", None),
            ("Content-Length: 5, 6\r\n", None),
            ("Content-Length: 5\r\nContent-Length: x\r\n", None),
            ("Content-Length: +5\r\n", None),
            ("Content-Length: -5\r\n", None),
            ("Content-Length: 5 5\r\n", None),
            ("Content-Length: \r\n", None),
        ] {
            assert_eq!(request(fields), length.map_or(Body::None, Body::Length), "{fields}");
            assert_eq!(
                response(200, fields, "GET"),
                length.map_or(Body::UntilClose, Body::Length),
                "{fields}"
            );
        }
    }

    #[test]
    fn without_a_length_a_request_has_no_body_and_a_response_lasts_until_the_close() {
        assert_eq!((request(""), response(200, "", "GET")), (Body::None, Body::UntilClose));
        let zero = "Content-Length: 0\r\n";
        assert_eq!((request(zero), response(200, zero, "GET")), (Body::None, Body::None));
    }

    #[test]
    fn a_body_of_known_length_ends_there_and_leaves_the_rest() {
        let expected = Read { data: b"hello".to_vec(), consumed: 5, done: true, lost: false };
        assert_eq!(read(Body::Length(5), b"hello, you", &[]), expected);
        for body in [Body::None, Body::Tunnel, Body::Length(0)] {
            assert_eq!(read(body, b"next", &[]), Read { data: vec![], consumed: 0, done: true, lost: false });
        }
        let expected = Read { data: b"all".to_vec(), consumed: 3, done: false, lost: false };
        assert_eq!(read(Body::UntilClose, b"all", &[]), expected);
    }

    #[test]
    fn chunks_may_have_extensions_trailers_and_bare_line_feeds() {
        for body in [
            "5\r\nhello\r\n0\r\n\r\n",
            "2;a=\"b\"\r\nhe\r\n00003 ; x\r\nllo\r\n0;last\r\nA: 1\r\nB: 2\r\n\r\n",
            "5\nhello\n0\n\n",
            "5 \r\nhello\r\n000\r\nA: 1\n\r\n",
        ] {
            let whole = [body.as_bytes(), b"HTTP/1.1"].concat();
            let expected = Read { data: b"hello".to_vec(), consumed: body.len(), done: true, lost: false };
            assert_eq!(read(Body::Chunked, &whole, &[]), expected, "{body:?}");
            assert_eq!(
                read(Body::Chunked, &whole, &(1..whole.len()).collect::<Vec<_>>()),
                expected,
                "{body:?}"
            );
        }
    }

    #[test]
    fn malformed_chunks_are_lost_and_swallow_what_follows() {
        for body in [
            "\r\n",
            ";x\r\n",
            "g\r\n",
            "-5\r\n",
            "0x5\r\n",
            " 5\r\n",
            "5\rx\n",
            "5\r\nhello!",
            "5\r\nhello\rX",
            "10000000000000000\r\n",
            "0\r\n\rX",
        ] {
            let found = read(Body::Chunked, format!("{body}more").as_bytes(), &[]);
            assert!(found.lost && !found.done && found.consumed == body.len() + 4, "{body:?}: {found:?}");
        }
        assert!(!read(Body::Chunked, b"ffffffffffffffff\r\nx", &[]).lost);
    }

    #[test]
    fn lines_of_the_framing_are_bounded() {
        let extension = |length: usize| format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(length)).into_bytes();
        let longest = usize::try_from(limits::CHUNK_LINE).unwrap() - 4;
        assert!(read(Body::Chunked, &extension(longest), &[]).done);
        assert!(read(Body::Chunked, &extension(longest + 1), &[]).lost);
        let trailers = |length: usize| format!("0\r\n{}\r\n\r\n", "A".repeat(length)).into_bytes();
        let longest = usize::try_from(limits::TRAILERS).unwrap() - 4;
        assert!(read(Body::Chunked, &trailers(longest), &[]).done);
        assert!(read(Body::Chunked, &trailers(longest + 1), &[]).lost);
    }

    #[test]
    fn a_gap_inside_content_keeps_the_position_and_any_other_loses_it() {
        let mut reader = BodyReader::new(Body::Length(10));
        assert!(reader.skip(4) && !reader.is_done());
        assert!(reader.skip(6) && reader.is_done());
        assert!(reader.skip(0));
        assert!(!reader.skip(1) && reader.is_lost());

        let mut reader = BodyReader::new(Body::Length(10));
        assert!(!reader.skip(11) && reader.is_lost() && !reader.is_done());

        let mut reader = BodyReader::new(Body::UntilClose);
        assert!(reader.skip(u64::MAX));

        let mut reader = BodyReader::new(Body::Chunked);
        assert_eq!(reader.push(b"a\r\nhello", &mut |_| {}), 8);
        assert!(reader.skip(5));
        assert_eq!(reader.push(b"\r\n0\r\n\r\n", &mut |_| {}), 7);
        assert!(reader.is_done());

        let mut reader = BodyReader::new(Body::Chunked);
        assert!(!reader.skip(1));
        assert_eq!(reader.push(b"5\r\n", &mut |_| panic!("no data")), 3);
        assert!(!reader.skip(0));
    }

    fn chunked() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..6).prop_map(|chunks| {
            let mut bytes = Vec::new();
            for chunk in chunks {
                bytes.extend_from_slice(format!("{:x};e\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(&chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\nT: 1\r\n\r\n");
            bytes
        })
    }

    fn noise() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'2'), Just(b';')];
        proptest::collection::vec(byte, 0..60)
    }

    proptest! {
        #[test]
        fn a_body_cut_anywhere_reads_like_the_whole(
            body in prop_oneof![Just(Body::Chunked), Just(Body::UntilClose), (0_u64..80).prop_map(Body::Length)],
            bytes in prop_oneof![chunked(), noise()],
            next in noise(),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
        ) {
            let bytes = [bytes, next].concat();
            let whole = read(body, &bytes, &[]);
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            ends.sort_unstable();
            prop_assert_eq!(&read(body, &bytes, &ends), &whole);
            prop_assert_eq!(&read(body, &bytes, &(1..bytes.len().max(1)).collect::<Vec<_>>()), &whole);
        }

        #[test]
        fn every_chunk_comes_through(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6)) {
            let mut bytes = Vec::new();
            for chunk in &chunks {
                bytes.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            let expected = Read { data: chunks.concat(), consumed: bytes.len(), done: true, lost: false };
            prop_assert_eq!(read(Body::Chunked, &[bytes.as_slice(), b"GET"].concat(), &[]), expected);
        }
    }
}
