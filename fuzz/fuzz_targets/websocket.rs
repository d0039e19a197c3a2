//! Any bytes as one direction of a WebSocket, in pieces and with gaps: no panic, and counts that hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wsanalyze::capture::{PacketId, Seen};
use wsanalyze::time::Timestamp;
use wsanalyze::websocket::{ClosePayload, Decoder, FrameEvent, FrameSink, LONGEST_CONTROL, Masking, likely_frames};

#[derive(Default)]
struct Count {
    headers: u64,
    ends: u64,
    bytes: u64,
}

impl FrameSink for Count {
    fn frame(&mut self, event: FrameEvent<'_>) {
        match event {
            FrameEvent::Header { .. } => self.headers += 1,
            FrameEvent::End { header, present, .. } => {
                assert!(present <= header.len);
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
    let (mut count, mut offset, mut number, mut taken) = (Count::default(), 0, 0, 0);
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
    assert!(count.ends <= count.headers && count.bytes <= taken);
});
