//! Attempts at an upstream that never carried a byte: they are no connections of the report, but they tell why a gateway
//! answered with an error.

use crate::connection::{Connection, Transport, Unused};
use crate::net::Endpoint;
use crate::role::Role;
use std::collections::HashMap;
use std::net::IpAddr;

/// Attempts at one upstream within one client leg.
#[derive(Clone, Debug)]
pub struct Attempts<'a> {
    /// Whom the gateway tried to reach.
    pub upstream: Endpoint,
    /// What became of them.
    pub fate: Fate,
    /// Each attempt, by time.
    pub tried: Vec<&'a Unused>,
}

/// What became of an attempt at a TCP connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// SYN answered by RST.
    Refused,
    /// SYN never answered.
    Unanswered,
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
}

/// The attempts that were made while this connection waited for its answer, or after its 101 and before its end, and
/// failed. `None` where attempts at several upstreams, or by several hosts, leave it open whose they are.
pub fn unreached<'a>(client: &Connection, unconnected: &Unconnected<'a>) -> Option<Attempts<'a>> {
    let request = client.request.as_ref()?.seen.at;
    let answered = client.response.as_ref().filter(|response| response.head.status != 101);
    let until = answered.map(|answer| answer.seen.at).or(client.closes.first().map(|close| close.seen.at));
    let until = until.or(client.ending.by.map(|(_, seen)| seen.at)).unwrap_or(client.last.at);
    let unused = unconnected.by_time;
    let start = unused.partition_point(|one| one.opened.at < request);
    let during = unused[start..].iter().take_while(|one| one.opened.at <= until);
    let mut tried: Vec<&Unused> = Vec::new();
    for one in during.take(CONSIDERED) {
        let same_capture = one.capture == client.tcp.capture;
        let gateways = one.server != client.tcp.server
            && (one.client.ip == client.tcp.server.ip || one.client.ip != client.tcp.client.ip);
        if same_capture && gateways && fate(one).is_some() {
            tried.push(one);
        }
    }
    // The gateway's own address speaks for an attempt; where it has another one on that side, they must agree.
    if tried.iter().any(|one| one.client.ip == client.tcp.server.ip) {
        tried.retain(|one| one.client.ip == client.tcp.server.ip);
    }
    let first = tried.first()?;
    let (host, upstream, fate) = (first.client.ip, first.server, fate(first)?);
    let agree = tried.iter().all(|one| one.client.ip == host && one.server == upstream);
    agree.then_some(Attempts { upstream, fate, tried })
}

/// Attempts that are looked at for one connection.
const CONSIDERED: usize = 64;

/// Refused or unanswered; `None` where it was accepted.
fn fate(unused: &Unused) -> Option<Fate> {
    match (unused.accepted, unused.ended) {
        (Some(_), _) => None,
        (None, Some((Role::Server, Transport::Reset, _))) => Some(Fate::Refused),
        (None, _) => Some(Fate::Unanswered),
    }
}
