//! Findings grouped by cause, as the page tells them.

use super::changes::{Change, changes};
use super::keys::Keys;
use super::manual::{Section, sections};
use super::places::Places;
use crate::limits;
use crate::report::escape;
use crate::report::model::{Connection, Finding, Report};
use crate::report::times::Times;
use crate::rules::RULES;
use std::collections::{BTreeMap, HashMap};

/// Findings of one cause.
pub(super) struct Cause {
    pub(super) anchor: String,
    pub(super) severity: &'static str,
    pub(super) code: &'static str,
    pub(super) rule: &'static str,
    pub(super) title: String,
    pub(super) count: usize,
    pub(super) who: String,
    pub(super) confidence: &'static str,
    pub(super) help: String,
    pub(super) reference: &'static str,
    pub(super) manual: Vec<Section>,
    /// Why it does not count.
    pub(super) suppressed: Option<String>,
    pub(super) cases: Vec<Case>,
    pub(super) more: usize,
    /// Of all its findings, for the filters.
    pub(super) keys: Keys,
    /// Ids of its findings.
    pub(super) findings: Vec<usize>,
}

/// One finding.
pub(super) struct Case {
    pub(super) place: String,
    pub(super) when: String,
    pub(super) packet: String,
    pub(super) message: String,
    pub(super) changes: Vec<Change>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) more_evidence: usize,
    pub(super) consequences: Vec<Consequence>,
    pub(super) filters: Vec<Filter>,
    /// The session's place on the page, where it has one.
    pub(super) session: Option<String>,
    pub(super) keys: Keys,
}

pub(super) struct Evidence {
    pub(super) packet: String,
    pub(super) text: String,
}

pub(super) struct Consequence {
    pub(super) code: &'static str,
    pub(super) title: String,
    pub(super) packet: u64,
}

/// What to type into Wireshark.
pub(super) struct Filter {
    /// The capture, where there are several.
    pub(super) capture: Option<String>,
    pub(super) text: String,
}

/// The causes, the gravest first, then by first packet.
pub(super) fn causes(report: &Report, places: &Places<'_>) -> Vec<Cause> {
    let mut groups: HashMap<CauseKey<'_>, Vec<&Finding>> = HashMap::new();
    for finding in &report.findings {
        groups.entry(key(finding)).or_default().push(finding);
    }
    let mut groups: Vec<Vec<&Finding>> = groups.into_values().collect();
    let gravity = |severity: &str| ["error", "warning", "info"].iter().position(|s| *s == severity);
    groups.sort_by_key(|group| {
        let worst = group.iter().filter_map(|finding| gravity(finding.severity)).min();
        let counts = group.iter().any(|finding| finding.suppressed.is_none());
        (!counts, worst, group.iter().map(|finding| finding.id).min())
    });
    groups.truncate(limits::PAGE_CAUSES);
    groups.iter().enumerate().filter_map(|(n, group)| cause(n, group, report, places)).collect()
}

/// What findings of one cause have in common: rule, title, who must mend it, and whether it counts.
type CauseKey<'a> = (&'static str, &'a str, &'static str, bool);

fn key(finding: &Finding) -> CauseKey<'_> {
    (finding.code, &finding.title, finding.blame, finding.suppressed.is_some())
}

fn cause(n: usize, group: &[&Finding], report: &Report, places: &Places<'_>) -> Option<Cause> {
    let first = group.first()?;
    let rule = RULES.iter().find(|rule| rule.code == first.code);
    let severity =
        ["error", "warning", "info"].into_iter().find(|s| group.iter().any(|f| f.severity == *s))?;
    let sure = ["certain", "likely", "possible"].into_iter();
    let confidence = sure.into_iter().find(|c| group.iter().any(|f| f.confidence == *c))?;
    Some(Cause {
        anchor: format!("cause-{}", n + 1),
        severity,
        code: first.code,
        rule: first.rule,
        title: escape::terminal_at_most(&first.title, TEXT),
        count: group.len(),
        who: who(first),
        confidence,
        help: escape::terminal_at_most(&first.help, TEXT),
        reference: rule.map_or("", |rule| rule.reference),
        manual: rule.map(|rule| sections(rule)).unwrap_or_default(),
        suppressed: first.suppressed.as_ref().map(|suppressed| {
            format!("{}: {}", suppressed.kind, escape::terminal_at_most(&suppressed.justification, TEXT))
        }),
        cases: group.iter().take(CASES).map(|finding| case(finding, report, places)).collect(),
        more: group.len().saturating_sub(CASES),
        keys: keys(group.iter().copied(), report),
        findings: group.iter().map(|finding| finding.id).collect(),
    })
}

