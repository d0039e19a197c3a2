//! Sessions and connections as the page shows them.

use super::causes::{Cause, wireshark};
use super::changes::{Change, changes};
use super::keys::Keys;
use super::places::Places;
use super::svg::{self, LadderPicture};
use crate::limits;
use crate::report::escape;
use crate::report::ladder::{Ladder, Session};
use crate::report::model::{self, Connection, Report};
use crate::report::timeline::{note, text::seconds};
use std::collections::{BTreeSet, HashMap};

/// A session, and the picture of it.
pub(super) struct SessionView {
    pub(super) anchor: String,
    pub(super) id: usize,
    pub(super) path: String,
    pub(super) severity: &'static str,
    pub(super) outcome: String,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) findings: Vec<(String, &'static str, String)>,
    pub(super) pairs: Vec<PairView>,
    pub(super) filters: Vec<(Option<String>, String)>,
    pub(super) ladder: LadderPicture,
    pub(super) keys: Keys,
}

/// The two legs around one gateway.
pub(super) struct PairView {
    pub(super) gateway: String,
    pub(super) matched: String,
    pub(super) changes: Vec<Change>,
}

/// A connection, on one line.
pub(super) struct ConnectionRow {
    pub(super) id: usize,
    pub(super) anchor: Option<String>,
    pub(super) client: String,
    pub(super) server: String,
    pub(super) target: String,
    pub(super) role: String,
    pub(super) outcome: String,
    pub(super) end: String,
    pub(super) by: &'static str,
    pub(super) duration: String,
    pub(super) frames: String,
    pub(super) severity: &'static str,
    pub(super) keys: Keys,
}

/// One session with all its legs.
pub(super) fn session_view(
    session: &Session,
    report: &Report,
    places: &Places<'_>,
    causes: &HashMap<usize, &Cause>,
) -> SessionView {
    let id = session.client_leg();
    let connections: Vec<&Connection> = session
        .legs
        .iter()
        .filter_map(|leg| report.connections.get(leg.connection))
        .map(Box::as_ref)
        .collect();
    let ids: BTreeSet<usize> =
        connections.iter().flat_map(|c| c.findings.iter().take(limits::PAGE_CAUSES).copied()).collect();
    let found: Vec<&model::Finding> = ids.iter().filter_map(|id| report.findings.get(*id)).collect();
    let first = connections.first();
    let mut keys = Keys::default();
    found.iter().for_each(|finding| keys.finding(finding));
    connections.iter().for_each(|connection| keys.connection(connection));
    let mut filters: Vec<(u16, String)> = Vec::new();
    for connection in &connections {
        let filter = wireshark(connection);
        match filters.iter_mut().find(|(capture, _)| *capture == connection.capture) {
            Some((_, text)) => text.push_str(&format!(" or {filter}")),
            None => filters.push((connection.capture, filter)),
        }
    }
    SessionView {
        anchor: format!("session-{id}"),
        id,
        path: places.path(id),
        severity: worst(&found),
        outcome: first.map_or(String::new(), |connection| outcome(connection)),
        facts: first.map(|connection| session_facts(connection)).unwrap_or_default(),
        findings: found
            .iter()
            .filter_map(|finding| {
                let cause = causes.get(&finding.id)?;
                Some((cause.anchor.clone(), finding.severity, cause.title.clone()))
            })
            .collect(),
        pairs: session.pairs().filter_map(|index| report.leg_pairs.get(index)).map(pair_view).collect(),
        filters: filters.into_iter().map(|(capture, text)| (places.capture(capture), text)).collect(),
        ladder: svg::ladder(&Ladder::new(report, session), report),
        keys,
    }
}

fn pair_view(pair: &model::LegPair) -> PairView {
    let mut matched = format!("legs matched by {}, {}", pair.matched_by, pair.confidence);
    match pair.passage {
        Some("tunnel") => matched.push_str("; the gateway copies bytes"),
        Some(_) => matched.push_str("; the gateway speaks WebSocket itself"),
        None => {}
    }
    if pair.clock_offset != 0.0 {
        matched.push_str(&format!(
            "; the clocks differ by {:+.6} s, give or take {:.6} s",
            pair.clock_offset, pair.clock_uncertainty
        ));
    }
    PairView { gateway: pair.gateway.clone(), matched, changes: changes(pair).collect() }
}

