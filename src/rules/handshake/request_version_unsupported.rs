use crate::connection::{Connection, Request, Response};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, quote, trust};

rule! {
    /// # What it finds
    /// A request whose `Sec-WebSocket-Version` is not 13, or a server that refuses 13 and names other versions. Where the
    /// refusal of another version does not tell which one is spoken, it is said as well.
    ///
    /// # Why it matters
    /// 13 is RFC 6455; lower numbers are drafts. A server that refuses must list what it speaks.
    ///
    /// # What causes it
    /// A client from before 2012, a proxy that drops the field, or a request written by hand.
    ///
    /// # How to fix
    /// Update the client: 13 has been the only version in use since 2011. Check that no proxy drops
    /// `Sec-WebSocket-Version`. Servers: refuse any other version with 426 and `Sec-WebSocket-Version: 13`.
    ///
    /// # What it does not report
    /// Servers that list 13 among others, such as `13, 8`.
    pub static RULE = "WS-HS-006" "request-version-unsupported" {
        severity: Error, category: Handshake, reference: "RFC 6455 §4.1, §4.2.2, §4.4",
        explains: ["response-not-101", "handshake-unanswered", "response-accept-invalid", "response-not-http"], asked_on: [Request, Answer], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(request) = &connection.request else { return };
    let refusal = connection.response.as_ref().filter(|answer| matches!(answer.head.status, 400 | 426));
    let version = request.version.as_deref().map(str::trim);
    // A request that asks for no upgrade at all has a graver fault.
    if trust::is_http1(request) && !request.head.head.names_websocket() {
        return;
    }
    if version != Some("13") && (version.is_some() || trust::knows_request(connection)) {
        found.push(other_version(connection, request, version, refusal));
    } else if let Some(response) = refusal {
        found.extend(refused_13(response));
    }
}

/// The client asks for another version than 13, or for none.
fn other_version(
    connection: &Connection,
    request: &Request,
    version: Option<&str>,
    refusal: Option<&Response>,
) -> Finding {
    let forwarded = super::forwarded(request);
    // Clients do not forget the field; a proxy that wrote the request anew may.
    let by_gateway = version.is_none() && !forwarded.is_empty();
    let finding = Finding::new(&RULE, request.seen, "WebSocket version other than 13")
        .confidence(if by_gateway { Confidence::Likely } else { Confidence::Certain })
        .origin(if by_gateway { Origin::Gateway } else { Origin::Client })
        .blame(if by_gateway { Blame::Gateway } else { Blame::Client })
        .shows(request.seen, quote::field_or_none(&request.head.head, "Sec-WebSocket-Version"))
        .shows_all(request.seen, forwarded)
        .help(if by_gateway {
            "let the proxy that sent this request forward Sec-WebSocket-Version"
        } else {
            "update the client to RFC 6455, and check that Sec-WebSocket-Version passes every proxy"
        });
    let asked = match version {
        Some(version) => {
            format!("the client asks for WebSocket version {}, expected 13", quote::quoted(version))
        }
        None if by_gateway => {
            String::from("the request, which a proxy forwarded, has no Sec-WebSocket-Version, expected 13")
        }
        None => String::from("the client's request has no Sec-WebSocket-Version, expected 13"),
    };
    let speaks = refusal.and_then(|response| quote::field(&response.head.head, "Sec-WebSocket-Version"));
    match (refusal, speaks) {
        (Some(response), Some(field)) => finding
            .message(format!("{asked}; the server refused with {}", quote::status(response)))
            .shows(response.seen, field),
        (Some(response), None) if connection.quality.unknown_fields.server == 0 => finding
            .message(format!(
                "{asked}; the server refused with {} without telling which version it speaks",
                quote::status(response)
            ))
            .shows(response.seen, format!("{} with no Sec-WebSocket-Version", quote::status(response))),
        _ => finding.message(asked),
    }
}

/// The server refused version 13, and names others.
fn refused_13(response: &Response) -> Option<Finding> {
    let head = &response.head.head;
    if head.field("Sec-WebSocket-Version").is_none() || head.has_token("Sec-WebSocket-Version", "13") {
        return None;
    }
    let offers = quote::field_or_none(head, "Sec-WebSocket-Version");
    Some(
        Finding::new(&RULE, response.seen, "server without WebSocket version 13")
            .origin(Role::Server)
            .blame(Role::Server)
            .message(format!("the server refused version 13 and offers {offers}"))
            .shows(response.seen, offers)
            .help("update the server to RFC 6455"),
    )
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{REQUEST, Scene};
    use crate::rules::{Blame, Confidence};

    #[test]
    fn drafts_and_absence_are_the_clients() {
        let finds = |version: &str| {
            Scene::tcp().request(&REQUEST.replace("Sec-WebSocket-Version: 13\r\n", version)).finds(RULE.name)
        };
        assert!(finds("Sec-WebSocket-Version: 8\r\n").message.contains("\"8\""));
        assert_eq!(finds("").blame, Blame::Client);
    }

    #[test]
    fn an_answer_in_the_manner_of_a_draft_follows_from_it() {
        let request = REQUEST.replace("Sec-WebSocket-Version: 13\r\n", "");
        let answer =
            "HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n";
        let finding = Scene::tcp().request(&request).answer(answer, "").finds(RULE.name);
        assert_eq!(finding.consequences[0].rule.name, "response-accept-invalid");
    }

    #[test]
    fn a_field_that_a_forwarded_request_lacks_was_lost_by_the_proxy() {
        let finds = |version: &str| {
            let lines = REQUEST.replace("Sec-WebSocket-Version: 13\r\n", version);
            Scene::tcp().request(&format!("{lines}X-Forwarded-For: 192.0.2.1\r\n")).finds(RULE.name)
        };
        let finding = finds("");
        assert_eq!((finding.blame, finding.confidence), (Blame::Gateway, Confidence::Likely));
        assert!(finding.help.starts_with("let the proxy"), "{}", finding.help);
        // No proxy makes a version up.
        let finding = finds("Sec-WebSocket-Version: 8\r\n");
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Certain));
    }

    #[test]
    fn a_refusal_that_does_not_tell_the_version_is_told() {
        let refused = |answer: &str| {
            let request = REQUEST.replace("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8");
            Scene::tcp().request(&request).answer(answer, "").finds(RULE.name).message
        };
        assert!(refused("HTTP/1.1 426 Upgrade Required\r\n").contains("without telling"));
        let told = "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\n";
        assert!(!refused(told).contains("without telling"));
        assert!(!refused("HTTP/1.1 404 Not Found\r\n").contains("without telling"));
    }

    #[test]
    fn an_old_server_is_its_own_fault() {
        let finding = Scene::answered("HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8\r\n", "")
            .finds(RULE.name);
        assert_eq!(finding.blame, Blame::Server);
    }

    #[test]
    fn thirteen_is_silent() {
        Scene::answered("HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13, 8\r\n", "")
            .silent(RULE.name);
    }
}
