use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding};
use crate::websocket::Violation;

rule! {
    /// # What it finds
    /// A continuation frame with no message begun, or a new text or binary frame inside an unfinished message.
    ///
    /// # Why it matters
    /// The receiver cannot tell which fragment belongs to which message and must fail the connection with 1002.
    ///
    /// # What causes it
    /// Two threads that write to one connection without a lock, or a relay that splits messages.
    ///
    /// # How to fix
    /// Let one writer own the connection, and send each message whole before the next: gorilla allows one writer at a
    /// time, so hold a mutex around `WriteMessage`; in ws do not mix `send` with `{ fin: false }`.
    ///
    /// # What it does not report
    /// Control frames between fragments, which are legal, and connections that the capture joined midway. After
    /// missing bytes it is only likely.
    pub static RULE = "WS-FR-006" "fragmentation-sequence-broken" {
        severity: Error, category: Frame, reference: "RFC 6455 §5.4",
        explains: ["close-reports-peer-violation", "close-reply-differs", "closed-without-close-frame", "close-internal-error"], asked_on: [Anomaly], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    if connection.response.is_none() {
        return;
    }
    for anomaly in &connection.anomalies {
        let what = match anomaly.kind {
            Violation::ContinuationAlone => "a continuation frame with no message begun",
            Violation::MessageInsideMessage => {
                "a new message inside an unfinished one, expected a continuation frame"
            }
            _ => continue,
        };
        found.push(
            super::violation(&RULE, connection, anomaly, "fragments out of sequence")
                .message(format!("the {} sent {what}", anomaly.from.name()))
                .help(format!(
                    "let one writer of the {} send each message whole before the next",
                    anomaly.from.name()
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
    use crate::websocket::Violation::{ContinuationAlone, MessageInsideMessage};

    #[test]
    fn mixed_messages_are_their_senders_error() {
        let finding = Scene::session("", "").anomaly(Client, MessageInsideMessage, b"\x81").finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Certain));
        let finding =
            Scene::session("", "").gap(Server).anomaly(Server, ContinuationAlone, b"\x80").finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Likely);
    }

    #[test]
    fn a_capture_that_joined_midway_is_silent() {
        Scene::session("", "").unseen(Server).anomaly(Client, ContinuationAlone, b"\x80").silent(RULE.name);
    }
}
