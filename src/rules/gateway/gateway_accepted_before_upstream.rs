use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, quote, trust};

rule! {
    /// # What it finds
    /// A gateway that accepted the WebSocket and then closed it with 1014 before a single message had come through.
    ///
    /// # Why it matters
    /// The gateway said yes before it knew whether its upstream would. Clients see a connection that opens and fails,
    /// reset their retry delay at every success, and come back at once.
    ///
    /// # What causes it
    /// A relay that answers 101 first and connects upstream afterwards.
    ///
    /// # How to fix
    /// Connect upstream first, and answer the client with 502, 503 or 504 if that fails.
    ///
    /// # What it does not report
    /// Sessions in which messages had come from the server's side, and captures that lack part of that side.
    pub static RULE = "WS-GW-016" "gateway-accepted-before-upstream" {
        severity: Warning, category: Gateway, reference: "RFC 6455 §4.2.2",
        explains: [], asked_on: [Close], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let (Some(close), Some((_, response))) = (super::bad_gateway(connection), trust::handshake(connection))
    else {
        return;
    };
    let silent = connection.frames.as_ref().is_some_and(|frames| {
        let server = &frames[Role::Server];
        server.text + server.binary + server.continuation == 0
    });
    if !silent || super::about_access(close) || trust::doubt(connection, Role::Server).is_some() {
        return;
    }
    found.push(
        Finding::new(&RULE, response.seen, "gateway accepted before it had its upstream")
            .confidence(Confidence::Likely)
            .origin(Origin::Gateway)
            .blame(Blame::Gateway)
            .message(format!(
                "the gateway answered {} and gave up{} without having passed on a message, so it most probably had no upstream when it accepted",
                response.head.status,
                quote::later(trust::elapsed(connection, response.seen, close.seen))
            ))
            .shows(response.seen, quote::status(response))
            .shows(close.seen, format!("gateway sends {}", quote::close(close)))
            .help("let the gateway connect upstream before it answers the client, and answer 502 or 504 if that fails"),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::Blame;
    use crate::rules::testing::Scene;

    #[test]
    fn a_gateway_that_says_yes_too_early_is_told() {
        let scene = Scene::session("", "")
            .messages(Client, 1)
            .close(Server, 1014, "upstream timeout")
            .close(Client, 1014, "");
        assert_eq!(scene.finds(RULE.name).blame, Blame::Gateway);
    }

    #[test]
    fn a_session_that_worked_and_a_gap_are_silent() {
        Scene::session("", "").messages(Server, 1).close(Server, 1014, "").silent(RULE.name);
        Scene::session("", "").gap(Server).close(Server, 1014, "").silent(RULE.name);
        Scene::session("", "").close(Server, 1014, "invalid token").silent(RULE.name);
    }
}
