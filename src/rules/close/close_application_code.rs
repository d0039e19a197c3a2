use crate::connection::{Close, Connection};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Confidence, Finding, codes, quote};

rule! {
    /// # What it finds
    /// A Close with a code from 3000 to 4999.
    ///
    /// # Why it matters
    /// The application ended the session and said why in a code of its own. Nothing between the two ends is at fault.
    ///
    /// # What causes it
    /// Whatever the application or library means by it; the codes of GraphQL (4400 to 4504) are explained. 3000
    /// (unauthorized), 3003 (forbidden) and 3008 (timeout) are widely listed; 4000 to 4999 are private.
    ///
    /// # How to fix
    /// Look the code up in the application's own documentation.
    ///
    /// # What it does not report
    /// The echo of the same code from the other side.
    pub static RULE = "WS-CL-015" "close-application-code" {
        severity: Info, category: Close, reference: "RFC 6455 §7.4.2",
        explains: [], asked_on: [Close], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for close in super::own(connection) {
        let Some(code @ 3000..=4999) = close.code else { continue };
        let known = codes::name(code).filter(|_| code < 4000);
        let library = OF_LIBRARIES.iter().find(|(told, ..)| code == 3000 && close.reason == *told);
        let graphql = graphql(connection, code, &close.reason);
        let meaning = match (library, graphql, known) {
            (Some((_, meaning, _)), ..) => format!("which is not about access here: {meaning}"),
            (_, Some(graphql), _) => {
                format!("which GraphQL over WebSocket has for this: {}", graphql.meaning)
            }
            (.., Some(name)) => format!("which is listed as {name}"),
            _ if is_lifted(close) => {
                format!(
                    "a code of its own, or that of a relay that heard {}, as @fastify/http-proxy writes it",
                    code - 3000
                )
            }
            _ => String::from("a code of its own"),
        };
        let help = match (library, graphql) {
            (Some((_, _, help)), _) => String::from(*help),
            (_, Some(graphql)) => String::from(graphql.help),
            _ if is_lifted(close) => format!(
                "look up {code} in the documentation of the application; if a relay stands there, find out why what is behind it ended without a Close or without a code"
            ),
            _ => format!("look up {code} in the documentation of the application"),
        };
        let finding = super::said(&RULE, connection, close, format!("application closed with {code}"))
            .message(format!(
                "the application of the {} sent {}, {meaning}",
                close.from.name(),
                quote::close(close)
            ))
            .help(help);
        found.push(match graphql.filter(|graphql| graphql.accuses) {
            Some(_) => finding.confidence(Confidence::Likely).blame(close.from.other()),
            None => finding,
        });
    }
}

/// Whether a relay may stand for it: ws on Node may not send 1005 and 1006, so what was heard behind the relay is lifted by 3000.
fn is_lifted(close: &Close) -> bool {
    close.from == Role::Server && matches!(close.code, Some(4005 | 4006)) && close.reason.is_empty()
}

/// A code of the protocol graphql-transport-ws.
#[derive(Clone, Copy)]
struct GraphQl {
    code: u16,
    /// The reason that graphql-ws on Node gives, or how it begins.
    reason: &'static str,
    /// Whether it says that the other side did wrong.
    accuses: bool,
    meaning: &'static str,
    help: &'static str,
}

/// What a code means where the two speak that protocol, or where the reason shows that one of them does.
fn graphql(connection: &Connection, code: u16, reason: &str) -> Option<GraphQl> {
    let chosen = connection.response.as_ref().and_then(|response| response.subprotocol.as_deref());
    let row = GRAPHQL.iter().find(|row| row.code == code)?;
    (chosen == Some("graphql-transport-ws") || reason.starts_with(row.reason)).then_some(*row)
}

const fn graphql_row(code: u16, reason: &'static str, meaning: &'static str, help: &'static str) -> GraphQl {
    GraphQl { code, reason, accuses: true, meaning, help }
}

/// Seen of graphql-ws 6 on Node, and read in its source.
const GRAPHQL: [GraphQl; 8] = [
    graphql_row(
        4400,
        "Invalid message received",
        "a message that the protocol does not have",
        "let both ends speak graphql-transport-ws: the older subscriptions-transport-ws has other messages",
    ),
    graphql_row(
        4401,
        "Unauthorized",
        "a subscription came before the server had acknowledged connection_init",
        "let the client send connection_init and wait for connection_ack before it subscribes",
    ),
    GraphQl {
        accuses: false,
        ..graphql_row(
            4403,
            "Forbidden",
            "the server refused the connection_init",
            "compare the connectionParams of the client with what onConnect of the server checks",
        )
    },
    graphql_row(
        4406,
        "Subprotocol not acceptable",
        "the client did not offer graphql-transport-ws",
        "let the client offer graphql-transport-ws: graphql-ws is the name of the older protocol of subscriptions-transport-ws",
    ),
    graphql_row(
        4408,
        "Connection initialisation timeout",
        "the client sent no connection_init in time",
        "let the client send connection_init at once, or raise connectionInitWaitTimeout of graphql-ws (3 s)",
    ),
    graphql_row(
        4409,
        "Subscriber for ",
        "two subscriptions of this connection have one id",
        "let the client give each subscription an id of its own",
    ),
    graphql_row(
        4429,
        "Too many initialisation requests",
        "the client sent connection_init twice",
        "let the client send connection_init once a connection",
    ),
    graphql_row(
        4504,
        "Connection acknowledgement timeout",
        "the server sent no connection_ack in time",
        "find out what onConnect of the server waits for, or raise connectionAckWaitTimeout of the client",
    ),
];

/// Reasons with which libraries send 3000, what they mean there, and what to do: seen of sockjs-node 0.3.24 and of Ruby's
/// em-websocket 0.5.1.
const OF_LIBRARIES: [(&str, &str, &str); 3] = [
    (
        "Broken framing.",
        "SockJS got a message that is no JSON array of strings",
        "speak through a SockJS client, or let a plain WebSocket client use the path that ends in /websocket without a session",
    ),
    (
        "Go away!",
        "a program closed its SockJS session",
        "find out in the application that uses SockJS why it closed the session",
    ),
    (
        "Application error",
        "em-websocket closes so where a handler failed with an exception",
        "read the log of the server at this second: an exception in its handler",
    ),
];

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene};
    use crate::rules::{Blame, Confidence, Severity};

    #[test]
    fn a_private_code_is_information() {
        let finding = Scene::session("", "")
            .close(Server, 4000, "private")
            .close(Client, 4000, "private")
            .finds(RULE.name);
        assert_eq!((finding.severity, finding.blame), (Severity::Info, Blame::Server));
    }

    #[test]
    fn protocol_codes_are_silent() {
        Scene::session("", "").close(Server, 1000, "").silent(RULE.name);
    }

    #[test]
    fn codes_of_graphql_are_told_where_it_is_spoken() {
        let finding =
            Scene::session("", "").close(Server, 4406, "Subprotocol not acceptable").finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Likely));
        assert!(finding.help.contains("graphql-transport-ws"), "{}", finding.help);
        let spoken = |protocol: &str| {
            let line = format!("Sec-WebSocket-Protocol: {protocol}\r\n");
            let scene =
                Scene::tcp().request(&format!("{REQUEST}{line}")).answer(&format!("{ANSWER}{line}"), "");
            scene.close(Server, 4403, "go away").finds(RULE.name)
        };
        assert!(spoken("graphql-transport-ws").help.contains("onConnect"));
        assert_eq!(spoken("graphql-transport-ws").blame, Blame::Server);
        assert!(spoken("chat").help.starts_with("look up 4403"));
    }

    #[test]
    fn a_relay_may_have_lifted_what_must_not_be_sent() {
        let help =
            |from, code, reason| Scene::session("", "").close(from, code, reason).finds(RULE.name).help;
        assert!(help(Server, 4006, "").contains("if a relay stands there"));
        for other in [help(Server, 4006, "kicked"), help(Client, 4006, ""), help(Server, 4007, "")] {
            assert!(!other.contains("relay"), "{other}");
        }
    }

    #[test]
    fn three_thousand_of_a_library_is_not_about_access() {
        let scene = Scene::session("", "").messages(Client, 1).close(Server, 3000, "Broken framing.");
        let finding = scene.finds(RULE.name);
        assert!(finding.message.contains("not about access"), "{}", finding.message);
        assert!(finding.help.contains("SockJS client"), "{}", finding.help);
        let finding = Scene::session("", "").close(Server, 3000, "Application error").finds(RULE.name);
        assert!(finding.message.contains("em-websocket"), "{}", finding.message);
        let finding = Scene::session("", "").close(Server, 3000, "no token").finds(RULE.name);
        assert!(finding.message.ends_with("listed as Unauthorized"), "{}", finding.message);
    }
}
