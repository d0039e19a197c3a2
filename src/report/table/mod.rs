//! `--format table`: a page for people. One line on the capture, the table of findings, what each rule of it means,
//! and a line that sums up.

mod explanations;
mod follow;
mod grid;
mod groups;
mod headline;
mod messages;
mod policy;
mod ruled;

pub use self::follow::Follow;
use self::groups::{Groups, Upstream};
use self::messages::Section;
use super::Secrets;
use super::page::{Page, counted};
use super::times::Times;
use crate::capture::{PacketId, Seen};
use crate::connection::{Connection, Outcome};
use crate::legs::LegPair;
use crate::pipeline::{Observer, Summary};
use crate::report::escape;
use crate::rules::expectation::Account;
use crate::rules::{Finding, Suppressed};
use std::collections::BTreeMap;
use std::io;

/// Collects findings by cause, in bounded memory, and lays them out.
#[derive(Debug)]
pub struct TableReport {
    secrets: Secrets,
    groups: Groups,
    taken: Taken,
    /// By serial of the client leg, what stands behind its gateway; until that connection comes.
    upstreams: BTreeMap<u64, Upstream>,
    policy: Vec<Account>,
    /// Messages, where they were asked for.
    messages: Vec<Section>,
    show_suppressed: bool,
    suppressed: Untold,
    times: Times,
    /// The most groups that are told.
    limit: usize,
    detail: Detail,
}

/// What is told of each rule in the table.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Detail {
    /// Its manual, and the facts of this capture.
    #[default]
    Full,
    /// The facts alone.
    Brief,
}

/// How many findings do not count.
#[derive(Clone, Copy, Default, Debug)]
struct Untold {
    ignored: u64,
    known: u64,
}

impl TableReport {
    /// An empty report.
    pub fn new(secrets: Secrets) -> TableReport {
        TableReport {
            secrets,
            groups: Groups::default(),
            taken: Taken::default(),
            upstreams: BTreeMap::new(),
            policy: Vec::new(),
            messages: Vec::new(),
            show_suppressed: false,
            suppressed: Untold::default(),
            times: Times::Relative,
            limit: usize::MAX,
            detail: Detail::default(),
        }
    }

    /// Tells times like this, and no more causes than `limit`.
    #[must_use]
    pub fn telling(self, times: Times, limit: Option<usize>) -> TableReport {
        TableReport { times, limit: limit.unwrap_or(usize::MAX), ..self }
    }

    /// Tells that much of each rule.
    #[must_use]
    pub fn in_detail(self, detail: Detail) -> TableReport {
        TableReport { detail, ..self }
    }

    /// Shows findings that do not count as well, marked.
    #[must_use]
    pub fn showing_suppressed(self, show_suppressed: bool) -> TableReport {
        TableReport { show_suppressed, ..self }
    }

    /// Takes how the run stood to its policy.
    pub fn policy(&mut self, accounts: &[Account]) {
        self.policy = accounts.to_vec();
    }

    /// Lays it out on a page; it may go to several.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, page: Page, summary: &Summary, out: &mut impl io::Write) -> io::Result<()> {
        let (mut total, untold) = (self.groups.total(), self.groups.untold());
        for account in self.policy.iter().filter(|account| account.is_of_run() && account.counts()) {
            total.count(account.severity);
        }
        summary.findings.iter().for_each(|finding| total.count(finding.severity));
        let mut groups = self.groups.clone().in_order();
        let beyond = groups.len().saturating_sub(self.limit);
        groups.truncate(self.limit);
        let places = Places { summary, times: &self.times };

