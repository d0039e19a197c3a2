//! Equal faults counted together, in bounded memory: a capture may hold a million of them.

use crate::capture::{PacketId, Seen};
use crate::connection::Connection;
use crate::limits;
use crate::net::Endpoint;
use crate::report::{Secrets, convert};
use crate::rules::{self, Blame, CauseKey, Confidence, Evidence, Finding, Origin, Rule, Severity};
use std::collections::HashMap;

/// Findings of one cause.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) rule: &'static Rule,
    /// The gravest of its findings'.
    pub(super) severity: Severity,
    /// The surest of its findings'.
    pub(super) confidence: Confidence,
    pub(super) origin: Option<Origin>,
    pub(super) blame: Blame,
    pub(super) title: String,
    pub(super) help: String,
    /// How many findings.
    pub(super) count: u64,
    /// The earliest of them, by packet; at least one, at most [`limits::REPORT_EXAMPLES`].
    pub(super) examples: Vec<Example>,
}

/// One finding as it is shown.
#[derive(Clone, Debug)]
pub(super) struct Example {
    pub(super) seen: Seen,
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
    pub(super) target: Option<String>,
    pub(super) capture: u16,
    pub(super) stream: u32,
    pub(super) message: String,
    pub(super) evidence: Vec<Evidence>,
    pub(super) consequences: Vec<Consequence>,
}

/// What followed from a finding.
#[derive(Clone, Debug)]
pub(super) struct Consequence {
    pub(super) code: &'static str,
    pub(super) title: String,
    pub(super) packet: PacketId,
}

/// All groups, at most [`limits::REPORT_GROUPS`] of them; the least grave give way.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_cause: HashMap<CauseKey, Group>,
    total: BySeverity,
    untold: u64,
}

/// Counts by severity.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct BySeverity([u64; 3]);

impl Groups {
    /// Takes one finding about a connection.
    pub(super) fn add(&mut self, connection: &Connection, finding: Finding, secrets: Secrets) {
        self.total.count(finding.severity);
        let cause = rules::cause_key(&finding, connection);
        if let Some(group) = self.by_cause.get_mut(&cause) {
            group.count = group.count.saturating_add(1);
            group.severity = group.severity.max(finding.severity);
            group.confidence = group.confidence.max(finding.confidence);
            let place = group.examples.partition_point(|e| e.seen.packet <= finding.seen.packet);
            if place < limits::REPORT_EXAMPLES {
                group.examples.insert(place, Example::new(connection, finding, secrets));
                group.examples.truncate(limits::REPORT_EXAMPLES);
            }
        } else if self.has_room_for(finding.severity) {
            self.by_cause.insert(cause, Group::new(connection, finding, secrets));
        } else {
            self.untold = self.untold.saturating_add(1);
        }
    }

    /// Gravest first, then by first packet.
    pub(super) fn in_order(self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.by_cause.into_values().collect();
        groups.sort_by(|a, b| {
            let place = |g: &Group| (std::cmp::Reverse(g.severity), g.first(), g.rule.code);
            place(a).cmp(&place(b)).then_with(|| a.title.cmp(&b.title))
        });
        groups
    }

    /// Every finding that was taken, told or not.
    pub(super) fn total(&self) -> BySeverity {
        self.total
    }

    /// Findings in no group, for want of room.
    pub(super) fn untold(&self) -> u64 {
        self.untold
    }

    /// Room for one more group, made where only less grave ones are in the way.
    fn has_room_for(&mut self, severity: Severity) -> bool {
        if self.by_cause.len() < limits::REPORT_GROUPS {
            return true;
        }
        if severity == Severity::Info {
            return false;
        }
        let least = self.by_cause.iter().min_by_key(|(_, g)| (g.severity, std::cmp::Reverse(g.first())));
        let Some((cause, _)) = least.filter(|(_, group)| group.severity < severity) else { return false };
        let cause = cause.clone();
        if let Some(group) = self.by_cause.remove(&cause) {
            self.untold = self.untold.saturating_add(group.count);
        }
        true
    }
}

impl Group {
    fn new(connection: &Connection, mut finding: Finding, secrets: Secrets) -> Group {
        Group {
            rule: finding.rule,
            severity: finding.severity,
            confidence: finding.confidence,
            origin: finding.origin,
            blame: finding.blame,
            title: std::mem::take(&mut finding.title),
            help: std::mem::take(&mut finding.help),
            count: 1,
            examples: vec![Example::new(connection, finding, secrets)],
        }
    }

    fn first(&self) -> Option<PacketId> {
        self.examples.first().map(|e| e.seen.packet)
    }
}

impl Example {
    fn new(connection: &Connection, finding: Finding, secrets: Secrets) -> Example {
        let target = connection.request.as_ref().map(|r| convert::target(&r.head.target, secrets));
        Example {
            seen: finding.seen,
            client: connection.tcp.client,
            server: connection.tcp.server,
            target,
            capture: connection.tcp.capture,
            stream: connection.tcp.stream,
            message: finding.message,
            evidence: finding.evidence,
            consequences: finding
                .consequences
                .into_iter()
                .map(|f| Consequence { code: f.rule.code, title: f.title, packet: f.seen.packet })
                .collect(),
        }
    }
}

impl BySeverity {
    fn count(&mut self, severity: Severity) {
        let slot = &mut self.0[severity as usize];
        *slot = slot.saturating_add(1);
    }

    /// How many of one severity.
    pub(super) fn of(self, severity: Severity) -> u64 {
        self.0[severity as usize]
    }

    /// How many in all.
    pub(super) fn sum(self) -> u64 {
        self.0.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }
}
