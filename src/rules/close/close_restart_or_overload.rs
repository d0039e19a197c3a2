use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, quote};

rule! {
    /// # What it finds
    /// A server that closed with 1012 Service Restart or 1013 Try Again Later.
    ///
    /// # Why it matters
    /// 1012 announces a restart, 1013 overload. Clients that come back at once make both worse. Some libraries do not
    /// know these codes and answer 1002.
    ///
    /// # What causes it
    /// A deployment (uvicorn sends 1012 when it stops), or a limit of connections.
    ///
    /// # How to fix
    /// Let clients wait for a random time of 5 to 30 seconds. Stop servers one after the other.
    ///
    /// # What it does not report
    /// The same codes from a client, which are a rule of their own.
    pub static RULE = "WS-CL-014" "close-restart-or-overload" {
        severity: Warning, category: Close, reference: "IANA WebSocket Close Code Number Registry",
        explains: [], asked_on: [Close], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for close in super::own(connection).filter(|close| close.from == Role::Server) {
        let title = match close.code {
            Some(1012) => "server restarting",
            Some(1013) => "server overloaded",
            _ => continue,
        };
        found.push(
            super::said(&RULE, connection, close, title)
                .message(format!("the server sent {}", quote::close(close)))
                .help("let clients reconnect after a random delay of 5 to 30 seconds, and stop servers one after the other"),
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
    fn a_restart_warns() {
        let finding = Scene::session("", "")
            .close(Server, 1012, "service restart")
            .close(Client, 1012, "")
            .finds(RULE.name);
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(
            Scene::session("", "").close(Server, 1013, "").finds(RULE.name).title,
            "server overloaded"
        );
    }

    #[test]
    fn other_closes_are_silent() {
        Scene::session("", "").close(Client, 1012, "").close(Server, 1012, "").silent(RULE.name);
        Scene::session("", "").close(Server, 1000, "").silent(RULE.name);
    }
}
