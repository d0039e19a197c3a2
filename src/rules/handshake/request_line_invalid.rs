use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, Severity, quote, trust};

rule! {
    /// # What it finds
    /// A request that wants WebSocket but is no GET, is HTTP/1.0, or has no `Host`.
    ///
    /// # Why it matters
    /// The handshake is a GET over HTTP/1.1 or later. HTTP/1.0 has no upgrade at all, so a server must take the request
    /// for an ordinary one.
    ///
    /// # What causes it
    /// HTTP/1.0 is nearly always a proxy that issued the request anew: nginx did so until 1.29.7 unless it was told
    /// `proxy_http_version 1.1`. Another method comes from a probe or a client that is none.
    ///
    /// # How to fix
    /// nginx before 1.29.7: `proxy_http_version 1.1;` together with `proxy_set_header Upgrade $http_upgrade;` and the
    /// `Connection` field. Apache httpd: remove `SetEnv force-proxy-request-1.0`. Clients: a WebSocket library in place
    /// of a hand-made request.
    ///
    /// # What it does not report
    /// Extended CONNECT over HTTP/2 and HTTP/3, which is another handshake. The health check of a load balancer, known by
    /// its `User-Agent`, is only information: nobody waits for a WebSocket there.
    pub static RULE = "WS-HS-001" "request-line-invalid" {
        severity: Error, category: Handshake, reference: "RFC 6455 §4.1, §4.2.1",
        explains: ["response-not-101", "response-200-upgrade-ignored", "response-426-upgrade-lost", "response-forbidden",
            "response-101-malformed", "handshake-unanswered", "request-upgrade-missing", "request-connection-upgrade-missing"], asked_on: [Request], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(request) = connection.request.as_ref().filter(|request| trust::is_http1(request)) else {
        return;
    };
    let mut faults = Vec::new();
    if request.head.method != "GET" {
        faults.push(format!("its method is {}, expected GET", quote::short(&request.head.method)));
    }
    let old = request.head.version.is_some_and(|version| version < (1, 1));
    match request.head.version {
        Some((major, minor)) if old => {
            faults.push(format!("its version is HTTP/{major}.{minor}, expected HTTP/1.1"));
        }
        None => faults.push(String::from("it has no HTTP version, expected HTTP/1.1")),
        Some(_) => {}
    }
    if request.head.head.field("Host").is_none() {
        faults.push(String::from("it has no Host"));
    }
    if faults.is_empty() {
        return;
    }
    let forwarded = super::forwarded(request);
    let by_gateway = old || !forwarded.is_empty();
    let probe = super::is_probe(request);
    found.push(
        Finding::new(&RULE, request.seen, "request that cannot be upgraded")
            .at_most(if probe { Severity::Info } else { Severity::Error })
            .confidence(if by_gateway { Confidence::Likely } else { Confidence::Certain })
            .origin(if by_gateway { Origin::Gateway } else { Origin::Client })
            .blame(if by_gateway { Blame::Gateway } else { Blame::Client })
            .message(format!(
                "the request has the fields of a WebSocket handshake, but {}{}",
                quote::list(&faults),
                if probe {
                    "; it is the health check of a load balancer"
                } else if by_gateway {
                    "; a proxy that issued it anew is the usual reason"
                } else {
                    ""
                }
            ))
            .shows(request.seen, quote::request_line(request))
            .shows_all(request.seen, forwarded)
            .shows_all(request.seen, quote::fields(&request.head.head, &["Connection", "User-Agent"]))
            .help(if old {
                "let the proxy speak HTTP/1.1 upstream, in nginx with proxy_http_version 1.1"
            } else {
                "send the upgrade as GET with a Host over HTTP/1.1, as every WebSocket library does"
            }),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{REQUEST, Scene};
    use crate::rules::{Blame, Confidence, Severity};

    #[test]
    fn http_1_0_betrays_a_proxy() {
        let request = REQUEST.replace("HTTP/1.1", "HTTP/1.0").replace("keep-alive, Upgrade", "close");
        let finding = Scene::tcp()
            .request(&request)
            .answer("HTTP/1.1 505 HTTP Version Not Supported\r\n", "")
            .finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Gateway, Confidence::Likely));
        assert!(finding.message.contains("HTTP/1.0, expected HTTP/1.1"));
    }

    #[test]
    fn another_method_is_the_clients() {
        let finding = Scene::tcp().request(&REQUEST.replace("GET", "POST")).finds(RULE.name);
        assert_eq!(finding.blame, Blame::Client);
        assert!(finding.help.contains("GET"), "{}", finding.help);
    }

    #[test]
    fn a_health_check_that_imitates_the_fields_is_information() {
        let request =
            format!("{}User-Agent: ELB-HealthChecker/2.0\r\n", REQUEST.replace("HTTP/1.1", "HTTP/1.0"));
        let finding = Scene::tcp().request(&request).finds(RULE.name);
        assert_eq!(finding.severity, Severity::Info);
        assert!(finding.message.contains("health check"));
    }

    #[test]
    fn a_correct_line_and_extended_connect_are_silent() {
        Scene::tcp().request(REQUEST).silent(RULE.name);
        Scene::tcp().request("CONNECT /chat HTTP/2.0\r\n").silent(RULE.name);
    }
}
