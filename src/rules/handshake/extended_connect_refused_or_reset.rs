use crate::capture::Seen;
use crate::connection::{CloseState, Connection, Http2, Transport};
use crate::gateway::identify;
use crate::http::h2::ErrorCode;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Severity, quote, trust};

rule! {
    /// # What it finds
    /// An extended CONNECT for a WebSocket that was answered with another status than 2xx, or whose stream was ended by
    /// RST_STREAM or GOAWAY before both sides had sent Close.
    ///
    /// # Why it matters
    /// The stream is all that the WebSocket has: its end is a 1006 in both programs, while the HTTP/2 connection and the
    /// other streams on it go on, so that nothing shows on the level of TCP.
    ///
    /// # What causes it
    /// 400: a gateway lost the key that its HTTP/1.1 upstream needs. 403: upgrades are not enabled, as in Envoy by
    /// default. 501: a cache or server that knows no extended CONNECT. 502: the gateway could not turn it into an
    /// HTTP/1.1 upgrade. RST_STREAM with CANCEL: the TCP connection behind the gateway broke, or the client left;
    /// REFUSED_STREAM and GOAWAY: the server goes away or has too many streams; HTTP_1_1_REQUIRED: use HTTP/1.1.
    ///
    /// # How to fix
    /// Envoy: `allow_connect` and `upgrade_configs` on every HTTP/2 hop. For a stream that was reset, read the log of
    /// whoever reset it. Where a gateway cannot convert, keep WebSockets on HTTP/1.1.
    ///
    /// # What it does not report
    /// END_STREAM, which is an orderly end; a reset after both sides had sent Close; answers that a gateway made because
    /// of what stands behind it, which have their own rule. A 400 or 403 speaks of a gateway; where the answer shows no sign
    /// of one that is only possible.
    pub static RULE = "WS-H2-002" "extended-connect-refused-or-reset" {
        severity: Error, category: Handshake, reference: "RFC 8441 §5; RFC 9113 §5.4.2, §6.8",
        explains: ["response-not-101", "response-forbidden", "response-redirect", "response-426-upgrade-lost",
            "handshake-unanswered", "closed-without-close-frame", "close-unanswered", "client-aborts-after-101",
            "stream-ends-mid-frame"], asked_on: [Http2], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(stream) = connection.carrier.http2().filter(|stream| stream.is_extended_connect()) else {
        return;
    };
    if let Some((request, response)) = super::refusal(connection) {
        let status = response.head.status;
        let named = identify(&response.head, &response.body);
        let (blame, why, help) = reason(status);
        let product = named
            .first()
            .map_or(String::new(), |sign| format!("; the answer names {}", sign.signature.product));
        found.push(
            super::refused(&RULE, request, response, format!("extended CONNECT answered with {status}"))
                .confidence(if blame == Blame::Gateway && named.is_empty() {
                    Confidence::Possible
                } else {
                    Confidence::Likely
                })
                .blame(blame)
                .message(format!("the server's side answered the extended CONNECT with {status}, expected 2xx: {why}{product}"))
                .help(help),
        );
    } else if connection.ending.transport == Transport::StreamReset
        && connection.ending.close != Some(CloseState::Clean)
        && let Some((by, end)) = connection.ending.by
    {
        found.push(reset(connection, stream, by, end));
    }
}

/// The stream was reset.
fn reset(connection: &Connection, stream: &Http2, by: Role, end: Seen) -> Finding {
    let error = stream.reset.or(stream.goaway).map(|(_, error, _)| error);
    let how = quote::ending(connection);
    let session = connection.response.is_some();
    let left = by == Role::Client && matches!(error, Some(ErrorCode::CANCEL | ErrorCode::NO_ERROR));
    // RFC 9113 §8.5: a gateway tells so that the TCP connection behind it was reset; a server may mean something else by it.
    let broke = session && by == Role::Server && error == Some(ErrorCode::CANCEL);
    // With these errors the other side is accused of something that the capture need not show.
    let accuses = error.is_some_and(|error| matches!(error.0, 0x1 | 0x3 | 0x5 | 0x6 | 0x9 | 0xB));
    let when = if session { "inside the session" } else { "instead of an answer" };
    let mut finding = Finding::new(&RULE, end, format!("WebSocket stream reset by the {}", by.name()))
        .at_most(if left { Severity::Warning } else { Severity::Error })
        .doubted(&trust::doubt(connection, by.other()), Confidence::Likely)
        .confidence(if broke || accuses { Confidence::Likely } else { Confidence::Certain })
        .origin(by)
        .blame(match () {
            () if broke => Blame::Upstream,
            () if accuses => Blame::Unknown,
            () => by.into(),
        })
        .message(format!("the {} ended the stream with {how} {when}: {}", by.name(), meaning(by, error)))
        .shows(end, format!("{how} from the {} on stream {}", by.name(), stream.stream))
        .help(match error {
            Some(ErrorCode(0xD)) => String::from("let the client use HTTP/1.1 for WebSockets to this server"),
            Some(ErrorCode::REFUSED_STREAM) => String::from(
                "let the client try again on another connection, and check the limit of concurrent streams",
            ),
            _ => format!("read the log of the {} at this second for the stream that it reset", by.name()),
        });
    if let Some(request) = &connection.request {
        finding = finding.shows(request.seen, quote::request_line(request));
    }
    if let Some(response) = &connection.response {
        finding = finding.shows(response.seen, quote::status(response));
    }
    finding
}

/// What an error code says of a WebSocket (RFC 9113 §7).
fn meaning(by: Role, error: Option<ErrorCode>) -> &'static str {
    match (by, error.map(|error| error.0)) {
        (Role::Server, Some(0x8)) => {
            "the TCP connection behind a gateway broke, or the server gave the stream up"
        }
        (Role::Client, Some(0x0 | 0x8)) => "the client left",
        (_, Some(0x0)) => "it goes away without naming an error",
        (_, Some(0x1)) => "it saw a violation of HTTP/2, as in a header field that HTTP/2 forbids",
        (_, Some(0x2)) => "it failed by itself",
        (_, Some(0x3)) => "it was sent more than its window allows",
        (_, Some(0x5)) => "the other side sent on a stream that it had ended",
        (_, Some(0x7)) => "it did not process the stream, so that it can be tried again",
        (_, Some(0xA)) => "the connection that the CONNECT asked for broke",
        (_, Some(0xB)) => "it was asked for too much",
        (_, Some(0xD)) => "it wants HTTP/1.1 here",
        _ => "the error code says no more",
    }
}