fn session_facts(connection: &Connection) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Lasted", duration(connection))];
    if let Some(tls) = &connection.tls {
        let version = tls.version.as_deref().unwrap_or("of a version that was not seen");
        facts.push((
            "TLS",
            format!("{version} {}", tls.cipher_suite.as_deref().unwrap_or_default()).trim().to_owned(),
        ));
    }
    if connection.carrier == "http/2" {
        let stream = connection.stream_id.map(|id| format!(", stream {id}")).unwrap_or_default();
        facts.push(("Carrier", format!("HTTP/2{stream}")));
    }
    if let Some(sees) = &connection.sees {
        let one = |sees: &Option<model::Sees>| match sees {
            Some(sees) if sees.clean => format!("{} (clean)", sees.code),
            Some(sees) => format!("{} (not clean)", sees.code),
            None => String::from("not known"),
        };
        facts.push(("The client's API reports", one(&sees.client)));
        facts.push(("The server's API reports", one(&sees.server)));
    }
    facts
}

/// `established, closed by client with 1010`.
fn outcome(connection: &Connection) -> String {
    let mut text = match (connection.outcome, &connection.response) {
        ("rejected", Some(response)) => format!("rejected with {}", response.status),
        ("unseen", _) => String::from("handshake not captured"),
        (outcome, _) => outcome.to_owned(),
    };
    match (connection.closes.first(), connection.end.by) {
        (Some(close), _) => {
            let code = close.code.map_or(String::from("no code"), |code| code.to_string());
            text.push_str(&format!(", closed by {} with {code}", close.from));
        }
        (None, Some(by)) if connection.outcome == "established" => {
            let how = match connection.end.transport {
                "reset" => "reset",
                "stream-reset" => "stream reset",
                _ => "FIN",
            };
            text.push_str(&format!(", ended by {by} with {how} and no Close"));
        }
        (None, None) => text.push_str(", still open"),
        _ => {}
    }
    text
}

/// One line of the list of connections.
pub(super) fn row(connection: &Connection, report: &Report, places: &Places<'_>) -> ConnectionRow {
    let found: Vec<&model::Finding> = connection
        .findings
        .iter()
        .take(limits::PAGE_CAUSES)
        .filter_map(|id| report.findings.get(*id))
        .collect();
    let frames = |frames: &model::Frames| {
        [
            frames.text,
            frames.binary,
            frames.continuation,
            frames.ping,
            frames.pong,
            frames.close,
            frames.reserved,
        ]
        .iter()
        .fold(0u64, |sum, n| sum.saturating_add(*n))
    };
    let mut keys = Keys::default();
    found.iter().for_each(|finding| keys.finding(finding));
    keys.connection(connection);
    ConnectionRow {
        id: connection.id,
        anchor: places.anchor(connection.id),
        client: connection.client.to_string(),
        server: connection.server.to_string(),
        target: connection
            .request
            .as_ref()
            .map_or(String::new(), |request| escape::terminal_at_most(&request.target, 80)),
        role: match (connection.same_as, connection.role) {
            (Some(first), _) => format!("the same as {first}, before or after address translation"),
            (None, role) => role.replace('-', " "),
        },
        outcome: match &connection.response {
            Some(response) if connection.outcome == "rejected" => format!("rejected {}", response.status),
            _ => connection.outcome.to_owned(),
        },
        end: note(connection),
        by: connection.closes.first().map(|close| close.from).or(connection.end.by).unwrap_or(""),
        duration: duration(connection),
        frames: connection
            .frames
            .as_ref()
            .map_or(String::new(), |both| format!("{} / {}", frames(&both.client), frames(&both.server))),
        severity: worst(&found),
        keys,
    }
}

fn duration(connection: &Connection) -> String {
    seconds(connection.ended.seconds_since(connection.started).max(0.0))
}

fn worst(findings: &[&model::Finding]) -> &'static str {
    let severities = ["error", "warning", "info"].into_iter();
    severities.into_iter().find(|s| findings.iter().any(|finding| finding.severity == *s)).unwrap_or("")
}
