//! Attempts at an upstream that never carried a byte: they are no connections of the report, but they tell why a gateway
//! answered with an error.

use crate::capture::PacketId;
use crate::connection::{Connection, Outcome, Transport, Unused};
use crate::limits;
use crate::net::Endpoint;
use crate::role::Role;
use crate::time::Timestamp;
use foldhash::quality::RandomState;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::ops::Bound;

/// Attempts at an upstream within one client leg, or at several in turn.
#[derive(Clone, Debug)]
pub struct Attempts<'a> {
    /// Whom the gateway tried to reach, in that order.
    pub upstreams: Vec<Endpoint>,
    /// What became of them.
    pub fate: Fate,
    /// Each attempt, by time.
    pub tried: Vec<&'a Unused>,
    /// Whether the gateway began as soon as it was asked.
    pub began_at_once: bool,
    /// Whether it did, and answered as soon as the last of them had failed.
    pub is_at_once: bool,
}

/// What became of an attempt at a TCP connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// SYN answered by RST.
    Refused,
    /// SYN never answered.
    Unanswered,
    /// Accepted, and ended by the upstream before anybody had sent a byte.
    ThrownOut,
}

/// TCP connections that carried nothing, the last [`limits::UNUSED`] of them, found by time and by who called whom. One more
/// costs no more than finding its place: who watches a capture has connections judged every second.
#[derive(Default, Debug)]
pub struct Unconnected {
    by_time: BTreeMap<Place, Unused>,
    /// Strangers choose its keys in part.
    by_pair: HashMap<(IpAddr, Endpoint), BTreeSet<Place>, RandomState>,
    /// As they came.
    order: VecDeque<Place>,
    taken: u64,
}

/// When the first SYN was seen, and in which packet; last, how many came before it.
type Place = (Timestamp, PacketId, u64);

impl Unconnected {
    /// Takes one more.
    pub fn push(&mut self, unused: Unused) {
        let place = (unused.opened.at, unused.opened.packet, self.taken);
        self.taken = self.taken.saturating_add(1);
        self.by_pair.entry((unused.client.ip, unused.server)).or_default().insert(place);
        self.by_time.insert(place, unused);
        self.order.push_back(place);
        if self.order.len() > limits::UNUSED
            && let Some(oldest) = self.order.pop_front()
        {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, place: Place) {
        let Some(unused) = self.by_time.remove(&place) else { return };
        if let Entry::Occupied(mut pair) = self.by_pair.entry((unused.client.ip, unused.server)) {
            pair.get_mut().remove(&place);
            if pair.get().is_empty() {
                pair.remove();
            }
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_time.is_empty()
    }

    /// How many there are of one client to one server.
    pub fn count(&self, client: IpAddr, server: Endpoint) -> usize {
        self.by_pair.get(&(client, server)).map_or(0, BTreeSet::len)
    }

    /// Those of one client to one server that began after one moment and not after another, by time.
    pub fn between(
        &self,
        (client, server): (IpAddr, Endpoint),
        (from, until): (Timestamp, Timestamp),
    ) -> impl Iterator<Item = &Unused> + Clone {
        let of_pair = self.by_pair.get(&(client, server)).filter(|_| from < until);
        let range = (Bound::Excluded(last_at(from)), Bound::Included(last_at(until)));
        let places = of_pair.map(|places| places.range(range));
        places.into_iter().flatten().filter_map(|place| self.by_time.get(place))
    }

    /// Whether all connections from the client of `one` to its server are among those of `now`.
    fn only_has(&self, one: &Unused, now: &[&Unused]) -> bool {
        let now = now.iter().filter(|other| other.server == one.server).count();
        self.count(one.client.ip, one.server) <= now
    }

    /// Those that began at one moment or later, by time.
    fn since(&self, at: Timestamp) -> impl Iterator<Item = &Unused> {
        self.by_time.range((at, PacketId::new(0, 0), 0)..).map(|(_, unused)| unused)
    }
}

/// Where the last one of a moment would be.
fn last_at(at: Timestamp) -> Place {
    (at, PacketId::new(u16::MAX, u64::MAX), u64::MAX)
}

#[cfg(test)]
impl Unconnected {
    /// Of these.
    pub fn new(all: &[Unused]) -> Unconnected {
        let mut unconnected = Unconnected::default();
        all.iter().for_each(|unused| unconnected.push(unused.clone()));
        unconnected
    }
}

/// The attempts that were made while this connection waited for its answer, or after its 101 and before its end, and
/// failed. `None` where attempts at several upstreams, or by several hosts, leave it open whose they are, and where one that
/// succeeded shows that they were not the reason.
pub fn unreached<'a>(client: &Connection, unconnected: &'a Unconnected) -> Option<Attempts<'a>> {
    let work = Work::of(client)?;
    let (tried, reached) = considered(client, &work, unconnected);
    let tried = narrowed(client, tried, unconnected);
    let first = tried.first()?;
    let (host, fate) = (first.client.ip, fate(first)?);
    if !tried.iter().all(|one| one.client.ip == host && self::fate(one) == Some(fate)) {
        return None;
    }
    // Where it reached another one, and asks that one at no other time, what else failed was not the reason: Squid looks after
    // its other peers then.
    let is_asked_only_now = |one: &&Unused| one.client.ip == host && unconnected.only_has(one, &reached);
    if reached.iter().any(is_asked_only_now) {
        return None;
    }
    let mut upstreams: Vec<Endpoint> = Vec::new();
    for one in &tried {
        if !upstreams.contains(&one.server) {
            upstreams.push(one.server);
        }
    }
    // A gateway goes to work at once, and answers as soon as it has given up. What is neither was made for another
    // reason, as health checks are; where they show at other times as well, or in turns, it has to be both.
    let awaited = client.response.as_ref().is_none_or(|response| response.head.status != 101);
    let at_once = awaited && work.is_at_once(first.opened.at);
    let gave_up = match tried.last().and_then(|last| last.ended) {
        Some((_, _, seen)) if fate != Fate::Unanswered => work.is_given_up(seen.at),
        _ => true,
    };
    let elsewhere =
        upstreams.iter().map(|&upstream| unconnected.count(host, upstream)).sum::<usize>() > tried.len();
    // A relay of TCP reads nothing that could show what its attempt was for.
    let unread = first.opened.at < work.asked;
    // Connections that a gateway opens ahead of need, and does not use, end so as well.
    let unused = fate == Fate::ThrownOut;
    let sure = if elsewhere || unread || unused || upstreams.len() > 1 {
        (at_once || !awaited) && gave_up
    } else {
        at_once || gave_up
    };
    let is_in_turn = upstreams.len() == 1 || tried.windows(2).all(ended_before_the_next);
    let is_at_once = at_once && gave_up;
    (sure && is_in_turn).then_some(Attempts { upstreams, fate, tried, began_at_once: at_once, is_at_once })
}

