//! Opening a capture: file or standard input, plain or compressed, told by its first bytes and not by its name.

use super::frames::{Frames, LZ4_MAGIC, ZSTD_MAGIC, is_skippable};
use super::gzip::Members;
use super::info::Compression;
use super::reader::{Reader, Stored};
use crate::error::Error;
use crate::limits::WINDOW;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Opens the capture at `path`, or on standard input where `path` is `-`, as the run's capture `index`.
///
/// # Errors
/// [`Error::Io`] where nothing can be read, [`Error::NotACapture`] where what can be read is no capture.
pub fn open(path: &str, index: u16) -> Result<Reader, Error> {
    if path == "-" {
        return Reader::from_read(path, index, Box::new(io::stdin()));
    }
    let failed = |source| Error::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let total = file.metadata().ok().filter(|m| m.is_file()).map(|m| m.len());
    Reader::start(path, index, Box::new(file), total)
}

/// The files of the folder at `path`, by name, those hidden by a leading dot left out; `None` where it is no folder.
///
/// # Errors
/// [`Error::Io`] where it cannot be read.
pub fn files_in(path: &str) -> Result<Option<Vec<PathBuf>>, Error> {
    if !Path::new(path).is_dir() {
        return Ok(None);
    }
    let failed = |source| Error::Io { path: path.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let hidden = file.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(Some(files))
}

/// Begins a new file at `path`.
///
/// # Errors
/// [`Error::Io`] where it exists or cannot be created: a capture that took long to get is not lost to a slip.
pub fn create(path: &str) -> Result<File, Error> {
    File::create_new(path).map_err(|source| Error::Io { path: path.to_owned(), source })
}

/// The bytes of the capture behind the stored ones, and how they were compressed.
pub(super) fn unpack(
    source: Box<dyn Read + Send>,
    total: Option<u64>,
) -> io::Result<(Stored, Option<Compression>, Box<dyn Read + Send>)> {
    let read = Arc::new(AtomicU64::new(0));
    let stored = Stored { read: Arc::clone(&read), total };
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
