//! `wsanalyze explain`: what a close code, a status or a message of a log means, how codes differ, and the manual of a
//! rule.

use super::args::Lang;
use super::complain;
use super::exit::Status;
use super::printed;
use super::suggest::near_rules;
use crate::report::manual;
use crate::report::page::{self, HEADING, Page, QUIET, wrap};
use crate::rules::codes::messages::{self, Message};
use crate::rules::codes::wording::{Shown, wordings};
use crate::rules::codes::{self, Code, Kind, Language};
use crate::rules::{self, Rule};

/// Prints what is known of the topics, and of two or more codes how they differ. Nothing is printed where one topic is
/// unknown.
pub(super) fn explain(words: &[String], language: Language, page: Page) -> Status {
    let topics = match topics(words) {
        Ok(topics) => topics,
        Err(unknown) => {
            unknown.iter().for_each(|reason| complain(reason));
            return Status::Usage;
        }
    };
    let text = text(&topics, language, page);
    printed(page.color, Status::Clean, |out| out.write_all(text.as_bytes()))
}

impl From<Lang> for Language {
    fn from(lang: Lang) -> Language {
        match lang {
            Lang::En => Language::English,
            Lang::PtBr => Language::Portuguese,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Topic {
    Code(u16, &'static Code),
    Rule(&'static str),
    /// A category, by the name that was typed for it.
    Category(&'static str),
    Message(&'static Message),
}

/// What is meant: each word or quotation by itself, or, where that is not understood, all of them as one message that
/// was typed without quotation marks.
fn topics(words: &[String]) -> Result<Vec<Topic>, Vec<String>> {
    let mut known = Vec::new();
    let mut unknown = Vec::new();
    for word in words {
        match named(word) {
            topics if topics.is_empty() => unknown.push(word),
            topics => known.extend(topics),
        }
    }
    if unknown.is_empty() {
        return Ok(unique(known));
    }
    match named(&words.join(" ")) {
        topics if !topics.is_empty() => Ok(unique(topics)),
        _ if known.is_empty() => Err(vec![reason(&words.join(" "))]),
        _ => Err(unknown.into_iter().map(|word| reason(word)).collect()),
    }
}

/// The topics under one name: a code, a rule, a category, or a message with the codes that it names. A name may be that of two
/// codes.
fn named(name: &str) -> Vec<Topic> {
    let code = |number: u16| codes::explain(number).map(|code| Topic::Code(number, code));
    if let Ok(number) = name.trim().parse::<u16>() {
        return code(number).into_iter().collect();
    }
    if let Some(rule) = rules::rule(name) {
        return vec![Topic::Rule(rule.code)];
    }
    if let Some(rule) = rules::selection::named(name).first() {
        return vec![Topic::Category(rule.category.name())];
    }
    let message = messages::find(name).map(Topic::Message);
    let numbers = messages::codes(name);
    let mut topics: Vec<Topic> = message.into_iter().chain(numbers.into_iter().filter_map(code)).collect();
    if topics.is_empty() {
        topics.extend(codes::named(name).into_iter().filter_map(code));
    }
    topics
}

fn unique(topics: Vec<Topic>) -> Vec<Topic> {
    let mut unique: Vec<Topic> = Vec::with_capacity(topics.len());
    for topic in topics {
        if !unique.contains(&topic) {
            unique.push(topic);
        }
    }
    unique
}

/// All topics, then what tells the codes among them apart, two by two.
fn text(topics: &[Topic], language: Language, page: Page) -> String {
    let headings = headings(language);
    let mut chapters: Vec<String> = topics
        .iter()
        .filter_map(|topic| match topic {
            Topic::Code(number, code) => Some(code_text(*number, code, language, page)),
            Topic::Rule(code) => rules::rule(code).map(|rule| rule_text(rule, page)),
            Topic::Category(name) => Some(category_text(name, page)),
            Topic::Message(message) => Some(message_text(message, page)),
        })
        .collect();
    if language != Language::English && topics.iter().any(|topic| !matches!(topic, Topic::Code(..))) {
        chapters.push(format!("{}\n", wrap(headings.only_english, page.prose(), "")));
    }
    let mut numbers: Vec<u16> = Vec::new();
    for topic in topics {
        if let Topic::Code(number, _) = topic {
            chapters
                .extend(numbers.iter().filter_map(|earlier| comparison(*earlier, *number, language, page)));
            numbers.push(*number);
        }
    }
    chapters.join(&format!("{}\n", page.paint(QUIET, &page.rule().repeat(page.prose()))))
}

/// A code's chapter. A code of a range goes by the number that was asked for.
fn code_text(number: u16, code: &Code, language: Language, page: Page) -> String {
    let (headings, words) = (headings(language), code.words(language));
    let kind = match code.kind {
        Kind::Close => headings.close,
        Kind::Status => headings.status,
    };
    let name = match language {
        Language::English => words.name.to_owned(),
        Language::Portuguese => format!("{} ({})", code.english.name, words.name),
    };
    let title = wrap(&format!("{number} {name}, {kind}"), page.prose(), "");
    let mut text = format!("{}\n{}\n", page.paint(HEADING, &title), wrap(words.brief, page.prose(), ""));
    for (heading, words) in [
        (headings.description, words.description),
        (headings.when, words.when),
        (headings.fix, words.fix),
        (headings.sender, words.sender),
    ] {
        text.push_str(&section(heading, words, page));
    }
    let words: Vec<String> = Shown::of_code(number)
        .into_iter()
        .flat_map(|shown| wordings(shown, None))
        .map(|row| format!("- {}: {}", row.name, row.with(Some(number))))
        .collect();
    if !words.is_empty() {
        text.push_str(&section(headings.shown, &words.join("\n"), page));
    }
    if !code.rules.is_empty() {
        text.push_str(&section(headings.rules, &rule_list(code.rules), page));
    }
    let range = match (code.codes.start(), code.codes.end()) {
        (first, last) if first == last => String::new(),
        (first, last) => {
            headings.range.replacen("{}", &first.to_string(), 1).replacen("{}", &last.to_string(), 1)
        }
    };
    let reference = wrap(&format!("{}{range}", code.reference), page.prose(), "  ");
    text.push_str(&format!("\n{}\n", page.paint(QUIET, &reference)));
    text
}

/// What tells two codes apart.
fn comparison(one: u16, other: u16, language: Language, page: Page) -> Option<String> {
    let comparison = codes::compare(one, other, language);
    if comparison.differences.is_empty() {
        return None;
    }
    let headings = headings(language);
    let bullet = |text: &String| format!("- {text}");
    let differences: Vec<String> = comparison.differences.iter().map(bullet).collect();
    let when: Vec<String> = comparison.when_to_use.iter().map(bullet).collect();
    let title = page.paint(HEADING, &format!("{one} {} {other}", headings.and));
    Some(format!(
        "{title}\n{}{}",
        section(headings.differences, &differences.join("\n"), page),
        section(headings.which, &when.join("\n"), page)
    ))
}

fn section(heading: &str, text: &str, page: Page) -> String {
    format!("\n{}\n{}", page.paint(HEADING, heading), manual::render(text, page, 2))
}

/// A message's chapter.
fn message_text(message: &Message, page: Page) -> String {
    let quoted: Vec<String> = message.texts.iter().map(|text| format!("- {text}")).collect();
    let title = wrap(message.texts.first().unwrap_or(&""), page.prose(), "");
    let mut text = format!("{}\n", page.paint(HEADING, &title));
    text.push_str(&section("What it means", message.meaning, page));
    text.push_str(&section("What to do first", message.fix, page));
    let codes: Vec<String> = message
        .codes
        .iter()
        .filter_map(|number| {
            let words = codes::explain(*number)?.english;
            Some(format!("- {number} {}: {}", words.name, words.brief))
        })
        .collect();
    if !codes.is_empty() {
        text.push_str(&section("Codes behind it", &codes.join("\n"), page));
    }
    if !message.rules.is_empty() {
        text.push_str(&section("Rules that find its cause in a capture", &rule_list(message.rules), page));
    }
    text.push_str(&section("Who says it", message.software, page));
    if quoted.len() > 1 {
        text.push_str(&section("Other wordings", &quoted[1..].join("\n"), page));
    }
    text
}

/// The rules of a category, with a sentence each.
fn category_text(name: &str, page: Page) -> String {
    let mut text = format!("{}\n", page.paint(HEADING, &format!("{name}, a category of rules")));
    for rule in rules::selection::named(name) {
        text.push_str(&section(&format!("{} {}", rule.code, rule.name), &rule.summary(), page));
    }
    text
}

/// Codes and names of rules, one a line.
fn rule_list(names: &[&str]) -> String {
    let rules = names.iter().filter_map(|name| rules::rule(name));
    rules.map(|rule| format!("- {} {}", rule.code, rule.name)).collect::<Vec<_>>().join("\n")
}

/// A rule's manual.
fn rule_text(rule: &Rule, page: Page) -> String {
    let severity = page.paint(page::severity(rule.severity), rule.severity.name());
    let mut text = format!("{severity} {}\n", page.paint(HEADING, &format!("{} {}", rule.code, rule.name)));
    for (heading, manual) in manual::sections(rule.manual) {
        text.push_str(&section(&heading, &manual, page));
    }
    let about = format!("about {}; {}", rule.category.name(), rule.reference);
    text.push_str(&format!("\n{}\n", page.paint(QUIET, &wrap(&about, page.prose(), "  "))));
    text
}

/// Why a topic cannot be explained.
fn reason(topic: &str) -> String {
    if let Ok(number) = topic.trim().parse::<u64>() {
        return match number {
            1016..=2999 => format!("{number}: a close code that nothing defines; it must not be sent"),
            5000..=65535 => format!("{number}: no close code, which are 1000 to 4999{}", mistaken(number)),
            100..=599 => {
                format!("{number}: a status of which nothing is known that is peculiar to an upgrade")
            }
            _ => format!(
                "{number}: neither a close code, which are 1000 to 4999, nor a known status in answer to an upgrade"
            ),
        };
    }
    let shown: String = topic.chars().take(80).collect();
    format!("{shown}: no code, rule or message that is known; {}", near_rules(topic))
}

/// What a number that is no code may come from: two bytes that were meant otherwise.
fn mistaken(number: u64) -> String {
    let [high, low] = u16::try_from(number).unwrap_or(0).to_be_bytes();
    let swapped = u16::from_le_bytes([high, low]);
    if codes::explain(swapped).is_some_and(|code| code.kind == Kind::Close) {
        return format!(": it is {swapped} with its two bytes in the wrong order");
    }
    match (char::from(high), char::from(low)) {
        (high, low) if high.is_ascii_digit() && low.is_ascii_digit() => {
            format!(": it is the text \"{high}{low}\", with which a code begins that was written as text")
        }
        _ => String::new(),
    }
}

struct Headings {
    close: &'static str,
    status: &'static str,
    description: &'static str,
    when: &'static str,
    fix: &'static str,
    sender: &'static str,
    shown: &'static str,
    rules: &'static str,
    range: &'static str,
    and: &'static str,
    differences: &'static str,
    which: &'static str,
    /// Said where a chapter is not in this language.
    only_english: &'static str,
}

const fn headings(language: Language) -> &'static Headings {
    match language {
        Language::English => &Headings {
            close: "close code",
            status: "HTTP status in answer to an upgrade",
            description: "Description",
            when: "When you see it",
            fix: "How to fix it",
            sender: "Who may send it",
            shown: "What programs show",
            rules: "Rules that speak of it",
            range: "; one of {} to {}",
            and: "and",
            differences: "Key differences",
            which: "When to use which",
            only_english: "",
        },
        Language::Portuguese => &Headings {
            close: "código de fechamento",
            status: "status HTTP em resposta a um upgrade",
            description: "Descrição",
            when: "Quando você o vê",
            fix: "Como corrigir",
            sender: "Quem pode enviá-lo",
            shown: "O que os programas mostram",
            rules: "Regras que tratam dele",
            range: "; um de {} a {}",
            and: "e",
            differences: "Diferenças principais",
            which: "Quando usar qual",
            only_english: "Os textos das regras e das mensagens existem só em inglês.",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Glyphs;
    use crate::rules::RULES;

    fn explained(topics: &[&str]) -> String {
        explained_in(Language::English, topics)
    }

    fn explained_in(language: Language, words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        text(&topics(&words).unwrap(), language, Page::new(80, false, Glyphs::Unicode))
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
            let text = explained(&[rule.code]);
            assert!(text.contains("\nHow to fix\n") && text == explained(&[rule.name]), "{}", rule.code);
        }
    }

    #[test]
    fn an_unknown_topic_is_answered_with_what_may_have_been_meant() {
        let unknown = |word: &str| topics(&[word.to_owned()]).unwrap_err().remove(0);
        assert!(unknown("999").starts_with("999: neither a close code"));
        assert!(unknown("2000").contains("nothing defines"));
        assert!(unknown("59395").ends_with("it is 1000 with its two bytes in the wrong order"));
        assert!(unknown("12592").contains("it is the text \"10\""));
        assert!(unknown("5000").ends_with("1000 to 4999") && unknown("418").contains("a status"));
        assert!(unknown("qqqqqqqq").ends_with("wsanalyze rules lists the rules"));
        assert!(
            unknown("close-1010-mandatory-extention").contains("did you mean close-1010-mandatory-extension")
        );
        assert!(unknown(&"x".repeat(9_000)).len() < 200);
        let several = |words: &[&str]| topics(&words.iter().map(|word| word.to_string()).collect::<Vec<_>>());
        assert_eq!(several(&["1010", "qqq", "zzz"]).unwrap_err().len(), 2);
        assert_eq!(several(&["some", "other", "message"]).unwrap_err().len(), 1);
    }

    #[test]
    fn a_message_leads_to_rules_and_to_the_code_it_names() {
        let text = explained(&["Error during WebSocket handshake: Unexpected response code: 502"]);
        assert!(text.starts_with("Unexpected response code\n"));
        assert!(text.contains("WS-GW-001 gateway-error-before-upgrade"));
        assert!(text.contains("\n502 Bad Gateway, HTTP status in answer to an upgrade\n"));
        assert!(explained(&["code 1006"]).starts_with("1006 Abnormal Closure"));
    }

    #[test]
    fn a_category_is_a_list_of_its_rules() {
        let text = explained(&["extension"]);
        assert!(text.contains("\nWS-EX-001 extension-offered-not-accepted\n  The client offered"));
        assert_eq!(text, explained(&["ws-ex"]));
    }

    #[test]
    fn a_message_needs_no_quotation_marks_and_a_name_may_be_two_codes() {
        assert!(explained(&["RSV1", "must", "be", "clear"]).starts_with("RSV1 must be clear\n"));
        assert!(explained(&["bad", "gateway"]).contains("\n502 and 1014\n"));
        assert_eq!(topics(&[String::from("keepalive ping timeout"), String::from("1011")]).unwrap().len(), 2);
    }

    #[test]
    fn portuguese_has_portuguese_headings() {
        let text = explained_in(Language::Portuguese, &["1010", "1014"]);
        assert!(text.starts_with("1010 Mandatory Extension (extensão obrigatória), código de fechamento\n"));
        for heading in ["Descrição", "Quando você o vê", "Como corrigir", "Quem pode enviá-lo"] {
            assert_eq!(text.matches(&format!("\n{heading}\n")).count(), 2, "{heading}");
        }
        assert!(text.contains("\n1010 e 1014\n\nDiferenças principais\n"));
        assert!(text.contains("\nQuando usar qual\n") && !text.contains("só em inglês"));
        assert!(explained_in(Language::Portuguese, &["WS-EX-012"]).contains("só em inglês"));
    }

    #[test]
    fn nothing_is_wider_than_the_page() {
        for width in [60, 80] {
            let page = Page::new(width, false, Glyphs::Unicode);
            let chapter = |name: &str, language| text(&named(name), language, page);
            for code in codes::all() {
                for language in [Language::English, Language::Portuguese] {
                    let text = chapter(&code.codes.start().to_string(), language);
                    assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
                }
            }
            for message in messages::all() {
                let text = message_text(message, page);
                assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
            }
        }
    }
}
