//! Equal faults counted together, in bounded memory: a capture may hold a million of them.

use crate::capture::{PacketId, Seen};
use crate::connection::Connection;
use crate::limits;
use crate::net::Endpoint;
use crate::report::{Secrets, convert};
use crate::rules::{
    self, Blame, CauseKey, Confidence, Evidence, Finding, Origin, Rule, Severity, Suppressed,
};
use foldhash::quality::RandomState;
use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

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
    pub(super) title: Cow<'static, str>,
    pub(super) help: Cow<'static, str>,
    /// Why its findings do not count, where they do not.
    pub(super) suppressed: Option<Suppressed>,
    /// How many findings.
    pub(super) count: u64,
    /// How many servers they are about; at most [`limits::REPORT_SERVERS`] are counted.
    pub(super) servers: HashSet<Endpoint, RandomState>,
    /// The earliest of them, by packet; at least one, at most [`limits::REPORT_EXAMPLES`].
    pub(super) examples: Vec<Example>,
}

/// One finding as it is shown.
#[derive(Clone, Debug)]
pub(super) struct Example {
    pub(super) seen: Seen,
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
    /// Where the server is a gateway whose other leg was captured, and the finding is about both: what stands behind it.
    pub(super) upstream: Option<Upstream>,
    pub(super) target: Option<String>,
    pub(super) capture: u16,
    pub(super) stream: u32,
    pub(super) message: String,
    pub(super) evidence: Vec<Evidence>,
    pub(super) consequences: Vec<Consequence>,
}

/// What stands behind a gateway.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upstream {
    pub(super) server: Endpoint,
    /// Capture and `tcp.stream` of the connection to it.
    pub(super) stream: (u16, u32),
}

/// What followed from a finding.
#[derive(Clone, Debug)]
pub(super) struct Consequence {
    pub(super) code: &'static str,
    pub(super) title: Cow<'static, str>,
    pub(super) packet: PacketId,
}

/// All groups. A fault is told once for each server that has it; where more than [`limits::REPORT_PER_SERVER`] have
/// it, once for all of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    /// By server, at most [`limits::REPORT_GROUPS`] of them.
    by_cause: HashMap<CauseKey, Group, RandomState>,
    /// Of any server: what found no place in the above. As many as there are kinds of fault.
    beyond: HashMap<CauseKey, Group, RandomState>,
    /// How many the latter are; there are no more kinds of fault than rules and statuses, and no more than the bound.
    kinds: usize,
    total: BySeverity,
    untold: u64,
}

/// Counts by severity.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct BySeverity([u64; 3]);

impl Groups {
    /// Takes one finding about a connection; `upstream` where that is the client leg of a pair.
    pub(super) fn add(
        &mut self,
        connection: &Connection,
        finding: Finding,
        upstream: Option<Upstream>,
        secrets: Secrets,
    ) {
        if finding.suppressed.is_none() {
            self.total.count(finding.severity);
        }
        let cause = rules::cause_key(&finding, connection);
        if let Some(group) = self.by_cause.get_mut(&cause) {
            return group.take(connection, finding, upstream, secrets);
        }
        let room = self.by_cause.len() < limits::REPORT_GROUPS;
        let (groups, key) = match room {
            true => (&mut self.by_cause, cause),
            false => (&mut self.beyond, cause.of_any_server()),
        };
        match groups.entry(key) {
            Entry::Occupied(mut group) => group.get_mut().take(connection, finding, upstream, secrets),
            Entry::Vacant(place) => {
                if room || self.kinds < limits::REPORT_GROUPS {
                    self.kinds += usize::from(!room);
                    place.insert(Group::new(connection, finding, upstream, secrets));
                } else {
                    self.untold = self.untold.saturating_add(1);
                }
            }
        }
    }

    /// Findings in no group, for want of room.
    pub(super) fn untold(&self) -> u64 {
        self.untold
    }

    /// Gravest first, then by first packet.
    pub(super) fn in_order(self) -> Vec<Group> {
        let mut servers: HashMap<CauseKey, usize, RandomState> = HashMap::default();
        for cause in self.by_cause.keys() {
            *servers.entry(cause.of_any_server()).or_default() += 1;
        }
        let mut merged = self.beyond;
        let mut groups = Vec::new();
        for (cause, group) in self.by_cause {
            let any = cause.of_any_server();
            match merged.entry(any) {
                Entry::Occupied(mut all) => all.get_mut().join(group),
                Entry::Vacant(all) if servers[all.key()] > limits::REPORT_PER_SERVER => {
                    all.insert(group);
                }
                Entry::Vacant(_) => groups.push(group),
            }
        }
        groups.extend(merged.into_values());
        groups.sort_by(|a, b| {
            let place =
                |g: &Group| (g.suppressed.is_some(), std::cmp::Reverse(g.severity), g.first(), g.rule.code);
            place(a).cmp(&place(b)).then_with(|| a.title.cmp(&b.title))
        });
        groups
    }

    /// Every finding that was taken, told or not.
    pub(super) fn total(&self) -> BySeverity {
        self.total
    }
}

impl Group {
    fn new(
        connection: &Connection,
        mut finding: Finding,
        upstream: Option<Upstream>,
        secrets: Secrets,
    ) -> Group {
        Group {
            rule: finding.rule,
            severity: finding.severity,
            confidence: finding.confidence,
            origin: finding.origin,
            blame: finding.blame,
            title: std::mem::take(&mut finding.title),
            help: std::mem::take(&mut finding.help),
            suppressed: finding.suppressed.take(),
            count: 1,
            servers: std::iter::once(connection.tcp.server).collect(),
            examples: vec![Example::new(connection, finding, upstream, secrets)],
        }
    }

    /// Takes in one more.
    fn take(
        &mut self,
        connection: &Connection,
        finding: Finding,
        upstream: Option<Upstream>,
        secrets: Secrets,
    ) {
        self.count = self.count.saturating_add(1);
        self.severity = self.severity.max(finding.severity);
        self.confidence = self.confidence.max(finding.confidence);
        if self.servers.len() < limits::REPORT_SERVERS {
            self.servers.insert(connection.tcp.server);
        }
        let place = self.examples.partition_point(|e| e.seen.packet <= finding.seen.packet);
        if place < limits::REPORT_EXAMPLES {
            self.examples.insert(place, Example::new(connection, finding, upstream, secrets));
            self.examples.truncate(limits::REPORT_EXAMPLES);
        }
    }

    /// Takes in others of the same fault.
    fn join(&mut self, other: Group) {
        self.count = self.count.saturating_add(other.count);
        self.severity = self.severity.max(other.severity);
        self.confidence = self.confidence.max(other.confidence);
        let room = limits::REPORT_SERVERS.saturating_sub(self.servers.len());
        self.servers.extend(other.servers.into_iter().take(room));
        self.examples.extend(other.examples);
        self.examples.sort_by_key(|example| example.seen.packet);
        self.examples.truncate(limits::REPORT_EXAMPLES);
    }

    fn first(&self) -> Option<PacketId> {
        self.examples.first().map(|e| e.seen.packet)
    }
}

impl Example {
    fn new(
        connection: &Connection,
        finding: Finding,
        upstream: Option<Upstream>,
        secrets: Secrets,
    ) -> Example {
        let target = connection.request.as_ref().map(|r| convert::target(&r.head.target, secrets));
        Example {
            seen: finding.seen,
            client: connection.tcp.client,
            server: connection.tcp.server,
            upstream: upstream.filter(|_| !finding.related.is_empty()),
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
    /// Counts one more.
    pub(super) fn count(&mut self, severity: Severity) {
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
