//! One direction of a WebSocket, read as it streams by (RFC 6455 §5).
//!
//! Payloads of data frames are handed on as they come and never copied. After a violation reading goes on by the
//! frame's own length, as long as the bytes still look like frames; else framing is lost, which is told once, and the
//! next frame is searched for ([`super::resume`]).

use super::check::{Beginning, Faults, Message, beginning, is_http};
use super::close::{CloseFlaw, ClosePayload};
use super::control::{Control, Quote, is_odd_close, unmasked};
use super::event::{FrameEvent, FrameSink, Masking, Violation};
use super::resume::Search;
use super::undecided::Undecided;
use super::{FrameHeader, LONGEST_CONTROL, LONGEST_HEADER, Opcode};
use crate::capture::Seen;
use crate::limits;

/// Reads one direction of a WebSocket.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub struct Decoder {
    state: State,
    /// Stream offset of the frame being read.
    start: u64,
    masking: Masking,
    message: Message,
    /// Whether the sender has sent a Close.
    closed: bool,
    /// Whether the last frame broke a rule and nothing behind it could be looked at.
    doubt: bool,
}

#[derive(Clone, Debug)]
enum State {
    /// At the start of a frame, or inside its header, of which `have` bytes are in `bytes`.
    Header { bytes: [u8; LONGEST_HEADER], have: u8, first: Option<Seen> },
    /// Inside a payload. Invariant: `left` is not 0.
    Payload { header: FrameHeader, left: u64, absent: u64, control: Option<Box<Control>> },
    /// A control frame that breaks a rule, until enough of it is there to say whether it is one.
    Undecided(Box<Undecided>),
    /// Framing is lost.
    Lost(Box<Search>),
}

/// A header with what is around it.
pub(super) struct Opening<'a> {
    pub(super) header: &'a FrameHeader,
    pub(super) first: Seen,
    pub(super) seen: Seen,
    /// Bytes of the header that came in earlier segments.
    pub(super) earlier: &'a [u8],
    /// The segment from the header's first byte in it.
    pub(super) rest: &'a [u8],
    /// The segment from behind the header.
    pub(super) body: &'a [u8],
}

impl Decoder {
    /// A direction from its first frame on: the first byte after the handshake is the first byte of a frame.
    pub const fn new(expected: Masking) -> Decoder {
        let (message, state) = (Message::Idle, State::BOUNDARY);
        Decoder { state, start: 0, masking: expected, message, closed: false, doubt: false }
    }

    /// A direction joined midway, at stream offset `offset`: frames are searched for first.
    pub fn midway(expected: Masking, offset: u64) -> Decoder {
        let search = Search::after_noise(offset, expected);
        Decoder { state: State::Lost(Box::new(search)), message: Message::Unknown, ..Decoder::new(expected) }
    }

    /// Whether frames are masked here: what was expected, or else what the first frame told.
    pub const fn masking(&self) -> Masking {
        self.masking
    }

