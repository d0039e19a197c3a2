use crate::connection::{Connection, Outcome};
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Context, Finding, Origin, Severity, pair, quote, trust};

rule! {
    /// # What it finds
    /// A gateway whose answer to the client contradicts its upstream's: 101 on one leg and not on the other, or a status
    /// of another class.
    ///
    /// # Why it matters
    /// Where the upstream agreed, the gateway refused a session that could have been. Where the gateway agreed alone, the
    /// client holds a WebSocket with nothing behind it, which then breaks or is closed with 1014 or 1011.
    ///
    /// # What causes it
    /// A gateway that checks headers or waits too short; one that answers before it asks its upstream; one that turns
    /// every refusal into a status of its own.
    ///
    /// # How to fix
    /// Connect to the upstream first and pass its answer on. Raise the gateway's time limit for the upgrade, and look for
    /// a rule in it that refuses this answer.
    ///
    /// # What it does not report
    /// A 502 or 504 for an upstream that gave no answer, which is how it should be, and HTTP/2, where 200 is success.
    pub static RULE = "WS-GW-015" "handshake-answer-altered" {
        severity: Error, category: Gateway, reference: "RFC 6455 §4.2.2; RFC 9110 §15.6.3",
        explains: ["closed-without-close-frame", "gateway-accepted-before-upstream", "gateway-error-before-upgrade",
            "response-not-101", "response-200-upgrade-ignored"], asked_on: [Legs], check: Check::InContext(check),
    }
}

fn check(_: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(legs) = context.legs else { return };
    let Some(one) = &legs.client.response else { return };
    let status = one.head.status;
    let (shown, other) =
        match (&legs.upstream.response, legs.upstream.garbled.as_deref(), legs.upstream.outcome) {
            (Some(other), _, _) => (other.seen, other.head.status),
            (None, Some((seen, _)), Outcome::Garbled) if status == 101 => (*seen, 0),
            _ => return,
        };
    // Each leg in the words of its own protocol: 101, or 2xx to an extended CONNECT.
    let (what, severity, blame, help) = match (trust::switched(legs.client), trust::switched(legs.upstream)) {
        (true, true) => return,
        (false, true) => (
            "the upstream agreed, and the gateway refused the client",
            Severity::Error,
            Blame::Gateway,
            "look in the gateway for what refuses the upstream's 101: a check of its fields, or a time limit",
        ),
        (true, false) => (
            "the gateway accepted the client although its upstream did not accept the gateway",
            Severity::Error,
            Blame::Gateway,
            "let the gateway connect to its upstream first and answer the client after that",
        ),
        (false, false) if status / 100 == other / 100 => return,
        (false, false) => (
            "the gateway refused the client with another status than its upstream gave",
            Severity::Warning,
            Blame::Upstream,
            "read the upstream's own answer: it is the cause, and the client never sees it",
        ),
    };
    let upstream = match &legs.upstream.response {
        Some(other) => quote::status(other),
        None => String::from("bytes that are no HTTP"),
    };
    found.push(
        pair::about(&RULE, &legs, one.seen, "gateway and upstream answered the upgrade differently")
            .at_most(severity)
            .origin(Origin::Gateway)
            .blame(blame)
            .message(format!("{what}: upstream {upstream}, gateway {}", quote::status(one)))
            .shows(shown, format!("upstream leg: {upstream}"))
            .shows(one.seen, format!("client leg: {}", quote::status(one)))
            .help(help),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::Server;
    use crate::rules::testing::{CONNECT, Scene, both};
    use crate::rules::{Blame, Severity};

    fn refused(status: &str) -> Scene {
        Scene::answered(&format!("HTTP/1.1 {status}\r\n"), "")
    }

    #[test]
    fn a_gateway_that_accepts_alone_explains_the_broken_session() {
        let (findings, rest) = both(Scene::session("", "").fin(Server), refused("200 OK")).findings();
        assert_eq!((findings[0].rule.name, findings[0].blame), (RULE.name, Blame::Gateway));
        assert_eq!(findings[0].consequences[0].rule.name, "closed-without-close-frame");
        // That the upstream speaks no WebSocket is a fault of its own.
        assert_eq!((rest[0].rule.name, rest[0].blame), ("response-200-upgrade-ignored", Blame::Upstream));
    }

    #[test]
    fn a_refused_101_is_the_gateways() {
        let finding = both(refused("502 Bad Gateway"), Scene::session("", "")).finds(RULE.name);
        assert_eq!((finding.blame, finding.severity), (Blame::Gateway, Severity::Error));
        let finding = both(refused("502 Bad Gateway"), refused("403 Forbidden")).finds(RULE.name);
        assert_eq!((finding.blame, finding.severity), (Blame::Upstream, Severity::Warning));
    }

    #[test]
    fn what_was_passed_on_is_silent() {
        both(Scene::session("", ""), Scene::session("", "")).silent(RULE.name);
        both(refused("404 Not Found"), refused("403 Forbidden")).silent(RULE.name);
        let http2 = || Scene::http2().request(CONNECT).answer("HTTP/2.0 200 \r\n", "");
        both(http2(), Scene::session("", "")).silent(RULE.name);
        both(Scene::session("", ""), http2()).silent(RULE.name);
    }

    #[test]
    fn a_200_is_a_refusal_or_not_by_the_protocol_of_its_own_leg() {
        let http2 = || Scene::http2().request(CONNECT);
        let client = http2().answer("HTTP/2.0 200 \r\n", "");
        assert_eq!(both(client, refused("200 OK")).finds(RULE.name).blame, Blame::Gateway);
    }
}
