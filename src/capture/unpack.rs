//! The bytes of a capture behind the stored ones: plain or compressed, told by the first ones and not by a file's name.

use super::frames::{Frames, LZ4_MAGIC, ZSTD_MAGIC, is_skippable};
use super::gzip::Members;
use super::info::Compression;
use super::open::Opened;
use crate::limits::WINDOW;
use std::io::{self, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far the stored file was read.
pub(super) struct Stored {
    pub(super) read: Arc<AtomicU64>,
    pub(super) total: Option<u64>,
    /// Itself, where it can be read at any place.
    pub(super) file: Option<Opened>,
}

/// The bytes of the capture, how they were compressed, and a count of the stored ones.
pub(super) fn unpack(
    source: Box<dyn Read + Send>,
    file: Option<(Opened, u64)>,
) -> io::Result<(Stored, Option<Compression>, Box<dyn Read + Send>)> {
    let read = Arc::new(AtomicU64::new(0));
    let (file, total) = file.unzip();
    let stored = Stored { read: Arc::clone(&read), total, file };
    let mut counted = Counted { source, read };
    let first = first_bytes(&mut counted)?;
    let kind = compression(&first);
    let whole: Box<dyn Read + Send> = Box::new(Cursor::new(first).chain(counted));
    let whole: Box<dyn Read + Send> = match kind {
        None => whole,
        Some(Compression::Gzip) => Box::new(Members::new(BufReader::with_capacity(WINDOW, whole))),
        Some(Compression::Zstd | Compression::Lz4) => {
            Box::new(Frames::new(BufReader::with_capacity(WINDOW, whole)))
        }
    };
    Ok((stored, kind, whole))
}

/// What the first bytes of a file say of its compression.
fn compression(first: &[u8]) -> Option<Compression> {
    match *first.first_chunk()? {
        // RFC 1952 §2.3.1: the only method defined is 8.
        [0x1f, 0x8b, 8, _] => Some(Compression::Gzip),
        LZ4_MAGIC => Some(Compression::Lz4),
        ZSTD_MAGIC => Some(Compression::Zstd),
        magic if is_skippable(magic) => Some(Compression::Zstd),
        _ => None,
    }
}

/// The first four bytes, fewer where there are no more.
fn first_bytes(source: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut first = Vec::with_capacity(4);
    source.by_ref().take(4).read_to_end(&mut first)?;
    Ok(first)
}

/// Counts the stored bytes that were read, for the progress of a run.
struct Counted {
    source: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buf)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
