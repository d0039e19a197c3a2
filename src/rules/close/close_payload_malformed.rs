use crate::connection::{Close, Connection};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, quote};

rule! {
    /// # What it finds
    /// A Close whose body holds no valid code: it is one byte long, or its code lies in no range that allows it.
    ///
    /// # Why it matters
    /// The receiver takes the whole close for a protocol error and the meaning is lost.
    ///
    /// # What causes it
    /// A variable that was never set (0 or 999), a code in the wrong byte order (1000 then reads as 59395), a code written as
    /// text (1000 then reads as 12592: mod_wstunnel of lighttpd up to 1.4.69 does so), or data that should have been masked.
    ///
    /// # How to fix
    /// Send codes in network byte order, from 1000 to 1014 or 3000 to 4999.
    ///
    /// # What it does not report
    /// 1012, 1013 and 1014, which are valid, the reserved codes, and reasons that are not UTF-8: rules of their own. After
    /// missing bytes of its sender it is only likely.
    pub static RULE = "WS-CL-003" "close-payload-malformed" {
        severity: Error, category: Close, reference: "RFC 6455 §5.5.1, §7.4.2",
        explains: ["close-reports-peer-violation", "close-reply-differs", "close-unanswered"], asked_on: [Close], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for close in super::own(connection) {
        let Some(what) = fault(close) else { continue };
        found.push(
            super::said_oddly(&RULE, connection, close, "malformed Close")
                .message(format!("the {} sent a Close with {what}", close.from.name()))
                .shows(close.seen, format!("Close payload {}", quote::hex(&close.payload())))
                .help(match as_text(close) {
                    Some(_) if close.from == Role::Server => String::from(
                        "let the server write the code as a number of 2 bytes; where lighttpd with mod_wstunnel answers there, update it",
                    ),
                    _ => format!("correct the Close frames that the {} writes", close.from.name()),
                }),
        );
    }
}

fn fault(close: &Close) -> Option<String> {
    match close.code {
        None if close.len == 1 => Some(String::from("a body of 1 byte, expected none or a code of 2 bytes")),
        Some(code @ (0..1000 | 1016..3000 | 5000..)) => {
            let swapped = code.swap_bytes();
            let hint = match (swapped, as_text(close)) {
                (_, Some(meant)) => format!("; its bytes are the digits of {meant}, written as text"),
                (1000..=1014 | 3000..=4999, None) => format!("; with its bytes swapped it is {swapped}"),
                _ => String::new(),
            };
            Some(format!("code {code}, expected 1000 to 1014 or 3000 to 4999{hint}"))
        }
        _ => None,
    }
}

/// The code that the digits of a Close spell, where its body begins with them.
fn as_text(close: &Close) -> Option<u16> {
    let body = close.payload();
    let digits = body.get(..4).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let code = std::str::from_utf8(digits).ok()?.parse().ok()?;
    matches!(code, 1000..=1014 | 3000..=4999).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence};
    use crate::websocket::Violation::CloseReasonNotUtf8;

    #[test]
    fn codes_outside_every_range_are_told() {
        let finding =
            Scene::session("", "").close(Server, 999, "bad").close(Client, 1002, "").finds(RULE.name);
        assert!(finding.blame == Blame::Server && finding.message.contains("code 999"));
        assert!(
            Scene::session("", "")
                .raw_close(Client, &[0xE8, 0x03])
                .finds(RULE.name)
                .message
                .contains("it is 1000")
        );
    }

    #[test]
    fn a_code_that_is_written_as_text_is_read() {
        let finding = Scene::session("", "").raw_close(Server, b"1000").finds(RULE.name);
        assert!(finding.message.contains("code 12592"), "{}", finding.message);
        assert!(finding.message.ends_with("the digits of 1000, written as text"), "{}", finding.message);
        assert!(finding.help.contains("mod_wstunnel"), "{}", finding.help);
        let other = Scene::session("", "").raw_close(Server, b"10").finds(RULE.name);
        assert!(!other.message.contains("digits"), "{}", other.message);
    }

    #[test]
    fn short_bodies_are_told_and_broken_text_is_not() {
        assert!(Scene::session("", "").raw_close(Client, &[3]).finds(RULE.name).message.contains("1 byte"));
        let scene = Scene::session("", "").close(Client, 1000, "x").anomaly(Client, CloseReasonNotUtf8, b"");
        scene.silent(RULE.name);
    }

    #[test]
    fn valid_and_empty_closes_are_silent() {
        for code in [1000, 1014, 3000, 4999] {
            Scene::session("", "").close(Client, code, "").silent(RULE.name);
        }
        Scene::session("", "").raw_close(Client, b"").silent(RULE.name);
    }

    #[test]
    fn after_missing_bytes_it_may_be_no_close_at_all() {
        let finding =
            Scene::session("", "").gap(Client).close(Client, 7, "").close(Server, 1002, "").finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Likely);
        let finding = Scene::session("", "").close(Client, 7, "").close(Server, 1002, "").finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Certain);
    }
}
