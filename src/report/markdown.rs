//! `--format markdown`: to be pasted into an incident document. What was read, the causes in a table, and for each of
//! them what it rests on, packet by packet.

use super::causes::{Cause, causes};
use super::escape::{markdown as plain, markdown_code as code};
use super::model::{Finding, Report};
use super::page::counted;
use std::io;

/// Writes the document.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut impl io::Write) -> io::Result<()> {
    let causes = causes(report);
    let totals = &report.totals;
    let suppressed = report.findings.iter().filter(|finding| finding.suppressed.is_some()).count();
    writeln!(out, "# WebSocket report\n")?;
    writeln!(
        out,
        "{} ({} established, {} rejected, {} unanswered) in {}: {}, {}, {} for information.\n",
        counted(totals.websocket_connections, "WebSocket connection", "WebSocket connections"),
        totals.established,
        totals.rejected,
        totals.unanswered,
        counted(totals.tcp_connections, "TCP connection", "TCP connections"),
        counted(totals.findings.error, "error", "errors"),
        counted(totals.findings.warning, "warning", "warnings"),
        totals.findings.info
    )?;
    if suppressed > 0 {
        let suppressed = counted(suppressed as u64, "finding is", "findings are");
        writeln!(out, "{suppressed} suppressed and not shown.\n")?;
    }
    captures(report, out)?;
    if !causes.is_empty() {
        table(&causes, out)?;
    } else if totals.websocket_connections > 0 {
        writeln!(out, "Nothing was found.\n")?;
    } else {
        writeln!(out, "There was nothing to judge: no WebSocket handshake or frame.\n")?;
    }
    for cause in &causes {
        chapter(cause, report, out)?;
    }
    if !report.quality.cannot_conclude.is_empty() {
        writeln!(out, "## What cannot be concluded\n")?;
        for text in &report.quality.cannot_conclude {
            writeln!(out, "- {}", plain(text))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "_{} {}_", report.tool.name, report.tool.version)
}

fn captures(report: &Report, out: &mut impl io::Write) -> io::Result<()> {
    let captures = &report.captures;
    writeln!(out, "| Capture | Packets | From | Until | Complete |")?;
    writeln!(out, "| --- | ---: | --- | --- | --- |")?;
    for capture in captures {
        writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            code(&capture.path, true),
            capture.packets,
            capture.first.map_or(String::new(), |at| at.to_string()),
            capture.last.map_or(String::new(), |at| at.to_string()),
            if capture.complete { "yes" } else { "no" }
        )?;
    }
    writeln!(out)?;
    let said = captures.iter().flat_map(|capture| capture.warnings.iter().map(move |text| (capture, text)));
    let mut any = false;
    for unreadable in &report.quality.captures_unreadable {
        any = true;
        let (path, reason) = (code(&unreadable.path, false), plain(&unreadable.reason));
        writeln!(out, "- **not in this report**: {path} could not be read: {reason}")?;
    }
    for (capture, text) in said {
        any = true;
        writeln!(out, "- {}: {}", code(&capture.path, false), plain(text))?;
    }
    if any { writeln!(out) } else { Ok(()) }
}

fn table(causes: &[Cause<'_>], out: &mut impl io::Write) -> io::Result<()> {
    writeln!(out, "| Severity | Rule | Finding | Spoke | Must mend it | How sure | Count |")?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- | ---: |")?;
    for Cause { first, all } in causes {
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            first.severity,
            first.code,
            plain(&first.title),
            first.origin.unwrap_or(""),
            first.blame,
            first.confidence,
            all.len()
        )?;
    }
    writeln!(out)
}

