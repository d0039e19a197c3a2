//! The decoder against an obvious one that has the whole stream before it, and against every way to cut a stream.

use super::check::{Faults, Message};
use super::*;
use crate::capture::{PacketId, Seen};
use crate::time::Timestamp;
use proptest::prelude::*;

/// An event that owns what it tells; packets are numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Owned {
    Header { at: u64, opcode: Opcode, len: u64, first: u64, last: u64 },
    Control { at: u64, opcode: Opcode, payload: Vec<u8>, whole: bool, last: u64 },
    End { present: u64, last: u64 },
    Violation { kind: Violation, at: u64, quote: Vec<u8>, seen: u64 },
}

impl Owned {
    /// The same without what depends on how the stream was cut.
    fn uncut(self) -> Owned {
        match self {
            Owned::Header { at, opcode, len, .. } => Owned::Header { at, opcode, len, first: 0, last: 0 },
            Owned::Control { at, opcode, payload, whole, .. } => {
                Owned::Control { at, opcode, payload, whole, last: 0 }
            }
            Owned::End { present, .. } => Owned::End { present, last: 0 },
            Owned::Violation { kind, at, .. } => Owned::Violation { kind, at, quote: Vec::new(), seen: 0 },
        }
    }
}

pub(super) fn packet(number: u64) -> Seen {
    Seen { packet: PacketId::new(0, number), at: Timestamp::from_nanos(number as i64) }
}

/// Payloads are compared by a test of their own.
fn own(event: FrameEvent<'_>) -> Option<Owned> {
    let number = |seen: Seen| seen.packet.number();
    Some(match event {
        FrameEvent::Payload { .. } => return None,
        FrameEvent::Header { header, offset, seen, complete_in } => Owned::Header {
            at: offset,
            opcode: header.opcode,
            len: header.len,
            first: number(seen),
            last: number(complete_in),
        },
        FrameEvent::Control { header, offset, payload, whole, seen } => Owned::Control {
            at: offset,
            opcode: header.opcode,
            payload: payload.to_vec(),
            whole,
            last: number(seen),
        },
        FrameEvent::End { present, seen, .. } => Owned::End { present, last: number(seen) },
        FrameEvent::Violation { kind, offset, seen, quote } => {
            Owned::Violation { kind, at: offset, quote: quote.to_vec(), seen: number(seen) }
        }
    })
}

/// What one direction brings.
#[derive(Clone, Debug)]
pub(super) enum Piece<'a> {
    Bytes(&'a [u8]),
    Gap(u64),
}

