//! What the records of a census have in common, found in one go so that every question is answered at once.

use super::bursts::{Burst, around, bursts, failure};
use super::distinct::{self, Distinct, Run};
use super::parting::How;
use super::record::{Record, Records};
use crate::capture::PacketId;
use crate::connection::Outcome;
use crate::net::Endpoint;
use crate::role::Role;
use crate::time::Timestamp;
use foldhash::fast::RandomState;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::OnceLock;

/// A table whose keys strangers choose in part.
type Map<K, V> = HashMap<K, V, RandomState>;

/// All patterns in the first `covers` records.
#[derive(Clone, Debug)]
pub(super) struct Patterns {
    pub(super) covers: usize,
    /// Those of them that are duplicates of others, and count for nothing.
    duplicates: Vec<u32>,
    /// Silences before the server's side gave up.
    pub(super) silences: Groups,
    /// Ages of busy sessions that the server's side gave up.
    pub(super) ages: Groups,
    bursts: Vec<(Endpoint, Burst)>,
    pub(super) retries: Map<PacketId, Retries>,
    pub(super) reuses: Map<(Endpoint, NonZeroU64), Reuse>,
    /// First packets of the connections that each accept value answers, where that is looked for.
    accepts: OnceLock<Map<(Endpoint, NonZeroU64), PacketId>>,
    /// Of each server, how many sessions got permessage-deflate, of those that offered it; where that was asked for.
    deflates: OnceLock<Map<Endpoint, (u32, u32)>>,
    /// Indices of the records in order of client, server and beginning, where that was asked for.
    clients: OnceLock<Vec<u32>>,
}

/// Times of one server that lie so close together that one timer made them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// The shortest and the longest, in nanoseconds.
    pub range: (i64, i64),
    /// How many there are.
    pub count: u32,
    /// Out of so many that are at least half as long.
    pub of: u32,
    /// Nanoseconds between the first and the last of these endings: those of one moment have one cause, and prove no
    /// timer.
    pub spread: i64,
}

impl Group {
    /// Whether one timer made them: three at least, half of all that came so far, and not all at one moment.
    pub fn is_timer(&self) -> bool {
        self.count >= 3 && self.spread > APART && self.count >= self.of.div_ceil(2)
    }
}

/// Groups of every server, in order.
#[derive(Clone, Default, Debug)]
pub(super) struct Groups(Vec<(Endpoint, Group)>);

/// Attempts of one client at the same path, each after the server's side had failed the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retries {
    /// How often it came back.
    pub count: u32,
    /// The shortest and the longest time from an ending to the next attempt, in nanoseconds.
    pub range: (i64, i64),
    /// First packet of the last attempt.
    pub last: PacketId,
}

/// One key on several connections to one server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reuse {
    /// How many connections sent it.
    pub count: u32,
    /// First packets of the first two.
    pub first: [PacketId; 2],
    /// Whether all of them came from one address.
    pub one_client: bool,
}

impl Patterns {
    pub(super) fn of(records: &Records) -> Patterns {
        let covers = records.len();
        let run = Run { records, from: 0, until: covers };
        let repeated = run.repeated();
        let duplicates = run.duplicates(&repeated);
        let records = Distinct::new(run, &duplicates);
        let (mut silences, mut ages) = (Vec::new(), Vec::new());
        let (mut failures, mut calls) = (Vec::new(), Vec::with_capacity(covers));
        // All at once: the records of a long run fill the caches several times over.
        for (index, record) in records.indexed() {
            silences.extend(silence(record));
            ages.extend(age(record));
            failures.extend(failure(record));
            calls.push((record.call().get(), index));
        }
        Patterns {
            covers,
            silences: Groups::of(silences),
            ages: Groups::of(ages),
            bursts: bursts(failures, records),
            retries: retries(records.of(&distinct::repeated(&calls)).collect()),
            reuses: reuses(records.of(&repeated)),
            accepts: OnceLock::new(),
            deflates: OnceLock::new(),
            clients: OnceLock::new(),
            duplicates,
        }
    }

