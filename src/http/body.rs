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
