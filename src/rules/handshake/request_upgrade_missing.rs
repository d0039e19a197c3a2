use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, Severity, quote, trust};

rule! {
    /// # What it finds
    /// A request with `Sec-WebSocket-Key` or `Sec-WebSocket-Version` but without `Upgrade: websocket`.
    ///
    /// # Why it matters
    /// `Upgrade` is meant for one hop only, so every proxy must put it there anew. Here the WebSocket fields survived
    /// and the question itself did not: the server sees an ordinary GET and answers 400, 404, 426 or a page.
    ///
    /// # What causes it
    /// A proxy between client and this point that was not told to forward upgrades. WebSocket libraries always write
    /// these fields together.
    ///
    /// # How to fix
    /// nginx: `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection
    /// $connection_upgrade;` with a `map`. Apache httpd: `upgrade=websocket` on ProxyPass. Varnish: `return(pipe)` and
    /// copy both fields in `vcl_pipe`. Squid: `http_upgrade_request_protocols websocket allow all`. CDNs: no caching on
    /// the path.
    ///
    /// # What it does not report
    /// HTTP/2 and HTTP/3, which have no such field, and plain requests without any WebSocket field. Of a
    /// request that nothing else shows to be a proxy's, and without an answer, it is a warning.
    pub static RULE = "WS-HS-002" "request-upgrade-missing" {
        severity: Error, category: Handshake, reference: "RFC 6455 §4.1, §4.2.1",
        explains: ["response-not-101", "response-200-upgrade-ignored", "response-426-upgrade-lost", "response-forbidden",
            "response-101-malformed", "response-redirect", "handshake-unanswered", "request-connection-upgrade-missing",
            "request-key-invalid"], asked_on: [Request], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(request) = connection.request.as_ref().filter(|request| trust::is_http1(request)) else {
        return;
    };
    let head = &request.head.head;
    if head.names_websocket() || (request.key.is_none() && request.version.is_none()) {
        return;
    }
    let forwarded = super::forwarded(request);
    let sure = !forwarded.is_empty()
        || request.head.version == Some((1, 0))
        || head.has_token("Connection", "close");
    found.push(
        Finding::new(&RULE, request.seen, "Upgrade lost from the request")
            .at_most(if sure || connection.response.is_some() { Severity::Error } else { Severity::Warning })
            .confidence(if sure { Confidence::Likely } else { Confidence::Possible })
            .origin(Origin::Gateway)
            .blame(Blame::Gateway)
            .message("the request has Sec-WebSocket fields but no Upgrade: websocket; a proxy before this point most probably dropped it")
            .shows(request.seen, quote::request_line(request))
            .shows(request.seen, quote::field_or_none(head, "Upgrade"))
            .shows(request.seen, quote::field_or_none(head, "Connection"))
            .shows_all(request.seen, forwarded)
            .help("let the proxy that sent this request forward Upgrade and Connection, in nginx with two proxy_set_header lines"),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{REQUEST, Scene};
    use crate::rules::{Blame, Confidence};

    fn stripped(connection: &str) -> Scene {
        Scene::tcp().request(
            &REQUEST.replace("Upgrade: websocket\r\n", "").replace("keep-alive, Upgrade", connection),
        )
    }

    #[test]
    fn a_dropped_upgrade_is_the_gateways_and_the_426_its_consequence() {
        let findings = stripped("close").answer("HTTP/1.1 426 Upgrade Required\r\n", "").findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name));
        assert_eq!((findings[0].blame, findings[0].confidence), (Blame::Gateway, Confidence::Likely));
        assert_eq!(stripped("keep-alive").finds(RULE.name).confidence, Confidence::Possible);
    }

    #[test]
    fn any_case_list_and_fold_is_silent() {
        for written in ["Upgrade: h2c\r\nUpgrade: websocket", "Upgrade: h2c,\r\n websocket"] {
            Scene::tcp().request(&REQUEST.replace("Upgrade: websocket", written)).silent(RULE.name);
        }
        Scene::tcp()
            .request(&REQUEST.replace("Upgrade: websocket", "Upgrade: h2c, WebSocket"))
            .silent(RULE.name);
        Scene::tcp().request("CONNECT /chat HTTP/2.0\r\nsec-websocket-version: 13\r\n").silent(RULE.name);
    }
}