    /// The records of which these are the patterns, each connection once.
    fn distinct<'a>(&'a self, records: &'a Records) -> Distinct<'a> {
        Distinct::new(Run { records, from: 0, until: self.covers }, &self.duplicates)
    }

    /// The first packet of the first connection to a server whose request an accept value answers.
    pub(super) fn accepts(
        &self,
        records: &Records,
        server: Endpoint,
        accept: NonZeroU64,
    ) -> Option<PacketId> {
        let accepts = self.accepts.get_or_init(|| {
            let mut accepts = Map::default();
            for record in self.distinct(records).iter() {
                if let Some(accept) = record.accept {
                    accepts.entry((record.server, accept)).or_insert(record.packet);
                }
            }
            accepts
        });
        accepts.get(&(server, accept)).copied()
    }

    /// The burst of a server that holds a moment.
    pub(super) fn burst(&self, server: Endpoint, at: Timestamp) -> Option<&Burst> {
        around(&self.bursts, server, at)
    }

    /// Of the sessions of a server that offered permessage-deflate: how many got it, and how many there are.
    pub(super) fn deflate(&self, records: &Records, server: Endpoint) -> (u32, u32) {
        let deflates = self.deflates.get_or_init(|| {
            let mut deflates = Map::default();
            for record in self.distinct(records).iter() {
                if let Some(accepted) = record.deflate {
                    let (got, all) = deflates.entry(record.server).or_insert((0_u32, 0_u32));
                    (*got, *all) = (*got + u32::from(accepted), *all + 1);
                }
            }
            deflates
        });
        deflates.get(&server).copied().unwrap_or_default()
    }

    /// The records of one client at one server, in order of their beginnings. `records` are those of which these are
    /// the patterns, and perhaps later ones.
    pub(super) fn of_client(&self, records: &Records, client: IpAddr, server: Endpoint) -> &[u32] {
        let clients = self.clients.get_or_init(|| {
            let mut clients: Vec<u32> = self.distinct(records).indexed().map(|(at, _)| at).collect();
            clients.sort_by_key(|&at| {
                records.get(at).map(|record| (record.client, record.server, record.opened))
            });
            clients
        });
        let ends = |at: &u32| records.get(*at).map(|record| (record.client, record.server));
        let from = clients.partition_point(|at| ends(at) < Some((client, server)));
        let len = clients[from..].partition_point(|at| ends(at) == Some((client, server)));
        &clients[from..from + len]
    }
}

impl Groups {
    /// Sorts the times of all servers and keeps those that stand together: neighbours at most a hundredth (or
    /// [`STEP`]) apart, and all of a group within [`WIDTH`]. Times that are spread evenly make no group.
    fn of(mut times: Vec<(Endpoint, i64, Timestamp)>) -> Groups {
        times.sort_unstable();
        let mut groups = Vec::new();
        for of_server in times.chunk_by(|a, b| a.0 == b.0) {
            let near = |a: &(Endpoint, i64, Timestamp), b: &(Endpoint, i64, Timestamp)| {
                b.1.saturating_sub(a.1) <= STEP.max(a.1 / 500)
            };
            for near in of_server.chunk_by(near) {
                let (Some(&(server, low, _)), Some(&(_, high, _))) = (near.first(), near.last()) else {
                    continue;
                };
                if near.len() < 2 || high.saturating_sub(low) > WIDTH.max(low / 100) {
                    continue;
                }
                let ends = near.iter().map(|&(.., end)| end);
                let spread =
                    ends.clone().max().zip(ends.min()).map_or(0, |(last, first)| last.nanos_since(first));
                let shorter = of_server.partition_point(|&(_, time, _)| time < low / 2);
                let group = Group {
                    range: (low, high),
                    count: count(near.len()),
                    of: count(of_server.len() - shorter),
                    spread,
                };
                groups.push((server, group));
            }
        }
        Groups(groups)
    }

