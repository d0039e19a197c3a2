use crate::connection::{Connection, Outcome};
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Finding, Origin};

rule! {
    /// # What it finds
    /// A WebSocket whose handshake is not in the capture.
    ///
    /// # Why it matters
    /// What was offered and agreed is unknown, so nothing can be said about extensions, subprotocols and compressed
    /// frames, and client and server may be known by their masks only.
    ///
    /// # What causes it
    /// The capture was started after the connection was made.
    ///
    /// # How to fix
    /// Start the capture first, then make the client connect again.
    ///
    /// # What it does not report
    /// Connections whose handshake was captured, wholly or in one direction.
    pub static RULE = "WS-CP-001" "capture-starts-midstream" {
        severity: Info, category: Capture, reference: "none",
        explains: [], asked_on: [Answer], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    if connection.outcome != Outcome::Unseen || connection.request.is_some() || connection.response.is_some()
    {
        return;
    }
    found.push(
        Finding::new(&RULE, connection.first, "capture joins the connection midway")
            .origin(Origin::Capture)
            .blame(Blame::Capture)
            .message("the handshake is not in the capture, so extensions and subprotocol of this session are unknown")
            .shows(connection.first, "first packet of the connection in the capture")
            .help("start the capture before the client connects"),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;

    #[test]
    fn a_session_without_handshake_is_told() {
        assert!(!Scene::tcp().messages(Client, 2).finds(RULE.name).evidence.is_empty());
    }

    #[test]
    fn one_direction_of_the_handshake_is_enough() {
        Scene::session("", "").unseen(Server).silent(RULE.name);
        Scene::session("", "").silent(RULE.name);
    }
}
