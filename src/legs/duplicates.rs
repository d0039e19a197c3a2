//! One connection that was captured twice, on both sides of an address translation.

use crate::connection::Connection;
use std::collections::HashMap;

/// Whether each connection was seen before under other addresses: both initial sequence numbers agree, which two
/// independent connections do once in 2^64. Two attempts on one TCP connection share its addresses and do not count.
pub(super) fn seen_twice(connections: &[&Connection]) -> Vec<bool> {
    let mut first_seen = HashMap::new();
    connections
        .iter()
        .map(|connection| {
            let tcp = &connection.tcp;
            let (Some(client), Some(server)) = (tcp.isn.client, tcp.isn.server) else { return false };
            let addresses = (tcp.client, tcp.server);
            *first_seen.entry((client, server)).or_insert(addresses) != addresses
        })
        .collect()
}
