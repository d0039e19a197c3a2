use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, quote, trust};
use crate::websocket::{KeyFault, check_key};

rule! {
    /// # What it finds
    /// An upgrade request whose `Sec-WebSocket-Key` is absent or is not the base64 form of 16 bytes.
    ///
    /// # Why it matters
    /// From the key the server computes the proof that it understood the upgrade. Servers answer 400 without it.
    ///
    /// # What causes it
    /// A hand-written client. Or a gateway that turns WebSocket over HTTP/2, which has no key, into HTTP/1.1 and does
    /// not make one: Envoy was known for it.
    ///
    /// # How to fix
    /// Clients: 16 random bytes, base64. Envoy: WebSocket over HTTP/1.1 on the client's side, or HTTP/2 on both with
    /// `allow_connect`. HAProxy, Caddy and Apache httpd make a key themselves.
    ///
    /// # What it does not report
    /// White space around the value, and requests that lack the upgrade itself.
    pub static RULE = "WS-HS-004" "request-key-invalid" {
        severity: Error, category: Handshake, reference: "RFC 6455 §4.1, §4.2.1, §11.3.1",
        explains: ["response-not-101", "response-426-upgrade-lost", "response-forbidden", "response-accept-invalid", "handshake-unanswered"], asked_on: [Request], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(request) = connection.request.as_ref().filter(|request| trust::is_http1(request)) else {
        return;
    };
    let head = &request.head.head;
    let what = match &request.key {
        None => String::from("no Sec-WebSocket-Key"),
        Some(key) => match check_key(key.as_bytes()) {
            Ok(()) => return,
            Err(KeyFault::Length(length)) => {
                format!("a Sec-WebSocket-Key of {}, expected 16", quote::bytes(length as u64))
            }
            Err(KeyFault::NotBase64) => String::from("a Sec-WebSocket-Key that is not base64"),
        },
    };
    if !head.names_websocket() {
        return;
    }
    let forwarded = super::forwarded(request);
    let by_gateway = request.key.is_none() && (!forwarded.is_empty() || head.field("X-Request-ID").is_some());
    found.push(
        Finding::new(&RULE, request.seen, "Sec-WebSocket-Key missing or invalid")
            .confidence(if by_gateway { Confidence::Likely } else { Confidence::Certain })
            .origin(if by_gateway { Origin::Gateway } else { Origin::Client })
            .blame(if by_gateway { Blame::Gateway } else { Blame::Client })
            .message(format!("the upgrade request has {what}"))
            .shows(request.seen, quote::field_or_none(head, "Sec-WebSocket-Key"))
            .shows_all(request.seen, forwarded)
            .help("send 16 random bytes in base64 as Sec-WebSocket-Key, made anew for every connection"),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::Server;
    use crate::rules::Blame;
    use crate::rules::testing::{REQUEST, Scene};

    const KEY: &str = "Sec-WebSocket-Key: qZk2Jb8XH0y4sV7uN1tCRw==\r\n";

    #[test]
    fn short_broken_and_absent_keys_are_told() {
        let says = |line: &str| Scene::tcp().request(&REQUEST.replace(KEY, line)).finds(RULE.name).message;
        assert!(says("Sec-WebSocket-Key: Zm9v\r\n").contains("3 bytes, expected 16"));
        assert!(says("Sec-WebSocket-Key: ???\r\n").contains("not base64"));
        assert!(says("").contains("no Sec-WebSocket-Key"));
    }

    #[test]
    fn behind_envoy_the_gateway_is_asked() {
        let request = REQUEST.replace(KEY, "X-Envoy-Expected-Rq-Timeout-Ms: 15000\r\n");
        assert_eq!(Scene::tcp().request(&request).finds(RULE.name).blame, Blame::Gateway);
        let request = REQUEST.replace(KEY, "x-request-id: 2b1c\r\ncontent-length: 0\r\n");
        assert_eq!(Scene::tcp().request(&request).finds(RULE.name).blame, Blame::Gateway);
    }

    #[test]
    fn a_good_key_is_silent_and_so_is_white_space_around_it() {
        let spaced = REQUEST.replace("qZk2Jb8XH0y4sV7uN1tCRw==", "  qZk2Jb8XH0y4sV7uN1tCRw==\t ");
        Scene::tcp().request(&spaced).silent(RULE.name);
        Scene::tcp().request(REQUEST).silent(RULE.name);
    }

    #[test]
    fn a_server_that_drops_it_without_an_answer_has_reason_to() {
        let request = REQUEST.replace("qZk2Jb8XH0y4sV7uN1tCRw==", "x");
        let findings = Scene::tcp().request(&request).fin(Server).findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name), "{findings:#?}");
        assert_eq!(findings[0].consequences[0].rule.name, "handshake-unanswered");
    }
}
