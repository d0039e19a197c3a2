use crate::connection::{Close, Connection};
use crate::gateway::{TOGETHER, relay};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Context, Finding, Origin, quote};

rule! {
    /// # What it finds
    /// A server that closed with 1001 Going Away.
    ///
    /// # Why it matters
    /// It is an orderly end, but not the application's: the server stops, or nobody spoke for too long.
    ///
    /// # What causes it
    /// A shutdown or deployment, an idle limit of the server (the reason then says so), pings that the client did not
    /// answer (Deno says `No response from ping frame.`), or Caddy, which closes both legs with an empty 1001 when its
    /// configuration is reloaded.
    ///
    /// # How to fix
    /// Reconnect after a random delay. If it comes from idleness, send a heartbeat or raise the limit: Jetty
    /// `setIdleTimeout`, Tomcat `setMaxIdleTimeout`. Caddy: `stream_close_delay`.
    ///
    /// # What it does not report
    /// A 1001 from a client: browsers send it when the user leaves the page; and one that a server sends to a client that
    /// had closed or gone before. Where at least three sessions of the server got
    /// an empty 1001 within 200 ms and the answer came through Caddy, it is possible that Caddy sent it and not the server.
    pub static RULE = "WS-CL-012" "close-going-away" {
        severity: Info, category: Close, reference: "RFC 6455 §7.4.1",
        explains: [], asked_on: [Close], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let client_left = |close: &Close| {
        super::is_late(connection, close)
            || connection.closes.first().is_some_and(|first| first.from == Role::Client)
    };
    for close in super::own(connection)
        .filter(|close| close.from == Role::Server && close.code == Some(1001) && !client_left(close))
    {
        let idle = close.reason.to_ascii_lowercase().contains("idle");
        let quiet = super::quiet_before(connection, close.seen).filter(|quiet| *quiet >= 1.0);
        let silence =
            quiet.map_or(String::new(), |quiet| format!(" after {} of silence", quote::seconds(quiet)));
        let together = Some(close)
            .filter(|close| close.reason.is_empty())
            .and_then(|close| context.census.burst(connection.tcp.server, close.seen.at))
            .filter(|burst| burst.count >= TOGETHER && burst.until.nanos_since(burst.from) <= AT_ONCE);
        let answer = connection.response.as_ref().filter(|_| together.is_some());
        let sign = answer.and_then(|response| relay(&response.head, &response.body));
        let caddy = sign.filter(|sign| sign.signature.product == "Caddy");
        let others = together.map_or(String::new(), |burst| {
            format!(
                "; {} sessions of this server ended within {}, as when a configuration is reloaded",
                burst.count,
                quote::seconds(burst.until.seconds_since(burst.from))
            )
        });
        let in_vain = super::ping_timeout(close);
        let title = if in_vain { "pings unanswered by the client" } else { "server going away" };
        let mut finding = super::said(&RULE, connection, close, title);
        if in_vain {
            finding = finding.confidence(Confidence::Likely).blame(Role::Client);
        }
        if let (Some(sign), Some(response)) = (&caddy, &connection.response) {
            finding =
                finding.confidence(Confidence::Possible).origin(Origin::Gateway).blame(Blame::Gateway).shows(
                    response.seen,
                    format!("sign of Caddy, which closes so when it reloads: {}", quote::short(&sign.found)),
                );
        }
        found.push(
            finding
                .message(format!(
                    "the server sent {}{silence}{}{others}",
                    quote::close(close),
                    match () {
                        () if in_vain => "; its pings had no answer of the client",
                        () if idle => "; its idle limit was reached",
                        () => "",
                    }
                ))
                .help(if in_vain {
                    "find out what blocked the client or the path to it, so that it did not answer pings"
                } else if idle {
                    "send a heartbeat well within the server's idle limit, or raise that limit"
                } else {
                    "reconnect after a random delay, and look for a shutdown or reload on the server's side at this moment"
                }),
        );
    }
}

/// Nanoseconds within which a reload tells all its sessions.
const AT_ONCE: i64 = 200_000_000;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene, judged_together, named};
    use crate::rules::{Blame, Confidence, Severity};

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
    fn pings_in_vain_are_the_clients() {
        let scene = Scene::session("", "").after(2.5).close(Server, 1001, "No response from ping frame.");
        let finding = scene.fin(Server).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Likely));
        assert!(finding.message.ends_with("its pings had no answer of the client"), "{}", finding.message);
    }

    #[test]
    fn an_empty_1001_to_several_at_once_is_possibly_caddys() {
        let sessions = |fields: &str, apart: f64, count: u32| {
            let session = |i: u32| {
                let start = f64::from(i);
                let scene = Scene::tcp_at(start).request(REQUEST).answer(&format!("{ANSWER}{fields}"), "");
                let scene = scene.messages(Client, 1).after(50.0 - start + f64::from(i) * apart);
                scene.close(Server, 1001, "").close(Client, 1001, "").fin(Server).build()
            };
            let all: Vec<_> = (0..count).map(session).collect();
            named(&judged_together(&all, &[])[0], RULE.name).unwrap().clone()
        };
        let finding = sessions("Via: 1.1 Caddy\r\n", 0.02, 3);
        assert_eq!((finding.blame, finding.confidence), (Blame::Gateway, Confidence::Possible));
        assert!(finding.message.contains("3 sessions of this server ended within"), "{}", finding.message);
        assert_eq!(sessions("", 0.02, 3).blame, Blame::Server);
        assert_eq!(sessions("Via: 1.1 Caddy\r\n", 0.02, 2).blame, Blame::Server);
        assert_eq!(sessions("Via: 1.1 Caddy\r\n", 0.2, 3).blame, Blame::Server);
    }

    #[test]
    fn an_answer_that_was_captured_before_it_does_not_hide_it() {
        let closed = |first| Scene::session("", "").close(first, 1001, "").close(first.other(), 1001, "");
        let swapped = |c: &mut crate::connection::Connection| {
            let (one, other) = (c.closes[0].seen, c.closes[1].seen);
            (c.closes[0].seen, c.closes[1].seen) = (other, one);
        };
        closed(Server).with(swapped).finds(RULE.name);
        closed(Client).with(swapped).silent(RULE.name);
    }

    #[test]
    fn a_browser_that_leaves_is_silent() {
        Scene::session("", "").close(Client, 1001, "").close(Server, 1001, "").silent(RULE.name);
        Scene::session("", "").close(Client, 1000, "").close(Server, 1001, "").silent(RULE.name);
        Scene::session("", "").fin(Client).close(Server, 1001, "").silent(RULE.name);
    }
}
