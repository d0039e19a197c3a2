use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, quote};
use crate::websocket::{FrameHeader, Opcode, Violation};

rule! {
    /// # What it finds
    /// A Close, Ping or Pong of more than 125 bytes, or one that is fragmented (FIN=0).
    ///
    /// # Why it matters
    /// Control frames must fit into one small frame so that they can go between the fragments of a message. The
    /// receiver must fail the connection.
    ///
    /// # What causes it
    /// A Close reason of more than 123 bytes or a long Ping payload in a library that does not check; or lost framing.
    ///
    /// # How to fix
    /// Keep Close reasons within 123 bytes of UTF-8 and Ping payloads within 125 bytes.
    ///
    /// # What it does not report
    /// Control frames between the fragments of a message, which are legal. After missing bytes it is only likely.
    pub static RULE = "WS-FR-004" "control-frame-invalid" {
        severity: Error, category: Frame, reference: "RFC 6455 §5.4, §5.5",
        explains: ["close-reports-peer-violation", "close-reply-differs", "closed-without-close-frame", "close-internal-error"], asked_on: [Anomaly], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for anomaly in &connection.anomalies {
        let header = FrameHeader::parse(&anomaly.quote);
        let what = match (anomaly.kind, header) {
            (Violation::ControlFragmented, _) => String::from("with FIN=0, expected FIN=1"),
            (Violation::ControlTooLong, Some(header)) => {
                format!("of {}, expected at most 125", quote::bytes(header.len))
            }
            (Violation::ControlTooLong, None) => String::from("of more than 125 bytes, expected at most 125"),
            _ => continue,
        };
        let frame = match header.map(|header| header.opcode) {
            Some(Opcode::Close) => "Close",
            Some(Opcode::Ping) => "Ping",
            Some(Opcode::Pong) => "Pong",
            _ => "control frame",
        };
        found.push(
            super::violation(&RULE, connection, anomaly, "invalid control frame")
                .message(format!("the {} sent a {frame} {what}", anomaly.from.name()))
                .help(format!(
                    "let the {} send each Close, Ping and Pong as one frame of at most 125 bytes",
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
    use crate::websocket::Violation::{ControlFragmented, ControlTooLong};

    #[test]
    fn long_and_fragmented_control_frames_are_told() {
        let finding = Scene::session("", "").anomaly(Client, ControlFragmented, b"\x08").finds(RULE.name);
        assert!(finding.blame == Blame::Client && finding.message.contains("FIN=0"));
        let finding = Scene::session("", "").anomaly(Server, ControlTooLong, b"\x89\x7e").finds(RULE.name);
        assert!(finding.blame == Blame::Server && finding.message.contains("125"));
    }

    #[test]
    fn the_frame_is_named_with_its_length() {
        let says = |kind, bytes: &[u8]| {
            Scene::session("", "").anomaly(Server, kind, bytes).finds(RULE.name).message.clone()
        };
        let long = says(ControlTooLong, b"\x89\x7e\x00\x7e");
        assert_eq!(long, "the server sent a Ping of 126 bytes, expected at most 125");
        let cut = says(ControlFragmented, b"\x08\x02\x03\xe8");
        assert_eq!(cut, "the server sent a Close with FIN=0, expected FIN=1");
    }

    #[test]
    fn a_gap_makes_it_likely_and_pings_are_silent() {
        let finding =
            Scene::session("", "").gap(Client).anomaly(Client, ControlTooLong, b"\x89").finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Likely);
        Scene::session("", "").pings(Server, 3).silent(RULE.name);
    }
}