/// Connections that the gateway may have made for this client: those that failed, and those that did not.
fn considered<'a>(
    client: &Connection,
    work: &Work,
    unconnected: &'a Unconnected,
) -> (Vec<&'a Unused>, Vec<&'a Unused>) {
    let until = work.until;
    let early = unconnected
        .since(work.began)
        .take_while(|one| one.opened.at < work.asked && work.meets(one.opened.at));
    let during = early.chain(unconnected.since(work.asked)).take_while(|one| one.opened.at <= until);
    let mut tried: Vec<&Unused> = Vec::new();
    let mut reached: Vec<&Unused> = Vec::new();
    for one in during.take(CONSIDERED) {
        let same_capture = one.capture == client.tcp.capture;
        let gateways = one.server != client.tcp.server
            && (one.client.ip == client.tcp.server.ip || one.client.ip != client.tcp.client.ip);
        if same_capture && gateways {
            if fate(one).is_some() { &mut tried } else { &mut reached }.push(one);
        }
    }
    (tried, reached)
}

/// Of these attempts, those that are most probably the gateway's for this client.
fn narrowed<'a>(
    client: &Connection,
    mut tried: Vec<&'a Unused>,
    unconnected: &Unconnected,
) -> Vec<&'a Unused> {
    // The gateway's own address speaks for an attempt; where it has another one on that side, they must agree.
    if tried.iter().any(|one| one.client.ip == client.tcp.server.ip) {
        tried.retain(|one| one.client.ip == client.tcp.server.ip);
    }
    // An upstream that is tried at other times as well is one that health checks ask; where another one was tried now alone,
    // that is the one.
    let alone: Vec<&Unused> = tried.iter().copied().filter(|one| unconnected.only_has(one, &tried)).collect();
    if alone.is_empty() { tried } else { alone }
}

/// Whether the first of two attempts had ended when the second began.
fn ended_before_the_next(two: &[&Unused]) -> bool {
    let [one, next] = two else { return true };
    one.ended.is_some_and(|(_, _, ended)| (ended.at, ended.packet) < (next.opened.at, next.opened.packet))
}

/// The time in which a gateway has to do with its client's request, be it that it waits for the request or only for a client, as
/// a relay of TCP does.
pub(super) struct Work {
    /// When the request was there, or the connection of a client that was never answered began.
    began: Timestamp,
    /// When the request was there.
    asked: Timestamp,
    /// When the client was answered, or the session or the connection ended.
    until: Timestamp,
}

