use super::FIELD;
use super::subprotocol_malformed::fault;
use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Severity, quote, trust};

rule! {
    /// # What it finds
    /// The client offered subprotocols and the server selected none.
    ///
    /// # Why it matters
    /// RFC 6455 lets the server do so, but Chrome then fails the connection, as browsers should, and so do `ws` on Node and
    /// tungstenite; Firefox (seen of 153) goes on without. The server believes that it is connected and sees the client vanish.
    ///
    /// # What causes it
    /// The server was not told of its subprotocols, the names differ (`graphql-ws` and `graphql-transport-ws` are two),
    /// or a proxy drops the field.
    ///
    /// # How to fix
    /// Let the server answer with one of the offered values: Python's websockets `subprotocols=[…]`, ws
    /// `handleProtocols`, gorilla `Upgrader.Subprotocols`, FastAPI `accept(subprotocol=…)`, Spring
    /// `setSupportedProtocols`. GraphQL: `graphql-transport-ws` and `graphql-ws` are two protocols, and both ends need
    /// the same. If the client only smuggles a token in this field, answer with that value or move the token.
    ///
    /// # What it does not report
    /// Requests without subprotocols. It is an error where the client is a browser or left without a frame, else a warning:
    /// gorilla, OkHttp and Python's websockets go on without.
    pub static RULE = "WS-SP-001" "subprotocol-offered-not-selected" {
        severity: Error, category: Subprotocol, reference: "RFC 6455 §4.2.2; WHATWG WebSockets, establish a connection",
        explains: ["client-aborts-after-101", "closed-without-close-frame", "close-unanswered"], asked_on: [Subprotocol], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some((request, response)) = trust::handshake(connection) else { return };
    let selected = response.subprotocol.as_deref().is_some_and(|value| !value.is_empty());
    if request.subprotocols.list.is_empty() || selected {
        return;
    }
    let browser = request.head.head.field("Origin").is_some();
    let left = connection
        .ending
        .by
        .filter(|(by, _)| *by == Role::Client && connection.first_close(Role::Client).is_none());
    let agent = request.head.head.text("User-Agent").unwrap_or_default().to_ascii_lowercase();
    // A client that goes on speaking has accepted it, whatever it calls itself.
    let tolerates = connection.frames.as_ref().is_some_and(|frames| frames.client.total() > 0);
    // Where bytes of it are missing, it may have.
    let unknown = trust::is_doubtful(connection, Role::Client);
    let browser = browser && !agent.contains("firefox/");
    let strict = !tolerates && !unknown && (browser || left.is_some() || agent.contains("tungstenite"));
    // A server that reads such a list with care selects nothing of it.
    let malformed = fault(&request.subprotocols).is_some();
    let mut finding = Finding::new(&RULE, response.seen, "no offered subprotocol selected")
        .at_most(if strict { Severity::Error } else { Severity::Warning })
        .confidence(if strict && !malformed { Confidence::Likely } else { Confidence::Possible })
        .origin(Role::Server)
        .blame(if malformed { Blame::Unknown } else { Blame::Server })
        .message(format!(
            "the client offered {}{} and the server selected none, which Chrome, ws on Node and tungstenite refuse{}",
            quote::subprotocols(&request.subprotocols.list),
            if malformed { " in a malformed list" } else { "" },
            if tolerates { "; this client goes on without" } else { "" }
        ))
        .shows_all(request.seen, quote::fields(&request.head.head, &[FIELD]))
        .shows(response.seen, format!("{} with {}", response.head.status, quote::field_or_none(&response.head.head, FIELD)))
        .help(if malformed {
            "let the client offer a proper list, and the server select one of it"
        } else if request.subprotocols.list.iter().all(|name| GRAPHQL.contains(&name.as_str())) && request.subprotocols.list.len() == 1 {
            "let both ends speak the same of GraphQL's two protocols: graphql-transport-ws of the library graphql-ws, or the older graphql-ws of subscriptions-transport-ws"
        } else {
            "let the server select one of the subprotocols that the client offers"
        });
    if let Some((_, seen)) = left.filter(|_| !tolerates) {
        finding = finding.shows(seen, "client ends TCP without a Close");
    }
    found.push(finding);
}

/// GraphQL's two protocols, of which the older one has the name of the newer one's library.
const GRAPHQL: [&str; 2] = ["graphql-transport-ws", "graphql-ws"];

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene};
    use crate::rules::{Blame, Confidence, Severity};

    fn offered(answer: &str) -> Scene {
        Scene::tcp()
            .request(&format!("{REQUEST}Sec-WebSocket-Protocol: a1, b2\r\n"))
            .answer(&format!("{ANSWER}{answer}"), "")
    }

    #[test]
    fn a_client_that_leaves_without_a_word_owes_no_answer_to_a_close() {
        let findings = offered("").close(Server, 4406, "").fin(Client).findings();
        let hangs = |name: &str| findings.iter().all(|finding| finding.rule.name != name);
        assert!(findings[0].rule.name == RULE.name && hangs("close-unanswered"));
        let spoke = offered("").messages(Client, 1).after(2.0).close(Server, 4406, "").fin(Client).findings();
        assert!(spoke.iter().any(|finding| finding.rule.name == "close-unanswered"));
    }

    #[test]
    fn a_client_of_one_of_graphqls_protocols_is_told_of_the_other() {
        let help = |offer: &str| {
            let request = format!("{REQUEST}Sec-WebSocket-Protocol: {offer}\r\n");
            Scene::tcp().request(&request).answer(ANSWER, "").finds(RULE.name).help
        };
        assert!(help("graphql-ws").contains("the same of GraphQL's two protocols"));
        for other in ["graphql-transport-ws, graphql-ws", "chat"] {
            assert!(help(other).starts_with("let the server select"), "{other}");
        }
    }

    #[test]
    fn a_client_that_leaves_makes_it_an_error_of_the_server() {
        let findings = offered("").fin(Client).findings();
        assert_eq!(
            (findings.len(), findings[0].severity, findings[0].blame),
            (1, Severity::Error, Blame::Server)
        );
        assert_eq!(offered("").messages(Client, 1).finds(RULE.name).severity, Severity::Warning);
    }

    #[test]
    fn of_a_malformed_list_a_server_may_select_nothing() {
        let offer = |list: &str| {
            let request = format!("{REQUEST}Sec-WebSocket-Protocol: {list}\r\n");
            let finding = Scene::tcp().request(&request).answer(ANSWER, "").fin(Client).finds(RULE.name);
            (finding.blame, finding.confidence)
        };
        assert_eq!(offer("a1, b2"), (Blame::Server, Confidence::Likely));
        assert_eq!(offer("a1, a1"), (Blame::Unknown, Confidence::Possible));
        assert_eq!(offer("a1, b/2"), (Blame::Unknown, Confidence::Possible));
    }

    #[test]
    fn a_client_that_goes_on_tolerates_it_whatever_it_calls_itself() {
        let browser = format!("{REQUEST}Sec-WebSocket-Protocol: a1\r\nOrigin: https://example.org\r\n");
        let scene = || Scene::tcp().request(&browser).answer(ANSWER, "");
        assert_eq!(scene().finds(RULE.name).severity, Severity::Error);
        let finding = scene().messages(Client, 5).fin(Client).finds(RULE.name);
        assert_eq!((finding.severity, finding.confidence), (Severity::Warning, Confidence::Possible));
        offered("").with(|connection| connection.quality.unknown_fields.server = 1).silent(RULE.name);
    }

    #[test]
    fn a_selection_and_an_unseen_answer_are_silent() {
        offered("Sec-WebSocket-Protocol: b2\r\n").silent(RULE.name);
        offered("").unseen(Server).silent(RULE.name);
    }
}
