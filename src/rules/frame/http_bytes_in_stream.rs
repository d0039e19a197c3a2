use crate::connection::{Anomaly, Close, Connection};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, Severity, engine_io, quote, trust};
use crate::websocket::Violation;

rule! {
    /// # What it finds
    /// An HTTP message, or other text, where a frame should begin.
    ///
    /// # Why it matters
    /// Read as a frame, `HTTP` is FIN=0, RSV1=1, opcode 8, and other text is no better. So clients report `RSV1 must be clear` or
    /// `Invalid frame header`, and a meaningful close code before it turns into 1006.
    ///
    /// # What causes it
    /// A web framework that writes its normal response to a connection that was already upgraded, as Werkzeug, Flask's
    /// development server, does at the end of every session of Flask-Sock; two upgrade handlers on one server; or a proxy
    /// that sends its error page down an open tunnel. http-proxy-middleware 2, and so the development server of webpack, writes
    /// `Error occurred while trying to proxy` into the session when its upstream breaks away.
    ///
    /// # How to fix
    /// Return no response from a handler that has upgraded. Node: one `upgrade` listener that answers a path, ws with
    /// `noServer: true`, and no http-proxy-middleware with `ws: true` beside it. Update the proxy if the bytes are its
    /// own error page.
    ///
    /// # What it does not report
    /// Text inside a frame, and text that begins with the letter A or B, as a compressed message may. Where bytes of either side are missing it is a warning,
    /// and only possible. Behind a closing handshake in good order it is a warning: nobody reads there any more.
    pub static RULE = "WS-FR-010" "http-bytes-in-stream" {
        severity: Error, category: Frame, reference: "RFC 6455 §5.2",
        explains: ["rsv1-without-extension", "rsv-bits-misused", "opcode-reserved", "control-frame-invalid",
            "fragmentation-sequence-broken", "framing-lost", "server-frame-masked", "client-frame-unmasked",
            "data-after-close", "close-reports-peer-violation", "close-reply-differs", "closed-without-close-frame"], asked_on: [Anomaly], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    // Where bytes of either side are missing, the upgrade may be another one than it seems.
    let lacks = trust::doubt(connection, Role::Client).or_else(|| trust::doubt(connection, Role::Server));
    let strange =
        |anomaly: &&Anomaly| matches!(anomaly.kind, Violation::HttpInStream | Violation::TextInStream);
    for anomaly in connection.anomalies.iter().filter(strange) {
        let line = String::from_utf8_lossy(&anomaly.quote).replace(['\r', '\n'], " ");
        let page = is_error_page(&anomaly.quote);
        let closed = closed(connection, anomaly);
        let title = match anomaly.kind {
            Violation::HttpInStream => "HTTP message in the WebSocket stream",
            _ => "text in the WebSocket stream",
        };
        let mut finding = super::violation(&RULE, connection, anomaly, title);
        if page {
            finding = finding.origin(Origin::Gateway).blame(Blame::Gateway);
        }
        found.push(
            finding
                .confidence(if lacks.is_some() { Confidence::Possible } else { Confidence::Likely })
                .at_most(if lacks.is_some() || closed.is_some() { Severity::Warning } else { Severity::Error })
                .shows_all(anomaly.seen, lacks.clone().into_iter().collect())
                .message(format!(
                    "the {} sent {} where a frame should begin; read as a frame it has {}{}{}",
                    anomaly.from.name(),
                    quote::quoted(line.trim_end()),
                    as_frame(&anomaly.quote),
                    if page { "; it is what a proxy says whose upstream failed" } else { "" },
                    closed.map_or(String::new(), |close| format!(
                        "; it came behind its {}, and both sides closed with that code",
                        quote::close(close)
                    ))
                ))
                .help(if page {
                    "find out why what stands behind the proxy failed or broke away at this second, and update the proxy, or let it end the connection in place of writing into it"
                } else if refused_late(connection, anomaly) {
                    "let the client be as new as the server: Socket.IO answers so after the 101 to what it does not take, such as EIO=3 of a client of version 2 (allowEIO3 lets it in)"
                } else {
                    "return no HTTP response from a handler that has upgraded, and look for a proxy that writes error pages into open tunnels"
                }),
        );
    }
}

/// The Close that the sender of the bytes had sent before them, where the other side closed with the same code and so was
/// not disturbed.
fn closed<'a>(connection: &'a Connection, anomaly: &Anomaly) -> Option<&'a Close> {
    let close =
        connection.first_close(anomaly.from).filter(|close| close.seen.packet <= anomaly.seen.packet)?;
    let other = connection.first_close(anomaly.from.other())?;
    (close.code == other.code).then_some(close)
}

/// Whether a server of Socket.IO refuses a client only after the 101: seen of engine.io 6.
fn refused_late(connection: &Connection, anomaly: &Anomaly) -> bool {
    anomaly.from == Role::Server
        && anomaly.quote.starts_with(b"HTTP/1.1 400")
        && engine_io::version(connection).is_some_and(|version| version != "4")
}

/// Whether the bytes begin an answer with 502, 503 or 504, or what http-proxy-middleware writes in their place: seen of 2.0.12.
fn is_error_page(bytes: &[u8]) -> bool {
    let answer =
        bytes.starts_with(b"HTTP/1.") && matches!(bytes.get(8..12), Some(b" 502" | b" 503" | b" 504"));
    answer || bytes.starts_with(b"Error occurred w")
}

