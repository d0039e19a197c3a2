//! The reports of one run, each in its format and to its place.

use super::args::Format;
use super::config::{Config, Input, Purpose};
use super::destination::{Destination, real};
use super::exit::Status;
use crate::connection::Connection;
use crate::legs::LegPair;
use crate::pipeline::{Observer, Summary};
use crate::report::{Collector, Document, Follow, JsonLines, Page, TableReport};
use crate::rules::expectation::{Account, Ledger};
use crate::rules::{Finding, Severity, Suppressions};
use std::path::Path;

/// What observes a run for all of them: what several formats need is gathered once.
pub(super) struct Reports {
    table: Option<TableReport>,
    pages: Vec<(Page, Destination)>,
    follow: Option<Follow<Destination>>,
    collector: Option<Collector>,
    documents: Vec<(Document, Destination)>,
    lines: Vec<JsonLines<Destination>>,
    /// How the run stands to its policy, where it is held to one.
    ledger: Option<Ledger>,
}

impl Reports {
    /// Opens every place before anything is read.
    ///
    /// # Errors
    /// Which place cannot be written to, and why, and how the program ends.
    pub(super) fn open(config: &Config) -> Result<Reports, (Status, String)> {
        let mut reports = Reports {
            table: None,
            pages: Vec::new(),
            follow: None,
            collector: None,
            documents: Vec::new(),
            lines: Vec::new(),
            ledger: (config.purpose == Purpose::Check).then(|| Ledger::new(&config.input.options.selection)),
        };
        let color = config.page.color && config.format == Format::Table;
        let standard = Destination::standard(color);
        if config.follow && config.format == Format::Table {
            reports.follow = Some(Follow::new(standard, config.page, config.input.secrets));
        } else {
            reports.add(config, config.format, config.page, standard);
        }
        for output in &config.outputs {
            let place = Destination::file(&output.path).map_err(|reason| (Status::Unreadable, reason))?;
            if let Some(target) = place.target() {
                reports.is_free(target, config).map_err(|reason| {
                    (Status::Usage, format!("--output: {}: {reason}", output.path.display()))
                })?;
            }
            reports.add(config, output.format, config.file_page, place);
        }
        Ok(reports)
    }

    fn add(&mut self, config: &Config, format: Format, page: Page, place: Destination) {
        let document = match format {
            Format::Table => {
                self.table.get_or_insert_with(|| {
                    TableReport::new(config.input.secrets)
                        .showing_suppressed(config.show_suppressed)
                        .telling(config.telling.time.times(), config.limit)
                        .in_detail(config.detail)
                });
                self.pages.push((page, place));
                return;
            }
            Format::Jsonl => {
                self.lines.push(JsonLines::new(place, config.input.secrets));
                return;
            }
            Format::Json => Document::Json,
            Format::Sarif => Document::Sarif,
            Format::Junit => Document::Junit(config.verdict.fail_on.threshold()),
            Format::Github => Document::Github,
            Format::Gitlab => Document::Gitlab,
            Format::Markdown => Document::Markdown,
            Format::Csv => Document::Csv,
            Format::Html => Document::Html,
        };
        self.collector.get_or_insert_with(|| Collector::new(config.input.secrets));
        self.documents.push((document, place));
    }

    /// Whether nothing else of this run is at `target`.
    fn is_free(&self, target: &Path, config: &Config) -> Result<(), &'static str> {
        let pages = self.pages.iter().map(|(_, place)| place);
        let documents = self.documents.iter().map(|(_, place)| place);
        let mut places = pages.chain(documents).chain(self.lines.iter().map(JsonLines::out));
        if places.any(|place| place.target() == Some(target)) {
            return Err("two reports cannot go to one file");
        }
        let Input { captures, key_logs, .. } = &config.input;
        if captures
            .iter()
            .chain(key_logs)
            .chain(&config.baseline)
            .any(|path| real(path).is_ok_and(|real| real == target))
        {
            return Err("is read by this run, and the report would replace it");
        }
        Ok(())
    }

    /// Tells the reports how the run stood to its policy; the gravest of what is about the run as a whole comes back.
    pub(super) fn close_policy(&mut self, suppressions: &Suppressions) -> Option<Severity> {
        let mut accounts = self.ledger.take()?.finish();
        let mut worst = None;
        for account in accounts.iter_mut().filter(|account| account.is_of_run()) {
            account.suppressed = suppressions.of_run(account.rule, &account.fingerprint);
            if account.counts() {
                worst = worst.max(Some(account.severity));
            }
        }
        self.policy(&accounts);
        worst
    }

    fn policy(&mut self, accounts: &[Account]) {
        if let Some(collector) = &mut self.collector {
            collector.policy(accounts);
        }
        if let Some(table) = &mut self.table {
            table.policy(accounts);
        }
        for lines in &mut self.lines {
            lines.policy(accounts);
        }
    }

    /// Writes all of them, each as far as it can be.
    ///
    /// # Errors
    /// Why some could not be written.
    pub(super) fn write(self, summary: &Summary) -> Result<(), Vec<String>> {
        let mut failed = Vec::new();
        if let Some(follow) = self.follow {
            let (place, written) = follow.finish(summary);
            failed.extend(place.finish(written).err());
        }
        for (page, mut place) in self.pages {
            let written = self.table.as_ref().map_or(Ok(()), |table| table.write(page, summary, &mut place));
            failed.extend(place.finish(written).err());
        }
        if let Some(collector) = self.collector {
            let report = collector.finish(summary);
            for (document, mut place) in self.documents {
                let written = document.write(&report, &mut place);
                failed.extend(place.finish(written).err());
            }
        }
        for lines in self.lines {
            let (place, written) = lines.finish(summary);
            failed.extend(place.finish(written).err());
        }
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }
}

impl Observer for Reports {
    fn connection(&mut self, connection: Box<Connection>, findings: Vec<Finding>) {
        if let Some(ledger) = &mut self.ledger {
            ledger.add(&connection);
        }
        if let Some(collector) = &mut self.collector {
            collector.add(&connection, &findings);
        }
        if let Some(follow) = &mut self.follow {
            follow.add(&connection, &findings);
        }
        for lines in &mut self.lines {
            lines.add(&connection, &findings);
        }
        if let Some(table) = &mut self.table {
            table.connection(connection, findings);
        }
    }

    fn duplicate(&mut self, first: u64, second: u64) {
        if let Some(collector) = &mut self.collector {
            collector.duplicate(first, second);
        }
        for lines in &mut self.lines {
            lines.duplicate(first, second);
        }
    }

    fn legs(&mut self, pair: LegPair) {
        if let Some(collector) = &mut self.collector {
            collector.legs(pair.clone());
        }
        for lines in &mut self.lines {
            lines.legs(pair.clone());
        }
        if let Some(table) = &mut self.table {
            table.legs(pair);
        }
    }
}
