//! Which of the connections that wait may be legs of one session: told by a few numbers kept of each, so that the
//! others need not be looked at.

use super::duplicates::{self, Duplicate};
use super::marks::{self, BY_MARK};
use super::repeats::Repeats;
use super::{Means, Paired, pairing};
use crate::capture::PacketId;
use crate::connection::Connection;
use crate::net::Endpoint;
use crate::time::Timestamp;
use foldhash::fast::FixedState;
use std::hash::BuildHasher as _;
use std::net::IpAddr;

/// A few numbers of every connection that waits for its other leg, in order of their identifiers.
#[derive(Default, Debug)]
pub struct Candidates {
    marks: Vec<(Digest, u64)>,
    asked: Vec<Asked>,
    /// Stands for the client and the server of each.
    calls: Vec<(u64, u64)>,
}

/// Stands for a mark and its kind. Like the other digests here it is sorted and never looked up in a table, so that
/// strangers who know how it is made gain nothing by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Digest(u64);

/// A request, in brief.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Asked {
    /// Stands for the capture and the target.
    pub(super) target: u64,
    /// When it was sent.
    pub(super) begun: Timestamp,
    /// The first packet of its connection.
    pub(super) packet: PacketId,
    /// Its connection.
    pub(super) id: u64,
}

impl Asked {
    /// Groups of one target stand together, each in order of time. Target and time are one number, for sorting compares
    /// little else.
    pub(super) fn order(&self) -> (u128, PacketId) {
        let since = self.begun.as_nanos().cast_unsigned() ^ 1 << 63;
        (u128::from(self.target) << 64 | u128::from(since), self.packet)
    }
}

/// What belongs together among connections.
#[derive(Debug)]
pub struct Matched {
    /// In order of their client legs.
    pub pairs: Vec<Paired>,
    /// Connections that are duplicates of others.
    pub duplicates: Vec<Duplicate>,
}

impl Candidates {
    /// Takes a connection. `id` is higher than any before.
    pub fn add(&mut self, id: u64, connection: &Connection) {
        if let Some((client, server)) = duplicates::mark(connection) {
            let mark = u64::from(client) << 32 | u64::from(server);
            self.marks.push((Digest::of(TWICE, &mark.to_be_bytes()), id));
        }
        for (kind, means) in (0..).zip(BY_MARK) {
            marks::each(connection, means, &mut |mark| self.marks.push((Digest::of(kind, mark), id)));
        }
        self.calls.push((call(connection.tcp.client.ip, connection.tcp.server), id));
        if let Some(request) = &connection.request {
            let (capture, target) = (connection.tcp.capture, request.head.target.as_str());
            let target = FixedState::default().hash_one((capture, target));
            let packet = connection.first.packet;
            self.asked.push(Asked { target, begun: request.seen.at, packet, id });
        }
    }

