//! HTTP/2 frames, read as they stream by (RFC 9113 §4, §6): header blocks are put together, DATA is handed on in the
//! pieces in which it comes, and what no WebSocket needs is passed over.

use super::{ErrorCode, Midway, PREFACE, midway};
use crate::capture::Seen;
use crate::limits;

/// Reads one direction of an HTTP/2 connection.
#[derive(Debug)]
pub struct FrameReader {
    state: State,
    header: [u8; 9],
    /// The packet with the first byte of the frame in progress.
    first: Option<Seen>,
    /// The header block in progress, or the payload of a SETTINGS, RST_STREAM or GOAWAY frame.
    buffer: Vec<u8>,
    block: Option<Block>,
    /// Whether the first frame is to come, which is SETTINGS (RFC 9113 §3.4).
    fresh: bool,
    /// A stream whose END_STREAM is to be told next.
    ended: Option<u32>,
}

/// What was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame<'a> {
    /// The next bytes of the DATA of a stream, without padding.
    Data {
        /// The stream.
        stream: u32,
        /// Never empty.
        bytes: &'a [u8],
    },
    /// A whole header block: HEADERS, PUSH_PROMISE and the CONTINUATION frames that follow.
    Block {
        /// The stream.
        stream: u32,
        /// Whether it belongs to a PUSH_PROMISE.
        promise: bool,
        /// The block; `None` where part of it is missing, or where it is longer than [`limits::HEADER_BLOCK`].
        block: Option<&'a [u8]>,
        /// The packet with its first byte.
        first: Seen,
    },
    /// The sender will send nothing more on this stream.
    EndStream {
        /// The stream.
        stream: u32,
    },
    /// RST_STREAM.
    Reset {
        /// The stream.
        stream: u32,
        /// Why.
        error: ErrorCode,
    },
    /// SETTINGS that are no acknowledgement, 6 bytes each; see [`enables_connect`].
    Settings(&'a [u8]),
    /// GOAWAY.
    GoAway {
        /// The last stream that was or will be processed.
        last: u32,
        /// Why.
        error: ErrorCode,
    },
}

/// The value of SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441 §3), where these settings have it; the last one counts.
pub fn enables_connect(settings: &[u8]) -> Option<bool> {
    let (settings, _) = settings.as_chunks::<6>();
    settings.iter().rev().find_map(|&[high, low, value @ ..]| {
        (u16::from_be_bytes([high, low]) == 0x8).then(|| u32::from_be_bytes(value) == 1)
    })
}

#[derive(Debug)]
enum State {
    /// Inside the client preface, after so many bytes.
    Preface(u8),
    /// Inside a frame header, after so many bytes.
    Header(u8),
    Payload(Payload),
    /// The capture joined the connection: a segment that holds frames is awaited.
    Midway,
    /// Where the next frame begins is not known.
    Lost,
}

#[derive(Clone, Copy, Debug)]
struct Payload {
    kind: u8,
    flags: u8,
    stream: u32,
    /// Bytes before the contents that are still to come: the length of the padding, then priority or promised stream.
    lead: u32,
    /// Whether the first of these is the length of the padding.
    pad_next: bool,
    /// Bytes of the contents that are still to come.
    left: u32,
    /// Padding behind them.
    pad: u32,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    stream: u32,
    promise: bool,
    end_stream: bool,
    first: Seen,
    whole: bool,
}

