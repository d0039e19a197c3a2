//! `--format github`: workflow commands, which GitHub shows as annotations of a run. The file is the capture, the line
//! the number of the packet.

use super::causes::causes;
use super::escape::{github_message, github_property};
use super::model::Report;
use std::io;

/// Writes one command for each cause, gravest first, and a sentence at the end that also tells of what is left out.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut impl io::Write) -> io::Result<()> {
    let unreadable = &report.quality.captures_unreadable;
    for capture in unreadable.iter().take(SHOWN) {
        let message = format!("{} could not be read: {}", capture.path, capture.reason);
        writeln!(out, "::error title=wsanalyze::{}", github_message(&message))?;
    }
    let mut room =
        [("error", SHOWN.saturating_sub(unreadable.len())), ("warning", SHOWN), ("info", SHOWN - 1)];
    let mut left_out = 0;
    for cause in causes(report) {
        let finding = cause.first;
        match room.iter_mut().find(|(severity, room)| *severity == finding.severity && *room > 0) {
            Some((_, room)) => *room -= 1,
            None => {
                left_out += 1;
                continue;
            }
        }
        let path = report.captures.get(usize::from(finding.capture)).map_or("", |capture| &capture.path);
        let command = if finding.severity == "info" { "notice" } else { finding.severity };
        let title = format!("{}: {}", finding.code, finding.title);
        let message = format!(
            "{}{}; first: {} (packet {}, {})",
            finding.message,
            cause.and_more(),
            finding.help,
            finding.packet,
            finding.display_filter
        );
        writeln!(
            out,
            "::{command} file={},line={},title={}::{}",
            github_property(path),
            finding.packet,
            github_property(&title),
            github_message(&message)
        )?;
    }
    let counts = &report.totals.findings;
    let mut told = format!(
        "errors: {}, warnings: {}, information: {}, in WebSocket connections: {}",
        counts.error, counts.warning, counts.info, report.totals.websocket_connections
    );
    if !unreadable.is_empty() {
        told.push_str(&format!("; captures that could not be read: {}", unreadable.len()));
    }
    if left_out > 0 {
        told.push_str(&format!("; causes not shown, for GitHub takes {SHOWN} of a level: {left_out}"));
    }
    writeln!(out, "::notice title=wsanalyze::{}", github_message(&told))
}

/// GitHub shows so many annotations of each level from one step, and drops the others without a word.
const SHOWN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{HOSTILE, hostile_report, refused, report, text};

    #[test]
    fn an_annotation_for_each_cause_and_a_sentence() {
        let report = report(vec![refused(0), refused(1)]);
        insta::assert_snapshot!(text(|out| write(&report, out)));
    }

    #[test]
    fn what_is_gravest_is_shown_and_what_is_left_out_is_told() {
        let mut report = report((0..60).map(refused).collect());
        for (index, finding) in report.findings.iter_mut().enumerate() {
            finding.title = format!("cause {index}");
            finding.severity = ["info", "warning", "error"][index % 3];
        }
        let lines = text(|out| write(&report, out));
        let count = |command: &str| lines.lines().filter(|line| line.starts_with(command)).count();
        assert_eq!([count("::error "), count("::warning "), count("::notice ")], [10, 10, 10]);
        assert!(
            lines.starts_with("::error ") && lines.trim_end().ends_with("takes 10 of a level: 31"),
            "{lines}"
        );
    }

    #[test]
    fn hostile_text_begins_no_command() {
        let lines = text(|out| write(&hostile_report(), out));
        assert_eq!(lines.lines().count(), 2, "{lines}");
        assert!(lines.lines().all(|line| line.starts_with("::error file=") || line.starts_with("::notice ")));
        let properties = lines.strip_prefix("::error ").unwrap().split("::").next().unwrap();
        let names: Vec<&str> =
            properties.split(',').map(|property| property.split('=').next().unwrap()).collect();
        assert_eq!(names, ["file", "line", "title"]);
        assert!(HOSTILE.contains("%0A") && !lines.contains("%0A"), "{lines}");
    }
}
