use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Finding, negotiation, quote, trust};

rule! {
    /// # What it finds
    /// The client offered an extension, and the answer that opened the WebSocket does not list it.
    ///
    /// # Why it matters
    /// An offer is a question. The server may say no by saying nothing, and the session then runs without the
    /// extension, in most cases uncompressed. It matters where the client cannot do without it (it then closes with
    /// 1010), where traffic has grown, or where only one path to the server loses it.
    ///
    /// # What causes it
    /// Compression is off on the server, or its library has none. Or a gateway on the way removed the field from the
    /// request or from the answer; one leg alone cannot tell which.
    ///
    /// # How to fix
    /// Nothing, if nobody misses it. Otherwise switch it on at the server, for example `perMessageDeflate: true` for
    /// `ws` on Node. Then compare this field on both sides of every gateway, and remove header filters there.
    ///
    /// # What it does not report
    /// `bbf-usp-protocol`, whose absence clients must ignore (USP R-WS.11b), and connections whose request or answer
    /// was not captured.
    pub static RULE = "WS-EX-001" "extension-offered-not-accepted" {
        severity: Info, category: Extension, reference: "RFC 6455 §4.2.2, §9.1; RFC 7692 §5",
        explains: [], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some((request, response)) = trust::handshake(connection) else { return };
    let mut missing = negotiation::missing(&request.extensions, &response.extensions);
    missing.retain(|name| !name.eq_ignore_ascii_case("bbf-usp-protocol"));
    if missing.is_empty() {
        return;
    }
    let names = quote::list(&missing);
    found.push(
        Finding::new(&RULE, response.seen, "extension offered, not accepted")
            .origin(crate::role::Role::Server)
            .blame(Blame::Nobody)
            .message(format!("the client offered {names} and the server did not accept, so the session runs without; this is allowed"))
            .shows(request.seen, super::offer(request))
            .shows(response.seen, super::answer(response))
            .help(format!("if {names} is needed, switch it on at the server and check that no gateway removes Sec-WebSocket-Extensions")),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Severity};

    #[test]
    fn a_silent_decline_is_told_and_blamed_on_nobody() {
        let finding =
            Scene::session("permessage-deflate; client_max_window_bits, x-mux", "x-mux").finds(RULE.name);
        assert_eq!((finding.severity, finding.blame), (Severity::Info, Blame::Nobody));
        assert!(finding.message.contains("permessage-deflate"));
    }

    #[test]
    fn an_accepted_one_is_not() {
        Scene::session("permessage-deflate", "permessage-deflate").silent(RULE.name);
        Scene::session("bbf-usp-protocol", "").silent(RULE.name);
    }

    #[test]
    fn half_a_handshake_says_nothing() {
        Scene::session("permessage-deflate", "").unseen(crate::role::Role::Client).silent(RULE.name);
    }
}
