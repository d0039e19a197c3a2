//! What many connections have in common: one small record of each, so that a rule can say "38 of 41 ended so".

use super::bursts::{Burst, around, bursts, failure};
use super::distinct::{Distinct, Run};
use super::parting::Parting;
use super::patterns::{Group, Patterns, Retries, Reuse};
use super::record::{Record, Records, digest};
use crate::capture::PacketId;
use crate::connection::{Connection, Outcome};
use crate::limits;
use crate::net::Endpoint;
use crate::time::Timestamp;
use std::net::IpAddr;
use std::sync::OnceLock;

/// The records of a run, in order of their endings; the first [`limits::CENSUS`] of them.
#[derive(Clone, Default, Debug)]
pub struct Census {
    records: Records,
    /// What the records have in common: found when first asked for, and again when many more came since.
    patterns: OnceLock<Patterns>,
    /// How many of the last records are those of connections that are about to be judged, and of some before them.
    recent: usize,
    /// The bursts among these, which the patterns may not hold yet: found when first asked for.
    recent_bursts: OnceLock<Vec<(Endpoint, Burst)>>,
}

impl Census {
    /// Counts a connection in; of TLS that no key opened only what may have been a session that ended.
    pub fn push(&mut self, connection: &Connection) {
        let is_like = connection.outcome != Outcome::Encrypted || Parting::of(connection).is_some();
        if is_like && self.records.len() < limits::CENSUS {
            self.records.push(Record::of(connection));
            // Doubling before it is looked at again keeps the work in proportion to the records.
            if self.patterns.get().is_some_and(|known| 2 * known.covers <= self.records.len()) {
                self.patterns.take();
            }
        }
    }

    /// All were counted in: from now on patterns are those of all of them.
    pub fn complete(&mut self) {
        if self.patterns.get().is_some_and(|known| known.covers < self.records.len()) {
            self.patterns.take();
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

    /// Some of so many that wait are about to be judged. What ends together is there together, so that looking at these again
    /// costs no more than judging them.
    pub fn renew(&mut self, waiting: usize) {
        self.recent = waiting + BEFORE;
        self.recent_bursts.take();
    }

    /// Sessions that the same server gave up within the same second.
    pub fn burst(&self, server: Endpoint, at: Timestamp) -> Option<&Burst> {
        let patterns = self.patterns();
        let known = patterns.burst(server, at);
        if patterns.covers == self.records.len() {
            return known;
        }
        let recent = self.recent_bursts.get_or_init(|| {
            let until = self.records.len();
            let run = Run { records: &self.records, from: until.saturating_sub(self.recent), until };
            let of = |duplicates: &[u32]| {
                let records = Distinct::new(run, duplicates);
                bursts(records.iter().filter_map(failure).collect(), records)
            };
            let all = of(&[]);
            // Where nothing ended together nothing did so twice.
            let duplicates = if all.is_empty() { Vec::new() } else { run.duplicates(&run.repeated()) };
            if duplicates.is_empty() { all } else { of(&duplicates) }
        });
        known.into_iter().chain(around(recent, server, at)).max_by_key(|burst| burst.count)
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
        self.patterns().reuses.get(&(server, digest(key.as_bytes())))
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
        let known = self.patterns().accepts(&self.records, connection.tcp.server, digest(accept.as_bytes()));
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

/// Records before those that wait in which a burst of these may have begun.
const BEFORE: usize = 512;

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
        for i in 4..8 {
            census.push(&session(f64::from(i) * 50.0));
        }
        assert_eq!(count(&census), 8);
        census.push(&session(400.0));
        assert_eq!(count(&census), 8);
        census.complete();
        assert_eq!(count(&census), 9, "at the end all count");
    }

    #[test]
    fn a_burst_is_found_though_the_patterns_of_the_whole_run_are_older() {
        let mut census = Census::default();
        (0..100).for_each(|i| census.push(&session(f64::from(i) * 50.0)));
        let burst: Vec<Connection> = (0..6).map(|i| session(9000.0 + f64::from(i) * 0.01)).collect();
        let server = burst[0].tcp.server;
        let found = |census: &Census| {
            let (_, end) = burst[3].ending.by.unwrap();
            census.burst(server, end.at).map(|burst| (burst.count, burst.open))
        };
        assert_eq!(found(&census), None);
        burst.iter().for_each(|connection| census.push(connection));
        census.renew(burst.len());
        assert_eq!(census.patterns().covers, 100);
        assert_eq!(found(&census), Some((6, 6)));
        census.complete();
        assert_eq!((census.patterns().covers, found(&census)), (106, Some((6, 6))));
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
        assert_eq!(
            (census.records.len(), census.records.range(0, usize::MAX).count()),
            (limits::CENSUS, limits::CENSUS)
        );
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
}
