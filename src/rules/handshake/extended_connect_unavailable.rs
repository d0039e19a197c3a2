use crate::connection::{ConnectProtocol, Connection, Http2, Request};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Severity, quote, trust};

rule! {
    /// # What it finds
    /// A WebSocket asked for over HTTP/2 in a way that the server did not allow, or that HTTP/2 does not have. It is one
    /// of these: an extended CONNECT without `SETTINGS_ENABLE_CONNECT_PROTOCOL` from the server, or before it came; one
    /// that lacks pseudo-header fields or carries `Connection` or `Upgrade`; an HTTP/1.1 upgrade, a GET with `Upgrade`
    /// or `Sec-WebSocket` fields, on an HTTP/2 stream.
    ///
    /// # Why it matters
    /// HTTP/2 has no `Upgrade`. RFC 8441 put extended CONNECT in its place, and a client may use it only after the server
    /// has announced it. A server that does not know it resets the stream or answers 400, 404, 405 or 501.
    ///
    /// # What causes it
    /// A client that speaks HTTP/2 wherever it can and forgets that WebSockets need more; a gateway that forwards an
    /// HTTP/1.1 upgrade to an HTTP/2 upstream; a server where RFC 8441 is switched off, as it is by default in many.
    ///
    /// # How to fix
    /// Enable it at the server (Envoy: `allow_connect` on every HTTP/2 hop; Node: `enableConnectProtocol`; HAProxy: no
    /// `h2-workaround-bogus-websocket-clients`). Or let the client use HTTP/1.1 for WebSockets: `http/1.1` as its only
    /// ALPN protocol, in HAProxy `ws h1` on the server line.
    ///
    /// # What it does not report
    /// A browser that opens a second connection with HTTP/1.1 where the server announced nothing: that is how it should
    /// be. Captures that lack the server's SETTINGS, or in which header fields are not known.
    pub static RULE = "WS-H2-001" "extended-connect-unavailable" {
        severity: Error, category: Handshake, reference: "RFC 8441 §3, §4, §5; RFC 9113 §8.2.2",
        explains: ["extended-connect-refused-or-reset", "response-not-101", "response-200-upgrade-ignored",
            "response-426-upgrade-lost", "response-forbidden", "response-redirect", "handshake-unanswered",
            "gateway-error-before-upgrade"], asked_on: [Http2], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let (Some(stream), Some(request)) = (connection.carrier.http2(), &connection.request) else { return };
    if !trust::knows_request(connection) {
        return;
    }
    let allowed = match stream.connect_protocol {
        ConnectProtocol::Absent(seen) => {
            Some((seen, "SETTINGS of the server without ENABLE_CONNECT_PROTOCOL"))
        }
        ConnectProtocol::Late(seen) => {
            Some((seen, "SETTINGS of the server with ENABLE_CONNECT_PROTOCOL = 1"))
        }
        ConnectProtocol::Announced | ConnectProtocol::Unknown => None,
    };
    let finding = if stream.is_extended_connect() {
        extended(connection, stream, request)
    } else {
        upgrade(stream, request)
    };
    let Some(mut finding) = finding else { return };
    if let Some((seen, text)) = allowed {
        finding = finding.shows(seen, text);
    }
    found.push(
        finding
            .origin(Role::Client)
            .shows(request.seen, quote::request_line(request))
            .shows_all(request.seen, quote::fields(&request.head.head, &["Upgrade", "Connection", "Via"])),
    );
}

/// An extended CONNECT that should not have been sent, or not so.
fn extended(connection: &Connection, stream: &Http2, request: &Request) -> Option<Finding> {
    let worked = trust::switched(connection);
    let hop = quote::fields(&request.head.head, &["Upgrade", "Connection"]);
    Some(if let ConnectProtocol::Absent(_) = stream.connect_protocol {
        Finding::new(&RULE, request.seen, "extended CONNECT that the server does not allow")
            .at_most(if worked { Severity::Warning } else { Severity::Error })
            .blame(Blame::Client)
            .message("the client sent an extended CONNECT although the server's SETTINGS do not have ENABLE_CONNECT_PROTOCOL")
            .help("enable WebSocket over HTTP/2 (RFC 8441) at the server, or let the client use HTTP/1.1 for WebSockets")
    } else if !stream.lacks.is_empty() {
        let names: Vec<&str> = stream.lacks.iter().map(|pseudo| pseudo.name()).collect();
        Finding::new(&RULE, request.seen, "extended CONNECT without its pseudo-header fields")
            .at_most(if worked { Severity::Warning } else { Severity::Error })
            .blame(Blame::Client)
            .message(format!(
                "the client's extended CONNECT lacks {}, expected :scheme, :path and :authority beside :protocol",
                quote::list(&names)
            ))
            .help("send :scheme, :path and :authority with every extended CONNECT, as RFC 8441 wants")
    } else if !hop.is_empty() {
        Finding::new(&RULE, request.seen, "extended CONNECT with fields of HTTP/1.1")
            .at_most(if worked { Severity::Warning } else { Severity::Error })
            .blame(Blame::Client)
            .message(format!(
                "the client's extended CONNECT has {}, which HTTP/2 forbids; strict servers reset the stream",
                quote::list(&hop)
            ))
            .help("leave Connection and Upgrade out of requests over HTTP/2")
    } else if let ConnectProtocol::Late(_) = stream.connect_protocol {
        Finding::new(&RULE, request.seen, "extended CONNECT before the server allowed it")
            .at_most(Severity::Info)
            .confidence(Confidence::Likely)
            .blame(Blame::Client)
            .message(
                "the client sent an extended CONNECT before the server's SETTINGS had come, which allow it",
            )
            .help("let the client wait for the server's SETTINGS before its first WebSocket")
    } else {
        return None;
    })
}

/// The way of HTTP/1.1.
fn upgrade(stream: &Http2, request: &Request) -> Option<Finding> {
    let help = match stream.connect_protocol {
        ConnectProtocol::Absent(_) => {
            "let the client use HTTP/1.1 for WebSockets here: this server does not announce RFC 8441"
        }
        _ => "send an extended CONNECT with :protocol websocket instead, or use HTTP/1.1 for WebSockets",
    };
    let key = if request.key.is_some() { ", though it has a Sec-WebSocket-Key" } else { "" };
    Some(
        Finding::new(&RULE, request.seen, "HTTP/1.1 upgrade attempted over HTTP/2")
            .blame(Blame::Client)
            .message(format!(
                "the client sent {} with fields of an HTTP/1.1 upgrade on an HTTP/2 stream, which asks for no WebSocket{key}; expected CONNECT with :protocol websocket",
                quote::short(&request.head.method)
            ))
            .help(help),
    )
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::ConnectProtocol;
    use crate::http::h2::Pseudo;
    use crate::rules::testing::{CONNECT, Scene};
    use crate::rules::{Blame, Severity};

    fn settings() -> crate::capture::Seen {
        Scene::tcp().build().first
    }

    #[test]
    fn what_the_server_does_not_allow_is_the_clients_fault_and_the_refusal_its_consequence() {
        let findings = Scene::http2()
            .stream(|stream| stream.connect_protocol = ConnectProtocol::Absent(settings()))
            .request(CONNECT)
            .answer("HTTP/2.0 405 \r\n", "")
            .findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name));
        assert_eq!((findings[0].severity, findings[0].blame), (Severity::Error, Blame::Client));
        assert_eq!(findings[0].consequences[0].rule.name, "extended-connect-refused-or-reset");
    }

    #[test]
    fn an_http_1_1_upgrade_on_a_stream_is_found() {
        let finding = Scene::http2()
            .stream(|stream| stream.protocol = None)
            .request("GET /chat HTTP/2.0\r\nupgrade: websocket\r\nsec-websocket-key: x\r\nsec-websocket-version: 13\r\n")
            .answer("HTTP/2.0 200 \r\n", "")
            .finds(RULE.name);
        assert!(finding.message.contains("GET") && finding.message.contains("Sec-WebSocket-Key"));
    }

    #[test]
    fn early_incomplete_and_polluted_requests_are_found() {
        let late = |stream: &mut crate::connection::Http2| {
            stream.connect_protocol = ConnectProtocol::Late(settings())
        };
        let finding =
            Scene::http2().stream(late).request(CONNECT).answer("HTTP/2.0 200 \r\n", "").finds(RULE.name);
        assert_eq!(finding.severity, Severity::Info);
        let finding = Scene::http2()
            .stream(|stream| stream.lacks = vec![Pseudo::Scheme])
            .request(CONNECT)
            .finds(RULE.name);
        assert!(finding.message.contains("lacks :scheme"));
        let finding = Scene::http2()
            .request(&format!("{CONNECT}connection: upgrade\r\n"))
            .answer("HTTP/2.0 200 \r\n", "")
            .finds(RULE.name);
        assert_eq!(finding.severity, Severity::Warning);
    }

    #[test]
    fn a_request_in_order_and_a_half_known_one_are_silent() {
        Scene::http2().request(CONNECT).answer("HTTP/2.0 200 \r\n", "").silent(RULE.name);
        Scene::http2()
            .stream(|stream| stream.connect_protocol = ConnectProtocol::Unknown)
            .request(CONNECT)
            .silent(RULE.name);
        Scene::http2()
            .stream(|stream| stream.connect_protocol = ConnectProtocol::Absent(settings()))
            .request(CONNECT)
            .with(|connection| connection.quality.unknown_fields.client = 1)
            .silent(RULE.name);
        Scene::session("", "").silent(RULE.name);
    }
}
