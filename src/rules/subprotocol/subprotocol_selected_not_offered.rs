use super::FIELD;
use crate::connection::{Connection, Request};
use crate::http::redacted_subprotocols;
use crate::limits;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, quote, trust};
use std::collections::HashSet;

rule! {
    /// # What it finds
    /// The server selected a subprotocol that the client did not offer.
    ///
    /// # Why it matters
    /// The client must fail the connection.
    ///
    /// # What causes it
    /// A fixed value in a server's or proxy's configuration, or another spelling: names are compared with regard to
    /// case, so `MQTT` does not answer `mqtt`.
    ///
    /// # How to fix
    /// Select from the offer, letter by letter, and remove fixed `Sec-WebSocket-Protocol` fields.
    ///
    /// # What it does not report
    /// Answers whose request was not captured, and the choice of an offered value that is no token, as access tokens often are
    /// none: the offer is at fault then.
    pub static RULE = "WS-SP-002" "subprotocol-selected-not-offered" {
        severity: Error, category: Subprotocol, reference: "RFC 6455 §4.1, §4.2.2",
        explains: ["client-aborts-after-101", "closed-without-close-frame", "subprotocol-malformed"], asked_on: [Subprotocol], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some((request, response)) = trust::handshake(connection) else { return };
    let Some(selected) = response.subprotocol.as_deref().filter(|value| !value.is_empty()) else { return };
    if request.offers_subprotocol(selected) {
        return;
    }
    let several = selected.contains(',') && offers_all(request, selected);
    let case = request.subprotocols.list.iter().any(|offered| offered.eq_ignore_ascii_case(selected));
    let (title, why) = match (several, case) {
        (true, _) => ("several subprotocols selected", ", expected one of those that the client offered"),
        (_, true) => (NOT_OFFERED, ", which the client did not offer in this case of letters"),
        _ => (NOT_OFFERED, ", which the client did not offer"),
    };
    found.push(
        Finding::new(&RULE, response.seen, title)
            .origin(Role::Server)
            .blame(Role::Server)
            .message(format!(
                "the server selected {}{why}; a conforming client fails the connection",
                quote::quoted(&redacted_subprotocols(selected))
            ))
            .shows(request.seen, format!("offered {}", quote::field_or_none(&request.head.head, FIELD)))
            .shows(response.seen, quote::field_or_none(&response.head.head, FIELD))
            .help("let the server select one of the offered subprotocols, letter by letter"),
    );
}

/// Whether all of a list were offered. Both may be as long as a head: each is read once.
fn offers_all(request: &Request, list: &str) -> bool {
    let offered: HashSet<&[u8]> = request.offered_subprotocols().collect();
    let mut names = list.split(',').map(|name| name.trim().as_bytes());
    let asked = names.by_ref().take(limits::LIST_ELEMENTS).all(|name| offered.contains(name));
    asked && names.next().is_none()
}

const NOT_OFFERED: &str = "subprotocol selected that was not offered";

#[cfg(test)]
mod tests {
    use super::{NOT_OFFERED, RULE};
    use crate::limits;
    use crate::role::Role::Client;
    use crate::rules::Blame;
    use crate::rules::testing::{ANSWER, REQUEST, Scene};

    fn selected(offer: &str, answer: &str) -> Scene {
        Scene::tcp()
            .request(&format!("{REQUEST}{offer}"))
            .answer(&format!("{ANSWER}Sec-WebSocket-Protocol: {answer}\r\n"), "")
    }

    #[test]
    fn another_case_is_another_protocol() {
        let finding =
            selected("Sec-WebSocket-Protocol: mqtt\r\n", "MQTT").invalid().fin(Client).finds(RULE.name);
        assert_eq!(finding.blame, Blame::Server);
        assert!(finding.message.contains("case of letters"));
        assert!(selected("", "chat").finds(RULE.name).message.contains("chat"));
    }

    #[test]
    fn several_of_the_offer_are_too_many() {
        let finding = selected("Sec-WebSocket-Protocol: a, b\r\n", "a, b").finds(RULE.name);
        assert_eq!(finding.title, "several subprotocols selected");
        assert!(finding.message.contains("expected one of those"), "{}", finding.message);
        let mixed = selected("Sec-WebSocket-Protocol: a, b\r\n", "a, c").finds(RULE.name);
        assert!(mixed.message.contains("did not offer"));
    }

    #[test]
    fn several_are_looked_for_in_the_offer_up_to_a_bound() {
        for (more, title) in [(0, "several subprotocols selected"), (1, NOT_OFFERED)] {
            let list = vec!["a"; limits::LIST_ELEMENTS + more].join(", ");
            let finding = selected("Sec-WebSocket-Protocol: b, a\r\n", &list).finds(RULE.name);
            assert_eq!(finding.title, title);
        }
    }

    #[test]
    fn what_is_offered_and_is_no_token_was_offered_all_the_same() {
        let answered = |answer| selected("Sec-WebSocket-Protocol: access, YWJj/ZA==\r\n", answer);
        answered("YWJj/ZA==").silent(RULE.name);
        answered("YWJj/ZA==").finds("subprotocol-malformed");
        for other in ["ywjj/za==", "ZA==", ""] {
            let told = answered(other).findings().iter().any(|finding| finding.rule.name == RULE.name);
            assert_eq!(told, !other.is_empty(), "{other}");
        }
    }

    #[test]
    fn a_choice_from_the_offer_and_an_unseen_offer_are_silent() {
        selected("Sec-WebSocket-Protocol: mqtt, chat\r\n", "chat").silent(RULE.name);
        selected("", "chat").unseen(Client).silent(RULE.name);
        selected("Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Protocol: chat\r\n", "chat")
            .silent(RULE.name);
        selected("", "chat")
            .with(|connection| connection.quality.unknown_fields.client = 1)
            .silent(RULE.name);
    }
}
