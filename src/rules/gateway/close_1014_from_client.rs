use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, close, quote};

rule! {
    /// # What it finds
    /// A client that closed by itself with 1014 Bad Gateway.
    ///
    /// # Why it matters
    /// 1014 is the word of a gateway about its upstream. A server has no upstream on the client's side, learns nothing
    /// from it, and many libraries refuse it with 1002.
    ///
    /// # What causes it
    /// A relay, which is a client towards its upstream, that passes on what happened on its other side.
    ///
    /// # How to fix
    /// Let the client close with 1000, 1001 or a code from 3000 to 4999; in a relay, map the code for each side.
    ///
    /// # What it does not report
    /// The echo of a 1014 that the server's side sent first. Where part of that side is missing from the capture, it is
    /// only possible.
    pub static RULE = "WS-GW-017" "close-1014-from-client" {
        severity: Warning, category: Gateway, reference: "IANA WebSocket Close Code Number Registry",
        explains: ["close-1014-rejected-by-peer"], asked_on: [Close], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for close in close::own(connection).filter(|close| close.from == Role::Client && close.code == Some(1014))
    {
        found.push(
            close::said(&RULE, connection, close, "1014 sent by the client")
                .message(format!(
                    "the client sent {}, which only a gateway on the server's side can mean",
                    quote::close(close)
                ))
                .help("let the client close with 1000, 1001 or a code from 3000 to 4999; in a relay, map the code for each side"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence};

    #[test]
    fn a_client_without_a_gateway_is_told() {
        let scene = || Scene::session("", "").close(Client, 1014, "").close(Server, 1014, "");
        assert_eq!(scene().finds(RULE.name).blame, Blame::Client);
        scene().silent("close-1014-bad-gateway");
        scene().silent("close-code-wrong-side");
    }

    #[test]
    fn an_echo_is_silent_and_a_gap_leaves_it_open() {
        Scene::session("", "").close(Server, 1014, "").close(Client, 1014, "").silent(RULE.name);
        let finding = Scene::session("", "").gap(Server).close(Client, 1014, "").finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Possible);
    }
}