/// What [`FrameReader::advance`] came to; the buffer is lent by [`FrameReader::next`].
enum Step<'a> {
    Frame(Frame<'a>),
    /// A header block that ended; in this piece of the input, or in the buffer.
    Block(Block, Option<&'a [u8]>),
    /// A SETTINGS frame ended, which is in the buffer.
    Settings,
}

mod kind {
    pub(super) const DATA: u8 = 0;
    pub(super) const HEADERS: u8 = 1;
    pub(super) const PRIORITY: u8 = 2;
    pub(super) const RST_STREAM: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const PUSH_PROMISE: u8 = 5;
    pub(super) const PING: u8 = 6;
    pub(super) const GOAWAY: u8 = 7;
    pub(super) const WINDOW_UPDATE: u8 = 8;
    pub(super) const CONTINUATION: u8 = 9;
}

mod flag {
    /// Of SETTINGS.
    pub(super) const ACK: u8 = 0x1;
    pub(super) const END_STREAM: u8 = 0x1;
    pub(super) const END_HEADERS: u8 = 0x4;
    pub(super) const PADDED: u8 = 0x8;
    pub(super) const PRIORITY: u8 = 0x20;
}

impl FrameReader {
    /// What the client sends, from the preface on.
    pub fn client() -> FrameReader {
        FrameReader { state: State::Preface(0), fresh: false, ..FrameReader::server() }
    }

    /// What the server sends, from its SETTINGS on.
    pub fn server() -> FrameReader {
        let state = State::Header(0);
        FrameReader {
            state,
            header: [0; 9],
            first: None,
            buffer: Vec::new(),
            block: None,
            fresh: true,
            ended: None,
        }
    }

    /// What either side sends of a connection that the capture joined after its beginning.
    pub fn midway() -> FrameReader {
        FrameReader { state: State::Midway, fresh: false, ..FrameReader::server() }
    }

    /// Whether it is not known any more where frames begin: bytes are missing, or these are no frames.
    pub const fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }

    /// Reads on in `input` and takes from it what was used. `None` once all of it is.
    pub fn next<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8], seen: Seen) -> Option<Frame<'a>> {
        Some(match self.advance(input, seen)? {
            Step::Frame(frame) => frame,
            Step::Settings => Frame::Settings(&self.buffer),
            Step::Block(Block { stream, promise, first, whole, .. }, piece) => {
                let block = whole.then(|| piece.unwrap_or(&self.buffer));
                Frame::Block { stream, promise, block, first }
            }
        })
    }

    /// Takes a gap of `len` bytes. Tells stream and count where bytes of its DATA are missing. Afterwards
    /// [`FrameReader::next`] is to be called even without input.
    pub fn gap(&mut self, len: u64) -> Option<(u32, u64)> {
        let payload = match &mut self.state {
            State::Payload(payload) => payload,
            State::Midway => return None,
            _ => {
                self.lose();
                return None;
            }
        };
        let rest = u64::from(payload.left).saturating_add(payload.pad.into());
        if payload.lead > 0 || len > rest {
            self.lose();
            return None;
        }
        let missing = u32::try_from(len).unwrap_or(u32::MAX).min(payload.left);
        payload.left = payload.left.saturating_sub(missing);
        payload.pad =
            payload.pad.saturating_sub(u32::try_from(len).unwrap_or(u32::MAX).saturating_sub(missing));
        let (kind, stream) = (payload.kind, payload.stream);
        if kind == kind::DATA {
            return (missing > 0).then_some((stream, missing.into()));
        }
        if let Some(block) = &mut self.block {
            block.whole = false;
        } else if missing > 0 && matches!(kind, kind::SETTINGS | kind::RST_STREAM | kind::GOAWAY) {
            // What it said is lost with it.
            self.buffer.clear();
            payload_to_skip(&mut self.state);
        }
        None
    }

    /// Bytes of a header block that is not whole yet.
    pub fn buffered(&self) -> usize {
        if self.block.is_some() { self.buffer.capacity() } else { 0 }
    }

    /// Reads no further.
    pub fn lose(&mut self) {
        (self.state, self.block, self.buffer) = (State::Lost, None, Vec::new());
    }

    fn advance<'a>(&mut self, input: &mut &'a [u8], seen: Seen) -> Option<Step<'a>> {
        loop {
            if let Some(stream) = self.ended.take() {
                return Some(Step::Frame(Frame::EndStream { stream }));
            }
            match &mut self.state {
                State::Lost => {
                    *input = &[];
                    return None;
                }
                State::Midway if midway(input) == Midway::Nothing => {
                    *input = &[];
                    return None;
                }
                State::Midway => self.state = State::Header(0),
                State::Preface(have) => {
                    let (&byte, rest) = input.split_first()?;
                    if PREFACE.get(usize::from(*have)) != Some(&byte) {
                        self.lose();
                        continue;
                    }
                    *have = have.saturating_add(1);
                    if usize::from(*have) == PREFACE.len() {
                        self.state = State::Header(0);
                    }
                    *input = rest;
                }
                State::Header(have) => {
                    let (&byte, rest) = input.split_first()?;
                    if *have == 0 {
                        self.first = Some(seen);
                    }
                    if let Some(place) = self.header.get_mut(usize::from(*have)) {
                        *place = byte;
                    }
                    *have = have.saturating_add(1);
                    *input = rest;
                    if usize::from(*have) == self.header.len() {
                        self.begin(seen);
                    }
                }
                State::Payload(_) => {
                    if let Some(step) = self.payload(input) {
                        return Some(step);
                    }
                    // Waits for bytes where the payload is not over.
                    if matches!(self.state, State::Payload(_)) {
                        return None;
                    }
                }
            }
        }
    }

    /// A frame header is whole.
    fn begin(&mut self, seen: Seen) {
        if self.buffer.capacity() > SCRATCH && self.block.is_none() {
            self.buffer = Vec::new();
        }
        let [a, b, c, kind, flags, stream @ ..] = self.header;
        let length = u32::from_be_bytes([0, a, b, c]);
        let stream = u32::from_be_bytes(stream) & 0x7FFF_FFFF;
        let misses_settings = std::mem::replace(&mut self.fresh, false) && kind != kind::SETTINGS;
        if misses_settings
            || !is_lawful(kind, flags, length, stream)
            || self.block.map(|block| block.stream) != continued(kind, stream)
        {
            return self.lose();
        }
        let padded =
            flags & flag::PADDED != 0 && matches!(kind, kind::DATA | kind::HEADERS | kind::PUSH_PROMISE);
        let lead = match kind {
            kind::HEADERS if flags & flag::PRIORITY != 0 => 5_u32,
            kind::PUSH_PROMISE => 4,
            _ => 0,
        }
        .saturating_add(padded.into());
        let Some(left) = length.checked_sub(lead) else { return self.lose() };
        if self.block.is_none() {
            self.buffer.clear();
        }
        if matches!(kind, kind::HEADERS | kind::PUSH_PROMISE) {
            let promise = kind == kind::PUSH_PROMISE;
            let end_stream = !promise && flags & flag::END_STREAM != 0;
            let first = self.first.unwrap_or(seen);
            self.block = Some(Block { stream, promise, end_stream, first, whole: true });
        }
        self.state = State::Payload(Payload { kind, flags, stream, lead, pad_next: padded, left, pad: 0 });
    }

    /// Reads on inside a payload, up to its end or to something to tell.
    fn payload<'a>(&mut self, input: &mut &'a [u8]) -> Option<Step<'a>> {
        let State::Payload(payload) = &mut self.state else { return None };
        while payload.lead > 0 {
            let (&byte, rest) = input.split_first()?;
            *input = rest;
            payload.lead = payload.lead.saturating_sub(1);
            if payload.pad_next {
                payload.pad_next = false;
                payload.pad = byte.into();
            }
            if payload.lead == 0 {
                // RFC 9113 §6.1: padding longer than the payload breaks the connection.
                let Some(left) = payload.left.checked_sub(payload.pad) else {
                    self.lose();
                    return None;
                };
                payload.left = left;
            }
        }
        if payload.left > 0 {
            let (piece, rest) = split(input, payload.left);
            *input = rest;
            payload.left = payload.left.saturating_sub(u32::try_from(piece.len()).unwrap_or(u32::MAX));
            let Payload { kind, flags, stream, left, .. } = *payload;
            match kind {
                _ if piece.is_empty() => return None,
                kind::DATA => return Some(Step::Frame(Frame::Data { stream, bytes: piece })),
                kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION => {
                    let alone = self.buffer.is_empty() && left == 0 && flags & flag::END_HEADERS != 0;
                    if alone && let Some(block) = self.end_block() {
                        return Some(Step::Block(block, Some(piece)));
                    }
                    self.collect(piece, limits::HEADER_BLOCK);
                }
                kind::SETTINGS | kind::RST_STREAM | kind::GOAWAY => self.collect(piece, limits::SETTINGS),
                _ => {}
            }
            if left > 0 {
                return None;
            }
        }
        self.finish(input)
    }

    /// The contents of the frame are over; its padding may not be.
    fn finish<'a>(&mut self, input: &mut &'a [u8]) -> Option<Step<'a>> {
        let State::Payload(payload) = &mut self.state else { return None };
        let Payload { kind, flags, stream, .. } = *payload;
        let heads = matches!(kind, kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION);
        if heads
            && flags & flag::END_HEADERS != 0
            && let Some(block) = self.end_block()
        {
            return Some(Step::Block(block, None));
        }
        let State::Payload(payload) = &mut self.state else { return None };
        let (padding, rest) = split(input, payload.pad);
        payload.pad = payload.pad.saturating_sub(u32::try_from(padding.len()).unwrap_or(u32::MAX));
        *input = rest;
        if payload.pad > 0 {
            return None;
        }
        self.state = State::Header(0);
        match kind {
            kind::DATA if flags & flag::END_STREAM != 0 => self.ended = Some(stream),
            kind::SETTINGS if flags & flag::ACK == 0 => return Some(Step::Settings),
            kind::RST_STREAM => {
                let error = ErrorCode(u32::from_be_bytes(*self.buffer.first_chunk()?));
                return Some(Step::Frame(Frame::Reset { stream, error }));
            }
            kind::GOAWAY => {
                let [last, error] = self.buffer.as_chunks::<4>().0.first_chunk::<2>().copied()?;
                let last = u32::from_be_bytes(last) & 0x7FFF_FFFF;
                let error = ErrorCode(u32::from_be_bytes(error));
                return Some(Step::Frame(Frame::GoAway { last, error }));
            }
            _ => {}
        }
        None
    }

    /// The header block in progress is over; an END_STREAM that came with it is told after it.
    fn end_block(&mut self) -> Option<Block> {
        let block = self.block.take()?;
        self.ended = block.end_stream.then_some(block.stream);
        Some(block)
    }

    /// Keeps a piece. Beyond `bound` a header block is not whole any more, and of SETTINGS the rest is dropped.
    fn collect(&mut self, piece: &[u8], bound: usize) {
        if self.block.is_some_and(|block| !block.whole) {
            return;
        }
        let room = bound.saturating_sub(self.buffer.len());
        if piece.len() > room
            && let Some(block) = &mut self.block
        {
            block.whole = false;
            self.buffer = Vec::new();
            return;
        }
        self.buffer.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }
}