impl Work {
    /// `None` where no request was seen.
    pub(super) fn of(client: &Connection) -> Option<Work> {
        let asked = client.request.as_ref()?.seen.at;
        let answered = client.response.as_ref().filter(|response| response.head.status != 101);
        let until =
            answered.map(|answer| answer.seen.at).or(client.closes.first().map(|close| close.seen.at));
        let until = until.or(client.ending.by.map(|(_, seen)| seen.at)).unwrap_or(client.last.at);
        // Who answers in HTTP has read the request before it did anything.
        let opened = client.tcp.opened.filter(|_| client.outcome == Outcome::Unanswered);
        let began = opened.map_or(asked, |opened| opened.at);
        Some(Work { began: began.min(asked), asked, until })
    }

    /// Whether something that begins then may belong to it: of what comes before the request only what a new client makes a
    /// relay do.
    pub(super) fn may_begin(&self, at: Timestamp) -> bool {
        (self.asked..=self.until).contains(&at) || self.asked > at && self.meets(at)
    }

    /// Whether a gateway that begins then does so at once.
    pub(super) fn is_at_once(&self, at: Timestamp) -> bool {
        self.meets(at) || (0..=PROMPT).contains(&at.nanos_since(self.asked))
    }

    /// When it may have begun.
    pub(super) fn began(&self) -> Timestamp {
        self.began
    }

    /// Whether the client was answered at once when the last attempt had failed.
    pub(super) fn is_given_up(&self, failed: Timestamp) -> bool {
        self.until.nanos_since(failed).saturating_abs() <= PROMPT
    }

    fn meets(&self, at: Timestamp) -> bool {
        (0..=PROMPT).contains(&at.nanos_since(self.began))
    }
}

/// Nanoseconds within which a gateway does what it does at once.
const PROMPT: i64 = 25_000_000;

/// Attempts that are looked at for one connection.
const CONSIDERED: usize = 64;

/// How it failed; `None` where it was accepted, and not ended by the upstream.
fn fate(unused: &Unused) -> Option<Fate> {
    match (unused.accepted, unused.ended) {
        (Some(_), Some((Role::Server, _, _))) => Some(Fate::ThrownOut),
        (Some(_), _) => None,
        (None, Some((Role::Server, Transport::Reset, _))) => Some(Fate::Refused),
        (None, _) => Some(Fate::Unanswered),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Seen;
    use crate::rules::testing::Scene;

    #[test]
    fn the_last_ones_are_found_by_time_and_by_pair() {
        let tcp = Scene::tcp().build().tcp;
        let unused = |number: u64| {
            let at = Timestamp::from_nanos(1_000 - i64::try_from(number % 7).unwrap());
            let server = Endpoint { port: 80 + u16::from(number.is_multiple_of(2)), ..tcp.server };
            let opened = Seen { packet: PacketId::new(0, number), at };
            let (capture, stream, syns, accepted, ended) = (0, 0, 1, None, None);
            let undelivered = Vec::new();
            let client = tcp.client;
            Unused { capture, stream, client, server, opened, syns, accepted, ended, undelivered }
        };
        let mut all = Unconnected::default();
        assert!(all.is_empty());
        let count = 3 * limits::UNUSED as u64;
        (1..=count).for_each(|number| all.push(unused(number)));
        assert_eq!(all.since(Timestamp::from_nanos(i64::MIN)).count(), limits::UNUSED);
        assert_eq!((all.order.len(), all.by_time.len()), (limits::UNUSED, limits::UNUSED));
        let servers = [unused(1).server, unused(2).server];
        let counts = servers.map(|server| all.count(tcp.client.ip, server));
        assert_eq!(counts, [limits::UNUSED / 2; 2]);
        let between = |from, until| {
            let moments = (Timestamp::from_nanos(from), Timestamp::from_nanos(until));
            let found = all.between((tcp.client.ip, servers[0]), moments);
            found.map(|one| (one.opened.at, one.opened.packet)).collect::<Vec<_>>()
        };
        assert_eq!(between(i64::MIN, i64::MAX).len(), limits::UNUSED / 2);
        assert!(between(990, 1_000).is_sorted());
        let last = between(998, 999);
        assert!(!last.is_empty() && last.iter().all(|(at, _)| at.as_nanos() == 999));
        assert!(between(999, 999).is_empty() && between(1_000, 999).is_empty());
        // Those of the beginning are forgotten, and with them what they are found by.
        let other = Endpoint { port: 9, ..tcp.server };
        (1..=limits::UNUSED as u64).for_each(|number| all.push(Unused { server: other, ..unused(number) }));
        assert_eq!(servers.map(|server| all.count(tcp.client.ip, server)), [0; 2]);
        assert_eq!(all.by_pair.len(), 1);
    }
}
