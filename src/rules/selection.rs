//! What a run asks of the rules: which of them speak, how gravely, and which extensions a session must have.

use super::expectation::Expectation;
use super::finding::{Finding, Severity};
use super::rule::Rule;
use super::url_pattern::UrlPattern;
use super::{RULES, rule};
use crate::connection::Connection;
use std::collections::BTreeMap;

/// Which rules speak and how gravely, and what they demand. By default all speak as they are, and demand nothing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Selection {
    /// By code, rules that differ from what they are by themselves.
    levels: BTreeMap<&'static str, Level>,
    required: Vec<Requirement>,
    expectations: Vec<Expectation>,
}

/// How a rule speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Not at all.
    Off,
    /// Always with this severity.
    At(Severity),
}

/// An extension that sessions, or sessions at one place, must have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Requirement {
    extension: String,
    place: UrlPattern,
}

impl Selection {
    /// Only these rules speak; where none is named, all do.
    #[must_use]
    pub fn only(mut self, rules: &[&'static Rule]) -> Selection {
        if !rules.is_empty() {
            let others = RULES.iter().filter(|rule| !rules.iter().any(|named| named.code == rule.code));
            self.levels.extend(others.map(|rule| (rule.code, Level::Off)));
        }
        self
    }

    /// These rules speak at that level. What was said of them before no longer counts.
    #[must_use]
    pub fn level(mut self, rules: &[&'static Rule], level: Level) -> Selection {
        self.levels.extend(rules.iter().map(|rule| (rule.code, level)));
        self
    }

    /// Sessions must have these extensions.
    #[must_use]
    pub fn require(mut self, required: Vec<Requirement>) -> Selection {
        self.required.extend(required);
        self
    }

    /// Recorded traffic must be as these say.
    #[must_use]
    pub fn expect(mut self, expectations: Vec<Expectation>) -> Selection {
        self.expectations.extend(expectations);
        self
    }

    /// What recorded traffic must be like.
    pub fn expectations(&self) -> &[Expectation] {
        &self.expectations
    }

    /// Whether it demands anything of sessions.
    pub(super) fn demands(&self) -> bool {
        !self.required.is_empty() || !self.expectations.is_empty()
    }

    /// Whether the rule speaks at all.
    #[inline]
    pub fn speaks(&self, rule: &Rule) -> bool {
        self.levels.is_empty() || self.levels.get(rule.code) != Some(&Level::Off)
    }

    /// The extensions that this connection must have, each once. None where its request was not captured: its host
    /// and path are then not known.
    pub fn required(&self, connection: &Connection) -> Vec<&str> {
        if connection.request.is_none() {
            return Vec::new();
        }
        let mut names: Vec<&str> = Vec::new();
        for requirement in &self.required {
            let known = names.iter().any(|name| name.eq_ignore_ascii_case(&requirement.extension));
            if !known && requirement.place.holds(connection) {
                names.push(&requirement.extension);
            }
        }
        names
    }

    /// The severity of a rule's findings, unless they are milder by themselves.
    pub fn severity(&self, rule: &Rule) -> Severity {
        match self.levels.get(rule.code) {
            Some(Level::At(severity)) => *severity,
            Some(Level::Off) | None => rule.severity,
        }
    }

    /// Gives a finding the severity that was asked for, if any was.
    pub(super) fn weigh(&self, finding: &mut Finding) {
        if let Some(Level::At(severity)) = self.levels.get(finding.rule.code) {
            finding.severity = *severity;
        }
    }

    /// Whether `below` may hang under `root`, which explains it. Where a severity was asked for, a graver finding never
    /// hides under a lesser one.
    pub(super) fn hides(&self, root: &Finding, below: &Finding) -> bool {
        let asked = |finding: &Finding| self.levels.contains_key(finding.rule.code);
        below.severity <= root.severity || !(asked(root) || asked(below))
    }
}

impl Requirement {
    /// `NAME` or `NAME@PLACE`. A place is a host (`api.example.org`), a path (`/chat*`) or both in one; the port may
    /// be left out.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Requirement, String> {
        let (name, place) = match text.split_once('@') {
            Some((name, place)) => (name, Some(place)),
            None => (text, None),
        };
        if !is_extension_name(name) {
            return Err(format!(
                "{text}: not the name of an extension, such as permessage-deflate, alone or with a place, such as permessage-deflate@example.org/chat*"
            ));
        }
        if place.is_some_and(str::is_empty) {
            return Err(format!("{text}: no host or path after the @"));
        }
        let place = place.map(UrlPattern::parse).unwrap_or_default();
        Ok(Requirement { extension: name.to_owned(), place })
    }
}

/// Whether an extension can be called so: a token (RFC 6455 §9.1), without parameters.
pub fn is_extension_name(text: &str) -> bool {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(is_token)
}

/// Rules of that code or name, of a category (`extension`), or of codes that begin so (`WS-EX`); empty where there is
/// no such rule.
pub fn named(word: &str) -> Vec<&'static Rule> {
    let word = word.trim();
    if let Some(rule) = rule(word) {
        return vec![rule];
    }
    let of = |rule: &&Rule| {
        let prefix = rule.code.rsplit_once('-').map_or(rule.code, |(prefix, _)| prefix);
        [rule.category.name(), prefix, prefix.trim_start_matches("WS-")]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(word))
    };
    RULES.iter().copied().filter(of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ANSWER, REQUEST, Scene};
    use super::*;
    use crate::role::Role::{Client, Server};
    use crate::rules::{Context, judge};

    fn judged(scene: Scene, selection: &Selection) -> Vec<(&'static str, Severity, usize)> {
        let findings = judge(&scene.build(), &Context { selection, ..Context::alone() });
        findings.iter().map(|found| (found.rule.code, found.severity, found.consequences.len())).collect()
    }

    /// 1010 is the root, the extension that was not accepted its consequence.
    fn closed() -> Scene {
        Scene::session("permessage-deflate", "")
            .close(Client, 1010, "permessage-deflate")
            .close(Server, 1010, "permessage-deflate")
            .fin(Server)
    }

    const ROOT: &str = "WS-EX-012";
    const BELOW: &str = "WS-EX-001";

    #[test]
    fn rules_are_named_by_code_name_category_and_prefix() {
        assert_eq!(named("ws-ex-012")[0].name, "close-1010-mandatory-extension");
        assert_eq!(named("close-1010-mandatory-extension").len(), 1);
        for category in ["extension", "WS-EX", "ex", " EXTENSION "] {
            let rules = named(category);
            assert!(
                rules.len() > 5 && rules.iter().all(|rule| rule.code.starts_with("WS-EX-")),
                "{category}"
            );
        }
        for nothing in ["", "WS", "W", "WS-EX-0", "no-such-rule"] {
            assert!(named(nothing).is_empty(), "{nothing:?}");
        }
    }

    #[test]
    fn what_followed_from_an_ignored_root_is_told_on_its_own() {
        assert_eq!(judged(closed(), &Selection::default()), [(ROOT, Severity::Error, 1)]);
        let without_root = Selection::default().level(&named(ROOT), Level::Off);
        assert_eq!(judged(closed(), &without_root), [(BELOW, Severity::Info, 0)]);
        let without_consequence = Selection::default().level(&named(BELOW), Level::Off);
        assert_eq!(judged(closed(), &without_consequence), [(ROOT, Severity::Error, 0)]);
        assert!(judged(closed(), &Selection::default().level(&named("extension"), Level::Off)).is_empty());
    }

    #[test]
    fn only_selected_rules_speak() {
        assert_eq!(judged(closed(), &Selection::default().only(&named(BELOW))), [(BELOW, Severity::Info, 0)]);
        assert!(judged(closed(), &Selection::default().only(&named("gateway"))).is_empty());
        assert_eq!(judged(closed(), &Selection::default().only(&[])).len(), 1);
    }

    #[test]
    fn a_severity_that_was_asked_for_goes_up_and_down() {
        let at = |rule: &str, severity| Selection::default().level(&named(rule), Level::At(severity));
        assert_eq!(judged(closed(), &at(ROOT, Severity::Warning)), [(ROOT, Severity::Warning, 1)]);
        let lone = || Scene::session("permessage-deflate", "");
        assert_eq!(judged(lone(), &at(BELOW, Severity::Error)), [(BELOW, Severity::Error, 0)]);
    }

    #[test]
    fn no_severity_that_was_asked_for_hides_under_a_lesser_one() {
        let selection = Selection::default()
            .level(&named(ROOT), Level::At(Severity::Info))
            .level(&named(BELOW), Level::At(Severity::Warning));
        assert_eq!(judged(closed(), &selection), [(BELOW, Severity::Warning, 0), (ROOT, Severity::Info, 0)]);
    }

    #[test]
    fn the_last_word_on_a_rule_counts() {
        let selection = Selection::default()
            .level(&named("extension"), Level::Off)
            .level(&named(BELOW), Level::At(Severity::Warning));
        assert_eq!(judged(closed(), &selection), [(BELOW, Severity::Warning, 0)]);
    }

    #[test]
    fn a_requirement_holds_at_its_place() {
        let holds = |place: &str, target: &str, host: &str| {
            let request = REQUEST
                .replace("/chat?token=s3cret", target)
                .replace("Host: example.org\r\n", &format!("Host: {host}\r\n"));
            let connection = Scene::tcp().request(&request).answer(ANSWER, "").build();
            let requirement = Requirement::parse(&format!("permessage-deflate{place}")).unwrap();
            !Selection::default().require(vec![requirement]).required(&connection).is_empty()
        };
        for (place, target, host) in [
            ("", "/chat", "example.org"),
            ("@api.example.org/chat*", "/chat/7?token=x", "api.example.org"),
            ("@API.example.org/chat", "/chat?token=x", "api.EXAMPLE.org:8080"),
            ("@api.example.org:8080", "/any", "api.example.org:8080"),
            ("@*.example.org", "/any/path", "eu.api.example.org"),
            ("@/chat", "/chat", "any.org"),
            ("@*/chat", "/chat", "any.org"),
            ("@example.org/chat", "http://example.org/chat?x", "example.org"),
            ("@example.org/", "ws://example.org?x", "example.org"),
        ] {
            assert!(holds(place, target, host), "{place} {target} {host}");
        }
        for (place, target, host) in [
            ("@api.example.org", "/", "example.org"),
            ("@example.org/chat", "/chat/7", "example.org"),
            ("@/chat", "/Chat", "example.org"),
            ("@example.org:81", "/", "example.org:80"),
        ] {
            assert!(!holds(place, target, host), "{place} {target} {host}");
        }
    }

    #[test]
    fn what_is_no_extension_is_refused() {
        for bad in ["", "@x", "a b", "a;b=1", "permessage-deflate@", "a,b", "é"] {
            assert!(Requirement::parse(bad).is_err(), "{bad:?}");
        }
    }
}
