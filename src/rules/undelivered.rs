//! What ICMP errors add to packets that got no answer. Anybody can forge one (RFC 5927), so a cause that one of them names is
//! likely at most.

use super::{Blame, Finding, quote};
use crate::capture::Seen;
use crate::connection::{Connection, Repeats, Reporter, Undelivered};
use crate::net::{Endpoint, Icmp, IcmpKind};
use crate::role::Role;

/// The first that says that the packets find no way, whatever their size.
pub(super) fn refusal(errors: &[Undelivered]) -> Option<&Undelivered> {
    errors.iter().find(|one| !is_size(one))
}

/// Why what one side of a session sent after `since` was sent in vain, whatever its size.
pub(super) fn in_vain(connection: &Connection, speaker: Role, since: Seen) -> Option<Reason> {
    let errors = connection.tcp.undelivered[speaker].iter();
    let latest = errors.filter(|one| !is_size(one) && one.span.until.packet > since.packet);
    let &one = latest.max_by_key(|one| one.span.until.packet)?;
    Some(Reason { one, to: end(connection, speaker.other()), speaker: Some(speaker) })
}

/// That a link on the way takes no packets of the size that one side goes on sending. Who hears of it sends smaller ones at
/// once, and the next acknowledgment follows.
pub(super) fn black_hole(connection: &Connection, speaker: Role) -> Option<Reason> {
    let mut errors = connection.tcp.undelivered[speaker].iter();
    let &one =
        errors.find(|one| is_size(one) && one.stuck.count >= AGAIN && one.stuck.span.nanos() >= STUCK)?;
    Some(Reason { one, to: end(connection, speaker.other()), speaker: Some(speaker) })
}

/// Whether packets of one side did not arrive after `since`, or none that are large do: what it sends then waits behind them.
pub(super) fn hold_back(connection: &Connection, speaker: Role, since: Seen) -> bool {
    let mut errors = connection.tcp.undelivered[speaker].iter();
    errors.any(|one| one.span.until.packet > since.packet) || black_hole(connection, speaker).is_some()
}

fn is_size(one: &Undelivered) -> bool {
    matches!(one.says.kind, IcmpKind::TooBig { .. })
}

fn end(connection: &Connection, role: Role) -> Endpoint {
    if role == Role::Client { connection.tcp.client } else { connection.tcp.server }
}

/// What was said of the SYNs of an attempt, where that explains why it got no answer.
pub(super) fn of_syn(errors: &[Undelivered], to: Endpoint) -> Option<Reason> {
    refusal(errors).map(|&one| Reason { one, to, speaker: None })
}

/// Why packets do not arrive, as somebody on the way says.
pub(super) struct Reason {
    one: Undelivered,
    /// To whom they were sent.
    to: Endpoint,
    /// Who sent them within a session; `None` for a SYN.
    speaker: Option<Role>,
}