    /// The group that a time belongs to.
    pub(super) fn around(&self, server: Endpoint, time: i64) -> Option<&Group> {
        let next = self.0.partition_point(|(other, group)| (*other, group.range.0) <= (server, time));
        let (other, group) = self.0.get(next.checked_sub(1)?)?;
        (*other == server && time <= group.range.1).then_some(group)
    }
}

/// How long it was silent before the server's side gave it up, and when that was.
fn silence(record: &Record) -> Option<(Endpoint, i64, Timestamp)> {
    let (by, how, at) = record.parted?;
    let quiet = record.quiet.nanos().filter(|quiet| *quiet >= SHORTEST)?;
    (by == Role::Server && how.is_impersonal()).then_some((record.server, quiet, at))
}

/// How old a busy session was that the server's side gave up, and when that was.
fn age(record: &Record) -> Option<(Endpoint, i64, Timestamp)> {
    let (by, how, at) = record.parted?;
    let age = record.age().filter(|age| *age >= SHORTEST)?;
    let busy = record.quiet.nanos()? < age / 10 * 3;
    (by == Role::Server && how.is_impersonal() && busy).then_some((record.server, age, at))
}

impl How {
    /// Whether a timer may have ended a session so: TCP cut, or a Close with 1000, 1001 or without a code.
    pub fn is_impersonal(self) -> bool {
        matches!(self, How::Fin | How::Reset | How::Close(1000 | 1001 | 1005))
    }

    /// Whether this is how a session ends whose server stops or fails.
    pub fn is_failure(self) -> bool {
        matches!(self, How::Fin | How::Reset | How::Close(1001 | 1006 | 1011..=1014))
    }
}

/// Runs of attempts that are all quick (less than a second after the failure before), or all equally slow. `calls` are
/// those of a client that called the same more than once.
fn retries(mut calls: Vec<&Record>) -> Map<PacketId, Retries> {
    let key = |record: &Record| (record.client, record.server, record.path);
    let failed: HashSet<_, RandomState> =
        calls.iter().filter(|record| failed_at(record).is_some()).map(|record| key(record)).collect();
    calls.retain(|record| failed.contains(&key(record)));
    calls.sort_unstable_by_key(|record| {
        (record.client, record.server, record.path, record.opened, record.packet)
    });
    let mut found = Map::default();
    let mut run: Option<(PacketId, Retries)> = None;
    for pair in calls.windows(2) {
        let &[before, next] = pair else { continue };
        let same = key(before) == key(next);
        let gap =
            failed_at(before).map(|at| next.opened.nanos_since(at)).filter(|gap| (0..SLOW).contains(gap));
        let Some(gap) = gap.filter(|_| same) else {
            found.extend(run.take());
            continue;
        };
        match &mut run {
            Some((_, retries)) if retries.goes_on(gap) => {
                retries.count += 1;
                retries.range = (retries.range.0.min(gap), retries.range.1.max(gap));
                retries.last = next.packet;
            }
            _ => found.extend(
                run.replace((before.packet, Retries { count: 1, range: (gap, gap), last: next.packet })),
            ),
        }
    }
    found.extend(run);
    found
}

impl Retries {
    /// Whether all of them came within a second.
    pub fn are_quick(&self) -> bool {
        self.range.1 < SECOND
    }

    fn goes_on(&self, gap: i64) -> bool {
        let (low, high) = (self.range.0.min(gap), self.range.1.max(gap));
        high < SECOND || high - low <= low / 20
    }
}

/// When the server's side failed a connection: refused its upgrade, or ended its session as one that fails. An
/// ending that the client chose is none.
fn failed_at(record: &Record) -> Option<Timestamp> {
    let end = record.ended.time()?;
    match record.outcome {
        Outcome::Rejected => {
            record.status.is_some_and(|status| status.get() == 429 || status.get() >= 500).then_some(end)
        }
        Outcome::Unanswered | Outcome::Garbled => Some(end),
        Outcome::Established => {
            let (by, how, _) = record.parted?;
            (by == Role::Server && how.is_failure()).then_some(end)
        }
        Outcome::Invalid | Outcome::Unseen | Outcome::Encrypted => None,
    }
}

