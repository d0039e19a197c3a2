use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, quote};
use crate::websocket::Violation;

rule! {
    /// # What it finds
    /// A text message, or the reason of a Close, that is not UTF-8.
    ///
    /// # Why it matters
    /// The receiver must fail the connection with 1007. Libraries then say `Could not decode a text frame as UTF-8`,
    /// `Invalid UTF-8 sequence` or `invalid utf8 payload`. Of a Close, the code and the reason that were meant are lost.
    ///
    /// # What causes it
    /// Binary data sent as text, text in another encoding, or a string that was cut inside a character: at a buffer's
    /// end, or at the 123 bytes that a reason may have. Bytes that should have been masked.
    ///
    /// # How to fix
    /// Send binary data as binary messages. Encode text as UTF-8 and cut it between characters.
    ///
    /// # What it does not report
    /// Characters that are cut by the fragments of one message, which is legal. What follows missing bytes, and sessions
    /// of which the handshake is not in the capture or agreed on an extension that is not known here. Compressed text is
    /// looked at where compressed messages are, see `compressed-message-undecodable`.
    pub static RULE = "WS-FR-007" "text-not-utf8" {
        severity: Error, category: Frame, reference: "RFC 6455 §5.5.1, §5.6, §8.1",
        explains: ["close-reports-peer-violation", "close-reply-differs", "closed-without-close-frame", "close-unanswered"], asked_on: [Anomaly], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for anomaly in &connection.anomalies {
        let Violation::TextNotUtf8(fault) = anomaly.kind else { continue };
        let name = anomaly.from.name();
        let bytes = quote::hex(fault.bytes());
        let what = match fault.cut {
            true => format!("it ends inside a character, with {bytes} at byte {}", fault.at),
            false => format!("{bytes} at byte {} begins no character", fault.at),
        };
        let help = match fault.cut {
            true => format!(
                "let the {name} cut text between characters, and send the rest of a character in the same message"
            ),
            false => format!("let the {name} send binary data as binary messages, and encode text as UTF-8"),
        };
        found.push(
            super::violation(&RULE, connection, anomaly, "text message that is not UTF-8")
                .message(format!("the {name} sent a text message that is not UTF-8: {what}"))
                .help(help),
        );
    }
    let reasons = connection.anomalies.iter().filter(|anomaly| anomaly.kind == Violation::CloseReasonNotUtf8);
    for anomaly in reasons {
        let name = anomaly.from.name();
        let close = connection.closes.iter().find(|close| {
            close.from == anomaly.from && std::str::from_utf8(close.odd.get(2..).unwrap_or_default()).is_err()
        });
        let payload = close.map(|close| format!("Close payload {}", quote::hex(&close.payload())));
        found.push(
            super::violation(&RULE, connection, anomaly, "Close reason that is not UTF-8")
                .message(format!("the {name} sent a Close with a reason that is not UTF-8"))
                .shows_all(close.map_or(anomaly.seen, |close| close.seen), payload.into_iter().collect())
                .help(format!(
                    "encode the reasons that the {name} sends as UTF-8, and cut them between characters"
                )),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence};
    use crate::websocket::NotUtf8;
    use crate::websocket::Violation::{CloseReasonNotUtf8, TextNotUtf8};

    #[test]
    fn a_broken_reason_is_told_once_and_explains_the_answer() {
        let findings = Scene::session("", "")
            .raw_close(Client, b"\x03\xE8caf\xC3")
            .anomaly(Client, CloseReasonNotUtf8, b"\x88\x86")
            .close(Server, 1007, "")
            .fin(Server)
            .findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name));
        assert_eq!(findings[0].blame, Blame::Client);
        assert!(
            findings[0].evidence.iter().any(|evidence| evidence.text == "Close payload 03 E8 63 61 66 C3")
        );
    }

    #[test]
    fn a_text_message_is_its_senders_fault_and_explains_1007() {
        let fault = NotUtf8::find(b"caf\xC3(").unwrap();
        let findings = Scene::session("", "")
            .messages(Server, 1)
            .anomaly(Server, TextNotUtf8(fault), b"")
            .close(Client, 1007, "")
            .close(Server, 1007, "")
            .findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name));
        assert_eq!((findings[0].blame, findings[0].confidence), (Blame::Server, Confidence::Certain));
        assert!(
            findings[0].message.ends_with("C3 28 at byte 3 begins no character"),
            "{}",
            findings[0].message
        );
    }

    #[test]
    fn good_reasons_are_silent() {
        Scene::session("", "")
            .close(Client, 1000, "café")
            .close(Server, 1000, "")
            .fin(Server)
            .silent(RULE.name);
    }

    #[test]
    fn a_close_that_cannot_be_read_is_not_answered() {
        let scene = Scene::session("", "").anomaly(Client, CloseReasonNotUtf8, b"\x88");
        let findings = scene.raw_close(Client, b"\x03\xe8\xff\xfe").after(2.0).fin(Server).findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name), "{findings:#?}");
        assert_eq!(findings[0].consequences[0].rule.name, "close-unanswered");
    }
}
