use crate::connection::{Connection, Span, Stall};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Confidence, Finding, quote, sealed, trust};

rule! {
    /// # What it finds
    /// A side that announced a TCP window of zero for at least 5 s.
    ///
    /// # Why it matters
    /// It does not read, so the other side cannot send: messages pile up there, pings go unanswered, and proxies cut the
    /// connection when their send timeout is over.
    ///
    /// # What causes it
    /// A consumer slower than its producer, a blocked program, or a reader that was paused and never resumed.
    ///
    /// # How to fix
    /// Read continuously and bound the queue behind it, or drop what nobody needs. While it lasts, a
    /// timeout decides when the proxy cuts: in nginx `send_timeout` for a client and `proxy_send_timeout` for an upstream, in
    /// HAProxy `timeout tunnel`.
    ///
    /// # What it does not report
    /// Shorter stalls, which are ordinary flow control. Where the capture lacks packets of either side it is only possible:
    /// the window may have opened in one of them; also where no packet says again, 5 s after the first, that it is zero, as the
    /// answers to the other side's probes do. No scale is needed to know a window of zero. Of TLS that no key opened it is
    /// information.
    pub static RULE = "WS-TR-005" "receiver-stalled" {
        severity: Warning, category: Transport, reference: "RFC 9293 §3.8.6",
        explains: [], asked_on: [Transport, Sealed], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for role in Role::BOTH.into_iter().filter(|_| sealed::may_be_session(connection)) {
        let stall = connection.tcp.stall[role].as_ref();
        let Some(Stall { span, told }) = stall.map(|stall| **stall) else { continue };
        if span.nanos() < LONG {
            continue;
        }
        let name = role.name();
        let seconds = quote::seconds(span.nanos() as f64 / 1e9);
        let repeated = Span { from: span.from, until: told };
        let once = (repeated.nanos() < LONG)
            .then(|| format!("the capture has no later packet of the {name} that says so again, and may lack one that opened it"));
        // An announcement that the window opened again may be among what the capture lacks; without payload it leaves no gap.
        let doubt =
            trust::doubt(connection, role).or_else(|| trust::doubt(connection, role.other())).or(once);
        found.push(
            Finding::new(&RULE, span.from, format!("{name} stopped reading"))
                .at_most(sealed::gravity(connection))
                .doubted(&doubt, Confidence::Possible)
                .origin(role)
                .blame(role)
                .message(format!(
                    "the {name} announced a window of zero for {seconds}, so the {} could not send",
                    role.other().name()
                ))
                .shows(span.from, format!("window of the {name} falls to zero"))
                .shows(span.until, format!("it opens or the connection ends, {seconds} later"))
                .shows_all(told, doubt.into_iter().collect())
                .help(format!("find out why the program of the {name} did not read at this time")),
        );
    }
}

/// Nanoseconds of a stall that are worth a word.
const LONG: i64 = 5_000_000_000;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::{Connection, Span, Stall};
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence, Severity};

    fn stalled(seconds: f64) -> Scene {
        stalls(Scene::session("", ""), seconds)
    }

    fn stalls(scene: Scene, seconds: f64) -> Scene {
        let mut from = None;
        let scene = scene.with(|c: &mut Connection| from = Some(c.last)).after(seconds).packet(|_| ());
        scene.with(|c: &mut Connection| {
            let stall = from.map(|from| Stall { span: Span { from, until: c.last }, told: c.last });
            c.tcp.stall.client = stall.map(Box::new);
        })
    }

    #[test]
    fn a_window_that_is_said_once_to_be_zero_may_have_opened_unseen() {
        let once = |c: &mut Connection| {
            let stall = c.tcp.stall.client.as_mut().unwrap();
            stall.told = stall.span.from;
        };
        let finding = stalled(7.0).with(once).finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Possible);
        assert!(finding.evidence.iter().any(|evidence| evidence.text.contains("says so again")));
    }

    #[test]
    fn a_reader_that_stops_is_to_blame() {
        let finding = stalled(7.0).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Certain));
        assert!(finding.message.contains("7.0 s"));
    }

    #[test]
    fn missing_packets_of_the_reader_make_it_possible() {
        for role in [Client, Server] {
            assert_eq!(stalled(7.0).gap(role).finds(RULE.name).confidence, Confidence::Possible);
        }
    }

    #[test]
    fn what_tls_may_have_carried_makes_it_information() {
        assert_eq!(stalls(Scene::sealed_at(0.0), 7.0).finds(RULE.name).severity, Severity::Info);
        stalls(Scene::tls_at(0.0), 7.0).silent(RULE.name);
    }

    #[test]
    fn short_stalls_are_silent() {
        stalled(4.0).silent(RULE.name);
        Scene::session("", "").silent(RULE.name);
    }
}
