use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, Severity, negotiation, quote, trust};

rule! {
    /// # What it finds
    /// The answer accepts an extension that the request did not offer.
    ///
    /// # Why it matters
    /// A server chooses from the offer and from nothing else. Strict clients, browsers among them, fail the connection
    /// at once; lenient ones go on, and the first frame that uses the extension breaks the session.
    ///
    /// # What causes it
    /// Code that sets `Sec-WebSocket-Extensions` by hand, or a relay that copies the field from its other connection,
    /// where another offer was made.
    ///
    /// # How to fix
    /// Remove every hand-made `Sec-WebSocket-Extensions`. In a relay drop all `Sec-WebSocket-*` fields of the one leg
    /// and let the library negotiate on the other.
    ///
    /// # What it does not report
    /// Answers whose request was not captured, and a name in an offer that is malformed. A name that differs only in
    /// case is told as information.
    pub static RULE = "WS-EX-002" "extension-accepted-not-offered" {
        severity: Error, category: Extension, reference: "RFC 6455 §4.1, §9.1",
        explains: ["client-aborts-after-101", "closed-without-close-frame", "close-reports-peer-violation", "extension-response-params-illegal"], asked_on: [Extension], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some((request, response)) = trust::handshake(connection) else { return };
    let mut unasked = negotiation::unasked(&request.extensions, &response.extensions);
    if request.extensions.malformed.is_some() {
        unasked.retain(|name| !request.offers_extension(name));
    }
    if unasked.is_empty() {
        return;
    }
    let only_case = unasked.iter().all(|name| request.extensions.get(name).is_some());
    found.push(
        Finding::new(&RULE, response.seen, "extension accepted that was not offered")
            .at_most(if only_case { Severity::Info } else { Severity::Error })
            .origin(Role::Server)
            .blame(Role::Server)
            .message(format!(
                "the server accepted {}, which the client did not offer{}",
                quote::list(&unasked),
                if only_case {
                    " in these letters; clients that compare names exactly fail the connection, others take it"
                } else {
                    "; a conforming client fails the connection"
                }
            ))
            .shows(request.seen, super::offer(request))
            .shows(response.seen, super::answer(response))
            .help("let the server's library write Sec-WebSocket-Extensions, and copy none of it from another connection"),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::limits;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{Scene, both};
    use crate::rules::{Blame, Severity};

    #[test]
    fn an_invented_extension_is_the_servers_error() {
        let finding = Scene::session("", "permessage-deflate").finds(RULE.name);
        assert_eq!((finding.severity, finding.blame), (Severity::Error, Blame::Server));
        assert_eq!(finding.evidence[0].text, "offered no Sec-WebSocket-Extensions");
    }

    #[test]
    fn the_client_that_leaves_is_its_consequence() {
        let findings = Scene::session("", "permessage-deflate").fin(Client).findings();
        assert_eq!(findings.len(), 1);
        assert!(!findings[0].consequences.is_empty());
    }

    #[test]
    fn an_offer_that_the_gateway_added_is_its_own_fault() {
        let deflate = "permessage-deflate";
        let finding = both(Scene::session("", deflate), Scene::session(deflate, deflate)).finds(RULE.name);
        assert_eq!(finding.blame, Blame::Gateway);
        assert!(
            finding.message.ends_with("the gateway offered it to the upstream, which accepted"),
            "{}",
            finding.message
        );
        assert!(finding.help.starts_with("find what writes this field"), "{}", finding.help);
    }

    #[test]
    fn another_case_is_information_and_an_unseen_offer_nothing() {
        let respelt = Scene::session("x-mux", "X-Mux").finds(RULE.name);
        assert_eq!(respelt.severity, Severity::Info);
        assert!(respelt.message.contains("in these letters"), "{}", respelt.message);
        Scene::session("", "permessage-deflate").unseen(Client).silent(RULE.name);
        Scene::session("", "permessage-deflate")
            .with(|connection| connection.quality.unknown_fields.client = 1)
            .silent(RULE.name);
        Scene::session("permessage-deflate", "permessage-deflate").messages(Server, 1).silent(RULE.name);
    }

    #[test]
    fn what_a_malformed_offer_names_was_offered() {
        Scene::session("permessage-deflate; wat; =", "permessage-deflate").silent(RULE.name);
        Scene::session("permessage-deflate; =", "superspeed").finds(RULE.name);
    }

    #[test]
    fn a_long_malformed_offer_may_have_named_anything() {
        let filled = |bytes: usize| format!("{:=<bytes$}", "permessage-deflate; =");
        Scene::session(&filled(limits::MALFORMED_LIST), "superspeed").finds(RULE.name);
        Scene::session(&filled(limits::MALFORMED_LIST + 1), "superspeed").silent(RULE.name);
        let half = filled(limits::MALFORMED_LIST / 2);
        let lines = |more| format!("{half}\r\nSec-WebSocket-Extensions: {half}{more}");
        Scene::session(&lines(""), "superspeed").finds(RULE.name);
        Scene::session(&lines("="), "superspeed").silent(RULE.name);
    }
}
