use crate::connection::Connection;
use crate::gateway::{Match, Proof, identify};
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, quote, trust};

rule! {
    /// # What it finds
    /// A gateway answered the upgrade itself, with 502, 503, 504, one of Cloudflare's 520 to 530, or a page by which its
    /// product is known.
    ///
    /// # Why it matters
    /// The gateway spoke, but the fault lies behind it: it took the client's handshake and got no usable answer from
    /// its upstream. Before the 101 this is an HTTP status; the same fault after the 101 can only show as a Close, with
    /// 1014 where the gateway speaks WebSocket, or as a cut connection. Browsers hide the status from the page and
    /// report 1006.
    ///
    /// # What causes it
    /// 502: the upstream refused or reset the connection, or answered something that is no valid response, often
    /// because one of the two speaks TLS and the other does not. 503: no upstream is healthy. 504: the upstream
    /// accepted the connection and did not answer in time, or packets to it were lost.
    ///
    /// # How to fix
    /// Check that the upstream listens on the configured address, port and scheme, and that its health check passes.
    /// Read the gateway's error log at that second: nginx `error.log`, HAProxy termination state, Envoy
    /// `%RESPONSE_FLAGS%`, target health of a cloud load balancer. A capture between gateway and upstream settles it.
    ///
    /// # What it does not report
    /// 401, 403, 407 and 426, which are rules of their own. A server without any gateway may answer 502 or 503 by
    /// itself: without a sign of a product this finding is at most likely, and a plain 503 only possible.
    pub static RULE = "WS-GW-001" "gateway-error-before-upgrade" {
        severity: Error, category: Gateway, reference: "RFC 9110 §15.6.3 to §15.6.5; RFC 6455 §4.2.2",
        explains: ["response-not-http", "response-not-101", "response-200-upgrade-ignored", "response-forbidden", "scheme-port-mismatch"], asked_on: [Answer], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let (Some(request), Some(response)) = (&connection.request, &connection.response) else { return };
    if !super::spoke(response) {
        return;
    }
    let status = response.head.status;
    let signs = identify(&response.head, &response.body);
    let made = signs.iter().find(|sign| sign.signature.proof == Proof::OwnAnswer);
    let passed = signs.iter().find(|sign| sign.signature.proof == Proof::Passed);
    let names = signs.iter().find(|sign| sign.signature.proof == Proof::Named);
    let elapsed = trust::elapsed(connection, request.seen, response.seen);
    let who = Who::of(status, made, passed, names);

    let mut finding =
        Finding::new(&RULE, response.seen, format!("gateway answered the upgrade with {status}"))
            .confidence(who.confidence)
            .origin(who.origin)
            .blame(who.blame)
            .message(format!(
                "{} answered {}{}: {}{}",
                who.name,
                quote::status(response),
                quote::after(elapsed),
                meaning(status),
                who.doubt
            ))
            .shows(request.seen, quote::request_line(request))
            .shows(response.seen, quote::status(response))
            .help(help(status));
    for sign in signs.iter().take(3) {
        let text = match sign.signature.proof {
            Proof::OwnAnswer => {
                format!("{} makes such answers itself: {}", sign.signature.product, quote::short(&sign.found))
            }
            Proof::Passed => {
                format!("came through {}: {}", sign.signature.product, quote::short(&sign.found))
            }
            Proof::Named => quote::short(&sign.found),
        };
        finding = finding.shows(response.seen, text);
    }
    found.push(finding.shows_all(response.seen, quote::fields(&response.head.head, &["Retry-After"])));
}

/// Who answered, and how sure that is.
struct Who {
    name: String,
    origin: Origin,
    blame: Blame,
    confidence: Confidence,
    doubt: &'static str,
}

impl Who {
    fn of(status: u16, made: Option<&Match>, passed: Option<&Match>, names: Option<&Match>) -> Who {
        let product = |sign: &Match| format!("the gateway ({})", sign.signature.product);
        let gateway = |name, doubt| Who {
            name,
            origin: Origin::Gateway,
            blame: if matches!(status, 200..=299 | 502..) { Blame::Upstream } else { Blame::Gateway },
            confidence: Confidence::Likely,
            doubt,
        };
        match (status, made, passed.or(names)) {
            (_, Some(sign), _) => gateway(product(sign), ""),
            (502 | 504 | 520.., None, Some(sign)) => {
                gateway(product(sign), "; an application behind it could answer so, too")
            }
            (502 | 504 | 520.., None, None) => gateway(
                String::from("a gateway"),
                "; it shows no sign of a product, and an application could answer so, too",
            ),
            (_, None, Some(sign)) => {
                gateway(product(sign), "; an application behind it could answer so, too")
            }
            _ => Who {
                name: String::from("the server's side"),
                origin: Origin::Server,
                blame: Blame::Server,
                confidence: Confidence::Possible,
                doubt: "; nothing in the answer shows whether a gateway or the application made it",
            },
        }
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        200..=299 => "its upstream sent no valid HTTP answer, and the gateway took the bytes for a page",
        502 => "its upstream refused, reset, or sent no valid HTTP answer",
        503 => "no upstream was ready to take the connection",
        504 => "its upstream did not answer in time",
        520 => "its upstream sent an empty or unknown answer",
        521 => "its upstream refused the connection",
        522 => "its upstream did not complete the TCP connection in time",
        523 => "its upstream could not be reached",
        524 => "its upstream accepted the connection and did not answer in time",
        525 => "the TLS handshake with its upstream failed",
        526 => "the certificate of its upstream is not valid",
        527 => "its connection to the upstream broke",
        530 => "its upstream could not be found or used, as the 1xxx code in the page says",
        _ => "the request did not reach an application",
    }
}

fn help(status: u16) -> &'static str {
    match status {
        200..=299 => {
            "find out what listens at the address and port that the gateway uses: its answer is no HTTP"
        }
        502 | 520 | 521 | 523 => {
            "check that the upstream listens on the port and scheme (ws or wss) that the gateway uses, and read the gateway's error log at this second"
        }
        503 => {
            "check the health of the upstream as the gateway sees it: health checks, number of servers, connection limits"
        }
        504 | 522 | 524 => {
            "find out why the upstream did not answer: a firewall between, a blocked program, or no upgrade handler; then compare the gateway's timeouts"
        }
        525 | 526 => "check TLS between gateway and upstream: names, certificate chain, versions",
        530 => "read the 1xxx code in the body of the answer and check the origin's name in the gateway",
        _ => "read the page's text and the gateway's log: the gateway has no route for this request",
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence, Origin};

    #[test]
    fn a_502_of_nginx_is_spoken_by_the_gateway_and_blamed_on_the_upstream() {
        let finding = Scene::answered(
            "HTTP/1.1 502 Bad Gateway\r\nServer: nginx/1.22.1\r\n",
            "<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.22.1</center>",
        )
        .finds(RULE.name);
        assert_eq!(
            (finding.origin, finding.blame, finding.confidence),
            (Some(Origin::Gateway), Blame::Upstream, Confidence::Likely)
        );
        assert!(
            finding.message.starts_with("the gateway (nginx) answered 502 Bad Gateway after 10 ms"),
            "{}",
            finding.message
        );
    }

    #[test]
    fn without_a_clock_no_duration_is_claimed() {
        let finding = Scene::answered("HTTP/1.1 502 Bad Gateway\r\n", "")
            .with(|c| c.last.at = c.first.at)
            .finds(RULE.name);
        assert!(finding.message.starts_with("a gateway answered 502 Bad Gateway: "), "{}", finding.message);
    }

    #[test]
    fn a_502_without_signs_names_the_counter_reason() {
        let finding =
            Scene::answered("HTTP/1.1 502 Bad Gateway\r\nServer: Python/3.11 aiohttp/3.14\r\n", "upstream")
                .finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Upstream, Confidence::Likely));
        assert!(finding.message.contains("an application could answer so, too"));
    }

    #[test]
    fn a_plain_503_may_be_the_application() {
        let finding = Scene::answered("HTTP/1.1 503 Service Unavailable\r\n", "busy").finds(RULE.name);
        assert_eq!(
            (finding.origin, finding.blame, finding.confidence),
            (Some(Origin::Server), Blame::Server, Confidence::Possible)
        );
        let haproxy = "<h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n";
        let finding = Scene::answered("HTTP/1.1 503 Service Unavailable\r\n", haproxy).finds(RULE.name);
        assert_eq!((finding.origin, finding.blame), (Some(Origin::Gateway), Blame::Upstream));
    }

    #[test]
    fn an_offline_tunnel_is_the_gateways_page() {
        let finding = Scene::answered("HTTP/1.1 404 Not Found\r\nngrok-error-code: ERR_NGROK_3200\r\n", "")
            .finds(RULE.name);
        assert_eq!((finding.origin, finding.blame), (Some(Origin::Gateway), Blame::Gateway));
        Scene::answered("HTTP/1.1 404 Not Found\r\nngrok-error-code: ERR_NGROK_3200\r\n", "")
            .silent("response-not-101");
    }

    #[test]
    fn cloudflares_own_statuses_are_its_own() {
        let finding =
            Scene::answered("HTTP/1.1 521 \r\nServer: cloudflare\r\nCF-RAY: 8\r\n", "").finds(RULE.name);
        assert!(finding.message.contains("Cloudflare") && finding.message.contains("refused the connection"));
    }

    #[test]
    fn other_refusals_and_sessions_are_silent() {
        Scene::answered("HTTP/1.1 404 Not Found\r\nServer: nginx\r\n", "").silent(RULE.name);
        Scene::answered("HTTP/1.1 403 Forbidden\r\nServer: envoy\r\n", "").silent(RULE.name);
        Scene::session("", "").silent(RULE.name);
    }
}
