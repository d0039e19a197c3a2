//! Zstandard and LZ4 files as one stream of bytes: both are sequences of frames, among which skippable ones may
//! stand (RFC 8878 §3.1.2; LZ4 uses the same numbers), while both decoders know one frame at a time.

use lz4_flex::frame::FrameDecoder as Lz4;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder, StreamingDecoder};
use std::io::{self, BufReader, Read};

/// First bytes of a Zstandard frame.
pub(super) const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// First bytes of an LZ4 frame.
pub(super) const LZ4_MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

/// Whether `magic` begins a skippable frame.
pub(super) fn is_skippable(magic: [u8; 4]) -> bool {
    matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18])
}

/// The stored bytes of a file.
pub(super) type Stored = BufReader<Box<dyn Read + Send>>;

/// The decompressed bytes of all frames of a file.
pub(super) struct Frames {
    state: State,
}

/// A frame with its magic, which was read to choose the decoder, put before it again.
type Frame = io::Chain<io::Cursor<[u8; 4]>, Stored>;

enum State {
    Between(Stored),
    Zstd(Box<StreamingDecoder<Frame, FrameDecoder>>),
    /// What a frame gives that could not be read to its end, and why.
    Rest(Box<FrameDecoder>, io::Error),
    Lz4(Box<Lz4<Frame>>),
    Ended,
}

/// A last block of no bytes, and a check sum.
const LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

impl Frames {
    pub(super) fn new(stored: Stored) -> Self {
        Frames { state: State::Between(stored) }
    }
}

impl Read for Frames {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            let result = match &mut self.state {
                State::Between(_) => Ok(0),
                State::Zstd(decoder) => decoder.read(buf),
                State::Rest(decoder, _) => decoder.read(buf),
                State::Lz4(decoder) => decoder.read(buf),
                State::Ended => return Ok(0),
            };
            let error = match result {
                Ok(0) => None,
                Ok(count) => return Ok(count),
                Err(error) => Some(error),
            };
            self.state = match (std::mem::replace(&mut self.state, State::Ended), error) {
                (State::Between(stored), _) => begin(stored)?,
                (State::Zstd(decoder), None) => State::Between(decoder.into_inner().into_inner().1),
                (State::Zstd(decoder), Some(error)) => {
                    // The decoder holds back what later blocks may refer to. None will come: tell it so.
                    let mut decoder = decoder.into_frame_decoder();
                    let end = decoder.decode_blocks(&LAST_BLOCK[..], BlockDecodingStrategy::UptoBlocks(1));
                    if end.is_err() {
                        return Err(error);
                    }
                    State::Rest(Box::new(decoder), error)
                }
                (State::Rest(_, error), _) | (_, Some(error)) => return Err(error),
                (State::Lz4(decoder), None) => State::Between(decoder.into_inner().into_inner().1),
                (State::Ended, None) => State::Ended,
            };
        }
    }
}

/// Reads the magic of the next frame.
fn begin(mut stored: Stored) -> io::Result<State> {
    let mut magic = [0; 4];
    let mut have = 0usize;
    while let Some(room) = magic.get_mut(have..).filter(|room| !room.is_empty()) {
        match stored.read(room) {
            Ok(0) if have == 0 => return Ok(State::Ended),
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "cut inside a frame header")),
            Ok(count) => have = have.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    match magic {
        ZSTD_MAGIC => {
            let frame = io::Cursor::new(magic).chain(stored);
            Ok(State::Zstd(Box::new(StreamingDecoder::new(frame).map_err(io::Error::other)?)))
        }
        LZ4_MAGIC => Ok(State::Lz4(Box::new(Lz4::new(io::Cursor::new(magic).chain(stored))))),
        magic if is_skippable(magic) => {
            let mut length = [0; 4];
            stored.read_exact(&mut length)?;
            io::copy(&mut stored.by_ref().take(u64::from(u32::from_le_bytes(length))), &mut io::sink())?;
            Ok(State::Between(stored))
        }
        magic => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{magic:02x?} follows the compressed data where another frame was expected"),
        )),
    }
}