/// Everything a decoder tells of these pieces, packets counted from 1, up to the stream's end.
pub(super) fn told(masking: Masking, pieces: &[Piece<'_>]) -> Vec<Owned> {
    told_by(Decoder::new(masking), pieces)
}

pub(super) fn told_by(mut decoder: Decoder, pieces: &[Piece<'_>]) -> Vec<Owned> {
    let mut events = Vec::new();
    let mut sink = |event: FrameEvent<'_>| events.extend(own(event));
    let (mut offset, mut number) = (0, 0);
    for piece in pieces {
        number += 1;
        match piece {
            Piece::Bytes(bytes) => {
                decoder.push(offset, bytes, packet(number), &mut sink);
                offset += bytes.len() as u64;
            }
            Piece::Gap(len) => {
                decoder.gap(offset, *len, packet(number), &mut sink);
                offset += len;
            }
        }
    }
    decoder.end(packet(number + 1), &mut sink);
    events
}

/// A frame to be written.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) first: u8,
    pub(super) key: Option<[u8; 4]>,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    pub(super) fn new(first: u8, payload: &[u8]) -> Frame {
        Frame { first, key: None, payload: payload.to_vec() }
    }

    pub(super) fn masked(first: u8, payload: &[u8]) -> Frame {
        Frame { key: Some([0x37, 0xFA, 0x21, 0x3D]), ..Frame::new(first, payload) }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let bit = if self.key.is_some() { 0x80 } else { 0 };
        let mut bytes = vec![self.first];
        match self.payload.len() {
            len @ ..126 => bytes.push(bit | len as u8),
            len @ ..65536 => {
                bytes.push(bit | 126);
                bytes.extend((len as u16).to_be_bytes());
            }
            len => {
                bytes.push(bit | 127);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        let key = self.key.unwrap_or_default();
        bytes.extend(self.key.iter().flatten());
        bytes.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }
}

pub(super) fn stream(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::bytes).collect()
}

/// What must be told of a lawful stream: found by walking over the whole of it.
fn oracle(stream: &[u8], masking: Masking) -> Vec<Owned> {
    let (mut told, mut at, mut message) = (Vec::new(), 0, Message::Idle);
    while let Some(header) = FrameHeader::parse(&stream[at..]) {
        let body = at + usize::from(header.header_len);
        let end = body + header.len as usize;
        assert!(Faults::of(&header, masking, message).is_empty());
        message = message.after(&header);
        told.push(Owned::Header { at: at as u64, opcode: header.opcode, len: header.len, first: 0, last: 0 });
        if header.opcode.is_control() {
            let mut payload = stream[body..end].to_vec();
            for (at, byte) in payload.iter_mut().enumerate() {
                *byte ^= header.mask.map_or(0, |key| key[at % 4]);
            }
            told.push(Owned::Control { at: at as u64, opcode: header.opcode, payload, whole: true, last: 0 });
        } else {
            told.push(Owned::End { present: header.len, last: 0 });
        }
        at = end;
    }
    assert_eq!(at, stream.len());
    if message == Message::Open {
        told.push(Owned::Violation {
            kind: Violation::EndsMidFrame,
            at: told
                .iter()
                .rev()
                .find_map(|told| if let Owned::Header { at, .. } = told { Some(*at) } else { None })
                .unwrap(),
            quote: Vec::new(),
            seen: 0,
        });
    }
    told
}

/// Lawful frames: messages in one to four frames, with pings and pongs between.
fn lawful(masked: bool) -> impl Strategy<Value = Vec<Frame>> {
    let payload = prop_oneof![
        6 => prop::collection::vec(any::<u8>(), 0..140),
        2 => (120..135_usize).prop_map(|len| vec![7; len]),
        1 => (65_500..65_600_usize).prop_map(|len| vec![0; len]),
    ];
    let control = (prop::sample::select(vec![0x89_u8, 0x8A]), prop::collection::vec(any::<u8>(), 0..126));
    let part = (payload, prop::option::of(control));
    let message = (prop::sample::select(vec![1_u8, 2, 0x41, 0x42]), prop::collection::vec(part, 1..4));
    (prop::collection::vec(message, 0..6), any::<[u8; 4]>()).prop_map(move |(messages, key)| {
        let key = masked.then_some(key);
        let mut frames = Vec::new();
        for (opcode, parts) in messages {
            let count = parts.len();
            for (number, (payload, control)) in parts.into_iter().enumerate() {
                let first = if number == 0 { opcode } else { 0 } | if number + 1 == count { 0x80 } else { 0 };
                frames.push(Frame { first, key, payload });
                frames.extend(control.map(|(first, payload)| Frame { first, key, payload }));
            }
        }
        frames
    })
}

fn masking(masked: bool) -> Masking {
    if masked { Masking::Masked } else { Masking::Unmasked }
}

/// A stream cut at these places.
fn cut<'a>(stream: &'a [u8], places: &[prop::sample::Index]) -> Vec<Piece<'a>> {
    let mut places: Vec<usize> = places.iter().map(|place| place.index(stream.len() + 1)).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    places.dedup();
    places.windows(2).map(|pair| Piece::Bytes(&stream[pair[0]..pair[1]])).collect()
}

fn uncut(told: Vec<Owned>) -> Vec<Owned> {
    told.into_iter().map(Owned::uncut).collect()
}

