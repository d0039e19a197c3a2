//! `--baseline`: what an earlier report of ours already told.

use serde::Deserialize;
use std::collections::HashSet;
use std::path::Path;

/// As much of a report as a baseline needs.
#[derive(Deserialize)]
struct Report {
    schema: String,
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    fingerprint: String,
}

/// The fingerprints of a report's findings.
///
/// # Errors
/// Why it cannot be read, or that it is no report.
pub(super) fn read(path: &Path) -> Result<HashSet<String>, String> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).map_err(|reason| format!("{}: {reason}", path.display()))
}

fn parse(text: &[u8]) -> Result<HashSet<String>, String> {
    let expected = "expected a report as --format json prints it";
    let report: Report = serde_json::from_slice(text).map_err(|error| format!("{expected}: {error}"))?;
    if report.schema != crate::report::model::SCHEMA {
        return Err(format!(
            "{expected}, of schema {}, not {:?}",
            crate::report::model::SCHEMA,
            report.schema
        ));
    }
    Ok(report.findings.into_iter().map(|finding| finding.fingerprint).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_taken_from_a_report_and_from_nothing_else() {
        let report = br#"{"schema": "wsanalyze.report/1", "findings": [{"id": 0, "fingerprint": "aa"}]}"#;
        assert_eq!(parse(report), Ok(HashSet::from([String::from("aa")])));
        for (text, says) in [
            (&b"{}"[..], "missing field"),
            (b"nonsense", "expected a report"),
            (br#"{"schema": "other/1", "findings": []}"#, "not \"other/1\""),
        ] {
            let reason = parse(text).unwrap_err();
            assert!(reason.contains(says), "{reason}");
        }
    }
}
