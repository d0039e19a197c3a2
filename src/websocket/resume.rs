//! Finding the next frame where framing was lost: after a gap, after bytes that are no frame, or where the capture
//! begins later than the connection.
//!
//! A place is believed to begin a frame by the headers that follow from it, each where the one before ends. Evidence
//! is counted in bits: how improbable it is that bytes at random look like this. A lawful header is worth five (one
//! byte pair in about thirty is one), a frame that ends exactly where its segment does as much as its length has
//! bits, because most senders write whole frames. How many bits are needed depends on how many places are tried: the
//! start of a segment is one place, all places of a segment are thousands.

use super::check::{Faults, Message};
use super::close::{CloseClass, ClosePayload, close_class};
use super::mask::unmask;
use super::{FrameHeader, LONGEST_CONTROL, LONGEST_HEADER, LengthForm, Masking, Opcode};
use crate::capture::Seen;
use crate::limits;

/// Tells whether the first bytes of a direction whose beginning was not captured are WebSocket frames, and whether
/// they are masked. `bytes` should be one segment. Bytes at random pass about once in a million segments; frames pass
/// where several follow one another, or where one of more than a few bytes fills the segment.
pub fn likely_frames(bytes: &[u8]) -> Option<Masking> {
    let mut chain = Chain::new(Masking::Unknown, PROBE);
    chain.walk(bytes, 0)?;
    chain.is_believed().then_some(chain.masking)
}

/// A place to read frames from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Found {
    /// Stream offset of the frame.
    pub(super) offset: u64,
    /// Whether frames are masked.
    pub(super) masking: Masking,
}

/// The search for the next frame in one direction.
#[derive(Clone, Debug)]
pub(super) struct Search {
    /// Stream offset from which on nothing was read as a frame.
    lost_at: u64,
    masking: Masking,
    /// Bits that the start of a segment needs.
    start_needs: u8,
    /// Chains that go on in a segment to come.
    leads: Vec<Lead>,
    /// The last bytes seen, where a lead's header begins in them.
    tail: [u8; LONGEST_HEADER],
    tail_len: u8,
    tail_seen: Option<Seen>,
}

impl Search {
    /// After a gap: the stream is known to hold frames, so that one which fills its segment is enough.
    pub(super) fn after_gap(lost_at: u64, masking: Masking) -> Search {
        Search::new(lost_at, masking, AFTER_GAP)
    }

    /// After bytes that are no frame: nothing says that frames will come again.
    pub(super) fn after_noise(lost_at: u64, masking: Masking) -> Search {
        Search::new(lost_at, masking, AFTER_NOISE)
    }

    fn new(lost_at: u64, masking: Masking, start_needs: u8) -> Search {
        let tail = [0; LONGEST_HEADER];
        Search { lost_at, masking, start_needs, leads: Vec::new(), tail, tail_len: 0, tail_seen: None }
    }

    /// Where the search began.
    pub(super) const fn lost_at(&self) -> u64 {
        self.lost_at
    }

    /// The bytes before the last segment that belong to a frame found there, and the packet that held them.
    pub(super) fn tail_from(&self, found: u64, segment: u64) -> (&[u8], Option<Seen>) {
        let back = usize::try_from(segment.saturating_sub(found)).unwrap_or(usize::MAX);
        let tail = self.tail();
        (tail.len().checked_sub(back).and_then(|from| tail.get(from..)).unwrap_or_default(), self.tail_seen)
    }

    /// Missing bytes: what would go on inside them is given up.
    pub(super) fn gap(&mut self, offset: u64, len: u64) {
        let end = offset.saturating_add(len);
        self.leads.retain(|lead| lead.next >= end);
        self.tail_len = 0;
    }

