//! What close codes and HTTP statuses mean to a WebSocket, as data for explanations.

mod close;
pub mod messages;
mod pairs;
mod portuguese;
mod status;
pub mod wording;

use std::ops::RangeInclusive;

/// A close code, a range of them, or an HTTP status in answer to an upgrade.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Code {
    /// The codes it stands for; one, but for the two ranges of applications.
    pub codes: RangeInclusive<u16>,
    /// What it is.
    pub kind: Kind,
    /// Where it is defined.
    pub reference: &'static str,
    /// Names of rules that speak of it.
    pub rules: &'static [&'static str],
    /// What there is to say of it, in English; see [`Code::words`].
    pub english: Words,
}

/// See [`Code::kind`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// The status code of a Close frame (RFC 6455 §7.4): only after a successful handshake.
    Close,
    /// An HTTP status in answer to an upgrade: only before one.
    Status,
}

/// A language of these texts.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Portuguese as in Brazil.
    Portuguese,
}

/// What there is to say of a [`Code`], in one language. Texts are plain, with code in backticks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Words {
    /// In English as registered: `Mandatory Extension`, `Bad Gateway`.
    pub name: &'static str,
    /// One sentence: who says what with it.
    pub brief: &'static str,
    /// A paragraph.
    pub description: &'static str,
    /// When you see it.
    pub when: &'static str,
    /// How to fix it.
    pub fix: &'static str,
    /// Who may send it.
    pub sender: &'static str,
}

impl Code {
    /// Its texts in that language.
    pub fn words(&self, language: Language) -> &Words {
        match language {
            Language::English => &self.english,
            // A test holds that none is missing.
            Language::Portuguese => portuguese::words(self).unwrap_or(&self.english),
        }
    }
}

/// Two codes side by side.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Comparison {
    /// Key differences, one sentence or two each.
    pub differences: Vec<String>,
    /// When to use which, one for each code, and what to use instead.
    pub when_to_use: Vec<String>,
}

/// What is known of a close code or an HTTP status.
pub fn explain(code: u16) -> Option<&'static Code> {
    all().find(|known| known.codes.contains(&code))
}

/// Everything that is known, in order of number: statuses, then close codes. A range comes after its named members.
pub fn all() -> impl Iterator<Item = &'static Code> {
    status::STATUSES.iter().chain(close::CLOSES)
}

/// The registered name of a close code; none for the ranges that applications share.
pub fn name(code: u16) -> Option<&'static str> {
    let known = explain(code).filter(|known| known.kind == Kind::Close)?;
    (known.codes.start() == known.codes.end()).then_some(known.english.name)
}

/// Codes and statuses of exactly that registered name, in any case: `bad gateway` is 502 and 1014. Names that are an
/// everyday word mean none.
pub fn named(name: &str) -> Vec<u16> {
    const EVERYDAY: [&str; 4] = ["OK", "Found", "Reserved", "Timeout"];
    let one = |code: &&Code| code.codes.start() == code.codes.end();
    all()
        .filter(one)
        .filter(|code| code.english.name.eq_ignore_ascii_case(name.trim()))
        .filter(|code| !EVERYDAY.contains(&code.english.name))
        .map(|code| *code.codes.start())
        .collect()
}

/// How two codes differ and when to use which; empty where one of them is unknown.
///
/// The order of the arguments decides nothing but the order of the sentences.
pub fn compare(a: u16, b: u16, language: Language) -> Comparison {
    let (Some(first), Some(second)) = (explain(a), explain(b)) else { return Comparison::default() };
    if first == second {
        return Comparison::default();
    }
    let pairs = match language {
        Language::English => pairs::PAIRS,
        Language::Portuguese => portuguese::PAIRS,
    };
    let (one, other) = (first.words(language), second.words(language));
    let mut differences = vec![format!("{a}: {}", one.brief), format!("{b}: {}", other.brief)];
    let mut when_to_use: Vec<String> = Vec::new();
    match pairs.iter().find(|pair| pair.codes == (a, b) || pair.codes == (b, a)) {
        Some(pair) => {
            differences.extend(pair.differences.iter().map(|text| (*text).to_owned()));
            when_to_use.extend(pair.when_to_use.iter().map(|text| (*text).to_owned()));
        }
        None => {
            differences.extend(time(a, first, b, second, language));
            let (who, when) = match language {
                Language::English => ("Who may send", "When you see"),
                Language::Portuguese => ("Quem pode enviar", "Quando você vê"),
            };
            differences.push(format!("{who} {a}? {} {who} {b}? {}", one.sender, other.sender));
            when_to_use.push(format!("{when} {a}: {}", one.when));
            when_to_use.push(format!("{when} {b}: {}", other.when));
        }
    }
    let fix = match language {
        Language::English => "To fix",
        Language::Portuguese => "Para corrigir",
    };
    when_to_use.push(format!("{fix} {a}: {}", one.fix));
    when_to_use.push(format!("{fix} {b}: {}", other.fix));
    Comparison { differences, when_to_use }
}

