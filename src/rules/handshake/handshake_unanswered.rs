use crate::connection::{Connection, Outcome, Repeats, Request};
use crate::http::Body;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, Severity, quote, trust, undelivered};

rule! {
    /// # What it finds
    /// A complete upgrade request to which not a byte of an answer came before the connection ended.
    ///
    /// # Why it matters
    /// The request reached a machine, and nobody there replied. The client waits out its own timeout.
    ///
    /// # What causes it
    /// The server or gateway ended TCP at once: a crash, or a listener that is no HTTP. It stayed silent: a proxy waits
    /// for an upstream that never answers, a proxy that only relays a 101 swallowed a refusal, or a program has no
    /// handler for upgrades. Or it waits for a body that the request announces.
    ///
    /// # How to fix
    /// Add the upgrade handler: on Node `server.on('upgrade')`, with http-proxy also `ws: true`. Set time limits on the
    /// gateway, so that a 504 shows what is wrong: nginx `proxy_connect_timeout` and `proxy_read_timeout`, HAProxy
    /// `timeout connect` and `timeout server`.
    ///
    /// # What it does not report
    /// Captures that stop within ten seconds of the request, and those that lack part of the server's side. Of a connection
    /// that was joined midway silence is no proof: then it is only possible, and a warning. A client
    /// that left within a second, as scanners do, hardly waited: then it is only possible, and nobody is blamed. Where the
    /// request itself was sent again and again it did not arrive, and the network is asked; as it is where another time to live
    /// shows that the RST in place of an answer came from something on the path.
    pub static RULE = "WS-HS-017" "handshake-unanswered" {
        severity: Error, category: Handshake, reference: "RFC 6455 §4.1",
        explains: ["rst-foreign-origin"], asked_on: [Answer], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(request) = connection.request.as_ref().filter(|_| connection.outcome == Outcome::Unanswered)
    else {
        return;
    };
    // Without a SYN-ACK nobody knows what the server had sent before its first packet here.
    let joined = connection.tcp.accepted.is_none();
    let waited = waited(connection, request);
    let Some(cause) = Cause::of(connection, request, waited) else { return };
    if trust::is_doubtful_since(connection, Role::Server) || (joined && cause == Cause::Haste) {
        return;
    }
    let how = quote::ending(connection);
    let lost = lost(connection, request);
    let reason = lost.and_then(|_| undelivered::in_vain(connection, Role::Client, request.seen));
    // A server may read the body before it answers; one that ends at once has waited for nothing.
    let awaits_body = lost.is_none()
        && matches!(cause, Cause::Server | Cause::Client | Cause::Open)
        && request.head.body() != Body::None
        && waited.is_some_and(|waited| waited >= HASTE);
    let says = if joined {
        "the capture, which lacks the server's first packets, has no answer to the upgrade"
    } else {
        "the server's side sent no answer to the upgrade"
    };
    let (origin, blame) = match cause {
        _ if lost.is_some() => {
            (Origin::Network, reason.as_ref().map_or(Blame::Network, |reason| reason.blame(Blame::Server)))
        }
        Cause::Foreign(_) => (Origin::Network, Blame::Network),
        Cause::Haste => (Origin::Client, Blame::Unknown),
        Cause::Crossed => (Origin::Server, Blame::Unknown),
        _ if awaits_body => (Origin::Server, Blame::Client),
        Cause::Server | Cause::Client | Cause::Open => (Origin::Server, Blame::Server),
    };
    let arrived = if lost.is_some() {
        let why = reason.as_ref().map_or(String::new(), |reason| format!(": {}", reason.told()));
        format!("; the request was sent again in vain, so it did not arrive{why}")
    } else if let Some((reset, usual)) = connection.foreign_reset() {
        format!(
            "; it has time to live {}, other packets of the {} {usual}: something on the path sent it",
            reset.ttl,
            reset.from.name()
        )
    } else if awaits_body {
        String::from("; the request announces a body, and the server may wait for the end of it")
    } else {
        String::new()
    };
    let what = cause.told(connection, waited);
    let mut finding = Finding::new(&RULE, request.seen, "upgrade never answered")
        .at_most(if joined { Severity::Warning } else { Severity::Error })
        .confidence(match cause {
            Cause::Open | Cause::Haste => Confidence::Possible,
            _ if joined || awaits_body => Confidence::Possible,
            _ => Confidence::Likely,
        })
        .origin(origin)
        .blame(blame)
        .message(format!("{says}; {what}{arrived}"))
        .shows(request.seen, quote::request_line(request))
        .help(match cause {
            Cause::Foreign(_) => "look for a firewall or an inspecting proxy on the path that refuses upgrades",
            Cause::Crossed => "let whoever keeps connections give idle ones up sooner than the server does: its keepalive timeout above that of the client or gateway before it",
            _ if lost.is_some() => "find out where packets between client and server are lost: a firewall, a route, or a host that is gone",
            _ if awaits_body => "let the client send no Content-Length and no Transfer-Encoding with an upgrade request",
            Cause::Server if !request.subprotocols.list.is_empty() => {
                "find out in the server's log why it ended the connection at this second; libwebsockets does so where it has none of the subprotocols that are offered"
            }
            Cause::Server => "find out in the server's log why it ended the connection at this second",
            Cause::Haste => "let the client wait for the answer; if it does, look at its log for why it left",
            Cause::Client | Cause::Open => "find out whether the server has an upgrade handler for this path, or waits for something behind it",
        });
    if let Some((by, seen)) = connection.ending.by {
        let from = if matches!(cause, Cause::Foreign(_)) { "in the name of" } else { "from" };
        finding = finding.shows(seen, format!("{how} {from} the {}, no answer before it", by.name()));
    }
    if let Some(reason) = &reason {
        finding = reason.shown(finding).help(reason.help());
    }
    if let Some(repeats) = lost {
        finding = finding
            .shows(repeats.span.until, format!("the request is sent again, {} times in all", repeats.count));
    }
    found.push(finding);
}

/// Seconds from the request to the end, or to the last packet.
fn waited(connection: &Connection, request: &Request) -> Option<f64> {
    let until = connection.ending.by.map_or(connection.last, |(_, seen)| seen);
    trust::elapsed(connection, request.seen, until)
}

/// The request, where it was sent again and again.
fn lost<'a>(connection: &'a Connection, request: &Request) -> Option<&'a Repeats> {
    connection.tcp.repeats[Role::Client]
        .as_deref()
        .filter(|repeats| repeats.count >= REPEATS && repeats.span.from.packet > request.seen.packet)
}

