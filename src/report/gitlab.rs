//! `--format gitlab`: a code quality report, which GitLab compares between branches by fingerprint. The line is the number
//! of the packet.

use super::causes::faults;
use super::model::Report;
use super::{escape, json};
use serde::Serialize;
use std::io;

/// Writes the list of faults, each once.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut impl io::Write) -> io::Result<()> {
    let issues = faults(report).into_iter().map(|fault| {
        let finding = fault.first;
        let path = report.captures.get(usize::from(finding.capture)).map_or("", |capture| &capture.path);
        Issue {
            description: escape::terminal(&format!(
                "{}: {}{}; first: {}",
                finding.title,
                finding.message,
                fault.and_more(),
                finding.help
            ))
            .into_owned(),
            check_name: finding.code,
            fingerprint: &finding.fingerprint,
            severity: match finding.severity {
                "error" => "major",
                "warning" => "minor",
                _ => "info",
            },
            location: Location {
                path: path.strip_prefix("./").unwrap_or(path),
                lines: Lines { begin: finding.packet },
            },
        }
    });
    json::pretty(&issues.collect::<Vec<_>>(), out)
}

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'a str,
    /// No two are equal: GitLab drops the second.
    fingerprint: &'a str,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{hostile_report, refused, report, text};
    use serde_json::Value;

    fn issues(report: &Report) -> Vec<Value> {
        serde_json::from_str(&text(|out| write(report, out))).unwrap()
    }

    #[test]
    fn equal_faults_are_one_issue() {
        let report = report(vec![refused(0), refused(1)]);
        insta::assert_snapshot!(text(|out| write(&report, out)));
        assert!(issues(&report)[0]["description"].as_str().unwrap().contains("(and 1 more like it)"));
    }

    #[test]
    fn hostile_text_is_text() {
        let issues = issues(&hostile_report());
        assert_eq!(issues.len(), 1, "what is suppressed is no issue");
        assert!(issues[0]["description"].as_str().unwrap().contains("]]>\\n::error::owned\\r\\n"));
    }
}
