use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, quote, trust};

rule! {
    /// # What it finds
    /// An upgrade request that announces a body, or a client that sends on before the answer has come.
    ///
    /// # Why it matters
    /// Strict servers refuse such a request. Early bytes may be read as a second HTTP request, which is how requests
    /// are smuggled past proxies.
    ///
    /// # What causes it
    /// `Content-Length: 0` is added by some proxies, Envoy among them. Early frames come from clients that do not wait.
    ///
    /// # How to fix
    /// Remove the field at the gateway, for this path alone, as a POST needs it: Envoy `request_headers_to_remove` of the
    /// route, HAProxy `http-request del-header Content-Length if { path /ws }`. Clients: no body with a GET, and nothing
    /// before the 101 (`onopen`).
    ///
    /// # What it does not report
    /// Extended CONNECT over HTTP/2, where data may follow at once, and captures that lack the server's SYN-ACK.
    pub static RULE = "WS-HS-008" "request-body-or-early-data" {
        severity: Warning, category: Handshake, reference: "RFC 6455 §4.1",
        explains: ["response-not-101"], asked_on: [Request], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(request) = connection.request.as_ref().filter(|request| trust::is_http1(request)) else {
        return;
    };
    let body = quote::fields(&request.head.head, &["Content-Length", "Transfer-Encoding"]);
    // A request with another method has a graver fault.
    if !body.is_empty() && request.head.method == "GET" {
        let zero = request.head.head.field("Content-Length") == Some(b"0".as_slice());
        let title = if zero {
            "upgrade request with Content-Length: 0"
        } else {
            "upgrade request that announces a body"
        };
        found.push(
            Finding::new(&RULE, request.seen, title)
                .confidence(if zero { Confidence::Possible } else { Confidence::Certain })
                .origin(Role::Client)
                .blame(if zero { Blame::Gateway } else { Blame::Client })
                .message(format!("the upgrade request has {}, which some servers refuse", quote::list(&body)))
                .shows_all(request.seen, body)
                .help("send upgrade requests without Content-Length and Transfer-Encoding, and remove them at the gateway"),
        );
    }
    // Without a SYN-ACK it is not known where the server's bytes begin, and so what the client acknowledges of them.
    if let Some(early) = request.early_data.filter(|_| connection.tcp.accepted.is_some()) {
        found.push(
            Finding::new(&RULE, early, "client sent before the answer came")
                .origin(Role::Client)
                .blame(Role::Client)
                .message("the client sent bytes after its request and before the answer, expected it to wait")
                .shows(request.seen, quote::request_line(request))
                .shows(early, "bytes of the client before the answer")
                .help("let the client wait for the 101 before it sends frames"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{REQUEST, Scene};
    use crate::rules::{Blame, Confidence};

    #[test]
    fn an_announced_body_and_early_bytes_are_told() {
        let finds = |line: &str| Scene::tcp().request(&format!("{REQUEST}{line}")).finds(RULE.name).blame;
        assert_eq!(finds("Content-Length: 0\r\n"), Blame::Gateway);
        assert_eq!(finds("Content-Length: 5\r\n"), Blame::Client);
        let early = Scene::tcp().request(REQUEST).with(|connection| {
            connection.request.as_mut().unwrap().early_data = Some(connection.last);
        });
        assert_eq!(early.finds(RULE.name).blame, Blame::Client);
    }

    #[test]
    fn a_client_that_waits_is_silent() {
        Scene::session("", "").messages(crate::role::Role::Client, 1).silent(RULE.name);
    }

    #[test]
    fn a_length_of_zero_announces_no_body() {
        let with = |method: &str| {
            let request = REQUEST.replacen("GET", method, 1);
            Scene::tcp().request(&format!("{request}Content-Length: 0\r\n"))
        };
        let finding = with("GET").finds(RULE.name);
        assert_eq!(finding.title, "upgrade request with Content-Length: 0");
        assert_eq!(finding.confidence, Confidence::Possible);
        with("POST").silent(RULE.name);
    }
}
