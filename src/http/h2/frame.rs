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
mod tests;
