//! Findings of one cause together, for formats that tell each cause once.

use super::model::{Finding, Report};
use std::collections::HashMap;

/// Findings of equal rule, severity and title, in order.
#[derive(Debug)]
pub(super) struct Cause<'a> {
    /// The first of them.
    pub(super) first: &'a Finding,
    /// All of them.
    pub(super) all: Vec<&'a Finding>,
}

impl Cause<'_> {
    /// ` (and 3 more like it)`, or nothing.
    pub(super) fn and_more(&self) -> String {
        match self.all.len() {
            0 | 1 => String::new(),
            count => format!(" (and {} more like it)", count - 1),
        }
    }
}

/// The causes of what counts, gravest first, then in order of first packet.
pub(super) fn causes(report: &Report) -> Vec<Cause<'_>> {
    by(report, |finding| (finding.code, finding.severity, finding.title.as_str()))
}

/// The same by fingerprint: apart for each server and path.
pub(super) fn faults(report: &Report) -> Vec<Cause<'_>> {
    by(report, |finding| finding.fingerprint.as_str())
}

fn by<'a, K: Eq + std::hash::Hash>(report: &'a Report, key: impl Fn(&'a Finding) -> K) -> Vec<Cause<'a>> {
    let mut places: HashMap<K, usize> = HashMap::new();
    let mut causes: Vec<Cause<'a>> = Vec::new();
    for finding in report.findings.iter().filter(|finding| finding.suppressed.is_none()) {
        let place = *places.entry(key(finding)).or_insert(causes.len());
        match causes.get_mut(place) {
            Some(cause) => cause.all.push(finding),
            None => causes.push(Cause { first: finding, all: vec![finding] }),
        }
    }
    let gravity = |cause: &Cause<'_>| match cause.first.severity {
        "error" => 0,
        "warning" => 1,
        _ => 2,
    };
    causes.sort_by_key(gravity);
    causes
}
