//! What stands on the page, ready to be written down by the template.

use super::causes::{Cause, causes};
use super::changes::{Hop, hops};
use super::keys::choices;
use super::manual::{Part, Span};
use super::places::Places;
use super::sessions::{ConnectionRow, SessionView, row, session_view};
use super::svg::{self, TimelinePicture};
use super::{SCRIPT, STYLE, policy};
use crate::limits;
use crate::report::escape;
use crate::report::ladder::sessions;
use crate::report::model::{self, Report};
use crate::report::timeline::{Timeline, text::seconds};
use askama::Template;
use std::collections::HashMap;

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
    unreadable: &'a [model::UnreadableCapture],
    severities: Vec<&'static str>,
    pub(super) endpoints: Vec<String>,
    pub(super) codes: Vec<(String, String)>,
}

struct Verdict {
    class: &'static str,
    text: String,
}

impl<'a> Page<'a> {
    pub(super) fn new(report: &'a Report) -> Page<'a> {
        let sessions = sessions(report);
        let places = Places::new(report, &sessions);
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
        let begins = report.captures.iter().filter_map(|c| c.first).min();
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
            timeline: svg::timeline(&Timeline::of(report), begins),
            not_drawn: sessions.len().saturating_sub(views.len()),
            sessions: views,
            rows,
            total_connections: report.connections.len(),
            captures: &report.captures,
            unreadable: &report.quality.captures_unreadable,
            severities,
            endpoints,
            codes,
            causes,
        }
    }
}

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
    let first = report.captures.iter().filter_map(|capture| capture.first).min();
    let last = report.captures.iter().filter_map(|capture| capture.last).max();
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

fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
