//! `wsanalyze explain`: what a close code means, how several differ, and the manual of a rule.

use super::complain;
use super::exit::Status;
use super::printed;
use crate::report::markdown;
use crate::report::page::{self, HEADING, Page, QUIET, wrap};
use crate::rules::codes::{self, Code, Kind};
use crate::rules::{self, RULES, Rule};
use std::cmp::Reverse;

/// How many names an unknown topic is answered with.
const SUGGESTIONS: usize = 4;

/// Prints what is known of the topics, and of two or more close codes how they differ. Nothing is printed where one
/// topic is unknown.
pub(super) fn explain(topics: &[String], page: Page) -> Status {
    let mut known = Vec::with_capacity(topics.len());
    for topic in topics {
        match Topic::named(topic) {
            Some(topic) => known.push(topic),
            None => complain(&unknown(topic)),
        }
    }
    if known.len() < topics.len() {
        return Status::Usage;
    }
    let text = text(&known, page);
    printed(page.color, Status::Clean, |out| out.write_all(text.as_bytes()))
}

enum Topic {
    Code(u16, &'static Code),
    Rule(&'static Rule),
}

impl Topic {
    fn named(topic: &str) -> Option<Topic> {
        match topic.trim().parse::<u16>() {
            Ok(number) => codes::explain(number).map(|code| Topic::Code(number, code)),
            Err(_) => rules::rule(topic).map(Topic::Rule),
        }
    }
}

/// All topics, then what tells the codes among them apart, two by two.
fn text(topics: &[Topic], page: Page) -> String {
    let mut chapters: Vec<String> = topics
        .iter()
        .map(|topic| match topic {
            Topic::Code(number, code) => code_text(*number, code, page),
            Topic::Rule(rule) => rule_text(rule, page),
        })
        .collect();
    let mut numbers: Vec<u16> = Vec::new();
    for topic in topics {
        if let Topic::Code(number, _) = topic
            && !numbers.contains(number)
        {
            chapters.extend(numbers.iter().filter_map(|earlier| comparison(*earlier, *number, page)));
            numbers.push(*number);
        }
    }
    chapters.join(&format!("{}\n", page.paint(QUIET, &page.rule().repeat(page.prose()))))
}

/// A code's chapter. A code of a range goes by the number that was asked for.
fn code_text(number: u16, code: &Code, page: Page) -> String {
    let kind = match code.kind {
        Kind::Close => "close code",
        Kind::Status => "HTTP status in answer to an upgrade",
    };
    let title = page.paint(HEADING, &format!("{number} {}", code.name));
    let mut text = format!("{title}, {kind}\n{}\n", wrap(code.brief, page.prose(), ""));
    for (heading, words) in [
        ("Description", code.description),
        ("When you see it", code.when),
        ("How to fix it", code.fix),
        ("Who may send it", code.sender),
    ] {
        text.push_str(&section(heading, words, page));
    }
    if !code.rules.is_empty() {
        text.push_str(&section("Rules that speak of it", &code.rules.join(", "), page));
    }
    let range = match (code.codes.start(), code.codes.end()) {
        (first, last) if first == last => String::new(),
        (first, last) => format!("; one of {first} to {last}"),
    };
    let reference = wrap(&format!("{}{range}", code.reference), page.prose(), "  ");
    text.push_str(&format!("\n{}\n", page.paint(QUIET, &reference)));
    text
}

/// What tells two codes apart.
fn comparison(one: u16, other: u16, page: Page) -> Option<String> {
    let comparison = codes::compare(one, other);
    if comparison.differences.is_empty() {
        return None;
    }
    let bullet = |text: &String| format!("- {text}");
    let differences: Vec<String> = comparison.differences.iter().map(bullet).collect();
    let when: Vec<String> = comparison.when_to_use.iter().map(bullet).collect();
    let title = page.paint(HEADING, &format!("{one} and {other}"));
    Some(format!(
        "{title}\n{}{}",
        section("Key differences", &differences.join("\n"), page),
        section("When to use which", &when.join("\n"), page)
    ))
}

fn section(heading: &str, text: &str, page: Page) -> String {
    format!("\n{}\n{}", page.paint(HEADING, heading), markdown::render(text, page, 2))
}

/// A rule's manual.
fn rule_text(rule: &Rule, page: Page) -> String {
    let severity = page.paint(page::severity(rule.severity), rule.severity.name());
    let mut text = format!("{severity} {}\n", page.paint(HEADING, &format!("{} {}", rule.code, rule.name)));
    for (heading, manual) in markdown::sections(rule.manual) {
        text.push_str(&section(&heading, &manual, page));
    }
    let about = format!("about {}; {}", rule.category.name(), rule.reference);
    text.push_str(&format!("\n{}\n", page.paint(QUIET, &wrap(&about, page.prose(), "  "))));
    text
}

/// What to say of a topic that is neither code nor rule.
fn unknown(topic: &str) -> String {
    if let Ok(number) = topic.trim().parse::<u64>() {
        return format!(
            "{number}: neither a close code, which are 1000 to 4999, nor a known status in answer to an upgrade"
        );
    }
    let near = nearest(topic, RULES.iter().flat_map(|rule| [rule.name, rule.code]));
    let hint = match near.as_slice() {
        [] => String::from("wsanalyze rules lists the rules"),
        names => format!("did you mean {}?", names.join(", ")),
    };
    let shown: String = topic.chars().take(80).collect();
    format!("{shown}: neither a close code nor a rule; {hint}")
}

/// The names most like `topic`: those that hold one of its words, and those a few letters away.
fn nearest<'a>(topic: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let topic: String = topic.chars().take(80).flat_map(char::to_lowercase).collect();
    let words: Vec<&str> =
        topic.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2).collect();
    let mut ranked: Vec<(Reverse<usize>, usize, &str)> = names
        .filter_map(|name| {
            let lower = name.to_ascii_lowercase();
            let away = distance(&topic, &lower);
            let shared = words.iter().filter(|word| lower.contains(**word)).count();
            (shared > 0 || away <= 3).then_some((Reverse(shared), away, name))
        })
        .collect();
    ranked.sort();
    ranked.into_iter().take(SUGGESTIONS).map(|(_, _, name)| name).collect()
}

