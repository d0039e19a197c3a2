use crate::capture::Seen;
use crate::connection::{Connection, Outcome};
use crate::legs::Legs;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Context, Finding, Origin, Severity, pair, quote, trust};

rule! {
    /// # What it finds
    /// A gateway whose answer to the client contradicts its upstream's: 101 on one leg and not on the other, or a status
    /// of another class; or that kept the upstream's 101 to itself and answered nothing.
    ///
    /// # Why it matters
    /// Where the upstream agreed, the gateway refused a session that could have been. Where the gateway agreed alone, the
    /// client holds a WebSocket with nothing behind it, which then breaks or is closed with 1014 or 1011.
    ///
    /// # What causes it
    /// A gateway that checks headers, whose length among them, or waits too short; one that answers before it asks its upstream; one that turns
    /// every refusal into a status of its own. One that forwards the request and was never told to forward upgrades, such as
    /// http-proxy on Node without `ws: true`.
    ///
    /// # How to fix
    /// Connect to the upstream first and pass its answer on. Raise the gateway's time limit for the upgrade, and look for
    /// a rule in it that refuses this answer. Where the upstream's 101 has no valid `Sec-WebSocket-Accept`, or neither
    /// `Upgrade` nor `Connection` as it must, the gateway is right to refuse it, and the upstream is to be mended.
    ///
    /// # What it does not report
    /// A 502 or 504 for an upstream that gave no answer, which is how it should be, and HTTP/2, where 200 is success.
    pub static RULE = "WS-GW-015" "handshake-answer-altered" {
        severity: Error, category: Gateway, reference: "RFC 6455 §4.2.2; RFC 9110 §15.6.3",
        explains: ["handshake-unanswered", "client-aborts-after-101", "closed-without-close-frame", "gateway-accepted-before-upstream", "gateway-error-before-upgrade",
            "response-not-101", "response-200-upgrade-ignored", "response-accept-invalid", "response-upgrade-headers-invalid", "handshake-slow"], asked_on: [Legs], check: Check::InContext(check),
    }
}

