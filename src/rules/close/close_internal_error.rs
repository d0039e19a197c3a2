use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, Severity, quote, trust};

rule! {
    /// # What it finds
    /// A Close with 1011 Internal Error, or one with 1000 whose reason names an exception or an internal error: the latter is a
    /// warning, and possible.
    ///
    /// # Why it matters
    /// The sender could not go on: a fault of its program, or a keepalive that found the other side dead.
    ///
    /// # What causes it
    /// An exception that nobody caught; some programs put its text into a normal Close. With the reason `keepalive ping timeout` the sender is in order: its pings
    /// stayed unanswered, because the other program was blocked or the path was dead. A relay that cannot express what
    /// happened behind it sends 1011, too, as websockify and @fastify/http-proxy do where they cannot connect.
    ///
    /// # How to fix
    /// Read the sender's log at that second. After a keepalive timeout find out what blocked the other program, and
    /// raise `ping_timeout` of Python's websockets or `--ws-ping-timeout` of uvicorn if it is only slow.
    ///
    /// # What it does not report
    /// The echo of the same code from the other side.
    pub static RULE = "WS-CL-013" "close-internal-error" {
        severity: Error, category: Close, reference: "RFC 6455 §7.4.1",
        explains: ["close-code-wrong-side"], asked_on: [Close], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for close in super::own(connection).filter(|close| super::names_failure(close)) {
        let from = close.from.name();
        found.push(
            super::said(&RULE, connection, close, format!("{from} closed with 1000 over a failure"))
                .at_most(Severity::Warning)
                .confidence(Confidence::Possible)
                .message(format!(
                    "the {from} sent {}: the code is that of a normal end, the reason speaks of a failure",
                    quote::close(close)
                ))
                .help(format!(
                    "read the log of the {from} at this second, and let it close with 1011 where it fails"
                )),
        );
    }
    for close in super::own(connection).filter(|close| close.code == Some(1011)) {
        let (from, other) = (close.from, close.from.other());
        if close.reason == WEBSOCKIFYS && from == Role::Server {
            found.push(
                super::said(&RULE, connection, close, "websockify did not reach the server behind it")
                    .confidence(Confidence::Likely)
                    .origin(Origin::Gateway)
                    .blame(Blame::Upstream)
                    .message(format!(
                        "the gateway sent {}: websockify answers the upgrade first and connects then, and the TCP server behind it refused or was not there",
                        quote::close(close)
                    ))
                    .help("start the TCP server behind websockify, and check the host and port that websockify was given for it"),
            );
            continue;
        }
        if from == Role::Server && UNREACHED.iter().any(|error| close.reason.contains(error)) {
            found.push(
                super::said(&RULE, connection, close, "server did not reach what stands behind it")
                    .confidence(Confidence::Likely)
                    .blame(Blame::Upstream)
                    .message(format!(
                        "the server sent {}: a connection of its own failed, as that of a relay to its upstream, which some open only after the 101",
                        quote::close(close)
                    ))
                    .help("start what the reason names, or correct the address that the server, or the relay, uses for it"),
            );
            continue;
        }
        if !super::ping_timeout(close) {
            found.push(
                super::said(&RULE, connection, close, format!("internal error of the {}", from.name()))
                    .message(format!("the {} sent {}", from.name(), quote::close(close)))
                    .help(format!("read the log of the {} at this second", from.name())),
            );
            continue;
        }
        let doubt = trust::doubt(connection, other);
        let counts = connection.frames.as_ref().map(|frames| (frames[from].ping, frames[other].pong));
        let counted = counts.map_or(String::new(), |(pings, pongs)| {
            format!(
                "; the capture has {} from it and {} from the {}",
                count(pings, "ping"),
                count(pongs, "pong"),
                other.name()
            )
        });
        found.push(
            super::said(&RULE, connection, close, format!("pings unanswered by the {}", other.name()))
                .confidence(if doubt.is_some() { Confidence::Possible } else { Confidence::Likely })
                .blame(other)
                .message(format!("the {} gave up with {}{counted}", from.name(), quote::close(close)))
                .help(format!(
                    "find out what blocked the {} or the path to it, so that it did not answer pings",
                    other.name()
                )),
        );
    }
}

/// How Node tells that a connection failed, which relays such as @fastify/http-proxy (seen of 11) pass on as a reason.
const UNREACHED: [&str; 4] = ["ECONNREFUSED", "EHOSTUNREACH", "ETIMEDOUT", "ENOTFOUND"];

/// How websockify says that it found nobody behind it: seen of 0.13.0.
const WEBSOCKIFYS: &str = "Failed to connect to downstream server";

fn count(number: u64, name: &str) -> String {
    format!("{number} {name}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence, Origin, Severity};
    use crate::websocket::Violation;

    #[test]
    fn a_normal_close_whose_reason_names_a_failure_is_possibly_one() {
        let closed = |code, reason| Scene::session("", "").messages(Client, 1).close(Server, code, reason);
        let finding = closed(1000, "java.io.IOException: Broken pipe").finds(RULE.name);
        assert_eq!((finding.severity, finding.confidence), (Severity::Warning, Confidence::Possible));
        assert_eq!((finding.origin, finding.blame), (Some(Origin::Server), Blame::Server));
        // What the other side sends back says nothing of it.
        let echoed = closed(1000, "unhandled error").close(Client, 1000, "unhandled error").findings();
        assert_eq!(echoed.len(), 1, "{echoed:#?}");
        for (code, reason) in [(1000, ""), (1000, "Bye"), (1000, "normal closure"), (4000, "exception")] {
            closed(code, reason).silent(RULE.name);
        }
    }

    #[test]
    fn the_sender_is_asked() {
        let finding = Scene::session("", "")
            .close(Server, 1011, "db down")
            .close(Client, 1011, "db down")
            .finds(RULE.name);
        assert_eq!(finding.blame, Blame::Server);
    }

    #[test]
    fn after_a_frame_that_breaks_the_protocol_it_is_no_fault_of_its_own() {
        let scene = Scene::session("", "").anomaly(Client, Violation::Unmasked, &[0x81, 0x05]);
        let findings = scene.close(Server, 1011, "the sky is falling").findings();
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].rule.name, "client-frame-unmasked");
        assert_eq!(findings[0].consequences[0].rule.name, RULE.name);
    }

    #[test]
    fn after_unanswered_pings_the_other_side_is_asked() {
        let finding = Scene::session("", "")
            .pings(Server, 3)
            .close(Server, 1011, "keepalive ping timeout")
            .fin(Server)
            .finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Likely));
        assert!(finding.message.contains("3 pings from it and 0 pongs"));
    }

    #[test]
    fn a_gap_leaves_it_open_and_1000_is_silent() {
        let finding =
            Scene::session("", "").gap(Client).close(Server, 1011, "keepalive ping timeout").finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Possible);
        Scene::session("", "").close(Server, 1000, "").silent(RULE.name);
    }

    #[test]
    fn a_relay_that_names_the_refused_connection_is_not_to_blame() {
        let told = |from| {
            Scene::session("", "").close(from, 1011, "connect ECONNREFUSED 127.0.0.1:9").finds(RULE.name)
        };
        assert_eq!((told(Server).blame, told(Server).confidence), (Blame::Upstream, Confidence::Likely));
        assert_eq!(told(Client).blame, Blame::Client);
    }

    #[test]
    fn websockify_without_its_server_is_no_fault_of_its_own() {
        let scene = Scene::session("", "").close(Server, 1011, super::WEBSOCKIFYS);
        let finding = scene.finds(RULE.name);
        assert_eq!((finding.blame, finding.origin), (Blame::Upstream, Some(Origin::Gateway)));
    }
}
