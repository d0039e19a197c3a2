use crate::connection::{Connection, Reset, ResetKind, Transport};
use crate::gateway::{Kind, TIMERS, Timer, Way};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, quote, sealed, trust, undelivered};

rule! {
    /// # What it finds
    /// A session in which, after a silence of at least 30 s, one side's data was sent again and again without an answer,
    /// or was answered by a RST at once.
    ///
    /// # Why it matters
    /// Both programs still believe in a connection that the path has forgotten. Data is lost, and it takes minutes until
    /// somebody notices.
    ///
    /// # What causes it
    /// A NAT gateway, firewall or load balancer that drops idle flows without telling: Azure Load Balancer after 4
    /// minutes unless told otherwise, others after 5 to 30. Or a host that slept, crashed or lost its network.
    ///
    /// # How to fix
    /// Send a Ping at half the shortest limit on the path. Let the load balancer reset idle flows or keep them longer:
    /// Azure `enableTcpReset` and `idleTimeoutInMinutes`, AWS Network Load Balancer `tcp.idle_timeout.seconds`
    /// of a TCP listener (the 350 s of a TLS listener are fixed).
    ///
    /// # What it does not report
    /// Shorter silences, captures that lack a part of the other side, TCP keepalive probes, and a RST with an ACK from the other
    /// host itself: that has the connection, and aborts it. Unless the silence was as
    /// long as a limit that is known for it, this is only possible: the other host may be gone. Of TLS that no key opened it is
    /// information.
    pub static RULE = "WS-TR-002" "silent-drop" {
        severity: Error, category: Transport, reference: "RFC 9293 §3.8; RFC 6455 §5.5.2",
        explains: ["data-not-acknowledged", "closed-without-close-frame", "ping-unanswered", "rst-foreign-origin", "mass-disconnect"],
        asked_on: [Silence, Sealed], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(silence) = sealed::silence(connection) else { return };
    let pause = silence.nanos() as f64 / 1e9;
    let spoke =
        |role: Role| sealed::last_sent(connection, role).is_some_and(|seen| seen.at >= silence.until.at);
    let speaker = match (spoke(Role::Client), spoke(Role::Server)) {
        (true, false) => Role::Client,
        (false, true) => Role::Server,
        _ => return,
    };
    let silent = speaker.other();
    if pause < LONG || Role::BOTH.iter().any(|&role| trust::doubt(connection, role).is_some()) {
        return;
    }
    let repeats = connection.tcp.repeats[speaker].as_ref();
    let repeats = repeats.filter(|_| super::repeats_in_vain(connection, speaker, 3));
    let reset = connection.tcp.reset.as_ref().filter(|reset| {
        reset.from == silent
            && (0..AT_ONCE).contains(&reset.seen.at.nanos_since(silence.until.at))
            && is_of_a_stranger(reset)
    });
    // An end in good order by the silent side shows that it is there and was reached.
    let ended = connection.ending.by.is_some_and(|(by, _)| by == silent)
        && connection.ending.transport == Transport::Fin;
    let is_black_hole = undelivered::black_hole(connection, speaker).is_some();
    if (repeats.is_none() && reset.is_none()) || ended || is_black_hole {
        return;
    }
    let known = forgetful(pause);
    let sure = known.is_some_and(|timer| timer.confirmed) && repeats.is_some();
    let like = known.map_or(String::new(), |timer| {
        format!("; {} forgets a flow after {:.0} s", timer.product, timer.seconds)
    });
    let then = match (repeats, reset) {
        (Some(repeats), _) => format!(
            "its data was sent again {} times in {} without an answer",
            repeats.count,
            quote::seconds(repeats.span.nanos() as f64 / 1e9)
        ),
        _ => String::from("its first packet was answered with RST"),
    };
    let reason = undelivered::in_vain(connection, speaker, silence.from);
    let says = reason.as_ref().map_or(String::new(), |reason| format!("; {}", reason.told()));
    let mut finding = Finding::new(&RULE, silence.until, "connection forgotten during a silence")
        .at_most(sealed::gravity(connection))
        .confidence(if sure { Confidence::Likely } else { Confidence::Possible })
        .origin(Origin::Network)
        .blame(reason.as_ref().map_or(Blame::Network, |reason| reason.blame(silent.into())))
        .message(format!(
            "after {} of silence the {} spoke and {then}: the path, or the host of the {}, no longer knew the connection{like}{says}",
            quote::seconds(pause),
            speaker.name(),
            silent.name()
        ))
        .shows(silence.from, "last data before the silence")
        .shows(silence.until, format!("the {} speaks again", speaker.name()))
        .help("send a Ping at half the shortest idle limit of the path, and let load balancers reset idle flows");
    if let Some(repeats) = repeats {
        finding = finding
            .shows(repeats.span.until, format!("sent again for the last time, {} in all", repeats.count));
    }
    if let Some(reason) = &reason {
        finding = reason.shown(finding);
    }
    if let Some(reset) = reset {
        finding = finding.shows(
            reset.seen,
            format!(
                "RST in the name of the {}, {}time to live {}",
                silent.name(),
                if reset.kind == ResetKind::NoConnection { "without ACK, " } else { "" },
                reset.ttl
            ),
        );
    }
    found.push(finding);
}

/// What is known to forget a flow after so many seconds.
fn forgetful(pause: f64) -> Option<&'static Timer> {
    TIMERS
        .iter()
        .filter(|timer| timer.kind == Kind::Idle && timer.ways.contains(&Way::Silence))
        .filter(|timer| pause >= timer.seconds && pause <= timer.seconds * 2.0)
        .max_by(|a, b| a.seconds.total_cmp(&b.seconds))
}

