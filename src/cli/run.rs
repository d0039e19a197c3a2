//! `wsanalyze CAPTURE...`: reads, analyses, prints.

use super::complain;
use super::config::{Config, Input};
use super::exit::{Outcome, Status};
use super::inputs;
use super::interrupt;
use super::keys::keys;
use super::progress::Progress;
use super::reports::Reports;
use crate::capture::Merged;
use crate::connection::{self, Connection};
use crate::legs::LegPair;
use crate::pipeline::{self, Observer, Summary};
use crate::rules::{Finding, Severity};
use crate::time::Timestamp;
use std::path::Path;

/// Reports on all inputs that can be read, complains of the others.
pub(super) fn analyze(config: &Config) -> Status {
    let reports = match Reports::open(config) {
        Ok(reports) => reports,
        Err((status, reason)) => {
            complain(&reason);
            return status;
        }
    };
    if config.input.captures.iter().any(|path| path.as_path() == Path::new("-")) {
        interrupt::end_with_the_input();
    }
    let Analysis { observer: mut reports, summary, mut outcome } = match analyze_input(&config.input, reports)
    {
        Ok(analysis) => analysis,
        Err(status) => return status,
    };
    outcome.of_run = reports.close_policy(&config.input.suppressions);
    match reports.write(&summary) {
        Ok(()) => outcome.status(config.verdict),
        Err(reasons) => {
            reasons.iter().for_each(|reason| complain(reason));
            Status::Unreadable
        }
    }
}

/// What came of reading all input.
pub(super) struct Analysis<O> {
    pub(super) observer: O,
    pub(super) summary: Summary,
    pub(super) outcome: Outcome,
}

/// Reads all inputs that can be read, tells `observer` of what was selected, and complains of the others.
///
/// # Errors
/// How the program ends where nothing can be read.
pub(super) fn analyze_input<O: Observer>(input: &Input, observer: O) -> Result<Analysis<O>, Status> {
    let (readers, failed) = inputs::open(&input.captures);
    if readers.is_empty() {
        return Err(Status::Unreadable);
    }
    let keys = keys(input).map_err(|reason| {
        complain(&reason);
        Status::Unreadable
    })?;
    let merged = Merged::new(readers);
    let begins = merged.begins();
    let mut tally = Tally { worst: None, connections: 0, input, begins, observer };
    let mut progress = Progress::new(input.progress);
    let tell = &mut |read, total| progress.tell(read, total);
    let mut summary = pipeline::analyze_with(&input.options, keys, merged, &mut tally, tell);
    drop(progress);
    summary.unreadable.iter().for_each(|error| complain(&error.to_string()));
    // Whoever is handed a report does not see what was complained of: it says itself which inputs are not in it.
    summary.unreadable.splice(0..0, failed);
    let unreadable = !summary.unreadable.is_empty();
    let of_run = summary.findings.iter().map(|finding| finding.severity).max();
    let outcome = Outcome { unreadable, worst: tally.worst, connections: tally.connections, of_run };
    Ok(Analysis { observer: tally.observer, summary, outcome })
}

/// Hands on what was selected, marks what does not count, and remembers the gravest finding that does.
struct Tally<'a, O> {
    worst: Option<Severity>,
    connections: u64,
    input: &'a Input,
    begins: Option<Timestamp>,
    observer: O,
}

impl<O: Observer> Observer for Tally<'_, O> {
    fn connection(&mut self, connection: Box<Connection>, mut findings: Vec<Finding>) {
        if !self.input.scope.admits(&connection, &findings, self.begins) {
            return;
        }
        // What could not be read may be no WebSocket at all.
        self.connections += u64::from(connection.outcome != connection::Outcome::Encrypted);
        findings.iter_mut().for_each(|finding| self.input.suppressions.mark(&connection, finding));
        let counting = findings.iter().filter(|finding| finding.suppressed.is_none());
        self.worst = self.worst.max(counting.map(|finding| finding.severity).max());
        self.observer.connection(connection, findings);
    }

    fn legs(&mut self, pair: LegPair) {
        self.observer.legs(pair);
    }

    fn duplicate(&mut self, first: u64, second: u64) {
        self.observer.duplicate(first, second);
    }
}
