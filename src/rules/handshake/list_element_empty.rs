use crate::capture::Seen;
use crate::connection::{Connection, Outcome};
use crate::http::Head;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Confidence, Finding, Severity, quote, trust};
use crate::websocket::{Extensions, Malformed, Subprotocols};

rule! {
    /// # What it finds
    /// A `Sec-WebSocket-Extensions` or an offer of subprotocols with an empty element: a comma too many, as in
    /// `permessage-deflate,`. It is information, unless the other side refused the handshake that has it.
    ///
    /// # Why it matters
    /// Whoever writes such a list must leave out empty elements, and whoever reads one must pass over them. Not all readers
    /// do: `ws` on Node answers 400, and as a client refuses the answer. Python's websockets takes it.
    ///
    /// # What causes it
    /// A list that was put together by hand, with an element that was empty or left out; or a proxy that removes one
    /// element and leaves its comma.
    ///
    /// # How to fix
    /// Let the library write the field, and join only what is not empty.
    ///
    /// # What it does not report
    /// A list of nothing but commas, which is malformed, and one that is malformed elsewhere. Handshakes that were
    /// refused with another status than 400: those have another reason.
    pub static RULE = "WS-HS-023" "list-element-empty" {
        severity: Error, category: Handshake, reference: "RFC 9110 §5.6.1; RFC 6455 §4.3, §9.1",
        explains: ["response-not-101", "handshake-unanswered", "client-aborts-after-101", "closed-without-close-frame"],
        asked_on: [Extension, Subprotocol], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    if let Some(request) = &connection.request
        && let Some(empty) = empty_element(&request.extensions, Some(&request.subprotocols))
        && let Some((worst, sure, outcome)) = fate_of_offer(connection, empty.0)
    {
        let finding = judge(Role::Client, request.seen, &request.head.head, empty, outcome);
        found.push(finding.at_most(worst).confidence(sure));
    }
    // The one subprotocol that a server selects is no list.
    if let Some(response) = connection.response.as_ref().filter(|_| trust::switched(connection))
        && let Some(empty) = empty_element(&response.extensions, None)
    {
        let spoke = connection.frames.as_ref().is_some_and(|frames| frames.client.total() > 0);
        let left = !spoke && connection.ending.by.is_some_and(|(by, _)| by == Role::Client);
        let (worst, sure, outcome) = if left {
            (Severity::Warning, Confidence::Possible, ", and this client left without a frame")
        } else {
            (Severity::Info, Confidence::Certain, "")
        };
        let finding = judge(Role::Server, response.seen, &response.head.head, empty, outcome);
        found.push(finding.at_most(worst).confidence(sure));
    }
}

/// How grave an empty element of this field of the request is, how sure it is that it was why, and what became of it; `None`
/// where the handshake failed for another reason.
fn fate_of_offer(connection: &Connection, field: &str) -> Option<(Severity, Confidence, &'static str)> {
    if trust::switched(connection) {
        return Some((Severity::Info, Confidence::Certain, ""));
    }
    if connection.outcome == Outcome::Unanswered {
        return Some((Severity::Error, Confidence::Possible, ", and this one has no answer"));
    }
    let response = connection.response.as_ref().filter(|response| response.head.status == 400)?;
    let named = String::from_utf8_lossy(&response.body).contains(field);
    let sure = if named { Confidence::Likely } else { Confidence::Possible };
    Some((Severity::Error, sure, ", and this one was answered with 400"))
}

fn judge(
    from: Role,
    seen: Seen,
    head: &Head,
    (field, place): (&'static str, &Malformed),
    outcome: &str,
) -> Finding {
    Finding::new(&RULE, seen, "empty element in a list")
        .origin(from)
        .blame(from)
        .message(format!(
            "the {}'s {field} has an empty element at byte {}, which some readers refuse, such as ws on Node{outcome}",
            from.name(),
            place.column,
        ))
        .shows_all(seen, quote::fields(head, &[field]))
        .help(format!("let the {} leave out the comma that has nothing beside it", from.name()))
}

/// The first field with an empty element, and where.
fn empty_element<'a>(
    extensions: &'a Extensions,
    subprotocols: Option<&'a Subprotocols>,
) -> Option<(&'static str, &'a Malformed)> {
    let whole = extensions.empty.as_deref().filter(|_| extensions.malformed.is_none());
    let subprotocols = subprotocols.filter(|subprotocols| subprotocols.malformed.is_none());
    let of_subprotocols = || subprotocols.and_then(|subprotocols| subprotocols.empty.as_ref());
    whole.map(|place| (EXTENSIONS, place)).or_else(|| of_subprotocols().map(|place| (SUBPROTOCOL, place)))
}

const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene};
    use crate::rules::{Blame, Confidence, Severity};

    const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate, \r\n";
    const CHAT: &str = "Sec-WebSocket-Protocol: , chat\r\n";

    fn offered(offer: &str) -> Scene {
        Scene::tcp().request(&format!("{REQUEST}{offer}"))
    }

    #[test]
    fn one_that_is_passed_over_is_information_and_hides_nothing() {
        for offer in [DEFLATE, CHAT] {
            let finding = offered(offer).answer(ANSWER, "").messages(Client, 1).finds(RULE.name);
            assert_eq!((finding.severity, finding.blame), (Severity::Info, Blame::Client));
        }
        let answer = format!("{ANSWER}Sec-WebSocket-Extensions: ,permessage-deflate\r\n");
        let scene = || offered("Sec-WebSocket-Extensions: permessage-deflate\r\n").answer(&answer, "");
        let findings = scene().messages(Client, 1).messages(Server, 1).fin(Server).findings();
        let names: Vec<&str> = findings.iter().map(|finding| finding.rule.name).collect();
        assert_eq!(names, ["closed-without-close-frame", RULE.name]);
        assert_eq!(findings[1].severity, Severity::Info);
    }

    #[test]
    fn a_server_that_refuses_it_and_names_the_field_is_likely_to_mean_it() {
        let body = "Invalid or unacceptable Sec-WebSocket-Extensions header";
        for (body, confidence) in [(body, Confidence::Likely), ("", Confidence::Possible)] {
            let findings = offered(DEFLATE).answer("HTTP/1.1 400 Bad Request\r\n", body).findings();
            assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name), "{findings:#?}");
            assert_eq!((findings[0].severity, findings[0].confidence), (Severity::Error, confidence));
        }
        let findings = offered(CHAT).after(1.0).fin(Server).findings();
        assert_eq!((findings[0].rule.name, findings[0].confidence), (RULE.name, Confidence::Possible));
    }

    #[test]
    fn a_client_may_leave_over_the_servers_and_not_over_its_own() {
        let answer = format!("{ANSWER}Sec-WebSocket-Extensions: permessage-deflate,\r\n");
        let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
        let findings = offered(offer).answer(&answer, "").fin(Client).findings();
        let finding = &findings[0];
        assert_eq!((finding.rule.name, finding.severity), (RULE.name, Severity::Warning), "{findings:#?}");
        assert_eq!((finding.confidence, finding.consequences.len()), (Confidence::Possible, 2));
        let finding = offered(DEFLATE).answer(ANSWER, "").fin(Client).finds(RULE.name);
        assert_eq!((finding.severity, finding.consequences.len()), (Severity::Info, 0));
    }

    #[test]
    fn refusals_for_another_reason_and_malformed_lists_are_silent() {
        offered(DEFLATE).answer("HTTP/1.1 404 Not Found\r\n", "").silent(RULE.name);
        offered("Sec-WebSocket-Extensions: a,, b;=\r\n").answer(ANSWER, "").silent(RULE.name);
        offered("Sec-WebSocket-Extensions: a, b\r\n").answer(ANSWER, "").silent(RULE.name);
    }
}
