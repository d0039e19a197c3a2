use crate::connection::{Connection, Request, Response};
use crate::gateway::identify;
use crate::legs::may_be_subrequest;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Context, Finding, Origin, Severity, pair, quote, trust};

rule! {
    /// # What it finds
    /// A correct upgrade request reached a gateway, and what the gateway sent on is none: `Upgrade` or
    /// `Connection: Upgrade` is missing, it speaks HTTP/1.0, or the key or version of WebSocket is not the client's but
    /// missing or another. Both legs were captured.
    ///
    /// # Why it matters
    /// Both fields are for one hop only, so every proxy drops them unless it was told to write them anew. This is the hop
    /// that lost them; whatever the upstream answered to a plain GET is a consequence.
    ///
    /// # What causes it
    /// A proxy configured for plain HTTP. nginx without the two `proxy_set_header` lines drops both fields, and
    /// before 1.29.7 sends HTTP/1.0 with `Connection: close`. A setting that writes `Sec-WebSocket-Key` or
    /// `Sec-WebSocket-Version` anew.
    ///
    /// # How to fix
    /// nginx: `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection
    /// $connection_upgrade;` with a `map`. Apache httpd: `upgrade=websocket` on ProxyPass. Envoy: `upgrade_configs`
    /// with `upgrade_type: websocket`. Varnish: `return(pipe)` and both fields in `vcl_pipe`. Squid:
    /// `http_upgrade_request_protocols websocket allow all`.
    ///
    /// # What it does not report
    /// Gateways that go on with HTTP/2, which has other means, and requests that lacked the fields before the gateway. A request
    /// for another path that was not answered may be a question to another service; then it is only possible. Where the upstream
    /// accepted all the same, it is a warning.
    pub static RULE = "WS-GW-009" "upgrade-not-forwarded" {
        severity: Error, category: Gateway, reference: "RFC 9110 §7.6.1, §7.8; RFC 6455 §4.2.1",
        explains: ["request-upgrade-missing", "request-connection-upgrade-missing", "request-line-invalid",
            "response-not-101", "response-200-upgrade-ignored", "response-426-upgrade-lost", "response-forbidden",
            "response-redirect", "handshake-unanswered", "handshake-answer-altered", "request-key-invalid", "request-version-unsupported"], asked_on: [Legs], check: Check::InContext(check),
    }
}

fn check(_: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(legs) = context.legs else { return };
    let (Some(asked), Some(forwarded)) = (&legs.client.request, &legs.upstream.request) else { return };
    let lost = lost(asked, forwarded);
    if !crate::rules::handshake::asks(asked) || !trust::is_http1(forwarded) || lost.is_empty() {
        return;
    }
    let unsure = may_be_subrequest(legs.client, legs.upstream);
    let accepted = trust::switched(legs.upstream);
    let title = if accepted {
        "gateway forwarded an upgrade that is not whole"
    } else {
        "gateway did not forward the upgrade"
    };
    let mut finding = pair::about(&RULE, &legs, forwarded.seen, title)
        .at_most(if accepted { Severity::Warning } else { Severity::Error })
        .confidence(if unsure { Confidence::Possible } else { Confidence::Certain })
        .origin(Origin::Gateway)
        .blame(Blame::Gateway)
        .message(format!(
            "the client asked for WebSocket, and the request that the gateway sent to its upstream has {}{}",
            quote::list(&lost),
            match (accepted, unsure) {
                (true, _) => "; this upstream accepted it all the same, which a stricter one would not",
                (_, true) => "; it is for another path and without an answer, so it may be a question to another service, as auth_request of nginx asks it",
                _ => "",
            }
        ));
    for (request, leg) in [(asked, "client leg"), (forwarded, "upstream leg")] {
        let head = &request.head.head;
        let fields = ["Upgrade", "Connection", "Sec-WebSocket-Version"];
        let fields = fields.map(|name| quote::field_or_none(head, name)).join(", ");
        finding = finding.shows(request.seen, format!("{leg}: {}, {fields}", quote::request_line(request)));
    }
    for (leg, name) in [(legs.upstream, "upstream leg"), (legs.client, "client leg")] {
        if let Some(answer) = &leg.response {
            finding = finding.shows(answer.seen, format!("{name}: answered {}", quote::status(answer)));
        }
    }
    found.push(if hop(forwarded).is_empty() {
        finding.help(
            "let the gateway forward Sec-WebSocket-Key and Sec-WebSocket-Version as the client sent them",
        )
    } else {
        finding.help(format!(
            "let the gateway speak HTTP/1.1 to its upstream and forward Upgrade and Connection, in {}",
            setting(legs.client.response.as_ref())
        ))
    });
}

/// By what the product that the answer names forwards upgrades; nginx where it names none, for most are that.
fn setting(response: Option<&Response>) -> &'static str {
    let signs = response.map_or(Vec::new(), |response| identify(&response.head, &response.body));
    let known =
        signs.iter().find_map(|sign| SETTINGS.iter().find(|(product, _)| *product == sign.signature.product));
    known.map_or(SETTINGS[0].1, |(_, setting)| setting)
}

/// Products and their setting.
static SETTINGS: [(&str, &str); 6] = [
    ("nginx", "nginx with proxy_http_version and two proxy_set_header lines"),
    ("Apache httpd", "Apache httpd with upgrade=websocket at the ProxyPass"),
    ("H2O", "H2O with proxy.websocket: ON"),
    ("lighttpd", "lighttpd with proxy.header = (\"upgrade\" => \"enable\")"),
    ("Envoy", "Envoy with upgrade_type: websocket under upgrade_configs"),
    ("Varnish", "Varnish by a return (pipe) for it, and by setting both fields again in vcl_pipe"),
];

