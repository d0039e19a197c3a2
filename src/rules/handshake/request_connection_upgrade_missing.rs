use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, quote, trust};

rule! {
    /// # What it finds
    /// A request with `Upgrade: websocket` whose `Connection` does not list `Upgrade`.
    ///
    /// # Why it matters
    /// `Connection: Upgrade` marks the upgrade as meant for this hop. A server ignores it otherwise; some accept it all
    /// the same, which hides the fault until the server is replaced.
    ///
    /// # What causes it
    /// A proxy that sets `Connection` itself, such as nginx with `proxy_set_header Connection "";` for keepalive.
    ///
    /// # How to fix
    /// nginx: `map $http_upgrade $connection_upgrade { default upgrade; '' close; }` in `http`, and `proxy_set_header
    /// Connection $connection_upgrade;` in the location, never `proxy_set_header Connection "";`. HAProxy: no
    /// `http-request del-header Connection`. Varnish: `set bereq.http.connection = req.http.connection;` in `vcl_pipe`.
    ///
    /// # What it does not report
    /// Lists such as `keep-alive, Upgrade`, and the field in any case or on several lines.
    pub static RULE = "WS-HS-003" "request-connection-upgrade-missing" {
        severity: Error, category: Handshake, reference: "RFC 6455 §4.1, §4.2.1",
        explains: ["response-not-101", "response-200-upgrade-ignored", "response-426-upgrade-lost", "response-forbidden",
            "response-redirect", "handshake-unanswered"], asked_on: [Request], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(request) = connection.request.as_ref().filter(|request| trust::is_http1(request)) else {
        return;
    };
    let head = &request.head.head;
    if !head.names_websocket() || head.names_upgrade() {
        return;
    }
    let forwarded = super::forwarded(request);
    // A client that asks for an upgrade does not ask to close; proxies write so by default.
    let by_gateway = !forwarded.is_empty() || head.has_token("Connection", "close");
    found.push(
        Finding::new(&RULE, request.seen, "Connection: Upgrade missing from the request")
            .confidence(Confidence::Likely)
            .origin(if by_gateway { Origin::Gateway } else { Origin::Client })
            .blame(if by_gateway { Blame::Gateway } else { Blame::Client })
            .message(format!(
                "the request has Upgrade: websocket and {}, expected the token Upgrade in it",
                quote::field_or_none(head, "Connection")
            ))
            .shows(request.seen, quote::field_or_none(head, "Connection"))
            .shows_all(request.seen, forwarded)
            .help("send Connection: Upgrade with every upgrade request, also from the proxy to its upstream"),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::Blame;
    use crate::rules::testing::{REQUEST, Scene};

    #[test]
    fn a_lost_token_is_told() {
        let request = REQUEST.replace("keep-alive, Upgrade", "keep-alive");
        assert_eq!(Scene::tcp().request(&request).finds(RULE.name).blame, Blame::Client);
        let proxied = format!("{request}Via: 1.1 edge\r\n");
        assert_eq!(Scene::tcp().request(&proxied).finds(RULE.name).blame, Blame::Gateway);
        let closing = REQUEST.replace("keep-alive, Upgrade", "close");
        assert_eq!(Scene::tcp().request(&closing).finds(RULE.name).blame, Blame::Gateway);
    }

    #[test]
    fn a_token_in_a_list_is_silent() {
        Scene::tcp().request(REQUEST).silent(RULE.name);
        Scene::tcp()
            .request(&REQUEST.replace("keep-alive, Upgrade", "keep-alive\r\nConnection: upgrade"))
            .silent(RULE.name);
        Scene::tcp()
            .request(&REQUEST.replace("keep-alive, Upgrade", "keep-alive,\r\n UPGRADE"))
            .silent(RULE.name);
    }
}
