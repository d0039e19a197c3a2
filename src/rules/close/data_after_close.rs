use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, frame};
use crate::websocket::Violation;

rule! {
    /// # What it finds
    /// A data frame that a side sent after its own Close.
    ///
    /// # Why it matters
    /// The receiver discards it, or answers it with RST, which can destroy data that is still on its way.
    ///
    /// # What causes it
    /// A program that closes in one task while another still sends.
    ///
    /// # How to fix
    /// Let one task own the connection, and stop sending before it closes.
    ///
    /// # What it does not report
    /// Data that the other side sends before it has seen the Close. After missing bytes it is only likely.
    pub static RULE = "WS-CL-007" "data-after-close" {
        severity: Error, category: Close, reference: "RFC 6455 §5.5.1",
        explains: [], asked_on: [Anomaly], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for anomaly in connection.anomalies.iter().filter(|anomaly| anomaly.kind == Violation::DataAfterClose) {
        found.push(
            frame::violation(&RULE, connection, anomaly, "data after Close")
                .message(format!("the {} sent data after its own Close", anomaly.from.name()))
                .help(format!("stop every sender of the {} before it closes", anomaly.from.name())),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence};
    use crate::websocket::Violation::DataAfterClose;

    #[test]
    fn a_late_sender_is_to_blame() {
        let scene =
            Scene::session("", "").close(Server, 1000, "").anomaly(Server, DataAfterClose, b"\x81\x01x");
        assert_eq!(scene.finds(RULE.name).blame, Blame::Server);
    }

    #[test]
    fn after_missing_bytes_it_is_only_likely() {
        let scene = Scene::session("", "").close(Server, 1000, "").gap(Server);
        let finding = scene.anomaly(Server, DataAfterClose, b"\x81\x01x").finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Likely);
    }

    #[test]
    fn data_that_crosses_a_close_is_silent() {
        Scene::session("", "")
            .close(Server, 1000, "")
            .messages(Client, 1)
            .close(Client, 1000, "")
            .silent(RULE.name);
    }
}