impl Reason {
    /// `host unreachable`.
    pub(super) fn name(&self) -> &'static str {
        self.one.says.name()
    }

    /// How often it was said, and from when to when, while nothing was acknowledged.
    pub(super) fn stuck(&self) -> Repeats {
        self.one.stuck
    }

    /// What is said, and what that means.
    pub(super) fn told(&self) -> String {
        let Icmp { by, kind, .. } = self.one.says;
        let who = match self.one.reporter {
            Reporter::Sender => format!("the sender's own host {by}"),
            Reporter::Path => format!("{by} on the way"),
            Reporter::Destination => format!("{by} itself"),
        };
        let name = self.name();
        let means = match kind {
            IcmpKind::NoRoute => String::from("it has no route to that network"),
            IcmpKind::NoHost => String::from("nobody answers at that address"),
            IcmpKind::NoPort => {
                String::from("for TCP that is a firewall's refusal, as a closed port answers with RST")
            }
            IcmpKind::Prohibited => String::from("a firewall refuses it"),
            IcmpKind::TooBig { mtu } => {
                let size = mtu.map_or(String::from("less"), |mtu| format!("{mtu} bytes at most"));
                format!("the next link takes {size}")
            }
            IcmpKind::Expired => {
                String::from("the packets go round in a circle, or are sent too short a way")
            }
            IcmpKind::Other => String::from("it does not deliver the packets"),
        };
        format!("{who} says by ICMP: {name}; {means}")
    }

    /// Where the cause lies. `receiver` stands where the packets should have arrived.
    pub(super) fn blame(&self, receiver: Blame) -> Blame {
        match (self.one.says.kind, self.one.reporter) {
            (IcmpKind::NoHost, _) | (IcmpKind::NoPort | IcmpKind::Prohibited, Reporter::Destination) => {
                receiver
            }
            _ => Blame::Network,
        }
    }

    /// What to do first.
    pub(super) fn help(&self) -> String {
        let (by, to) = (self.one.says.by, self.to);
        match self.one.says.kind {
            IcmpKind::NoRoute => {
                format!("give {by} a route to {}, or use an address that it can reach", to.ip)
            }
            IcmpKind::NoHost => format!("check that the host {} is up, and that this is its address", to.ip),
            IcmpKind::NoPort => format!(
                "let the firewall at {by} pass TCP to {to}; in Kubernetes a Service without endpoints is refused so, too"
            ),
            IcmpKind::Prohibited => format!("let the firewall at {by} pass TCP to {to}"),
            IcmpKind::TooBig { mtu } => format!(
                "let ICMP {} through to the sender, or clamp the MSS on the way to the path's MTU{}",
                if by.is_ipv4() { "type 3 code 4" } else { "type 2" },
                mtu.map_or(String::new(), |mtu| format!(
                    " ({} bytes for an MTU of {mtu})",
                    mtu.saturating_sub(if by.is_ipv4() { 40 } else { 60 })
                ))
            ),
            IcmpKind::Expired => format!("look for routers that send packets for {} to each other", to.ip),
            IcmpKind::Other => format!("find out why {by} does not deliver packets for {to}"),
        }
    }

    /// Shows the first error, and the last where there were more.
    pub(super) fn shown(&self, finding: Finding) -> Finding {
        let Undelivered { says, count, span, .. } = self.one;
        let (kind, code) = says.code;
        let mtu = match says.kind {
            IcmpKind::TooBig { mtu: Some(mtu) } => format!(", MTU of the next link {mtu}"),
            _ => String::new(),
        };
        let about = match self.speaker {
            Some(speaker) => format!("a packet of the {}", speaker.name()),
            None => String::from("the SYN"),
        };
        let finding = finding.shows(
            span.from,
            format!("ICMP type {kind} code {code} from {}, about {about}: {}{mtu}", says.by, self.name()),
        );
        if count == 1 {
            return finding;
        }
        let lasted = span.nanos() as f64 / 1e9;
        finding.shows(span.until, format!("the same again, {count} times in {}", quote::seconds(lasted)))
    }
}

/// Errors about one size that no sender waits for who hears them.
const AGAIN: u32 = 3;

