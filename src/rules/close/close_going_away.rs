use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, quote};

rule! {
    /// # What it finds
    /// A server that closed with 1001 Going Away.
    ///
    /// # Why it matters
    /// It is an orderly end, but not the application's: the server stops, or nobody spoke for too long.
    ///
    /// # What causes it
    /// A shutdown or deployment, an idle limit of the server (the reason then says so), or Caddy, which closes both
    /// legs with an empty 1001 when its configuration is reloaded.
    ///
    /// # How to fix
    /// Reconnect after a random delay. If it comes from idleness, send a heartbeat or raise the limit: Jetty
    /// `setIdleTimeout`, Tomcat `setMaxIdleTimeout`. Caddy: `stream_close_delay`.
    ///
    /// # What it does not report
    /// A 1001 from a client: browsers send it when the user leaves the page.
    pub static RULE = "WS-CL-012" "close-going-away" {
        severity: Info, category: Close, reference: "RFC 6455 §7.4.1",
        explains: [], asked_on: [Close], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for close in super::own(connection).filter(|close| close.from == Role::Server && close.code == Some(1001))
    {
        let idle = close.reason.to_ascii_lowercase().contains("idle");
        let quiet = super::quiet_before(connection, close.seen).filter(|quiet| *quiet >= 1.0);
        let silence =
            quiet.map_or(String::new(), |quiet| format!(" after {} of silence", quote::seconds(quiet)));
        found.push(
            super::said(&RULE, connection, close, "server going away")
                .message(format!(
                    "the server sent {}{silence}{}",
                    quote::close(close),
                    if idle { "; its idle limit was reached" } else { "" }
                ))
                .help(if idle {
                    "send a heartbeat well within the server's idle limit, or raise that limit"
                } else {
                    "reconnect after a random delay, and look for a shutdown or reload on the server's side at this moment"
                }),
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
    fn a_server_that_leaves_is_information() {
        let finding = Scene::session("", "")
            .after(30.0)
            .close(Server, 1001, "Connection Idle Timeout")
            .close(Client, 1001, "")
            .finds(RULE.name);
        assert_eq!(finding.severity, Severity::Info);
        assert!(finding.message.contains("30.0 s of silence; its idle limit"));
    }

    #[test]
    fn a_browser_that_leaves_is_silent() {
        Scene::session("", "").close(Client, 1001, "").close(Server, 1001, "").silent(RULE.name);
    }
}