/// What makes a request no upgrade, though what was asked for is one.
fn lost(asked: &Request, forwarded: &Request) -> Vec<&'static str> {
    let mut lost = hop(forwarded);
    if !forwarded.head.head.names_websocket() {
        return lost;
    }
    // Who turns HTTP/2 into HTTP/1.1 has a key to make, and the version it was told.
    if asked.key.is_some() && forwarded.key.is_none() {
        lost.push("no Sec-WebSocket-Key");
    }
    let is_13 = |request: &Request| request.version.as_deref().is_some_and(|version| version.trim() == "13");
    if is_13(asked) && !is_13(forwarded) {
        lost.push(if forwarded.version.is_some() {
            "another Sec-WebSocket-Version"
        } else {
            "no Sec-WebSocket-Version"
        });
    }
    lost
}

/// What of it is for one hop only.
fn hop(request: &Request) -> Vec<&'static str> {
    let head = &request.head.head;
    let checks = [
        (head.names_websocket(), "no Upgrade: websocket"),
        (head.names_upgrade(), "no Connection: Upgrade"),
        (request.head.version.is_none_or(|version| version >= (1, 1)), "version 1.0 of HTTP"),
    ];
    checks.into_iter().filter(|(there, _)| !there).map(|(_, what)| what).collect()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{ANSWER, CONNECT, REQUEST, Scene, both, flat};
    use crate::rules::{Blame, Severity};

    #[test]
    fn the_setting_is_the_one_of_the_product_that_answered() {
        let told = |fields: &str| {
            let plain = REQUEST.replace("Upgrade: websocket\r\n", "");
            let answer = format!("HTTP/1.1 426 Upgrade Required\r\n{fields}");
            both(
                Scene::tcp().request(REQUEST).answer(&answer, ""),
                Scene::tcp().request(&plain).answer(&answer, ""),
            )
            .finds(RULE.name)
            .help
        };
        assert!(told("").ends_with("two proxy_set_header lines"));
        assert!(told("Server: h2o/2.2.5\r\n").ends_with("proxy.websocket: ON"));
    }

    #[test]
    fn the_hop_that_lost_the_upgrade_is_named_once_for_both_legs() {
        let plain = REQUEST
            .replace("HTTP/1.1", "HTTP/1.0")
            .replace("Upgrade: websocket\r\n", "")
            .replace("keep-alive, Upgrade", "close");
        let answer = |scene: Scene| scene.answer("HTTP/1.1 426 Upgrade Required\r\n", "");
        let (findings, rest) =
            both(answer(Scene::tcp().request(REQUEST)), answer(Scene::tcp().request(&plain))).findings();
        assert_eq!((findings[0].rule.name, findings[0].blame), (RULE.name, Blame::Gateway));
        assert_eq!((findings.len(), rest.len()), (1, 0), "{rest:#?}");
        assert!(flat(&findings).iter().any(|below| below.rule.name == "request-upgrade-missing"));
        assert!(
            findings[0].message.contains("no Upgrade: websocket, no Connection: Upgrade and version 1.0")
        );
    }

    #[test]
    fn an_upstream_that_accepts_all_the_same_is_a_warning() {
        let old = REQUEST.replace("HTTP/1.1", "HTTP/1.0");
        let answer = |scene: Scene| scene.answer(ANSWER, "");
        let finding = both(Scene::session("", ""), answer(Scene::tcp().request(&old))).finds(RULE.name);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.message.contains("accepted it all the same"), "{}", finding.message);
    }

    #[test]
    fn a_version_or_key_that_the_gateway_wrote_is_no_fault_of_the_client() {
        let refused = "HTTP/1.1 400 Bad Request\r\n";
        for (from, to, what) in [
            ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 12", "another Sec-WebSocket-Version"),
            ("Sec-WebSocket-Version: 13\r\n", "", "no Sec-WebSocket-Version"),
            ("Sec-WebSocket-Key: qZk2Jb8XH0y4sV7uN1tCRw==\r\n", "", "no Sec-WebSocket-Key"),
        ] {
            let changed = REQUEST.replace(from, to);
            let (findings, rest) = both(
                Scene::tcp().request(REQUEST).answer(refused, ""),
                Scene::tcp().request(&changed).answer(refused, ""),
            )
            .findings();
            assert_eq!((findings[0].rule.name, findings[0].blame), (RULE.name, Blame::Gateway));
            assert!(findings[0].message.contains(what), "{}", findings[0].message);
            assert!(findings[0].help.contains("Sec-WebSocket-Version"), "{}", findings[0].help);
            assert_eq!((findings.len(), rest.len()), (1, 0), "{findings:#?} {rest:#?}");
        }
    }

    #[test]
    fn a_forwarded_upgrade_and_one_that_was_lost_before_are_silent() {
        both(Scene::session("", ""), Scene::session("", "")).silent(RULE.name);
        let lost = REQUEST.replace("Upgrade: websocket\r\n", "");
        both(Scene::tcp().request(&lost), Scene::tcp().request(&lost)).silent(RULE.name);
        both(Scene::session("", ""), Scene::http2().request(CONNECT)).silent(RULE.name);
    }
}
