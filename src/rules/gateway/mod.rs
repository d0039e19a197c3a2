//! Gateways that could not reach what stands behind them.

pub(super) mod close_1014_bad_gateway;
pub(super) mod close_1014_from_client;
pub(super) mod close_1014_rejected_by_peer;
pub(super) mod close_rewritten_between_legs;
pub(super) mod frames_not_passed_on;
pub(super) mod gateway_accepted_before_upstream;
pub(super) mod gateway_block_page;
pub(in crate::rules) mod gateway_error_before_upgrade;
pub(super) mod gateway_injected_close;
pub(super) mod gateway_terminates_websocket;
pub(super) mod handshake_answer_altered;
pub(super) mod idle_timeout_close;
pub(super) mod keepalive_insufficient;
pub(super) mod lifetime_limit_close;
pub(super) mod mass_disconnect;
pub(super) mod one_leg_close;
pub(super) mod upgrade_not_forwarded;
pub(super) mod upstream_not_reached;

use crate::connection::{Close, Connection, Outcome};
use crate::gateway::{Party, ending};
use crate::legs::Legs;
use crate::role::Role;

/// The 1014 that the server's side sent by itself.
fn bad_gateway(connection: &Connection) -> Option<&Close> {
    super::close::own(connection).find(|close| close.from == Role::Server && close.code == Some(1014))
}

/// The Close that a gateway made: one leg carries it, and on the other nobody had sent one when it came. Where bytes of
/// that other sender are missing it may be among them.
fn injected<'a>(legs: &Legs<'a>) -> Option<&'a Close> {
    ending(legs).filter(|verdict| verdict.origin == Party::Gateway)?;
    let here = legs.client.first_close(Role::Server).filter(|close| !answers(legs.client, close));
    let there = legs.upstream.first_close(Role::Client).filter(|close| !answers(legs.upstream, close));
    // Of a session whose frames could not be read nobody knows what Close was among them.
    let unread = |leg: &Connection| leg.outcome == Outcome::Unseen && leg.frames.is_none();
    let doubted = |leg: &Connection, role| unread(leg) || super::trust::doubt(leg, role).is_some();
    let unsure = legs.pair.clock.uncertainty;
    // What the gateway was told later than it spoke is an answer to what it made on that leg.
    let told = |close: &Close| {
        let first = legs.upstream.first_close(Role::Server);
        first.is_some_and(|first| legs.upstream_time(first.seen).nanos_since(close.seen.at) <= unsure)
    };
    let asked = |close: &Close| {
        let first = legs.client.first_close(Role::Client);
        first.is_some_and(|first| first.seen.at.nanos_since(legs.upstream_time(close.seen)) <= unsure)
    };
    here.filter(|close| !doubted(legs.upstream, Role::Server) && !told(close))
        .or(there.filter(|close| !doubted(legs.client, Role::Client) && !asked(close)))
}

/// Whether a Close, the first one of its side, came after one of the other side of its connection.
fn answers(connection: &Connection, close: &Close) -> bool {
    connection.closes.first().is_some_and(|first| first.from != close.from)
}

/// Whether the reason of a 1014 speaks of access rights, for which the code is often misused.
fn about_access(close: &Close) -> bool {
    let reason = close.reason.to_ascii_lowercase();
    ["permission", "token", "unauthor", "forbidden", "auth", "denied", "login"]
        .iter()
        .any(|word| reason.contains(word))
}

/// Whether an answer is one that a gateway gives because of what stands behind it.
pub(super) fn spoke(response: &crate::connection::Response) -> bool {
    let own = || {
        let signs = crate::gateway::identify(&response.head, &response.body);
        signs.iter().any(|sign| sign.signature.proof == crate::gateway::Proof::OwnAnswer)
    };
    match response.head.status {
        _ if gateway_block_page::is_block_page(response) => false,
        502..=504 | 520..=527 | 530 => true,
        // What is said of the request itself has rules of its own, whoever says it.
        400 | 401 | 403 | 405 | 407 | 426 => false,
        // Squid makes a 200 of an answer that is no HTTP.
        200..=299 | 400.. => own(),
        _ => false,
    }
}
