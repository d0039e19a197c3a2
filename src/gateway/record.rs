//! What is kept of one connection for what many have in common.

use super::parting::{How, Parting};
use crate::capture::PacketId;
use crate::connection::{Connection, Outcome};
use crate::net::Endpoint;
use crate::role::{Role, Sides};
use crate::time::Timestamp;
use crate::websocket::accept_for;
use foldhash::quality::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU64};
use std::sync::LazyLock;

/// What is kept of one connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its first packet.
    pub packet: PacketId,
    /// Who asked.
    pub client: IpAddr,
    /// Who was asked.
    pub server: Endpoint,
    /// A digest of the path it asked for.
    pub path: Option<NonZeroU64>,
    /// A digest of its `Sec-WebSocket-Key`.
    pub key: Option<NonZeroU64>,
    /// A digest of the accept value that answers it, where some 101 was given.
    pub accept: Option<NonZeroU64>,
    /// Whether the capture holds its beginning.
    pub whole: bool,
    /// Whether permessage-deflate was accepted, where it was offered and a WebSocket came of it.
    pub deflate: Option<bool>,
    /// Initial sequence numbers: two captures of one connection agree in both.
    pub isn: Sides<Option<u32>>,
    /// What became of its handshake.
    pub outcome: Outcome,
    /// Status of the answer.
    pub status: Option<NonZeroU16>,
    /// When its first packet was seen.
    pub opened: Timestamp,
    /// When its handshake was answered.
    pub answered: Maybe,
    /// When its transport was ended.
    pub ended: Maybe,
    /// When and by whom the session was given up first, and how.
    pub parted: Option<(Role, How, Timestamp)>,
    /// Nanoseconds from the last payload of either side to that moment.
    pub quiet: Maybe,
}

/// Records in blocks, so that one more never moves all others: for a moment that would take twice the room.
#[derive(Clone, Default, Debug)]
pub struct Records(Vec<Vec<Record>>);

impl Records {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * BLOCK + last.len())
    }

    /// One of them.
    pub fn get(&self, index: u32) -> Option<&Record> {
        self.0.get(index as usize / BLOCK)?.get(index as usize % BLOCK)
    }

    /// Those from one index to another.
    pub(super) fn range(&self, from: usize, until: usize) -> impl Iterator<Item = &Record> {
        let blocks = self.0.iter().skip(from / BLOCK).flatten();
        blocks.skip(from % BLOCK).take(until.saturating_sub(from))
    }

    pub(super) fn push(&mut self, record: Record) {
        match self.0.last_mut() {
            Some(last) if last.len() < BLOCK => last.push(record),
            _ => {
                // The first one stays small where there are few.
                let mut block = Vec::with_capacity(if self.0.is_empty() { 0 } else { BLOCK });
                block.push(record);
                self.0.push(block);
            }
        }
    }
}

impl Record {
    /// What is kept of this one.
    pub(super) fn of(connection: &Connection) -> Record {
        let parting = Parting::of(connection);
        let request = connection.request.as_ref();
        Record {
            packet: connection.first.packet,
            client: connection.tcp.client.ip,
            server: connection.tcp.server,
            path: request.map(|request| digest(request.head.path().as_bytes())),
            key: request.and_then(|request| request.key.as_deref()).map(|key| digest(key.as_bytes())),
            accept: expected_accept(connection),
            whole: parting.is_some_and(|parting| parting.age.is_some()),
            deflate: deflate(connection),
            isn: connection.tcp.isn,
            outcome: connection.outcome,
            status: connection.response.as_ref().and_then(|response| NonZeroU16::new(response.head.status)),
            opened: connection.first.at,
            answered: Maybe::at(connection.response.as_ref().map(|response| response.seen.at)),
            ended: Maybe::at(connection.ending.by.map(|(_, seen)| seen.at)),
            parted: parting.map(|parting| (parting.by, parting.how, parting.seen.at)),
            quiet: Maybe::of(parting.and_then(|parting| parting.quiet)),
        }
    }

    /// A digest of who called whom, and for what.
    pub(super) fn call(&self) -> NonZeroU64 {
        digest((self.client, self.server, self.path))
    }

    /// Whether a WebSocket was opened, or may have been under TLS that no key opened.
    pub(super) fn is_session(&self) -> bool {
        matches!(self.outcome, Outcome::Established | Outcome::Encrypted)
    }

    /// Nanoseconds from its first packet to the moment at which it was given up; `None` where the capture began later.
    pub fn age(&self) -> Option<i64> {
        let (.., parted) = self.parted.filter(|_| self.whole)?;
        Some(parted.nanos_since(self.opened)).filter(|age| *age >= 0)
    }
}

/// A time or a length of time in nanoseconds, or none, in eight bytes: as many records are kept as may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Maybe(i64);

impl Maybe {
    /// The length of time.
    pub fn nanos(self) -> Option<i64> {
        (self.0 != i64::MIN).then_some(self.0)
    }

    /// The time.
    pub fn time(self) -> Option<Timestamp> {
        self.nanos().map(Timestamp::from_nanos)
    }

    fn of(nanos: Option<i64>) -> Maybe {
        Maybe(nanos.unwrap_or(i64::MIN))
    }

    fn at(time: Option<Timestamp>) -> Maybe {
        Maybe::of(time.map(Timestamp::as_nanos))
    }
}

/// A digest of the accept value that a request wants; made anew only where the answer has another one.
fn expected_accept(connection: &Connection) -> Option<NonZeroU64> {
    let (request, response) = (connection.request.as_ref()?, connection.response.as_ref()?);
    match response.accept_valid? {
        true => response.head.head.field("sec-websocket-accept").map(digest),
        false => Some(digest(accept_for(request.key.as_deref()?.trim().as_bytes()).as_bytes())),
    }
}

/// Whether permessage-deflate was accepted, where it was offered and a WebSocket came of it.
fn deflate(connection: &Connection) -> Option<bool> {
    let (request, response) = (connection.request.as_ref()?, connection.response.as_ref()?);
    let agreed = connection.outcome == Outcome::Established && connection.quality.unknown_fields.server == 0;
    let offered = agreed && request.extensions.get(DEFLATE).is_some();
    offered.then(|| response.extensions.get(DEFLATE).is_some())
}

const DEFLATE: &str = "permessage-deflate";

/// Eight bytes that stand for a text of any length or for anything else, within one run: no stranger can tell which
/// texts stand alike.
pub(super) fn digest(of: impl Hash) -> NonZeroU64 {
    static SEEDED: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    NonZeroU64::new(SEEDED.hash_one(of)).unwrap_or(NonZeroU64::MIN)
}

/// Records in one block.
const BLOCK: usize = 1 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{REQUEST, Scene};

    #[test]
    fn the_query_is_no_part_of_the_path() {
        let path = |target: &str| {
            let request = REQUEST.replace("/chat?token=s3cret", target);
            Record::of(&Scene::tcp().request(&request).build()).path
        };
        assert!(path("/chat?token=1").is_some());
        assert_eq!(path("/chat?token=1"), path("/chat#x"));
        assert_ne!(digest(b"/chat"), digest(b"/news"));
    }
}
