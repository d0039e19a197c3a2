use crate::connection::{Anomaly, Close, Connection};
use crate::gateway::{Party, Verdict, ending};
use crate::legs::Legs;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Context, Finding, Origin, pair, quote, trust};

rule! {
    /// # What it finds
    /// A Close that one leg carries and that nobody sent on the other: the gateway made it. So it is with a Close 1000 or 1001
    /// to the client of an upstream that broke away without one.
    ///
    /// # Why it matters
    /// The code that the program sees was never sent by the program at the other end. Looking for it there is wasted.
    ///
    /// # What causes it
    /// Gateways that speak WebSocket themselves close when their upstream fails (1014, 1011), is idle (1001), or when
    /// they stop. Caddy sends 1001 without a reason to both sides when it stops or its configuration is reloaded; 2.6
    /// forgets the mask on the upstream's leg, so that the upstream answers with 1002. lighttpd sends 1011 and 1001. Proxies in Go
    /// on gorilla/websocket, such as oxy, send 1000 with the text of their own error as the reason.
    ///
    /// # How to fix
    /// Read the gateway's log at that second. For Caddy, avoid reloads or set `stream_close_delay`. For a relay, look at
    /// why its other leg ended.
    ///
    /// # What it does not report
    /// A Close that came through, also with another code, and legs of which bytes are missing before it. A Close with which
    /// the gateway answers a fault in the frames it was sent: the fault is told.
    pub static RULE = "WS-GW-007" "gateway-injected-close" {
        severity: Warning, category: Gateway, reference: "RFC 6455 §5.5.1, §7.1.5",
        explains: ["close-going-away", "close-internal-error", "close-restart-or-overload", "close-application-code",
            "client-frame-unmasked", "close-reply-differs"], asked_on: [Legs], check: Check::InContext(check),
    }
}

fn check(_: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(legs) = context.legs else { return };
    let Some(verdict) = ending(&legs) else { return };
    if let Some(close) = glossed_over(&legs, &verdict) {
        found.push(pair::because(&verdict, told_as_normal(&legs, &verdict, close)));
        return;
    }
    let Some(close) = super::injected(&legs).filter(|close| !answers_fault(&legs, close)) else { return };
    let (leg, other) = match close.from {
        Role::Server => ("client leg", "upstream"),
        Role::Client => ("upstream leg", "client"),
    };
    let both = legs.client.first_close(Role::Server).is_some()
        && legs.upstream.first_close(Role::Client).is_some()
        && close.from == Role::Server;
    let hint = match (close.code, both) {
        (Some(1001), true) => {
            ", and a Close to the upstream as well, which is how Caddy unloads its configuration"
        }
        (Some(1001 | 1011), false) => ", as lighttpd and many relays do",
        (Some(1014), _) => ", by which a relay says that its upstream failed",
        _ => "",
    };
    found.push(pair::because(
        &verdict,
        pair::about(&RULE, &legs, close.seen, "gateway sent a Close of its own")
            .confidence(verdict.confidence)
            .origin(Origin::Gateway)
            .blame(pair::blame(verdict.blame))
            .message(format!(
                "{} on the {leg} was not sent by the {other}: the gateway made it{hint}",
                quote::close(close)
            ))
            .help(match verdict.blame {
                Party::Upstream => "find out why the gateway's upstream failed before it",
                _ => "read the gateway's log at this second: a reload, a timer, or a limit",
            }),
    ));
}

/// A Close as after a session in good order, by which a gateway tells its client that the upstream broke away.
fn glossed_over<'a>(legs: &Legs<'a>, verdict: &Verdict) -> Option<&'a Close> {
    let close = legs.client.closes.first().filter(|close| close.from == Role::Server)?;
    let normal = matches!(close.code, None | Some(1000 | 1001));
    let broke = verdict.origin == Party::Upstream && legs.upstream.closes.is_empty();
    let sure =
        verdict.confidence >= Confidence::Likely && trust::doubt(legs.upstream, Role::Server).is_none();
    (normal && broke && sure).then_some(close)
}