/// Before or after the handshake, where the two differ in that.
fn time(a: u16, first: &Code, b: u16, second: &Code, language: Language) -> Option<String> {
    let (status, close) = match (first.kind, second.kind) {
        (Kind::Status, Kind::Close) => (a, b),
        (Kind::Close, Kind::Status) => (b, a),
        _ => return None,
    };
    Some(match language {
        Language::English => format!(
            "{status} is an HTTP status and answers the handshake; {close} is a close code and exists only after the 101. One connection never shows both."
        ),
        Language::Portuguese => format!(
            "{status} é um status HTTP e responde ao handshake; {close} é um código de fechamento e existe somente depois do 101. Uma mesma conexão nunca mostra os dois."
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_registry_is_known() {
        for code in (1000..=1015).chain([3000, 3003, 3008, 3500, 4000, 4999]) {
            assert_eq!(explain(code).unwrap().kind, Kind::Close, "{code}");
        }
        for status in [
            101, 200, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 407, 408, 421, 426, 429, 431, 499,
            500, 501, 502, 503, 504, 505, 520, 521, 522, 523, 524, 525, 526, 527,
        ] {
            assert_eq!(explain(status).unwrap().kind, Kind::Status, "{status}");
        }
        assert_eq!((explain(999), explain(1016), explain(5000)), (None, None, None));
    }

    #[test]
    fn the_names_are_the_registered_ones() {
        assert_eq!((name(1010), name(1014)), (Some("Mandatory Extension"), Some("Bad Gateway")));
        for code in (1000..=1015).chain([3000, 3003, 3008, 3500, 4000]) {
            assert_eq!(explain(code).unwrap().english.name, crate::websocket::close_name(code));
        }
        assert_eq!((name(3000), name(3500), name(4000), name(502)), (Some("Unauthorized"), None, None, None));
    }

    #[test]
    fn every_text_is_whole_and_every_rule_exists() {
        for code in all() {
            for language in [Language::English, Language::Portuguese] {
                let words = code.words(language);
                for text in [words.brief, words.description, words.when, words.fix, words.sender] {
                    assert!(text.ends_with('.') && text.len() > 10, "{:?}: {text:?}", code.codes);
                }
            }
            assert!(!code.english.name.is_empty() && !code.reference.is_empty());
            for name in code.rules {
                assert!(crate::rules::rule(name).is_some(), "{:?} names {name}", code.codes);
            }
        }
    }

    #[test]
    fn close_codes_and_statuses_that_are_confused_have_their_own_words() {
        for (a, b) in [
            (1010, 1014),
            (1006, 1014),
            (1011, 1014),
            (1001, 1012),
            (502, 1014),
            (1005, 1006),
            (1000, 1001),
            (1002, 1010),
        ] {
            assert!(pairs::PAIRS.iter().any(|pair| pair.codes == (a, b)), "{a} {b}");
            let (one, other) = (compare(a, b, Language::English), compare(b, a, Language::English));
            assert!(one.differences.len() > 2 && one.when_to_use.len() >= 3, "{a} {b}");
            assert_eq!(one.differences.len(), other.differences.len());
        }
    }

    #[test]
    fn any_other_pair_is_still_compared() {
        let comparison = compare(404, 1008, Language::English);
        assert!(comparison.differences.iter().any(|text| text.contains("404 is an HTTP status")));
        assert!(!comparison.when_to_use.is_empty());
        assert_eq!(compare(1000, 1000, Language::English), Comparison::default());
        assert_eq!(compare(1000, 999, Language::English), Comparison::default());
    }

    #[test]
    fn the_two_founding_codes_say_what_they_must() {
        let [mandatory, gateway] = [1010, 1014].map(|code| explain(code).unwrap().english);
        assert!(mandatory.fix.contains("Sec-WebSocket-Extensions") && mandatory.sender.contains("client"));
        for word in ["101", "502"] {
            assert!(gateway.description.contains(word));
        }
        let both = compare(1010, 1014, Language::English);
        assert!(both.differences.iter().any(|text| text.contains("502")));
    }

    #[test]
    fn every_code_and_every_pair_has_both_languages() {
        for code in all() {
            let words =
                portuguese::words(code).unwrap_or_else(|| panic!("{:?} has no Portuguese", code.codes));
            let english = code.english;
            for (text, original) in [
                (words.brief, english.brief),
                (words.description, english.description),
                (words.when, english.when),
                (words.fix, english.fix),
                (words.sender, english.sender),
            ] {
                assert_ne!(text, original, "{:?}", code.codes);
                let numbers = |text: &str| -> Vec<u32> {
                    let mut numbers: Vec<u32> =
                        text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
                    numbers.sort_unstable();
                    numbers
                };
                assert_eq!(numbers(text), numbers(original), "{:?}: {text}", code.codes);
            }
        }
        assert_eq!(pairs::PAIRS.len(), portuguese::PAIRS.len());
        for (english, portuguese) in pairs::PAIRS.iter().zip(portuguese::PAIRS) {
            assert_eq!(english.codes, portuguese.codes);
            assert_eq!(english.differences.len(), portuguese.differences.len(), "{:?}", english.codes);
            assert_eq!(english.when_to_use.len(), portuguese.when_to_use.len(), "{:?}", english.codes);
            for (text, original) in english.differences.iter().zip(portuguese.differences) {
                assert_ne!(text, original);
            }
        }
    }

    #[test]
    fn any_two_codes_are_compared_in_portuguese_without_a_word_of_english() {
        for (a, b) in [(1010, 1014), (404, 1008), (1000, 4001), (502, 504)] {
            let comparison = compare(a, b, Language::Portuguese);
            for text in comparison.differences.iter().chain(&comparison.when_to_use) {
                for english in ["When you", "To fix", " the ", " and ", "Who may"] {
                    assert!(!text.contains(english), "{text}");
                }
            }
        }
    }

    #[test]
    fn a_name_may_be_that_of_two_codes() {
        assert_eq!(named("bad gateway"), [502, 1014]);
        assert_eq!(named(" Mandatory Extension"), [1010]);
        assert!(named("").is_empty() && named("timeout").is_empty() && named("gateway").is_empty());
    }
}
