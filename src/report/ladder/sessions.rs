//! Which connections are one session: legs around gateways belong together.

use super::Lane;
use crate::net::Endpoint;
use crate::report::model::{Connection, Report};
use crate::time::Timestamp;
use std::collections::{HashMap, HashSet};

/// The legs of one session, from the client on.
#[derive(Clone, PartialEq, Debug)]
pub struct Session {
    /// At least one.
    pub legs: Vec<Leg>,
}

/// One connection of a session.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Leg {
    /// Its id.
    pub connection: usize,
    /// The lane on its left; its server's is the next one.
    pub lane: usize,
    /// The pair that joins it to the leg before it.
    pub pair: Option<usize>,
    /// Whether the gateway gave this one up and tried another.
    pub attempt: bool,
    /// Nanoseconds to add to its times to have them by the clock of the first leg.
    pub offset: i64,
}

impl Session {
    /// The connection that the client itself made, as far as the capture shows.
    pub fn client_leg(&self) -> usize {
        self.legs.first().map_or(0, |leg| leg.connection)
    }

    /// Whether a connection is one of its legs.
    pub fn has(&self, connection: usize) -> bool {
        self.legs.iter().any(|leg| leg.connection == connection)
    }

    /// The pairs that join its legs, each once.
    pub fn pairs(&self) -> impl Iterator<Item = usize> {
        self.legs.iter().filter(|leg| !leg.attempt).filter_map(|leg| leg.pair)
    }

    pub(super) fn begins(&self, report: &Report) -> Option<Timestamp> {
        let connection = report.connections.get(self.client_leg())?;
        report.captures.get(usize::from(connection.capture))?.first
    }
}

/// All sessions, in order of their first legs. Every connection is in one of them.
pub fn sessions(report: &Report) -> Vec<Session> {
    let mut behind: HashMap<usize, usize> = HashMap::new();
    let mut not_first = HashSet::new();
    for (index, pair) in report.leg_pairs.iter().enumerate() {
        behind.entry(pair.client_leg).or_insert(index);
        not_first.insert(pair.upstream_leg);
        not_first.extend(pair.attempts.iter().copied());
    }
    let mut placed = HashSet::new();
    let mut sessions = Vec::new();
    // The second round is for legs of which no other is the first, should there be any.
    for round in [false, true] {
        for connection in &report.connections {
            if placed.contains(&connection.id) || (!round && not_first.contains(&connection.id)) {
                continue;
            }
            sessions.push(follow(report, connection.id, &behind, &mut placed));
        }
    }
    sessions.sort_by_key(Session::client_leg);
    sessions
}

fn follow(
    report: &Report,
    first: usize,
    behind: &HashMap<usize, usize>,
    placed: &mut HashSet<usize>,
) -> Session {
    let mut legs = Vec::new();
    let mut leg = Leg { connection: first, lane: 0, pair: None, attempt: false, offset: 0 };
    while placed.insert(leg.connection) {
        legs.push(leg);
        let Some(&index) = behind.get(&leg.connection) else { break };
        let Some(pair) = report.leg_pairs.get(index) else { break };
        let next = Leg {
            connection: pair.upstream_leg,
            lane: leg.lane + 1,
            pair: Some(index),
            attempt: false,
            offset: leg.offset.saturating_add((pair.clock_offset * 1e9) as i64),
        };
        for &attempt in &pair.attempts {
            if placed.insert(attempt) {
                legs.push(Leg { connection: attempt, attempt: true, ..next });
            }
        }
        leg = next;
    }
    Session { legs }
}

/// The parties of a session from left to right.
pub(super) fn lanes(report: &Report, session: &Session) -> Vec<Lane> {
    let connection = |leg: &Leg| report.connections.get(leg.connection).map(Box::as_ref);
    let last = session.legs.iter().map(|leg| leg.lane + 1).max().unwrap_or(1);
    (0..=last)
        .map(|lane| {
            let ends = |on_left: bool| {
                let legs = session
                    .legs
                    .iter()
                    .filter(move |leg| if on_left { leg.lane + 1 == lane } else { leg.lane == lane });
                legs.filter_map(connection)
                    .map(move |c: &Connection| if on_left { c.server } else { c.client })
            };
            let mut addresses: Vec<Endpoint> = Vec::new();
            for address in ends(true).chain(ends(false)) {
                if !addresses.contains(&address) && addresses.len() < ADDRESSES {
                    addresses.push(address);
                }
            }
            let name = match lane {
                0 => "client",
                _ if lane < last => "gateway",
                _ if last > 1 => "upstream",
                _ => "server",
            };
            Lane { name, addresses: addresses.iter().map(Endpoint::to_string).collect() }
        })
        .collect()
}

/// Addresses of one party that are named; a gateway that tried many upstreams has many ports.
const ADDRESSES: usize = 3;
