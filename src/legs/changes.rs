//! What a gateway changed, and whether it copies bytes or speaks WebSocket itself.

use crate::connection::{Close, Connection, Request};
use crate::http::{Head, redacted_subprotocols, redacted_target};
use crate::role::Role;

/// Something that is not the same on both legs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The field in lower case, or `target`, `http-version`, `status`, `close`.
    pub field: &'static str,
    /// Where it stands.
    pub place: Place,
    /// Its value on the client leg without secrets; `None` where it is not there.
    pub client_leg: Option<String>,
    /// Its value on the upstream leg.
    pub upstream_leg: Option<String>,
}

/// What a change is a change of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The upgrade request.
    Request,
    /// The answer.
    Response,
    /// A Close of the client's side.
    ClientClose,
    /// A Close of the server's side.
    ServerClose,
}

impl Place {
    /// As the report names it.
    pub const fn name(self) -> &'static str {
        match self {
            Place::Request => "request",
            Place::Response => "response",
            Place::ClientClose => "client-close",
            Place::ServerClose => "server-close",
        }
    }
}

/// What kind of gateway stands between two legs. Behind one that copies bytes, every Close came from an endpoint; one
/// that speaks WebSocket itself may invent and rewrite them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passage {
    /// It copies bytes after the 101.
    Tunnel,
    /// It is a WebSocket endpoint on both legs.
    Terminating,
    /// The capture does not show it.
    Unknown,
}

impl Passage {
    /// As the report names it.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Passage::Tunnel => Some("tunnel"),
            Passage::Terminating => Some("terminating"),
            Passage::Unknown => None,
        }
    }
}

/// Masking keys tell: a tunnel cannot change them, an endpoint cannot help it (RFC 6455 §5.3). Without frames the key
/// of the handshake tells: an endpoint makes its own.
pub fn passage(client: &Connection, upstream: &Connection) -> Passage {
    let masks = |connection: &Connection| -> Vec<[u8; 4]> {
        let frames = connection.frames.as_ref();
        let opening = frames.map_or(&[][..], |frames| frames.client.opening.as_slice());
        opening.iter().filter_map(|frame| frame.mask).filter(|mask| *mask != [0; 4]).collect()
    };
    let (one, other) = (masks(client), masks(upstream));
    if one.iter().any(|mask| other.contains(mask)) {
        return Passage::Tunnel;
    }
    // Where frames are missing, those of the two legs may be others.
    let from_start = |leg: &Connection| leg.response.is_some() && leg.quality.missing.client == 0;
    if !one.is_empty() && !other.is_empty() && from_start(client) && from_start(upstream) {
        return Passage::Terminating;
    }
    let is_http1 = |request: &&Request| request.head.version.is_some_and(|version| version < (2, 0));
    let key = |connection: &Connection| -> Option<_> {
        connection.request.as_ref().filter(is_http1).and_then(|request| request.key.clone())
    };
    match (key(client), key(upstream)) {
        (Some(one), Some(other)) if one != other => Passage::Terminating,
        _ => Passage::Unknown,
    }
}

/// Everything that matters and differs. What was captured on one leg only is no change.
pub(super) fn between(client: &Connection, upstream: &Connection) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add = |field, place, client_leg: Option<String>, upstream_leg: Option<String>| {
        if client_leg != upstream_leg {
            let [client_leg, upstream_leg] = [client_leg, upstream_leg].map(|value| match field {
                "sec-websocket-protocol" => value.map(|list| redacted_subprotocols(&list)),
                _ => value,
            });
            changes.push(Change { field, place, client_leg, upstream_leg });
        }
    };
    if let (Some(one), Some(other)) = (&client.request, &upstream.request) {
        let version =
            |request: &Request| request.head.version.map(|(major, minor)| format!("{major}.{minor}"));
        let target = |request: &Request| Some(redacted_target(&request.head.target));
        add("target", Place::Request, target(one), target(other));
        add("http-version", Place::Request, version(one), version(other));
        // The name of the protocol is the same in any case (RFC 9110 §7.8).
        let upgrade =
            |request: &Request| line(&request.head.head, "upgrade").map(|value| value.to_ascii_lowercase());
        add("upgrade", Place::Request, upgrade(one), upgrade(other));
        let known = are_known(client, upstream, Role::Client);
        for field in REQUEST_FIELDS {
            let (one, other) = (line(&one.head.head, field), line(&other.head.head, field));
            if known || (one.is_some() && other.is_some()) {
                add(field, Place::Request, one, other);
            }
        }
        // Of Connection only the token matters: gateways write the rest of it anew.
        if upgrades(&one.head.head) != upgrades(&other.head.head) {
            let [one, other] = [one, other].map(|request| line(&request.head.head, "connection"));
            add("connection", Place::Request, one, other);
        }
    }
    if let (Some(one), Some(other)) = (&client.response, &upstream.response) {
        add(
            "status",
            Place::Response,
            Some(one.head.status.to_string()),
            Some(other.head.status.to_string()),
        );
        let known = are_known(client, upstream, Role::Server);
        for field in RESPONSE_FIELDS {
            let (one, other) = (line(&one.head.head, field), line(&other.head.head, field));
            if known || (one.is_some() && other.is_some()) {
                add(field, Place::Response, one, other);
            }
        }
    }
    let ended = |connection: &Connection| connection.ending.by.is_some() || !connection.closes.is_empty();
    if client.frames.is_some() && upstream.frames.is_some() && ended(client) && ended(upstream) {
        for (role, place) in [(Role::Client, Place::ClientClose), (Role::Server, Place::ServerClose)] {
            let [one, other] = [client, upstream].map(|leg| leg.first_close(role).map(written));
            add("close", place, one, other);
        }
    }
    changes
}

const REQUEST_FIELDS: [&str; 6] = [
    "host",
    "origin",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
];

const RESPONSE_FIELDS: [&str; 3] =
    ["sec-websocket-accept", "sec-websocket-protocol", "sec-websocket-extensions"];

/// Whether a field that is not there was not sent, on either leg: on HTTP/2 it may refer to what came before the capture.
fn are_known(client: &Connection, upstream: &Connection, role: Role) -> bool {
    [client, upstream].iter().all(|leg| leg.quality.unknown_fields[role] == 0)
}

/// All lines of a field as one.
fn line(head: &Head, name: &str) -> Option<String> {
    let lines: Vec<String> =
        head.values(name).map(|value| String::from_utf8_lossy(value).into_owned()).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

fn upgrades(head: &Head) -> bool {
    head.names_upgrade()
}

/// `1010 permessage-deflate`, the code first.
fn written(close: &Close) -> String {
    let code = close.code.map_or(String::from("no code"), |code| code.to_string());
    format!("{code} {}", close.reason).trim_end().to_owned()
}
