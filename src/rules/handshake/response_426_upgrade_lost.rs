use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, quote};

rule! {
    /// # What it finds
    /// 426 Upgrade Required in answer to a request that does ask for the upgrade.
    ///
    /// # Why it matters
    /// 426 says: I speak WebSocket, and you did not ask. If the question is in the capture, something between this point
    /// and the one who answered removed it.
    ///
    /// # What causes it
    /// A gateway that drops `Upgrade` and `Connection`, as every proxy does unless it is told otherwise. Or an application
    /// that compares the field to the letter, where the client writes `WebSocket`.
    ///
    /// # How to fix
    /// Configure upgrades on the next hop. nginx: `proxy_http_version 1.1` and the two `proxy_set_header` lines. Apache
    /// httpd: `upgrade=websocket`.
    ///
    /// # What it does not report
    /// Refusals of the WebSocket version, and requests that lack the upgrade already at this point.
    pub static RULE = "WS-HS-011" "response-426-upgrade-lost" {
        severity: Error, category: Handshake, reference: "RFC 9110 §15.5.22; RFC 6455 §4.2.1",
        explains: [], asked_on: [Answer], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some((request, response)) = super::refusal(connection) else { return };
    // It may be about the version, which a rule of its own tells.
    if response.head.status != 426 || request.version.as_deref().map(str::trim) != Some("13") {
        return;
    }
    // Whatever else it lacks, as a key: servers that look at these two fields alone found one of them gone.
    let lost_behind = request.head.head.names_websocket() && request.head.head.names_upgrade();
    // RFC 6455 §4.2.1 has servers compare without regard to case, and applications that compare themselves forget it.
    let respelt = lost_behind && request.head.head.field("Upgrade") != Some(b"websocket");
    if respelt {
        found.push(
            super::refused(&RULE, request, response, String::from("upgrade not recognised, answered with 426"))
                .confidence(Confidence::Possible)
                .blame(Blame::Unknown)
                .message("the request asks for the upgrade, in other letters than browsers do, and the answer says that it does not: a server that expects `websocket` to the letter, or a gateway behind this point that dropped the field")
                .shows(request.seen, quote::field_or_none(&request.head.head, "Upgrade"))
                .help("let the server compare the field without regard to case, or the client send `Upgrade: websocket`; if that is not it, let the gateway that answered here forward Upgrade and Connection"),
        );
        return;
    }
    found.push(
        super::refused(&RULE, request, response, String::from("upgrade lost on the way, answered with 426"))
            .confidence(Confidence::Likely)
            .blame(Blame::Gateway)
            .message(if lost_behind {
                "the request asks for the upgrade at this point and the answer says that it does not: a gateway behind this point dropped it"
            } else {
                "the answer misses the upgrade, which the request lacks already at this point: a hop before it dropped it"
            })
            .shows(request.seen, quote::field_or_none(&request.head.head, "Upgrade"))
            .shows(request.seen, quote::field_or_none(&request.head.head, "Connection"))
            .help(if lost_behind {
                "let the gateway that answered here forward Upgrade and Connection to its upstream"
            } else {
                "let the proxy before this point forward Upgrade and Connection"
            }),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{REQUEST, Scene};
    use crate::rules::{Blame, Confidence};

    #[test]
    fn a_question_lost_behind_is_the_gateways() {
        let finding =
            Scene::answered("HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n", "").finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Gateway, Confidence::Likely));
        assert!(finding.message.contains("behind this point"));
    }

    #[test]
    fn a_request_without_a_key_has_its_upgrade_all_the_same() {
        let keyless = REQUEST.replace("Sec-WebSocket-Key: qZk2Jb8XH0y4sV7uN1tCRw==\r\n", "");
        let findings =
            Scene::tcp().request(&keyless).answer("HTTP/1.1 426 Upgrade Required\r\n", "").findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, "request-key-invalid"));
        let below = &findings[0].consequences[0];
        assert_eq!(below.rule.name, RULE.name);
        assert!(below.message.contains("asks for the upgrade at this point"), "{}", below.message);
    }

    #[test]
    fn a_question_in_other_letters_may_be_the_servers_to_miss() {
        let request = REQUEST.replace("Upgrade: websocket", "Upgrade: WebSocket");
        assert_ne!(request, REQUEST);
        let scene = Scene::tcp().request(&request).answer("HTTP/1.1 426 Upgrade Required\r\n", "");
        let finding = scene.finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Unknown, Confidence::Possible));
    }

    #[test]
    fn other_answers_are_silent() {
        Scene::answered("HTTP/1.1 400 Bad Request\r\n", "").silent(RULE.name);
    }

    #[test]
    fn a_refusal_of_the_version_loses_no_upgrade() {
        let request = REQUEST.replace("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8");
        let answer = "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\n";
        let scene = Scene::tcp().request(&request).answer(answer, "");
        let finding = scene.finds("request-version-unsupported");
        assert!(finding.message.ends_with("the server refused with 426 Upgrade Required"));
        Scene::tcp().request(&request).answer(answer, "").silent(RULE.name);
    }
}
