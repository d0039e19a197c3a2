//! The captures that were named, opened.

use super::complain;
use crate::capture::{self, Reader};
use crate::error::Error;
use std::path::{Path, PathBuf};

/// The inputs that are captures, and whether one was not. A folder stands for the captures in it, told by their
/// contents: what else lies there is passed over.
pub(super) fn open(paths: &[PathBuf]) -> (Vec<Reader>, bool) {
    let mut readers = Vec::with_capacity(paths.len());
    let mut unreadable = false;
    for path in paths {
        if let Err(reason) = open_one(path, &mut readers) {
            complain(&reason);
            unreadable = true;
        }
    }
    (readers, unreadable)
}

fn open_one(path: &Path, readers: &mut Vec<Reader>) -> Result<(), String> {
    let name = text(path)?;
    let Some(files) = capture::files_in(name).map_err(|error| error.to_string())? else {
        push(readers, open_file(name, readers.len())?.map_err(|error| error.to_string())?);
        return Ok(());
    };
    let before = readers.len();
    for file in &files {
        match open_file(text(file)?, readers.len())? {
            Ok(reader) => push(readers, reader),
            Err(Error::NotACapture { .. }) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    if readers.len() == before { Err(format!("{name}: no capture in this folder")) } else { Ok(()) }
}

/// Of several captures, the files are closed until their turn comes: there may be more of them than may be open at once.
fn push(readers: &mut Vec<Reader>, mut reader: Reader) {
    if !readers.is_empty() {
        reader.rest();
    }
    readers.push(reader);
}

fn open_file(path: &str, index: usize) -> Result<Result<Reader, Error>, String> {
    match u16::try_from(index) {
        Ok(index) => Ok(capture::open(path, index)),
        Err(_) => Err(format!("{path}: more than {} captures at once", u16::MAX)),
    }
}

fn text(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("{}: the name is not UTF-8", path.display()))
}
