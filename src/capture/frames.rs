//! Zstandard and LZ4 files as one stream of bytes: both are sequences of frames, among which skippable ones may
//! stand (RFC 8878 §3.1.2; LZ4 uses the same numbers), while both decoders know one frame at a time.

use lz4_flex::frame::{Error as Lz4Error, FrameDecoder as Lz4};
use ruzstd::decoding::errors::FrameDecoderError as ZstdError;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder, StreamingDecoder};
use std::error::Error;
use std::io::{self, BufReader, ErrorKind, Read};

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
                Err(error) => Some(plain(error)),
            };
            self.state = match (std::mem::replace(&mut self.state, State::Ended), error) {
                (State::Between(stored), _) => begin(stored)?,
                (State::Zstd(decoder), None) => {
                    // The decoder sums up what it gives and leaves the comparison to others.
                    let frame = &decoder.decoder;
                    let written = frame.get_checksum_from_data();
                    if written.is_some() && written != frame.get_calculated_checksum() {
                        return Err(invalid("the check sum of the Zstandard data is wrong"));
                    }
                    State::Between(decoder.into_inner().into_inner().1)
                }
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
            Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "cut inside a frame header")),
            Ok(count) => have = have.saturating_add(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    match magic {
        ZSTD_MAGIC => {
            let frame = io::Cursor::new(magic).chain(stored);
            Ok(State::Zstd(Box::new(
                StreamingDecoder::new(frame).map_err(|error| plain(io::Error::other(error)))?,
            )))
        }
        LZ4_MAGIC => Ok(State::Lz4(Box::new(Lz4::new(io::Cursor::new(magic).chain(stored))))),
        magic if is_skippable(magic) => {
            let mut length = [0; 4];
            stored.read_exact(&mut length)?;
            io::copy(&mut stored.by_ref().take(u64::from(u32::from_le_bytes(length))), &mut io::sink())?;
            Ok(State::Between(stored))
        }
        _ => Err(invalid("bytes that are no Zstandard or LZ4 frame follow the compressed data")),
    }
}

/// What a decoder says, in words; errors of the system as they are, also those that a decoder wrapped.
fn plain(error: io::Error) -> io::Error {
    let Some(inner) = error.get_ref() else {
        return match error.kind() {
            ErrorKind::UnexpectedEof => too_early("LZ4"),
            _ => error,
        };
    };
    match (inner.downcast_ref(), inner.downcast_ref()) {
        (
            Some(
                Lz4Error::HeaderChecksumError | Lz4Error::BlockChecksumError | Lz4Error::ContentChecksumError,
            ),
            _,
        ) => invalid("the check sum of the LZ4 data is wrong"),
        (Some(Lz4Error::DictionaryNotSupported), _) => invalid("LZ4 data that need a dictionary"),
        (Some(_), _) => invalid("broken LZ4 data"),
        (None, Some(ZstdError::DictNotProvided { .. })) => invalid("Zstandard data that need a dictionary"),
        (None, Some(ZstdError::WindowSizeTooBig { .. })) => {
            invalid("Zstandard data with a larger window than is kept here (zstd --long)")
        }
        (None, Some(found)) => match system(found) {
            Some(found) if found.kind() == ErrorKind::UnexpectedEof => too_early("Zstandard"),
            Some(found) => io::Error::new(found.kind(), found.to_string()),
            None => invalid("broken Zstandard data"),
        },
        (None, None) => error,
    }
}

/// The error of the system that `error` rests on.
fn system(error: &ZstdError) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(found) = cause {
        if let Some(found) = found.downcast_ref() {
            return Some(found);
        }
        cause = found.source();
    }
    None
}

fn too_early(kind: &str) -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, format!("the {kind} data end too early"))
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}
