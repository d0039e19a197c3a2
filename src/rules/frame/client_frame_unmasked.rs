use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding};
use crate::websocket::Violation;

rule! {
    /// # What it finds
    /// A frame from the client without a mask.
    ///
    /// # Why it matters
    /// The server must close, usually with 1002. The mask keeps a hostile page from writing bytes of its choice into
    /// caches and proxies on the way.
    ///
    /// # What causes it
    /// A home-made client. Or a relay that passes frames on to its upstream as they came, unmasked: towards the
    /// upstream the relay is the client.
    ///
    /// # How to fix
    /// Use a WebSocket client library, on the upstream side of a relay as well.
    ///
    /// # What it does not report
    /// Connections where only the masks tell client from server. After missing bytes it is only likely, and so where the
    /// request names a gateway before this client, whose leg the capture lacks.
    pub static RULE = "WS-FR-001" "client-frame-unmasked" {
        severity: Error, category: Frame, reference: "RFC 6455 §5.1, §5.3",
        explains: ["close-reports-peer-violation", "close-reply-differs", "closed-without-close-frame", "close-internal-error"], asked_on: [Anomaly], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    if !super::roles_are_known(connection) {
        return;
    }
    for anomaly in connection.anomalies.iter().filter(|anomaly| anomaly.kind == Violation::Unmasked) {
        found.push(
            super::violation(&RULE, connection, anomaly, "client frame without a mask")
                .message("the client sent a frame without a mask, and a server must close on it")
                .help(
                    "use a WebSocket client library in the client, also where a relay talks to its upstream",
                ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::RoleEvidence;
    use crate::role::Role::Client;
    use crate::rules::testing::{ANSWER, REQUEST, Scene};
    use crate::rules::{Blame, Confidence};
    use crate::websocket::Violation::Unmasked;

    #[test]
    fn an_unmasked_client_is_to_blame() {
        let finding = Scene::session("", "").anomaly(Client, Unmasked, b"\x81\x05hello").finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Certain));
        assert!(finding.evidence[0].text.contains("81 05 68"));
    }

    #[test]
    fn a_gateway_that_sent_the_request_may_have_made_the_frame() {
        let request = format!("{REQUEST}X-Forwarded-For: 203.0.113.9\r\n");
        let scene =
            Scene::tcp().request(&request).answer(ANSWER, "").anomaly(Client, Unmasked, b"\x81\x05hello");
        let finding = scene.finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Likely));
        assert!(finding.evidence[0].text.ends_with("passed it on: X-Forwarded-For: 203.0.113.9"));
    }

    #[test]
    fn after_a_gap_it_is_likely_and_without_roles_nothing() {
        let finding = Scene::session("", "").gap(Client).anomaly(Client, Unmasked, b"\x81").finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Likely);
        Scene::session("", "")
            .anomaly(Client, Unmasked, b"\x81")
            .with(|c| c.tcp.roles = RoleEvidence::Masking)
            .silent(RULE.name);
    }
}
