//! Where things are: what the page calls sessions, packets and captures, and which sessions have room on it.

use crate::limits;
use crate::report::escape;
use crate::report::ladder::Session;
use crate::report::model::{Connection, Report};
use crate::time::Timestamp;
use std::collections::{BTreeSet, HashMap};

/// Says where things are.
pub(super) struct Places<'a> {
    report: &'a Report,
    sessions: &'a [Session],
    /// By connection, the index of its session.
    of: HashMap<usize, usize>,
    /// Sessions that have a place on the page.
    pub(super) shown: BTreeSet<usize>,
}

impl<'a> Places<'a> {
    pub(super) fn new(report: &'a Report, sessions: &'a [Session]) -> Places<'a> {
        let of = sessions
            .iter()
            .enumerate()
            .flat_map(|(index, session)| session.legs.iter().map(move |leg| (leg.connection, index)))
            .collect();
        Places { report, sessions, of, shown: worth_a_ladder(report, sessions) }
    }

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
            legs.filter_map(|leg| self.report.connections.get(leg.connection)).map(Box::as_ref).collect();
        let Some(first) = connections.first() else { return String::new() };
        let mut path = first.client.to_string();
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
        self.report.captures.get(usize::from(capture))?.first
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

const TARGET: usize = 300;