proptest! {
    #[test]
    fn a_lawful_stream_is_read_as_the_oracle_reads_it_however_it_is_cut(
        frames in any::<bool>().prop_flat_map(|masked| (Just(masked), lawful(masked))),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        learn: bool,
    ) {
        let (masked, frames) = frames;
        let stream = stream(&frames);
        let expected = oracle(&stream, masking(masked));
        let masking = if learn { Masking::Unknown } else { masking(masked) };
        prop_assert_eq!(uncut(told(masking, &cut(&stream, &places))), expected);
    }

    #[test]
    fn payloads_are_handed_on_whole_however_they_are_cut(
        frames in any::<bool>().prop_flat_map(|masked| (Just(masked), lawful(masked))),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let (masked, frames) = frames;
        let stream = stream(&frames);
        let (mut decoder, mut offset) = (Decoder::new(masking(masked)), 0);
        let (mut payloads, mut payload) = (Vec::new(), Vec::new());
        for piece in cut(&stream, &places) {
            let Piece::Bytes(bytes) = piece else { unreachable!() };
            decoder.push(offset, bytes, packet(1), &mut |event: FrameEvent<'_>| match event {
                FrameEvent::Payload { header, phase, bytes, .. } => {
                    assert_eq!(phase, payload.len() as u64);
                    payload.extend_from_slice(bytes);
                    if let Some(key) = header.mask {
                        unmask(&mut payload[phase as usize..], key, phase);
                    }
                }
                FrameEvent::End { .. } => payloads.push(std::mem::take(&mut payload)),
                _ => {}
            });
            offset += bytes.len() as u64;
        }
        let data = frames.into_iter().filter(|frame| frame.first & 8 == 0).map(|frame| frame.payload);
        prop_assert_eq!(payloads, data.collect::<Vec<_>>());
    }

    #[test]
    fn a_short_lawful_stream_may_come_byte_by_byte(
        frames in any::<bool>().prop_flat_map(|masked| (Just(masked), lawful(masked))),
    ) {
        let (masked, frames) = frames;
        let stream = stream(&frames);
        prop_assume!(stream.len() < 3000);
        let pieces: Vec<Piece<'_>> = stream.chunks(1).map(Piece::Bytes).collect();
        prop_assert_eq!(uncut(told(masking(masked), &pieces)), oracle(&stream, masking(masked)));
    }

    #[test]
    fn arbitrary_bytes_gaps_and_cuts_never_panic_and_offsets_stay_in_the_stream(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"\x00\x01\x80\x81\x82\x88\x89\x7E\x7F\xFE\xFFHTP/1."[..])], 0..600),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        gaps in prop::collection::vec((0..12_usize, prop_oneof![1..200_u64, Just(u64::MAX / 4)]), 0..3),
        mask in prop::sample::select(vec![Masking::Masked, Masking::Unmasked, Masking::Unknown]),
    ) {
        let mut pieces = cut(&bytes, &places);
        for (place, len) in gaps {
            pieces.insert(place.min(pieces.len()), Piece::Gap(len));
        }
        let end: u64 = pieces.iter().map(|piece| match piece { Piece::Bytes(bytes) => bytes.len() as u64, Piece::Gap(len) => *len }).sum();
        for told in told(mask, &pieces).into_iter().chain(told_by(Decoder::midway(mask, 0), &pieces)) {
            if let Owned::Header { at, .. } | Owned::Violation { at, .. } = told {
                prop_assert!(at <= end);
            }
        }
    }

    #[test]
    fn a_gap_inside_a_long_payload_is_only_counted(
        before in lawful(false), after in lawful(false), len in 300..70_000_usize, from: prop::sample::Index, missing: prop::sample::Index,
    ) {
        let long = Frame::new(0x82, &vec![0; len]);
        let (before, after) = (stream(&before), stream(&after));
        let header = long.bytes().len() - len;
        let mut whole = before.clone();
        whole.extend(long.bytes());
        whole.extend(after);
        let from = before.len() + header + from.index(len - 1);
        let missing = 1 + missing.index(before.len() + header + len - from);
        let pieces = [Piece::Bytes(&whole[..from]), Piece::Gap(missing as u64), Piece::Bytes(&whole[from + missing..])];
        let mut expected = oracle(&whole, Masking::Unmasked);
        let at = before.len() as u64;
        let place = expected.iter().position(|told| matches!(told, Owned::Header { at: header, .. } if *header == at)).unwrap();
        expected[place + 1] = Owned::End { present: (len - missing) as u64, last: 0 };
        prop_assert_eq!(uncut(told(Masking::Unmasked, &pieces)), expected);
    }
}

#[test]
fn a_decoder_is_small_enough_to_keep_two_of_them_for_every_flow() {
    assert!(size_of::<Decoder>() <= 96, "{}", size_of::<Decoder>());
}

/// Bytes at random, the same ones every time (xorshift64*).
pub(super) fn random() -> impl Iterator<Item = u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    std::iter::repeat_with(move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_be_bytes()
    })
    .flatten()
}
