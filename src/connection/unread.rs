//! What is counted of TLS that could not be read.

use super::facts::Connection;
use crate::capture::Seen;
use crate::limits;
use crate::tls::Opened;
use std::collections::BTreeSet;

/// TLS connections of which nothing could be read, by reason.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Unread {
    /// No keys were given.
    pub no_keys: u64,
    /// Keys were given, none of these connections.
    pub other_keys: u64,
    /// Their own keys open nothing.
    pub wrong_keys: u64,
    /// Their version or cipher suite is not supported.
    pub unsupported: u64,
    /// The capture lacks what is needed, or a bound was reached.
    pub lost: u64,
    /// They ended before they carried application data, as far as could be seen: an alert ended their handshake, or nobody
    /// used them.
    pub failed: u64,
    /// The first packet of the first one that a key might open.
    pub first: Option<Seen>,
    /// Some of the names that clients asked for: those that stand first in the order of letters, so that it does not
    /// matter in which order they came.
    pub names: BTreeSet<String>,
    /// Of all these, those that were not listed because there were too many.
    pub unlisted: u64,
}

impl Unread {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.no_keys + self.other_keys + self.wrong_keys + self.unsupported + self.lost + self.failed
    }

    /// How many hold something that a key might open: all but those that failed before anything was encrypted.
    pub fn unopened(&self) -> u64 {
        [self.no_keys, self.other_keys, self.wrong_keys, self.unsupported, self.lost]
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Counts one; false where it is one too many to be listed.
    pub(super) fn count(&mut self, connection: &Connection) -> bool {
        let Some(tls) = connection.tls.as_deref() else { return false };
        let (total, failed) = (self.total(), self.failed);
        let counter = match tls.opened {
            // Alerts tell of failure where the keys open nothing else; so does an end before anything was encrypted.
            Opened::Nothing | Opened::Yes | Opened::Only(_) => &mut self.failed,
            _ if tls.failure().is_some() => &mut self.failed,
            Opened::NoKeys => &mut self.no_keys,
            Opened::OtherKeys => &mut self.other_keys,
            Opened::WrongKeys => &mut self.wrong_keys,
            Opened::Unsupported => &mut self.unsupported,
            Opened::Lost => &mut self.lost,
        };
        *counter += 1;
        if self.failed == failed {
            self.begins(connection.first);
        }
        if let Some(name) = &tls.server_name {
            self.name(name);
        }
        let listed = total < limits::TLS_UNREAD as u64;
        self.unlisted += u64::from(!listed);
        listed
    }

    /// Takes those of another part of the run.
    pub fn add(&mut self, other: &Unread) {
        self.no_keys += other.no_keys;
        self.other_keys += other.other_keys;
        self.wrong_keys += other.wrong_keys;
        self.unsupported += other.unsupported;
        self.lost += other.lost;
        self.failed += other.failed;
        self.unlisted += other.unlisted;
        other.names.iter().for_each(|name| self.name(name));
        other.first.into_iter().for_each(|first| self.begins(first));
    }

    fn begins(&mut self, seen: Seen) {
        if self.first.is_none_or(|first| seen.packet < first.packet) {
            self.first = Some(seen);
        }
    }

    fn name(&mut self, name: &str) {
        let full = self.names.len() >= limits::TLS_NAMES;
        if self.names.contains(name) || full && self.names.last().is_some_and(|last| last.as_str() < name) {
            return;
        }
        self.names.insert(name.to_owned());
        if full {
            self.names.pop_last();
        }
    }
}
