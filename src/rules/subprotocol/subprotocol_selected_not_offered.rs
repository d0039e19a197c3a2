use super::FIELD;
use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, quote, trust};

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
    /// Answers whose request was not captured.
    pub static RULE = "WS-SP-002" "subprotocol-selected-not-offered" {
        severity: Error, category: Subprotocol, reference: "RFC 6455 §4.1, §4.2.2",
        explains: ["client-aborts-after-101", "closed-without-close-frame", "subprotocol-malformed"], asked_on: [Subprotocol], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some((request, response)) = trust::handshake(connection) else { return };
    let Some(selected) = response.subprotocol.as_deref().filter(|value| !value.is_empty()) else { return };
    if request.subprotocols.iter().any(|offered| offered == selected) {
        return;
    }
    let case = request.subprotocols.iter().any(|offered| offered.eq_ignore_ascii_case(selected));
    found.push(
        Finding::new(&RULE, response.seen, "subprotocol selected that was not offered")
            .origin(Role::Server)
            .blame(Role::Server)
            .message(format!(
                "the server selected {}, which the client did not offer{}; a conforming client fails the connection",
                quote::quoted(selected),
                if case { " in this case of letters" } else { "" }
            ))
            .shows(request.seen, format!("offered {}", quote::field_or_none(&request.head.head, FIELD)))
            .shows(response.seen, quote::field_or_none(&response.head.head, FIELD))
            .help("let the server select one of the offered subprotocols, letter by letter"),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
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
