//! What TCP and the path did.

pub(super) mod data_not_acknowledged;
pub(super) mod ping_unanswered;
pub(super) mod receiver_stalled;
pub(super) mod rst_foreign_origin;
pub(super) mod silent_drop;
pub(super) mod tcp_connect_failed;

use crate::connection::Connection;
use crate::role::Role;
use crate::rules::sealed;

/// Whether one side sends the same bytes again and again as TCP does that gets no acknowledgement: soon after the first
/// time, and for longer than a moment. Keepalive probes come later.
fn repeats_in_vain(connection: &Connection, from: Role, at_least: u32) -> bool {
    let (Some(repeats), Some(last)) = (&connection.tcp.repeats[from], sealed::last_sent(connection, from))
    else {
        return false;
    };
    let soon = repeats.span.from.at.nanos_since(last.at);
    repeats.count >= at_least && (0..SOON).contains(&soon) && repeats.span.nanos() >= MOMENT
}

/// Nanoseconds after which TCP has long begun to send again: the first time-out is a second where nothing is known of
/// the path (RFC 6298 §2.1), and a fraction of it later.
const SOON: i64 = 3_500_000_000;

/// Nanoseconds that three retransmissions take at least.
const MOMENT: i64 = 1_000_000_000;