/// `client spoke, gateway must mend it`.
fn who(finding: &Finding) -> String {
    let blame = match finding.blame {
        "none" => "nobody must mend it",
        "unknown" => "who must mend it is not known",
        "capture" => "the capture is at fault",
        blame => {
            return match finding.origin {
                Some(origin) => format!("{origin} spoke, {blame} must mend it"),
                None => format!("{blame} must mend it"),
            };
        }
    };
    match finding.origin {
        Some(origin) => format!("{origin} spoke, {blame}"),
        None => blame.to_owned(),
    }
}

fn case(finding: &Finding, report: &Report, places: &Places<'_>) -> Case {
    let session = finding.connection.and_then(|id| places.session(id));
    let pairs = session.into_iter().flat_map(|session| session.pairs());
    let concerned = pairs.filter_map(|index| report.leg_pairs.get(index)).filter(|pair| {
        let about = |id: &usize| *id == pair.client_leg || *id == pair.upstream_leg;
        // Only what concerns both legs is explained by what differs between them.
        finding.connection.iter().chain(&finding.related).filter(|id| about(id)).count() > 1
    });
    Case {
        place: finding.connection.map_or(String::from("the capture as a whole"), |id| places.path(id)),
        when: Times::Relative.show(places.begins(finding.capture), finding.time),
        packet: places.packet(finding.capture, finding.packet),
        message: escape::terminal_at_most(&finding.message, TEXT),
        changes: concerned.flat_map(changes).collect(),
        evidence: finding
            .evidence
            .iter()
            .take(EVIDENCE)
            .map(|evidence| Evidence {
                packet: places.packet(evidence.capture, evidence.packet),
                text: escape::terminal_at_most(&evidence.text, TEXT),
            })
            .collect(),
        more_evidence: finding.evidence.len().saturating_sub(EVIDENCE),
        consequences: finding
            .consequences
            .iter()
            .take(EVIDENCE)
            .map(|c| Consequence { code: c.code, title: c.title.clone(), packet: c.packet })
            .collect(),
        filters: filters(finding, report, places),
        session: finding.connection.and_then(|id| places.anchor(id)),
        keys: keys(std::iter::once(finding), report),
    }
}

/// One filter a capture, for all connections that the finding is about.
fn filters(finding: &Finding, report: &Report, places: &Places<'_>) -> Vec<Filter> {
    let mut streams: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for connection in finding.connection.iter().chain(&finding.related).take(RELATED) {
        let Some(connection) = report.connections.get(*connection) else { continue };
        let filter = wireshark(connection);
        let of = streams.entry(connection.capture).or_default();
        if !of.contains(&filter) {
            of.push(filter);
        }
    }
    streams
        .into_iter()
        .map(|(capture, filters)| Filter { capture: places.capture(capture), text: filters.join(" or ") })
        .collect()
}

/// Shows one connection in Wireshark.
pub(super) fn wireshark(connection: &Connection) -> String {
    match connection.stream_id {
        None => format!("tcp.stream eq {}", connection.tcp_stream),
        Some(stream) => format!("(tcp.stream eq {} and http2.streamid eq {stream})", connection.tcp_stream),
    }
}

fn keys<'a>(findings: impl Iterator<Item = &'a Finding>, report: &Report) -> Keys {
    let mut keys = Keys::default();
    for finding in findings.take(limits::PAGE_SESSIONS) {
        keys.finding(finding);
        for connection in finding.connection.iter().chain(&finding.related) {
            if let Some(connection) = report.connections.get(*connection) {
                keys.connection(connection);
            }
        }
    }
    keys
}

/// Bounds on what one place shows; more is counted.
const CASES: usize = 5;
const EVIDENCE: usize = 24;
const RELATED: usize = 6;
const TEXT: usize = 2_000;
