use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, frame};
use crate::websocket::Violation;

rule! {
    /// # What it finds
    /// RSV1 on a continuation or control frame, or RSV2 or RSV3 on any frame.
    ///
    /// # Why it matters
    /// The receiver must fail the connection. RSV1 belongs to the first frame of a message only; RSV2 and RSV3 have no
    /// meaning in any registered extension.
    ///
    /// # What causes it
    /// A library that sets RSV1 on every fragment, or a stream whose framing was lost: foreign bytes, a wrong length, a
    /// hop that changes bytes.
    ///
    /// # How to fix
    /// Update the sender's library. If the bytes look like text or HTTP, find out who wrote into the stream.
    ///
    /// # What it does not report
    /// RSV1 on the first frame of a message, which is judged by what was agreed, and on any frame where a draft such as
    /// `x-webkit-deflate-frame` was agreed, which compresses frame by frame. After missing bytes it is only likely.
    pub static RULE = "WS-EX-010" "rsv-bits-misused" {
        severity: Error, category: Extension, reference: "RFC 6455 §5.2; RFC 7692 §6",
        explains: ["close-reports-peer-violation", "closed-without-close-frame"], asked_on: [Anomaly], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for anomaly in &connection.anomalies {
        if anomaly.kind == Violation::Rsv1Misplaced && compresses_frames(connection) {
            continue;
        }
        let (bits, where_) = match anomaly.kind {
            Violation::Rsv1Misplaced => {
                ("RSV1", "on a continuation or control frame, expected only on the first frame of a message")
            }
            Violation::Rsv23 => ("RSV2 or RSV3", "on a frame, expected 0 because no extension defines them"),
            _ => continue,
        };
        found.push(
            frame::violation(&RULE, connection, anomaly, "reserved bits misused")
                .message(format!("the {} set {bits} {where_}", anomaly.from.name()))
                .help(format!(
                    "update the WebSocket library of the {}, or find the hop that changes its bytes",
                    anomaly.from.name()
                )),
        );
    }
}

/// Whether a draft was agreed on that compresses each frame by itself, so that every fragment may have RSV1.
fn compresses_frames(connection: &Connection) -> bool {
    let answer = connection.response.as_ref().map(|response| &response.extensions.list);
    answer.is_some_and(|list| list.iter().any(|one| one.name.to_ascii_lowercase().contains("deflate-frame")))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence};
    use crate::websocket::Violation::{Rsv1Misplaced, Rsv23};

    #[test]
    fn reserved_bits_are_their_senders_error() {
        assert_eq!(
            Scene::session("", "").anomaly(Client, Rsv23, b"\xa1").finds(RULE.name).blame,
            Blame::Client
        );
        assert_eq!(
            Scene::session("", "").anomaly(Server, Rsv1Misplaced, b"\xc9").finds(RULE.name).blame,
            Blame::Server
        );
    }

    #[test]
    fn compressed_messages_are_silent() {
        Scene::session("permessage-deflate", "permessage-deflate").compressed(Client).silent(RULE.name);
    }

    #[test]
    fn a_gap_makes_it_likely_and_a_draft_by_frames_may_have_it_anywhere() {
        let finding = Scene::session("", "").gap(Client).anomaly(Client, Rsv23, b"\xa1").finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Likely);
        let draft = || Scene::session("x-webkit-deflate-frame", "x-webkit-deflate-frame");
        draft().anomaly(Server, Rsv1Misplaced, b"\xc0").silent(RULE.name);
        draft().anomaly(Server, Rsv23, b"\xa1").finds(RULE.name);
    }
}
