//! Opening captures by their paths: files, folders of them, standard input.

use super::reader::Reader;
use crate::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Opens the capture at `path`, or on standard input where `path` is `-`, as the run's capture `index`.
///
/// # Errors
/// [`Error::Io`] where nothing can be read, [`Error::NotACapture`] where what can be read is no capture.
pub fn open(path: impl AsRef<Path>, index: u16) -> Result<Reader, Error> {
    let path = path.as_ref();
    if path == Path::new("-") {
        return Reader::from_read("-", index, Box::new(io::stdin()));
    }
    let file = File::open(path).map_err(|source| failed(path, source))?;
    let total = file.metadata().ok().filter(|m| m.is_file()).map(|m| m.len());
    let file = Opened::from(file);
    let known = total.map(|total| (file.clone(), total));
    Ok(Reader::start(&path.to_string_lossy(), index, Box::new(file), known)?.at(path))
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Io { path: path.to_string_lossy().into_owned(), source }
}

/// A file that is read on and on, or at any place.
#[derive(Clone)]
pub(super) struct Opened(Arc<File>);

impl Opened {
    /// Whether the system reads at any place.
    pub(super) const ANYWHERE: bool = cfg!(unix);

    /// Reads from this offset on.
    #[cfg(unix)]
    pub(super) fn read_at(&self, to: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&*self.0, to, offset)
    }

    /// Not here.
    #[cfg(not(unix))]
    pub(super) fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl From<File> for Opened {
    fn from(file: File) -> Opened {
        Opened(Arc::new(file))
    }
}

impl Read for Opened {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to)
    }
}

/// The files of the folder at `path`, by name, those hidden by a leading dot left out; `None` where it is no folder.
///
/// # Errors
/// [`Error::Io`] where it cannot be read.
pub fn files_in(path: &Path) -> Result<Option<Vec<PathBuf>>, Error> {
    if !path.is_dir() {
        return Ok(None);
    }
    let failed = |source| failed(path, source);
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
pub fn create(path: &Path) -> Result<File, Error> {
    File::create_new(path).map_err(|source| failed(path, source))
}
