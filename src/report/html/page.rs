//! What stands on the page, ready to be written down by the template.

use super::causes::{Cause, Keys, Places, causes, codes_of, wireshark};
use super::manual::{Part, Span};
use super::svg::{self, LadderPicture, TimelinePicture};
use super::{SCRIPT, STYLE, policy};
use crate::limits;
use crate::report::escape;
use crate::report::ladder::{Ladder, Session, sessions, spelled};
use crate::report::model::{self, Connection, Report};
use crate::report::timeline::{Timeline, note, text::seconds};
use crate::time::Timestamp;
use askama::Template;
use std::collections::{BTreeSet, HashMap};

/// The page.
#[derive(Template)]
#[template(path = "page.html")]
pub(super) struct Page<'a> {
    content_policy: String,
    style: &'static str,
    script: &'static str,
    title: String,
    version: &'static str,
    verdict: Verdict,
    facts: Vec<(String, String)>,
    hops: Vec<Hop>,
    more_hops: usize,
    pub(super) causes: Vec<Cause>,
    /// How many of them count; they come first.
    counted: usize,
    demands: &'a [model::Demand],
    timeline: Option<TimelinePicture>,
    sessions: Vec<SessionView>,
    rows: Vec<ConnectionRow>,
    total_connections: usize,
    not_drawn: usize,
    captures: &'a [model::Capture],
    severities: Vec<&'static str>,
    pub(super) endpoints: Vec<String>,
    pub(super) codes: Vec<(String, String)>,
}

struct Verdict {
    class: &'static str,
    text: String,
}

/// What a gateway did, in one sentence.
struct Hop {
    gateway: String,
    did: &'static str,
    what: String,
    rest: String,
    count: usize,
}

/// Something that is not the same on both legs.
pub(super) struct Change {
    pub(super) field: String,
    pub(super) place: &'static str,
    pub(super) client_leg: Option<String>,
    pub(super) upstream_leg: Option<String>,
    /// `removed by the gateway`.
    pub(super) verb: &'static str,
}