/// Nanoseconds after which it is no matter of patience: by then a sender that looks for the size by itself (RFC 4821) has begun to.
const STUCK: i64 = 3_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::PacketId;
    use crate::connection::{Span, Unused};
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene, judged_together, named};
    use crate::rules::{Confidence, Severity};
    use crate::time::Timestamp;

    const ROUTER: [u8; 4] = [10, 0, 0, 1];

    fn seen(packet: u64, millis: i64) -> Seen {
        Seen { packet: PacketId::new(0, packet), at: Timestamp::from_nanos(millis * 1_000_000) }
    }

    fn said(kind: IcmpKind, reporter: Reporter, span: Span, count: u32) -> Undelivered {
        let says = Icmp { by: ROUTER.into(), kind, code: (3, 1) };
        Undelivered { says, count, span, stuck: Repeats { count, span }, reporter }
    }

    /// An attempt at a TCP connection of which this was said.
    fn attempt(server: Endpoint, client: Endpoint, at: Seen, kind: IcmpKind, reporter: Reporter) -> Unused {
        let undelivered = vec![said(kind, reporter, Span { from: at, until: at }, 1)];
        let (opened, syns, accepted, ended) = (at, 1, None, None);
        Unused { capture: 0, stream: 7, client, server, opened, syns, accepted, ended, undelivered }
    }

    #[test]
    fn who_refuses_a_gateways_syn_is_named_and_likely_to_blame() {
        let connection = Scene::answered("HTTP/1.1 502 Bad Gateway\r\n", "").build();
        let host = |host| Endpoint { ip: [10, 0, 0, host].into(), port: 8080 };
        for (kind, reporter, blame, says) in [
            (IcmpKind::NoHost, Reporter::Path, Blame::Upstream, "host unreachable; nobody answers"),
            (IcmpKind::NoRoute, Reporter::Path, Blame::Network, "network unreachable; it has no route"),
            (IcmpKind::Prohibited, Reporter::Path, Blame::Network, "on the way says by ICMP"),
            (IcmpKind::Prohibited, Reporter::Destination, Blame::Upstream, "10.0.0.1 itself says"),
            (IcmpKind::NoPort, Reporter::Destination, Blame::Upstream, "a firewall's refusal"),
            (IcmpKind::Expired, Reporter::Path, Blame::Network, "go round in a circle"),
            (IcmpKind::NoHost, Reporter::Sender, Blame::Upstream, "the sender's own host 10.0.0.1 says"),
        ] {
            let tried = attempt(host(20), host(9), seen(90, 25), kind, reporter);
            let judged = judged_together(std::slice::from_ref(&connection), &[tried]);
            let finding = named(&judged[0], "upstream-not-reached").unwrap();
            assert_eq!((finding.blame, finding.confidence), (blame, Confidence::Likely), "{kind:?}");
            assert!(finding.message.contains(says), "{}", finding.message);
            assert!(finding.evidence.iter().any(|line| line.text.contains("ICMP type 3")), "{finding:#?}");
        }
        // That a SYN was too big explains nothing.
        let tried =
            attempt(host(20), host(9), seen(90, 25), IcmpKind::TooBig { mtu: Some(68) }, Reporter::Path);
        let judged = judged_together(&[connection], &[tried]);
        let finding = named(&judged[0], "upstream-not-reached").unwrap();
        assert!(finding.message.contains("did not answer the SYN"), "{}", finding.message);
    }

    #[test]
    fn one_syn_that_was_refused_by_icmp_is_no_accident() {
        let session = Scene::tcp_at(1.0).request(REQUEST).answer(ANSWER, "").build();
        let (server, client) = (session.tcp.server, session.tcp.client);
        let find = |reporter| {
            let tried = attempt(server, client, seen(50_000, 50_000), IcmpKind::Prohibited, reporter);
            let judged = judged_together(std::slice::from_ref(&session), &[tried]);
            let finding = named(&judged[0], "tcp-connect-failed").unwrap();
            assert_eq!(finding.title, "TCP connection not delivered: administratively prohibited");
            finding.blame
        };
        assert_eq!((find(Reporter::Path), find(Reporter::Destination)), (Blame::Network, Blame::Server));
        let mut tried = attempt(server, client, seen(50_000, 50_000), IcmpKind::NoHost, Reporter::Path);
        tried.undelivered.clear();
        let judged = judged_together(std::slice::from_ref(&session), &[tried]);
        assert!(named(&judged[0], "tcp-connect-failed").is_none());
    }

    /// The client's last message, sent again for so many seconds, while this is said of it.
    fn sent_in_vain(kind: IcmpKind, seconds: f64) -> Scene {
        let mut from = None;
        let scene = Scene::session("", "").messages(Server, 1).messages(Client, 1);
        let scene = scene.after(0.2).packet(|seen| from = Some(seen)).after(seconds);
        scene.packet(|_| ()).with(|c: &mut Connection| {
            let Some(from) = from else { return };
            let span = Span { from, until: c.last };
            c.tcp.repeats.client = Some(Box::new(Repeats { count: 5, span }));
            c.tcp.undelivered.client = vec![said(kind, Reporter::Path, span, 5)];
        })
    }

    #[test]
    fn a_host_that_is_gone_is_told_by_who_says_so() {
        let finding = sent_in_vain(IcmpKind::NoHost, 12.0).finds("data-not-acknowledged");
        assert_eq!((finding.blame, finding.confidence), (Blame::Server, Confidence::Likely));
        assert_eq!(finding.title, "server no longer reached: host unreachable");
        assert!(finding.message.contains("10.0.0.1 on the way says by ICMP"), "{}", finding.message);
        let filtered = sent_in_vain(IcmpKind::Prohibited, 12.0).finds("data-not-acknowledged");
        assert_eq!(filtered.blame, Blame::Network);
    }

    #[test]
    fn packets_that_are_too_big_and_sent_on_are_a_black_hole_whoever_else_speaks() {
        let narrow = IcmpKind::TooBig { mtu: Some(1280) };
        let finding = sent_in_vain(narrow, 12.0).finds("data-not-acknowledged");
        assert_eq!(
            (finding.blame, finding.confidence, finding.severity),
            (Blame::Network, Confidence::Likely, Severity::Error)
        );
        assert_eq!(finding.title, "packets of the client too big for the path");
        assert!(finding.message.contains("1280 bytes at most"), "{}", finding.message);
        assert!(finding.help.contains("1240 bytes for an MTU of 1280"), "{}", finding.help);
        let closed = sent_in_vain(narrow, 5.0).messages(Server, 1).close(Server, 1000, "");
        let closed = closed.close(Client, 1000, "").fin(Server).finds("data-not-acknowledged");
        assert_eq!(closed.severity, Severity::Warning);
    }

    #[test]
    fn a_sender_that_heeds_it_and_a_capture_that_lacks_the_acknowledgments_are_not_told() {
        let narrow = IcmpKind::TooBig { mtu: Some(1280) };
        let heeded = |count, seconds: i64| {
            let scene = Scene::session("", "").messages(Client, 2);
            scene.with(move |c: &mut Connection| {
                let span = Span { from: seen(5, 1000), until: seen(9, 1000 + seconds * 1000) };
                c.tcp.undelivered.client = vec![said(narrow, Reporter::Path, span, count)];
            })
        };
        heeded(2, 60).silent("data-not-acknowledged");
        heeded(9, 2).silent("data-not-acknowledged");
        heeded(3, 3).finds("data-not-acknowledged");
        heeded(3, 3).gap(Server).silent("data-not-acknowledged");
    }

    #[test]
    fn a_request_that_did_not_arrive_is_told_with_who_says_so() {
        let mut from = None;
        let scene = Scene::tcp().request(REQUEST).after(0.2).packet(|seen| from = Some(seen)).after(12.0);
        let scene = scene.packet(|_| ()).with(|c: &mut Connection| {
            let Some(from) = from else { return };
            let span = Span { from, until: c.last };
            c.tcp.repeats.client = Some(Box::new(Repeats { count: 5, span }));
            c.tcp.undelivered.client = vec![said(IcmpKind::Prohibited, Reporter::Destination, span, 5)];
        });
        let finding = scene.fin(Client).finds("handshake-unanswered");
        assert_eq!(finding.blame, Blame::Server);
        assert!(finding.message.contains("did not arrive: 10.0.0.1 itself says"), "{}", finding.message);
    }
}