    /// Whether frames are being searched for.
    pub const fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost(_))
    }

    /// Takes the next bytes of the direction, as one segment brought them. `offset` is the stream offset of the first
    /// one; offsets go on without a hole but those told by [`Decoder::gap`].
    pub fn push(&mut self, offset: u64, bytes: &[u8], seen: Seen, sink: &mut impl FrameSink) {
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let used = match &mut self.state {
                State::Header { have: 0, .. } => self.open(at, rest, seen, sink),
                State::Header { .. } => self.open_straddling(at, rest, seen, sink),
                State::Payload { header, left, absent, control } => {
                    let used = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    let bytes = rest.get(..used).unwrap_or_default();
                    match control {
                        None => {
                            let phase = header.len.saturating_sub(*left);
                            sink.frame(FrameEvent::Payload {
                                header,
                                offset: self.start,
                                phase,
                                bytes,
                                seen,
                            });
                        }
                        Some(control) if *absent == 0 => control.take(header, *left, bytes),
                        Some(_) => {}
                    }
                    *left = left.saturating_sub(used as u64);
                    if *left == 0 {
                        self.finish(seen, sink);
                    }
                    used
                }
                State::Undecided(begun) => {
                    let used = begun.take(rest);
                    if begun.is_whole() {
                        self.decide(rest.get(used..).unwrap_or_default(), seen, sink);
                    }
                    used
                }
                State::Lost(search) => {
                    let Some(found) = search.push(at, rest, at == offset, seen) else { return };
                    let lost_at = search.lost_at();
                    let (tail, tail_seen) = search.tail_from(found.offset, at);
                    let (have, first) = (u8::try_from(tail.len()).unwrap_or(0), tail_seen);
                    let header = joined(tail, &[]);
                    let used = usize::try_from(found.offset.saturating_sub(at)).unwrap_or(usize::MAX);
                    let quote = Quote::of(tail, rest.get(used..).unwrap_or_default());
                    (self.masking, self.message, self.doubt) = (found.masking, Message::Unknown, false);
                    self.state = State::Header { bytes: header, have, first };
                    let skipped = found.offset.saturating_sub(lost_at);
                    let kind = Violation::Resynchronised { skipped };
                    let (offset, quote) = (found.offset, quote.bytes());
                    sink.frame(FrameEvent::Violation { kind, offset, seen, quote });
                    used
                }
            };
            at = at.saturating_add(used as u64);
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    /// Tells of `len` missing bytes at `offset`. Inside a frame they are counted; where they may hide the start of one,
    /// frames are searched for behind them.
    pub fn gap(&mut self, offset: u64, len: u64, seen: Seen, sink: &mut impl FrameSink) {
        let lost_at = match &mut self.state {
            State::Header { have, .. } => offset.saturating_sub(u64::from(*have)),
            State::Undecided(begun) => offset.saturating_sub(begun.bytes().len() as u64),
            State::Payload { left, absent, .. } => {
                let (inside, beyond) = (len.min(*left), len.saturating_sub(*left));
                *left = left.saturating_sub(inside);
                *absent = absent.saturating_add(inside);
                if *left == 0 {
                    self.finish(seen, sink);
                }
                if beyond == 0 {
                    return;
                }
                offset.saturating_add(inside)
            }
            State::Lost(search) => return search.gap(offset, len),
        };
        self.message = Message::Unknown;
        self.state = State::Lost(Box::new(Search::after_gap(lost_at, self.masking)));
    }

    /// What came before is not known, so that a message may be open.
    pub fn forget_message(&mut self) {
        self.message = Message::Unknown;
    }

    /// Tells that the direction ended. A frame that is not whole is told as far as it came.
    pub fn end(&mut self, seen: Seen, sink: &mut impl FrameSink) {
        let open = self.message == Message::Open && !self.closed;
        let (offset, kind) = (self.start, Violation::EndsMidFrame);
        match &mut self.state {
            State::Header { have: 0, .. } if !open => {}
            State::Header { bytes, have, .. } => {
                let quote = bytes.get(..usize::from(*have)).unwrap_or_default();
                sink.frame(FrameEvent::Violation { kind, offset, seen, quote });
            }
            State::Payload { left, absent, control, .. } => {
                *absent = absent.saturating_add(*left);
                let quote = control.as_ref().map_or(Quote::of(&[], &[]), |control| control.quote);
                self.finish(seen, sink);
                sink.frame(FrameEvent::Violation { kind, offset, seen, quote: quote.bytes() });
            }
            State::Undecided(begun) => {
                // Nothing came that would speak for a frame.
                let (kind, quote) = (Violation::FramingLost, Quote::of(begun.bytes(), &[]));
                sink.frame(FrameEvent::Violation { kind, offset, seen, quote: quote.bytes() });
            }
            State::Lost(_) => {}
        }
        (self.state, self.message) = (State::BOUNDARY, Message::Unknown);
    }

    /// Reads a frame whose first byte is the first of `rest`; tells how many bytes of it were used.
    #[inline]
    fn open(&mut self, at: u64, rest: &[u8], seen: Seen, sink: &mut impl FrameSink) -> usize {
        self.start = at;
        let begins = beginning(rest);
        // Where it was made: a copy of a header would wait for the stores of its fields.
        match &FrameHeader::parse(rest) {
            Some(header) if begins == Beginning::Frame => {
                let body = rest.get(usize::from(header.header_len)..).unwrap_or_default();
                let opening = Opening { header, first: seen, seen, earlier: &[], rest, body };
                match self.begin(&opening, sink) {
                    Some(used) => used.saturating_add(usize::from(header.header_len)),
                    // The place itself is no start of a frame, so that the search goes on behind it.
                    None => 1,
                }
            }
            _ if let Beginning::Other(kind) = begins => {
                self.lose(kind, Quote::of(&[], rest), seen, sink);
                1
            }
            _ => {
                let have = rest.len().min(LONGEST_HEADER);
                self.state = State::Header {
                    bytes: joined(&[], rest),
                    have: u8::try_from(have).unwrap_or(0),
                    first: Some(seen),
                };
                have
            }
        }
    }

    /// The same where the header began in earlier segments.
    #[cold]
    fn open_straddling(&mut self, at: u64, rest: &[u8], seen: Seen, sink: &mut impl FrameSink) -> usize {
        let State::Header { bytes, have, first } = &self.state else { return 0 };
        let (have, first) = (usize::from(*have), first.unwrap_or(seen));
        let earlier = *bytes;
        let earlier = earlier.get(..have).unwrap_or_default();
        self.start = at.saturating_sub(have as u64);
        let all = joined(earlier, rest);
        let all = all.get(..have.saturating_add(rest.len()).min(LONGEST_HEADER)).unwrap_or_default();
        let begins = beginning(all);
        match FrameHeader::parse(all) {
            Some(header) if begins == Beginning::Frame => {
                let used = usize::from(header.header_len).checked_sub(have);
                let Some((used, body)) = used.and_then(|used| Some((used, rest.get(used..)?))) else {
                    // It waited for more because it began like text, and is neither that nor a lawful frame.
                    self.lose(Violation::FramingLost, Quote::of(earlier, rest), seen, sink);
                    return 0;
                };
                self.state = State::BOUNDARY;
                let opening = Opening { header: &header, first, seen, earlier, rest, body };
                self.begin(&opening, sink).map_or(0, |body| body.saturating_add(used))
            }
            _ if let Beginning::Other(kind) = begins => {
                self.lose(kind, Quote::of(earlier, rest), seen, sink);
                0
            }
            _ => {
                let used = all.len().saturating_sub(have);
                let bytes = joined(all, &[]);
                let have = u8::try_from(all.len()).unwrap_or(0);
                self.state = State::Header { bytes, have, first: Some(first) };
                used
            }
        }
    }

    /// Judges a header, tells of it, and of the frame's end where the segment holds it. Tells how many bytes of the
    /// body were used; `None` where framing was lost instead.
    #[inline]
    fn begin(&mut self, opening: &Opening<'_>, sink: &mut impl FrameSink) -> Option<usize> {
        let Opening { header, first, seen, body, .. } = *opening;
        let faults = Faults::of(header, self.masking, self.message);
        let plain =
            faults.is_empty() && header.opcode != Opcode::Close && header.len <= limits::FRAME_PAYLOAD;
        if plain {
            self.doubt = false;
        } else if let Some(begun) = Undecided::of(faults, opening) {
            self.state = State::Undecided(Box::new(begun));
            return Some(body.len());
        } else if !self.believes(faults, opening) {
            let quote = Quote::of(opening.earlier, opening.rest);
            if faults.is_top_bit_alone() {
                let (kind, offset) = (Violation::LengthTopBit, self.start);
                sink.frame(FrameEvent::Violation { kind, offset, seen, quote: quote.bytes() });
            }
            self.lose(Violation::FramingLost, quote, seen, sink);
            return None;
        }
        if self.masking == Masking::Unknown {
            self.masking = if header.mask.is_some() { Masking::Masked } else { Masking::Unmasked };
        }
        self.message = self.message.after(header);
        let len = usize::try_from(header.len).unwrap_or(usize::MAX);
        if plain
            && !self.closed
            && !header.opcode.is_control()
            && let Some(payload) = body.get(..len)
        {
            sink.data_frame(header, self.start, payload, first, seen);
            return Some(len);
        }
        sink.frame(FrameEvent::Header { header, offset: self.start, seen: first, complete_in: seen });
        if !plain || self.closed {
            self.tell_violations(faults, opening, sink);
        }
        let control = header.opcode.is_control();
        if body.len() < len {
            let part = opening.rest.get(..opening.rest.len().saturating_sub(body.len())).unwrap_or_default();
            let control = control.then(|| Box::new(Control::new(Quote::of(opening.earlier, part))));
            self.state = State::Payload { header: *header, left: header.len, absent: 0, control };
            return Some(0);
        }
        if !control {
            if let Some(bytes) = body.get(..len)
                && len > 0
            {
                sink.frame(FrameEvent::Payload { header, offset: self.start, phase: 0, bytes, seen });
            }
            sink.frame(FrameEvent::End { header, offset: self.start, present: header.len, seen });
            return Some(len);
        }
        let mut room = [0; LONGEST_CONTROL];
        let payload = unmasked(header, body, &mut room);
        self.tell_control(header, payload, true, seen, sink);
        if header.opcode == Opcode::Close {
            let quote = || Quote::of(opening.earlier, opening.rest);
            self.tell_close_flaw(header, payload, quote, seen, sink);
        }
        Some(len)
    }

    /// Whether a frame that breaks rules, or a Close, is one: random bytes look like such a frame far too often. It is
    /// believed where something else speaks for it: it ends where its segment ends, or a lawful start follows.
    #[cold]
    fn believes(&mut self, faults: Faults, opening: &Opening<'_>) -> bool {
        let Opening { header, body, .. } = opening;
        if header.len > limits::FRAME_PAYLOAD || faults.is_noise() {
            return false;
        }
        if faults.is_empty() && !is_odd_close(header, body) {
            self.doubt = false;
            return true;
        }
        let behind = usize::try_from(header.len).ok().and_then(|len| body.get(len..));
        match behind {
            // A header alone in its segment: some senders write header and payload apart.
            _ if body.is_empty() => {}
            Some(behind) if may_follow(behind, header, self.masking) => {}
            Some(_) => return false,
            None if header.opcode.is_control() => return false,
            None => {
                let again = std::mem::replace(&mut self.doubt, true);
                return !again || faults.is_habit();
            }
        }
        self.doubt = false;
        true
    }

    /// Takes up again the control frame that is now whole; `behind` is what follows it in the segment.
    #[cold]
    fn decide(&mut self, behind: &[u8], seen: Seen, sink: &mut impl FrameSink) {
        let State::Undecided(begun) = std::mem::replace(&mut self.state, State::BOUNDARY) else { return };
        let (all, len) = begun.followed_by(behind);
        let rest = all.get(..len).unwrap_or(&all);
        let Some(header) = FrameHeader::parse(rest) else { return };
        let body = rest.get(usize::from(header.header_len)..).unwrap_or_default();
        let first = begun.first();
        self.begin(&Opening { header: &header, first, seen, earlier: &[], rest, body }, sink);
    }

    #[cold]
    fn tell_violations(&mut self, faults: Faults, opening: &Opening<'_>, sink: &mut impl FrameSink) {
        let Opening { header, seen, .. } = opening;
        if faults.is_empty() && !self.closed {
            self.closed = header.opcode == Opcode::Close;
            return;
        }
        let quote = Quote::of(opening.earlier, opening.rest);
        let (offset, seen, quote) = (self.start, *seen, quote.bytes());
        let mut tell = |kind| sink.frame(FrameEvent::Violation { kind, offset, seen, quote });
        faults.violations(header).for_each(&mut tell);
        if self.closed && header.opcode == Opcode::Close {
            tell(Violation::SecondClose);
        } else if self.closed && !header.opcode.is_control() {
            tell(Violation::DataAfterClose);
        }
        self.closed |= header.opcode == Opcode::Close;
    }

    /// Tells the end of a frame whose payload came in pieces.
    fn finish(&mut self, seen: Seen, sink: &mut impl FrameSink) {
        let state = std::mem::replace(&mut self.state, State::BOUNDARY);
        let State::Payload { header, absent, control, .. } = state else { return };
        match control {
            Some(control) => {
                let payload = control.payload();
                self.tell_control(&header, payload, absent == 0, seen, sink);
                self.tell_close_flaw(&header, payload, || control.quote, seen, sink);
            }
            None => {
                let present = header.len.saturating_sub(absent);
                sink.frame(FrameEvent::End { header: &header, offset: self.start, present, seen });
            }
        }
    }

    fn tell_control(
        &self,
        header: &FrameHeader,
        payload: &[u8],
        complete: bool,
        seen: Seen,
        sink: &mut impl FrameSink,
    ) {
        let offset = self.start;
        let whole = complete && payload.len() as u64 == header.len;
        sink.frame(FrameEvent::Control { header, offset, payload, whole, seen });
    }

    /// Tells what is wrong with the body of a Close that was seen whole.
    #[cold]
    fn tell_close_flaw(
        &self,
        header: &FrameHeader,
        payload: &[u8],
        quote: impl FnOnce() -> Quote,
        seen: Seen,
        sink: &mut impl FrameSink,
    ) {
        if header.opcode != Opcode::Close || payload.len() as u64 != header.len {
            return;
        }
        let kind = match ClosePayload::parse(payload).flaw {
            Some(CloseFlaw::OneByte) => Violation::CloseOneByte,
            Some(CloseFlaw::ReasonNotUtf8) => Violation::CloseReasonNotUtf8,
            None => return,
        };
        let quote = quote();
        sink.frame(FrameEvent::Violation { kind, offset: self.start, seen, quote: quote.bytes() });
    }

    #[cold]
    fn lose(&mut self, kind: Violation, quote: Quote, seen: Seen, sink: &mut impl FrameSink) {
        let offset = self.start;
        (self.message, self.doubt) = (Message::Unknown, false);
        self.state = State::Lost(Box::new(Search::after_noise(offset, self.masking)));
        sink.frame(FrameEvent::Violation { kind, offset, seen, quote: quote.bytes() });
    }
}

