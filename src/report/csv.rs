//! `--format csv`: one line a finding, RFC 4180, for spreadsheets and databases.

use super::escape::spreadsheet;
use super::model::{Finding, Report};
use ::csv::{Terminator, WriterBuilder};
use std::io;

/// The columns, in order. New ones come at the end.
pub const COLUMNS: [&str; 24] = [
    "id",
    "severity",
    "code",
    "rule",
    "confidence",
    "origin",
    "blame",
    "capture",
    "packet",
    "time",
    "tcp_stream",
    "stream_id",
    "client",
    "server",
    "host",
    "target",
    "outcome",
    "title",
    "message",
    "evidence",
    "help",
    "display_filter",
    "fingerprint",
    "suppressed",
];

/// Writes the columns' names and the findings.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut impl io::Write) -> io::Result<()> {
    let mut csv = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(&mut *out);
    csv.write_record(COLUMNS).map_err(reason)?;
    for finding in &report.findings {
        csv.write_record(record(finding, report)).map_err(reason)?;
    }
    csv.flush()
}

/// The writer's own error, by whose kind it is known that nobody reads on; csv would hide it in one of its own.
fn reason(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn record(finding: &Finding, report: &Report) -> [String; COLUMNS.len()] {
    let connection = finding.connection.and_then(|id| report.connections.get(id));
    let request = connection.and_then(|connection| connection.request.as_ref());
    let path = report.captures.get(usize::from(finding.capture)).map_or("", |capture| &capture.path);
    let evidence: Vec<String> = finding
        .evidence
        .iter()
        .map(|evidence| format!("packet {}: {}", evidence.packet, evidence.text))
        .collect();
    let text = |text: Option<&str>| spreadsheet(text.unwrap_or_default());
    [
        finding.id.to_string(),
        finding.severity.to_owned(),
        finding.code.to_owned(),
        finding.rule.to_owned(),
        finding.confidence.to_owned(),
        text(finding.origin),
        finding.blame.to_owned(),
        spreadsheet(path),
        finding.packet.to_string(),
        finding.time.to_string(),
        plain(connection.map(|connection| connection.tcp_stream)),
        plain(connection.and_then(|connection| connection.stream_id)),
        plain(connection.map(|connection| connection.client)),
        plain(connection.map(|connection| connection.server)),
        text(request.and_then(|request| request.host.as_deref())),
        text(request.map(|request| request.target.as_str())),
        text(connection.map(|connection| connection.outcome)),
        spreadsheet(&finding.title),
        spreadsheet(&finding.message),
        spreadsheet(&evidence.join("; ")),
        spreadsheet(&finding.help),
        spreadsheet(&finding.display_filter),
        finding.fingerprint.clone(),
        text(finding.suppressed.as_ref().map(|suppression| suppression.justification.as_str())),
    ]
}

/// What no stranger wrote, and no formula can be.
fn plain(value: Option<impl ToString>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{hostile_report, refused, report, text};

    fn rows(report: &Report) -> Vec<Vec<String>> {
        let table = text(|out| write(report, out));
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(table.as_bytes());
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn a_line_for_each_finding() {
        let report = report(vec![refused(0), refused(1)]);
        insta::assert_snapshot!(text(|out| write(&report, out)));
        assert_eq!(rows(&report)[0], COLUMNS);
    }

    #[test]
    fn hostile_text_is_one_cell_and_no_formula() {
        let rows = rows(&hostile_report());
        assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [COLUMNS.len(); 3]);
        for (row, column, cell) in
            rows[1..].iter().flat_map(|row| row.iter().zip(COLUMNS).map(move |(c, n)| (row, n, c)))
        {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{column}: {cell}");
            assert!(!cell.contains('\n'), "{column} of {row:?}");
        }
        assert!(rows[1][18].starts_with("'=cmd()\\x1b[31m"));
    }
}
