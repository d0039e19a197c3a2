//! What is known of a TLS connection, opened or not.

use super::alert::Alert;
use super::suite::CipherSuite;
use crate::capture::Seen;
use crate::role::{Role, Sides};
use std::fmt;

/// What is known of a TLS connection.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Facts {
    /// The version the server chose.
    pub version: Option<Version>,
    /// The highest version the client offered.
    pub offered: Option<Version>,
    /// The cipher suite the server chose.
    pub cipher_suite: Option<CipherSuite>,
    /// The name the client asked for (RFC 6066 §3).
    pub server_name: Option<String>,
    /// The protocol the server chose (RFC 7301); with TLS 1.3 it can be read with a key only.
    pub alpn: Option<String>,
    /// The protocols the client offered.
    pub alpn_offered: Vec<String>,
    /// Whether the client was asked for a certificate; with TLS 1.3 that can be read with a key only.
    pub client_certificate: ClientCertificate,
    /// Whether it could be opened.
    pub opened: Opened,
    /// Alerts that could be read, in order of time.
    pub alerts: Vec<Alert>,
    /// What each side sent.
    pub sent: Sides<Sent>,
    /// The last time in which neither side sent a record for a second or longer, and what came then.
    pub pause: Option<Pause<Role>>,
    /// The answer to the client hello, where that is plain HTTP.
    pub plain_answer: Option<Box<PlainAnswer>>,
}

impl Facts {
    /// Whether the client offered TLS 1.2 or later.
    pub fn offers_tls12(&self) -> bool {
        self.offered.is_some_and(|version| version >= Version::TLS12)
    }

    /// The side of which no record could be opened, although the other one's could.
    pub fn unopened(&self) -> Option<Role> {
        match self.opened {
            Opened::Only(role) => Some(role.other()),
            _ => None,
        }
    }

    /// Whether its client sent too little under protection for a request: no more than the end of its handshake, or an alert.
    pub fn asked_nothing(&self) -> bool {
        let sent = &self.sent[Role::Client];
        !self.opened.is_open() && sent.missing == 0 && sent.protected_bytes < SHORTEST_REQUEST
    }

    /// Whether its client offered what clients of WebSocket offer: browsers `http/1.1` alone, most libraries nothing.
    pub fn offers_http1_at_most(&self) -> bool {
        self.alpn_offered.iter().all(|name| name == "http/1.1")
    }

    /// Whether it may have carried a WebSocket: it has such a client, and that asked for something.
    pub fn may_have_carried_websocket(&self) -> bool {
        self.offers_http1_at_most() && !self.asked_nothing()
    }

    /// The first alert that tells of a failure.
    pub fn failure(&self) -> Option<&Alert> {
        self.alerts.iter().find(|alert| alert.is_failure())
    }

    /// Whether a side sent no byte that could belong to TLS.
    pub fn is_silent(&self, role: Role) -> bool {
        self.sent[role].records == 0 && self.sent[role].missing == 0
    }
}

/// Bytes of the shortest upgrade request that any program sends: its six lines, which RFC 6455 §4.1 asks for.
const SHORTEST_REQUEST: u64 = 128;

/// A time in which neither side sent a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pause<Side> {
    /// Who ended it.
    pub by: Side,
    /// The record that ended it.
    pub until: Seen,
    /// The last record of that side before it.
    pub own: Option<Seen>,
    /// The last record of the other side before it.
    pub other: Option<Seen>,
    /// The first record of the other side since.
    pub answer: Option<Seen>,
}

impl<Side: Copy + PartialEq> Pause<Side> {
    /// The last pause as it is with the next record, where `own` and `other` were the last ones of its sender and of the other side.
    pub fn after(
        before: Option<Self>,
        own: Option<Seen>,
        other: Option<Seen>,
        by: Side,
        seen: Seen,
    ) -> Option<Self> {
        let last = [own, other].into_iter().flatten().map(|last| last.at).max()?;
        if seen.at.nanos_since(last) >= PAUSE {
            return Some(Pause { by, until: seen, own, other, answer: None });
        }
        before.map(|pause| match pause.by == by {
            true => pause,
            false => Pause { answer: pause.answer.or(Some(seen)), ..pause },
        })
    }

