//! Attempts at an upstream that never carried a byte: they are no connections of the report, but they tell why a gateway
//! answered with an error.

use crate::connection::{Connection, Outcome, Transport, Unused};
use crate::net::Endpoint;
use crate::role::Role;
use crate::time::Timestamp;
use std::collections::HashMap;
use std::net::IpAddr;

/// Attempts at an upstream within one client leg, or at several in turn.
#[derive(Clone, Debug)]
pub struct Attempts<'a> {
    /// Whom the gateway tried to reach, in that order.
    pub upstreams: Vec<Endpoint>,
    /// What became of them.
    pub fate: Fate,
    /// Each attempt, by time.
    pub tried: Vec<&'a Unused>,
    /// Whether the gateway began as soon as it was asked, and answered as soon as the last of them had failed.
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

/// TCP connections that carried nothing, found by time and by who called whom.
#[derive(Default, Debug)]
pub struct Unconnected<'a> {
    by_time: &'a [Unused],
    by_pair: HashMap<(IpAddr, Endpoint), Vec<&'a Unused>>,
}

impl<'a> Unconnected<'a> {
    /// Of these, which must be in order of the first SYN.
    pub fn new(by_time: &'a [Unused]) -> Unconnected<'a> {
        let mut by_pair: HashMap<_, Vec<&Unused>> = HashMap::new();
        for unused in by_time {
            by_pair.entry((unused.client.ip, unused.server)).or_default().push(unused);
        }
        Unconnected { by_time, by_pair }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_time.is_empty()
    }

    /// Those of one client to one server, by time.
    pub fn of(&self, client: IpAddr, server: Endpoint) -> &[&'a Unused] {
        self.by_pair.get(&(client, server)).map_or(&[], Vec::as_slice)
    }

    /// Whether all connections from the client of `one` to its server are among those of `now`.
    fn only_has(&self, one: &Unused, now: &[&Unused]) -> bool {
        let now = now.iter().filter(|other| other.server == one.server).count();
        self.of(one.client.ip, one.server).len() <= now
    }
}

/// The attempts that were made while this connection waited for its answer, or after its 101 and before its end, and
/// failed. `None` where attempts at several upstreams, or by several hosts, leave it open whose they are, and where one that
/// succeeded shows that they were not the reason.
pub fn unreached<'a>(client: &Connection, unconnected: &Unconnected<'a>) -> Option<Attempts<'a>> {
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
        upstreams.iter().map(|&upstream| unconnected.of(host, upstream).len()).sum::<usize>() > tried.len();
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
    (sure && is_in_turn).then_some(Attempts { upstreams, fate, tried, is_at_once: at_once && gave_up })
}

/// Connections that the gateway may have made for this client: those that failed, and those that did not.
fn considered<'a>(
    client: &Connection,
    work: &Work,
    unconnected: &Unconnected<'a>,
) -> (Vec<&'a Unused>, Vec<&'a Unused>) {
    let since = |at| &unconnected.by_time[unconnected.by_time.partition_point(|one| one.opened.at < at)..];
    let until = work.until;
    let early =
        since(work.began).iter().take_while(|one| one.opened.at < work.asked && work.meets(one.opened.at));
    let during = early.chain(since(work.asked)).take_while(|one| one.opened.at <= until);
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
    unconnected: &Unconnected<'a>,
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