/// Keys that one server got more than once. `repeated` are those whose key others have too.
fn reuses<'a>(repeated: impl Iterator<Item = &'a Record>) -> Map<(Endpoint, NonZeroU64), Reuse> {
    let mut order: Vec<(Endpoint, NonZeroU64, &Record)> =
        repeated.filter_map(|record| Some((record.server, record.key?, record))).collect();
    order.sort_unstable_by_key(|&(server, key, record)| (server, key, record.opened, record.packet));
    let mut found = Map::default();
    for same in order.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let Some(&(server, key, first)) = same.first() else { continue };
        let mut reuse = Reuse { count: 1, first: [first.packet; 2], one_client: true };
        let mut before = first;
        for &(.., record) in same {
            if is_another(before, record) {
                reuse.count += 1;
                reuse.one_client &= record.client == first.client;
                if reuse.count == 2 {
                    reuse.first[1] = record.packet;
                }
                before = record;
            }
        }
        if reuse.count > 1 {
            found.insert((server, key), reuse);
        }
    }
    found
}

/// Whether `later` is surely no duplicate of `before`, nor the other leg of its session: another TCP connection
/// that asked after `before` had its answer, or got its own after it.
fn is_another(before: &Record, later: &Record) -> bool {
    let differ = before.isn.client.zip(later.isn.client).is_some_and(|(one, other)| one != other);
    let apart = match (before.answered.time(), later.answered.time()) {
        (Some(first), Some(second)) => second > first || later.opened >= first,
        (Some(first), None) => later.opened >= first,
        (None, _) => before.ended.time().is_some_and(|end| later.opened >= end),
    };
    differ && apart
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

const SECOND: i64 = 1_000_000_000;

/// Times below are traffic, or a program that takes its time.
const SHORTEST: i64 = 5 * SECOND;

/// Endings that lie closer together may have any cause in common.
const APART: i64 = 2 * SECOND;

/// Neighbours of a group lie within this of each other: timers fire late by a tick or a busy moment.
const STEP: i64 = 300_000_000;

/// All of a group lie within this, however many they are.
const WIDTH: i64 = SECOND;

/// Attempts that begin this long after a failure, or longer, harm nobody.
const SLOW: i64 = 30 * SECOND;

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Endpoint {
        Endpoint { ip: [192, 0, 2, 1].into(), port: 80 }
    }

    fn groups(times: &[f64]) -> Groups {
        let nanos = |seconds: f64| (seconds * 1e9) as i64;
        let of = |(i, &time): (usize, &f64)| {
            (server(), nanos(time), Timestamp::from_nanos(i as i64 * 100 * SECOND))
        };
        Groups::of(times.iter().enumerate().map(of).collect())
    }

    fn around(times: &[f64], time: f64) -> Option<(u32, u32)> {
        groups(times).around(server(), (time * 1e9) as i64).map(|group| (group.count, group.of))
    }

    #[test]
    fn times_that_stand_together_make_a_group() {
        let times = [60.0, 60.1, 3.0, 59.95, 60.2, 45.0];
        assert_eq!(around(&times, 60.0), Some((4, 5)));
        assert_eq!(around(&times, 45.0), None);
        assert_eq!(around(&times, 61.0), None);
        let other = Endpoint { port: 81, ..server() };
        assert_eq!(groups(&times).around(other, 60 * SECOND), None);
    }

    #[test]
    fn times_that_are_spread_evenly_make_none() {
        let times: Vec<f64> = (0..100).map(|i| 30.0 + f64::from(i) * 0.1).collect();
        assert_eq!(around(&times, 35.0), None);
    }

    #[test]
    fn a_group_tells_how_far_apart_its_endings_lie() {
        let spread = groups(&[60.0, 60.1, 60.2]).around(server(), 60 * SECOND).unwrap().spread;
        assert_eq!(spread, 200 * SECOND);
    }
}
