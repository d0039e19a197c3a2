use crate::connection::Connection;
use crate::gateway::{Match, Proof, identify};
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, answers, quote, trust};

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
    // Envoy adds it to what an upstream answered, and to nothing else.
    let upstreams = made.is_none() && response.head.head.field("x-envoy-upstream-service-time").is_some();
    let quick = matches!(status, 504 | 522 | 524) && elapsed.is_some_and(|seconds| seconds < TOO_SOON);
    let explanation = match made {
        _ if upstreams => answers::UPSTREAMS,
        _ if quick => answers::TOO_SOON,
        Some(sign) => answers::own(sign.signature.product, response).unwrap_or(answers::by_status(status)),
        None if status == 503 => answers::NOT_READY,
        // H2O and applications that call others know no 504.
        None if status == 502 && elapsed.is_some_and(|seconds| seconds >= WAITED) => answers::WAITED,
        None => answers::by_status(status),
    };
    let who = match explanation.blame {
        Some(_) if upstreams => Who::behind(),
        Some(_) if quick && made.is_none() => Who::somebody(""),
        Some(blame) => Who { blame, confidence: Confidence::Possible, ..who },
        None => who,
    };

    let mut finding = Finding::new(
        &RULE,
        response.seen,
        match who.origin {
            Origin::Gateway => format!("gateway answered the upgrade with {status}"),
            _ => format!("upgrade answered with {status}"),
        },
    )
    .confidence(who.confidence)
    .origin(who.origin)
    .blame(who.blame)
    .message(format!(
        "{} answered {}{}: {}{}",
        who.name,
        quote::status(response),
        quote::after(elapsed),
        explanation.meaning,
        who.doubt
    ))
    .shows(request.seen, quote::request_line(request))
    .shows(response.seen, quote::status(response))
    .help(explanation.help);
    // One sign that a product made it says enough.
    let further = signs.iter().filter(|sign| sign.signature.proof != Proof::OwnAnswer);
    for sign in made.into_iter().chain(further).take(3) {
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

/// Takes back that an application could have answered, where the upstream's leg shows that it did not.
pub(in crate::rules) fn made_here(finding: &mut Finding) {
    for doubt in [OF_A_PRODUCT, OF_NOBODY, OF_EITHER, UNSIGNED] {
        if let Some(at) = finding.message.find(doubt) {
            finding.message.truncate(at);
        }
    }
    if let Some(rest) = finding.message.strip_prefix("a gateway answered") {
        finding.message = format!("the gateway answered{rest}");
    }
}

/// Says that the answer is the upstream's own, where its leg shows the same.
pub(in crate::rules) fn passed_on(finding: &mut Finding, upstream: &Connection) {
    let (Some(request), Some(response)) = (&upstream.request, &upstream.response) else { return };
    finding.title = format!("upstream answered the upgrade with {}", response.head.status).into();
    finding.message = format!(
        "the upstream {} answered {}{}, and the gateway passed it on: the gateway did not make this answer",
        upstream.tcp.server,
        quote::status(response),
        quote::after(trust::elapsed(upstream, request.seen, response.seen))
    );
    finding.help = format!(
        "read the log of {} at this second: the answer is its own, or comes from something behind it",
        upstream.tcp.server
    )
    .into();
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
    /// A gateway or an application.
    fn somebody(doubt: &'static str) -> Who {
        Who {
            name: String::from("the server's side"),
            origin: Origin::Server,
            blame: Blame::Server,
            confidence: Confidence::Possible,
            doubt,
        }
    }

    /// What stands behind a gateway.
    fn behind() -> Who {
        Who {
            name: String::from("the upstream behind Envoy"),
            blame: Blame::Upstream,
            confidence: Confidence::Likely,
            ..Who::somebody("")
        }
    }

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
            (502 | 504 | 520.., None, Some(sign)) => gateway(product(sign), OF_A_PRODUCT),
            (502 | 504 | 520.., None, None) => gateway(String::from("a gateway"), OF_NOBODY),
            (_, None, Some(sign)) => {
                Who { confidence: Confidence::Possible, ..gateway(product(sign), OF_EITHER) }
            }
            _ => Who::somebody(UNSIGNED),
        }
    }
}

/// What one leg leaves open of who answered.
const OF_A_PRODUCT: &str = "; an application behind it could answer so, too";
const OF_NOBODY: &str = "; it shows no sign of a product, and an application could answer so, too";
const OF_EITHER: &str = "; nothing in the answer shows whether it or an application behind it says so";
const UNSIGNED: &str = "; nothing in the answer shows whether a gateway or the application made it";