    /// Looks at the bytes up to a segment's end. `at_start` says that they are a whole segment. The frame that is
    /// found begins in them, or in the tail kept of those before.
    pub(super) fn push(&mut self, offset: u64, bytes: &[u8], at_start: bool, seen: Seen) -> Option<Found> {
        let found = self.follow_leads(offset, bytes).or_else(|| self.try_places(offset, bytes, at_start));
        if found.is_none() {
            self.keep_tail(offset, bytes, seen);
        }
        found
    }

    /// Goes on with the chains that began earlier.
    fn follow_leads(&mut self, offset: u64, bytes: &[u8]) -> Option<Found> {
        let end = offset.saturating_add(bytes.len() as u64);
        let mut leads = std::mem::take(&mut self.leads);
        let mut found = None;
        leads.retain_mut(|lead| {
            if found.is_some() || lead.next >= end {
                return true;
            }
            let begins = lead.next;
            let Some(next) = self.follow(lead, offset, bytes) else { return false };
            if lead.chain.is_believed() {
                found = Some(Found { offset: begins, masking: lead.chain.masking });
            }
            lead.next = next;
            true
        });
        self.leads = leads;
        found
    }

    /// Takes a chain through a segment; tells where its next header begins then.
    fn follow(&self, lead: &mut Lead, offset: u64, bytes: &[u8]) -> Option<u64> {
        if let Some(skip) = lead.next.checked_sub(offset) {
            let next = lead.chain.walk(bytes, usize::try_from(skip).ok()?)?;
            return offset.checked_add(next);
        }
        // Its next header begins in the tail.
        let (start, _) = self.tail_from(lead.next, offset);
        let mut joined = [0; LONGEST_HEADER];
        let mut len = 0_usize;
        for (to, from) in joined.iter_mut().zip(start.iter().chain(bytes)) {
            *to = *from;
            len = len.saturating_add(1);
        }
        let Some(header) = FrameHeader::parse(joined.get(..len)?) else { return Some(lead.next) };
        let body = usize::from(header.header_len).checked_sub(start.len())?;
        let end = (body as u64).checked_add(header.len)?;
        lead.chain.link(&header, bytes.get(body..)?)?;
        lead.chain.end_at(end, bytes.len(), &header);
        match usize::try_from(end) {
            Ok(end) if end < bytes.len() => offset.checked_add(lead.chain.walk(bytes, end)?),
            _ => offset.checked_add(end),
        }
    }

    /// Tries every place of a segment, its start first.
    fn try_places(&mut self, offset: u64, bytes: &[u8], at_start: bool) -> Option<Found> {
        // Chains overlap, so that hostile bytes could make each place a long walk: the walks share a budget.
        let mut budget = bytes.len().saturating_mul(2).saturating_add(64);
        for (place, pair) in bytes.windows(2).enumerate() {
            let &[first, second] = pair else { break };
            if !is_lawful_start(first, second, self.masking) {
                continue;
            }
            let needs = if at_start && place == 0 { self.start_needs } else { ANYWHERE };
            let mut chain = Chain::new(self.masking, needs);
            let reached = chain.walk(bytes, place);
            budget = budget.saturating_sub(usize::from(chain.links.saturating_sub(1)).saturating_mul(8));
            let Some(reached) = reached else { continue };
            if chain.is_believed() {
                return Some(Found { offset: offset.saturating_add(place as u64), masking: chain.masking });
            }
            if chain.bits >= HEADER || (at_start && place == 0) {
                self.lead(Lead { next: offset.saturating_add(reached), chain });
            }
            if budget == 0 {
                break;
            }
        }
        None
    }

    /// Keeps a chain for the segments to come: the strongest ones, and of these the ones that go on soonest.
    fn lead(&mut self, lead: Lead) {
        if let Some(same) = self.leads.iter_mut().find(|other| other.next == lead.next) {
            if lead.chain.missing_bits() < same.chain.missing_bits() {
                *same = lead;
            }
        } else if self.leads.len() < LEADS {
            self.leads.push(lead);
        } else if let Some(weakest) = self.leads.iter_mut().max_by_key(|lead| lead.weakness())
            && lead.weakness() < weakest.weakness()
        {
            *weakest = lead;
        }
    }

