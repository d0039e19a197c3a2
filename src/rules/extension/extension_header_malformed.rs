use crate::connection::{Connection, Outcome};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, Severity, quote, trust};
use crate::websocket::Extensions;

rule! {
    /// # What it finds
    /// A `Sec-WebSocket-Extensions` value that does not follow its grammar: a list of tokens, each with parameters
    /// after semicolons.
    ///
    /// # Why it matters
    /// The receiver must fail the connection. In practice some answer 400, most ignore the field, and compression is
    /// lost.
    ///
    /// # What causes it
    /// A hand-written value, or a broken proxy that glues header lines together.
    ///
    /// # How to fix
    /// Let the library write the field. Compare the line on both sides of every gateway.
    ///
    /// # What it does not report
    /// `bbf-usp-protocol; eid="…"`, whose endpoint id is no token but is common and understood.
    pub static RULE = "WS-EX-005" "extension-header-malformed" {
        severity: Error, category: Extension, reference: "RFC 6455 §9.1",
        explains: ["client-aborts-after-101", "closed-without-close-frame", "extension-offered-not-accepted",
            "response-not-101", "handshake-unanswered"], asked_on: [Extension], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    if let Some(request) = &connection.request {
        let finding = judge(&request.extensions, Role::Client, request.seen, || super::offer(request));
        // Most servers pass over it; one that refuses it, or drops the connection, shows how grave it is.
        let fatal = connection.outcome == Outcome::Unanswered
            || connection.response.as_ref().is_some_and(|response| response.head.status == 400);
        let most = if fatal { Severity::Error } else { Severity::Warning };
        found.extend(finding.map(|finding| finding.at_most(most)));
    }
    if let Some(response) = connection.response.as_ref().filter(|_| trust::switched(connection)) {
        found.extend(judge(&response.extensions, Role::Server, response.seen, || super::answer(response)));
    }
}

fn judge(
    extensions: &Extensions,
    from: Role,
    seen: crate::capture::Seen,
    line: impl FnOnce() -> String,
) -> Option<Finding> {
    let malformed = extensions.malformed.as_ref()?;
    let line = line();
    if line.contains("bbf-usp-protocol") {
        return None;
    }
    let finding = Finding::new(&RULE, seen, "malformed Sec-WebSocket-Extensions")
        .origin(from)
        .blame(from)
        .message(format!(
            "the {}'s Sec-WebSocket-Extensions leaves its grammar at byte {}: {}",
            from.name(),
            malformed.column,
            quote::short(&malformed.what)
        ))
        .shows(seen, line)
        .help(format!(
            "let the {}'s library write Sec-WebSocket-Extensions, and look for a proxy that rewrites it",
            from.name()
        ));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{REQUEST, Scene};
    use crate::rules::{Blame, Severity};
    use crate::websocket::{Extensions, Malformed};
    use std::sync::Arc;

    fn spoil(extensions: &mut Arc<Extensions>) {
        let what = String::from("an empty element, expected a name");
        Arc::make_mut(extensions).malformed = Some(Box::new(Malformed { line: 0, column: 4, what }));
    }

    #[test]
    fn a_bad_answer_is_an_error_and_a_bad_offer_a_warning() {
        let answer =
            Scene::session("a", "a,,b").with(|c| spoil(&mut c.response.as_mut().unwrap().extensions));
        let finding = answer.finds(RULE.name);
        assert_eq!((finding.severity, finding.blame), (Severity::Error, Blame::Server));
        let offer = Scene::session("a,,b", "a").with(|c| spoil(&mut c.request.as_mut().unwrap().extensions));
        let finding = offer.finds(RULE.name);
        assert_eq!((finding.severity, finding.blame), (Severity::Warning, Blame::Client));
    }

    #[test]
    fn a_client_leaves_over_a_bad_answer_and_not_over_its_own_offer() {
        let left = |spoilt: fn(&mut crate::connection::Connection)| {
            let findings = Scene::session("a", "a").fin(Client).with(spoilt).findings();
            findings.iter().any(|finding| finding.rule.name == "closed-without-close-frame")
        };
        assert!(!left(|c| spoil(&mut c.response.as_mut().unwrap().extensions)));
        assert!(left(|c| spoil(&mut c.request.as_mut().unwrap().extensions)));
    }

    #[test]
    fn a_usp_endpoint_id_is_let_be() {
        Scene::session("bbf-usp-protocol; eid=\"proto::x\"", "")
            .with(|c| spoil(&mut c.request.as_mut().unwrap().extensions))
            .silent(RULE.name);
    }

    #[test]
    fn a_server_that_refuses_it_makes_it_an_error() {
        let request = format!("{REQUEST}Sec-WebSocket-Extensions: permessage-deflate; =\r\n");
        let sent = || Scene::tcp().request(&request);
        for scene in [sent().answer("HTTP/1.1 400 Bad Request\r\n", ""), sent().after(1.0).fin(Server)] {
            let findings = scene.findings();
            assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name), "{findings:#?}");
            assert_eq!(findings[0].severity, Severity::Error);
            assert_eq!(findings[0].consequences.len(), 1, "{findings:#?}");
        }
    }
}