impl State {
    const BOUNDARY: State = State::Header { bytes: [0; LONGEST_HEADER], have: 0, first: None };
}

/// Whether the bytes behind a doubtful frame may be the next one, as far as they are there. Its mask may be the right
/// one, or as wrong as that of the frame before. Behind a Close nothing else is believed than another control frame.
fn may_follow(bytes: &[u8], before: &FrameHeader, masking: Masking) -> bool {
    let (Some(first), second) = (bytes.first(), bytes.get(1)) else { return true };
    let opcode = Opcode::from_bits(*first);
    let lawful = match opcode {
        Opcode::Reserved(_) => false,
        Opcode::Close | Opcode::Ping | Opcode::Pong => {
            first & 0xF0 == 0x80 && second.is_none_or(|second| second & 0x7F <= 125)
        }
        _ if before.opcode == Opcode::Close => false,
        Opcode::Continuation => first & 0x70 == 0,
        Opcode::Text | Opcode::Binary => first & 0x30 == 0,
    };
    let masked = second.map(|second| second & 0x80 != 0);
    let same = masked.is_none_or(|masked| masked == before.mask.is_some());
    let right =
        masked.is_none_or(|masked| masking != if masked { Masking::Unmasked } else { Masking::Masked });
    let lawful = lawful && (same || right);
    lawful || is_http(bytes) != Some(false)
}

/// The bytes of both, as many as a header may have.
fn joined(one: &[u8], two: &[u8]) -> [u8; LONGEST_HEADER] {
    let mut all = [0; LONGEST_HEADER];
    for (to, from) in all.iter_mut().zip(one.iter().chain(two)) {
        *to = *from;
    }
    all
}

#[cfg(test)]
mod tests;
