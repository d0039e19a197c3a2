use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, quote};
use crate::websocket::Violation;

rule! {
    /// # What it finds
    /// A Close whose reason is not UTF-8.
    ///
    /// # Why it matters
    /// The receiver must fail the connection with 1007, and the code and the reason that were meant are lost.
    ///
    /// # What causes it
    /// A reason cut at 123 bytes inside a character, text in another encoding, or bytes that should have been masked.
    ///
    /// # How to fix
    /// Encode reasons as UTF-8 and cut them between characters.
    ///
    /// # What it does not report
    /// Reasons that were captured in part. Text messages are not looked at.
    pub static RULE = "WS-FR-007" "text-not-utf8" {
        severity: Error, category: Frame, reference: "RFC 6455 §5.5.1, §5.6, §8.1",
        explains: ["close-reports-peer-violation", "close-reply-differs"], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let reasons = connection.anomalies.iter().filter(|anomaly| anomaly.kind == Violation::CloseReasonNotUtf8);
    for anomaly in reasons {
        let name = anomaly.from.name();
        let close = connection.closes.iter().find(|close| {
            close.from == anomaly.from
                && std::str::from_utf8(close.payload.get(2..).unwrap_or_default()).is_err()
        });
        let payload = close.map(|close| format!("Close payload {}", quote::hex(&close.payload)));
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
    use crate::rules::Blame;
    use crate::rules::testing::Scene;
    use crate::websocket::Violation::CloseReasonNotUtf8;

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
    fn good_reasons_are_silent() {
        Scene::session("", "")
            .close(Client, 1000, "café")
            .close(Server, 1000, "")
            .fin(Server)
            .silent(RULE.name);
    }
}
