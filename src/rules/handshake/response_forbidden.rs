use crate::connection::{Connection, Request, Response};
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Context, Finding, Severity, engine_io, quote, trust};

rule! {
    /// # What it finds
    /// 401, 403 or 407 in answer to an upgrade.
    ///
    /// # Why it matters
    /// Four refusals share these statuses: missing credentials, an origin that is not allowed, a firewall or bot check,
    /// and a gateway that does not permit upgrades at all.
    ///
    /// # What causes it
    /// 401, 407: no or wrong credentials; browsers cannot set `Authorization` for a WebSocket. 403 with an `Origin` that
    /// does not match `Host`: the origin policy, often because a proxy changed `Host`. 403 with `Server: envoy` and an
    /// empty body: Envoy without `upgrade_configs`. 403 with the gateway's own page: a rule of the gateway. 403 of
    /// uvicorn, Hypercorn and Daphne: no route for this path, or the application closed before it accepted.
    ///
    /// # How to fix
    /// Forward the original host, nginx `proxy_set_header Host $host;`, or extend the list of allowed origins: Django
    /// `ALLOWED_HOSTS`, Rails `allowed_request_origins` (Rails refuses with 404), Phoenix `check_origin`, gorilla
    /// `CheckOrigin`, Python's websockets `origins`. Browsers cannot send `Authorization` here: use a cookie or a
    /// ticket. Envoy, Istio: `upgrade_configs` with `upgrade_type: websocket`.
    ///
    /// # What it does not report
    /// Values of `Cookie` and `Authorization`: only whether they were there. A 401 or 407 after which the same client got
    /// through to the same path within 10 s is only information: that is how credentials are asked for.
    pub static RULE = "WS-HS-013" "response-forbidden" {
        severity: Error, category: Handshake, reference: "RFC 6455 §4.2.2, §10.2",
        explains: [], asked_on: [Answer], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some((request, response)) = super::refusal(connection) else { return };
    let status = response.head.status;
    if !matches!(status, 401 | 403 | 407) {
        return;
    }
    let asked = &request.head.head;
    let is_challenge = matches!(status, 401 | 407) && context.census.got_through(connection, PATIENCE);
    let (blame, why, help) = if is_challenge {
        (
            Blame::Nobody,
            "the client tried again and got through, so credentials were asked for and sent",
            "nothing to mend; a client that sends its credentials at once saves a round trip",
        )
    } else {
        reason(connection, request, response)
    };
    let known = trust::knows_request(connection);
    let mut finding = super::refused(&RULE, request, response, format!("upgrade refused with {status}"))
        .at_most(if is_challenge { Severity::Info } else { Severity::Error })
        .confidence(Confidence::Likely)
        .blame(blame)
        .message(format!("the upgrade was refused with {}: {why}", quote::status(response)))
        .shows_all(request.seen, quote::fields(asked, &["Host", "Origin"]))
        .help(help);
    for name in ["Cookie", "Authorization"].into_iter().filter(|name| known || asked.field(*name).is_some()) {
        let there = if asked.field(name).is_some() { "with" } else { "without" };
        finding = finding.shows(request.seen, format!("{there} {name}"));
    }
    found.push(finding);
}

/// Who has to mend it, what the refusal shows of its reason, and what to do.
fn reason(
    connection: &Connection,
    request: &Request,
    response: &Response,
) -> (Blame, &'static str, &'static str) {
    let (asked, answered, status) = (&request.head.head, &response.head.head, response.head.status);
    let origin = asked.text("Origin");
    let host = asked.text("Host");
    let foreign = match (&origin, &host) {
        (Some(origin), Some(host)) => {
            let name = origin.split("://").nth(1);
            name.is_some_and(|name| !without_usual_port(name).eq_ignore_ascii_case(without_usual_port(host)))
        }
        _ => false,
    };
    let server = answered.text("Server").unwrap_or_default().to_ascii_lowercase();
    // Envoy puts its name on every answer; to those of its upstreams it adds how long they took.
    let upstreams = answered.field("x-envoy-upstream-service-time").is_some();
    let envoy = status == 403 && server.contains("envoy") && response.body.is_empty() && !upstreams;
    let own_page = super::gateway_page(response);
    let challenge = answered.field("cf-mitigated").is_some();
    let credentials = !trust::knows_request(connection)
        || ["Cookie", "Authorization"].iter().any(|name| asked.field(*name).is_some());
    if envoy {
        (
            Blame::Gateway,
            "an empty 403 from Envoy is how it refuses upgrades that are not enabled",
            "enable websocket in upgrade_configs of Envoy or Istio",
        )
    } else if challenge {
        (
            Blame::Gateway,
            "a bot check answered, which no WebSocket client can solve",
            "except this path from the bot check",
        )
    } else if status == 407 {
        (Blame::Client, "a forward proxy wants credentials", "give the client credentials for the proxy")
    } else if status == 401 && !credentials {
        (
            Blame::Client,
            "the request carries neither Cookie nor Authorization",
            "send credentials with the upgrade: browsers by cookie or ticket, other clients by Authorization",
        )
    } else if status == 403 && own_page {
        (
            Blame::Gateway,
            "the gateway made this page itself, so its own rules refused and no application was asked",
            "look for what refuses in the gateway's configuration: allow, deny, return 403 and auth_request in nginx, http-request deny in HAProxy",
        )
    } else if status == 403 && foreign {
        (
            Blame::Server,
            "the origin differs from the host, so the origin policy is the first suspect",
            "allow this origin on the server, and let proxies forward the original Host",
        )
    } else if status == 403 && engine_io::version(connection).is_some_and(|version| version != "4") {
        (
            Blame::Client,
            "the client asks for EIO=3, the protocol of Socket.IO 2, which newer servers refuse unless told otherwise",
            "use a client of Socket.IO 3 or later, or let the server take the old ones",
        )
    } else {
        (
            Blame::Server,
            "the answer does not say why",
            if status == 403 {
                "read the server's log for the refused request: origin, credentials or access rights; with uvicorn, Hypercorn, Daphne and Granian also a path without a WebSocket route, or an application that closed (Granian: or failed) before it accepted"
            } else {
                "read the server's log for the refused request: origin, credentials or access rights"
            },
        )
    }
}

/// Nanoseconds within which a client that was asked for credentials comes back with them.
const PATIENCE: i64 = 10_000_000_000;

/// A host without the port that its scheme has anyway.
fn without_usual_port(host: &str) -> &str {
    host.strip_suffix(":443").or_else(|| host.strip_suffix(":80")).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{ANSWER, REQUEST, Scene, both, judged_together, named};
    use crate::rules::{Blame, Confidence, Finding, Severity};

    fn refused(request: &str, answer: &str) -> Finding {
        Scene::tcp().request(&format!("{REQUEST}{request}")).answer(answer, "").finds(RULE.name)
    }

    #[test]
    fn an_upstream_that_refuses_what_the_gateway_wrote_is_told_with_both_requests() {
        let refused = "HTTP/1.1 403 Forbidden\r\n";
        let asked = format!("{REQUEST}Origin: https://example.org\r\n");
        let leg = |request: &str| Scene::tcp().request(request).answer(refused, "");
        let renamed = asked.replace("Host: example.org", "Host: backend:8080");
        let finding = both(leg(&asked), leg(&renamed)).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Gateway, Confidence::Likely));
        assert!(finding.message.ends_with("Host was written by the gateway"), "{}", finding.message);
        assert!(finding.evidence.iter().any(|line| line.text == "upstream leg: Host: backend:8080"));
        // Without an origin there is nothing to hold the host against.
        let renamed = REQUEST.replace("Host: example.org", "Host: backend:8080");
        assert_eq!(both(leg(REQUEST), leg(&renamed)).finds(RULE.name).blame, Blame::Upstream);
        assert_eq!(both(leg(&asked), leg(&asked)).finds(RULE.name).blame, Blame::Upstream);
    }

    #[test]
    fn an_empty_403_of_envoy_is_the_gateways() {
        assert_eq!(refused("", "HTTP/1.1 403 Forbidden\r\nserver: envoy\r\n").blame, Blame::Gateway);
        let passed = "HTTP/1.1 403 Forbidden\r\nserver: envoy\r\nx-envoy-upstream-service-time: 1\r\n";
        assert_eq!(refused("", passed).blame, Blame::Server);
    }

    #[test]
    fn a_403_that_says_nothing_is_not_called_a_policy() {
        let finding = refused("", "HTTP/1.1 403 Forbidden\r\n");
        assert!(finding.message.ends_with("the answer does not say why"), "{}", finding.message);
        assert!(finding.help.contains("a path without a WebSocket route"), "{}", finding.help);
    }

    #[test]
    fn an_old_client_of_socket_io_is_told_so() {
        let told = |version: u8| {
            let request = REQUEST.replace("/chat?token=s3cret", &format!("/socket.io/?EIO={version}"));
            Scene::tcp().request(&request).answer("HTTP/1.1 403 Forbidden\r\n", "").finds(RULE.name)
        };
        assert_eq!((told(3).blame, told(4).blame), (Blame::Client, Blame::Server));
        assert!(told(3).help.contains("Socket.IO 3"));
    }

    #[test]
    fn a_foreign_origin_is_the_first_suspect() {
        let finding = refused("Origin: https://evil.example\r\n", "HTTP/1.1 403 Forbidden\r\n");
        assert!(finding.blame == Blame::Server && finding.message.contains("origin policy"));
        let own = refused("Origin: https://example.org:443\r\n", "HTTP/1.1 403 Forbidden\r\n");
        assert!(!own.message.contains("origin policy"), "{}", own.message);
    }

    #[test]
    fn a_page_that_the_gateway_made_is_a_rule_of_the_gateway() {
        let page =
            "<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>";
        let finding = Scene::answered("HTTP/1.1 403 Forbidden\r\n", page).finds(RULE.name);
        assert_eq!(finding.blame, Blame::Gateway);
        assert!(finding.help.contains("http-request deny"), "{}", finding.help);
    }

    #[test]
    fn a_challenge_that_was_met_is_information_and_one_that_was_not_stays_an_error() {
        let refused =
            || Scene::answered("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest\r\n", "").build();
        let told = |later: f64, path: &str| {
            let request = REQUEST.replace("/chat", path);
            let next = Scene::tcp_at(later).request(&request).answer(ANSWER, "").build();
            let judged = judged_together(&[refused(), next], &[]);
            let finding = named(&judged[0], RULE.name).unwrap();
            (finding.severity, finding.blame)
        };
        assert_eq!(told(1.0, "/chat"), (Severity::Info, Blame::Nobody));
        assert_eq!(told(60.0, "/chat"), (Severity::Error, Blame::Client));
        assert_eq!(told(1.0, "/news"), (Severity::Error, Blame::Client));
    }

    #[test]
    fn credentials_are_told_but_never_shown() {
        let finding =
            refused("Cookie: sid=s3cret\r\n", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n");
        let texts: Vec<_> = finding.evidence.iter().map(|evidence| evidence.text.as_str()).collect();
        assert!(texts.contains(&"with Cookie") && texts.contains(&"without Authorization"));
        assert!(texts.iter().all(|text| !text.contains("s3cret")));
        assert_eq!(refused("", "HTTP/1.1 401 Unauthorized\r\n").blame, Blame::Client);
        let half_known = Scene::answered("HTTP/1.1 401 Unauthorized\r\n", "")
            .with(|connection| connection.quality.unknown_fields.client = 1)
            .finds(RULE.name);
        assert_eq!(half_known.blame, Blame::Server);
        assert!(half_known.evidence.iter().all(|evidence| !evidence.text.starts_with("without")));
    }

    #[test]
    fn other_refusals_are_silent() {
        Scene::answered("HTTP/1.1 404 Not Found\r\n", "").silent(RULE.name);
    }
}
