use crate::connection::{Close, Connection};
use crate::gateway;
use crate::legs::Legs;
use crate::role::Role;
use crate::rules::gateway::upstream_not_reached;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, Severity, quote, trust};

rule! {
    /// # What it finds
    /// A Close with 1014 Bad Gateway from the server's side.
    ///
    /// # Why it matters
    /// Whoever the client reached declares itself a gateway and says that its upstream failed. It accepted the
    /// WebSocket first, so the client was connected to a gateway with nothing behind it, or lost what was there.
    ///
    /// # What causes it
    /// The upstream went away, refused, answered something that is no WebSocket, or did not answer. The sender is a
    /// relay that speaks WebSocket itself: an API gateway, a serverless worker, a bridge of your own. Tunnelling proxies
    /// such as nginx, HAProxy, Apache httpd, Traefik and Varnish never send it; behind one of those it came from further
    /// on.
    ///
    /// # How to fix
    /// Look at the relay's upstream at that second. Let the relay connect upstream before it answers the client, so
    /// that a dead upstream becomes an HTTP 502, 503 or 504. Before the 101 those statuses are the same fault; after it
    /// they are impossible, and 1014 is the word for it.
    ///
    /// # What it does not report
    /// Echoes of a client's 1014, and a 1014 from a client, which is a rule of its own. Where the reason speaks of
    /// access rights the code is misused, and it is only possible that an upstream failed.
    pub static RULE = "WS-GW-002" "close-1014-bad-gateway" {
        severity: Error, category: Gateway, reference: "IANA WebSocket Close Code Number Registry",
        explains: ["close-1014-rejected-by-peer", "close-reply-differs", "handshake-answer-altered",
            "gateway-injected-close", "upstream-not-reached", "response-not-http", "scheme-port-mismatch", "handshake-unanswered",
            "response-not-101", "response-200-upgrade-ignored", "response-forbidden", "closed-without-close-frame"], asked_on: [Close], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(close) = super::bad_gateway(connection) else { return };
    let answered = connection.closes.iter().any(|close| close.from == Role::Client);
    let doubt = trust::doubt(connection, Role::Client).filter(|_| !answered);
    let misused = super::about_access(close);
    let sign =
        connection.response.as_ref().and_then(|response| gateway::relay(&response.head, &response.body));
    let further = match &sign {
        Some(sign) if TUNNELS.contains(&sign.signature.product) => {
            format!("; {} only copies bytes, so it came from a gateway behind it", sign.signature.product)
        }
        _ => String::new(),
    };

    let mut finding = Finding::new(&RULE, close.seen, "gateway closed with 1014 Bad Gateway")
        .at_most(if doubt.is_some() { Severity::Warning } else { Severity::Error })
        .confidence(if misused || doubt.is_some() { Confidence::Possible } else { Confidence::Likely })
        .origin(Origin::Gateway)
        .blame(if misused { Blame::Server } else { Blame::Upstream })
        .shows(close.seen, format!("server's side sends {}", quote::close(close)))
        .shows_all(
            close.seen,
            doubt.map(|doubt| format!("{doubt}, so this may be an echo")).into_iter().collect(),
        );
    finding = if misused {
        finding
            .message(format!(
                "the server's side sent {}{}; the reason speaks of access rights, for which this code is often misused",
                quote::close(close),
                timing(connection, close)
            ))
            .help("close with 1008, 3000 or a code from 4000 to 4999 where access is refused, and keep 1014 for a failed upstream")
    } else {
        finding
            .message(failed(connection, close, "the gateway", &further))
            .help("check the upstream of this gateway at this second: whether it runs, listens on the expected port and speaks WebSocket there")
    };
    if let Some(response) = &connection.response {
        let text = match &sign {
            Some(sign) => format!(
                "accepted the WebSocket with {}; sign of a gateway: {}",
                response.head.status,
                quote::short(&sign.found)
            ),
            None => format!("accepted the WebSocket with {}", response.head.status),
        };
        finding = finding.shows(response.seen, text);
    }
    let last = connection.frames.as_ref().and_then(|frames| frames[Role::Server].last);
    if let Some(last) = last.filter(|last| last.packet < close.seen.packet) {
        finding = finding.shows(last, "last data from the server's side before it");
    }
    if let Some(reply) = connection.closes.iter().find(|reply| reply.from == Role::Client) {
        finding = finding.shows(reply.seen, format!("client answers {}", quote::close(reply)));
    }
    found.push(finding);
}

/// Says in the finding itself what became of the gateway's upstream, and where that is: of what hangs under it, a page shows no
/// more than a title.
pub(in crate::rules) fn name_upstream(finding: &mut Finding) {
    let is_upstream = |below: &&Finding| below.rule.name == upstream_not_reached::RULE.name;
    let below = finding.consequences.iter().find(is_upstream).filter(|_| finding.rule.name == RULE.name);
    if let Some(below) = below {
        finding.message.push_str(&format!("; {}", below.message));
        finding.help = below.help.clone();
    }
}

/// Says that the Close is of a gateway further on, where the leg behind this one shows it first.
pub(in crate::rules) fn passed_on(finding: &mut Finding, legs: &Legs<'_>) {
    let Some(close) = super::bad_gateway(legs.client).filter(|close| !super::about_access(close)) else {
        return;
    };
    let upstream = legs.upstream.tcp.server;
    let who = format!("the upstream {upstream}, itself a gateway or a relay,");
    finding.title = "gateway further on closed with 1014 Bad Gateway".into();
    finding.message = failed(legs.client, close, &who, "");
    finding.help = format!(
        "look behind {upstream} at this second: whether what it relays to runs, listens on the expected port and speaks WebSocket there; the gateway before it only passed the Close on"
    )
    .into();
}

/// That whoever sent it lost what stands behind.
fn failed(connection: &Connection, close: &Close, who: &str, further: &str) -> String {
    let relayed = connection.frames.as_ref().map_or(0, |frames| frames[Role::Server].messages);
    format!(
        "{who} sent {}{}: its upstream failed{}{further}; before the 101 the same fault is HTTP 502, 503 or 504",
        quote::close(close),
        timing(connection, close),
        match relayed {
            // Of what came before the capture began, or in a gap, nobody knows.
            0 if connection.response.is_none() || trust::is_doubtful(connection, Role::Server) =>
                String::new(),
            0 => String::from(", and no message had come through it"),
            1 => String::from(" after 1 message had come through it"),
            count => format!(" after {count} messages had come through it"),
        }
    )
}

fn timing(connection: &Connection, close: &Close) -> String {
    let answered = connection.response.as_ref();
    let after = answered.and_then(|response| trust::elapsed(connection, response.seen, close.seen));
    after.map_or(String::new(), |after| format!(" {} after it accepted the WebSocket", quote::seconds(after)))
}

/// Products that copy bytes after the 101 and never make a Close of their own.
const TUNNELS: [&str; 3] = ["nginx", "Apache httpd", "Traefik"];

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::capture::{PacketId, Seen};
    use crate::connection::{Transport, Unused};
    use crate::legs::Unconnected;
    use crate::net::Endpoint;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene, both};
    use crate::rules::{Blame, Confidence, Context, Origin, judge};
    use crate::time::Timestamp;

    #[test]
    fn the_gateway_spoke_and_the_upstream_is_to_blame() {
        let finding = Scene::session("", "")
            .messages(Server, 2)
            .close(Server, 1014, "upstream down")
            .close(Client, 1014, "upstream down")
            .fin(Server)
            .finds(RULE.name);
        assert_eq!(
            (finding.origin, finding.blame, finding.confidence),
            (Some(Origin::Gateway), Blame::Upstream, Confidence::Likely)
        );
        assert!(
            finding.message.contains("2 messages") && finding.message.contains("HTTP 502"),
            "{}",
            finding.message
        );
        assert!(finding.evidence.iter().any(|evidence| evidence.text.contains("\"upstream down\"")));
    }

    #[test]
    fn what_may_have_come_through_before_is_not_denied() {
        let told = |scene: Scene| scene.close(Server, 1014, "").finds(RULE.name).message;
        assert!(told(Scene::session("", "")).contains("no message had come through it"));
        let joined = Scene::session("", "").with(|c| (c.request, c.response) = (None, None));
        for scene in [joined, Scene::session("", "").gap(Server)] {
            assert!(!told(scene).contains("no message"));
        }
    }

    #[test]
    fn an_upstream_that_refused_is_named_in_the_finding_itself() {
        let endpoint = |ip: [u8; 4], port| Endpoint { ip: ip.into(), port };
        let seen = |packet, millis: i64| Seen {
            packet: PacketId::new(0, packet),
            at: Timestamp::from_nanos(millis * 1_000_000),
        };
        let refused = [Unused {
            capture: 0,
            stream: 7,
            client: endpoint([10, 1, 0, 1], 40_000),
            server: endpoint([10, 1, 0, 99], 8080),
            opened: seen(90, 35),
            syns: 1,
            undelivered: Vec::new(),
            accepted: None,
            ended: Some((Server, Transport::Reset, seen(91, 36))),
        }];
        let closed = Scene::session("", "").close(Server, 1014, "").close(Client, 1014, "").build();
        let context = Context { unused: &Unconnected::new(&refused), ..Context::alone() };
        let finding = judge(&closed, &context).remove(0);
        assert_eq!(finding.rule.name, RULE.name);
        assert!(finding.message.contains("tried 10.1.0.99:8080 before"), "{}", finding.message);
        assert!(finding.help.starts_with("start the upstream"), "{}", finding.help);
    }

    #[test]
    fn a_1014_that_came_through_is_not_said_to_be_of_the_gateway_before_it() {
        let leg =
            || Scene::session("", "").messages(Server, 1).close(Server, 1014, "").close(Client, 1014, "");
        let finding =
            both(leg(), leg().with(|c| c.closes.iter_mut().for_each(|close| close.seen.at = c.first.at)))
                .finds(RULE.name);
        assert_eq!(finding.blame, Blame::Upstream);
        assert!(finding.title.contains("further on"), "{}", finding.title);
        assert!(
            finding.message.starts_with("the upstream 10.1.0.20:8080, itself a gateway"),
            "{}",
            finding.message
        );
        assert!(finding.help.starts_with("look behind 10.1.0.20:8080"), "{}", finding.help);
    }

    #[test]
    fn a_reason_about_access_is_misuse() {
        let finding = Scene::session("", "")
            .close(Server, 1014, "INVALID TOKEN")
            .close(Client, 1014, "")
            .finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Server, Confidence::Possible));
    }

    #[test]
    fn signs_of_a_gateway_are_evidence() {
        let finding = Scene::tcp()
            .request(REQUEST)
            .answer(&format!("{ANSWER}CF-RAY: 8f\r\n"), "")
            .close(Server, 1014, "Backend WebSocket unavailable")
            .finds(RULE.name);
        assert!(finding.evidence[0].text.contains("CF-RAY"));
    }

    #[test]
    fn behind_a_tunnel_it_came_from_further_on() {
        let answer = format!("{ANSWER}Server: nginx\r\n");
        let finding =
            Scene::tcp().request(REQUEST).answer(&answer, "").close(Server, 1014, "").finds(RULE.name);
        assert!(finding.message.contains("nginx only copies bytes"));
    }

    #[test]
    fn echoes_are_silent_and_gaps_leave_it_open() {
        Scene::session("", "").close(Client, 1014, "").close(Server, 1014, "").silent(RULE.name);
        let finding = Scene::session("", "").gap(Client).close(Server, 1014, "").finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Possible);
    }
}