/// Whether a RST comes from where the connection is not known: the host that has it aborts with an ACK (RFC 9293 §3.10.7).
fn is_of_a_stranger(reset: &Reset) -> bool {
    reset.kind == ResetKind::NoConnection || reset.usual_ttl.is_some_and(|usual| usual != reset.ttl)
}

/// Seconds of silence below which nothing forgets a flow.
const LONG: f64 = 30.0;

/// Nanoseconds within which a RST answers a packet.
const AT_ONCE: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::{Connection, Repeats, Reset, ResetKind, Span};
    use crate::role::Role::{self, Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence, Severity};

    fn paused(seconds: f64) -> Scene {
        let mut from = None;
        let scene = Scene::session("", "").messages(Client, 1).messages(Server, 1);
        let scene = scene.with(|c: &mut Connection| from = Some(c.last)).after(seconds).messages(Client, 1);
        scene.with(|c: &mut Connection| c.silence = from.map(|from| Span { from, until: c.last }))
    }

    /// Sent again, so many seconds after the first time and so often.
    fn repeated(scene: Scene, by: Role, after: f64, count: u32) -> Scene {
        let mut from = None;
        let scene = scene.after(after).packet(|seen| from = Some(seen)).after(6.0);
        scene.packet(|_| ()).with(|c: &mut Connection| {
            let span = from.map(|from| Span { from, until: c.last });
            c.tcp.repeats[by] = span.map(|span| Box::new(Repeats { count, span }));
        })
    }

    fn answered_by_reset(scene: Scene, ttl: u8, kind: ResetKind) -> Scene {
        scene.reset(Server).with(|c: &mut Connection| {
            let usual_ttl = Some(64);
            c.tcp.reset =
                c.ending.by.map(|(from, seen)| Box::new(Reset { from, seen, ttl, usual_ttl, kind }));
        })
    }

    #[test]
    fn data_in_vain_after_four_minutes_is_the_networks() {
        let finding = repeated(paused(241.0), Client, 0.3, 6).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Network, Confidence::Likely));
        assert!(finding.message.contains("sent again 6 times") && finding.message.contains("Azure"));
        let finding = repeated(paused(45.0), Client, 0.3, 3).finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Possible);
    }

    #[test]
    fn the_records_of_tls_that_no_key_opened_show_it_too() {
        let paused = |by| Scene::sealed_at(0.0).record(Client).record(Server).after(241.0).record(by);
        let finding = repeated(paused(Client), Client, 0.3, 6).finds(RULE.name);
        assert_eq!((finding.blame, finding.severity), (Blame::Network, Severity::Info));
        assert!(
            finding.message.contains("after 4 min 1 s of silence the client spoke"),
            "{}",
            finding.message
        );
        repeated(paused(Client).record(Server), Client, 0.3, 6).silent(RULE.name);
        let page = repeated(paused(Client), Client, 0.3, 6);
        page.with(|c| c.tls.as_mut().unwrap().alpn_offered = vec![String::from("h2")]).silent(RULE.name);
    }

    #[test]
    fn a_reset_at_once_is_possible_and_the_root() {
        for (ttl, kind) in
            [(64, ResetKind::NoConnection), (60, ResetKind::NoConnection), (60, ResetKind::Abort)]
        {
            let findings = answered_by_reset(paused(400.0), ttl, kind).findings();
            assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name));
            assert_eq!(findings[0].confidence, Confidence::Possible);
        }
    }

    #[test]
    fn a_host_that_aborts_has_forgotten_nothing() {
        answered_by_reset(paused(400.0), 64, ResetKind::Abort).silent(RULE.name);
    }

    #[test]
    fn answers_short_pauses_probes_and_gaps_are_silent() {
        repeated(paused(20.0), Client, 0.3, 6).silent(RULE.name);
        repeated(paused(241.0), Client, 0.3, 2).silent(RULE.name);
        repeated(paused(241.0), Client, 75.0, 6).silent(RULE.name);
        repeated(paused(241.0).messages(Server, 1), Client, 0.3, 6).silent(RULE.name);
        repeated(paused(241.0), Client, 0.3, 6).gap(Server).silent(RULE.name);
        repeated(paused(241.0), Client, 0.3, 6).fin(Server).silent(RULE.name);
        answered_by_reset(paused(400.0).after(9.0), 64, ResetKind::NoConnection).silent(RULE.name);
        paused(400.0).silent(RULE.name);
    }
}
