//! What stops a run.

use std::io;

/// Why an input could not be analysed at all. Damage after the first record is no error: it is reported with what
/// could be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be opened or read.
    #[error("{path}: {source}")]
    Io {
        /// As given.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The first bytes are of no capture.
    #[error("{path}: not a packet capture: {found}")]
    NotACapture {
        /// As given.
        path: String,
        /// What was found instead.
        found: String,
    },
    /// Captures that could not be opened when their turn came, because too many others overlap with them in time.
    #[error("{path}{}: too many captures overlap in time; raise the number of open files (ulimit -n), or merge them first", others(*.more))]
    TooManyAtOnce {
        /// The first of them, as given.
        path: String,
        /// How many more there are.
        more: usize,
    },
    /// A folder in which nothing is a capture.
    #[error("{path}: no capture in this folder")]
    EmptyFolder {
        /// As given.
        path: String,
    },
    /// More captures than a run can number.
    #[error("{path}: more than {limit} captures at once")]
    TooMany {
        /// The first that is left out, as given.
        path: String,
        /// How many there may be.
        limit: u16,
    },
    /// A capture of which no packet can be read.
    #[error("{path}: packets of link type {found} are not supported")]
    LinkType {
        /// As given.
        path: String,
        /// The name and number of the link type.
        found: String,
    },
}

impl Error {
    /// The input, as given.
    pub fn path(&self) -> &str {
        match self {
            Error::Io { path, .. }
            | Error::NotACapture { path, .. }
            | Error::TooManyAtOnce { path, .. }
            | Error::EmptyFolder { path }
            | Error::TooMany { path, .. }
            | Error::LinkType { path, .. } => path,
        }
    }

    /// What is wrong with it, without its path.
    pub fn reason(&self) -> String {
        let whole = self.to_string();
        let reason = whole.strip_prefix(self.path()).unwrap_or(&whole);
        reason.trim_start_matches([':', ' ']).to_owned()
    }
}

fn others(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!(" and {count} more"),
    }
}