    /// Matches legs. `connections` are those that were added and not dropped since, with their identifiers in order.
    /// Each is the client leg of one pair at most, and the upstream leg of one at most; pairs come in order of their
    /// client legs, and no row of pairs is longer than eight pairs.
    pub fn pair(&self, ids: &[u64], connections: &[&Connection]) -> Matched {
        let shared = self.shared();
        let groups = |kind: u64| {
            let of_kind = shared
                .chunk_by(|one, other| one.0 == other.0)
                .filter(move |same| same.first().is_some_and(|(digest, _)| digest.kind() == kind));
            of_kind.map(|same| {
                let mut group: Vec<usize> =
                    same.iter().filter_map(|(_, id)| ids.binary_search(id).ok()).collect();
                group.dedup();
                group
            })
        };
        let mut twice = vec![false; connections.len()];
        let mut duplicates = Vec::new();
        for mut group in groups(TWICE) {
            group.sort_by_key(|&index| connections[index].first.packet);
            let found = duplicates::seen_twice(group.into_iter().map(|index| (index, connections[index])));
            found.iter().for_each(|found| twice[found.index] = true);
            duplicates.extend(found);
        }
        // Where a SYN is not in the capture, what else they share tells.
        for kind in 0..TWICE {
            for mut group in groups(kind) {
                group.retain(|&index| !twice[index]);
                group.sort_by_key(|&index| connections[index].first.packet);
                for (place, &index) in group.iter().enumerate().skip(1) {
                    let before = group[place.saturating_sub(LOOKED_BACK)..place].iter().copied();
                    let mut before = before.filter(|&first| !twice[first]);
                    let first =
                        before.find(|&first| duplicates::are_one(connections[first], connections[index]));
                    if first.is_some() {
                        twice[index] = true;
                        duplicates.push(Duplicate { index, first });
                    }
                }
            }
        }
        let alike = |means: Means| {
            let kind = (0..).zip(BY_MARK).find(|&(_, other)| other == means).map_or(TWICE, |(kind, _)| kind);
            let mut exact: Vec<(Vec<u8>, usize)> = Vec::new();
            for index in groups(kind).flatten().filter(|&index| !twice[index]) {
                marks::each(connections[index], means, &mut |mark| exact.push((mark.to_vec(), index)));
            }
            exact.sort_unstable();
            exact.dedup();
            let same = exact.chunk_by(|one, other| one.0 == other.0).filter(|same| same.len() > 1);
            let mut groups: Vec<Vec<usize>> =
                same.map(|same| same.iter().map(|&(_, index)| index).collect()).collect();
            groups.sort();
            groups
        };
        let mut place = in_order(ids);
        let asked = self.asked.iter().filter_map(|asked| Some((*asked, place(asked.id)?)));
        let calls = self.calls.iter().map(|&(call, _)| call);
        Matched { pairs: pairing::pair(connections, &twice, alike, asked, calls), duplicates }
    }

    /// Drops all connections but these, which must be in order.
    pub fn retain(&mut self, ids: &[u64]) {
        let mut place = in_order(ids);
        self.marks.retain(|&(_, id)| place(id).is_some());
        let mut place = in_order(ids);
        self.asked.retain(|asked| place(asked.id).is_some());
        let mut place = in_order(ids);
        self.calls.retain(|&(_, id)| place(id).is_some());
    }

    /// Marks that several connections may have, in order. Most are alone with theirs.
    fn shared(&self) -> Vec<(Digest, u64)> {
        let bits = |&(digest, _): &(Digest, u64)| digest.0 >> KIND_BITS;
        let repeats = Repeats::of(self.marks.iter().map(bits), self.marks.len());
        let mut shared: Vec<(Digest, u64)> =
            self.marks.iter().filter(|mark| repeats.may_have(bits(mark))).copied().collect();
        shared.sort_unstable();
        shared.dedup();
        shared
    }
}

/// Connections with the same mark that are compared with the next.
const LOOKED_BACK: usize = 16;

/// Stands for a client's address and the server it called.
pub(super) fn call(client: IpAddr, server: Endpoint) -> u64 {
    FixedState::default().hash_one((client, server))
}

/// The places of identifiers that are asked for in order.
fn in_order(ids: &[u64]) -> impl FnMut(u64) -> Option<usize> {
    let mut at = 0;
    move |id| {
        while ids.get(at).is_some_and(|other| *other < id) {
            at += 1;
        }
        ids.get(at).filter(|other| **other == id).map(|_| at)
    }
}

impl Digest {
    /// No digest is believed: where two are equal, the marks are compared.
    fn of(kind: u64, mark: &[u8]) -> Digest {
        Digest(FixedState::default().hash_one(mark) << KIND_BITS | kind)
    }

    fn kind(self) -> u64 {
        self.0 & ((1 << KIND_BITS) - 1)
    }
}

/// Bits that tell the kind of a mark.
const KIND_BITS: u32 = 3;

/// The kind of mark by which one connection that was captured twice is known; the others are the places in [`BY_MARK`].
const TWICE: u64 = BY_MARK.len() as u64;

/// Matches the legs among these connections.
#[cfg(test)]
pub fn pair(connections: &[&Connection]) -> Matched {
    let mut candidates = Candidates::default();
    let ids: Vec<u64> = (0..).take(connections.len()).collect();
    ids.iter().zip(connections).for_each(|(&id, connection)| candidates.add(id, connection));
    candidates.pair(&ids, connections)
}
