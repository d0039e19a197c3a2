use super::FIELD;
use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, quote, trust};
use crate::websocket::Subprotocols;

rule! {
    /// # What it finds
    /// Offered subprotocols that are no tokens or are there twice, or an answer that selects several.
    ///
    /// # Why it matters
    /// Servers differ: some answer 400, some take the first, some fail later.
    ///
    /// # What causes it
    /// Most often an access token put into this field, with characters such as `=`, `/` or a space that no token may
    /// have.
    ///
    /// # How to fix
    /// Encode such a value as base64url without padding. Answer with exactly one value.
    ///
    /// # What it does not report
    /// Values that are tokens, however odd. The values themselves are not shown where they are no tokens, as they
    /// often are secrets.
    pub static RULE = "WS-SP-003" "subprotocol-malformed" {
        severity: Warning, category: Subprotocol, reference: "RFC 6455 §4.1, §11.3.4",
        explains: ["response-not-101", "handshake-unanswered"], asked_on: [Subprotocol], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    if let Some(request) = &connection.request
        && let Some(what) = fault(&request.subprotocols)
    {
        found.push(
                Finding::new(&RULE, request.seen, "malformed subprotocol list")
                    .origin(Role::Client)
                    .blame(Role::Client)
                    .message(format!("the client's {FIELD} has {what}"))
                    .shows(request.seen, quote::field_or_none(&request.head.head, FIELD))
                    .help("offer each subprotocol once and as a token, and encode tokens of access as base64url without padding"),
            );
    }
    let Some(response) = connection.response.as_ref().filter(|_| trust::switched(connection)) else { return };
    let head = &response.head.head;
    if head.count(FIELD) > 1 || head.values(FIELD).any(|value| value.contains(&b',')) {
        let several = Subprotocols::parse(head.values(FIELD)).list.len() > 1;
        let title = if several {
            "several subprotocols selected"
        } else {
            "a list where one subprotocol is selected"
        };
        found.push(
            Finding::new(&RULE, response.seen, title)
                .origin(Role::Server)
                .blame(Role::Server)
                .message(format!(
                    "the server {}, expected one name and no comma",
                    if several { "selected several subprotocols" } else { "wrote a list" }
                ))
                .shows(response.seen, quote::field_or_none(head, FIELD))
                .help("answer with exactly one of the offered subprotocols"),
        );
    }
}

/// What is wrong with an offer.
pub(super) fn fault(offered: &Subprotocols) -> Option<&'static str> {
    let list = &offered.list;
    let repeated =
        list.iter().enumerate().any(|(index, name)| list.iter().take(index).any(|other| other == name));
    if offered.malformed.is_some() {
        Some("a value that is no token")
    } else if repeated {
        Some("the same value twice")
    } else {
        (list.is_empty() && offered.lines > 0).then_some("an empty list")
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{ANSWER, REQUEST, Scene};

    fn scene(offer: &str, answer: &str) -> Scene {
        Scene::tcp().request(&format!("{REQUEST}{offer}")).answer(&format!("{ANSWER}{answer}"), "")
    }

    #[test]
    fn a_smuggled_token_is_told_but_not_shown() {
        let finding = scene("Sec-WebSocket-Protocol: chat, c2VjcmV0/=\r\n", "").finds(RULE.name);
        assert!(
            finding.evidence.iter().all(|evidence| !evidence.text.contains("c2Vj"))
                && !finding.message.contains("c2Vj")
        );
    }

    #[test]
    fn two_selected_values_are_told() {
        let finding =
            scene("Sec-WebSocket-Protocol: a, b\r\n", "Sec-WebSocket-Protocol: a, b\r\n").finds(RULE.name);
        assert!(!finding.evidence.is_empty() && finding.title.starts_with("several"));
        let finding =
            scene("Sec-WebSocket-Protocol: a\r\n", "Sec-WebSocket-Protocol: a,\r\n").finds(RULE.name);
        assert!(finding.title.starts_with("a list"));
        assert!(scene("Sec-WebSocket-Protocol: a, a\r\n", "").finds(RULE.name).message.contains("twice"));
    }

    #[test]
    fn a_token_list_is_silent() {
        scene("Sec-WebSocket-Protocol: v1.chat, b2\r\n", "Sec-WebSocket-Protocol: b2\r\n").silent(RULE.name);
    }
}
