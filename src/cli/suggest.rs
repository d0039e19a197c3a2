//! Names as they are typed: what they mean, and what may have been meant by one that nothing has.

use crate::rules::selection::named;
use crate::rules::{RULES, Rule};
use std::cmp::Reverse;

/// The rules of that name, at least one.
///
/// # Errors
/// What may have been meant, where there is none.
pub(super) fn rules(option: &str, word: &str) -> Result<Vec<&'static Rule>, String> {
    let rules = named(word);
    if !rules.is_empty() {
        return Ok(rules);
    }
    let shown: String = word.chars().take(80).collect();
    Err(format!("{option}: {shown:?} is neither a rule nor a category; {}", near_rules(word)))
}

/// The names of rules and categories most like `word`, as a question; where there are none, where to find them.
pub(super) fn near_rules(word: &str) -> String {
    let names = RULES.iter().flat_map(|rule| [rule.category.name(), rule.name, rule.code]);
    match nearest(word, names).as_slice() {
        [] => String::from("wsanalyze rules lists the rules"),
        names => format!("did you mean {}?", names.join(", ")),
    }
}

/// The names most like `topic`: those that hold one of its words, and those a few letters away.
pub(super) fn nearest<'a>(topic: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let topic: String = topic.chars().take(80).flat_map(char::to_lowercase).collect();
    let words: Vec<&str> =
        topic.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2).collect();
    let mut ranked: Vec<(Reverse<usize>, usize, &str)> = names
        .filter_map(|name| {
            let lower = name.to_ascii_lowercase();
            let away = distance(&topic, &lower);
            let shared = words.iter().filter(|word| lower.contains(**word)).count();
            // Where more than half of the letters differ it is another word.
            let slip = away <= 3 && away * 2 <= lower.chars().count();
            (shared > 0 || slip).then_some((Reverse(shared), away, name))
        })
        .collect();
    // Where one is a single letter away, one that is three away was hardly meant.
    let least = ranked.iter().map(|&(_, away, _)| away).min().unwrap_or(0);
    ranked.retain(|&(Reverse(shared), away, _)| shared > 0 || away <= least + 1);
    ranked.sort();
    ranked.dedup();
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

/// How many names are suggested.
const SUGGESTIONS: usize = 4;

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
        assert_eq!(near("close-1010")[0], names[0]);
        assert_eq!(near("masked"), [names[2]]);
        assert_eq!(near("extension").len(), 2);
        assert!(near("qqqqqqqq").is_empty());
        assert!(nearest("foo", ["tls", "close"].into_iter()).is_empty());
        assert_eq!(nearest("tld", ["tls", "close"].into_iter()), ["tls"]);
    }
}
