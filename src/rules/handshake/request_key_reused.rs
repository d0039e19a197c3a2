use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Context, Evidence, Finding, quote};

rule! {
    /// # What it finds
    /// One `Sec-WebSocket-Key` in the handshakes of several TCP connections to the same server.
    ///
    /// # Why it matters
    /// The key must be chosen at random for each connection. A constant key has a constant accept value, so an answer
    /// out of a cache looks genuine.
    ///
    /// # What causes it
    /// A client written by hand, or a command pasted from a tutorial, most often with the key of RFC 6455 §1.3. Or a
    /// gateway that sends an upgrade again after a failure.
    ///
    /// # How to fix
    /// Let a WebSocket library make the key, also in load tests. Gateways: limit retries of upgrades, nginx
    /// `proxy_next_upstream off`.
    ///
    /// # What it does not report
    /// The two legs of one session, which share a key behind many gateways, one connection captured twice, several
    /// attempts on one connection, and connections of which the SYN is not in the capture.
    pub static RULE = "WS-HS-005" "request-key-reused" {
        severity: Warning, category: Handshake, reference: "RFC 6455 §4.1 (7)",
        explains: [], asked_on: [Reuse], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(request) = &connection.request else { return };
    let Some(key) = request.key.as_deref().filter(|key| !key.is_empty()) else { return };
    let Some(reuse) = context.census.reuse(connection.tcp.server, key) else { return };
    if connection.tcp.isn.client.is_none() {
        return;
    }
    let forwarded = super::is_forwarded(request);
    let sample = if key == SAMPLE { "; it is the sample key of RFC 6455" } else { "" };
    let mut finding = Finding::new(&RULE, request.seen, "key used on several connections")
        .confidence(if forwarded { Confidence::Possible } else { Confidence::Likely })
        .origin(crate::role::Role::Client)
        .blame(if forwarded { Blame::Unknown } else { Blame::Client })
        .message(format!(
            "{} connections to {}{} sent the same Sec-WebSocket-Key, expected a random one for each{sample}",
            reuse.count,
            connection.tcp.server,
            if reuse.one_client { " from one address" } else { "" }
        ))
        .shows(request.seen, format!("Sec-WebSocket-Key: {}", quote::short(key)))
        .help(if forwarded {
            "find out whether the gateway repeats upgrades or the client uses one key for all of them"
        } else {
            "let a WebSocket library make a random key for every connection"
        });
    for packet in reuse.first.into_iter().filter(|packet| *packet != connection.first.packet) {
        let text = String::from("another connection begins that sends the same key");
        finding.evidence.push(Evidence { packet, text });
    }
    found.push(finding);
}

/// The key of the example in RFC 6455 §1.3.
const SAMPLE: &str = "dGhlIHNhbXBsZSBub25jZQ==";

#[cfg(test)]
mod tests {
    use super::{RULE, SAMPLE};
    use crate::connection::Connection;
    use crate::rules::testing::{ACCEPT, ANSWER, KEY, REQUEST, Scene, judged_together, named};
    use crate::rules::{Blame, Confidence};

    fn session(start: f64) -> Scene {
        let (request, answer) =
            (REQUEST.replace(KEY, SAMPLE), ANSWER.replace(ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        Scene::tcp_at(start).request(&request).answer(&answer, "")
    }

    fn told(connections: &[Connection]) -> usize {
        let judged = judged_together(connections, &[]);
        judged.iter().filter(|findings| named(findings, RULE.name).is_some()).count()
    }

    #[test]
    fn the_same_key_on_three_connections_is_the_clients() {
        let all: Vec<Connection> = (0..3).map(|i| session(f64::from(i)).build()).collect();
        assert_eq!(told(&all), 3);
        let judged = judged_together(&all, &[]);
        let finding = named(&judged[2], RULE.name).unwrap();
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Likely));
        assert!(finding.message.starts_with("3 connections") && finding.message.contains("sample key"));
        assert_eq!(finding.evidence.len(), 3);
    }

    #[test]
    fn legs_copies_and_other_keys_are_silent() {
        let outer = session(1.0).with(|c| c.response.as_mut().unwrap().seen.at = at(5.0)).build();
        assert_eq!(told(&[outer, session(2.0).build()]), 0);
        let copy = session(3.0).with(|c| c.tcp.isn.client = Some(1001));
        assert_eq!(told(&[session(1.0).build(), copy.build()]), 0);
        let other = session(3.0).with(|c| c.tcp.server.port = 8080);
        assert_eq!(told(&[session(1.0).build(), other.build()]), 0);
        let fresh = Scene::tcp_at(3.0).request(&REQUEST.replace("dGhl", "AAAA")).answer(ANSWER, "");
        assert_eq!(told(&[session(1.0).build(), fresh.build()]), 0);
    }

    fn at(seconds: f64) -> crate::time::Timestamp {
        crate::time::Timestamp::from_nanos((seconds * 1e9) as i64)
    }
}