/// Capacity that the buffer may keep between frames.
const SCRATCH: usize = 4 << 10;

/// The stream of the header block that a frame of this kind goes on with. While one is in progress, nothing but its
/// CONTINUATION may come (RFC 9113 §6.10).
const fn continued(kind: u8, stream: u32) -> Option<u32> {
    if kind == kind::CONTINUATION { Some(stream) } else { None }
}

/// Whether length and stream fit the kind (RFC 9113 §6). What does not is a connection error, or no frame at all.
const fn is_lawful(kind: u8, flags: u8, length: u32, stream: u32) -> bool {
    match kind {
        kind::DATA | kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION => stream != 0,
        kind::PRIORITY => stream != 0 && length == 5,
        kind::RST_STREAM => stream != 0 && length == 4,
        kind::SETTINGS => stream == 0 && length.is_multiple_of(6) && (flags & flag::ACK == 0 || length == 0),
        kind::PING => stream == 0 && length == 8,
        kind::GOAWAY => stream == 0 && length >= 8,
        kind::WINDOW_UPDATE => length == 4,
        // RFC 9113 §5.5: unknown kinds are ignored.
        _ => true,
    }
}

/// Whether this is a frame as real ones are, where it is not known that frames are here at all.
pub(super) const fn is_plausible(kind: u8, flags: u8, length: u32, stream: u32) -> bool {
    let flags_fit = match kind {
        kind::DATA => flags & !(flag::END_STREAM | flag::PADDED) == 0,
        kind::HEADERS => flags & !(flag::END_STREAM | flag::END_HEADERS | flag::PADDED | flag::PRIORITY) == 0,
        kind::SETTINGS | kind::PING => flags & !flag::ACK == 0,
        kind::PUSH_PROMISE => flags & !(flag::END_HEADERS | flag::PADDED) == 0,
        kind::CONTINUATION => flags & !flag::END_HEADERS == 0,
        kind::PRIORITY | kind::RST_STREAM | kind::GOAWAY | kind::WINDOW_UPDATE => flags == 0,
        _ => false,
    };
    // RFC 9113 §4.2: 2^14 is what everybody takes; the reserved bit is not set.
    flags_fit && length <= 1 << 14 && stream >> 31 == 0 && is_lawful(kind, flags, length, stream)
}

