use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Context, Finding, Origin, pair, quote, trust};

rule! {
    /// # What it finds
    /// A gateway that passed on other subprotocols than the client offered, or another choice than the upstream made.
    ///
    /// # Why it matters
    /// The subprotocol is the language of the session. The two programs may now speak different ones; a browser fails
    /// the connection if the answer names one that it did not offer, or none where it offered some.
    ///
    /// # What causes it
    /// A gateway that opens a WebSocket of its own to the upstream and does not pass the offer on, or a header filter.
    ///
    /// # How to fix
    /// Forward `Sec-WebSocket-Protocol` unchanged in both directions: nginx without `proxy_set_header
    /// Sec-WebSocket-Protocol "";` and `proxy_hide_header Sec-WebSocket-Protocol;`. In a relay, hand the client's list
    /// to the upstream connection and answer the client with what the upstream chose.
    ///
    /// # What it does not report
    /// Connections of which one leg was captured, or of whose HTTP/2 fields some are not known. It is no surer than that the
    /// two legs belong together.
    pub static RULE = "WS-SP-004" "subprotocol-altered-between-legs" {
        severity: Warning, category: Subprotocol, reference: "RFC 6455 §4.2.2",
        explains: ["subprotocol-offered-not-selected", "subprotocol-selected-not-offered"], asked_on: [Legs], check: Check::InContext(check),
    }
}

const FIELD: &str = "Sec-WebSocket-Protocol";

fn check(_: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(legs) = context.legs else { return };
    let (Some(asked), Some(forwarded)) = (&legs.client.request, &legs.upstream.request) else { return };
    if !trust::knows_fields(legs.client) || !trust::knows_fields(legs.upstream) {
        return;
    }
    let answers = trust::handshake(legs.client).zip(trust::handshake(legs.upstream));
    let chosen = answers.filter(|((_, one), (_, other))| one.subprotocol != other.subprotocol);
    let what = if asked.subprotocols.list != forwarded.subprotocols.list {
        "the offer that reached the upstream is not the client's"
    } else if chosen.is_some() {
        "the choice that reached the client is not the upstream's"
    } else {
        return;
    };
    let field = |head| quote::field_or_none(head, FIELD);
    let mut finding = pair::about(&RULE, &legs, asked.seen, "gateway altered the subprotocol")
        .origin(Origin::Gateway)
        .blame(Blame::Gateway)
        .message(format!("{what}, so the two programs may speak different languages"))
        .shows(asked.seen, format!("client leg: request with {}", field(&asked.head.head)))
        .shows(forwarded.seen, format!("upstream leg: request with {}", field(&forwarded.head.head)));
    for (leg, name) in [(legs.upstream, "upstream leg"), (legs.client, "client leg")] {
        if let Some(answer) = &leg.response {
            finding = finding.shows(answer.seen, format!("{name}: answer with {}", field(&answer.head.head)));
        }
    }
    found.push(finding.help("let the gateway forward Sec-WebSocket-Protocol unchanged in both directions"));
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::Blame;
    use crate::rules::testing::{ANSWER, REQUEST, Scene, both};

    fn leg(offer: &str, choice: &str) -> Scene {
        let line = |value: &str| match value {
            "" => String::new(),
            value => format!("Sec-WebSocket-Protocol: {value}\r\n"),
        };
        Scene::tcp()
            .request(&format!("{REQUEST}{}", line(offer)))
            .answer(&format!("{ANSWER}{}", line(choice)), "")
    }

    #[test]
    fn a_lost_offer_explains_that_nothing_was_chosen() {
        let (findings, _) = both(leg("chat", ""), leg("", "")).findings();
        assert_eq!((findings[0].rule.name, findings[0].blame), (RULE.name, Blame::Gateway));
        assert_eq!(findings[0].consequences[0].rule.name, "subprotocol-offered-not-selected");
    }

    #[test]
    fn another_choice_is_told() {
        assert!(both(leg("a, b", "a"), leg("a, b", "b")).finds(RULE.name).message.contains("choice"));
    }

    #[test]
    fn equal_legs_are_silent() {
        both(leg("a, b", "a"), leg("a, b", "a")).silent(RULE.name);
        let half = leg("", "").with(|connection| connection.quality.unknown_fields.client = 1);
        both(leg("a", "a"), half).silent(RULE.name);
    }
}
