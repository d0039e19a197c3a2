//! Messages that programs log, and what lies behind them on the wire.

mod below;
mod ends;
mod frames;
mod handshakes;

use std::ops::Range;

/// A message of some program. Texts are plain, with code in backticks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its wordings, the best known first; `…` stands for what differs from case to case.
    pub texts: &'static [&'static str],
    /// Who says so.
    pub software: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do first.
    pub fix: &'static str,
    /// Close codes and statuses that go with it.
    pub codes: &'static [u16],
    /// Names of rules that find its cause in a capture.
    pub rules: &'static [&'static str],
}

/// Every message that is known.
pub fn all() -> impl Iterator<Item = &'static Message> {
    [handshakes::MESSAGES, frames::MESSAGES, ends::MESSAGES, below::MESSAGES].into_iter().flatten()
}

/// The message that `log` quotes, whole or in part, whatever its case and punctuation. Where several fit, the one
/// that ends last: logs go from the general to the particular.
pub fn find(log: &str) -> Option<&'static Message> {
    let log = words(log);
    let quoted = |text: &str| {
        let mut rest: Range<usize> = 0..log.len();
        let mut length = 0;
        for part in text.split('…').map(words) {
            let start = log[rest.clone()].find(&part)?;
            rest.start += start + part.len();
            length += part.len();
        }
        Some((rest.start, length))
    };
    let whole = all()
        .filter_map(|message| Some((message.texts.iter().filter_map(|text| quoted(text)).max()?, message)))
        .max_by_key(|(place, _)| *place);
    let is_telling = log.split(' ').filter(|word| !word.is_empty()).count() > 1;
    let part = || {
        let holds = |message: &&Message| message.texts.iter().any(|text| words(text).contains(&log));
        all().find(holds).filter(|_| is_telling)
    };
    whole.map(|(_, message)| message).or_else(part)
}

/// The close codes and statuses that `log` names, each once: `code 1006`, `1011 (internal error)`, `WS1010`. Other
/// numbers, of ports or years, are left alone.
pub fn codes(log: &str) -> Vec<u16> {
    let log = words(log);
    let all: Vec<&str> = log.split_ascii_whitespace().collect();
    let mut found = Vec::new();
    for (index, word) in all.iter().enumerate() {
        let (glued, digits) = match word.trim_start_matches("ws").trim_start_matches('-') {
            digits if digits.len() < word.len() && word.starts_with("ws") => (true, digits),
            _ => (false, *word),
        };
        // Of 101 messages say that it did not come.
        let number = digits.parse().ok().filter(|number| *number != 101);
        let Some((number, code)) = number.and_then(|n| Some((n, super::explain(n)?))) else {
            continue;
        };
        let before = index.checked_sub(1).and_then(|index| all.get(index));
        let introduced = before.is_some_and(|word| INTRODUCTIONS.contains(word));
        let name = words(code.english.name);
        let named = all.get(index + 1).is_some_and(|next| name.split(' ').any(|word| word == *next));
        if (glued || introduced || named || all.len() == 1) && !found.contains(&number) {
            found.push(number);
        }
    }
    found
}

/// Words after which a number is a code.
const INTRODUCTIONS: [&str; 16] = [
    "code",
    "codes",
    "status",
    "statuscode",
    "closecode",
    "close",
    "closed",
    "closing",
    "received",
    "sent",
    "http",
    "error",
    "response",
    "with",
    "returned",
    "was",
];

/// In lower case, with one space for everything between words.
fn words(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !(c.is_alphanumeric() || c == '-')).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_whole_and_what_it_names_exists() {
        for message in all() {
            assert!(!message.texts.is_empty() && !message.software.is_empty());
            for text in [message.meaning, message.fix] {
                assert!(text.len() > 20 && text.ends_with('.'), "{:?}", message.texts);
            }
            assert!(!message.rules.is_empty() || !message.codes.is_empty(), "{:?}", message.texts);
            for name in message.rules {
                assert!(crate::rules::rule(name).is_some_and(|rule| rule.name == *name), "{name}");
            }
            for code in message.codes {
                assert!(super::super::explain(*code).is_some(), "{code}");
            }
        }
    }

    #[test]
    fn every_wording_leads_to_its_own_message() {
        for message in all() {
            for text in message.texts {
                let log = format!("2026-11-22 ERROR {} at line 7", text.replace('…', " 57 "));
                assert_eq!(find(&log).map(|found| found.texts), Some(message.texts), "{text}");
            }
        }
    }

    #[test]
    fn a_message_is_found_in_a_log_line_in_part_and_in_other_punctuation() {
        let first = |log: &str| find(log).map(|message| message.texts[0]);
        for (log, text) in [
            ("RangeError: Invalid WebSocket frame: RSV1 must be clear", "RSV1 must be clear"),
            ("rsv1 MUST be clear", "RSV1 must be clear"),
            ("websocket: close 1006 (abnormal closure): unexpected EOF", "unexpected EOF"),
            ("Error during WebSocket handshake: Unexpected response code: 502", "Unexpected response code"),
            ("bad close code 1014", "bad close code…"),
            (
                "Sent non-empty \"Sec-WebSocket-Protocol\" header but no response",
                "Sent non-empty 'Sec-WebSocket-Protocol' header but no response was received",
            ),
            ("code: 1011, reason: keepalive ping timeout", "keepalive ping timeout"),
        ] {
            assert_eq!(first(log), Some(text), "{log}");
        }
        for (log, text) in [
            (
                "SSL routines:ssl3_get_record:wrong version number:../ssl/record/ssl3_record.c:354",
                "wrong version number",
            ),
            ("net::ERR_CERT_DATE_INVALID", "certificate verify failed"),
            (
                "[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired (_ssl.c:1006)",
                "certificate verify failed",
            ),
            ("Error: socket hang up", "socket hang up"),
            ("read tcp 10.0.0.5:51234->10.0.0.9:80: i/o timeout", "i/o timeout"),
            (
                "upstream timed out (110: Connection timed out) while proxying upgraded connection",
                "upstream timed out…while proxying upgraded connection",
            ),
            (
                "write tcp 10.0.0.5:51234->10.0.0.9:80: write: broken pipe",
                "WebSocket is already in CLOSING or CLOSED state",
            ),
        ] {
            assert_eq!(first(log), Some(text), "{log}");
        }
        for nothing in ["", "websocket", "code 1006", "the weather is fine", "…"] {
            assert_eq!(first(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn codes_are_told_from_other_numbers() {
        for (log, expected) in [
            ("code 1006", &[1006][..]),
            ("closed with code: 1010", &[1010]),
            ("Unexpected response code: 502", &[502]),
            ("received 1011 (internal error) keepalive; then sent 1011 (internal error)", &[1011]),
            ("WS1010", &[1010]),
            ("ws-1014", &[1014]),
            ("1006 abnormal closure", &[1006]),
            ("The server returned status code '200' when status code '101' was expected.", &[200]),
            ("HTTP 403 on localhost:3000 in 200 ms", &[403]),
            ("2026-11-22 10:00:00 connection to port 4000 lost", &[]),
            ("close 999", &[]),
        ] {
            assert_eq!(codes(log), expected, "{log}");
        }
    }
}