/// At most the first `count` bytes, and the rest.
fn split(input: &[u8], count: u32) -> (&[u8], &[u8]) {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    input.split_at_checked(count).unwrap_or((input, &[]))
}

/// Lets the rest of the frame pass unread.
const fn payload_to_skip(state: &mut State) {
    if let State::Payload(payload) = state {
        payload.kind = u8::MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::PacketId;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    fn seen(packet: u64) -> Seen {
        Seen { packet: PacketId::new(0, packet), at: Timestamp::from_nanos(0) }
    }

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    /// What is read, as text, with DATA of one stream put together; gaps where a piece is `Err`.
    fn told(mut reader: FrameReader, pieces: &[Result<&[u8], u64>]) -> Vec<String> {
        let (mut told, mut data): (Vec<String>, Option<(u32, Vec<u8>)>) = (Vec::new(), None);
        for (packet, piece) in pieces.iter().enumerate() {
            let mut rest = match piece {
                Ok(bytes) => *bytes,
                Err(len) => {
                    if let Some(gap) = reader.gap(*len) {
                        told.push(format!("gap {gap:?}"));
                    }
                    &[]
                }
            };
            while let Some(frame) = reader.next(&mut rest, seen(packet as u64)) {
                if let Frame::Data { stream, bytes } = frame {
                    assert!(!bytes.is_empty());
                    match &mut data {
                        Some((same, all)) if *same == stream => all.extend_from_slice(bytes),
                        _ => data = Some((stream, bytes.to_vec())),
                    }
                    continue;
                }
                told.extend(data.take().map(|data| format!("{data:?}")));
                told.push(match frame {
                    Frame::Block { stream, promise, block, .. } => {
                        format!("block {stream} {promise} {block:?}")
                    }
                    frame => format!("{frame:?}"),
                });
            }
            assert!(rest.is_empty());
        }
        told.extend(data.map(|data| format!("{data:?}")));
        if reader.is_lost() {
            told.push("lost".into());
        }
        told
    }

    fn conversation() -> Vec<u8> {
        [
            PREFACE.to_vec(),
            frame(kind::SETTINGS, 0, 0, &[0, 8, 0, 0, 0, 1]),
            frame(kind::SETTINGS, flag::ACK, 0, &[]),
            frame(kind::HEADERS, flag::PRIORITY | flag::PADDED, 1, b"\x02\0\0\0\0\x10ab\0\0"),
            frame(kind::CONTINUATION, 0, 1, b""),
            frame(kind::CONTINUATION, flag::END_HEADERS, 1, b"cd"),
            frame(kind::DATA, flag::PADDED, 1, b"\x03hello\0\0\0"),
            frame(kind::PING, 0, 0, &[0; 8]),
            frame(kind::DATA, flag::END_STREAM, 1, b" world"),
            frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 3, b"xyz"),
            frame(kind::DATA, flag::END_STREAM, 5, b""),
            frame(kind::PUSH_PROMISE, flag::END_HEADERS, 5, b"\0\0\0\x02push"),
            frame(0x42, 0xFF, 9, b"whatever"),
            frame(kind::RST_STREAM, 0, 7, &[0, 0, 0, 8]),
            frame(kind::GOAWAY, 0, 0, b"\0\0\0\x07\0\0\0\x0bcalm down"),
        ]
        .concat()
    }

    /// After its first frame.
    fn server() -> FrameReader {
        FrameReader { fresh: false, ..FrameReader::server() }
    }

    #[test]
    fn a_server_that_does_not_begin_with_settings_speaks_no_http_2() {
        assert_eq!(told(FrameReader::server(), &[Ok(b"HTTP/1.1 400 Bad Request\r\n\r\n")]), ["lost"]);
    }

    #[test]
    fn every_frame_is_read_for_what_it_says() {
        let expected = [
            "Settings([0, 8, 0, 0, 0, 1])",
            "block 1 false Some([97, 98, 99, 100])",
            "(1, [104, 101, 108, 108, 111, 32, 119, 111, 114, 108, 100])",
            "EndStream { stream: 1 }",
            "block 3 false Some([120, 121, 122])",
            "EndStream { stream: 3 }",
            "EndStream { stream: 5 }",
            "block 5 true Some([112, 117, 115, 104])",
            "Reset { stream: 7, error: ErrorCode(8) }",
            "GoAway { last: 7, error: ErrorCode(11) }",
        ];
        assert_eq!(told(FrameReader::client(), &[Ok(&conversation())]), expected);
    }

    #[test]
    fn of_a_long_goaway_what_it_says_is_read_wherever_it_is_cut() {
        let text = [b"\0\0\0\x07\0\0\0\x0b", &[b'x'; 4 * limits::SETTINGS][..]].concat();
        let bytes = frame(kind::GOAWAY, 0, 0, &text);
        for (one, two) in [0, 12, 2000].map(|cut| bytes.split_at(cut)) {
            assert_eq!(told(server(), &[Ok(one), Ok(two)]), ["GoAway { last: 7, error: ErrorCode(11) }"]);
        }
    }

    #[test]
    fn what_breaks_the_framing_ends_the_reading() {
        for wrong in [
            b"PRI * HTTP/1.1\r\n".to_vec(),
            [&PREFACE[..], &frame(kind::DATA, 0, 0, b"x")].concat(),
            [&PREFACE[..], &frame(kind::CONTINUATION, 0, 1, b"x")].concat(),
            [&PREFACE[..], &frame(kind::HEADERS, 0, 1, b"x"), &frame(kind::DATA, 0, 1, b"x")].concat(),
            [&PREFACE[..], &frame(kind::HEADERS, 0, 1, b"x"), &frame(kind::CONTINUATION, 0, 3, b"x")]
                .concat(),
            [&PREFACE[..], &frame(kind::DATA, flag::PADDED, 1, b"\x05four")].concat(),
            [&PREFACE[..], &frame(kind::HEADERS, flag::PRIORITY, 1, b"four")].concat(),
            [&PREFACE[..], &frame(kind::SETTINGS, 0, 0, b"seven..")].concat(),
            [&PREFACE[..], &frame(kind::RST_STREAM, 0, 1, b"x")].concat(),
        ] {
            let with_more = [wrong.clone(), conversation()].concat();
            assert_eq!(told(FrameReader::client(), &[Ok(&with_more)]), ["lost"], "{wrong:?}");
        }
    }

    #[test]
    fn a_gap_inside_a_frame_is_survived_and_one_between_frames_is_not() {
        let data = frame(kind::DATA, flag::END_STREAM, 1, b"0123456789");
        let next = frame(kind::RST_STREAM, 0, 3, &[0; 4]);
        let (a, b) = data.split_at(11);
        assert_eq!(
            told(server(), &[Ok(a), Err(6), Ok(&b[6..]), Ok(&next)]),
            [
                "gap (1, 6)",
                "(1, [48, 49, 56, 57])",
                "EndStream { stream: 1 }",
                "Reset { stream: 3, error: ErrorCode(0) }"
            ]
        );
        assert_eq!(
            told(server(), &[Ok(a), Err(8), Ok(&next)])[..2],
            ["gap (1, 8)".to_string(), "(1, [48, 49])".to_string()]
        );
        assert_eq!(told(server(), &[Ok(a), Err(9), Ok(&next)]), ["(1, [48, 49])", "lost"]);
        assert_eq!(told(server(), &[Err(1), Ok(&next)]), ["lost"]);
        let head = frame(kind::HEADERS, flag::END_HEADERS, 1, b"0123456789");
        assert_eq!(
            told(server(), &[Ok(&head[..12]), Err(3), Ok(&head[15..]), Ok(&next)])[0],
            "block 1 false None"
        );
        let settings = frame(kind::SETTINGS, 0, 0, &[0, 8, 0, 0, 0, 1]);
        assert_eq!(
            told(server(), &[Ok(&settings[..10]), Err(2), Ok(&settings[12..]), Ok(&next)]),
            ["Reset { stream: 3, error: ErrorCode(0) }"]
        );
    }

    #[test]
    fn a_flood_of_continuation_frames_is_dropped_and_the_next_block_read() {
        let fit = limits::HEADER_BLOCK / 1024;
        for (count, kept) in [(fit, true), (fit + 1, false), (4 * fit, false)] {
            let mut bytes = frame(kind::HEADERS, 0, 1, b"");
            (0..count).for_each(|_| bytes.extend(frame(kind::CONTINUATION, 0, 1, &[b'x'; 1024])));
            bytes.extend(frame(kind::CONTINUATION, flag::END_HEADERS, 1, b""));
            bytes.extend(frame(kind::HEADERS, flag::END_HEADERS, 3, b"abc"));
            let told = told(server(), &[Ok(&bytes)]);
            assert_eq!(told[0] == "block 1 false None", !kept, "{count} frames");
            assert_eq!(told[1], "block 3 false Some([97, 98, 99])");
        }
    }

    #[test]
    fn settings_are_kept_up_to_their_bound() {
        let setting = [0, 8, 0, 0, 0, 1];
        let bytes = frame(kind::SETTINGS, 0, 0, &setting.repeat(4 * limits::SETTINGS / 6));
        let (mut reader, mut kept) = (server(), 0);
        for mut piece in bytes.chunks(100) {
            if let Some(Frame::Settings(settings)) = reader.next(&mut piece, seen(1)) {
                kept = settings.len();
                assert_eq!(enables_connect(settings), Some(true));
            }
        }
        assert!((limits::SETTINGS - 100..=limits::SETTINGS).contains(&kept), "{kept} bytes");
    }

    #[test]
    fn the_setting_that_allows_websockets_is_found() {
        assert_eq!(enables_connect(&[0, 3, 0, 0, 0, 100, 0, 8, 0, 0, 0, 1]), Some(true));
        assert_eq!(enables_connect(&[0, 8, 0, 0, 0, 1, 0, 8, 0, 0, 0, 0]), Some(false));
        assert_eq!(enables_connect(&[0, 3, 0, 0, 0, 100]), None);
    }

    proptest! {
        #[test]
        fn wherever_the_stream_is_cut_the_same_is_told(cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12)) {
            let bytes = conversation();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| Ok(&bytes[pair[0]..pair[1]])).collect();
            prop_assert_eq!(told(FrameReader::client(), &pieces), told(FrameReader::client(), &[Ok(&bytes)]));
        }

        #[test]
        fn any_bytes_and_gaps_are_read_without_panic(
            pieces in proptest::collection::vec(prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..60).prop_map(Ok),
                (0_u8..=10, any::<u8>(), 0_u32..3, proptest::collection::vec(any::<u8>(), 0..20))
                    .prop_map(|(kind, flags, stream, payload)| Ok(frame(kind, flags, stream, &payload))),
                (1_u64..40).prop_map(Err),
            ], 0..12),
        ) {
            let pieces: Vec<_> = pieces.iter().map(|piece| piece.as_ref().map(|bytes| &bytes[..]).map_err(|len| *len)).collect();
            told(server(), &pieces);
        }
    }
}
