use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding};
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
    /// Sides with missing bytes, where it is this program that lost its place.
    pub static RULE = "WS-FR-011" "framing-lost" {
        severity: Error, category: Frame, reference: "RFC 6455 §5.2",
        explains: ["rsv1-without-extension", "rsv-bits-misused", "opcode-reserved", "control-frame-invalid",
            "fragmentation-sequence-broken", "server-frame-masked", "client-frame-unmasked", "length-encoding-invalid",
            "close-reports-peer-violation", "close-reply-differs", "closed-without-close-frame", "stream-ends-mid-frame"],
        check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for anomaly in connection.anomalies.iter().filter(|anomaly| anomaly.kind == Violation::FramingLost) {
        if connection.response.is_none() || super::trust::doubt(connection, anomaly.from).is_some() {
            continue;
        }
        found.push(
            super::violation(&RULE, connection, anomaly, "bytes that are no WebSocket frame")
                .message(format!("the {} sent bytes that cannot be a frame", anomaly.from.name()))
                .help(format!(
                    "look at these bytes to see who wrote them, the {} or a hop before it",
                    anomaly.from.name()
                )),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::Server;
    use crate::rules::Blame;
    use crate::rules::testing::Scene;
    use crate::websocket::Violation::FramingLost;

    #[test]
    fn garbage_is_its_senders_error() {
        assert_eq!(
            Scene::session("", "").anomaly(Server, FramingLost, b"\xff\xff").finds(RULE.name).blame,
            Blame::Server
        );
    }

    #[test]
    fn after_missing_bytes_nothing_is_said() {
        Scene::session("", "").gap(Server).anomaly(Server, FramingLost, b"\xff\xff").silent(RULE.name);
    }
}