struct SessionView {
    anchor: String,
    id: usize,
    path: String,
    severity: &'static str,
    outcome: String,
    facts: Vec<(&'static str, String)>,
    findings: Vec<(String, &'static str, String)>,
    pairs: Vec<PairView>,
    filters: Vec<(Option<String>, String)>,
    ladder: LadderPicture,
    keys: Keys,
}

struct PairView {
    gateway: String,
    matched: String,
    changes: Vec<Change>,
}

struct ConnectionRow {
    id: usize,
    anchor: Option<String>,
    client: String,
    server: String,
    target: String,
    role: &'static str,
    outcome: String,
    end: String,
    by: &'static str,
    duration: String,
    frames: String,
    severity: &'static str,
    keys: Keys,
}

impl<'a> Page<'a> {
    pub(super) fn new(report: &'a Report) -> Page<'a> {
        let sessions = sessions(report);
        let of: HashMap<usize, usize> = sessions
            .iter()
            .enumerate()
            .flat_map(|(index, session)| session.legs.iter().map(move |leg| (leg.connection, index)))
            .collect();
        let shown = worth_a_ladder(report, &sessions);
        let places = Places { report, sessions: &sessions, of, shown };
        let causes = causes(report, &places);
        let by_finding: HashMap<usize, &Cause> =
            causes.iter().flat_map(|cause| cause.findings.iter().map(move |id| (*id, cause))).collect();
        let views: Vec<SessionView> = places
            .shown
            .iter()
            .filter_map(|index| sessions.get(*index))
            .map(|session| session_view(session, report, &places, &by_finding))
            .collect();
        let rows: Vec<ConnectionRow> = report
            .connections
            .iter()
            .take(limits::PAGE_CONNECTIONS)
            .map(|connection| row(connection, report, &places))
            .collect();
        let (hops, more_hops) = hops(report);
        let begins =
            report.captures.iter().filter_map(|c| c.first.as_deref().and_then(Timestamp::parse)).min();
        let (severities, endpoints, codes) = choices(report);
        Page {
            content_policy: policy(),
            style: STYLE,
            script: SCRIPT,
            title: title(report),
            version: report.tool.version,
            verdict: verdict(report),
            facts: facts(report),
            hops,
            more_hops,
            counted: causes.iter().filter(|cause| cause.suppressed.is_none()).count(),
            demands: report.policy.as_deref().unwrap_or_default(),
            timeline: svg::timeline(&Timeline::of(&report.connections), begins),
            not_drawn: sessions.len().saturating_sub(views.len()),
            sessions: views,
            rows,
            total_connections: report.connections.len(),
            captures: &report.captures,
            severities,
            endpoints,
            codes,
            causes,
        }
    }
}

/// Sessions with findings first, then the others, as far as there is room; told in their own order.
fn worth_a_ladder(report: &Report, sessions: &[Session]) -> BTreeSet<usize> {
    let gravity = |session: &Session| {
        let severities = session.legs.iter().filter_map(|leg| report.connections.get(leg.connection));
        let findings = severities.flat_map(|connection| &connection.findings);
        let worst =
            findings.filter_map(|id| report.findings.get(*id)).map(|finding| match finding.severity {
                "error" => 0,
                "warning" => 1,
                _ => 2,
            });
        worst.min().unwrap_or(3)
    };
    let mut ranked: Vec<(usize, usize)> =
        sessions.iter().enumerate().map(|(index, session)| (gravity(session), index)).collect();
    ranked.sort_unstable();
    ranked.truncate(limits::PAGE_SESSIONS);
    // Without a finding there is little to see: of those, a few.
    let faultless =
        ranked.iter().filter(|(gravity, _)| *gravity == 3).map(|(_, index)| *index).take(FAULTLESS);
    let faulty = ranked.iter().filter(|(gravity, _)| *gravity < 3).map(|(_, index)| *index);
    faulty.chain(faultless).collect()
}

/// Sessions without a finding that are drawn.
const FAULTLESS: usize = 10;

fn title(report: &Report) -> String {
    let name = |path: &str| {
        let name = path.rsplit(['/', '\\']).next().filter(|name| !name.is_empty()).unwrap_or(path);
        if name == "-" { String::from("standard input") } else { escape::terminal_at_most(name, 80) }
    };
    match report.captures.as_slice() {
        [] => String::from("no capture"),
        [one] => name(&one.path),
        [first, rest @ ..] => format!(
            "{} and {}",
            name(&first.path),
            plural(rest.len() as u64, "more capture", "more captures")
        ),
    }
}

fn verdict(report: &Report) -> Verdict {
    let counts = report.totals.findings;
    let connections = report.totals.websocket_connections;
    let mut told = Vec::new();
    if counts.error > 0 {
        told.push(plural(counts.error, "error", "errors"));
    }
    if counts.warning > 0 {
        told.push(plural(counts.warning, "warning", "warnings"));
    }
    if counts.info > 0 {
        told.push(format!("{} info", counts.info));
    }
    let within = plural(connections, "WebSocket connection", "WebSocket connections");
    let class = match (counts.error, counts.warning, counts.info) {
        (1.., _, _) => "error",
        (_, 1.., _) => "warning",
        (_, _, 1..) => "info",
        _ => "fine",
    };
    let text = match (told.is_empty(), connections) {
        (false, _) => format!("{} in {within}", told.join(", ")),
        (true, 0) => String::from("No WebSocket handshake or frame was seen"),
        (true, _) => format!("Nothing found in {within}"),
    };
    Verdict { class, text }
}

fn facts(report: &Report) -> Vec<(String, String)> {
    let totals = &report.totals;
    let times = |f: fn(&model::Capture) -> Option<&str>| {
        report.captures.iter().filter_map(f).filter_map(Timestamp::parse)
    };
    let first = times(|capture| capture.first.as_deref()).min();
    let last = times(|capture| capture.last.as_deref()).max();
    let mut facts = Vec::new();
    if let (Some(first), Some(last)) = (first, last) {
        let text = first.to_string();
        let second = text.split('.').next().unwrap_or(&text).replace('T', " ");
        facts.push((
            String::from("Captured"),
            format!("{second} UTC, {}", seconds(last.seconds_since(first).max(0.0))),
        ));
    }
    let mut add = |name: &str, value: String| facts.push((name.to_owned(), value));
    add("Packets", totals.packets.to_string());
    add(
        "TCP connections",
        match totals.tls_connections {
            0 => totals.tcp_connections.to_string(),
            tls => format!("{} ({tls} TLS, {} opened)", totals.tcp_connections, totals.tls_decrypted),
        },
    );
    add("WebSocket connections", totals.websocket_connections.to_string());
    for (name, count) in [
        ("Established", totals.established),
        ("Rejected", totals.rejected),
        ("Unanswered", totals.unanswered),
    ] {
        if count > 0 {
            add(name, count.to_string());
        }
    }
    facts
}

/// What gateways did to fields that decide about a session, the most frequent first.
fn hops(report: &Report) -> (Vec<Hop>, usize) {
    let mut hops: Vec<Hop> = Vec::new();
    let mut places: HashMap<(String, &'static str, String, String), usize> = HashMap::new();
    for pair in &report.leg_pairs {
        for change in changes(pair) {
            if !DECIDING.contains(&change.field.to_ascii_lowercase().as_str()) {
                continue;
            }
            let (did, rest) = match change.verb {
                "removed" => ("removed", format!("from the {}", change.place)),
                "added" => ("added", format!("to the {}", change.place)),
                _ => ("changed", format!("in the {}", change.place)),
            };
            let key = (pair.gateway.clone(), did, change.field.clone(), rest.clone());
            if places.len() >= limits::PAGE_CAUSES && !places.contains_key(&key) {
                continue;
            }
            let place = *places.entry(key).or_insert_with(|| {
                hops.push(Hop { gateway: pair.gateway.clone(), did, what: change.field, rest, count: 0 });
                hops.len() - 1
            });
            hops[place].count += 1;
        }
    }
    hops.sort_by_key(|hop| std::cmp::Reverse(hop.count));
    let more = hops.len().saturating_sub(HOPS);
    hops.truncate(HOPS);
    (hops, more)
}

/// Fields that a gateway has to pass on; others it writes anew as a matter of course.
const DECIDING: [&str; 7] = [
    "sec-websocket-extensions",
    "sec-websocket-protocol",
    "upgrade",
    "connection",
    "origin",
    "status",
    "close frame",
];
const HOPS: usize = 5;

/// What differs between two legs, in the direction in which it travelled.
pub(super) fn changes(pair: &model::LegPair) -> impl Iterator<Item = Change> + '_ {
    pair.changes.iter().map(|change| {
        let towards_upstream = matches!(change.place, "request" | "client-close");
        let (before, after) = match towards_upstream {
            true => (&change.client_leg, &change.upstream_leg),
            false => (&change.upstream_leg, &change.client_leg),
        };
        let shown =
            |value: &Option<String>| value.as_ref().map(|value| escape::terminal_at_most(value, VALUE));
        Change {
            field: match change.field {
                "target" => String::from("Target"),
                "http-version" => String::from("HTTP version"),
                "status" => String::from("Status"),
                "close" => String::from("Close frame"),
                field => spelled(field),
            },
            place: match change.place {
                "request" => "request",
                "response" => "answer",
                "client-close" => "client's close",
                _ => "server's close",
            },
            client_leg: shown(&change.client_leg),
            upstream_leg: shown(&change.upstream_leg),
            verb: match (before, after) {
                (Some(_), None) => "removed",
                (None, Some(_)) => "added",
                _ => "changed",
            },
        }
    })
}

const VALUE: usize = 300;

fn session_view(
    session: &Session,
    report: &Report,
    places: &Places<'_>,
    causes: &HashMap<usize, &Cause>,
) -> SessionView {
    let id = session.client_leg();
    let connections: Vec<&Connection> =
        session.legs.iter().filter_map(|leg| report.connections.get(leg.connection)).collect();
    let ids: BTreeSet<usize> =
        connections.iter().flat_map(|c| c.findings.iter().take(limits::PAGE_CAUSES).copied()).collect();
    let found: Vec<&model::Finding> = ids.iter().filter_map(|id| report.findings.get(*id)).collect();
    let first = connections.first();
    let mut keys = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for finding in &found {
        keys.0.insert(finding.severity.to_owned());
        keys.2.insert(finding.code.to_owned());
    }
    for connection in &connections {
        keys.1.insert(connection.server.clone());
        keys.2.extend(codes_of(connection));
    }
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
        keys: Keys { severities: join(keys.0), endpoints: join(keys.1), codes: join(keys.2) },
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

fn row(connection: &Connection, report: &Report, places: &Places<'_>) -> ConnectionRow {
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
    let severities: BTreeSet<String> = found.iter().map(|finding| finding.severity.to_owned()).collect();
    let codes: BTreeSet<String> =
        found.iter().map(|finding| finding.code.to_owned()).chain(codes_of(connection)).collect();
    ConnectionRow {
        id: connection.id,
        anchor: places.anchor(connection.id),
        client: connection.client.clone(),
        server: connection.server.clone(),
        target: connection
            .request
            .as_ref()
            .map_or(String::new(), |request| escape::terminal_at_most(&request.target, 80)),
        role: match connection.role {
            "client-leg" => "client leg",
            "upstream-leg" => "upstream leg",
            role => role,
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
        keys: Keys { severities: join(severities), endpoints: connection.server.clone(), codes: join(codes) },
    }
}

fn duration(connection: &Connection) -> String {
    match (Timestamp::parse(&connection.started), Timestamp::parse(&connection.ended)) {
        (Some(started), Some(ended)) => seconds(ended.seconds_since(started).max(0.0)),
        _ => String::new(),
    }
}

/// What can be chosen in the filters: severities, endpoints and codes that there are.
fn choices(report: &Report) -> (Vec<&'static str>, Vec<String>, Vec<(String, String)>) {
    let severities =
        ["error", "warning", "info"].into_iter().filter(|s| report.findings.iter().any(|f| f.severity == *s));
    let mut endpoints = BTreeSet::new();
    let mut codes: BTreeSet<String> = BTreeSet::new();
    for connection in &report.connections {
        if endpoints.len() < limits::PAGE_CHOICES {
            endpoints.insert(connection.server.clone());
        }
        if codes.len() < limits::PAGE_CHOICES {
            codes.extend(codes_of(connection));
        }
    }
    codes.extend(report.findings.iter().map(|finding| finding.code.to_owned()));
    let shown = |code: String| {
        let text = match code.split_once('-') {
            Some(("close", number)) => format!("Close {number}"),
            Some(("status", number)) => format!("Status {number}"),
            _ => code.clone(),
        };
        (code, text)
    };
    (severities.collect(), endpoints.into_iter().collect(), codes.into_iter().map(shown).collect())
}

fn worst(findings: &[&model::Finding]) -> &'static str {
    let severities = ["error", "warning", "info"].into_iter();
    severities.into_iter().find(|s| findings.iter().any(|finding| finding.severity == *s)).unwrap_or("")
}

fn join(words: BTreeSet<String>) -> String {
    words.into_iter().collect::<Vec<_>>().join(" ")
}

fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
