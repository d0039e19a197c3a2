//! One connection that was captured twice, on both sides of an address translation.

use crate::connection::Connection;
use crate::net::Endpoint;
use std::collections::HashMap;

/// Initial sequence numbers of client and server.
type Mark = (u32, u32);

/// Client and server.
type Addresses = (Endpoint, Endpoint);

/// The addresses under which one was there first, and the attempts on it with their indices.
type FirstSeen<'a> = (Addresses, Vec<(usize, &'a Connection)>);

/// By what such a connection is known: both initial sequence numbers, in which two independent connections agree once
/// in 2^64.
pub(super) fn mark(connection: &Connection) -> Option<Mark> {
    let isn = connection.tcp.isn;
    isn.client.zip(isn.server)
}

/// Whether two connections that share a mark of one session are one, as far as the capture shows it: where it lacks a SYN, one
/// equal number is as good as two, and where it lacks all of them a translation has changed one address, and no gateway keeps
/// the port of its client.
pub(super) fn are_one(one: &Connection, other: &Connection) -> bool {
    let (a, b) = (&one.tcp, &other.tcp);
    if (a.client, a.server) == (b.client, b.server) || !may_be_one(one, other) {
        return false;
    }
    let known = [(a.isn.client, b.isn.client), (a.isn.server, b.isn.server)];
    let mut equal = known.into_iter().filter_map(|(a, b)| Some(a? == b?)).peekable();
    if equal.peek().is_some() {
        return equal.all(|equal| equal);
    }
    a.client == b.client || (a.server == b.server && a.client.port == b.client.port)
}

/// Whether nothing contradicts that these are two captures of one connection. Captures that programs write often have the same
/// sequence numbers in every connection.
fn may_be_one(one: &Connection, other: &Connection) -> bool {
    let request = |connection: &Connection| {
        let request = connection.request.as_ref()?;
        Some((request.key.clone(), request.head.target.clone()))
    };
    let differ = request(one).zip(request(other)).is_some_and(|(one, other)| one != other);
    // Two captures may have two clocks.
    let apart = one.tcp.capture == other.tcp.capture
        && other.first.at.nanos_since(one.first.at).saturating_abs() > PASSAGE;
    !differ && !apart
}

/// Nanoseconds within which a translation passes a packet on.
const PASSAGE: i64 = 1_000_000_000;

/// A connection that was seen before under other addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Duplicate {
    /// Index of the duplicate.
    pub index: usize,
    /// Index of the first one; `None` where that lacks this attempt on its TCP connection.
    pub first: Option<usize>,
}

/// Of connections in order, those that were there before under other addresses. Two attempts on one TCP connection
/// share its addresses and do not count: of these, the first is the same as the first, and so on.
pub(super) fn seen_twice<'a>(connections: impl Iterator<Item = (usize, &'a Connection)>) -> Vec<Duplicate> {
    let mut first_seen: HashMap<Mark, FirstSeen<'_>> = HashMap::new();
    let mut counts: HashMap<(Mark, Addresses), usize> = HashMap::new();
    let mut duplicates = Vec::new();
    for (index, connection) in connections {
        let addresses = (connection.tcp.client, connection.tcp.server);
        let Some(mark) = mark(connection) else { continue };
        let (known, attempts) = first_seen.entry(mark).or_insert((addresses, Vec::new()));
        if *known == addresses {
            attempts.push((index, connection));
            continue;
        }
        let nth = counts.entry((mark, addresses)).or_default();
        let first = attempts.get(*nth);
        *nth += 1;
        if first.is_none_or(|(_, first)| may_be_one(first, connection)) {
            duplicates.push(Duplicate { index, first: first.map(|&(first, _)| first) });
        }
    }
    duplicates
}
