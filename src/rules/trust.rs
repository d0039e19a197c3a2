//! What the capture allows to be said: absence means absence only where the side was seen whole.

use super::quote;
use crate::capture::Seen;
use crate::connection::{CloseState, Connection, Outcome, Response};
use crate::role::Role;

/// Why something that was not seen of this side may have been sent all the same; `None` where absence is a fact.
pub(super) fn doubt(connection: &Connection, role: Role) -> Option<String> {
    let name = role.name();
    Some(match reason(connection, role)? {
        Reason::Unseen => format!("no packet of the {name} is in the capture"),
        Reason::Unopened => format!("no key opens what the {name} sent"),
        Reason::Missing(count) => format!("the capture lacks {} of the {name}", quote::bytes(count)),
        Reason::Unknown => {
            format!("header fields of the {name} refer to what was sent before the capture began")
        }
        Reason::Mute => format!("the capture began later and has no data of the {name}"),
        Reason::Unbegun => format!("the capture lacks the first packets of the {name}"),
        Reason::Bounded => String::from("part of the connection was not followed"),
    })
}

/// Whether there is a [`doubt`].
pub(super) fn is_doubtful(connection: &Connection, role: Role) -> bool {
    reason(connection, role).is_some()
}

/// As [`is_doubtful`], but for what may have been sent before the first packet that is in the capture.
pub(super) fn is_doubtful_since(connection: &Connection, role: Role) -> bool {
    reason(connection, role).is_some_and(|reason| !matches!(reason, Reason::Unbegun))
}

/// What keeps absence from being a fact.
enum Reason {
    Unseen,
    Unopened,
    Missing(u64),
    Unknown,
    Mute,
    Unbegun,
    Bounded,
}

fn reason(connection: &Connection, role: Role) -> Option<Reason> {
    let quality = &connection.quality;
    if quality.unseen[role] {
        Some(Reason::Unseen)
    } else if connection.tls.as_ref().and_then(|tls| tls.unopened()) == Some(role) {
        Some(Reason::Unopened)
    } else if quality.missing[role] > 0 {
        Some(Reason::Missing(quality.missing[role]))
    } else if quality.unknown_fields[role] > 0 {
        Some(Reason::Unknown)
    } else if quality.late_start && !has_spoken(connection, role) {
        Some(Reason::Mute)
    } else if role == Role::Server && connection.tcp.accepted.is_none() && !has_spoken(connection, role) {
        Some(Reason::Unbegun)
    } else {
        quality.bounded.then_some(Reason::Bounded)
    }
}

/// Whether something of a side was read, so that it is known from where on it was followed.
pub(super) fn has_spoken(connection: &Connection, role: Role) -> bool {
    let head = match role {
        Role::Client => connection.request.is_some(),
        Role::Server => connection.response.is_some() || connection.garbled.is_some(),
    };
    head || connection.frames.as_ref().is_some_and(|frames| frames[role].total() > 0)
}

/// As [`doubt`], for the request and what the client sent before the session.
pub(super) fn request_doubt(connection: &Connection) -> Option<String> {
    match &connection.request {
        Some(_) => None,
        None => Some(
            doubt(connection, Role::Client)
                .unwrap_or_else(|| String::from("the request is not in the capture")),
        ),
    }
}

/// Whether every field of the request is known, so that one which is not there was not sent.
pub(super) fn knows_request(connection: &Connection) -> bool {
    connection.quality.unknown_fields[Role::Client] == 0
}

/// Request and 101 (2xx on HTTP/2) of a session, both whole: a field that is not there was not sent.
pub(super) fn handshake(connection: &Connection) -> Option<(&crate::connection::Request, &Response)> {
    let (request, response) = (connection.request.as_ref()?, connection.response.as_ref()?);
    (switched(connection) && knows_fields(connection)).then_some((request, response))
}

/// Whether every field of request and answer is known. On HTTP/2 some may refer to what was sent before the capture.
pub(super) fn knows_fields(connection: &Connection) -> bool {
    Role::BOTH.iter().all(|&role| connection.quality.unknown_fields[role] == 0)
}

/// Whether the server agreed to WebSocket, be its answer valid or not.
pub(super) fn switched(connection: &Connection) -> bool {
    matches!(connection.outcome, Outcome::Established | Outcome::Invalid)
}

/// Whether the request went over HTTP/1: HTTP/2 and HTTP/3 have no Upgrade, key or accept (RFC 8441 §5).
pub(super) fn is_http1(request: &crate::connection::Request) -> bool {
    !matches!(request.head.version, Some((2.., _)))
}

/// Whether exactly one side sent Close.
pub(super) fn unechoed(connection: &Connection) -> bool {
    connection.ending.close == Some(CloseState::Unechoed)
}

/// Seconds from one packet to a later one; `None` where the capture's clock went back, or tells no time at all.
pub(super) fn elapsed(connection: &Connection, from: Seen, to: Seen) -> Option<f64> {
    let has_clock = connection.first.at != connection.last.at;
    let seconds = to.at.seconds_since(from.at);
    (has_clock && seconds >= 0.0).then_some(seconds)
}

/// Time of SYN to SYN-ACK in seconds: a lower bound of the round trip as seen from the capture point.
pub(super) fn round_trip(connection: &Connection) -> Option<f64> {
    let (opened, accepted) = (connection.tcp.opened?, connection.tcp.accepted?);
    Some(accepted.at.seconds_since(opened.at).max(0.0))
}
