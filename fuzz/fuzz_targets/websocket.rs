//! Any bytes as one direction of a WebSocket, in pieces and with gaps, its messages inflated and held to UTF-8: no panic,
//! and counts that hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use wsanalyze::capture::{PacketId, Seen};
use wsanalyze::time::Timestamp;
use wsanalyze::websocket::{
    ClosePayload, Decoder, Depth, FrameEvent, FrameSink, LONGEST_CONTROL, Masking, Messages, Payloads, Reading, Transform, Window,
    likely_frames,
};

struct Count {
    messages: Messages,
    headers: u64,
    ends: u64,
    bytes: u64,
}

impl FrameSink for Count {
    fn frame(&mut self, event: FrameEvent<'_>) {
        match event {
            FrameEvent::Header { header, complete_in: seen, .. } => {
                self.headers += 1;
                if !header.opcode.is_control() {
                    self.messages.begin(header, seen);
                }
            }
            FrameEvent::Payload { header, phase, bytes, .. } => {
                assert!(!bytes.is_empty() && phase + bytes.len() as u64 <= header.len);
                let _ = self.messages.payload(header, phase, bytes);
            }
            FrameEvent::End { header, present, offset, seen } => {
                assert!(present <= header.len);
                self.messages.end(header, present, offset, seen, &mut |_| ());
                (self.ends, self.bytes) = (self.ends + 1, self.bytes + present);
            }
            FrameEvent::Control { header, payload, .. } => {
                assert!(payload.len() <= LONGEST_CONTROL && payload.len() as u64 <= header.len);
                let _ = ClosePayload::parse(payload);
                (self.ends, self.bytes) = (self.ends + 1, self.bytes + payload.len() as u64);
            }
            FrameEvent::Violation { quote, .. } => assert!(quote.len() <= 16),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let [mode, frames @ ..] = data else { return };
    let mut rest = frames;
    let masking = [Masking::Masked, Masking::Unmasked, Masking::Unknown][usize::from(mode % 3)];
    let mut decoder = if mode & 4 == 0 { Decoder::new(masking) } else { Decoder::midway(masking, 0) };
    let window = if mode & 128 == 0 { Some(Window::LARGEST) } else { Window::parse("9") };
    let Some(window) = window else { return };
    let transform = match mode >> 4 & 3 {
        0 => Transform::Plain,
        1 => Transform::Unknown,
        2 => Transform::Deflate { takeover: true, window },
        _ => Transform::Deflate { takeover: false, window },
    };
    let depth = if mode & 64 == 0 { Depth::Listed(Payloads::Quoted) } else { Depth::WhereAsked };
    let messages = Messages::new(transform, &Arc::new(Reading::new(depth)));
    let mut count = Count { messages, headers: 0, ends: 0, bytes: 0 };
    let (mut offset, mut number, mut taken) = (0, 0, 0);
    let _ = likely_frames(rest);
    while let [step, more @ ..] = rest {
        number += 1;
        let seen = Seen { packet: PacketId::new(0, number), at: Timestamp::from_nanos(number as i64) };
        let (piece, behind) = more.split_at(usize::from(step >> 1).min(more.len()));
        if step & 1 == 1 && mode & 8 != 0 {
            decoder.gap(offset, 1 + u64::from(*step) * 100, seen, &mut count);
            offset += 1 + u64::from(*step) * 100;
        }
        decoder.push(offset, piece, seen, &mut count);
        offset += piece.len() as u64;
        taken += piece.len() as u64;
        rest = behind;
    }
    let seen = Seen { packet: PacketId::new(0, number + 1), at: Timestamp::from_nanos(0) };
    decoder.end(seen, &mut count);
    count.messages.read(&mut |_| ());
    let _ = count.messages.inflated();
    assert!(count.ends <= count.headers && count.bytes <= taken);
});
