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
    /// A capture of which no packet can be read.
    #[error("{path}: packets of link type {found} are not supported")]
    LinkType {
        /// As given.
        path: String,
        /// The name and number of the link type.
        found: String,
    },
}

fn others(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!(" and {count} more"),
    }
}
