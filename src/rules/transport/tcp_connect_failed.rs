use crate::connection::{Connection, Transport, Unused};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Context, Finding, Origin, Severity, quote, undelivered};

rule! {
    /// # What it finds
    /// TCP connections that a client tried to open to a server it uses for WebSocket, and that were refused with a RST,
    /// never answered, or not delivered as ICMP says. They are told on that client's WebSocket connection which lies
    /// nearest in time.
    ///
    /// # Why it matters
    /// No WebSocket can begin without TCP. Browsers show only 1006.
    ///
    /// # What causes it
    /// Refused: nothing listened on the port at that time, as during a restart, or a firewall refuses with RST.
    /// Unanswered: a firewall, a full accept queue, or a host that is gone. Not delivered: a router that finds no route
    /// or nobody at that address, or a firewall that refuses and says so.
    ///
    /// # How to fix
    /// RST: start the listener, or correct the port; a program that listens on 127.0.0.1 cannot be reached from
    /// outside. No answer: open the port in firewall and security group at both ends.
    ///
    /// # What it does not report
    /// Attempts at servers with which this client has no WebSocket in the capture, a single lost SYN, and connections of
    /// which only one side was captured. Where the client got through later it is a warning.
    pub static RULE = "WS-TR-001" "tcp-connect-failed" {
        severity: Error, category: Transport, reference: "RFC 6455 §4.1 step 4; RFC 9293 §3.5",
        explains: [], asked_on: [Unused], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let (client, server) = (connection.tcp.client.ip, connection.tcp.server);
    if Role::BOTH.iter().any(|&role| connection.quality.unseen[role]) {
        return;
    }
    let attempts = context.unused.of(client, server);
    if attempts.iter().all(|unused| Failure::of(unused).is_none()) {
        return;
    }
    let Some((from, until)) = context.census.nearest(connection) else { return };
    for failure in [Failure::Refused, Failure::Unanswered] {
        let is_near = |unused: &Unused| from < unused.opened.at && unused.opened.at <= until;
        let failed = attempts.iter().copied();
        let failed: Vec<&Unused> =
            failed.filter(|unused| Failure::of(unused) == Some(failure) && is_near(unused)).collect();
        let Some(first) = failed.first() else { continue };
        let later = context.census.last_of(client, server).is_some_and(|last| last > first.opened.at);
        found.extend(told(failure, &failed, later));
    }
}

/// What is said of attempts that failed in the same way; `later` where one after them got through.
fn told(failure: Failure, failed: &[&Unused], later: bool) -> Option<Finding> {
    let first = failed.first()?;
    let (client, server) = (first.client.ip, first.server);
    let unanswered = failed.iter().filter(|_| failure == Failure::Unanswered);
    let reason = unanswered.filter_map(|unused| undelivered::of_syn(&unused.undelivered, server)).next();
    let (title, what, help) = match (&reason, failure) {
        (Some(reason), _) => (
            format!("TCP connection not delivered: {}", reason.name()),
            format!("had no answer from there: {}", reason.told()),
            reason.help(),
        ),
        (None, Failure::Refused) => (
            String::from("TCP connection refused with RST"),
            String::from("refused with RST"),
            String::from(
                "find out why nothing listened on this port at this second: a restart, a crash, the wrong port, or a firewall that refuses with RST",
            ),
        ),
        (None, Failure::Unanswered) => (
            String::from("TCP connection never answered"),
            String::from("never answered"),
            String::from(
                "look for a firewall, a full accept queue, or a host that is gone between this client and the server",
            ),
        ),
    };
    let many = match failed.len() {
        1 => String::from("a connection attempt"),
        count => format!("{count} connection attempts"),
    };
    let then = if later { "; a later one got through" } else { "" };
    let (origin, blame) = match failure {
        Failure::Refused => (Origin::Server, Blame::Server),
        Failure::Unanswered => (Origin::Network, Blame::Network),
    };
    let mut finding = Finding::new(&RULE, first.opened, title)
        .at_most(if later { Severity::Warning } else { Severity::Error })
        // A firewall may send the RST in the server's name.
        .confidence(Confidence::Likely)
        .origin(origin)
        .blame(reason.as_ref().map_or(blame, |reason| reason.blame(Blame::Server)))
        .message(format!("{many} of {client} to {server} {what}{then}"))
        .help(help);
    for unused in failed.iter().take(SHOWN) {
        finding =
            finding.shows(unused.opened, format!("SYN from {}, sent {} times", unused.client, unused.syns));
        if let (Failure::Refused, Some((_, _, end))) = (failure, unused.ended) {
            let after = quote::seconds(end.at.seconds_since(unused.opened.at));
            finding = finding.shows(end, format!("RST from {server}, {after} later"));
        }
    }
    Some(match &reason {
        Some(reason) => reason.shown(finding),
        None => finding,
    })
}

/// How an attempt failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failure {
    Refused,
    Unanswered,
}

