//! Findings that are known and do not count: ignored for a reason, or told before by the report that is the baseline.

use super::finding::Finding;
use super::url_pattern::UrlPattern;
use super::{Rule, fingerprint};
use crate::connection::Connection;
use std::collections::HashSet;

/// What does not count in this run.
#[derive(Clone, Default, Debug)]
pub struct Suppressions {
    /// The first that holds gives its reason.
    pub ignored: Vec<Ignored>,
    /// Fingerprints of findings of an earlier run.
    pub known: HashSet<String>,
}

/// Rules that are ignored at one place.
#[derive(Clone, Debug)]
pub struct Ignored {
    /// The rules.
    pub rules: Vec<&'static Rule>,
    /// Where.
    pub place: UrlPattern,
    /// Why.
    pub reason: String,
}

/// Why a finding does not count.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Suppressed {
    /// It is ignored, for this reason.
    Ignored(String),
    /// The baseline has it.
    Known,
}

impl Suppressions {
    /// Marks a finding that does not count. What is ignored needs no baseline.
    pub fn mark(&self, connection: &Connection, finding: &mut Finding) {
        let ignored = self.ignored.iter().find(|ignored| {
            ignored.rules.iter().any(|rule| rule.code == finding.rule.code) && ignored.place.holds(connection)
        });
        finding.suppressed = match ignored {
            Some(ignored) => Some(Suppressed::Ignored(ignored.reason.clone())),
            None if self.known.is_empty() => None,
            None => self.known.contains(&fingerprint(finding, connection)).then_some(Suppressed::Known),
        };
    }

    /// Marks a finding about the run as a whole; it happens everywhere.
    pub fn of_run(&self, rule: &Rule, fingerprint: &str) -> Option<Suppressed> {
        let ignored = self.ignored.iter().find(|ignored| {
            ignored.place.is_anywhere() && ignored.rules.iter().any(|other| other.code == rule.code)
        });
        let known = || self.known.contains(fingerprint).then_some(Suppressed::Known);
        ignored.map(|ignored| Suppressed::Ignored(ignored.reason.clone())).or_else(known)
    }
}

impl Suppressed {
    /// `ignored` or `known`.
    pub const fn name(&self) -> &'static str {
        match self {
            Suppressed::Ignored(_) => "ignored",
            Suppressed::Known => "known",
        }
    }

    /// The reason, for people.
    pub fn reason(&self) -> &str {
        match self {
            Suppressed::Ignored(reason) => reason,
            Suppressed::Known => "the baseline has it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role::{Client, Server};
    use crate::rules::selection::named;
    use crate::rules::testing::Scene;

    fn marked(suppressions: &Suppressions) -> Option<Suppressed> {
        let scene = Scene::session("permessage-deflate", "")
            .close(Client, 1010, "permessage-deflate")
            .close(Server, 1010, "permessage-deflate")
            .fin(Server);
        let connection = scene.build();
        let mut finding = crate::rules::judge(&connection, &crate::rules::Context::alone()).remove(0);
        suppressions.mark(&connection, &mut finding);
        finding.suppressed
    }

    fn ignored(rule: &str, place: &str) -> Suppressions {
        let entry = Ignored {
            rules: named(rule),
            place: UrlPattern::parse(place),
            reason: String::from("an old client"),
        };
        Suppressions { ignored: vec![entry], ..Suppressions::default() }
    }

    #[test]
    fn what_is_ignored_is_so_by_rule_and_place() {
        let reason = Some(Suppressed::Ignored(String::from("an old client")));
        assert_eq!(marked(&ignored("WS-EX-012", "")), reason);
        assert_eq!(marked(&ignored("extension", "example.org/ch*")), reason);
        assert_eq!(marked(&ignored("WS-EX-012", "other.org")), None);
        assert_eq!(marked(&ignored("WS-EX-001", "")), None);
        assert_eq!(marked(&Suppressions::default()), None);
    }

    #[test]
    fn what_the_baseline_has_is_known() {
        let scene = || Scene::session("permessage-deflate", "").close(Client, 1010, "permessage-deflate");
        let connection = scene().after(5.0).build();
        let finding = crate::rules::judge(&connection, &crate::rules::Context::alone()).remove(0);
        let known = HashSet::from([fingerprint(&finding, &connection)]);
        assert_eq!(marked(&Suppressions { known, ..Suppressions::default() }), Some(Suppressed::Known));
        let other = HashSet::from([String::from("0123456789abcdef")]);
        assert_eq!(marked(&Suppressions { known: other, ..Suppressions::default() }), None);
    }
}
