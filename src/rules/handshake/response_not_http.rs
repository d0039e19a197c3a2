use crate::connection::{Connection, Outcome};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Confidence, Finding, Severity, quote, trust};

rule! {
    /// # What it finds
    /// An upgrade request that was answered with bytes that are no HTTP.
    ///
    /// # Why it matters
    /// The port is open, but something else than an HTTP server answers there. A gateway turns the same bytes into a
    /// 502 or passes them on as they are.
    ///
    /// # What causes it
    /// A wrong port; TLS expected on one side only; a program that speaks WebSocket frames or a protocol of its own
    /// without the handshake.
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
    let Some((seen, bytes)) =
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
    let guess = match &**bytes {
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
        .origin(Role::Server)
        .blame(Role::Server)
        .message(format!(
            "the server's side answered the upgrade with bytes that are no HTTP, expected HTTP/1.1 101{guess}"
        ))
        .shows(
            *seen,
            format!("answer begins {}", quote::hex(bytes.get(..bytes.len().min(16)).unwrap_or_default())),
        )
        .help("check that client or gateway uses the right port and scheme (ws or wss) for this server");
    if let Some(request) = &connection.request {
        finding = finding.shows(request.seen, quote::request_line(request));
    }
    found.push(finding);
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::Outcome;
    use crate::role::Role::Server;
    use crate::rules::testing::{REQUEST, Scene};
    use crate::rules::{Blame, Confidence};

    fn garbled(bytes: &[u8]) -> Scene {
        Scene::tcp().request(REQUEST).with(|connection| {
            connection.garbled = Some(Box::new((connection.last, bytes.into())));
            connection.outcome = Outcome::Garbled;
        })
    }

    #[test]
    fn bytes_that_are_no_http_are_the_servers() {
        let finding = garbled(b"\x15\x03\x01\x00\x02").finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Server, Confidence::Certain));
        assert!(finding.message.contains("wanted wss"));
    }

    #[test]
    fn missing_bytes_make_it_possible_and_http_is_silent() {
        assert_eq!(garbled(b"....").gap(Server).finds(RULE.name).confidence, Confidence::Possible);
        Scene::session("", "").silent(RULE.name);
    }
}