fn check(_: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(legs) = context.legs else { return };
    let Some(one) = &legs.client.response else {
        found.extend(kept_back(&legs));
        return;
    };
    let status = one.head.status;
    let (shown, other) =
        match (&legs.upstream.response, legs.upstream.garbled.as_deref(), legs.upstream.outcome) {
            (Some(other), _, _) => (other.seen, other.head.status),
            (None, Some(garbled), Outcome::Garbled) if status == 101 => (garbled.seen, 0),
            _ => return,
        };
    // Each leg in the words of its own protocol: 101, or 2xx to an extended CONNECT.
    let (what, severity, blame, help) = match (trust::switched(legs.client), trust::switched(legs.upstream)) {
        (true, true) => return,
        (false, true) if lacks_fields(legs.upstream) => (
            "the gateway refused the client, because the upstream's 101 lacks its upgrade fields",
            Severity::Error,
            Blame::Upstream,
            "let the upstream send Upgrade: websocket and Connection: Upgrade with its 101: the gateway is right to refuse it",
        ),
        (false, true) if proves_nothing(legs.upstream) => (
            "the gateway refused the client, because the upstream's 101 does not answer its request",
            Severity::Error,
            Blame::Upstream,
            "let the upstream compute Sec-WebSocket-Accept from the key of the request: the gateway is right to refuse its 101",
        ),
        (false, true) if gave_up_before(legs.upstream, shown) => (
            "the upstream agreed too late, after the gateway had given up and told the client so",
            Severity::Error,
            Blame::Upstream,
            "find out what the upstream waits for before it answers an upgrade, or give the gateway more time: ProxyTimeout in Apache httpd, proxy_read_timeout in nginx, timeout server in HAProxy",
        ),
        (false, true) => (
            "the upstream agreed, and the gateway refused the client",
            Severity::Error,
            Blame::Gateway,
            "look in the gateway for what refuses the upstream's 101: a check of its fields, a limit for the length of its head (proxy_buffer_size in nginx, tune.bufsize in HAProxy), or a time limit",
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

/// Whether the gateway had ended the connection before the upstream's answer came.
fn gave_up_before(upstream: &Connection, answered: Seen) -> bool {
    let left = upstream.ending.by.filter(|(by, _)| *by == Role::Client);
    left.is_some_and(|(_, seen)| (seen.at, seen.packet) < (answered.at, answered.packet))
}

/// Whether an upstream's 101 lacks the proof that it understood the upgrade, which a gateway may demand as a client does.
fn proves_nothing(upstream: &Connection) -> bool {
    let asked = upstream.request.as_ref().filter(|request| trust::is_http1(request) && request.key.is_some());
    let proven = upstream.response.as_ref().is_some_and(|answer| answer.accept_valid == Some(true));
    asked.is_some() && !proven && trust::knows_fields(upstream)
}

/// Whether an upstream's 101 does not say that it upgrades, which a gateway may demand as a client does.
fn lacks_fields(upstream: &Connection) -> bool {
    let http1 = upstream.request.as_ref().is_some_and(trust::is_http1);
    let lacks = upstream.response.as_ref().is_some_and(|answer| {
        let head = &answer.head.head;
        !head.names_websocket() || !head.names_upgrade()
    });
    http1 && lacks && trust::knows_fields(upstream)
}

/// The upstream's 101 never reached the client, although it was still there.
fn kept_back(legs: &Legs<'_>) -> Option<Finding> {
    let agreed = legs.upstream.response.as_ref().filter(|_| trust::switched(legs.upstream))?;
    let whole = trust::doubt(legs.client, Role::Server).is_none();
    if legs.client.outcome != Outcome::Unanswered || !whole {
        return None;
    }
    let (by, end) = legs.client.ending.by?;
    let waited = end.at.nanos_since(legs.upstream_time(agreed.seen)) - legs.pair.clock.uncertainty;
    if by == Role::Client && waited < PATIENCE {
        return None;
    }
    let after = quote::after(trust::elapsed(legs.client, legs.client.request.as_ref()?.seen, end));
    let how = quote::ending(legs.client);
    let then = match by {
        Role::Client => format!("the client gave up with {how}{after}"),
        Role::Server => format!("the gateway ended the client's connection with {how}{after}"),
    };
    Some(
        pair::about(&RULE, legs, agreed.seen, "gateway did not pass on the upstream's 101")
            .origin(Origin::Gateway)
            .blame(Blame::Gateway)
            .message(format!(
                "the upstream {} accepted the upgrade, and the gateway sent the client no answer; {then}",
                legs.upstream.tcp.server
            ))
            .shows(agreed.seen, format!("upstream leg: {}", quote::status(agreed)))
            .shows(end, format!("client leg: {how} from the {}, no answer before it", if by == Role::Client { "client" } else { "gateway" }))
            .help("let the gateway handle upgrades: http-proxy and http-proxy-middleware on Node need ws: true and the server's upgrade event, other gateways a rule for WebSocket"),
    )
}

/// Nanoseconds that a client must have waited since the upstream's answer.
const PATIENCE: i64 = 500_000_000;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, CONNECT, REQUEST, Scene, both};
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
    fn a_101_that_the_gateway_kept_to_itself_is_the_gateways() {
        let asked = || Scene::tcp().request(REQUEST);
        let upstream = || Scene::session("", "").fin(Client);
        for client in [asked().after(5.0).fin(Client), asked().fin(Server)] {
            let (findings, rest) = both(client, upstream()).findings();
            assert_eq!((findings[0].rule.name, findings[0].blame), (RULE.name, Blame::Gateway));
            let below: Vec<_> = findings[0].consequences.iter().map(|below| below.rule.name).collect();
            assert!(below.contains(&"handshake-unanswered"), "{below:?}");
            let rest: Vec<_> = rest.iter().map(|finding| finding.rule.name).collect();
            assert_eq!(rest, [""; 0]);
        }
        // Who left at once may have missed it.
        both(asked().after(0.1).fin(Client), upstream()).silent(RULE.name);
        both(asked().gap(Server).after(5.0).fin(Client), upstream()).silent(RULE.name);
    }

    #[test]
    fn a_refused_101_is_the_gateways() {
        let finding = both(refused("502 Bad Gateway"), Scene::session("", "")).finds(RULE.name);
        assert_eq!((finding.blame, finding.severity), (Blame::Gateway, Severity::Error));
        let unproven = || {
            Scene::session("", "")
                .with(|c| c.response.iter_mut().for_each(|answer| answer.accept_valid = None))
        };
        let (findings, rest) = both(refused("502 Bad Gateway"), unproven()).findings();
        assert_eq!((findings[0].rule.name, findings[0].blame), (RULE.name, Blame::Upstream));
        assert!(findings[0].message.contains("does not answer its request"), "{}", findings[0].message);
        assert_eq!(rest.len(), 0, "{rest:#?}");
        let bare = ANSWER.replace("Upgrade: websocket\r\n", "");
        let upstream = Scene::tcp().request(REQUEST).answer(&bare, "").invalid();
        let (findings, rest) = both(refused("502 Bad Gateway"), upstream.fin(Client)).findings();
        assert_eq!((findings[0].rule.name, findings[0].blame), (RULE.name, Blame::Upstream));
        assert!(findings[0].message.contains("lacks its upgrade fields"), "{}", findings[0].message);
        assert_eq!(rest.len(), 0, "{rest:#?}");
        let finding = both(refused("502 Bad Gateway"), refused("403 Forbidden")).finds(RULE.name);
        assert_eq!((finding.blame, finding.severity), (Blame::Upstream, Severity::Warning));
    }

    #[test]
    fn a_101_after_the_gateway_gave_up_is_the_upstreams() {
        let late = || Scene::tcp().request(REQUEST).after(2.0).fin(Client).after(2.0).answer(ANSWER, "");
        let client = || Scene::tcp().request(REQUEST).after(2.0).answer("HTTP/1.1 502 Bad Gateway\r\n", "");
        let (findings, rest) = both(client(), late()).findings();
        assert_eq!((findings[0].rule.name, findings[0].blame), (RULE.name, Blame::Upstream));
        assert!(findings[0].message.contains("too late"), "{}", findings[0].message);
        let rest: Vec<_> = rest.iter().filter(|finding| finding.severity > Severity::Info).collect();
        assert_eq!(rest.len(), 0, "{rest:#?}");
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
