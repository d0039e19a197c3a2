//! `--format jsonl`: the objects of the document, one a line, each as soon as it is final ([`super::model::Line`]).
//!
//! The lines of a connection come together: itself, the pair it belongs to, its findings. What they refer to by id stands
//! before them, so a reader who keeps the connections of one session understands all of it. Ids count the lines of
//! their type; they are not those of the document, whose order is known only at the end.

use super::escape::JsonFormatter;
use super::model::{Closing, Counts, Line, Report};
use super::{Collector, Secrets};
use crate::connection::Connection;
use crate::legs::LegPair;
use crate::pipeline::{Observer, Summary};
use crate::rules::Finding;
use crate::rules::expectation::Account;
use serde::Serialize as _;
use std::collections::HashSet;
use std::io;

/// Writes while it observes. Holds the connections of one session, until all of them have come.
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
    secrets: Secrets,
    session: Collector,
    /// Serials of connections of the session that have not come yet. Some may never come, because they were not asked for.
    awaited: HashSet<u64>,
    /// Whether one has come.
    begun: bool,
    /// Lines of connections that were written.
    connections: usize,
    /// Lines of findings that were written.
    findings: usize,
    counts: Counts,
    written: io::Result<()>,
}

impl<W: io::Write> JsonLines<W> {
    /// Nothing written yet.
    pub fn new(out: W, secrets: Secrets) -> JsonLines<W> {
        JsonLines {
            out,
            secrets,
            session: Collector::new(secrets),
            awaited: HashSet::new(),
            begun: false,
            connections: 0,
            findings: 0,
            counts: Counts::default(),
            written: Ok(()),
        }
    }

    /// Where it writes.
    pub fn out(&self) -> &W {
        &self.out
    }

    /// Takes one connection and what the rules say of it.
    pub fn add(&mut self, connection: &Connection, findings: &[Finding]) {
        if !self.awaited.remove(&connection.serial) {
            self.end_session();
        }
        self.session.add(connection, findings);
        self.begun = true;
        if self.awaited.is_empty() {
            self.end_session();
        }
    }

    /// Takes how the run stood to its policy.
    pub fn policy(&mut self, accounts: &[Account]) {
        self.end_session();
        self.session.policy(accounts);
    }

    /// Writes the lines on captures, findings about the run as a whole, and the totals. Whether all could be written is told with the place that it was
    /// written to.
    pub fn finish(mut self, summary: &Summary) -> (W, io::Result<()>) {
        self.end_session();
        let of_run = std::mem::replace(&mut self.session, Collector::new(self.secrets));
        let mut report = of_run.finish(summary);
        self.renumber(&mut report);
        report.captures.iter().for_each(|capture| self.line(&Line::Capture(capture)));
        report.findings.iter().for_each(|finding| self.line(&Line::Finding(finding)));
        report.totals.findings.add(self.counts);
        let policy = report.policy.as_deref();
        self.line(&Line::Totals(Closing { totals: &report.totals, quality: &report.quality, policy }));
        self.flush();
        (self.out, self.written)
    }

    /// Writes what has come of a session.
    fn end_session(&mut self) {
        self.awaited.clear();
        if !std::mem::take(&mut self.begun) {
            return;
        }
        let session = std::mem::replace(&mut self.session, Collector::new(self.secrets));
        let mut report = session.finish(&Summary::default());
        self.renumber(&mut report);
        report.connections.iter().for_each(|connection| self.line(&Line::Connection(connection)));
        report.leg_pairs.iter().for_each(|pair| self.line(&Line::LegPair(pair)));
        report.findings.iter().for_each(|finding| self.line(&Line::Finding(finding)));
        self.connections += report.connections.len();
        self.findings += report.findings.len();
        self.counts.add(report.totals.findings);
        self.flush();
    }

    /// From places in the session to places in the stream.
    fn renumber(&self, report: &mut Report) {
        for connection in &mut report.connections {
            connection.id += self.connections;
            connection.same_as.iter_mut().for_each(|id| *id += self.connections);
            connection.findings.iter_mut().for_each(|id| *id += self.findings);
        }
        for pair in &mut report.leg_pairs {
            let ids = [&mut pair.client_leg, &mut pair.upstream_leg];
            ids.into_iter().chain(&mut pair.attempts).for_each(|id| *id += self.connections);
        }
        for finding in &mut report.findings {
            finding.id += self.findings;
            finding.connection.iter_mut().chain(&mut finding.related).for_each(|id| *id += self.connections);
        }
    }

    fn line(&mut self, line: &Line<'_>) {
        if self.written.is_ok() {
            let mut json = serde_json::Serializer::with_formatter(&mut self.out, JsonFormatter::compact());
            self.written =
                line.serialize(&mut json).map_err(io::Error::from).and_then(|()| self.out.write_all(b"\n"));
        }
    }

