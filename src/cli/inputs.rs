//! The captures that were named, opened.

use super::args::Args;
use super::complain;
use super::suggest::nearest;
use crate::capture::{self, Reader};
use crate::error::Error;
use clap::CommandFactory as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The inputs that are captures, and why others are none, which was complained of. A folder stands for the captures in it,
/// told by their contents: what else lies there is passed over.
pub(super) fn open(paths: &[PathBuf]) -> (Vec<Reader>, Vec<Error>) {
    let mut readers = Vec::with_capacity(paths.len());
    let mut failed = Vec::new();
    for path in paths {
        open_one(path, &mut readers, &mut failed);
    }
    failed.iter().for_each(|error| complain(&format!("{error}{}", command(error))));
    (readers, failed)
}

/// The command that may have been meant by a name that is no file's.
fn command(error: &Error) -> String {
    let Error::Io { path, source } = error else { return String::new() };
    let is_word = path.bytes().all(|byte| byte.is_ascii_lowercase());
    if source.kind() != ErrorKind::NotFound || !is_word {
        return String::new();
    }
    let commands = Args::command();
    match nearest(path, commands.get_subcommands().map(clap::Command::get_name)).first() {
        Some(name) => format!("; did you mean the command {name}?"),
        None => String::new(),
    }
}

/// Opens a file, or those of a folder: one that fails there takes nothing from the others.
fn open_one(path: &Path, readers: &mut Vec<Reader>, failed: &mut Vec<Error>) {
    let files = match capture::files_in(path) {
        Ok(Some(files)) => files,
        Ok(None) => return open_file(path, readers).unwrap_or_else(|error| failed.push(error)),
        Err(error) => return failed.push(error),
    };
    let before = readers.len() + failed.len();
    for file in &files {
        match open_file(file, readers) {
            Ok(()) | Err(Error::NotACapture { .. }) => {}
            Err(error) => {
                let is_full = matches!(error, Error::TooMany { .. });
                failed.push(error);
                if is_full {
                    return;
                }
            }
        }
    }
    if readers.len() + failed.len() == before {
        failed.push(Error::EmptyFolder { path: path.display().to_string() });
    }
}

/// Of several captures, the files are closed until their turn comes: there may be more of them than may be open at once.
fn open_file(path: &Path, readers: &mut Vec<Reader>) -> Result<(), Error> {
    let Ok(index) = u16::try_from(readers.len()) else {
        return Err(Error::TooMany { path: path.display().to_string(), limit: u16::MAX });
    };
    let mut reader = capture::open(path, index)?;
    if !readers.is_empty() {
        reader.rest();
    }
    readers.push(reader);
    Ok(())
}
