//! By what the page can be filtered: severities, endpoints and codes.

use crate::limits;
use crate::report::model::{Connection, Finding, Report};
use std::collections::BTreeSet;
use std::fmt;

/// By what something on the page is found.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) severities: Words<&'static str>,
    pub(super) endpoints: Words<String>,
    pub(super) codes: Words<String>,
}

/// Words of which each counts once; prints them apart by spaces.
#[derive(Default)]
pub(super) struct Words<T>(BTreeSet<T>);

impl Keys {
    /// Adds those of a finding.
    pub(super) fn finding(&mut self, finding: &Finding) {
        self.severities.0.insert(finding.severity);
        self.codes.0.insert(finding.code.to_owned());
    }

    /// Adds those of a connection.
    pub(super) fn connection(&mut self, connection: &Connection) {
        self.endpoints.0.insert(connection.server.to_string());
        self.codes.0.extend(codes(connection));
    }
}

impl<T: fmt::Display> fmt::Display for Words<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            word.fmt(f)?;
        }
        Ok(())
    }
}

/// What can be chosen in the filters: severities, endpoints and codes that there are.
pub(super) fn choices(report: &Report) -> (Vec<&'static str>, Vec<String>, Vec<(String, String)>) {
    let severities =
        ["error", "warning", "info"].into_iter().filter(|s| report.findings.iter().any(|f| f.severity == *s));
    let mut endpoints = BTreeSet::new();
    let mut codes: BTreeSet<String> = BTreeSet::new();
    for connection in &report.connections {
        if endpoints.len() < limits::PAGE_CHOICES {
            endpoints.insert(connection.server.to_string());
        }
        if codes.len() < limits::PAGE_CHOICES {
            codes.extend(self::codes(connection));
        }
    }
    codes.extend(report.findings.iter().map(|finding| finding.code.to_owned()));
    let shown = |code: String| {
        let text = match code.split_once('-') {
            Some(("close", number)) => format!("Close {number}"),
            Some(("status", number)) => format!("Status {number}"),
            _ => code.clone(),
        };
        (code, text)
    };
    (severities.collect(), endpoints.into_iter().collect(), codes.into_iter().map(shown).collect())
}

/// `close-1010` and `status-502`, as the filters know them.
fn codes(connection: &Connection) -> impl Iterator<Item = String> + '_ {
    let closes = connection.closes.iter().filter_map(|close| close.code);
    let status = connection.response.iter().map(|response| format!("status-{}", response.status));
    closes.map(|code| format!("close-{code}")).chain(status)
}