    /// Somebody may be watching.
    fn flush(&mut self) {
        if self.written.is_ok() {
            self.written = self.out.flush();
        }
    }
}

impl<W: io::Write> Observer for JsonLines<W> {
    fn connection(&mut self, connection: Box<Connection>, findings: Vec<Finding>) {
        self.add(&connection, &findings);
    }

    fn duplicate(&mut self, first: u64, second: u64) {
        if self.begun {
            self.end_session();
        }
        self.awaited.extend([first, second]);
        self.session.duplicate(first, second);
    }

    fn legs(&mut self, pair: LegPair) {
        if self.begun {
            self.end_session();
        }
        self.awaited.extend([pair.client_leg, pair.upstream_leg].iter().chain(&pair.attempts));
        self.session.legs(pair);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::escape;
    use crate::report::testing::{refused, summary, well};
    use crate::rules::testing::{Scene, both};
    use serde_json::{Value, json};

    fn lines(report: JsonLines<Vec<u8>>, summary: &Summary) -> Vec<Value> {
        let (out, written) = report.finish(summary);
        written.unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.chars().any(|c| c != '\n' && escape::is_hidden(c)) && text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn new() -> JsonLines<Vec<u8>> {
        JsonLines::new(Vec::new(), Secrets::Hidden)
    }

    fn types(lines: &[Value]) -> Vec<&str> {
        lines.iter().map(|line| line["type"].as_str().unwrap()).collect()
    }

    #[test]
    fn every_object_has_its_line_and_the_totals_come_last() {
        let mut report = new();
        for (connection, findings) in [refused(3), (well(), vec![]), refused(0)] {
            report.connection(Box::new(connection), findings);
        }
        let lines = lines(report, &summary(3));
        let expected = ["connection", "finding", "connection", "connection", "finding", "capture", "totals"];
        assert_eq!(types(&lines), expected);
        assert_eq!([&lines[0]["id"], &lines[2]["id"], &lines[3]["id"]], [0, 1, 2]);
        assert_eq!((&lines[0]["tcp_stream"], &lines[3]["findings"]), (&json!(3), &json!([1])));
        assert_eq!((&lines[4]["id"], &lines[4]["connection"]), (&json!(1), &json!(2)));
        assert_eq!(lines[6]["findings"], json!({ "error": 2, "warning": 0, "info": 0 }));
        assert_eq!(lines[5]["path"], "edge.pcapng");
    }

    #[test]
    fn a_line_is_out_as_soon_as_its_connection_is_final() {
        let mut report = new();
        let (connection, findings) = refused(0);
        report.connection(Box::new(connection), findings);
        assert_eq!(String::from_utf8(report.out().clone()).unwrap().lines().count(), 2);
    }

    #[test]
    fn the_legs_of_a_session_come_together_and_know_of_each_other() {
        let legs = both(Scene::session("permessage-deflate", ""), Scene::session("", ""));
        let (found, rest) = legs.findings();
        let (pair, [client, upstream]) = legs.into_parts();
        let mut report = new();
        let (other, findings) = refused(0);
        report.connection(Box::new(Connection { serial: 77, ..other }), findings);
        report.legs(pair.clone());
        report.connection(Box::new(client.clone()), found.clone());
        let written = report.out().len();
        report.connection(Box::new(upstream), rest);
        assert!(report.out().len() > written);
        let told = lines(report, &summary(3));
        assert_eq!(types(&told)[2..5], ["connection", "connection", "leg_pair"]);
        assert_eq!((&told[2]["role"], &told[3]["role"]), (&json!("client-leg"), &json!("upstream-leg")));
        assert_eq!((&told[4]["client_leg"], &told[4]["upstream_leg"]), (&json!(1), &json!(2)));
        assert_eq!((&told[5]["connection"], &told[5]["related"]), (&json!(1), &json!([2])));
        assert_eq!((&told[2]["findings"], &told[3]["findings"]), (&json!([1]), &json!([1])));
        // The other leg was not asked for: there is no pair to tell of, and nothing waits for ever.
        let mut report = new();
        report.legs(pair.clone());
        report.legs(pair);
        report.connection(Box::new(client), found);
        report.connection(Box::new(Connection { serial: 77, ..well() }), vec![]);
        let told = lines(report, &summary(2));
        assert_eq!(types(&told), ["connection", "finding", "connection", "capture", "totals"]);
        assert_eq!((&told[0]["role"], &told[1]["related"]), (&json!("direct"), &json!([])));
    }

    #[test]
    fn a_place_that_takes_no_more_is_told_once_at_the_end() {
        struct Full;
        impl io::Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut report = JsonLines::new(Full, Secrets::Hidden);
        report.connection(Box::new(well()), vec![]);
        assert_eq!(report.finish(&summary(1)).1.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
