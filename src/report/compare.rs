//! Two runs compared, endpoint by endpoint and cause by cause: what a change made better or worse.

pub mod table;

use super::json;
use super::model::{Connection, Finding, Report};
use crate::http::without_query;
use crate::rules::Severity;
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io;

/// The name of this shape.
pub const SCHEMA: &str = "wsanalyze.diff/1";

/// How one run differs from another.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The captures of each run.
    pub captures: Both<Vec<String>>,
    /// Every endpoint of either run, in order of name.
    pub endpoints: Vec<Endpoint>,
}

/// A value of each run.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Debug)]
pub struct Both<T> {
    /// Of the earlier one.
    pub before: T,
    /// Of the later one.
    pub after: T,
}

/// One place where connections go.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Endpoint {
    /// Host and path, without a query; the server's address where no request was captured.
    pub endpoint: String,
    /// WebSocket connections and attempts at one.
    pub connections: Both<u64>,
    /// Of these, established.
    pub established: Both<u64>,
    /// What was found, gravest first; what is the same in both runs among it.
    pub causes: Vec<Cause>,
}

/// Findings with one cause.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Cause {
    /// What became of it.
    pub change: Change,
    /// The code of the rule.
    pub code: &'static str,
    /// The rule's name.
    pub rule: &'static str,
    /// The gravest severity in either run.
    pub severity: &'static str,
    /// What its findings have in common.
    pub title: String,
    /// How many there are.
    pub findings: Both<u64>,
    /// The first packet that shows it: of the later run, or of the earlier one where it is gone.
    pub example: Example,
}

/// Where a cause can be looked at.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct Example {
    /// The capture.
    pub path: String,
    /// The packet.
    pub packet: u64,
}

/// What became of a cause. More and fewer go by its share of the connections, for runs are seldom equally long.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only in the later run.
    New,
    /// In a larger share of connections than before.
    More,
    /// In as large a share.
    Same,
    /// In a smaller share.
    Fewer,
    /// Only in the earlier run.
    Gone,
}

/// Compares two reports. Findings that do not count are left out.
pub fn compare(before: &Report, after: &Report) -> Comparison {
    let mut gathered: BTreeMap<String, Gathered<'_>> = BTreeMap::new();
    for (report, side) in [(before, Side::Before), (after, Side::After)] {
        for connection in report.connections.iter().filter(|connection| connection.outcome != "encrypted") {
            let gathered = gathered.entry(endpoint(connection)).or_default();
            *side.of(&mut gathered.connections) += 1;
            *side.of(&mut gathered.established) += u64::from(connection.outcome == "established");
        }
        for finding in report.findings.iter().filter(|finding| finding.suppressed.is_none()) {
            let Some(connection) = finding.connection.and_then(|id| report.connections.get(id)) else {
                continue;
            };
            let gathered = gathered.entry(endpoint(connection)).or_default();
            let findings = gathered.causes.entry((finding.code, finding.title.as_str())).or_default();
            side.of(findings).push((finding, report));
        }
    }
    let paths = |report: &Report| report.captures.iter().map(|capture| capture.path.clone()).collect();
    Comparison {
        schema: SCHEMA,
        captures: Both { before: paths(before), after: paths(after) },
        endpoints: gathered.into_iter().map(|(name, gathered)| gathered.finish(name)).collect(),
    }
}

impl Comparison {
    /// Writes it as one JSON document.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut impl io::Write) -> io::Result<()> {
        json::pretty(self, out)
    }

    /// The gravest of what is new.
    pub fn worst_new(&self) -> Option<Severity> {
        let causes = self.endpoints.iter().flat_map(|endpoint| &endpoint.causes);
        causes.filter(|cause| cause.change == Change::New).map(|cause| graded(cause.severity)).max()
    }
}

impl Change {
    /// In lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::More => "more",
            Change::Same => "same",
            Change::Fewer => "fewer",
            Change::Gone => "gone",
        }
    }
}

/// What is known of one endpoint.
#[derive(Default)]
struct Gathered<'a> {
    connections: Both<u64>,
    established: Both<u64>,
    /// By code and title.
    causes: BTreeMap<(&'static str, &'a str), Both<Vec<Found<'a>>>>,
}

/// A finding and the report it stands in.
type Found<'a> = (&'a Finding, &'a Report);

#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

impl Side {
    fn of<T>(self, both: &mut Both<T>) -> &mut T {
        match self {
            Side::Before => &mut both.before,
            Side::After => &mut both.after,
        }
    }
}

