//! Endings that come together: sessions of one server that its side gave up within a second.

use super::distinct::Distinct;
use super::record::Record;
use crate::net::Endpoint;
use crate::role::Role;
use crate::time::Timestamp;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;

/// Sessions of one server that its side gave up within a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Burst {
    /// The first ending.
    pub from: Timestamp,
    /// The last one.
    pub until: Timestamp,
    /// How many there are.
    pub count: u32,
    /// Sessions that were open when it began.
    pub open: u32,
    /// Whether servers at other addresses gave up as many within a second of it.
    pub elsewhere: bool,
}

/// Where the bursts of each server are. Strangers choose its keys in part.
type Places = HashMap<Endpoint, Range<usize>, RandomState>;

/// The burst of a server that holds a moment, of bursts in order.
pub(super) fn around(bursts: &[(Endpoint, Burst)], server: Endpoint, at: Timestamp) -> Option<&Burst> {
    let next = bursts.partition_point(|(other, burst)| (*other, burst.from) <= (server, at));
    let (other, burst) = bursts.get(next.checked_sub(1)?)?;
    (*other == server && at <= burst.until).then_some(burst)
}

/// A session that failed: its server, when it did, and when it had begun.
pub(super) type Failure = (Endpoint, Timestamp, Timestamp);

/// What this record says of a session that failed.
pub(super) fn failure(record: &Record) -> Option<Failure> {
    let (by, how, at) = record.parted.filter(|_| record.is_session())?;
    (by == Role::Server && how.is_failure()).then_some((record.server, at, record.opened))
}

/// Endings in a row, none more than a quarter of a second after the one before, a second in all. Only of servers that
/// failed so many sessions. `failed` are all failures among these records.
pub(super) fn bursts(mut failed: Vec<Failure>, records: Distinct<'_>) -> Vec<(Endpoint, Burst)> {
    failed.sort_unstable();
    let mut found = Vec::new();
    let mut places = Places::default();
    for of_server in failed.chunk_by(|one, other| one.0 == other.0) {
        let [(server, ..), ..] = of_server else { continue };
        if of_server.len() >= TOGETHER as usize {
            let from = found.len();
            found.extend(in_rows(of_server).map(|burst| (*server, burst)));
            places.insert(*server, from..found.len());
        }
    }
    if !found.is_empty() {
        count_open(&mut found, &places, records.iter().filter(|record| record.is_session()));
    }
    mark_common(&mut found);
    found
}

/// The bursts in the failures of one server, which are in order.
fn in_rows(failed: &[Failure]) -> impl Iterator<Item = Burst> {
    let mut rest = failed;
    std::iter::from_fn(move || {
        let &(_, from, _) = rest.first()?;
        let mut until = from;
        let is_near = |&&(_, at, _): &&Failure| {
            let is_near = at.nanos_since(until) <= SECOND / 4 && at.nanos_since(from) <= SECOND;
            until = if is_near { at } else { until };
            is_near
        };
        let len = rest.iter().take_while(is_near).count();
        let (burst, later) = rest.split_at(len);
        rest = later;
        let together = burst.iter().filter(|&&(.., opened)| opened < from).count();
        Some(Burst {
            from,
            until,
            count: u32::try_from(together).unwrap_or(u32::MAX),
            open: 0,
            elsewhere: false,
        })
    })
}

/// Counts for each burst the sessions of its server that were open when it began.
fn count_open<'a>(
    bursts: &mut [(Endpoint, Burst)],
    places: &Places,
    sessions: impl Iterator<Item = &'a Record>,
) {
    // By how many more, or fewer, were open at one burst than at the one before it.
    let mut steps = vec![0_i64; bursts.len() + 1];
    for record in sessions {
        let Some(place) = places.get(&record.server) else { continue };
        let of_server = &bursts[place.clone()];
        let end = record.parted.map(|(.., at)| at).or(record.ended.time());
        let first = of_server.partition_point(|(_, burst)| burst.from <= record.opened);
        let beyond =
            end.map_or(of_server.len(), |end| of_server.partition_point(|(_, burst)| burst.from <= end));
        if first < beyond {
            steps[place.start + first] += 1;
            steps[place.start + beyond] -= 1;
        }
    }
    let mut open = 0;
    for ((_, burst), step) in bursts.iter_mut().zip(steps) {
        open += step;
        burst.open = u32::try_from(open).unwrap_or(u32::MAX);
    }
}

/// Marks the bursts that came to several addresses at once.
fn mark_common(bursts: &mut [(Endpoint, Burst)]) {
    let large = bursts.iter().filter(|(_, burst)| burst.count >= BURST);
    let mut times: Vec<(Timestamp, IpAddr)> = large.map(|(server, burst)| (burst.from, server.ip)).collect();
    times.sort_unstable();
    for (server, burst) in bursts {
        let before = times.partition_point(|&(at, _)| burst.from.nanos_since(at) > SECOND);
        let near = times.iter().skip(before).take_while(|(at, _)| at.nanos_since(burst.from) <= SECOND);
        burst.elsewhere = near.take(NEIGHBOURS).any(|(_, ip)| *ip != server.ip);
    }
}

/// Bursts of one second that are looked at, so that those of a host with many ports do not make all look at all.
const NEIGHBOURS: usize = 64;

const SECOND: i64 = 1_000_000_000;

/// Sessions of one server that must fail together to show what befell the server, not them.
pub const BURST: u32 = 5;

/// Sessions that say the same at one moment from which that is no chance.
pub const TOGETHER: u32 = 3;

#[cfg(test)]
mod tests {
    use super::super::distinct::Run;
    use super::super::parting::How;
    use super::super::record::Records;
    use super::*;
    use crate::rules::testing::Scene;

    /// Sessions of three servers that begin and fail at times of their own.
    fn failures() -> Records {
        let session = Scene::session("", "").after(9.0).fin(Role::Server).build();
        let of = |n: i64| {
            let opened = Timestamp::from_nanos(n * 7_919 % 97 * SECOND / 10);
            let at = Timestamp::from_nanos(opened.as_nanos() + n * 104_729 % 89 * SECOND / 10);
            let server = Endpoint { port: 80 + (n % 3) as u16, ..session.tcp.server };
            let parted = (n % 4 > 0).then_some((Role::Server, How::Fin, at));
            Record { opened, parted, server, ..Record::of(&session) }
        };
        let mut records = Records::default();
        (0..300).for_each(|n| records.push(of(n)));
        records
    }

    #[test]
    fn as_many_were_open_at_a_burst_as_had_begun_and_were_not_over() {
        let records = failures();
        let all = Distinct::new(Run { records: &records, from: 0, until: records.len() }, &[]);
        let bursts = bursts(all.iter().filter_map(failure).collect(), all);
        assert!(bursts.len() > 30 && bursts.iter().any(|(_, burst)| burst.open > 40));
        for (server, burst) in bursts {
            let end = |record: &Record| record.parted.map(|(.., at)| at).or(record.ended.time());
            let is_open = |record: &&Record| {
                record.server == server
                    && record.opened < burst.from
                    && end(record).is_none_or(|end| end >= burst.from)
            };
            assert_eq!(
                records.range(0, usize::MAX).filter(is_open).count(),
                burst.open as usize,
                "{burst:?}"
            );
        }
    }
}
