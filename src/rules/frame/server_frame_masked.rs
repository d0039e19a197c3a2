use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding};
use crate::websocket::Violation;

rule! {
    /// # What it finds
    /// A frame from the server with a mask.
    ///
    /// # Why it matters
    /// The client must close on it, usually with 1002; browsers fail the connection.
    ///
    /// # What causes it
    /// A home-made or embedded server that uses one frame writer for both roles. Or a relay that passes the bytes of
    /// one client on to another.
    ///
    /// # How to fix
    /// Clear the mask bit on the server. In a relay write new frames instead of copying them.
    ///
    /// # What it does not report
    /// Connections where only the masks tell client from server. After missing bytes it is only likely.
    pub static RULE = "WS-FR-002" "server-frame-masked" {
        severity: Error, category: Frame, reference: "RFC 6455 §5.1",
        explains: ["close-reports-peer-violation", "close-reply-differs", "closed-without-close-frame", "close-internal-error"], asked_on: [Anomaly], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    if !super::roles_are_known(connection) {
        return;
    }
    for anomaly in connection.anomalies.iter().filter(|anomaly| anomaly.kind == Violation::Masked) {
        found.push(
            super::violation(&RULE, connection, anomaly, "server frame with a mask")
                .message("the server sent a masked frame, and a client must close on it")
                .help("clear the mask bit of the frames that the server sends"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::RoleEvidence;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{Scene, flat};
    use crate::rules::{Blame, Confidence};
    use crate::websocket::Violation::Masked;

    #[test]
    fn a_masking_server_is_to_blame_and_the_close_its_consequence() {
        let findings = Scene::session("", "")
            .anomaly(Server, Masked, b"\x81\x82")
            .close(Client, 1002, "masked")
            .close(Server, 1002, "")
            .fin(Server)
            .findings();
        assert_eq!((findings.len(), findings[0].rule.name, findings[0].blame), (1, RULE.name, Blame::Server));
        assert!(flat(&findings).iter().any(|finding| finding.rule.name == "close-reports-peer-violation"));
    }

    #[test]
    fn after_a_gap_it_is_likely_and_without_roles_nothing_is_said() {
        let finding = Scene::session("", "").gap(Server).anomaly(Server, Masked, b"\x81").finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Likely);
        let scene = Scene::session("", "")
            .anomaly(Server, Masked, b"\x81")
            .with(|c| c.tcp.roles = RoleEvidence::Masking);
        scene.silent(RULE.name);
    }
}
