use crate::connection::{Carrier, CloseState, Connection};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, quote, trust};

rule! {
    /// # What it finds
    /// A server that keeps TCP open for more than a second after both sides have sent Close.
    ///
    /// # Why it matters
    /// The server must end TCP at once, so that the waiting state after it rests with the server. Otherwise clients
    /// keep ports busy, and browsers wait a second or two before they end it themselves.
    ///
    /// # What causes it
    /// A server that closes its socket later or never, or a proxy that holds the FIN back.
    ///
    /// # How to fix
    /// Close the socket as soon as the closing handshake is done.
    ///
    /// # What it does not report
    /// A client that ends TCP first without waiting, and captures that end before TCP does.
    pub static RULE = "WS-CL-009" "tcp-close-order" {
        severity: Info, category: Close, reference: "RFC 6455 §5.5.1, §7.1.1",
        explains: [], asked_on: [Lingering], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let (Some((by, end)), Some(last)) = (connection.ending.by, connection.closes.last()) else { return };
    // A stream of HTTP/2 leaves no waiting state behind.
    let clean = connection.ending.close == Some(CloseState::Clean) && connection.carrier == Carrier::Http1;
    if !clean || trust::doubt(connection, Role::Server).is_some() {
        return;
    }
    let waited = end.at.seconds_since(last.seen.at);
    if waited <= PROMPT {
        return;
    }
    found.push(
        Finding::new(&RULE, end, "server slow to end TCP after Close")
            .origin(Role::Server)
            .blame(Role::Server)
            .message(format!(
                "the server left TCP open after the closing handshake; the {} ended it {} later",
                by.name(),
                quote::seconds(waited)
            ))
            .shows(last.seen, "closing handshake complete")
            .shows(end, format!("{} ends TCP", by.name()))
            .help("let the server close its socket as soon as both sides have sent Close"),
    );
}

/// Seconds after which an end is no longer immediate on any path.
const PROMPT: f64 = 1.0;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;

    fn closed() -> Scene {
        Scene::session("", "").close(Client, 1000, "").close(Server, 1000, "")
    }

    #[test]
    fn a_slow_server_is_told() {
        assert!(closed().after(2.0).fin(Client).finds(RULE.name).message.contains("2.0 s later"));
    }

    #[test]
    fn prompt_and_open_ends_are_silent() {
        closed().fin(Server).silent(RULE.name);
        closed().silent(RULE.name);
        Scene::session("", "")
            .gap(Server)
            .close(Client, 1000, "")
            .close(Server, 1000, "")
            .after(2.0)
            .fin(Client)
            .silent(RULE.name);
    }
}
