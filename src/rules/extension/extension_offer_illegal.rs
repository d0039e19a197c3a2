use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, negotiation};

rule! {
    /// # What it finds
    /// The client offers permessage-deflate with parameters that no server may accept: unknown, repeated, or out of
    /// range.
    ///
    /// # Why it matters
    /// A server must decline such an element, so compression is lost without a word.
    ///
    /// # What causes it
    /// Options of the client that go into the offer unchecked, such as a window of 16 bits, or a gateway that edits
    /// the field.
    ///
    /// # How to fix
    /// Offer window sizes from 8 to 15, each parameter once, and only those of RFC 7692: `serverMaxWindowBits` and
    /// `clientMaxWindowBits` in ws, `ClientPerMessageDeflateFactory` in Python's websockets.
    ///
    /// # What it does not report
    /// The same extension offered several times with other parameters, which is a legal list of preferences.
    pub static RULE = "WS-EX-004" "extension-offer-illegal" {
        severity: Warning, category: Extension, reference: "RFC 7692 §7.1",
        explains: ["extension-offered-not-accepted"], asked_on: [Extension], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(request) = &connection.request else { return };
    let faults: Vec<String> = request.extensions.list.iter().flat_map(negotiation::offer_faults).collect();
    if faults.is_empty() {
        return;
    }
    found.push(
        Finding::new(&RULE, request.seen, "offer that servers must decline")
            .origin(Role::Client)
            .blame(Role::Client)
            .message(format!(
                "the client's permessage-deflate offer cannot be accepted: {}",
                faults.join("; ")
            ))
            .shows(request.seen, super::offer(request))
            .help("correct the compression options of the client"),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::Scene;

    #[test]
    fn a_window_of_16_bits_is_told() {
        let finding = Scene::session("permessage-deflate; server_max_window_bits=16", "").finds(RULE.name);
        assert!(finding.message.contains("expected 8 to 15"));
        assert_eq!(finding.consequences[0].rule.name, "extension-offered-not-accepted");
    }

    #[test]
    fn a_list_of_fallbacks_is_legal() {
        let offer =
            "permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits";
        Scene::session(offer, "permessage-deflate").silent(RULE.name);
    }
}
