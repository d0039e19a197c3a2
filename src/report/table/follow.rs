//! Findings one a line, as they become certain: for those who watch a capture while it is taken.

use super::groups::BySeverity;
use super::{Taken, headline};
use crate::connection::Connection;
use crate::pipeline::Summary;
use crate::report::page::{Page, severity};
use crate::report::{Secrets, convert, escape};
use crate::rules::Finding;
use std::io;

/// Writes while it observes, and keeps counts only.
#[derive(Debug)]
pub struct Follow<W> {
    out: W,
    page: Page,
    secrets: Secrets,
    taken: Taken,
    found: BySeverity,
    written: io::Result<()>,
}

impl<W: io::Write> Follow<W> {
    /// Nothing written yet.
    pub fn new(out: W, page: Page, secrets: Secrets) -> Follow<W> {
        Follow { out, page, secrets, taken: Taken::default(), found: BySeverity::default(), written: Ok(()) }
    }

    /// Takes one connection and what the rules say of it.
    pub fn add(&mut self, connection: &Connection, findings: &[Finding]) {
        self.taken.count(connection);
        for finding in findings.iter().filter(|finding| finding.suppressed.is_none()) {
            self.found.count(finding.severity);
            let line = self.line(connection, finding);
            self.write(&line);
        }
    }

    /// Writes the line that sums up. Whether all could be written is told with the place that it was written to.
    pub fn finish(mut self, summary: &Summary) -> (W, io::Result<()>) {
        let line = headline::closing(summary, self.taken, self.found, self.page);
        self.write(&line);
        (self.out, self.written)
    }

    fn write(&mut self, line: &str) {
        if self.written.is_ok() {
            // Somebody is watching: nothing waits in a buffer.
            self.written = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
        }
    }

    fn line(&self, connection: &Connection, finding: &Finding) -> String {
        let target = connection.request.as_ref().map(|request| {
            format!(
                " {}",
                escape::terminal_at_most(&convert::target(&request.head.target, self.secrets), 200)
            )
        });
        format!(
            "{} {} {} {} {} {}{}: {} (packet {}, {}, must mend: {})",
            finding.seen.at,
            self.page.paint(severity(finding.severity), finding.severity.name()),
            finding.rule.code,
            connection.tcp.client,
            self.page.arrow(),
            connection.tcp.server,
            target.unwrap_or_default(),
            escape::terminal_at_most(&finding.title, 300),
            finding.seen.packet.number(),
            finding.confidence.name(),
            finding.blame.name(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Glyphs;
    use crate::report::testing::{refused, summary};

    #[test]
    fn a_finding_is_a_line_and_the_last_one_sums_up() {
        let mut follow = Follow::new(Vec::new(), Page::new(80, false, Glyphs::Ascii), Secrets::Hidden);
        let (connection, findings) = refused(0);
        follow.add(&connection, &findings);
        let (out, written) = follow.finish(&summary(1));
        let text = String::from_utf8(out).unwrap();
        assert!(written.is_ok());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains(" error WS-XX-001 ") && lines[0].contains("/chat?token="), "{text}");
        assert!(!text.contains("s3cret") && lines[1] == "1 error in 1 WebSocket connection", "{text}");
    }
}
