use crate::connection::{Connection, Request, Response};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Confidence, Finding, Severity, negotiation, quote, trust};
use crate::websocket::Extensions;

rule! {
    /// # What it finds
    /// The answer accepts permessage-deflate with parameters that are no possible answer to the offer: unknown,
    /// repeated or out of range, missing though demanded, or given though not offered.
    ///
    /// # Why it matters
    /// Both ends must agree on window and context, or decompression fails later. So the client must refuse now.
    /// OkHttp does it with Close 1010, browsers fail the handshake, `ws` on Node reports an invalid header, and some
    /// clients do not notice and break at the first large message.
    ///
    /// # What causes it
    /// Parameters written into a server's configuration, most often `client_max_window_bits`, whatever the client
    /// offered. Or a relay that passes the answer of its upstream on to a client that made another offer.
    ///
    /// # How to fix
    /// Send `client_max_window_bits` only where it was offered. Confirm
    /// `server_max_window_bits` and `server_no_context_takeover` where they were demanded, or decline the offer. In a
    /// relay negotiate on each leg for itself. For gorilla answer with both `server_no_context_takeover` and
    /// `client_no_context_takeover`.
    ///
    /// # What it does not report
    /// An offer of several permessage-deflate elements is a list to choose from: one fitting element is enough.
    /// `server_no_context_takeover`, `client_no_context_takeover` and `server_max_window_bits` may come unasked. An answer
    /// that is legal, and that some clients refuse all the same, is a warning where the client left without a frame: a
    /// `client_no_context_takeover` that gorilla offered and misses, or a window of 8 bits, which zlib cannot make.
    pub static RULE = "WS-EX-003" "extension-response-params-illegal" {
        severity: Error, category: Extension, reference: "RFC 7692 §7.1; RFC 6455 §9.1",
        explains: ["client-aborts-after-101", "closed-without-close-frame",
            "close-reports-peer-violation"], asked_on: [Extension], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some((request, response)) = trust::handshake(connection) else { return };
    let faults = negotiation::deflate_faults(&request.extensions, &response.extensions);
    let Some(first) = faults.first() else {
        found.extend(refused_by_some(connection, request, response));
        return;
    };
    found.push(
        Finding::new(&RULE, response.seen, "impossible permessage-deflate parameters in the answer")
            .origin(Role::Server)
            .blame(Role::Server)
            .message(format!(
                "the server's permessage-deflate does not answer this offer: {}",
                faults.join("; ")
            ))
            .shows(request.seen, super::offer(request))
            .shows(response.seen, super::answer(response))
            .help(format!("make the server answer the offer it was given: {first}")),
    );
}

/// An answer in order which the client refused, as far as its leaving shows.
fn refused_by_some(connection: &Connection, request: &Request, response: &Response) -> Option<Finding> {
    let frames = connection.frames.as_ref();
    let silent = frames.is_none_or(|frames| frames.client.total() == frames.client.close);
    let left = connection.ending.by.filter(|(by, _)| *by == Role::Client && silent)?;
    if trust::doubt(connection, Role::Client).is_some() {
        return None;
    }
    let has = |list: &Extensions, name: &str| {
        list.get(negotiation::DEFLATE)
            .is_some_and(|deflate| deflate.params.iter().any(|param| param.name == name))
    };
    let eight = |name: &str| {
        let deflate = response.extensions.get(negotiation::DEFLATE);
        deflate.is_some_and(|deflate| {
            deflate.params.iter().any(|param| param.name == name && param.value.as_deref() == Some("8"))
        })
    };
    let takeover = "client_no_context_takeover";
    let (what, help) = if response.extensions.get(negotiation::DEFLATE).is_some()
        && has(&request.extensions, takeover)
        && !has(&response.extensions, takeover)
    {
        (
            "client_no_context_takeover was offered and is not confirmed, which is legal, and gorilla refuses it",
            "answer with client_no_context_takeover where the client offers it",
        )
    } else if eight("server_max_window_bits") || eight("client_max_window_bits") {
        (
            "a window of 8 bits is legal, and libraries on zlib, such as aiohttp, refuse it",
            "agree on windows of 9 to 15 bits",
        )
    } else {
        return None;
    };
    Some(
        Finding::new(&RULE, response.seen, "permessage-deflate parameters that some clients refuse")
            .at_most(Severity::Warning)
            .confidence(Confidence::Possible)
            .origin(Role::Server)
            .blame(Role::Client)
            .message(format!("the client left without a frame after the answer: {what}"))
            .shows(request.seen, super::offer(request))
            .shows(response.seen, super::answer(response))
            .shows(left.1, format!("client ends {}", quote::transport(connection)))
            .help(help),
    )
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Confidence, Severity};

    const GORILLA: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    #[test]
    fn a_legal_answer_that_the_client_fled_from_is_possible() {
        let fled = |offer: &str, answer: &str| Scene::session(offer, answer).fin(Client).finds(RULE.name);
        let half = "permessage-deflate; server_no_context_takeover";
        let finding = fled(GORILLA, half);
        assert_eq!((finding.severity, finding.confidence), (Severity::Warning, Confidence::Possible));
        assert!(finding.message.contains("gorilla"));
        let finding = fled("permessage-deflate", "permessage-deflate; server_max_window_bits=8");
        assert!(finding.message.contains("8 bits"));
        Scene::session(GORILLA, half).messages(Client, 1).fin(Client).silent(RULE.name);
        Scene::session(GORILLA, half).fin(Server).silent(RULE.name);
        Scene::session(GORILLA, GORILLA).fin(Client).silent(RULE.name);
        Scene::session(GORILLA, "").fin(Client).silent(RULE.name);
    }

    #[test]
    fn quoted_values_are_legal() {
        let answer = "permessage-deflate; client_max_window_bits=\"15\"";
        Scene::session("permessage-deflate; client_max_window_bits", answer).silent(RULE.name);
    }

    #[test]
    fn okhttps_1010_tells_it_below() {
        let findings = Scene::session("permessage-deflate", "permessage-deflate; client_max_window_bits=15")
            .close(Client, 1010, "unexpected Sec-WebSocket-Extensions in response header")
            .close(Server, 1010, "")
            .fin(Server)
            .findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, "close-1010-mandatory-extension"));
        assert_eq!(findings[0].consequences[0].rule.name, RULE.name);
        assert!(findings[0].consequences[0].message.contains("client_max_window_bits"));
    }

    #[test]
    fn a_possible_answer_and_an_unseen_offer_are_silent() {
        Scene::session(
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=15",
        )
        .silent(RULE.name);
        Scene::session("permessage-deflate", "permessage-deflate; x=1").unseen(Client).silent(RULE.name);
    }
}
