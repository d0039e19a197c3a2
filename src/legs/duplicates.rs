//! One connection that was captured twice, on both sides of an address translation.

use crate::connection::Connection;
use crate::net::Endpoint;
use std::collections::HashMap;

/// By what such a connection is known: both initial sequence numbers, in which two independent connections agree once
/// in 2^64.
pub(super) fn mark(connection: &Connection) -> Option<(u32, u32)> {
    let isn = connection.tcp.isn;
    isn.client.zip(isn.server)
}

/// Of connections in order, those that were there before under other addresses. Two attempts on one TCP connection
/// share its addresses and do not count.
pub(super) fn seen_twice<'a>(connections: impl Iterator<Item = (usize, &'a Connection)>) -> Vec<usize> {
    let mut first_seen: HashMap<(u32, u32), (Endpoint, Endpoint)> = HashMap::new();
    let is_again = |&(_, connection): &(usize, &Connection)| {
        let addresses = (connection.tcp.client, connection.tcp.server);
        mark(connection).is_some_and(|mark| *first_seen.entry(mark).or_insert(addresses) != addresses)
    };
    connections.filter(is_again).map(|(index, _)| index).collect()
}
