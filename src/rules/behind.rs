//! Ends by a client that is itself a gateway: who ended the session before it.

use super::{Blame, Confidence, Context, Finding, Origin, handshake, quote, trust};
use crate::capture::Seen;
use crate::connection::Connection;
use crate::legs::Termination;
use crate::role::Role;

/// Says of a session that its client ended without a Close what speaks for a gateway in the client's place. `silence` is
/// how long nobody spoke before, where that is how a timer looks.
pub(super) fn weigh(
    connection: &Connection,
    end: Seen,
    silence: Option<f64>,
    context: &Context<'_>,
    finding: Finding,
) -> Finding {
    if let Some((termination, confidence)) = context.terminations.before(connection) {
        return joined(connection, end, silence, &termination, finding.confidence(confidence));
    }
    let forwarded = connection.request.as_ref().filter(|request| handshake::is_forwarded(request));
    let Some(request) = forwarded else { return finding };
    let mut finding = finding.confidence(Confidence::Likely).origin(Origin::Gateway).blame(Blame::Unknown).shows_all(
        request.seen,
        handshake::forwarded(request)
            .into_iter()
            .take(1)
            .map(|field| format!("a gateway stands for the client here, which may have ended it by itself or passed on the end: {field}"))
            .collect(),
    );
    finding.help = format!(
        "look in the log of the gateway {} at this second for who ended this session: its client, a timer, a reload or a stop; what would settle it: a capture between the client and the gateway",
        connection.tcp.client.ip
    )
    .into();
    finding
}

/// The same where the gateway's own client is known, by a TLS connection that goes together with this one.
fn joined(
    connection: &Connection,
    end: Seen,
    silence: Option<f64>,
    termination: &Termination,
    finding: Finding,
) -> Finding {
    let Termination { client, gateway, ended: (by, over), .. } = *termination;
    let tls = format!("TLS connection {client} → {gateway}");
    let first = (over.at, over.packet) < (end.at, end.packet);
    let (origin, blame, what, help) = if by == Role::Client && first {
        let what =
            format!("whose client had ended it{}", quote::before(trust::elapsed(connection, over, end)));
        let help = format!(
            "find out why the client {} behind the gateway left without a Close: killed, closed hard, or a network that it lost",
            client.ip
        );
        (Origin::Client, Blame::Client, what, help)
    } else {
        let when = match first {
            true => quote::before(trust::elapsed(connection, over, end)),
            false => quote::later(trust::elapsed(connection, end, over)),
        };
        let what = match by {
            Role::Server => format!("which it ended as well{when}"),
            Role::Client => format!("whose client ended it only{when}"),
        };
        let help = match silence {
            Some(_) => format!(
                "send a Ping at half of this silence, or raise the timeout of that length on the gateway {gateway}: proxy_read_timeout of nginx, timeout tunnel of HAProxy"
            ),
            None => format!(
                "read the log of the gateway {gateway} at this second: a timer, a reload, a stop, or a limit"
            ),
        };
        (Origin::Gateway, Blame::Gateway, what, help)
    };
    let mut finding = finding
        .origin(origin)
        .blame(blame)
        .shows(over, format!("{} ended the {tls} (tcp.stream {})", end_of(by), termination.stream.1));
    finding.message.push_str(&format!(
        "; this client may be the gateway that ends TLS, for the {tls} began and ended together with this one, {what}"
    ));
    finding.help = format!("{help}; what would settle it: a key log of that TLS").into();
    finding
}

