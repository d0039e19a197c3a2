//! Any bytes as one direction of HTTP/2: no panic, and the same frames and fields wherever the input is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wsanalyze::capture::{PacketId, Seen};
use wsanalyze::http::h2::{Fields, Frame, FrameReader, Hpack, enables_connect};
use wsanalyze::time::Timestamp;

/// What was read: DATA joined over its pieces, all else as it comes.
fn read(mode: u8, pieces: &[&[u8]]) -> Vec<String> {
    let mut reader = match mode % 3 {
        0 => FrameReader::client(),
        1 => FrameReader::server(),
        _ => FrameReader::midway(),
    };
    // The packet with the first byte of a block differs with the cut, so all are one packet here.
    let seen = Seen { packet: PacketId::new(0, 1), at: Timestamp::from_nanos(0) };
    let (mut hpack, mut told, mut data) = (Hpack::new(), Vec::new(), (0, Vec::new()));
    for piece in pieces {
        let mut rest = *piece;
        while let Some(frame) = reader.next(&mut rest, seen) {
            if let Frame::Data { stream, bytes } = frame
                && (data.0 == stream || data.1.is_empty())
            {
                data.0 = stream;
                data.1.extend_from_slice(bytes);
                continue;
            }
            told.push(format!("{:?}", std::mem::take(&mut data)));
            match frame {
                Frame::Data { stream, bytes } => data = (stream, bytes.to_vec()),
                Frame::Block { stream, block: Some(block), .. } => {
                    let mut fields = Fields::default();
                    let read = fields.read(&mut hpack, block);
                    let heads = (fields.request().is_some(), fields.response().is_some());
                    told.push(format!("{stream} {read:?} {heads:?}"));
                }
                Frame::Settings(settings) => told.push(format!("{:?}", enables_connect(settings))),
                other => told.push(format!("{other:?}")),
            }
        }
        assert!(rest.is_empty(), "bytes were left");
    }
    told.push(format!("{data:?}"));
    told
}

fuzz_target!(|data: &[u8]| {
    let [mode, cut, data @ ..] = data else { return };
    let whole = read(*mode, &[data]);
    // Where a capture joins midway, a frame is looked for at the beginning of each segment.
    if mode % 3 != 2 {
        let (first, second) = data.split_at((usize::from(*cut) * 5).min(data.len()));
        assert_eq!(whole, read(*mode, &[first, second]));
    }
});