    /// The same, with another name for each side.
    pub fn map<Other>(self, name: impl FnOnce(Side) -> Other) -> Pause<Other> {
        let Pause { by, until, own, other, answer } = self;
        Pause { by: name(by), until, own, other, answer }
    }
}

/// Nanoseconds from which it is a pause that nobody sent a record.
const PAUSE: i64 = 1_000_000_000;

/// What became of a server's wish for a certificate of the client (RFC 5246 §7.4.4, RFC 8446 §4.3.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum ClientCertificate {
    /// No such wish was seen.
    #[default]
    NotAsked,
    /// It was asked for, and no answer was seen.
    Asked,
    /// The client answered that it has none.
    Absent,
    /// The client sent one.
    Sent,
}

/// An answer to a client hello that is plain HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlainAnswer {
    /// The packet that begins it.
    pub seen: Seen,
    /// Its first bytes, at most [`crate::limits::QUOTE`].
    pub begins: Box<[u8]>,
}

/// What one side sent, as its records show it without a key.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sent {
    /// Whole records.
    pub records: u64,
    /// Of these, protected ones that carry application data, alerts or (with TLS 1.3) handshake messages.
    pub protected: u64,
    /// Bytes of the bodies of all records.
    pub bytes: u64,
    /// Of these, those of the protected ones.
    pub protected_bytes: u64,
    /// Bytes that the capture lacks.
    pub missing: u64,
    /// The first record.
    pub first: Option<Seen>,
    /// The last record.
    pub last: Option<Seen>,
}

/// Whether a connection could be opened, and why not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Opened {
    /// Both directions, or the only one that had anything to open.
    Yes,
    /// Only this direction: there is no key for the other one.
    Only(Role),
    /// There was nothing to open: no protected record came.
    #[default]
    Nothing,
    /// No keys were given.
    NoKeys,
    /// Keys were given, none of them of this connection.
    OtherKeys,
    /// Keys of this connection were given, and none opens a record.
    WrongKeys,
    /// The version or the cipher suite is none that can be opened here.
    Unsupported,
    /// The capture lacks the hello messages, or a bound was reached before a key came.
    Lost,
}

impl Opened {
    /// In kebab case, as the report prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Opened::Yes => "yes",
            Opened::Only(_) => "one-direction",
            Opened::Nothing => "nothing-to-open",
            Opened::NoKeys => "no-keys",
            Opened::OtherKeys => "keys-of-others",
            Opened::WrongKeys => "wrong-keys",
            Opened::Unsupported => "unsupported",
            Opened::Lost => "capture-incomplete",
        }
    }

    /// Whether anything of it could be opened.
    pub const fn is_open(self) -> bool {
        matches!(self, Opened::Yes | Opened::Only(_))
    }
}

/// A version as records and hellos number it. Prints as `1.3`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version(pub u16);

impl Version {
    /// RFC 5246.
    pub const TLS12: Version = Version(0x0303);
    /// RFC 8446.
    pub const TLS13: Version = Version(0x0304);
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0x0300 => f.write_str("SSL 3.0"),
            0x0301 => f.write_str("1.0"),
            0x0302 => f.write_str("1.1"),
            0x0303 => f.write_str("1.2"),
            0x0304 => f.write_str("1.3"),
            other => write!(f, "0x{other:04x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::PacketId;
    use crate::time::Timestamp;

    #[test]
    fn the_last_pause_tells_what_was_before_and_after_it() {
        let at = |second: u64| Seen {
            packet: PacketId::new(0, second),
            at: Timestamp::from_nanos(second as i64 * PAUSE / 2),
        };
        let mut sent = [None, None];
        let mut pause = None;
        for (by, second) in [(0, 1), (1, 2), (0, 9), (0, 10), (1, 11), (0, 12)] {
            pause = Pause::after(pause, sent[by], sent[1 - by], by, at(second));
            sent[by] = Some(at(second));
        }
        let told = Pause { by: 0, until: at(9), own: Some(at(1)), other: Some(at(2)), answer: Some(at(11)) };
        assert_eq!(pause, Some(told));
    }
}