/// What came in place of the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Nothing: the connection was still open when the capture ended.
    Open,
    /// A RST in the name of this side, which another time to live shows not to have sent it.
    Foreign(Role),
    /// The server ended a connection that was kept for another request, while this request was on its way.
    Crossed,
    /// The server ended the connection.
    Server,
    /// The client left, and hardly waited.
    Haste,
    /// The client gave up.
    Client,
}

impl Cause {
    /// Nothing where the capture ended too soon to say.
    fn of(connection: &Connection, request: &Request, waited: Option<f64>) -> Option<Cause> {
        let Some((by, seen)) = connection.ending.by else {
            return waited.is_some_and(|waited| waited >= PATIENCE).then_some(Cause::Open);
        };
        Some(match by {
            _ if connection.foreign_reset().is_some() => Cause::Foreign(by),
            Role::Server if seen.packet < request.seen.packet => Cause::Crossed,
            Role::Server => Cause::Server,
            Role::Client if waited.is_none_or(|waited| waited < HASTE) => Cause::Haste,
            Role::Client => Cause::Client,
        })
    }

    fn told(self, connection: &Connection, waited: Option<f64>) -> String {
        let (how, transport) = (quote::ending(connection), quote::transport(connection));
        let after = quote::after(waited);
        match self {
            Cause::Open => format!("the capture ended{after} without one"),
            Cause::Foreign(by) => format!("a RST in the name of the {} came{after} instead", by.name()),
            Cause::Crossed => format!(
                "the server's side had ended {transport} with {how} already: a connection that was kept for another request, and given up in that moment"
            ),
            Cause::Server => format!("the server's side ended {transport} with {how}{after} instead"),
            Cause::Haste => format!("the client left with {how}{after} already"),
            Cause::Client => format!("the client gave up with {how}{after}"),
        }
    }
}

/// Seconds after which silence is worth a word even if the capture ends in it.
const PATIENCE: f64 = 10.0;

/// Seconds below which a client hardly waited.
const HASTE: f64 = 1.0;