fn told_as_normal(legs: &Legs<'_>, verdict: &Verdict, close: &Close) -> Finding {
    pair::about(&RULE, legs, close.seen, "gateway told a broken upstream as a normal end")
        .confidence(verdict.confidence)
        .origin(Origin::Gateway)
        .blame(Blame::Upstream)
        .message(format!(
            "the upstream ended TCP with {} and no Close, and the gateway told the client {}, a code for sessions that end in good order",
            quote::ending(legs.upstream),
            quote::close(close)
        ))
        .help("find out why the upstream broke away, and let the gateway say so to its client, with 1011 or 1014")
}

/// Whether it is with good reason that the gateway, an end of this leg, accuses the other end of its frames.
fn answers_fault(legs: &Legs<'_>, close: &Close) -> bool {
    let leg = match close.from {
        Role::Server => legs.client,
        Role::Client => legs.upstream,
    };
    let fault = |anomaly: &Anomaly| anomaly.from != close.from && anomaly.seen.packet <= close.seen.packet;
    matches!(close.code, Some(1002 | 1003 | 1007)) && leg.anomalies.iter().any(fault)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::Outcome;
    use crate::role::Role::{Client, Server};
    use crate::rules::Blame;
    use crate::rules::testing::{Scene, both};
    use crate::websocket::Violation;

    fn leg() -> Scene {
        Scene::session("", "").messages(Client, 1)
    }

    #[test]
    fn a_reload_of_caddy_is_the_gateways() {
        let (findings, rest) =
            both(leg().close(Server, 1001, ""), leg().after(0.001).close(Client, 1001, "")).findings();
        assert_eq!((findings[0].rule.name, findings[0].blame), (RULE.name, Blame::Gateway));
        assert!(findings[0].message.contains("Caddy"), "{}", findings[0].message);
        assert_eq!(findings.len() + rest.len(), 1, "{rest:#?}");
    }

    #[test]
    fn an_upstream_that_broke_away_is_to_blame_for_the_1014() {
        let client = leg().after(1.0).close(Server, 1014, "upstream lost").close(Client, 1014, "");
        let (findings, _) = both(client, leg().reset(Server)).findings();
        assert_eq!(findings[0].rule.name, "close-1014-bad-gateway");
        assert_eq!(findings[0].blame, Blame::Upstream);
    }

    #[test]
    fn a_normal_end_in_place_of_a_broken_upstream_is_told() {
        let client = |code| leg().after(0.01).close(Server, code, "read tcp: connection reset by peer");
        for code in [1000, 1001] {
            let finding = both(client(code), leg().reset(Server)).finds(RULE.name);
            assert_eq!(finding.blame, Blame::Upstream);
            assert!(finding.message.contains("ended TCP with RST and no Close"), "{}", finding.message);
        }
        // 1011 says that something failed.
        both(client(1011), leg().reset(Server)).silent(RULE.name);
        both(client(1000), leg().close(Server, 1000, "").fin(Server)).silent(RULE.name);
        both(client(1000), leg().gap(Server).reset(Server)).silent(RULE.name);
    }

    #[test]
    fn a_close_that_came_through_is_silent() {
        let closed = |scene: Scene| scene.close(Server, 1001, "").close(Client, 1001, "");
        both(closed(leg().after(0.01)), closed(leg())).silent(RULE.name);
        both(leg().close(Client, 1000, ""), leg().after(0.01).close(Client, 1000, "")).silent(RULE.name);
        both(leg().close(Server, 1001, ""), leg().gap(Server)).silent(RULE.name);
        let unread =
            leg().gap(Server).fin(Server).with(|leg| (leg.outcome, leg.frames) = (Outcome::Unseen, None));
        both(unread, leg().after(0.01).close(Client, 1000, "")).silent(RULE.name);
    }

    #[test]
    fn a_gateway_that_speaks_websocket_may_accuse_its_client() {
        let client =
            |from| leg().anomaly(from, Violation::ReservedOpcode(3), b"\x83").close(Server, 1002, "");
        let upstream = || leg().after(0.1).close(Client, 1002, "");
        both(client(Client), upstream()).silent(RULE.name);
        assert_eq!(both(client(Server), upstream()).finds(RULE.name).blame, Blame::Gateway);
    }
}
