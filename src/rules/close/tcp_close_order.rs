use crate::connection::{Carrier, CloseState, Connection, FirstEnd};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Confidence, Finding, quote, trust};

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
    /// A client that ends TCP first without waiting, captures that end before TCP does or lack the server's FIN, and the time
    /// of a round trip. Where the last Close was sent again it arrived late. A FIN that the path lost and that was sent again
    /// looks like a late one, so it is never more than likely.
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
    // Of a FIN that the capture lacks nobody knows when it was sent; a Close that was sent again came late.
    let unseen = connection.ending.first == FirstEnd::Unseen && by == Role::Server;
    let late =
        connection.tcp.repeats[last.from].as_ref().is_some_and(|again| again.span.until.at > last.seen.at);
    let trip = trust::round_trip(connection).unwrap_or_default();
    let waited = trust::elapsed(connection, last.seen, end).filter(|waited| *waited > PROMPT + trip);
    let Some(waited) = waited.filter(|_| !unseen && !late) else { return };
    found.push(
        Finding::new(&RULE, end, "server slow to end TCP after Close")
            .confidence(Confidence::Likely)
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
    use crate::capture::Seen;
    use crate::connection::{Connection, FirstEnd, Repeats, Span};
    use crate::role::Role::{Client, Server};
    use crate::rules::Confidence;
    use crate::rules::testing::Scene;
    use crate::time::Timestamp;

    fn closed() -> Scene {
        Scene::session("", "").close(Client, 1000, "").close(Server, 1000, "")
    }

    #[test]
    fn a_slow_server_is_told() {
        assert!(closed().after(2.0).fin(Client).finds(RULE.name).message.contains("2.0 s later"));
    }

    #[test]
    fn a_fin_that_is_late_for_another_reason_is_silent() {
        let slow = || closed().after(2.0).fin(Server);
        assert_eq!(slow().finds(RULE.name).confidence, Confidence::Likely);
        slow().with(|c| c.ending.first = FirstEnd::Unseen).silent(RULE.name);
        // Over a satellite it takes so long to come.
        let far = |c: &mut Connection| {
            c.tcp.accepted =
                c.tcp.opened.map(|seen| Seen { at: Timestamp::from_nanos(1_200_000_000), ..seen });
        };
        slow().with(far).silent(RULE.name);
        let again = |c: &mut Connection| {
            let span = Span { from: c.closes[1].seen, until: c.last };
            c.tcp.repeats.server = Some(Box::new(Repeats { count: 3, span }));
        };
        slow().with(again).silent(RULE.name);
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