/// How many letters must be changed, added or left out (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Glyphs;

    fn explained(topics: &[&str]) -> String {
        let topics: Vec<Topic> = topics.iter().map(|topic| Topic::named(topic).unwrap()).collect();
        text(&topics, Page::new(80, false, Glyphs::Unicode))
    }

    #[test]
    fn one_code_is_described_and_not_compared() {
        let text = explained(&["1010"]);
        assert!(text.starts_with("1010 Mandatory Extension, close code\n"));
        for heading in ["Description", "When you see it", "How to fix it", "Who may send it"] {
            assert!(text.contains(&format!("\n{heading}\n")), "{heading}");
        }
        assert!(!text.contains("Key differences"));
        assert!(explained(&["4321"]).contains("4321 ") && explained(&["4321"]).contains("4000 to 4999"));
    }

    #[test]
    fn several_codes_are_compared_two_by_two_and_once() {
        let text = explained(&["1010", "1014", "1010", "502"]);
        assert_eq!(text.matches("\nWhen to use which\n").count(), 3);
        assert_eq!(text.matches("\n1010 and 1014\n").count(), 1);
    }

    #[test]
    fn every_rule_is_explained_under_its_code_and_name() {
        for rule in RULES {
            let text = explained(&[rule.code, rule.name]);
            assert_eq!(text.matches("\nHow to fix\n").count(), 2, "{}", rule.code);
        }
    }

    #[test]
    fn an_unknown_topic_is_answered_with_what_may_have_been_meant() {
        assert!(Topic::named("999").is_none() && Topic::named("no-such-rule").is_none());
        assert!(unknown("999").starts_with("999: neither a close code"));
        assert!(unknown("qqqqqqqq").ends_with("wsanalyze rules lists the rules"));
        assert!(unknown(&"x".repeat(9_000)).len() < 200);
    }

    #[test]
    fn letters_are_counted_between_words() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn a_slip_of_the_finger_and_a_part_of_a_name_are_understood() {
        let names = [
            "close-1010-mandatory-extension",
            "WS-EX-012",
            "server-frame-masked",
            "extension-offered-not-accepted",
        ];
        let near = |topic: &str| nearest(topic, names.into_iter());
        assert_eq!(near("close-1010-mandatory-extention"), [names[0]]);
        assert_eq!(near("ws-ex-013"), [names[1]]);
        assert_eq!(near("close-1010")[0], names[0]);
        assert_eq!(near("masked"), [names[2]]);
        assert_eq!(near("extension").len(), 2);
        assert!(near("qqqqqqqq").is_empty());
    }
}
