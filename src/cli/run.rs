//! `wsanalyze CAPTURE...`: reads, analyses, prints.

use super::args::Format;
use super::complain;
use super::config::Config;
use super::exit::{Outcome, Status};
use super::keys::keys;
use super::printed;
use super::progress::Progress;
use crate::capture::{self, Merged, Reader};
use crate::connection::Connection;
use crate::pipeline::{self, Observer, Summary};
use crate::report::{JsonReport, TableReport};
use crate::rules::{Finding, Severity};
use std::io;

/// Reports on all inputs that can be read, complains of the others.
pub(super) fn analyze(config: &Config) -> Status {
    let (readers, mut unreadable) = open(config);
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
    let mut report = Tally { worst: None, report: Report::new(config) };
    let mut progress = Progress::new(config.progress);
    let tell = &mut |read, total| progress.tell(read, total);
    let summary = pipeline::analyze_with(&config.options, keys, Merged::new(readers), &mut report, tell);
    drop(progress);
    for error in &summary.unreadable {
        complain(&error.to_string());
        unreadable = true;
    }

    let connections = summary.totals.websocket_connections;
    let outcome = Outcome { unreadable, worst: report.worst, connections };
    let status = outcome.status(config.fail_on, config.allow_empty);
    printed(config.page.color, status, |out| report.report.write(&summary, out))
}

/// The inputs that are captures, and whether one was not.
fn open(config: &Config) -> (Vec<Reader>, bool) {
    let mut readers = Vec::with_capacity(config.captures.len());
    let mut unreadable = false;
    for path in &config.captures {
        let opened = match (path.to_str(), u16::try_from(readers.len())) {
            (Some(path), Ok(index)) => capture::open(path, index).map_err(|error| error.to_string()),
            (None, _) => Err(format!("{}: the name is not UTF-8", path.display())),
            (_, Err(_)) => Err(format!("{}: more than {} captures at once", path.display(), u16::MAX)),
        };
        match opened {
            Ok(reader) => readers.push(reader),
            Err(reason) => {
                complain(&reason);
                unreadable = true;
            }
        }
    }
    (readers, unreadable)
}

/// Remembers the gravest finding on its way to the report.
struct Tally {
    worst: Option<Severity>,
    report: Report,
}

impl Observer for Tally {
    fn connection(&mut self, connection: Connection, findings: Vec<Finding>) {
        self.worst = self.worst.max(findings.iter().map(|finding| finding.severity).max());
        match &mut self.report {
            Report::Table(report) => report.connection(connection, findings),
            Report::Json(report) => report.connection(connection, findings),
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
