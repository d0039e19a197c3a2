//! `wsanalyze CAPTURE...`: reads, analyses, prints.

use super::complain;
use super::config::{Config, Purpose};
use super::exit::{Outcome, Status};
use super::inputs;
use super::keys::keys;
use super::progress::Progress;
use super::reports::Reports;
use super::scope::Scope;
use crate::capture::Merged;
use crate::connection::{self, Connection};
use crate::legs::LegPair;
use crate::pipeline::{self, Observer};
use crate::rules::expectation::Ledger;
use crate::rules::{Finding, Severity, Suppressions};
use crate::time::Timestamp;

/// Reports on all inputs that can be read, complains of the others.
pub(super) fn analyze(config: &Config) -> Status {
    let reports = match Reports::open(config) {
        Ok(reports) => reports,
        Err((status, reason)) => {
            complain(&reason);
            return status;
        }
    };
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
    let ledger = (config.purpose == Purpose::Check).then(|| Ledger::new(&config.options.selection));
    let suppressions = &config.suppressions;
    let mut tally = Tally { worst: None, connections: 0, scope, begins, suppressions, ledger, reports };
    let mut progress = Progress::new(config.progress);
    let tell = &mut |read, total| progress.tell(read, total);
    let summary = pipeline::analyze_with(&config.options, keys, input, &mut tally, tell);
    drop(progress);
    for error in &summary.unreadable {
        complain(&error.to_string());
        unreadable = true;
    }

    let mut outcome =
        Outcome { unreadable, worst: tally.worst, connections: tally.connections, of_run: None };
    if let Some(ledger) = tally.ledger {
        let mut accounts = ledger.finish();
        for account in accounts.iter_mut().filter(|account| account.is_of_run()) {
            account.suppressed = suppressions.of_run(account.rule, &account.fingerprint);
            if account.counts() {
                outcome.of_run = outcome.of_run.max(Some(account.severity));
            }
        }
        tally.reports.policy(&accounts);
    }
    match tally.reports.write(&summary) {
        Ok(()) => outcome.status(config.verdict),
        Err(reasons) => {
            reasons.iter().for_each(|reason| complain(reason));
            Status::Unreadable
        }
    }
}

/// Hands on to the reports what was selected, and remembers the gravest finding of it.
struct Tally<'a> {
    worst: Option<Severity>,
    connections: u64,
    scope: &'a Scope,
    begins: Option<Timestamp>,
    suppressions: &'a Suppressions,
    ledger: Option<Ledger>,
    reports: Reports,
}

impl Observer for Tally<'_> {
    fn connection(&mut self, connection: Connection, mut findings: Vec<Finding>) {
        if !self.scope.admits(&connection, &findings, self.begins) {
            return;
        }
        // What could not be read may be no WebSocket at all.
        self.connections += u64::from(connection.outcome != connection::Outcome::Encrypted);
        findings.iter_mut().for_each(|finding| self.suppressions.mark(&connection, finding));
        let counting = findings.iter().filter(|finding| finding.suppressed.is_none());
        self.worst = self.worst.max(counting.map(|finding| finding.severity).max());
        if let Some(ledger) = &mut self.ledger {
            ledger.add(&connection);
        }
        self.reports.connection(connection, findings);
    }

    fn legs(&mut self, pair: LegPair) {
        self.reports.legs(pair);
    }
}