/// Times that a request is sent again where it is lost, not late.
const REPEATS: u32 = 2;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::{Connection, Repeats, Reset, ResetKind, Span};
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{REQUEST, Scene};
    use crate::rules::{Blame, Confidence, Origin, Severity};

    #[test]
    fn silence_is_the_servers_whoever_ends_it() {
        let finding = Scene::tcp().request(REQUEST).after(1.5).fin(Client).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Server, Confidence::Likely));
        assert!(finding.message.contains("gave up with FIN after 1.5 s"));
        assert!(Scene::tcp().request(REQUEST).reset(Server).finds(RULE.name).message.contains("RST"));
    }

    #[test]
    fn a_reset_that_something_on_the_path_sent_is_the_networks() {
        let told = |by, ttl| {
            let scene = Scene::tcp().request(REQUEST).reset(by).with(|c: &mut Connection| {
                let (usual_ttl, kind) = (Some(57), ResetKind::Abort);
                c.tcp.reset =
                    c.ending.by.map(|(from, seen)| Box::new(Reset { from, seen, ttl, usual_ttl, kind }));
            });
            scene.finds(RULE.name)
        };
        assert_eq!((told(Server, 57).blame, told(Client, 57).blame), (Blame::Server, Blame::Unknown));
        for by in [Server, Client] {
            let finding = told(by, 240);
            assert_eq!((finding.blame, finding.origin), (Blame::Network, Some(Origin::Network)));
            assert!(finding.message.contains("in the name of the"), "{}", finding.message);
            assert_eq!(finding.consequences[0].rule.name, "rst-foreign-origin");
        }
    }

    #[test]
    fn a_request_that_crosses_the_end_of_a_kept_connection_blames_nobody() {
        let finding = Scene::tcp().fin(Server).request(REQUEST).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Unknown, Confidence::Likely));
        assert!(finding.message.contains("had ended TCP with FIN already"), "{}", finding.message);
        assert_eq!(Scene::tcp().request(REQUEST).fin(Server).finds(RULE.name).blame, Blame::Server);
    }

    #[test]
    fn a_body_that_is_announced_may_be_what_the_server_waits_for() {
        let told = |fields: &str, waited| {
            let scene = Scene::tcp().request(&format!("{REQUEST}{fields}")).after(waited);
            let finding = scene.fin(Server).finds(RULE.name);
            (finding.blame, finding.confidence)
        };
        for fields in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
            assert_eq!(told(fields, 2.0), (Blame::Client, Confidence::Possible));
            assert_eq!(told(fields, 0.1), (Blame::Server, Confidence::Likely), "it refused at once");
        }
        assert_eq!(told("Content-Length: 0\r\n", 2.0), (Blame::Server, Confidence::Likely));
    }

    #[test]
    fn a_client_that_hardly_waits_blames_nobody() {
        let finding = Scene::tcp().request(REQUEST).after(0.2).reset(Client).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Unknown, Confidence::Possible));
    }

    #[test]
    fn a_request_that_was_sent_again_in_vain_did_not_arrive() {
        let again = |count| {
            let mut from = None;
            let scene = Scene::tcp().request(REQUEST).after(0.3).packet(|seen| from = Some(seen));
            scene.after(5.0).reset(Client).with(|c: &mut Connection| {
                let span = from.map(|from| Span { from, until: from });
                c.tcp.repeats.client = span.map(|span| Box::new(Repeats { count, span }));
            })
        };
        assert_eq!(again(3).finds(RULE.name).blame, Blame::Network);
        assert_eq!(again(1).finds(RULE.name).blame, Blame::Server);
    }

    #[test]
    fn a_capture_that_stops_or_lacks_the_server_is_silent() {
        Scene::tcp().request(REQUEST).silent(RULE.name);
        Scene::tcp().request(REQUEST).gap(Server).fin(Client).silent(RULE.name);
        Scene::tcp().request(REQUEST).unseen(Server).fin(Client).silent(RULE.name);
    }

    #[test]
    fn what_the_server_sent_before_a_capture_that_joined_midway_may_have_been_the_answer() {
        let joined = || Scene::tcp().request(REQUEST).with(|c| c.tcp.accepted = None);
        let finding = joined().fin(Server).finds(RULE.name);
        assert_eq!((finding.severity, finding.confidence), (Severity::Warning, Confidence::Possible));
        assert!(finding.message.starts_with("the capture, which lacks"), "{}", finding.message);
        joined().fin(Client).silent(RULE.name);
    }

    #[test]
    fn a_server_that_drops_an_offer_of_subprotocols_may_have_none_of_them() {
        let dropped = |offer: &str| {
            let scene = Scene::tcp().request(&format!("{REQUEST}{offer}"));
            scene.fin(Server).finds(RULE.name).help
        };
        assert!(dropped("Sec-WebSocket-Protocol: chat\r\n").contains("libwebsockets"));
        assert!(!dropped("").contains("libwebsockets"));
    }
}
