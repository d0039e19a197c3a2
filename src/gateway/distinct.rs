//! Records of connections without their duplicates: one that was captured on both sides of an address translation counts
//! once.

use super::record::{Record, Records};
use crate::legs::Repeats;

/// A run of records, each connection once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distinct<'a> {
    run: Run<'a>,
    /// Indices of those that are left out, in order.
    duplicates: &'a [u32],
}

/// Records that follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    pub(super) records: &'a Records,
    /// Index of the first.
    pub(super) from: usize,
    /// Index after the last.
    pub(super) until: usize,
}

impl<'a> Run<'a> {
    /// All of them, each with its index.
    fn iter(self) -> impl Iterator<Item = (u32, &'a Record)> {
        (self.from as u32..).zip(self.records.range(self.from, self.until))
    }

    /// Indices of those whose key others have too, in order: nearly none.
    pub(super) fn repeated(self) -> Vec<u32> {
        // Side by side, for records are much longer than what is looked at twice.
        let keys: Vec<(u64, u32)> =
            self.iter().filter_map(|(index, record)| Some((record.key?.get(), index))).collect();
        repeated(&keys)
    }

    /// Indices of those that are duplicates of others, in order: both asked with one key for one path, and both sides
    /// began at the same sequence numbers. `repeated` are those whose key others have too.
    pub(super) fn duplicates(self, repeated: &[u32]) -> Vec<u32> {
        let marks = |record: &Record| Some((record.key?, record.isn.client?, record.isn.server?));
        let mut order: Vec<_> = repeated
            .iter()
            .filter_map(|&index| {
                let record = self.records.get(index)?;
                let capture = record.packet.capture();
                Some((marks(record)?, record.path, capture, record.opened, record.packet, index))
            })
            .collect();
        order.sort_unstable();
        let mut found = Vec::new();
        for alike in order.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
            let mut first: Option<&Record> = None;
            for &(.., index) in alike {
                let Some(record) = self.records.get(index) else { continue };
                match first.is_some_and(|first| is_duplicate(first, record)) {
                    true => found.push(index),
                    false => first = Some(record),
                }
            }
        }
        found.sort_unstable();
        found
    }
}

/// The indices of digests that are there more than once, in order.
pub(super) fn repeated(digests: &[(u64, u32)]) -> Vec<u32> {
    let repeats = Repeats::of(digests.iter().map(|&(digest, _)| digest), digests.len());
    let mut again: Vec<(u64, u32)> =
        digests.iter().filter(|&&(digest, _)| repeats.may_have(digest)).copied().collect();
    again.sort_unstable();
    let same = again.chunk_by(|one, other| one.0 == other.0).filter(|same| same.len() > 1);
    let mut indices: Vec<u32> = same.flatten().map(|&(_, index)| index).collect();
    indices.sort_unstable();
    indices
}

/// Whether two records of the same marks, of which `first` was there first, are one connection under two pairs of addresses. Two
/// captures may have two clocks.
fn is_duplicate(first: &Record, record: &Record) -> bool {
    let moved = (first.client, first.server) != (record.client, record.server);
    let near = first.packet.capture() != record.packet.capture()
        || record.opened.nanos_since(first.opened).saturating_abs() <= PASSAGE;
    moved && near
}

impl<'a> Distinct<'a> {
    /// These records without their `duplicates`.
    pub(super) fn new(run: Run<'a>, duplicates: &'a [u32]) -> Distinct<'a> {
        Distinct { run, duplicates }
    }

    /// One after the other.
    pub(super) fn iter(self) -> impl Iterator<Item = &'a Record> {
        self.indexed().map(|(_, record)| record)
    }

    /// Those of these indices, which are in order.
    pub(super) fn of(self, indices: &[u32]) -> impl Iterator<Item = &'a Record> {
        let mut left_out = self.duplicates.iter().peekable();
        let stays = move |index: &&u32| {
            while left_out.next_if(|left_out| left_out < index).is_some() {}
            left_out.peek() != Some(index)
        };
        indices.iter().filter(stays).filter_map(move |&index| self.run.records.get(index))
    }

    /// All of them, each with its index.
    pub(super) fn indexed(self) -> impl Iterator<Item = (u32, &'a Record)> {
        let mut left_out = self.duplicates.iter().peekable();
        self.run.iter().filter(move |(index, _)| left_out.next_if_eq(&index).is_none())
    }
}

/// Nanoseconds within which a translation passes a packet on.
const PASSAGE: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Connection;
    use crate::rules::testing::{ANSWER, REQUEST, Scene};

    /// What begins at so many seconds, and the same as it is behind a translation of the client's address.
    fn translated(seconds: f64) -> [Connection; 2] {
        let session = || Scene::tcp_at(seconds).request(REQUEST).answer(ANSWER, "");
        [session().build(), session().with(|one| one.tcp.client.ip = [192, 0, 2, 9].into()).build()]
    }

    fn found(connections: &[Connection]) -> Vec<u32> {
        let mut records = Records::default();
        connections.iter().for_each(|connection| records.push(Record::of(connection)));
        let run = Run { records: &records, from: 0, until: records.len() };
        let found = run.duplicates(&run.repeated());
        let distinct = Distinct::new(run, &found);
        assert_eq!(distinct.iter().count() + found.len(), connections.len());
        assert!(distinct.indexed().all(|(index, _)| !found.contains(&index)));
        found
    }

    #[test]
    fn a_connection_that_was_captured_on_both_sides_of_a_translation_is_one() {
        let all: Vec<Connection> = [0.0, 5.0, 9.0].into_iter().flat_map(translated).collect();
        assert_eq!(found(&all), [1, 3, 5]);
    }

    #[test]
    fn connections_that_share_but_one_mark_are_several() {
        let [one, other] = translated(0.0);
        // The other leg of a gateway.
        let mut leg = other.clone();
        leg.tcp.isn.server = Some(77);
        assert!(found(&[one.clone(), leg]).is_empty());
        // A program that writes captures has the same sequence numbers in each.
        let mut late = translated(60.0)[1].clone();
        late.tcp.isn = one.tcp.isn;
        assert!(found(&[one, late]).is_empty());
    }
}
