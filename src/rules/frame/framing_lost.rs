use crate::connection::{Anomaly, Connection};
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, quote};
use crate::websocket::Violation;

rule! {
    /// # What it finds
    /// Bytes after the handshake that cannot be a frame.
    ///
    /// # Why it matters
    /// From there on the stream means nothing to the receiver, which fails the connection.
    ///
    /// # What causes it
    /// Something else than a WebSocket library wrote into the stream, a length was wrong, or a hop changed bytes. If it
    /// begins right after the 101, the server may have agreed to WebSocket without speaking it.
    ///
    /// # How to fix
    /// Look at the bytes: text shows who wrote them. Compare both sides of every gateway.
    ///
    /// # What it does not report
    /// Sides with missing bytes, where it is this program that lost its place. Where both sides send such bytes it is told
    /// once, and nobody is blamed: the cause may lie between them.
    pub static RULE = "WS-FR-011" "framing-lost" {
        severity: Error, category: Frame, reference: "RFC 6455 §5.2",
        explains: ["rsv1-without-extension", "rsv-bits-misused", "opcode-reserved", "control-frame-invalid",
            "fragmentation-sequence-broken", "server-frame-masked", "client-frame-unmasked", "length-encoding-invalid",
            "close-reports-peer-violation", "close-reply-differs", "closed-without-close-frame", "stream-ends-mid-frame"], asked_on: [Anomaly], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let mut lost = connection.anomalies.iter().filter(|anomaly| {
        anomaly.kind == Violation::FramingLost
            && connection.response.is_some()
            && super::trust::doubt(connection, anomaly.from).is_none()
    });
    let Some(first) = lost.next() else { return };
    let finding = super::violation(&RULE, connection, first, "bytes that are no WebSocket frame");
    found.push(match lost.find(|other| other.from != first.from) {
        Some(other) => finding
            .of_nobody()
            .message(
                "both sides sent bytes that cannot be a frame: either their programs agreed on WebSocket and speak something else, or a hop between them changes both directions",
            )
            .shows(other.seen, format!("{} sends {}", other.from.name(), quote::hex(&other.quote)))
            .help("look at these bytes to see who wrote them, and compare them with a capture at the other end"),
        None => finding
            .message(format!("the {} sent bytes that cannot be a frame{}", first.from.name(), why(connection, first)))
            .help(format!(
                "look at these bytes to see who wrote them, the {} or a hop before it",
                first.from.name()
            )),
    });
}

/// What in them cannot be, where one thing alone tells.
fn why(connection: &Connection, lost: &Anomaly) -> &'static str {
    let top_bit = connection.anomalies.iter().any(|anomaly| {
        anomaly.kind == Violation::LengthTopBit && anomaly.from == lost.from && anomaly.offset == lost.offset
    });
    if top_bit { ": its 64-bit length has the top bit set, expected 0" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::Blame;
    use crate::rules::testing::Scene;
    use crate::websocket::Violation::{FramingLost, LengthTopBit};

    #[test]
    fn garbage_is_its_senders_error() {
        assert_eq!(
            Scene::session("", "").anomaly(Server, FramingLost, b"\xff\xff").finds(RULE.name).blame,
            Blame::Server
        );
    }

    #[test]
    fn a_length_that_cannot_be_is_named() {
        let header = b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x03";
        let scene = Scene::session("", "").anomaly(Server, LengthTopBit, header);
        let finding = scene.anomaly(Server, FramingLost, header).finds(RULE.name);
        assert!(finding.message.ends_with("its 64-bit length has the top bit set, expected 0"));
    }

    #[test]
    fn garbage_of_both_sides_is_told_once_and_blames_nobody() {
        let scene = Scene::session("", "").anomaly(Server, FramingLost, b"\xff\xff");
        let findings = scene.anomaly(Client, FramingLost, b"\xfe\xfe").findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name));
        assert_eq!((findings[0].blame, findings[0].origin), (Blame::Unknown, None));
        assert!(findings[0].evidence.iter().any(|line| line.text.contains("client sends FE FE")));
    }

    #[test]
    fn after_missing_bytes_nothing_is_said() {
        Scene::session("", "").gap(Server).anomaly(Server, FramingLost, b"\xff\xff").silent(RULE.name);
    }
}
