//! Gateways that could not reach what stands behind them.

pub(super) mod close_1014_bad_gateway;
pub(super) mod close_1014_from_client;
pub(super) mod close_1014_rejected_by_peer;
pub(super) mod gateway_accepted_before_upstream;
pub(super) mod gateway_block_page;
pub(super) mod gateway_error_before_upgrade;
pub(super) mod idle_timeout_close;
pub(super) mod keepalive_insufficient;
pub(super) mod lifetime_limit_close;
pub(super) mod mass_disconnect;

use crate::connection::{Close, Connection};
use crate::role::Role;

/// The 1014 that the server's side sent by itself.
fn bad_gateway(connection: &Connection) -> Option<&Close> {
    super::close::own(connection).find(|close| close.from == Role::Server && close.code == Some(1014))
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
        401 | 403 | 407 | 426 => false,
        400.. => own(),
        _ => false,
    }
}
