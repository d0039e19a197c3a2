//! What is counted of TLS that could not be read.

use super::facts::Connection;
use crate::capture::Seen;
use crate::limits;
use crate::tls::{Facts, Opened, Version};
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
    /// Some of what is not supported: versions before TLS 1.2, and cipher suites; as [`Unread::names`].
    pub unsupported_as: BTreeSet<String>,
    /// Some of the names that clients asked for: those that stand first in the order of letters, so that it does not
    /// matter in which order they came.
    pub names: BTreeSet<String>,
    /// Of all these, those that were not listed because there were too many.
    pub unlisted: u64,
    /// How many of them were listed.
    pub quota: ListQuota,
}

/// Counts the TLS connections that a report lists. Those of clients that may have meant a WebSocket have a bound of their own,
/// so that pages of a browser leave room for them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ListQuota {
    for_websocket: usize,
    others: usize,
}

impl ListQuota {
    /// Takes one more; false where it is one too many of its kind.
    pub fn takes(&mut self, tls: &Facts) -> bool {
        let count = if tls.offers_http1_at_most() { &mut self.for_websocket } else { &mut self.others };
        let is_one_too_many = *count >= limits::TLS_UNREAD;
        *count += usize::from(!is_one_too_many);
        !is_one_too_many
    }
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

    /// Why those are not read whose version or cipher suite is not supported.
    pub fn unsupported_reason(&self) -> String {
        let names: Vec<&str> = self.unsupported_as.iter().map(String::as_str).collect();
        format!("this program cannot open {}", names.join(", "))
    }

    /// Counts one; false where it is one too many to be listed.
    pub(super) fn count(&mut self, connection: &Connection) -> bool {
        let Some(tls) = connection.tls.as_deref() else { return false };
        let failed = self.failed;
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
            keep(&mut self.names, name);
        }
        if let (Opened::Unsupported, Some(version), Some(suite)) = (tls.opened, tls.version, tls.cipher_suite)
        {
            let what = match version.0 {
                0x0300 => version.to_string(),
                _ if version < Version::TLS12 => format!("TLS {version}"),
                _ => suite.to_string(),
            };
            keep(&mut self.unsupported_as, &what);
        }
        let listed = self.quota.takes(tls);
        self.unlisted += u64::from(!listed);
        listed
    }

    /// Takes those of another shard.
    pub fn add(&mut self, other: &Unread) {
        self.no_keys += other.no_keys;
        self.other_keys += other.other_keys;
        self.wrong_keys += other.wrong_keys;
        self.unsupported += other.unsupported;
        self.lost += other.lost;
        self.failed += other.failed;
        self.unlisted += other.unlisted;
        other.names.iter().for_each(|name| keep(&mut self.names, name));
        other.unsupported_as.iter().for_each(|what| keep(&mut self.unsupported_as, what));
        other.first.into_iter().for_each(|first| self.begins(first));
    }

    fn begins(&mut self, seen: Seen) {
        if self.first.is_none_or(|first| seen.packet < first.packet) {
            self.first = Some(seen);
        }
    }
}

/// Keeps a name, while those that stand first in the order of letters are not too many.
fn keep(names: &mut BTreeSet<String>, name: &str) {
    let full = names.len() >= limits::TLS_NAMES;
    if names.contains(name) || full && names.last().is_some_and(|last| last.as_str() < name) {
        return;
    }
    names.insert(name.to_owned());
    if full {
        names.pop_last();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_leave_room_for_what_may_be_a_websocket() {
        let page =
            Facts { alpn_offered: vec![String::from("h2"), String::from("http/1.1")], ..Facts::default() };
        let mut quota = ListQuota::default();
        let listed = |quota: &mut ListQuota, tls: &Facts| {
            (0..2 * limits::TLS_UNREAD).filter(|_| quota.takes(tls)).count()
        };
        assert_eq!(listed(&mut quota, &page), limits::TLS_UNREAD);
        assert_eq!(listed(&mut quota, &Facts::default()), limits::TLS_UNREAD);
        assert!(!quota.takes(&page) && !quota.takes(&Facts::default()));
    }
}
