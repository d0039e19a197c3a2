//! `wsanalyze rules`: every rule, with a sentence each.

use super::args::ListFormat;
use super::exit::Status;
use super::printed;
use crate::report;
use crate::report::page::{self, HEADING, Page, QUIET, wrap};
use crate::rules::RULES;
use std::io;

/// Prints the list.
pub(super) fn list(format: ListFormat, page: Page) -> Status {
    printed(page.color, Status::Clean, |mut out| match format {
        ListFormat::Table => table(page, out),
        ListFormat::Json => report::json::write_rules(&mut out),
    })
}

/// By category, in order of code: code, severity and name, then what the rule finds and where the protocol says so.
fn table(page: Page, out: &mut dyn io::Write) -> io::Result<()> {
    for (index, rule) in RULES.iter().enumerate() {
        if index == 0 || RULES[index - 1].category != rule.category {
            let gap = if index == 0 { "" } else { "\n" };
            writeln!(out, "{gap}{}\n", page.paint(HEADING, rule.category.name()))?;
        }
        let severity = page.paint(page::severity(rule.severity), rule.severity.name());
        let pad = " ".repeat(8_usize.saturating_sub(rule.severity.name().len()));
        writeln!(out, "{:9}  {severity}{pad} {}", rule.code, page.paint(HEADING, rule.name))?;
        writeln!(out, "{}", wrap(&rule.summary(), page.prose(), INDENT))?;
        writeln!(out, "{}", page.paint(QUIET, &wrap(rule.reference, page.prose(), INDENT)))?;
    }
    let hint = "wsanalyze explain CODE prints the manual of a rule; --select, --ignore and --severity take codes, names and categories";
    writeln!(out, "\n{}", wrap(hint, page.prose(), ""))
}

const INDENT: &str = "           ";
