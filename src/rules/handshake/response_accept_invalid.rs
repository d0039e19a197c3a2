use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Context, Evidence, Finding, quote};
use crate::websocket::accept_for;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

rule! {
    /// # What it finds
    /// A 101 whose `Sec-WebSocket-Accept` is missing, repeated, or not the one for the request's key.
    ///
    /// # Why it matters
    /// The value proves that this answer belongs to this request. A client must fail the connection without it.
    ///
    /// # What causes it
    /// A home-made server that computes it wrongly (the finding says how, where it can be recognised); an answer from a
    /// cache; answers that were crossed on a shared upstream connection; a proxy that changed the key.
    ///
    /// # How to fix
    /// Compute base64 of SHA-1 of the key as written followed by `258EAFA5-E914-47DA-95CA-C5AB0DC85B11`. Keep caches off
    /// the path, and rewrite `Sec-WebSocket-Key` nowhere. HAProxy refuses a 101 without the
    /// field, and compares its value only where it made the key itself, for a client on HTTP/2.
    ///
    /// # What it does not report
    /// Answers whose request was not captured, and HTTP/2, which has neither field.
    pub static RULE = "WS-HS-015" "response-accept-invalid" {
        severity: Error, category: Handshake, reference: "RFC 6455 §4.1, §4.2.2, §11.3.3",
        explains: ["client-aborts-after-101", "closed-without-close-frame"], asked_on: [Answer], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let (Some(request), Some(response)) = (&connection.request, &connection.response) else { return };
    let Some(key) = request.key.as_deref().map(str::trim).filter(|_| response.head.status == 101) else {
        return;
    };
    let head = &response.head.head;
    let lines = head.values(FIELD).count();
    if lines == 1 && response.accept_valid == Some(true) {
        return;
    }
    let expected = accept_for(key.as_bytes());
    let accept = response.accept();
    let accept = accept.as_deref().map(str::trim);
    let other = accept.and_then(|accept| context.census.answers(connection, accept));
    let what = match accept {
        None => format!("no {FIELD}"),
        Some(_) if lines > 1 => format!("{lines} lines of {FIELD}, expected 1"),
        Some(accept) if accept == expected => return,
        Some(accept) => {
            let how = if other.is_some() { OF_ANOTHER } else { recognise(key, accept) };
            format!("{FIELD} {}, expected {expected}{how}", quote::quoted(accept))
        }
    };
    let mut finding = Finding::new(&RULE, response.seen, "101 that does not answer this request")
        .origin(Role::Server)
        .blame(Role::Server)
        .message(format!("the 101 has {what}; a conforming client fails the connection"))
        .shows(request.seen, format!("Sec-WebSocket-Key: {}", quote::short(key)))
        .shows(response.seen, quote::field_or_none(head, FIELD))
        .help(
            "compute Sec-WebSocket-Accept from the key of this very request, and keep caches off this path",
        );
    if let Some(packet) = other {
        finding = finding
            .confidence(Confidence::Likely)
            .blame(Blame::Gateway)
            .help("keep caches off this path, and look for a gateway that crosses answers on shared connections to its upstream");
        let text = String::from("the connection that this answer belongs to begins");
        finding.evidence.push(Evidence { packet, text });
    }
    found.push(finding);
}

/// The value belongs to another request of the capture.
const OF_ANOTHER: &str =
    "; it answers the request of another connection, as out of a cache or from crossed answers";

const FIELD: &str = "Sec-WebSocket-Accept";
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Well-known ways to get it wrong.
fn recognise(key: &str, accept: &str) -> &'static str {
    let decoded = STANDARD.decode(key).unwrap_or_default();
    let digest = Sha1::digest([key.as_bytes(), GUID].concat());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    if accept == accept_for(b"dGhlIHNhbXBsZSBub25jZQ==") {
        "; this is the value for the sample key of RFC 6455, copied or cached"
    } else if accept == accept_for(&decoded) {
        "; it was made from the decoded key, expected the key as written"
    } else if accept.eq_ignore_ascii_case(&hex) || accept == STANDARD.encode(&hex) {
        "; it was made from hexadecimal text, expected base64 of the 20 bytes"
    } else if accept == STANDARD.encode(Sha1::digest(key.as_bytes())) {
        "; it was made from the key alone, without the GUID"
    } else if accept.eq_ignore_ascii_case(&accept_for(key.as_bytes())) {
        "; its letters were changed to another case on the way"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role::Client;
    use crate::rules::testing::{ACCEPT as GOOD, ANSWER, KEY, REQUEST, Scene, judged_together, named};

    fn answered(accept: &str) -> Scene {
        Scene::tcp().request(REQUEST).answer(&ANSWER.replace(GOOD, accept), "").invalid().fin(Client)
    }

    #[test]
    fn a_wrong_value_is_the_servers_error() {
        let finding = answered("AAAAAAAAAAAAAAAAAAAAAAAAAAA=").finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Server, Confidence::Certain));
        assert!(finding.message.contains(GOOD));
    }

    #[test]
    fn common_mistakes_are_recognised() {
        let decoded = accept_for(&STANDARD.decode(KEY).unwrap());
        assert!(answered(&decoded).finds(RULE.name).message.contains("decoded key"));
        let alone = STANDARD.encode(Sha1::digest(KEY));
        assert!(answered(&alone).finds(RULE.name).message.contains("without the GUID"));
        assert!(answered(&GOOD.to_lowercase()).finds(RULE.name).message.contains("another case"));
        let other = answered("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(other.finds(RULE.name).message.contains("sample key"));
    }

    #[test]
    fn the_answer_of_another_request_is_a_caches_or_crossed() {
        let other = "6Z91ZW/lHYOaizQaxiSEUg==";
        let foreign = |start: f64, key: &str, accept: &str| {
            let answer = ANSWER.replace(GOOD, accept);
            Scene::tcp_at(start).request(&REQUEST.replace(KEY, key)).answer(&answer, "").invalid().build()
        };
        let blame = |all: &[crate::connection::Connection]| {
            let judged = judged_together(all, &[]);
            let finding = named(&judged[1], RULE.name).unwrap().clone();
            (finding.blame, finding.message.contains("another connection"))
        };
        let genuine = Scene::session("", "").build();
        assert_eq!(blame(&[genuine.clone(), foreign(2.0, other, GOOD)]), (Blame::Gateway, true));
        let crossed = [foreign(1.0, KEY, &accept_for(other.as_bytes())), foreign(2.0, other, GOOD)];
        assert_eq!(blame(&crossed), (Blame::Gateway, true));
        let elsewhere = foreign(2.0, other, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        assert_eq!(blame(&[genuine, elsewhere]), (Blame::Server, false));
    }

    #[test]
    fn missing_and_repeated_values_are_told() {
        let line = format!("Sec-WebSocket-Accept: {GOOD}\r\n");
        let without = Scene::tcp().request(REQUEST).answer(&ANSWER.replace(&line, ""), "").invalid();
        assert!(without.finds(RULE.name).message.contains("no Sec-WebSocket-Accept"));
        let twice = Scene::tcp().request(REQUEST).answer(&format!("{ANSWER}{line}"), "").invalid();
        assert!(twice.finds(RULE.name).message.contains("2 lines"));
    }

    #[test]
    fn the_right_value_and_an_unseen_request_are_silent() {
        Scene::session("", "").silent(RULE.name);
        let line = format!("Sec-WebSocket-Accept: {GOOD}\r\n");
        let without = Scene::tcp().request(REQUEST).answer(&ANSWER.replace(&line, ""), "");
        without.unseen(Client).silent(RULE.name);
    }
}
