use crate::connection::{Connection, Garbled, Outcome};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, handshake, quote, trust};

rule! {
    /// # What it finds
    /// An upgrade request in plain HTTP that reached a port which speaks TLS: the answer is a TLS alert, or a 400 whose
    /// text says so. Or TLS that reached a port which does not: the answer to the client hello is plain HTTP.
    ///
    /// # Why it matters
    /// The two sides disagree about ws and wss, so no handshake can succeed. Behind a gateway it becomes a 502.
    ///
    /// # What causes it
    /// `ws://` where `wss://` is meant, or the reverse; a gateway that speaks plain HTTP to an upstream with TLS, such as
    /// `proxy_pass http://` to an HTTPS port, or TLS to one without.
    ///
    /// # How to fix
    /// Use the scheme of the port: `wss` or `ws` in the client; towards an upstream with TLS nginx `proxy_pass https://…`,
    /// HAProxy `ssl` on the server line, HTTPS as protocol of a cloud's target group, and none of these towards one
    /// without.
    ///
    /// # What it does not report
    /// Answers of which the capture lacks the first bytes, and any other 400. A server that ends TCP without a word, as
    /// many do on such bytes.
    pub static RULE = "WS-TL-002" "scheme-port-mismatch" {
        severity: Error, category: Tls, reference: "RFC 6455 §3; RFC 8446 §6",
        explains: ["response-not-http", "response-not-101", "tls-handshake-failed"], asked_on: [Answer, Sealed], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    found.extend(tls_to_plain(connection).or_else(|| plain_to_tls(connection)));
}

/// The client hello was answered in plain HTTP.
fn tls_to_plain(connection: &Connection) -> Option<Finding> {
    let tls = connection.tls.as_deref().filter(|_| connection.outcome == Outcome::Encrypted)?;
    let answer = tls.plain_answer.as_ref()?;
    let line = answer.begins.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let line = quote::quoted(&String::from_utf8_lossy(line));
    let server = connection.tcp.server;
    Some(
        Finding::new(&RULE, answer.seen, "TLS sent to a port that speaks plain HTTP")
            .at_most(super::tls_handshake_failed::severity(tls))
            // Which of the two is set up wrongly the bytes do not show.
            .confidence(Confidence::Likely)
            .origin(Role::Server)
            .blame(Blame::Client)
            .message(format!(
                "the client began TLS and {server} answered in plain HTTP, {line}: this port does not speak TLS, so ws is meant or \
                 TLS is not switched on there"
            ))
            .shows(connection.first, "client hello of TLS")
            .shows(answer.seen, format!("{line} in plain HTTP"))
            .help("use the server's port for TLS, ws:// for this one, or switch TLS on there"),
    )
}

/// The upgrade request in plain HTTP was answered by TLS, or by somebody who wants it.
fn plain_to_tls(connection: &Connection) -> Option<Finding> {
    let request = connection.request.as_ref()?;
    let alert = connection.garbled.as_deref().filter(|garbled| {
        connection.outcome == Outcome::Garbled
            && matches!(*garbled.bytes, [0x15, 0x03, 0..=4, 0, 2, 1 | 2, ..])
    });
    let refused = connection.response.as_ref().and_then(|response| {
        let body = String::from_utf8_lossy(&response.body);
        let words = WORDS.iter().find(|words| body.contains(**words))?;
        (response.head.status == 400).then_some((response, *words))
    });
    let (seen, what) = match (alert, refused) {
        (Some(Garbled { seen, bytes, .. }), _) if trust::doubt(connection, Role::Server).is_none() => (
            *seen,
            format!("a TLS alert, {}", quote::hex(bytes.get(..bytes.len().min(7)).unwrap_or_default())),
        ),
        (_, Some((response, words))) => {
            (response.seen, format!("{} and the words {}", quote::status(response), quote::quoted(words)))
        }
        _ => return None,
    };
    let asker = if handshake::is_forwarded(request) { Blame::Gateway } else { Blame::Client };
    let declared = refused.is_some();
    Some(
        Finding::new(&RULE, seen, "plain HTTP sent to a TLS port")
            .confidence(if declared { Confidence::Certain } else { Confidence::Likely })
            .origin(Role::Server)
            .blame(if declared { asker } else { Blame::Server })
            .message(format!(
                "the {} sent the upgrade in plain HTTP and {} answered with {what}: {}",
                asker.name(),
                connection.tcp.server,
                if declared {
                    "this port wants TLS, so wss"
                } else {
                    "this port speaks TLS, so wss is meant or TLS is on where it should not be"
                }
            ))
            .shows(request.seen, format!("{} in plain HTTP", quote::request_line(request)))
            .shows(seen, what.clone())
            .help(if asker == Blame::Gateway {
                "let the gateway speak TLS to this upstream, or use a plain port of the upstream"
            } else {
                "use wss:// for this port, or a plain port of the server for ws://"
            }),
    )
}

/// What nginx, Go's net/http and Apache httpd say to plain HTTP on a TLS port.
const WORDS: [&str; 3] = [
    "The plain HTTP request was sent to HTTPS port",
    "Client sent an HTTP request to an HTTPS server",
    "speaking plain HTTP to an SSL-enabled server port",
];

#[cfg(test)]
mod tests {
    use super::{RULE, WORDS};
    use crate::connection::{Garbled, Outcome};
    use crate::role::Role::Server;
    use crate::rules::testing::{REQUEST, Scene};
    use crate::rules::{Blame, Confidence};
    use crate::tls::PlainAnswer;

    fn garbled(request: &str, bytes: &[u8]) -> Scene {
        Scene::tcp().request(request).with(|connection| {
            let unfinished = false;
            connection.garbled =
                Some(Box::new(Garbled { seen: connection.last, bytes: bytes.into(), unfinished }));
            connection.outcome = Outcome::Garbled;
        })
    }

    #[test]
    fn an_alert_in_answer_to_http_shows_a_port_with_tls() {
        let findings = garbled(REQUEST, b"\x15\x03\x01\x00\x02\x02\x46").findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name));
        assert_eq!((findings[0].blame, findings[0].confidence), (Blame::Server, Confidence::Likely));
        assert_eq!(findings[0].consequences[0].rule.name, "response-not-http");
    }

    #[test]
    fn every_known_sentence_is_certain() {
        for words in WORDS {
            let findings =
                Scene::answered("HTTP/1.1 400 Bad Request\r\n", &format!("<p>{words}</p>")).findings();
            assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name));
            assert_eq!((findings[0].blame, findings[0].confidence), (Blame::Client, Confidence::Certain));
            let leg = Scene::tcp().request(&format!("{REQUEST}X-Forwarded-For: 192.0.2.1\r\n"));
            let finding = leg.answer("HTTP/1.1 400 Bad Request\r\n", words).finds(RULE.name);
            assert_eq!(finding.blame, Blame::Gateway);
        }
    }

    #[test]
    fn plain_http_in_answer_to_a_client_hello_shows_a_port_without_tls() {
        let finding = Scene::tcp()
            .with(|connection| {
                let seen = connection.last;
                let begins = b"HTTP/1.1 400 Bad Request\r\nServer: nginx".as_slice().into();
                let plain_answer = Some(Box::new(PlainAnswer { seen, begins }));
                connection.outcome = Outcome::Encrypted;
                connection.tls =
                    Some(Box::new(crate::tls::Facts { plain_answer, ..crate::tls::Facts::default() }));
            })
            .fin(Server)
            .finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Likely));
        assert!(finding.message.contains("\"HTTP/1.1 400 Bad Request\""), "{}", finding.message);
        assert_eq!(finding.consequences[0].rule.name, "tls-handshake-failed");
    }

    #[test]
    fn other_bytes_other_400s_and_gaps_are_silent() {
        garbled(REQUEST, b"\x15\x03").silent(RULE.name);
        garbled(REQUEST, b"SSH-2.0-OpenSSH").silent(RULE.name);
        garbled(REQUEST, b"\x15\x03\x01\x00\x02\x02\x46").gap(Server).silent(RULE.name);
        Scene::answered("HTTP/1.1 400 Bad Request\r\n", "bad token").silent(RULE.name);
        Scene::session("", "").silent(RULE.name);
    }
}
