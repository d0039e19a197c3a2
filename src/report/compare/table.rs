//! A comparison for people.

use super::{Both, Cause, Change, Comparison, Endpoint, graded};
use crate::report::escape;
use crate::report::page::{HEADING, Page, QUIET, severity, wrap};
use std::io;

/// Writes each endpoint with what changed at it, and a line that counts.
///
/// # Errors
/// Those of `out`.
pub fn write(comparison: &Comparison, page: Page, out: &mut dyn io::Write) -> io::Result<()> {
    let paths = |paths: &[String]| escape::terminal_at_most(&paths.join(", "), TEXT);
    writeln!(out, "{}", wrap(&paths(&comparison.captures.before), page.prose(), "before: "))?;
    writeln!(out, "{}", wrap(&paths(&comparison.captures.after), page.prose(), "after:  "))?;
    for endpoint in &comparison.endpoints {
        writeln!(out, "\n{}", heading(endpoint, page))?;
        if endpoint.causes.is_empty() {
            writeln!(out, "  nothing found in either")?;
        }
        for cause in &endpoint.causes {
            line(cause, page, out)?;
        }
    }
    writeln!(out, "\n{}", count(comparison))
}

fn heading(endpoint: &Endpoint, page: Page) -> String {
    let Endpoint { connections, established, .. } = endpoint;
    let counts =
        format!("connections {}, established {}", turned(*connections, page), turned(*established, page));
    let name = page.paint(HEADING, &escape::terminal_at_most(&endpoint.endpoint, TEXT));
    format!("{name}\n{}", wrap(&counts, page.prose(), "  "))
}

fn line(cause: &Cause, page: Page, out: &mut dyn io::Write) -> io::Result<()> {
    let title = escape::terminal_at_most(&cause.title, TEXT);
    let text = format!("{} {}: {title}, {}", cause.severity, cause.code, turned(cause.findings, page));
    // The word is painted after the line was wrapped: its colour must not count as columns.
    let first = format!("  {:<6}", cause.change.name());
    let wrapped = wrap(&text, page.prose(), &first);
    let painted = match cause.change {
        Change::New | Change::More => page.paint(severity(graded(cause.severity)), &first),
        Change::Same | Change::Fewer | Change::Gone => page.paint(QUIET, &first),
    };
    writeln!(out, "{painted}{}", wrapped.strip_prefix(&first).unwrap_or(&wrapped))?;
    let path = escape::terminal_at_most(&cause.example.path, TEXT);
    writeln!(out, "{}", wrap(&format!("packet {} of {path}", cause.example.packet), page.prose(), "        "))
}

/// `3 → 5`.
fn turned(both: Both<u64>, page: Page) -> String {
    format!("{} {} {}", both.before, page.arrow(), both.after)
}

/// `1 new, 2 gone`.
fn count(comparison: &Comparison) -> String {
    let causes = || comparison.endpoints.iter().flat_map(|endpoint| &endpoint.causes);
    let of = |change| causes().filter(|cause| cause.change == change).count();
    let changes = [Change::New, Change::More, Change::Same, Change::Fewer, Change::Gone];
    let told = changes.into_iter().map(|change| (of(change), change)).filter(|(n, _)| *n > 0);
    let told: Vec<String> = told.map(|(n, change)| format!("{n} {}", change.name())).collect();
    if told.is_empty() { String::from("nothing found, before or after") } else { told.join(", ") }
}

/// Longest text of one line's parts.
const TEXT: usize = 300;