    /// Keeps the last bytes where a lead needs them.
    fn keep_tail(&mut self, offset: u64, bytes: &[u8], seen: Seen) {
        let end = offset.saturating_add(bytes.len() as u64);
        if !self.leads.iter().any(|lead| lead.next < end) {
            self.tail_len = 0;
            return;
        }
        let mut joined = [0; LONGEST_HEADER];
        let mut len = 0_u8;
        for (to, from) in joined.iter_mut().rev().zip(bytes.iter().rev().chain(self.tail().iter().rev())) {
            *to = *from;
            len = len.saturating_add(1);
        }
        joined.rotate_left(LONGEST_HEADER.saturating_sub(usize::from(len)));
        (self.tail, self.tail_len, self.tail_seen) = (joined, len, Some(seen));
    }

    fn tail(&self) -> &[u8] {
        self.tail.get(..usize::from(self.tail_len)).unwrap_or_default()
    }
}

/// A chain that goes on at a place not yet seen.
#[derive(Clone, Copy, Debug)]
struct Lead {
    next: u64,
    chain: Chain,
}

impl Lead {
    fn weakness(&self) -> (u8, u64) {
        (self.chain.missing_bits(), self.next)
    }
}

/// Headers, each where the frame before ends, and how much they prove.
#[derive(Clone, Copy, Debug)]
struct Chain {
    masking: Masking,
    message: Message,
    bits: u8,
    needs: u8,
    links: u8,
    closed: bool,
}

impl Chain {
    const fn new(masking: Masking, needs: u8) -> Chain {
        Chain { masking, message: Message::Unknown, bits: 0, needs, links: 0, closed: false }
    }

    const fn is_believed(&self) -> bool {
        self.bits >= self.needs
    }

    const fn missing_bits(&self) -> u8 {
        self.needs.saturating_sub(self.bits)
    }

    /// Follows the chain from `at` until it is believed or leaves `bytes`: then tells where the next header is, from
    /// the start of `bytes`. `None` where it breaks.
    fn walk(&mut self, bytes: &[u8], at: usize) -> Option<u64> {
        let mut at = at;
        loop {
            let rest = bytes.get(at..)?;
            let Some(header) = FrameHeader::parse(rest) else { return Some(at as u64) };
            let body = rest.get(usize::from(header.header_len)..)?;
            self.link(&header, body)?;
            let end = (at as u64).checked_add(u64::from(header.header_len))?.checked_add(header.len)?;
            self.end_at(end, bytes.len(), &header);
            match usize::try_from(end) {
                Ok(end) if end < bytes.len() && !self.is_believed() => at = end,
                _ => return Some(end),
            }
        }
    }

    /// Takes one header and the bytes after it; `None` where they cannot go on the chain.
    fn link(&mut self, header: &FrameHeader, body: &[u8]) -> Option<()> {
        let lawful = Faults::of(header, self.masking, self.message).is_empty();
        if !lawful || self.closed || header.len > limits::FRAME_PAYLOAD || !payload_fits(header, body) {
            return None;
        }
        if self.masking == Masking::Unknown {
            self.masking = if header.mask.is_some() { Masking::Masked } else { Masking::Unmasked };
        }
        self.message = self.message.after(header);
        self.closed = header.opcode == Opcode::Close;
        self.links = self.links.saturating_add(1);
        self.bits = self.bits.saturating_add(worth(header, body));
        // A chain that begins with nothing, or that proves nothing for long, only costs time.
        (self.bits > 0 && self.links < LINKS).then_some(())
    }

    /// Counts where the last frame ends: `end`, in a segment of `len` bytes.
    fn end_at(&mut self, end: u64, len: usize, header: &FrameHeader) {
        if end != len as u64 {
            return;
        }
        let bits = match header.length_form {
            // A Close with a code that may be sent, and nothing behind it: as good as a long chain.
            _ if header.opcode == Opcode::Close => CERTAIN,
            LengthForm::Short => 7,
            LengthForm::Medium => 18,
            LengthForm::Long => 24,
        };
        self.bits = self.bits.saturating_add(bits);
    }
}