/// Who is to blame for a status, why, and what to do.
fn reason(status: u16) -> (Blame, &'static str, &'static str) {
    match status {
        400 => (
            Blame::Gateway,
            "gateways answer so that lose the Sec-WebSocket-Key, which an HTTP/1.1 server behind them needs",
            "check that the gateway makes a Sec-WebSocket-Key when it forwards to HTTP/1.1, or keep WebSockets on HTTP/1.1",
        ),
        403 => (
            Blame::Gateway,
            "the policy refused, or upgrades are not enabled on this hop, as in Envoy by default",
            "enable websocket and allow_connect in Envoy, or find the policy that refuses in the server's log",
        ),
        401 | 407 => (
            Blame::Client,
            "credentials are missing or wrong",
            "send credentials with the extended CONNECT, in browsers by cookie or ticket",
        ),
        404 | 410 => (
            Blame::Server,
            "there is no WebSocket at this path",
            "compare the path with the routes of the server, also behind the gateway",
        ),
        405 | 501 => (
            Blame::Server,
            "the server does not know extended CONNECT for this resource",
            "enable WebSocket over HTTP/2 at the server, or let the client use HTTP/1.1",
        ),
        300..=399 => (
            Blame::Client,
            "WebSocket clients follow no redirect",
            "connect to the address that the answer names",
        ),
        _ => (
            Blame::Server,
            "the server's side refused or failed",
            "read the log of whoever answered, at this second",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::Transport;
    use crate::http::h2::ErrorCode;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{CONNECT, Scene};
    use crate::rules::{Blame, Confidence, Severity};

    fn session() -> Scene {
        Scene::http2().request(CONNECT).answer("HTTP/2.0 200 \r\n", "")
    }

    #[test]
    fn another_status_than_2xx_is_a_refusal_and_told_once() {
        for (status, blame) in
            [(400, Blame::Gateway), (403, Blame::Gateway), (404, Blame::Server), (501, Blame::Server)]
        {
            let findings =
                Scene::http2().request(CONNECT).answer(&format!("HTTP/2.0 {status} \r\n"), "").findings();
            assert_eq!(
                (findings.len(), findings[0].rule.name, findings[0].blame),
                (1, RULE.name, blame),
                "{status}"
            );
        }
        Scene::http2().request(CONNECT).answer("HTTP/2.0 502 \r\n", "").silent(RULE.name);
    }

    #[test]
    fn a_gateway_that_shows_no_sign_is_only_possible() {
        let refused = |answer: &str| Scene::http2().request(CONNECT).answer(answer, "").finds(RULE.name);
        assert_eq!(refused("HTTP/2.0 403 \r\n").confidence, Confidence::Possible);
        assert_eq!(refused("HTTP/2.0 403 \r\nserver: envoy\r\n").confidence, Confidence::Likely);
    }

    #[test]
    fn a_reset_names_its_error_and_its_sender() {
        let finding = session().messages(Client, 3).reset_stream(Server, ErrorCode::CANCEL).finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Likely);
        assert_eq!((finding.severity, finding.blame), (Severity::Error, Blame::Upstream));
        assert!(finding.message.contains("RST_STREAM CANCEL inside the session"), "{}", finding.message);
        assert_eq!(finding.consequences[0].rule.name, "closed-without-close-frame");
        let finding = session().reset_stream(Client, ErrorCode::CANCEL).finds(RULE.name);
        assert_eq!((finding.severity, finding.blame), (Severity::Warning, Blame::Client));
        let finding = Scene::http2().request(CONNECT).reset_stream(Server, ErrorCode(0xD)).finds(RULE.name);
        assert!(finding.message.contains("HTTP_1_1_REQUIRED instead of an answer"));
    }

    #[test]
    fn an_error_that_accuses_the_other_side_proves_nothing_of_it() {
        let reset = |by, error| {
            let finding = Scene::http2().request(CONNECT).reset_stream(by, ErrorCode(error)).finds(RULE.name);
            (finding.blame, finding.confidence)
        };
        for by in [Client, Server] {
            assert_eq!(reset(by, 0x1), (Blame::Unknown, Confidence::Likely));
            assert_eq!(reset(by, 0x2), (by.into(), Confidence::Certain));
        }
    }

    #[test]
    fn a_go_away_that_excludes_the_stream_is_a_reset() {
        let finding = Scene::http2()
            .request(CONNECT)
            .reset_stream(Server, ErrorCode::NO_ERROR)
            .stream(|stream| stream.goaway = stream.reset.take())
            .finds(RULE.name);
        assert!(finding.message.contains("GOAWAY NO_ERROR"));
    }

    #[test]
    fn orderly_ends_are_silent() {
        session()
            .close(Client, 1000, "")
            .close(Server, 1000, "")
            .reset_stream(Client, ErrorCode::CANCEL)
            .silent(RULE.name);
        session().close(Client, 1000, "").close(Server, 1000, "").fin(Server).silent(RULE.name);
        session().fin(Server).silent(RULE.name);
        Scene::session("", "").reset(Server).silent(RULE.name);
        let end = session().fin(Server).build().ending;
        assert_eq!(end.transport, Transport::Fin);
    }
}
