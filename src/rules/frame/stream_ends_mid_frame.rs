use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Confidence, Finding, trust};
use crate::websocket::Violation;

rule! {
    /// # What it finds
    /// A connection that ended while a frame or a fragmented message was under way.
    ///
    /// # Why it matters
    /// The message is lost, and the sender may not know.
    ///
    /// # What causes it
    /// A crash or kill of the sender, a restart of a proxy, or a timeout while a large message stalled.
    ///
    /// # How to fix
    /// Finish the message and send Close before the process ends. nginx: `proxy_send_timeout` for an
    /// upstream and `send_timeout` for a client above the longest stall, and `worker_shutdown_timeout`, where it is set, above
    /// the time of the largest message. Kubernetes: `terminationGracePeriodSeconds`
    /// above the time that draining takes.
    ///
    /// # What it does not report
    /// Captures that stop while the connection is open, sides with missing bytes, and ends by a side that had sent its Close
    /// before: it need not wait for the rest.
    pub static RULE = "WS-FR-009" "stream-ends-mid-frame" {
        severity: Warning, category: Frame, reference: "RFC 6455 §7.1.1",
        explains: [], asked_on: [Anomaly], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some((by, end)) = connection.ending.by else { return };
    for anomaly in connection.anomalies.iter().filter(|anomaly| anomaly.kind == Violation::EndsMidFrame) {
        let closed = connection.first_close(by).is_some() && by != anomaly.from;
        if closed || trust::doubt(connection, anomaly.from).is_some() {
            continue;
        }
        found.push(
            super::violation(&RULE, connection, anomaly, "connection ended inside a message")
                .confidence(Confidence::Likely)
                .origin(by)
                .blame(by)
                .message(format!(
                    "the {} ended TCP while a message from the {} was unfinished",
                    by.name(),
                    anomaly.from.name()
                ))
                .shows(end, format!("{} ends TCP", by.name()))
                .help(format!(
                    "find out in the log of the {} why it ended the connection at this second",
                    by.name()
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
    use crate::websocket::Violation::EndsMidFrame;

    #[test]
    fn who_ended_is_asked() {
        let scene = Scene::session("", "").anomaly(Server, EndsMidFrame, b"").fin(Client);
        assert_eq!(scene.finds(RULE.name).blame, Blame::Client);
    }

    #[test]
    fn an_open_connection_and_missing_bytes_are_silent() {
        Scene::session("", "").anomaly(Server, EndsMidFrame, b"").silent(RULE.name);
        Scene::session("", "")
            .anomaly(Client, EndsMidFrame, b"")
            .close(Server, 1002, "")
            .fin(Server)
            .silent(RULE.name);
        Scene::session("", "").gap(Server).anomaly(Server, EndsMidFrame, b"").fin(Server).silent(RULE.name);
    }
}
