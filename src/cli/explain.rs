//! `wsanalyze explain`: what a close code means, how several differ, and the manual of a rule.

use super::complain;
use super::exit::Status;
use super::printed;
use crate::report::markdown;
use crate::report::page::{self, HEADING, Page, QUIET, wrap};
use crate::rules::{self, RULES, Rule, codes};

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
    Code(u16),
    Rule(&'static Rule),
}

impl Topic {
    fn named(topic: &str) -> Option<Topic> {
        match topic.trim().parse::<u16>() {
            Ok(code) => codes::explain(code).map(|_| Topic::Code(code)),
            Err(_) => rules::rule(topic).map(Topic::Rule),
        }
    }
}

/// All topics, then what tells the close codes among them apart.
fn text(topics: &[Topic], page: Page) -> String {
    let mut chapters: Vec<String> = topics
        .iter()
        .map(|topic| match topic {
            Topic::Code(code) => code_text(*code, page),
            Topic::Rule(rule) => rule_text(rule, page),
        })
        .collect();
    let mut compared: Vec<u16> = Vec::new();
    for topic in topics {
        if let Topic::Code(code) = topic
            && !compared.contains(code)
        {
            compared.push(*code);
        }
    }
    if compared.len() > 1 {
        chapters.push(comparison(&compared, page));
    }
    chapters.join("\n")
}

fn code_text(_code: u16, _page: Page) -> String {
    String::new()
}

fn comparison(_codes: &[u16], _page: Page) -> String {
    String::new()
}

/// A rule's manual.
fn rule_text(rule: &Rule, page: Page) -> String {
    let severity = page.paint(page::severity(rule.severity), rule.severity.name());
    let mut text = format!("{severity} {}\n", page.paint(HEADING, &format!("{} {}", rule.code, rule.name)));
    for (heading, section) in markdown::sections(rule.manual) {
        if !heading.is_empty() {
            text.push_str(&format!("\n{}\n", page.paint(HEADING, &heading)));
        }
        text.push_str(&markdown::render(&section, page, 2));
    }
    let about = format!("about {}; {}", rule.category.name(), rule.reference);
    text.push_str(&format!("\n{}\n", page.paint(QUIET, &wrap(&about, page.prose(), "  "))));
    text
}

/// What to say of a topic that is neither code nor rule.
fn unknown(topic: &str) -> String {
    if let Ok(number) = topic.trim().parse::<u64>() {
        return format!("{number}: no close code: they are 0 to 65535, and 1000 to 4999 on the wire");
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
    let mut ranked: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let lower = name.to_ascii_lowercase();
            let away = distance(&topic, &lower);
            let shared = words.iter().filter(|word| lower.contains(**word)).count();
            (shared > 0 || away <= 3).then(|| (away.saturating_sub(8 * shared), name))
        })
        .collect();
    ranked.sort();
    ranked.into_iter().take(SUGGESTIONS).map(|(_, name)| name).collect()
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
        assert_eq!(near("masked"), [names[2]]);
        assert_eq!(near("extension").len(), 2);
        assert!(near("qqqqqqqq").is_empty());
    }
}