/// Who ended the gateway's other connection.
const fn end_of(by: Role) -> &'static str {
    match by {
        Role::Client => "its client",
        Role::Server => "the gateway",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Connection;
    use crate::legs::Terminations;
    use crate::limits;
    use crate::role::Role::{Client, Server};
    use crate::rules::judge;
    use crate::rules::testing::{ANSWER, REQUEST, Scene, named};
    use std::net::IpAddr;

    /// A TLS connection to the host of the session's client, opened 20 ms before it and ended by `by` so many seconds after
    /// the start.
    fn tls(by: Role, over: f64) -> Connection {
        let scene = Scene::sealed_at(10.0).with(|tls| {
            tls.tcp.server.ip = IpAddr::from([10, 0, 0, 5]);
            tls.tcp.client.ip = IpAddr::from([192, 0, 2, 7]);
            tls.tcp.stream = 3;
        });
        scene.after(over - 10.03).fin(by).build()
    }

    /// A session behind it that its client ends 12 s after the start; further fields of its request.
    fn session(fields: &str) -> Connection {
        let scene = Scene::tcp_at(10.02).request(&format!("{REQUEST}{fields}")).answer(ANSWER, "");
        scene.messages(Client, 1).after(1.92).fin(Client).build()
    }

    fn told(session: &Connection, terminations: &[Connection]) -> Finding {
        let mut all = Terminations::default();
        terminations.iter().for_each(|termination| all.push(termination));
        let findings = judge(session, &Context { terminations: &all, ..Context::alone() });
        named(&findings, "closed-without-close-frame").unwrap().clone()
    }

    #[test]
    fn whoever_ended_the_tls_connection_before_the_gateway_ended_the_session() {
        let session = session("");
        let end = session.ending.by.unwrap().1.at.as_nanos() as f64 / 1e9;
        for (by, over, origin, blame, words) in [
            (Client, end - 0.03, Origin::Client, Blame::Client, "whose client had ended it 30 ms before"),
            (Server, end - 0.03, Origin::Gateway, Blame::Gateway, "which it ended as well 30 ms before"),
            (Server, end + 0.03, Origin::Gateway, Blame::Gateway, "which it ended as well 30 ms later"),
            (Client, end + 0.03, Origin::Gateway, Blame::Gateway, "whose client ended it only 30 ms later"),
        ] {
            let finding = told(&session, &[tls(by, over)]);
            assert_eq!((finding.origin, finding.blame), (Some(origin), blame), "{words}");
            assert_eq!(finding.confidence, Confidence::Possible);
            assert!(finding.message.contains(words), "{}", finding.message);
            let shown = finding.evidence.iter().any(|line| line.text.ends_with("(tcp.stream 3)"));
            assert!(shown, "{:?}", finding.evidence);
        }
    }

    #[test]
    fn a_request_that_names_the_client_makes_it_likely_and_one_that_names_another_does_not_fit() {
        let termination = || tls(Server, 12.0);
        let finding = told(&session("X-Forwarded-For: 192.0.2.7\r\n"), &[termination()]);
        assert_eq!((finding.blame, finding.confidence), (Blame::Gateway, Confidence::Likely));
        let finding = told(&session("X-Forwarded-For: 192.0.2.8\r\n"), &[termination()]);
        assert_eq!((finding.blame, finding.confidence), (Blame::Unknown, Confidence::Likely));
    }

    #[test]
    fn a_gateway_that_reaches_its_upstream_on_its_own_host_has_two_addresses() {
        let mut local = session("");
        (local.tcp.client.ip, local.tcp.server.ip) =
            (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 1]));
        let finding = told(&local, &[tls(Server, 12.0)]);
        assert_eq!((finding.blame, finding.confidence), (Blame::Gateway, Confidence::Possible));
        assert_eq!(told(&local, &[tls(Server, 14.0)]).blame, Blame::Client);
    }

    #[test]
    fn what_does_not_go_together_proves_nothing() {
        let alone = told(&session(""), &[]);
        assert_eq!((alone.blame, alone.confidence), (Blame::Client, Confidence::Certain));
        let termination = || tls(Server, 12.0);
        let with = |change: fn(&mut Connection)| {
            let mut termination = termination();
            change(&mut termination);
            termination
        };
        for others in [
            vec![termination(), termination()],
            vec![tls(Server, 14.0)],
            vec![with(|tls| tls.tcp.server.ip = IpAddr::from([10, 0, 0, 6]))],
            vec![with(|tls| tls.tcp.capture = 1)],
            vec![with(|tls| tls.first.at = tls.ending.by.unwrap().1.at)],
            vec![with(|tls| tls.tls.as_mut().unwrap().alpn_offered.push("h2".into()))],
            vec![with(|tls| tls.ending.by = None)],
        ] {
            let finding = told(&session(""), &others);
            assert_eq!((finding.message, finding.blame), (alone.message.clone(), Blame::Client));
        }
    }

    #[test]
    fn a_silence_sends_to_the_limits_of_the_gateway() {
        let scene = Scene::tcp_at(10.02).request(REQUEST).answer(ANSWER, "").messages(Client, 1);
        let session = scene.after(60.0).fin(Client).build();
        let end = session.ending.by.unwrap().1.at.as_nanos() as f64 / 1e9;
        let help = told(&session, &[tls(Server, end + 0.001)]).help;
        assert!(help.starts_with("send a Ping at half of this silence"), "{help}");
    }

    #[test]
    fn only_the_last_tls_connections_are_remembered() {
        let (ours, mut terminations) = (tls(Server, 12.0), Terminations::default());
        let other = Scene::sealed_at(10.0).fin(Server).build();
        terminations.push(&ours);
        for _ in 1..limits::TLS_TERMINATIONS {
            terminations.push(&other);
        }
        assert!(terminations.before(&session("")).is_some());
        terminations.push(&other);
        assert!(terminations.before(&session("")).is_none());
    }
}
