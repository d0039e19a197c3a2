use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, Severity, quote};

rule! {
    /// # What it finds
    /// A client that closes by itself with 1012 or 1013, which are words of a server, or with 1011.
    ///
    /// # Why it matters
    /// 1012 speaks of a server's restart and 1013 of its load. A server that gets one of them learns nothing, and
    /// statistics count it in the wrong place.
    ///
    /// # What causes it
    /// A relay, which is a client towards its upstream, that passes on what happened on its other side; or a number
    /// chosen at random.
    ///
    /// # How to fix
    /// Let clients close with 1000, 1001 or a code from 3000 to 4999.
    ///
    /// # What it does not report
    /// Echoes, and 1014, which is a rule of its own. 1011 is only information: an erratum to RFC 6455 allows it to both
    /// sides, and some client libraries use it when their pings stay unanswered.
    pub static RULE = "WS-CL-008" "close-code-wrong-side" {
        severity: Warning, category: Close, reference: "RFC 6455 §7.4.1; IANA WebSocket Close Code Number Registry",
        explains: [], asked_on: [Close], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for close in super::own(connection).filter(|close| close.from == Role::Client) {
        let Some(code @ 1011..=1013) = close.code else { continue };
        found.push(
            super::said(&RULE, connection, close, format!("server-side code {code} sent by a client"))
                .at_most(if code == 1011 { Severity::Info } else { Severity::Warning })
                .message(format!("the client sent {}, which speaks of a server", quote::close(close)))
                .help("let the client close with 1000, 1001 or a code from 3000 to 4999; in a relay, map the code for each side"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::Severity;
    use crate::rules::testing::Scene;

    #[test]
    fn a_client_that_restarts_the_service_is_told() {
        assert_eq!(
            Scene::session("", "").close(Client, 1012, "").finds(RULE.name).severity,
            Severity::Warning
        );
        let finding = Scene::session("", "").close(Client, 1011, "keepalive ping timeout").finds(RULE.name);
        assert_eq!(finding.severity, Severity::Info);
    }

    #[test]
    fn echoes_are_silent() {
        Scene::session("", "").close(Server, 1013, "").close(Client, 1013, "").silent(RULE.name);
    }
}
