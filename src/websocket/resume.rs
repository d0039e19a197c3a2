//! Finding the next frame where framing was lost: after a gap, after bytes that are no frame, or where the capture
//! begins later than the connection.
//!
//! A place is believed to begin a frame by the headers that follow from it ([`Chain`]). How much they must prove
//! depends on how many places are tried: the start of a segment is one place, all places of a segment are thousands.

use super::chain::Chain;
use super::{FrameHeader, LONGEST_HEADER, Masking};
use crate::capture::Seen;

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
                found = Some(Found { offset: begins, masking: lead.chain.masking() });
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
            budget = budget.saturating_sub(usize::from(chain.links().saturating_sub(1)).saturating_mul(8));
            let Some(reached) = reached else { continue };
            if chain.is_believed() {
                return Some(Found { offset: offset.saturating_add(place as u64), masking: chain.masking() });
            }
            if chain.is_promising() || (at_start && place == 0) {
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

/// Bits needed at the start of a segment after a gap: one whole frame, or a chain of three.
const AFTER_GAP: u8 = 12;

/// Bits needed at the start of a segment after noise.
const AFTER_NOISE: u8 = 20;

/// Bits needed at any other place: a full segment has about 2^10.5 of them.
const ANYWHERE: u8 = 26;

/// Chains kept for the segments to come, 24 bytes each.
const LEADS: usize = 32;

#[cfg(test)]
mod tests {
    use super::super::oracle::{Frame, Owned, Piece, packet, random, stream, told, told_by};
    use super::super::{Decoder, Opcode, Violation};
    use super::*;
    use proptest::prelude::*;

    fn resynchronised(told: &[Owned]) -> Option<u64> {
        told.iter().find_map(|told| match told {
            Owned::Violation { kind: Violation::Resynchronised { .. }, at, .. } => Some(*at),
            _ => None,
        })
    }

    #[test]
    fn in_random_segments_hardly_any_place_is_found() {
        let (mut random, mut wrong) = (random(), 0);
        for masking in [Masking::Masked, Masking::Unmasked, Masking::Unknown] {
            let mut search = Search::after_noise(0, masking);
            for number in 0..700 {
                let bytes: Vec<u8> = random.by_ref().take(1448).collect();
                if search.push(number * 1448, &bytes, true, packet(number)).is_some() {
                    wrong += 1;
                    search = Search::after_noise(0, masking);
                }
                assert!(search.leads.len() <= LEADS);
            }
        }
        assert!(wrong <= 2, "{wrong} of 2100");
    }

    #[test]
    fn a_stream_joined_inside_a_frame_is_read_from_the_next_segment_that_begins_one() {
        let chat: Vec<Vec<u8>> =
            (0..4).map(|n| Frame::new(0x81, format!("message {n}").as_bytes()).bytes()).collect();
        let middle = [0xC7; 500];
        let pieces: Vec<Piece<'_>> =
            std::iter::once(&middle[..]).chain(chat.iter().map(Vec::as_slice)).map(Piece::Bytes).collect();
        let told = told_by(Decoder::midway(Masking::Unknown, 0), &pieces);
        assert_eq!(resynchronised(&told), Some(511));
    }

    #[test]
    fn frames_longer_than_a_segment_are_found_by_where_they_end() {
        let body: Vec<u8> = random().take(16_000).collect();
        let bulk = stream(&vec![Frame::new(0x82, &body); 12]);
        let mut pieces = vec![Piece::Bytes(&bulk[..5000]), Piece::Gap(20_000)];
        pieces.extend(bulk[25_000..].chunks(1448).map(Piece::Bytes));
        let told = told(Masking::Unmasked, &pieces);
        let at = resynchronised(&told).unwrap();
        assert_eq!(at % 16_004, 0, "the place begins a frame");
        assert!(at <= 8 * 16_004, "found at {at}");
        assert!(matches!(told.last(), Some(Owned::End { present: 16_000, .. })));
    }

    #[test]
    fn a_header_over_a_segment_border_goes_on_a_chain() {
        let frames = stream(&vec![Frame::masked(0x82, &[5; 200]); 12]);
        let len = frames.len() / 12;
        for shift in 1..8 {
            let pieces = [
                Piece::Gap(10),
                Piece::Bytes(&frames[..len + shift]),
                Piece::Bytes(&frames[len + shift..2 * len + shift]),
                Piece::Bytes(&frames[2 * len + shift..3 * len + shift]),
                Piece::Bytes(&frames[3 * len + shift..]),
            ];
            let told = told(Masking::Masked, &pieces);
            let at = resynchronised(&told).unwrap();
            assert_eq!((at - 10) % len as u64, 0);
            let read = told.iter().filter(|told| matches!(told, Owned::End { present: 200, .. })).count();
            assert!(read >= 9, "{read} frames for {shift}");
            assert!(
                !told
                    .iter()
                    .any(|told| matches!(told, Owned::Violation { kind: Violation::FramingLost, .. }))
            );
        }
    }

    #[test]
    fn a_close_that_ends_its_segment_is_found_even_behind_noise() {
        let noise: Vec<u8> =
            random().take(700).chain(Frame::new(0x88, b"\x03\xF6bad gateway").bytes()).collect();
        let told = told_by(Decoder::midway(Masking::Unmasked, 0), &[Piece::Bytes(&noise)]);
        assert!(matches!(
            told.last(),
            Some(Owned::Control { at: 700, opcode: Opcode::Close, whole: true, .. })
        ));
    }

    #[test]
    fn a_close_with_a_code_that_nobody_sends_is_not_found_in_noise() {
        for body in [&b"\x03\xED"[..], b"\x00\x01", b"\xFF\xFF", b"\x03", b"\x03\xE8\xFF"] {
            let noise: Vec<u8> = [0xC7; 50].into_iter().chain(Frame::new(0x88, body).bytes()).collect();
            assert_eq!(told_by(Decoder::midway(Masking::Unmasked, 0), &[Piece::Bytes(&noise)]), []);
        }
    }

    proptest! {
        #[test]
        fn after_any_gap_between_small_frames_in_their_own_segments_the_next_frame_is_read(
            sizes in prop::collection::vec(1..100_usize, 3..20), lost: prop::sample::Index, masked: bool,
        ) {
            let frame = |len: &usize| {
                let payload = vec![b'x'; *len];
                if masked { Frame::masked(0x81, &payload).bytes() } else { Frame::new(0x81, &payload).bytes() }
            };
            let segments: Vec<Vec<u8>> = sizes.iter().map(frame).collect();
            let lost = lost.index(segments.len() - 1);
            let pieces: Vec<Piece<'_>> = segments.iter().enumerate().map(|(number, bytes)| {
                if number == lost { Piece::Gap(bytes.len() as u64) } else { Piece::Bytes(bytes) }
            }).collect();
            let masking = if masked { Masking::Masked } else { Masking::Unmasked };
            let told = told(masking, &pieces);
            let read = told.iter().filter(|told| matches!(told, Owned::End { .. })).count();
            prop_assert_eq!(read, segments.len() - 1);
        }

        #[test]
        fn the_tail_joins_pieces_as_if_they_had_never_been_cut(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..9), 1..9)) {
            let mut search = Search::after_noise(0, Masking::Unmasked);
            let (mut offset, mut all) = (0, Vec::new());
            for piece in &pieces {
                search.leads = vec![Lead { next: 0, chain: Chain::new(Masking::Unmasked, 255) }];
                search.keep_tail(offset, piece, packet(1));
                offset += piece.len() as u64;
                all.extend_from_slice(piece);
            }
            prop_assert_eq!(search.tail(), &all[all.len().saturating_sub(LONGEST_HEADER)..]);
        }
    }
}
