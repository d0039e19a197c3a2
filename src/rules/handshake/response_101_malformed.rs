use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Finding, Severity, quote, trust};

rule! {
    /// # What it finds
    /// A 101 in HTTP/1.0, one with `Content-Length` or `Transfer-Encoding`, or one to a request that did not ask for an
    /// upgrade. One with several lines of `Sec-WebSocket-Extensions` is told as information.
    ///
    /// # Why it matters
    /// Lenient clients accept it, and the next strict hop does not: Squid turns a 101 that nobody asked for into a 502.
    ///
    /// # What causes it
    /// A framework that adds body fields to every answer, or a server that does not look at `Upgrade`.
    ///
    /// # How to fix
    /// Send the 101 without body fields, in HTTP/1.1, and only where the request has `Upgrade`.
    ///
    /// # What it does not report
    /// Several lines of `Sec-WebSocket-Protocol`, which are a rule of their own. On several lines of
    /// `Sec-WebSocket-Extensions` RFC 6455 contradicts itself (§4.2.2 allows them, §11.3.2 does not), so they are no fault.
    pub static RULE = "WS-HS-016" "response-101-malformed" {
        severity: Warning, category: Handshake, reference: "RFC 9110 §8.6, §15.2.2",
        explains: [], asked_on: [Answer, Extension], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(response) = connection.response.as_ref().filter(|response| response.head.status == 101) else {
        return;
    };
    let body = quote::fields(&response.head.head, &["Content-Length", "Transfer-Encoding"]);
    let unasked = connection
        .request
        .as_ref()
        .is_some_and(|request| trust::is_http1(request) && request.head.head.field("Upgrade").is_none());
    let mut faults = Vec::new();
    if !body.is_empty() {
        faults.push(format!("has {}", quote::list(&body)));
    }
    if response.head.version.is_some_and(|version| version < (1, 1)) {
        faults.push(String::from("is HTTP/1.0, expected HTTP/1.1"));
    }
    if unasked {
        faults.push(String::from("answers a request without Upgrade"));
    }
    let split = response.head.head.count(EXTENSIONS) > 1;
    let severity = if faults.is_empty() { Severity::Info } else { Severity::Warning };
    if split {
        faults.push(format!("has {} lines of {EXTENSIONS}", response.head.head.count(EXTENSIONS)));
    }
    if faults.is_empty() {
        return;
    }
    found.push(
        Finding::new(&RULE, response.seen, "101 that strict hops refuse")
            .at_most(severity)
            .origin(Role::Server)
            .blame(Role::Server)
            .message(format!("the 101 {}", quote::list(&faults)))
            .shows(response.seen, quote::status(response))
            .shows_all(response.seen, body)
            .shows_all(response.seen, quote::fields(&response.head.head, if split { &[EXTENSIONS] } else { &[] }))
            .help("send the 101 in HTTP/1.1, without body fields, each field once, and only to requests that have Upgrade"),
    );
}

const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::Severity;
    use crate::rules::testing::{ANSWER, REQUEST, Scene};

    #[test]
    fn body_fields_and_old_versions_are_told() {
        let says = |answer: &str| Scene::tcp().request(REQUEST).answer(answer, "").finds(RULE.name).message;
        assert!(says(&format!("{ANSWER}Content-Length: 0\r\n")).contains("Content-Length: 0"));
        assert!(says(&ANSWER.replace("HTTP/1.1", "HTTP/1.0")).contains("is HTTP/1.0"));
    }

    #[test]
    fn extensions_on_several_lines_are_information_and_an_unasked_101_is_not() {
        let lines = "Sec-WebSocket-Extensions: a-b\r\nSec-WebSocket-Extensions: c-d\r\n";
        let finding = Scene::tcp().request(REQUEST).answer(&format!("{ANSWER}{lines}"), "").finds(RULE.name);
        assert_eq!(finding.severity, Severity::Info);
        let unasked = REQUEST.replace("Upgrade: websocket\r\n", "");
        let finding = Scene::tcp().request(&unasked).answer(ANSWER, "").finds(RULE.name);
        assert_eq!(finding.severity, Severity::Warning);
    }

    #[test]
    fn a_plain_101_is_silent() {
        Scene::session("", "").silent(RULE.name);
    }
}
