//! Findings grouped by cause, as the page tells them.

use super::manual::{Section, sections};
use super::page::{Change, changes};
use crate::limits;
use crate::report::escape;
use crate::report::ladder::Session;
use crate::report::model::{Connection, Finding, Report};
use crate::report::times::Times;
use crate::rules::RULES;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

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

/// By what something is filtered; words apart by spaces.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) severities: String,
    pub(super) endpoints: String,
    pub(super) codes: String,
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
        when: Timestamp::parse(&finding.time)
            .map_or(String::new(), |at| Times::Relative.show(places.begins(finding.capture), at)),
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
    let (mut severities, mut endpoints, mut codes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for finding in findings.take(limits::PAGE_SESSIONS) {
        severities.insert(finding.severity);
        codes.insert(finding.code.to_owned());
        for connection in finding.connection.iter().chain(&finding.related) {
            let Some(connection) = report.connections.get(*connection) else { continue };
            endpoints.insert(connection.server.clone());
            codes.extend(codes_of(connection));
        }
    }
    Keys {
        severities: severities.into_iter().collect::<Vec<_>>().join(" "),
        endpoints: endpoints.into_iter().collect::<Vec<_>>().join(" "),
        codes: codes.into_iter().collect::<Vec<_>>().join(" "),
    }
}

/// `close-1010` and `status-502`, as the filters know them.
pub(super) fn codes_of(connection: &Connection) -> impl Iterator<Item = String> + '_ {
    let closes = connection.closes.iter().filter_map(|close| close.code);
    let status = connection.response.iter().map(|response| format!("status-{}", response.status));
    closes.map(|code| format!("close-{code}")).chain(status)
}

/// Says where things are.
pub(super) struct Places<'a> {
    pub(super) report: &'a Report,
    pub(super) sessions: &'a [Session],
    /// By connection, the index of its session.
    pub(super) of: HashMap<usize, usize>,
    /// Sessions that have a place on the page.
    pub(super) shown: BTreeSet<usize>,
}

impl Places<'_> {
    pub(super) fn session(&self, connection: usize) -> Option<&Session> {
        self.sessions.get(*self.of.get(&connection)?)
    }

    /// `session-3`, by the id of its first connection.
    pub(super) fn anchor(&self, connection: usize) -> Option<String> {
        let index = self.of.get(&connection).filter(|index| self.shown.contains(index))?;
        self.sessions.get(*index).map(|session| format!("session-{}", session.client_leg()))
    }

    /// `10.0.0.5:51234 → 10.0.0.9:80 → 10.1.0.7:8080 /chat`.
    pub(super) fn path(&self, connection: usize) -> String {
        let Some(session) = self.session(connection) else { return String::new() };
        let legs = session.legs.iter().filter(|leg| !leg.attempt);
        let connections: Vec<&Connection> =
            legs.filter_map(|leg| self.report.connections.get(leg.connection)).collect();
        let Some(first) = connections.first() else { return String::new() };
        let mut path = first.client.clone();
        for connection in &connections {
            path.push_str(&format!(" → {}", connection.server));
        }
        if let Some(request) = &first.request {
            path.push_str(&format!(" {}", escape::terminal_at_most(&request.target, TARGET)));
        }
        path
    }

    /// `packet 17`, with several captures `packet 17 of edge.pcap`.
    pub(super) fn packet(&self, capture: u16, packet: u64) -> String {
        match self.capture(capture) {
            Some(name) => format!("packet {packet} of {name}"),
            None => format!("packet {packet}"),
        }
    }

    /// The name of a capture, where there are several.
    pub(super) fn capture(&self, capture: u16) -> Option<String> {
        let path = &self.report.captures.get(usize::from(capture))?.path;
        let name = path.rsplit(['/', '\\']).next().filter(|name| !name.is_empty()).unwrap_or(path);
        (self.report.captures.len() > 1).then(|| escape::terminal_at_most(name, 60))
    }

    pub(super) fn begins(&self, capture: u16) -> Option<Timestamp> {
        let capture = self.report.captures.get(usize::from(capture))?;
        capture.first.as_deref().and_then(Timestamp::parse)
    }
}

/// Bounds on what one place shows; more is counted.
const CASES: usize = 5;
const EVIDENCE: usize = 24;
const RELATED: usize = 6;
const TEXT: usize = 2_000;
const TARGET: usize = 300;