/// Seconds after which a 502 may as well be a timeout.
const WAITED: f64 = 2.0;

/// Seconds in which no timeout that anyone sets passes.
const TOO_SOON: f64 = 0.1;

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
    fn a_timeout_that_cannot_have_passed_is_not_believed() {
        let after = |seconds: f64, body: &str| {
            let scene = Scene::tcp().request(crate::rules::testing::REQUEST).after(seconds);
            scene.answer("HTTP/1.1 504 Gateway Timeout\r\n", body).finds(RULE.name)
        };
        let finding = after(0.001, "database is out");
        assert_eq!(
            (finding.origin, finding.blame, finding.confidence),
            (Some(Origin::Server), Blame::Server, Confidence::Possible)
        );
        assert!(finding.message.contains("no timeout passes so soon"), "{}", finding.message);
        let page = "<center><h1>504 Gateway Time-out</h1></center>\r\n<hr><center>nginx</center>";
        let finding = after(0.001, page);
        assert_eq!((finding.blame, finding.confidence), (Blame::Gateway, Confidence::Possible));
        let finding = after(5.0, page);
        assert_eq!((finding.blame, finding.confidence), (Blame::Upstream, Confidence::Likely));
        assert!(finding.message.ends_with("its upstream did not answer in time"), "{}", finding.message);
    }

    #[test]
    fn a_503_that_nginx_made_is_a_limit_of_its_own() {
        let page =
            "<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n<hr><center>nginx</center>";
        let finding =
            Scene::answered("HTTP/1.1 503 Service Temporarily Unavailable\r\n", page).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Gateway, Confidence::Possible));
        assert!(finding.message.contains("limit_conn"), "{}", finding.message);
    }

    #[test]
    fn envoy_says_why_it_has_no_answer() {
        let told = |status: &str, fields: &str, body: &str| {
            let head = format!("HTTP/1.1 {status}\r\nserver: envoy\r\n{fields}");
            Scene::answered(&head, body).finds(RULE.name)
        };
        let reset = "upstream connect error or disconnect/reset before headers. reset reason: ";
        let said = |reason: &str| told("503 Service Unavailable", "", &format!("{reset}{reason}"));
        let full = said("overflow");
        assert_eq!(full.blame, Blame::Gateway);
        assert!(full.message.contains("circuit breaker"), "{}", full.message);
        let ended = said("connection termination");
        assert_eq!((ended.blame, ended.confidence), (Blame::Upstream, Confidence::Likely));
        assert!(ended.message.contains("ended it before it answered"), "{}", ended.message);
        for reason in ["remote connection failure", "connection timeout", "protocol error", "remote reset"] {
            let message = said(reason).message;
            assert!(!message.contains("no upstream was ready"), "{message}");
        }
        // What no page of Envoy explains may be of anybody.
        let direct = told("503 Service Unavailable", "", "go away");
        assert_eq!(direct.confidence, Confidence::Possible);
        assert!(direct.message.contains("nothing in the answer shows"), "{}", direct.message);
        let passed = told("503 Service Unavailable", "x-envoy-upstream-service-time: 3\r\n", "busy");
        assert_eq!((passed.origin, passed.blame), (Some(Origin::Server), Blame::Upstream));
        assert!(passed.message.starts_with("the upstream behind Envoy answered 503"), "{}", passed.message);
    }

    #[test]
    fn a_page_of_haproxy_is_no_proof_of_a_server_that_is_down() {
        let page = "<h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n";
        let finding = Scene::answered("HTTP/1.1 503 Service Unavailable\r\n", page).finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Possible);
        assert!(finding.message.contains("a rule denies with 503"), "{}", finding.message);
    }

    #[test]
    fn a_page_of_nginx_is_its_own_answer_whatever_the_status() {
        let page = "<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx/1.22.1</center>";
        let finding =
            Scene::answered("HTTP/1.1 404 Not Found\r\nServer: nginx/1.22.1\r\n", page).finds(RULE.name);
        assert_eq!((finding.origin, finding.blame), (Some(Origin::Gateway), Blame::Gateway));
        assert!(finding.message.contains("no location passes this path on"), "{}", finding.message);
    }

    #[test]
    fn what_the_upstream_answered_is_not_the_gateways_timeout() {
        let leg = || Scene::answered("HTTP/1.1 504 Gateway Timeout\r\nServer: nginx\r\n", "database is out");
        let finding = crate::rules::testing::both(leg(), leg()).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Upstream, Confidence::Certain));
        assert_eq!(finding.title, "upstream answered the upgrade with 504");
        assert!(!finding.message.contains("in time"), "{}", finding.message);
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
