use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding};
use crate::websocket::Violation;

rule! {
    /// # What it finds
    /// A frame with an opcode that nothing defines: 3 to 7 or 11 to 15.
    ///
    /// # Why it matters
    /// The receiver must fail the connection.
    ///
    /// # What causes it
    /// Hardly ever a new opcode. Nearly always the framing was lost before: foreign bytes in the stream, a wrong length,
    /// compressed bytes read as frames.
    ///
    /// # How to fix
    /// Look at the frame before this one, and at the bytes themselves: text there shows who wrote them.
    ///
    /// # What it does not report
    /// Connections without such a frame. After missing bytes, and in a session that was joined midway, it is only likely.
    pub static RULE = "WS-FR-003" "opcode-reserved" {
        severity: Error, category: Frame, reference: "RFC 6455 §5.2",
        explains: ["close-reports-peer-violation", "close-reply-differs", "closed-without-close-frame", "close-internal-error"], asked_on: [Anomaly], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for anomaly in &connection.anomalies {
        let Violation::ReservedOpcode(opcode) = anomaly.kind else { continue };
        found.push(
            super::violation(&RULE, connection, anomaly, "frame with a reserved opcode")
                .message(format!(
                    "the {} sent a frame with opcode {opcode}, expected 0 to 2 or 8 to 10",
                    anomaly.from.name()
                ))
                .help("look at the bytes of this frame and at the frame before it: framing was most probably lost there"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence};
    use crate::websocket::Violation::ReservedOpcode;

    #[test]
    fn the_opcode_and_its_sender_are_named() {
        let finding = Scene::session("", "").anomaly(Client, ReservedOpcode(3), b"\x83").finds(RULE.name);
        assert_eq!(finding.blame, Blame::Client);
        assert!(finding.message.contains("opcode 3"));
    }

    #[test]
    fn a_gap_makes_it_likely_and_known_opcodes_are_silent() {
        let finding =
            Scene::session("", "").gap(Server).anomaly(Server, ReservedOpcode(11), b"\x8b").finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Likely);
        Scene::session("", "").messages(Client, 2).silent(RULE.name);
    }

    #[test]
    fn a_session_that_was_joined_midway_leaves_a_doubt() {
        let finding =
            Scene::tcp().messages(Server, 1).anomaly(Server, ReservedOpcode(5), b"\x85").finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Likely);
        assert!(finding.evidence.iter().any(|evidence| evidence.text.contains("joined midway")));
    }
}
