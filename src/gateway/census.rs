//! What many connections have in common: one small record of each, so that a rule can say "38 of 41 ended so".

use super::parting::{How, Parting};
use super::patterns::{Burst, Group, Patterns, Retries, Reuse};
use crate::capture::PacketId;
use crate::connection::{Connection, Outcome};
use crate::limits;
use crate::net::Endpoint;
use crate::role::{Role, Sides};
use crate::time::Timestamp;
use crate::websocket::accept_for;
use foldhash::quality::RandomState;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU64};
use std::sync::{LazyLock, OnceLock};

/// The records of a run, in order of their endings; the first [`limits::CENSUS`] of them.
#[derive(Clone, Default, Debug)]
pub struct Census {
    records: Records,
    /// What the records have in common: found when first asked for, and again when many more came since.
    patterns: OnceLock<Patterns>,
}

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

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Record> {
        self.0.iter().flatten()
    }

    fn push(&mut self, record: Record) {
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

const BLOCK: usize = 1 << 10;

impl Record {
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

impl Census {
    /// Counts a connection in.
    pub fn push(&mut self, connection: &Connection) {
        if self.records.len() < limits::CENSUS {
            self.records.push(Record::of(connection));
            // Growing by a half before it is looked at again keeps the work in proportion to the records.
            if self.patterns.get().is_some_and(|known| known.covers + known.covers / 2 <= self.records.len())
            {
                self.patterns.take();
            }
        }
    }

    /// Sessions that the same server gave up after the same silence as this one, in nanoseconds.
    pub fn same_silence(&self, server: Endpoint, quiet: i64) -> Option<&Group> {
        self.patterns().silences.around(server, quiet)
    }

    /// Busy sessions that the same server gave up at the same age as this one, in nanoseconds.
    pub fn same_age(&self, server: Endpoint, age: i64) -> Option<&Group> {
        self.patterns().ages.around(server, age)
    }

    /// Sessions that the same server gave up within the same second.
    pub fn burst(&self, server: Endpoint, at: Timestamp) -> Option<&Burst> {
        self.patterns().burst(server, at)
    }

    /// The attempts of one client of which the connection that begins in this packet is the first.
    pub fn retries(&self, first: PacketId) -> Option<&Retries> {
        self.patterns().retries.get(&first)
    }

    /// Whether any client came back after a failure.
    pub fn has_retries(&self) -> bool {
        !self.patterns().retries.is_empty()
    }

    /// Whether any key was sent to one server more than once.
    pub fn has_reuse(&self) -> bool {
        !self.patterns().reuses.is_empty()
    }

    /// How often one key was sent to one server, where that was more than once.
    pub fn reuse(&self, server: Endpoint, key: &str) -> Option<&Reuse> {
        self.patterns().reuses.get(&(server, digest(key)))
    }

    /// The moments to which no other connection of the same client and server began nearer than this one. Of several
    /// that began at once, only the first has any.
    pub fn nearest(&self, connection: &Connection) -> Option<(Timestamp, Timestamp)> {
        let (client, server) = (connection.tcp.client.ip, connection.tcp.server);
        let all = self.patterns().of_client(&self.records, client, server);
        let opened = connection.first.at;
        let began = |index: &u32| self.records.get(*index).map_or(opened, |record| record.opened);
        let at = all.partition_point(|index| began(index) < opened);
        let first = self.records.get(*all.get(at)?)?;
        let halfway =
            |other: Timestamp| Timestamp::from_nanos(i64::midpoint(other.as_nanos(), opened.as_nanos()));
        let before = at.checked_sub(1).and_then(|at| all.get(at));
        let after = all.get(all.partition_point(|index| began(index) <= opened));
        let from = before.map_or(Timestamp::from_nanos(i64::MIN), |index| halfway(began(index)));
        let until = after.map_or(Timestamp::from_nanos(i64::MAX), |index| halfway(began(index)));
        (first.packet == connection.first.packet).then_some((from, until))
    }

    /// The first packet of another connection to the same server whose request this accept value answers.
    pub fn answers(&self, connection: &Connection, accept: &str) -> Option<PacketId> {
        let known = self.patterns().accepts(&self.records, connection.tcp.server, digest(accept));
        known.filter(|packet| *packet != connection.first.packet)
    }

    /// Of the sessions of a server that offered permessage-deflate: how many got it, and how many there are.
    pub fn deflate(&self, server: Endpoint) -> (u32, u32) {
        self.patterns().deflate(&self.records, server)
    }

    /// Whether the same client opened a WebSocket to the same path, at most so many nanoseconds after this connection began.
    pub fn got_through(&self, connection: &Connection, within: i64) -> bool {
        let all = self.patterns().of_client(&self.records, connection.tcp.client.ip, connection.tcp.server);
        let wanted = Record::of(connection);
        let began = |index: &u32| self.records.get(*index).map(|record| record.opened);
        let later = all.partition_point(|index| began(index) <= Some(wanted.opened));
        let later = all.iter().skip(later).filter_map(|index| self.records.get(*index));
        later
            .take_while(|record| record.opened.nanos_since(wanted.opened) <= within)
            .take(limits::ATTEMPTS_AFTER)
            .any(|record| record.outcome == Outcome::Established && record.path == wanted.path)
    }

    /// When the last connection of one client to one server began.
    pub fn last_of(&self, client: IpAddr, server: Endpoint) -> Option<Timestamp> {
        self.patterns()
            .of_client(&self.records, client, server)
            .last()
            .and_then(|index| self.records.get(*index))
            .map(|record| record.opened)
    }

    fn patterns(&self) -> &Patterns {
        self.patterns.get_or_init(|| Patterns::of(&self.records))
    }
}

impl Record {
    fn of(connection: &Connection) -> Record {
        let parting = Parting::of(connection);
        let request = connection.request.as_ref();
        Record {
            packet: connection.first.packet,
            client: connection.tcp.client.ip,
            server: connection.tcp.server,
            path: request.map(|request| digest(path(&request.head.target))),
            key: request.and_then(|request| request.key.as_deref()).map(digest),
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
}

/// A digest of the accept value that a request wants; made anew only where the answer has another one.
fn expected_accept(connection: &Connection) -> Option<NonZeroU64> {
    let (request, response) = (connection.request.as_ref()?, connection.response.as_ref()?);
    let accept = response.accept.as_deref()?;
    match response.accept_valid? {
        true => Some(digest(accept.trim())),
        false => Some(digest(&accept_for(request.key.as_deref()?.trim().as_bytes()))),
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

/// A request target without its query.
fn path(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}

/// Eight bytes that stand for a text of any length, within one run: no stranger can tell which texts stand alike.
fn digest(text: &str) -> NonZeroU64 {
    static SEEDED: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    NonZeroU64::new(SEEDED.hash_one(text)).unwrap_or(NonZeroU64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role::Server;
    use crate::rules::testing::{ANSWER, REQUEST, Scene};

    fn session(start: f64) -> Connection {
        Scene::tcp_at(start).request(REQUEST).answer(ANSWER, "").after(17.0).fin(Server).build()
    }

    #[test]
    fn patterns_are_found_again_when_many_more_connections_came() {
        let mut census = Census::default();
        let (server, quiet) = (session(0.0).tcp.server, Record::of(&session(0.0)).quiet.nanos().unwrap());
        let count = |census: &Census| census.same_silence(server, quiet).map_or(0, |group| group.count);
        for i in 0..4 {
            census.push(&session(f64::from(i) * 50.0));
        }
        assert_eq!(count(&census), 4);
        for i in 4..6 {
            census.push(&session(f64::from(i) * 50.0));
        }
        assert_eq!(count(&census), 6);
    }

    #[test]
    fn a_moment_belongs_to_the_connection_that_began_nearest() {
        let mut census = Census::default();
        let all = [session(10.0), session(20.0), session(40.0)];
        all.iter().for_each(|connection| census.push(connection));
        let seconds = |at: Timestamp| at.as_nanos() / 1_000_000_000;
        let (from, until) = census.nearest(&all[1]).unwrap();
        assert_eq!((seconds(from), seconds(until)), (15, 30));
        assert_eq!(census.last_of(all[0].tcp.client.ip, all[0].tcp.server).map(seconds), Some(40));
    }

    #[test]
    fn records_are_kept_up_to_their_bound() {
        let (mut census, session) = (Census::default(), session(0.0));
        (0..limits::CENSUS + 1000).for_each(|_| census.push(&session));
        assert_eq!((census.records.len(), census.records.iter().count()), (limits::CENSUS, limits::CENSUS));
    }

    #[test]
    fn few_later_attempts_are_asked_whether_the_client_got_through() {
        let refused =
            |start| Scene::tcp_at(start).request(REQUEST).answer("HTTP/1.1 401 x\r\n\r\n", "").build();
        for (before, found) in [(limits::ATTEMPTS_AFTER - 1, true), (limits::ATTEMPTS_AFTER, false)] {
            let mut census = Census::default();
            let first = refused(0.0);
            census.push(&first);
            (1..=before).for_each(|n| census.push(&refused(n as f64)));
            census.push(&session(before as f64 + 1.0));
            assert_eq!(census.got_through(&first, i64::MAX), found, "{before} attempts before it");
        }
    }

    #[test]
    fn the_query_is_no_part_of_the_path() {
        assert_eq!(path("/chat?token=1"), path("/chat#x"));
        assert_ne!(digest("/chat"), digest("/news"));
    }
}
