use crate::capture::Seen;
use crate::connection::{Connection, Garbled, Outcome};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, Severity, quote, trust};

rule! {
    /// # What it finds
    /// An upgrade request that was answered with bytes that are no HTTP, or with an HTTP head that breaks off.
    ///
    /// # Why it matters
    /// The port is open, but something else than an HTTP server answers there. A gateway turns the same bytes into a
    /// 502 or passes them on as they are.
    ///
    /// # What causes it
    /// A wrong port; TLS expected on one side only; a program that speaks WebSocket frames or a protocol of its own
    /// without the handshake. Of a head that breaks off: a program that crashed or was killed while it answered.
    ///
    /// # How to fix
    /// Check port and scheme, ws or wss, and look at the bytes: they often show what answered.
    ///
    /// # What it does not report
    /// Answers whose first bytes are missing from the capture. Where it lacks the server's SYN-ACK they may be, and it is a
    /// warning that is only possible.
    pub static RULE = "WS-HS-020" "response-not-http" {
        severity: Error, category: Handshake, reference: "RFC 6455 §4.1; RFC 9112 §4",
        explains: [], asked_on: [Answer], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(Garbled { seen, bytes, unfinished }) =
        connection.garbled.as_deref().filter(|_| connection.outcome == Outcome::Garbled)
    else {
        return;
    };
    if connection.quality.unseen[Role::Server] {
        return;
    }
    // Without a SYN-ACK nobody knows whether these are the first bytes of the server.
    let joined = connection.tcp.accepted.is_none();
    let joined_doubt = || joined.then(|| String::from("the capture lacks the first packets of the server"));
    let doubt = trust::doubt(connection, Role::Server).or_else(joined_doubt);
    if *unfinished {
        found.push(breaks_off(connection, *seen, bytes, &doubt));
        return;
    }
    let of_gateway = bytes.starts_with(b"Error occurred while trying to proxy");
    let guess = match &**bytes {
        _ if of_gateway => {
            "; so http-proxy-middleware 2 on Node, of which the development server of webpack is made, says that it did not reach its upstream"
        }
        [0x15 | 0x16, 0x03, ..] => "; they look like the first bytes of TLS, as if this port wanted wss",
        [b'S', b'S', b'H', ..] => "; this is an SSH server",
        [b'<', b'!' | b'h' | b'H', ..] => {
            "; it is a page without a status line, as Apache's mod_proxy_wstunnel sends when its upstream ends early"
        }
        _ => "",
    };
    let mut finding = Finding::new(&RULE, *seen, "answer that is no HTTP")
        .doubted(&doubt, Confidence::Possible)
        .at_most(if joined { Severity::Warning } else { Severity::Error })
        .origin(if of_gateway { Origin::Gateway } else { Origin::Server })
        .blame(if of_gateway { Blame::Upstream } else { Blame::Server })
        .message(format!(
            "the server's side answered the upgrade with bytes that are no HTTP, expected HTTP/1.1 101{guess}"
        ))
        .shows(
            *seen,
            format!("answer begins {}", quote::hex(bytes.get(..bytes.len().min(16)).unwrap_or_default())),
        )
        .help(if of_gateway {
            "start what that proxy passes on to, or correct its target; its log has the reason"
        } else {
            "check that client or gateway uses the right port and scheme (ws or wss) for this server"
        });
    if let Some(request) = &connection.request {
        finding = finding.shows(request.seen, quote::request_line(request));
    }
    found.push(finding);
}

/// Of an answer that begins as HTTP and never comes to the end of its head.
fn breaks_off(connection: &Connection, seen: Seen, bytes: &[u8], doubt: &Option<String>) -> Finding {
    let open = || String::from("the connection was still open when the capture ended");
    let doubt = doubt.clone().or_else(|| connection.ending.by.is_none().then(open));
    let ended = match connection.ending.by {
        Some((Role::Server, _)) => {
            format!("; the server's side ended TCP with {} there", quote::ending(connection))
        }
        _ => String::new(),
    };
    let mut finding = Finding::new(&RULE, seen, "answer that breaks off in its head")
        .doubted(&doubt, Confidence::Possible)
        .at_most(if doubt.is_some() { Severity::Warning } else { Severity::Error })
        .origin(Role::Server)
        .blame(Role::Server)
        .message(format!("the server's side began an HTTP answer to the upgrade and never ended its head{ended}"))
        .shows(seen, format!("answer begins {}", quote::short(&String::from_utf8_lossy(bytes))))
        .help("find out in the server's log why it stopped amid its answer: a crash, or a head that its library gave up writing");
    if let Some(request) = &connection.request {
        finding = finding.shows(request.seen, quote::request_line(request));
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::{Garbled, Outcome};
    use crate::role::Role::Server;
    use crate::rules::testing::{REQUEST, Scene};
    use crate::rules::{Blame, Confidence, Origin};

    fn garbled(bytes: &[u8]) -> Scene {
        let unfinished = bytes.starts_with(b"HTTP/");
        Scene::tcp().request(REQUEST).with(|connection| {
            connection.garbled =
                Some(Box::new(Garbled { seen: connection.last, bytes: bytes.into(), unfinished }));
            connection.outcome = Outcome::Garbled;
        })
    }

    #[test]
    fn bytes_that_are_no_http_are_the_servers() {
        let finding = garbled(b"\x15\x03\x01\x00\x02").finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Server, Confidence::Certain));
        assert!(finding.message.contains("wanted wss"));
        let finding = garbled(b"Error occurred while trying to proxy: localhost:9000/ws").finds(RULE.name);
        assert_eq!((finding.origin, finding.blame), (Some(Origin::Gateway), Blame::Upstream));
        assert!(finding.message.contains("http-proxy-middleware"), "{}", finding.message);
    }

    #[test]
    fn a_head_that_breaks_off_is_http_all_the_same() {
        let finding = garbled(b"HTTP/1.1 101 Switching Proto").fin(Server).finds(RULE.name);
        assert_eq!(finding.title, "answer that breaks off in its head");
        assert!(finding.message.ends_with("ended TCP with FIN there"), "{}", finding.message);
        assert_eq!((finding.blame, finding.confidence), (Blame::Server, Confidence::Certain));
        assert_eq!(garbled(b"HTTP/1.1 1").gap(Server).finds(RULE.name).confidence, Confidence::Possible);
    }

    #[test]
    fn missing_bytes_make_it_possible_and_http_is_silent() {
        assert_eq!(garbled(b"....").gap(Server).finds(RULE.name).confidence, Confidence::Possible);
        Scene::session("", "").silent(RULE.name);
    }
}