impl Gathered<'_> {
    fn finish(self, endpoint: String) -> Endpoint {
        let all = self.connections;
        let causes = self.causes.into_values();
        let mut causes: Vec<Cause> = causes.filter_map(|found| cause(&found, all)).collect();
        causes.sort_by_key(|cause| (cause.change, std::cmp::Reverse(graded(cause.severity)), cause.code));
        Endpoint { endpoint, connections: all, established: self.established, causes }
    }
}

/// What the findings of one cause come to, where there are any.
fn cause(found: &Both<Vec<Found<'_>>>, all: Both<u64>) -> Option<Cause> {
    let (finding, report) = found.after.first().or(found.before.first())?;
    let every = found.before.iter().chain(&found.after);
    let severity = every.map(|(finding, _)| finding.severity).max_by_key(|severity| graded(severity))?;
    let findings = Both { before: found.before.len() as u64, after: found.after.len() as u64 };
    let path = report.captures.get(usize::from(finding.capture)).map(|capture| capture.path.clone());
    Some(Cause {
        change: change(findings, all),
        code: finding.code,
        rule: finding.rule,
        severity,
        title: finding.title.clone(),
        findings,
        example: Example { path: path.unwrap_or_default(), packet: finding.packet },
    })
}

fn change(findings: Both<u64>, all: Both<u64>) -> Change {
    let product = |a: u64, b: u64| u128::from(a) * u128::from(b);
    match (findings.before, findings.after) {
        (0, _) => Change::New,
        (_, 0) => Change::Gone,
        (before, after) => match product(after, all.before).cmp(&product(before, all.after)) {
            Ordering::Greater => Change::More,
            Ordering::Equal => Change::Same,
            Ordering::Less => Change::Fewer,
        },
    }
}

fn endpoint(connection: &Connection) -> String {
    let Some(request) = &connection.request else { return connection.server.to_string() };
    let path = without_query(&request.target);
    match (path.split_once("://"), &request.host) {
        (Some((_, whole)), _) => whole.to_owned(),
        (None, Some(host)) => format!("{}{path}", host.to_ascii_lowercase()),
        (None, None) => format!("{}{path}", connection.server),
    }
}

fn graded(name: &str) -> Severity {
    [Severity::Error, Severity::Warning]
        .into_iter()
        .find(|severity| severity.name() == name)
        .unwrap_or(Severity::Info)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{refused, report, well};
    use crate::rules::Suppressed;

    fn run(faults: u64, clean: u64) -> Report {
        let faulty = (0..faults).map(refused);
        let clean = (0..clean).map(|nth| {
            let mut connection = well();
            connection.serial = 1_000 + nth;
            connection.first.packet = crate::capture::PacketId::new(0, 1_000 + nth);
            (connection, Vec::new())
        });
        report(faulty.chain(clean).collect())
    }

    fn changed(before: &Report, after: &Report) -> Vec<(Change, u64, u64)> {
        let comparison = compare(before, after);
        let causes = comparison.endpoints.iter().flat_map(|endpoint| &endpoint.causes);
        causes.map(|cause| (cause.change, cause.findings.before, cause.findings.after)).collect()
    }

    #[test]
    fn causes_come_go_and_change_their_share() {
        assert_eq!(changed(&run(0, 1), &run(2, 0)), [(Change::New, 0, 2)]);
        assert_eq!(changed(&run(2, 0), &run(0, 1)), [(Change::Gone, 2, 0)]);
        assert_eq!(changed(&run(1, 1), &run(2, 2)), [(Change::Same, 1, 2)]);
        assert_eq!(changed(&run(1, 1), &run(1, 0)), [(Change::More, 1, 1)]);
        assert_eq!(changed(&run(1, 0), &run(2, 9)), [(Change::Fewer, 1, 2)]);
        assert!(changed(&run(0, 1), &run(0, 1)).is_empty());
    }

    #[test]
    fn an_endpoint_is_host_and_path_without_a_query() {
        let comparison = compare(&run(1, 0), &run(0, 0));
        let names: Vec<&str> = comparison.endpoints.iter().map(|e| e.endpoint.as_str()).collect();
        assert_eq!(names, ["example.org/chat"]);
        let endpoint = &comparison.endpoints[0];
        assert_eq!(endpoint.connections, Both { before: 1, after: 0 });
        assert_eq!(endpoint.causes[0].example.packet, run(1, 0).findings[0].packet);
    }

    #[test]
    fn only_what_is_new_and_counts_is_worst() {
        assert_eq!(compare(&run(0, 1), &run(1, 0)).worst_new(), Some(Severity::Error));
        assert_eq!(compare(&run(1, 0), &run(1, 0)).worst_new(), None);
        let mut ignored = refused(0);
        ignored.1[0].suppressed = Some(Suppressed::Known);
        assert_eq!(compare(&run(0, 1), &report(vec![ignored])).worst_new(), None);
    }
}