/// What a library takes the first letter for: `RSV1 set and opcode 8`.
fn as_frame(bytes: &[u8]) -> String {
    let first = bytes.first().copied().unwrap_or_default();
    let set: Vec<&str> = [(0x40, "RSV1"), (0x20, "RSV2"), (0x10, "RSV3")]
        .into_iter()
        .filter_map(|(bit, name)| (first & bit != 0).then_some(name))
        .collect();
    format!("{} set and opcode {}", quote::list(&set), first & 0x0F)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene, both};
    use crate::rules::{Blame, Origin, Severity};
    use crate::websocket::Violation::{self, HttpInStream, Rsv23, TextInStream};

    #[test]
    fn a_response_after_a_close_is_the_root_of_what_follows() {
        let findings = Scene::session("", "")
            .close(Server, 4400, "")
            .anomaly(Server, HttpInStream, b"HTTP/1.1 204 No ")
            .anomaly(Server, Rsv23, b"HT")
            .close(Client, 1002, "")
            .fin(Server)
            .findings();
        assert_eq!((findings[0].rule.name, findings[0].blame), (RULE.name, Blame::Server));
        assert!(findings[0].message.contains("HTTP/1.1 204 No"));
        assert!(findings[0].consequences.iter().any(|below| below.rule.name == "rsv-bits-misused"));
    }

    #[test]
    fn what_a_development_server_writes_into_the_session_is_no_frame() {
        let text = b"Error occurred while trying to proxy";
        let finding = Scene::session("", "").anomaly(Server, TextInStream, text).fin(Server).finds(RULE.name);
        assert_eq!((finding.title.as_ref(), finding.blame), ("text in the WebSocket stream", Blame::Gateway));
        assert!(
            finding.message.contains("RSV1 set and opcode 5; it is what a proxy says"),
            "{}",
            finding.message
        );
        assert!(finding.help.starts_with("find out why what stands"), "{}", finding.help);
        let other =
            Scene::session("", "").anomaly(Server, TextInStream, b"panic: no such t").finds(RULE.name);
        assert_eq!(other.blame, Blame::Server);
        assert!(other.message.contains("RSV1, RSV2 and RSV3 set and opcode 0"), "{}", other.message);
    }

    #[test]
    fn socket_io_that_refuses_an_old_client_after_the_101_is_told_so() {
        let help = |version: u8| {
            let request = REQUEST.replace("/chat?token=s3cret", &format!("/socket.io/?EIO={version}"));
            let scene = Scene::tcp().request(&request).answer(ANSWER, "");
            scene.anomaly(Server, HttpInStream, b"HTTP/1.1 400 Bad").finds(RULE.name).help
        };
        assert!(help(3).contains("allowEIO3"));
        assert!(help(4).starts_with("return no HTTP response"));
    }

    #[test]
    fn an_error_page_in_the_tunnel_is_the_gateways() {
        let page =
            Scene::session("", "").anomaly(Server, HttpInStream, b"HTTP/1.1 502 Bad Gateway\r\nServer");
        assert_eq!(page.finds(RULE.name).blame, Blame::Gateway);
        let other = Scene::session("", "").anomaly(Client, HttpInStream, b"GET / HTTP/1.1\r\n");
        assert_eq!(other.finds(RULE.name).blame, Blame::Client);
    }

    #[test]
    fn an_error_page_of_a_gateway_whose_upstream_ended_first_is_the_upstreams_fault() {
        let leg = || Scene::session("", "").messages(Client, 1);
        let page = || leg().after(1.0).anomaly(Server, HttpInStream, b"HTTP/1.1 502 Bad Gateway\r\n");
        let finding = both(page().fin(Server), leg().reset(Server)).finds(RULE.name);
        assert_eq!((finding.origin, finding.blame), (Some(Origin::Gateway), Blame::Upstream));
        assert!(finding.message.contains("RST from the upstream on the upstream leg"), "{}", finding.message);
        let finding = both(page().fin(Server), leg().after(2.0).fin(Client)).finds(RULE.name);
        assert_eq!(finding.blame, Blame::Gateway);
    }

    #[test]
    fn messages_are_silent() {
        Scene::session("", "").messages(Server, 2).silent(RULE.name);
    }

    #[test]
    fn what_came_before_it_had_another_reason() {
        let page = |scene: Scene| scene.anomaly(Server, HttpInStream, b"HTTP/1.1 200 OK\r\n");
        let findings =
            page(Scene::session("", "").messages(Client, 1).close(Server, 1009, "too big")).findings();
        assert!(findings.iter().all(|finding| finding.consequences.is_empty()), "{findings:#?}");
        assert!(findings.iter().any(|finding| finding.rule.name == "close-reports-peer-violation"));
        let opcode = Scene::session("", "").anomaly(Client, Violation::ReservedOpcode(3), b"\x83");
        let findings = page(opcode.close(Server, 1002, "")).findings();
        let root = findings.iter().find(|finding| finding.rule.name == "opcode-reserved").unwrap();
        assert_eq!(root.consequences[0].rule.name, "close-reports-peer-violation");
        let findings = page(Scene::session("", "").messages(Client, 1).fin(Client)).findings();
        assert!(findings.iter().any(|finding| finding.rule.name == "closed-without-close-frame"));
    }

    #[test]
    fn behind_a_closing_handshake_it_harmed_nobody() {
        let told = |reply| {
            let scene = Scene::session("", "").close(Server, 1000, "").close(Client, reply, "");
            scene.anomaly(Server, HttpInStream, b"HTTP/1.1 200 OK\r\n").fin(Server).finds(RULE.name)
        };
        let finding = told(1000);
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.message.ends_with("both sides closed with that code"), "{}", finding.message);
        assert_eq!(told(1002).severity, Severity::Error);
    }
}