/// How improbable a lawful header is at random, in bits.
fn worth(header: &FrameHeader, body: &[u8]) -> u8 {
    // A run of one byte, as in padding, can be read as frames for ever.
    if matches!(header.mask, Some([a, b, c, d]) if a != 0 && a == b && b == c && c == d) {
        return 0;
    }
    let header_bits = match (header.opcode, header.fin, header.len) {
        // Runs of zeros are continuation frames without end.
        (Opcode::Continuation, false, 0) => 0,
        (Opcode::Continuation, false, _) => 1,
        // So are numbers of two bytes with a small value, as in samples of sound.
        (_, _, 0) | (_, false, _) => 2,
        _ => HEADER,
    };
    let length_bits = match header.length_form {
        LengthForm::Long => 12,
        _ => 0,
    };
    // Only masked text proves something by being text: the bytes around an unmasked frame are often text, too.
    let text = header.opcode == Opcode::Text && !header.rsv1() && header.mask.is_some();
    let text_bits = if text { body.len().min(clamp(header.len)).min(12) } else { 0 };
    u8::try_from(text_bits).unwrap_or(u8::MAX).saturating_add(header_bits).saturating_add(length_bits)
}

/// Whether the payload, as far as it is there, is what the header says: text that begins as UTF-8, a Close that may
/// be sent.
fn payload_fits(header: &FrameHeader, body: &[u8]) -> bool {
    let text = header.opcode == Opcode::Text && !header.rsv1();
    if !text && header.opcode != Opcode::Close {
        return true;
    }
    let mut start = [0; LONGEST_CONTROL];
    let want = if text { TEXT_TRIED } else { LONGEST_CONTROL };
    let len = body.len().min(clamp(header.len)).min(want);
    let (Some(start), Some(body)) = (start.get_mut(..len), body.get(..len)) else { return false };
    start.copy_from_slice(body);
    if let Some(key) = header.mask {
        unmask(start, key, 0);
    }
    if text {
        let whole = len as u64 == header.len;
        return std::str::from_utf8(start)
            .map_or_else(|e| e.error_len().is_none() && !(whole && header.fin), |_| true);
    }
    if (len as u64) < header.len {
        return header.len > 1;
    }
    let close = ClosePayload::parse(start);
    close.flaw.is_none() && close.code.is_none_or(|code| close_class(code) == CloseClass::Sendable)
}

/// The two bytes that most places fail on.
#[inline]
fn is_lawful_start(first: u8, second: u8, masking: Masking) -> bool {
    let lawful = matches!(first, 0x00..=0x02 | 0x41 | 0x42 | 0x80..=0x82 | 0x88..=0x8A | 0xC1 | 0xC2);
    lawful
        && match masking {
            Masking::Masked => second >= 0x80,
            Masking::Unmasked => second < 0x80,
            Masking::Unknown => true,
        }
}

fn clamp(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// Bits of a lawful header with FIN.
const HEADER: u8 = 5;

/// Bits that are enough everywhere.
const CERTAIN: u8 = 30;

/// Bits needed at the start of a segment after a gap: one whole frame, or a chain of three.
const AFTER_GAP: u8 = 12;

/// Bits needed at the start of a segment after noise.
const AFTER_NOISE: u8 = 20;

/// Bits needed at any other place: a full segment has about 2^10.5 of them.
const ANYWHERE: u8 = 26;

/// Bits that make a stranger's bytes frames.
const PROBE: u8 = 17;

/// Chains kept for the segments to come, 24 bytes each.
const LEADS: usize = 32;

/// Bytes of a text that are tried as UTF-8.
const TEXT_TRIED: usize = 64;

/// Headers after which a chain that is not believed is no chain.
const LINKS: u8 = 64;