        writeln!(out, "{}", headline::captures(summary, page))?;
        if !self.policy.is_empty() {
            writeln!(out, "\n{}", policy::render(&self.policy, places, page))?;
        }
        if !groups.is_empty() {
            writeln!(out, "\n{}", grid::render(&groups, places, page))?;
            if untold > 0 {
                writeln!(out, "and {untold} more of other kinds; --format json lists them")?;
            }
            if beyond > 0 {
                writeln!(out, "and {}", counted(beyond as u64, "more cause", "more causes"))?;
            }
            for chapter in explanations::chapters(&groups, self.detail, places, page) {
                writeln!(out, "\n{chapter}")?;
            }
        }
        for finding in &summary.findings {
            writeln!(out, "\n{}", explanations::of_captures(finding, page))?;
        }
        let mut sections: Vec<&Section> = self.messages.iter().collect();
        sections.sort_by_key(|section| section.place());
        for section in sections {
            write!(out, "\n{}", section.render(places, page))?;
        }
        if let Some(limitations) = headline::limitations(summary, page) {
            writeln!(out, "\n{limitations}")?;
        }
        if let Some(start) = explanations::start(&groups, places, page) {
            writeln!(out, "\n{start}")?;
        }
        writeln!(out, "\n{}", headline::closing(summary, self.taken, total, page))?;
        if let Some(told) = self.suppressed.tell() {
            let hint = if self.show_suppressed { "" } else { " (--show-suppressed shows them)" };
            writeln!(out, "not counted: {told}{hint}")?;
        }
        Ok(())
    }
}

impl Observer for TableReport {
    fn connection(&mut self, mut connection: Box<Connection>, findings: Vec<Finding>) {
        self.taken.count(&connection);
        self.messages.extend(Section::of(&mut connection, self.secrets));
        let upstream = self.upstreams.remove(&connection.serial);
        for finding in findings {
            if let Some(suppressed) = &finding.suppressed {
                self.suppressed.count(suppressed);
                if !self.show_suppressed {
                    continue;
                }
            }
            self.groups.add(&connection, finding, upstream, self.secrets);
        }
    }

    fn legs(&mut self, pair: LegPair) {
        let upstream = Upstream { server: pair.upstream, stream: pair.upstream_stream };
        self.upstreams.insert(pair.client_leg, upstream);
    }
}

/// WebSocket connections that this report is about: where some were selected, fewer than there are.
#[derive(Clone, Copy, Default, Debug)]
struct Taken {
    connections: u64,
    established: u64,
}

impl Taken {
    fn count(&mut self, connection: &Connection) {
        self.connections += u64::from(connection.outcome != Outcome::Encrypted);
        self.established += u64::from(connection.outcome == Outcome::Established);
    }
}

impl Untold {
    fn count(&mut self, suppressed: &Suppressed) {
        let n = match suppressed {
            Suppressed::Ignored(_) => &mut self.ignored,
            Suppressed::Known => &mut self.known,
        };
        *n = n.saturating_add(1);
    }

    /// `2 ignored, 3 known from the baseline`.
    fn tell(self) -> Option<String> {
        let told = [(self.ignored, "ignored"), (self.known, "known from the baseline")];
        let told: Vec<String> =
            told.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// Says where and when something was seen, for people.
#[derive(Clone, Copy)]
struct Places<'a> {
    summary: &'a Summary,
    times: &'a Times,
}

impl Places<'_> {
    /// `packet 17`; with several captures `packet 17 of b.pcap`.
    fn packet(self, packet: PacketId) -> String {
        match self.capture_name(packet.capture(), 40) {
            Some(name) => format!("packet {} of {name}", packet.number()),
            None => format!("packet {}", packet.number()),
        }
    }

    /// As asked for; else in seconds since the start of its capture: `+12.345 s`.
    fn when(self, seen: Seen) -> String {
        let start = self.summary.captures.get(usize::from(seen.packet.capture())).and_then(|c| c.first);
        self.times.brief(start, seen.at)
    }

    /// The file name of a capture, cut to `limit` characters, where there is more than one capture.
    fn capture_name(self, capture: u16, limit: usize) -> Option<String> {
        if self.summary.captures.len() < 2 {
            return None;
        }
        let path = &self.summary.captures.get(usize::from(capture))?.path;
        let name = path.rsplit(['/', '\\']).next().filter(|name| !name.is_empty()).unwrap_or(path);
        Some(escape::terminal_at_most(name, limit))
    }
}

#[cfg(test)]
mod tests;
