use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, negotiation, trust};

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
    /// Send `client_max_window_bits` only where it was offered; in ws leave `clientMaxWindowBits` undefined. Confirm
    /// `server_max_window_bits` and `server_no_context_takeover` where they were demanded, or decline the offer. In a
    /// relay negotiate on each leg for itself.
    ///
    /// # What it does not report
    /// An offer of several permessage-deflate elements is a list to choose from: one fitting element is enough.
    /// `server_no_context_takeover`, `client_no_context_takeover` and `server_max_window_bits` may come unasked.
    pub static RULE = "WS-EX-003" "extension-response-params-illegal" {
        severity: Error, category: Extension, reference: "RFC 7692 §7.1; RFC 6455 §9.1",
        explains: ["client-aborts-after-101", "closed-without-close-frame",
            "close-reports-peer-violation"], asked_on: [Extension], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some((request, response)) = trust::handshake(connection) else { return };
    let faults = negotiation::deflate_faults(&request.extensions, &response.extensions);
    let Some(first) = faults.first() else { return };
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

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;

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