impl Failure {
    /// `None` where it was neither for sure.
    fn of(unused: &Unused) -> Option<Failure> {
        match (unused.accepted, unused.ended) {
            // One that comes later ends a connection whose SYN-ACK the capture lacks.
            (None, Some((Role::Server, Transport::Reset, end))) => {
                let waited = end.at.nanos_since(unused.opened.at);
                (unused.syns > 1 || waited < AT_ONCE).then_some(Failure::Refused)
            }
            (None, None | Some((Role::Client, ..)))
                if unused.syns >= SYNS || undelivered::refusal(&unused.undelivered).is_some() =>
            {
                Some(Failure::Unanswered)
            }
            _ => None,
        }
    }
}

/// Nanoseconds within which a single SYN is refused.
const AT_ONCE: i64 = 3_000_000_000;

/// SYNs without an answer that are no accident.
const SYNS: u32 = 3;

/// Attempts shown one by one.
const SHOWN: usize = 3;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::capture::{PacketId, Seen};
    use crate::connection::{Connection, Transport, Unused};
    use crate::role::Role::Server;
    use crate::rules::testing::{ANSWER, REQUEST, Scene, judged_together, named};
    use crate::rules::{Blame, Confidence, Severity};
    use crate::time::Timestamp;

    fn session(start: f64) -> Connection {
        Scene::tcp_at(start).request(REQUEST).answer(ANSWER, "").build()
    }

    fn attempt(at: f64, syns: u32, refused: bool, like: &Connection) -> Unused {
        let opened = Seen {
            packet: PacketId::new(0, (at * 1e3) as u64),
            at: Timestamp::from_nanos((at * 1e9) as i64),
        };
        Unused {
            capture: 0,
            stream: 9,
            client: like.tcp.client,
            server: like.tcp.server,
            opened,
            syns,
            undelivered: Vec::new(),
            accepted: None,
            ended: refused.then_some((Server, Transport::Reset, opened)),
        }
    }

    #[test]
    fn refused_attempts_are_told_once_on_the_nearest_session() {
        let sessions = [session(1.0), session(60.0)];
        let tries: Vec<Unused> =
            (0..4).map(|i| attempt(50.0 + f64::from(i), 1, true, &sessions[0])).collect();
        let judged = judged_together(&sessions, &tries);
        assert!(named(&judged[0], RULE.name).is_none());
        let finding = named(&judged[1], RULE.name).unwrap();
        assert_eq!(
            (finding.blame, finding.confidence, finding.severity),
            (Blame::Server, Confidence::Likely, Severity::Warning)
        );
        assert!(finding.message.contains("4 connection attempts") && finding.message.contains("got through"));
    }

    #[test]
    fn unanswered_attempts_are_the_networks() {
        let sessions = [session(1.0)];
        let judged = judged_together(&sessions, &[attempt(50.0, 4, false, &sessions[0])]);
        let finding = named(&judged[0], RULE.name).unwrap();
        assert_eq!((finding.blame, finding.severity), (Blame::Network, Severity::Error));
    }

    #[test]
    fn accepted_other_and_half_seen_attempts_are_silent() {
        let silent = |sessions: &[Connection], unused: Unused| {
            assert!(named(&judged_together(sessions, &[unused])[0], RULE.name).is_none());
        };
        let here = [session(1.0)];
        let accepted = Some(here[0].first);
        silent(&here, Unused { accepted, ..attempt(5.0, 3, true, &here[0]) });
        silent(&here, attempt(5.0, 1, false, &here[0]));
        // A SYN-ACK that the capture lacks: nobody is refused after a minute.
        let late = |syns| {
            let mut late = attempt(5.0, syns, true, &here[0]);
            late.ended = late.ended.map(|(by, how, _)| (by, how, attempt(65.0, 1, true, &here[0]).opened));
            late
        };
        silent(&here, late(1));
        assert!(named(&judged_together(&here, &[late(2)])[0], RULE.name).is_some());
        let mut other = attempt(5.0, 3, true, &here[0]);
        other.server.port = 9;
        silent(&here, other);
        let half = [Scene::session("", "").unseen(Server).build()];
        silent(&half, attempt(5.0, 3, false, &half[0]));
    }
}
