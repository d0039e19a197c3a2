use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Confidence, Finding, Severity, quote, trust};

rule! {
    /// # What it finds
    /// An upgrade that was accepted more than a second after the request, and after more than ten round trips.
    ///
    /// # Why it matters
    /// Slow upgrades are the early sign of what ends in 504: overload, cold starts, or something behind that hangs.
    ///
    /// # What causes it
    /// A busy server, one that is started for the request, or a slow look-up of names or credentials. Delays of 5, 10, 20
    /// or 30 s often are a name server or a connection that is tried again.
    ///
    /// # How to fix
    /// Measure what the handshake waits for on the server's side: name look-up, authentication, connection to an
    /// upstream.
    ///
    /// # What it does not report
    /// Refused upgrades, and connections of which packets are missing. Up to 5 s it is only information. Who of those
    /// behind the capture point took the time, one leg cannot tell: that is possible, no more. With both legs of a gateway,
    /// the upstream is asked where its leg was slow as well, and the gateway where it was not.
    pub static RULE = "WS-HS-018" "handshake-slow" {
        severity: Warning, category: Handshake, reference: "RFC 6455 §4.2.2",
        explains: [], asked_on: [SlowAnswer], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some((request, response)) = trust::handshake(connection) else { return };
    let doubt = Role::BOTH.iter().any(|&role| trust::doubt(connection, role).is_some());
    let Some(waited) = trust::elapsed(connection, request.seen, response.seen) else { return };
    let trip = trust::round_trip(connection);
    if doubt || waited <= SLOW || waited < trip.unwrap_or(SLOW) * TRIPS {
        return;
    }
    found.push(
        Finding::new(&RULE, response.seen, "slow handshake")
            .at_most(if waited > VERY_SLOW { Severity::Warning } else { Severity::Info })
            .confidence(Confidence::Possible)
            .origin(Role::Server)
            .blame(Role::Server)
            .message(format!(
                "the server's side accepted the upgrade {} after the request{}",
                quote::seconds(waited),
                trip.map_or(String::new(), |trip| format!(", where a round trip takes {}", quote::seconds(trip)))
            ))
            .shows(request.seen, quote::request_line(request))
            .shows(response.seen, format!("{} after {}", quote::status(response), quote::seconds(waited)))
            .help("measure what the handshake waits for on the server's side: name look-up, authentication, or an upstream"),
    );
}

/// Seconds above which people notice.
const SLOW: f64 = 1.0;

/// Seconds above which something hangs.
const VERY_SLOW: f64 = 5.0;

/// Round trips that a handshake may take.
const TRIPS: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene, both};
    use crate::rules::{Blame, Confidence, Severity};

    fn slow(seconds: f64) -> Scene {
        Scene::tcp().request(REQUEST).after(seconds).answer(ANSWER, "").messages(Client, 1)
    }

    #[test]
    fn delays_weigh_by_their_length() {
        let finding = slow(2.0).finds(RULE.name);
        assert_eq!((finding.severity, finding.confidence), (Severity::Info, Confidence::Possible));
        let finding = slow(8.0).finds(RULE.name);
        assert_eq!((finding.severity, finding.blame), (Severity::Warning, Blame::Server));
    }

    #[test]
    fn the_leg_that_holds_the_time_is_asked() {
        let quick = || Scene::session("", "").messages(Client, 1);
        assert_eq!(both(slow(8.0), slow(7.9)).finds(RULE.name).blame, Blame::Upstream);
        assert_eq!(both(slow(8.0), quick()).finds(RULE.name).blame, Blame::Gateway);
    }

    #[test]
    fn quick_far_lossy_and_refused_handshakes_are_silent() {
        slow(0.9).silent(RULE.name);
        let far = |c: &mut crate::connection::Connection| c.tcp.accepted = c.request.as_ref().map(|r| r.seen);
        Scene::tcp().after(0.7).request(REQUEST).after(2.0).answer(ANSWER, "").with(far).silent(RULE.name);
        slow(8.0).gap(Server).silent(RULE.name);
        slow(12.0).with(|c| c.tcp.accepted = None).finds(RULE.name);
        slow(3.0).with(|c| c.tcp.accepted = None).silent(RULE.name);
        Scene::tcp().request(REQUEST).after(8.0).answer("HTTP/1.1 404 X\r\n", "").silent(RULE.name);
    }
}
