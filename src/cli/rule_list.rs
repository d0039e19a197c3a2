//! `wsanalyze rules`: every rule, in one line each.

use super::args::Format;
use super::exit::Status;
use super::printed;
use crate::report;
use crate::report::page::{Page, wrap};
use crate::rules::RULES;
use std::io;

/// Prints the list.
pub(super) fn list(format: Format, page: Page) -> Status {
    printed(page.color, Status::Clean, |mut out| match format {
        Format::Table => table(page, out),
        Format::Json => report::write_rules(&mut out),
    })
}

fn table(page: Page, out: &mut dyn io::Write) -> io::Result<()> {
    for rule in RULES {
        let line = format!("{} ({})", rule.name, rule.category.name());
        writeln!(
            out,
            "{}",
            wrap(&line, page.prose(), &format!("{:9}  {:7}  ", rule.code, rule.severity.name()))
        )?;
    }
    writeln!(out, "\nwsanalyze explain CODE prints the manual of a rule")
}
