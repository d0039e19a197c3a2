use crate::connection::{Connection, Outcome};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, handshake, quote, trust};

rule! {
    /// # What it finds
    /// An upgrade request in plain HTTP that reached a port which speaks TLS: the answer is a TLS alert, or a 400 whose
    /// text says so. Or the other way round: a client hello that was answered in plain HTTP.
    ///
    /// # Why it matters
    /// The two sides disagree about ws and wss, so no handshake can succeed. Behind a gateway it becomes a 502.
    ///
    /// # What causes it
    /// `ws://` where `wss://` is meant, or the opposite; a gateway that speaks plain HTTP to an upstream with TLS, such as
    /// `proxy_pass http://` to an HTTPS port, or TLS to one without.
    ///
    /// # How to fix
    /// Use the scheme of the port: `wss` in the client, or towards the upstream nginx `proxy_pass https://…`, HAProxy
    /// `ssl` on the server line, HTTPS as protocol of a cloud's target group.
    ///
    /// # What it does not report
    /// Answers of which the capture lacks the first bytes, and any other 400.
    pub static RULE = "WS-TL-002" "scheme-port-mismatch" {
        severity: Error, category: Tls, reference: "RFC 6455 §3; RFC 8446 §6",
        explains: ["response-not-http", "response-not-101", "tls-handshake-failed"], asked_on: [Answer],
        check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    found.extend(tls_to_a_plain_port(connection));
    let Some(request) = &connection.request else { return };
    let alert = connection.garbled.as_ref().filter(|(_, bytes)| {
        connection.outcome == Outcome::Garbled && matches!(**bytes, [0x15, 0x03, 0..=4, 0, 2, 1 | 2, ..])
    });
    let refused = connection.response.as_ref().and_then(|response| {
        let body = String::from_utf8_lossy(&response.body);
        let words = WORDS.iter().find(|words| body.contains(**words))?;
        (response.head.status == 400).then_some((response, *words))
    });
    let (seen, what) = match (alert, refused) {
        (Some((seen, bytes)), _) if trust::doubt(connection, Role::Server).is_none() => (
            *seen,
            format!("a TLS alert, {}", quote::hex(bytes.get(..bytes.len().min(7)).unwrap_or_default())),
        ),
        (_, Some((response, words))) => {
            (response.seen, format!("{} and the words {}", quote::status(response), quote::quoted(words)))
        }
        _ => return,
    };
    let asker = if handshake::is_forwarded(request) { Blame::Gateway } else { Blame::Client };
    let declared = refused.is_some();
    found.push(
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
    );
}

/// A client hello that was answered in plain HTTP.
fn tls_to_a_plain_port(connection: &Connection) -> Option<Finding> {
    let tls = connection.tls.as_deref().filter(|_| connection.outcome == Outcome::Encrypted)?;
    let (seen, bytes) = tls.http.as_ref()?;
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let line = String::from_utf8_lossy(line).into_owned();
    let name = tls.server_name.as_ref().map_or(String::new(), |name| format!(" for {}", quote::quoted(name)));
    Some(
        Finding::new(&RULE, *seen, "TLS sent to a port without TLS")
            .confidence(Confidence::Likely)
            .origin(Role::Server)
            .blame(Blame::Client)
            .message(format!(
                "the client sent a TLS client hello{name} and {} answered in plain HTTP with {}: this port does not speak TLS, so ws is meant, or TLS is off where it should be on",
                connection.tcp.server,
                quote::quoted(&line)
            ))
            .shows(connection.first, format!("client hello{name}"))
            .shows(*seen, format!("plain HTTP: {}", quote::quoted(&line)))
            .help("use ws:// for this port, or the port of the server that speaks TLS; in a gateway, http in place of https towards this upstream"),
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
    use crate::connection::Outcome;
    use crate::role::Role::Server;
    use crate::role::Sides;
    use crate::rules::testing::{REQUEST, Scene};
    use crate::rules::{Blame, Confidence};
    use crate::tls::{Facts, Opened, Version};

    fn garbled(request: &str, bytes: &[u8]) -> Scene {
        Scene::tcp().request(request).with(|connection| {
            connection.garbled = Some((connection.last, bytes.into()));
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
    fn a_client_hello_that_is_answered_in_plain_http_shows_a_port_without() {
        let scene = |http: Option<&[u8]>| {
            Scene::tcp()
                .with(|connection| {
                    let seen = connection.last;
                    connection.outcome = Outcome::Encrypted;
                    connection.tls = Some(Box::new(Facts {
                        version: None,
                        offered: Some(Version::TLS13),
                        cipher_suite: None,
                        server_name: Some(String::from("ws.example.org")),
                        alpn: None,
                        alpn_offered: Vec::new(),
                        opened: Opened::Nothing,
                        alerts: Vec::new(),
                        http: http.map(|bytes| (seen, bytes.into())),
                        sent: Sides::default(),
                    }));
                })
                .fin(Server)
        };
        let findings = scene(Some(b"HTTP/1.1 400 Bad Request\r\nServer: x")).findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name));
        assert_eq!((findings[0].blame, findings[0].confidence), (Blame::Client, Confidence::Likely));
        assert!(findings[0].message.contains("\"HTTP/1.1 400 Bad Request\""), "{}", findings[0].message);
        assert_eq!(findings[0].consequences[0].rule.name, "tls-handshake-failed");
        scene(None).silent(RULE.name);
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
    fn other_bytes_other_400s_and_gaps_are_silent() {
        garbled(REQUEST, b"\x15\x03").silent(RULE.name);
        garbled(REQUEST, b"SSH-2.0-OpenSSH").silent(RULE.name);
        garbled(REQUEST, b"\x15\x03\x01\x00\x02\x02\x46").gap(Server).silent(RULE.name);
        Scene::answered("HTTP/1.1 400 Bad Request\r\n", "bad token").silent(RULE.name);
        Scene::session("", "").silent(RULE.name);
    }
}
