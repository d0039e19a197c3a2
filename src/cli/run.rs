//! `wsanalyze CAPTURE...`: reads, analyses, prints.

use super::args::Format;
use super::complain;
use super::config::Config;
use super::exit::{Outcome, Status};
use super::inputs;
use super::keys::keys;
use super::printed;
use super::progress::Progress;
use super::scope::Scope;
use crate::capture::Merged;
use crate::connection::{self, Connection};
use crate::legs::LegPair;
use crate::pipeline::{self, Observer, Summary};
use crate::report::{JsonReport, TableReport};
use crate::rules::{Finding, Severity};
use crate::time::Timestamp;
use std::io;

/// Reports on all inputs that can be read, complains of the others.
pub(super) fn analyze(config: &Config) -> Status {
    let (readers, mut unreadable) = inputs::open(&config.captures);
    if readers.is_empty() {
        return Status::Unreadable;
    }
    let keys = match keys(config) {
        Ok(keys) => keys,
        Err(reason) => {
            complain(&reason);
            return Status::Unreadable;
        }
    };
    let input = Merged::new(readers);
    let (scope, begins) = (&config.scope, input.begins());
    let mut report = Tally { worst: None, connections: 0, scope, begins, report: Report::new(config) };
    let mut progress = Progress::new(config.progress);
    let tell = &mut |read, total| progress.tell(read, total);
    let summary = pipeline::analyze_with(&config.options, keys, input, &mut report, tell);
    drop(progress);
    for error in &summary.unreadable {
        complain(&error.to_string());
        unreadable = true;
    }

    let outcome = Outcome { unreadable, worst: report.worst, connections: report.connections };
    let status = outcome.status(config.verdict);
    printed(config.page.color, status, |out| report.report.write(&summary, out))
}

/// Hands on to the report what was selected, and remembers the gravest finding of it.
struct Tally<'a> {
    worst: Option<Severity>,
    connections: u64,
    scope: &'a Scope,
    begins: Option<Timestamp>,
    report: Report,
}

impl Observer for Tally<'_> {
    fn connection(&mut self, connection: Connection, findings: Vec<Finding>) {
        if !self.scope.admits(&connection, &findings, self.begins) {
            return;
        }
        // What could not be read may be no WebSocket at all.
        self.connections += u64::from(connection.outcome != connection::Outcome::Encrypted);
        self.worst = self.worst.max(findings.iter().map(|finding| finding.severity).max());
        match &mut self.report {
            Report::Table(report) => report.connection(connection, findings),
            Report::Json(report) => report.connection(connection, findings),
        }
    }

    fn legs(&mut self, pair: LegPair) {
        match &mut self.report {
            Report::Table(report) => report.legs(pair),
            Report::Json(report) => report.legs(pair),
        }
    }
}

/// The report in the format that was asked for.
enum Report {
    Table(TableReport),
    Json(JsonReport),
}

impl Report {
    fn new(config: &Config) -> Report {
        match config.format {
            Format::Table => Report::Table(TableReport::new(config.page, config.secrets)),
            Format::Json => Report::Json(JsonReport::new(config.secrets)),
        }
    }

    fn write(self, summary: &Summary, mut out: &mut dyn io::Write) -> io::Result<()> {
        match self {
            Report::Table(report) => report.write(summary, &mut out),
            Report::Json(report) => report.write(summary, &mut out),
        }
    }
}