fn chapter(cause: &Cause<'_>, report: &Report, out: &mut impl io::Write) -> io::Result<()> {
    let first = cause.first;
    writeln!(out, "## {} {}: {}\n", first.severity, first.code, plain(&first.title))?;
    for finding in cause.all.iter().take(WITH_EVIDENCE) {
        writeln!(out, "{}\n", place(finding, report))?;
        writeln!(out, "{}.\n", plain(&finding.message))?;
        for evidence in &finding.evidence {
            let capture = match report.captures.get(usize::from(evidence.capture)) {
                Some(capture) if report.captures.len() > 1 => format!(" of {}", code(&capture.path, false)),
                _ => String::new(),
            };
            writeln!(out, "- packet {}{capture}: {}", evidence.packet, code(&evidence.text, false))?;
        }
        for consequence in &finding.consequences {
            let title = plain(&consequence.title);
            writeln!(out, "- followed by: {title} ({}, packet {})", consequence.code, consequence.packet)?;
        }
        writeln!(
            out,
            "\nFirst: {}. Wireshark: {}\n",
            plain(&finding.help),
            code(&finding.display_filter, false)
        )?;
    }
    let others = cause.all.iter().skip(WITH_EVIDENCE);
    if others.len() > 0 {
        writeln!(out, "The same:\n")?;
        for finding in others.take(LISTED) {
            writeln!(out, "- {}", place(finding, report))?;
        }
        if let Some(more @ 1..) = cause.all.len().checked_sub(WITH_EVIDENCE + LISTED) {
            writeln!(out, "- and {more} more")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Where and when, in one line.
fn place(finding: &Finding, report: &Report) -> String {
    let path = report.captures.get(usize::from(finding.capture)).map_or("", |capture| &capture.path);
    let packet = format!("packet {} of {}, {}", finding.packet, code(path, false), finding.time);
    let Some(connection) = finding.connection.and_then(|id| report.connections.get(id)) else {
        return packet;
    };
    let target = connection.request.as_ref().map_or(String::new(), |request| {
        let host = request.host.as_ref().map_or(String::new(), |host| format!(" of {}", code(host, false)));
        format!(" {}{host}", code(&request.target, false))
    });
    format!("**{} → {}**{target} ({packet})", connection.client, connection.server)
}

/// Findings of one cause that are shown with their evidence; the others are listed.
const WITH_EVIDENCE: usize = 3;

/// Findings of one cause that are listed; the others are counted.
const LISTED: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{hostile_report, refused, report, text, well};

    #[test]
    fn a_document() {
        let report = report((0..5).map(refused).chain([(well(), vec![])]).collect());
        insta::assert_snapshot!(text(|out| write(&report, out)));
    }

    #[test]
    fn nothing_found_is_not_nothing_to_judge() {
        assert!(text(|out| write(&report(vec![(well(), vec![])]), out)).contains("Nothing was found."));
        assert!(text(|out| write(&report(vec![]), out)).contains("There was nothing to judge"));
    }

    #[test]
    fn hostile_text_is_no_markup() {
        let document = text(|out| write(&hostile_report(), out));
        let (mut outside, mut cells) = (String::new(), Vec::new());
        for line in document.lines() {
            let text = without_code(line);
            if text.starts_with('|') {
                // Pipes that end a cell.
                cells.push(text.replace("\\|", "").matches('|').count());
            }
            outside.push_str(&text);
            outside.push('\n');
        }
        for part in ["<script", "[link](", "http:", "@all", "`", "\n=cmd", "\n::error"] {
            assert!(!outside.contains(part), "{part}: {document}");
        }
        assert_eq!(cells, [6, 6, 6, 8, 8, 8], "{document}");
    }

    /// A line without its code spans, by the rule of CommonMark: from some backticks to as many.
    fn without_code(line: &str) -> String {
        let line = line.replace("\\`", "");
        let mut rest = line.as_str();
        let mut text = String::new();
        while let Some(at) = rest.find('`') {
            text.push_str(&rest[..at]);
            let ticks = rest[at..].len() - rest[at..].trim_start_matches('`').len();
            let after = &rest[at + ticks..];
            let end = after.match_indices('`').map(|(end, _)| end).find(|&end| {
                let run = after[end..].len() - after[end..].trim_start_matches('`').len();
                run == ticks && !after[..end].ends_with('`')
            });
            rest = &after[end.expect("a code span ends") + ticks..];
        }
        text + rest
    }
}
