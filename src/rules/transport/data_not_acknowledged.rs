use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Origin, Severity, quote, sealed, trust, undelivered};
use crate::tls::Facts;

rule! {
    /// # What it finds
    /// A session in whose midst one side vanished: what the other one sent was sent again and again, for 3 s or longer, and
    /// nothing came back. Or large packets alone vanished, as ICMP in the capture says; those of a TLS handshake,
    /// with its certificates, count too.
    ///
    /// # Why it matters
    /// The sender's program believes in a session that is dead, and loses what it sends. TCP alone gives up after many
    /// minutes; whoever ends it in the end is not the cause.
    ///
    /// # What causes it
    /// A laptop that sleeps, a phone that lost its network, a host that crashed or was cut off; a route, a tunnel or a
    /// firewall that began to drop the packets. Packets that are too big for a link on the way, where the ICMP that says so
    /// is filtered or not heeded: small messages pass, and a large one is the end. ICMP that the capture holds is quoted.
    ///
    /// # How to fix
    /// Find out what became of the silent host at this second. Send pings with a time limit from both sides, so that the end is
    /// noticed in seconds: `ping_interval` and `ping_timeout` of Python's websockets, a heartbeat with `terminate()` in ws;
    /// and let clients connect anew. Where packets are too big: let ICMP type 3 code 4 (type 2 of ICMPv6) pass every
    /// firewall, or clamp the MSS where the path is narrow (`TCPMSS --clamp-mss-to-pmtu` of iptables, `ip tcp adjust-mss`
    /// of Cisco).
    ///
    /// # What it does not report
    /// What was acknowledged in the end, a side that ended the connection itself, and captures that lack bytes of the silent
    /// side. A silence of 30 s or more before it is a matter of its own. Of TLS that no key opened it is information.
    pub static RULE = "WS-TR-006" "data-not-acknowledged" {
        severity: Error, category: Transport, reference: "RFC 9293 §3.8; RFC 6298 §5",
        explains: ["closed-without-close-frame", "close-unanswered", "ping-unanswered", "close-internal-error", "handshake-unanswered", "tls-handshake-failed"],
        asked_on: [Abrupt, Transport, Sealed], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    for speaker in Role::BOTH {
        found.extend(too_big(connection, speaker).or_else(|| vanished(connection, speaker.other())));
    }
}

/// Large packets of this side vanish. Small ones, and those of the other side, get through, so that either may go on for long.
fn too_big(connection: &Connection, speaker: Role) -> Option<Finding> {
    let reason = undelivered::black_hole(connection, speaker)?;
    // Of TLS that asked for nothing yet, it stopped the handshake.
    let is_handshake = !sealed::may_be_session(connection);
    let may_be = connection.tls.as_deref().is_some_and(Facts::offers_http1_at_most);
    if is_handshake && !may_be || trust::doubt(connection, speaker.other()).is_some() {
        return None;
    }
    let (stuck, speaks) = (reason.stuck(), speaker.name());
    let lasts = stuck.span.nanos() as f64 / 1e9;
    let finding = Finding::new(&RULE, stuck.span.from, format!("packets of the {speaks} too big for the path"))
        .at_most(if lasts >= LONG { Severity::Error } else { Severity::Warning })
        .at_most(if is_handshake { Severity::Error } else { sealed::gravity(connection) })
        .confidence(Confidence::Likely)
        .origin(Origin::Network)
        .blame(Blame::Network)
        .message(format!(
            "for {} nothing of what the {speaks} sent was acknowledged: {}; it was said {} times, and the {speaks} went on sending packets that are too big, so it does not hear it",
            quote::seconds(lasts),
            reason.told(),
            stuck.count
        ))
        .help(reason.help());
    Some(reason.shown(finding))
}

/// Nothing more came from this side, and nothing reached it.
fn vanished(connection: &Connection, silent: Role) -> Option<Finding> {
    let speaker = silent.other();
    let last = sealed::last_sent(connection, speaker)?;
    let repeats = connection.tcp.repeats[speaker].as_ref()?;
    let lasts = trust::elapsed(connection, last, repeats.span.until)?;
    let is_in_vain = super::repeats_in_vain(connection, speaker, REPEATS) && lasts >= SHORTEST;
    let came_back = sealed::last_sent(connection, silent).is_some_and(|seen| seen.at > last.at);
    let left = connection.ending.by.is_some_and(|(by, _)| by == silent);
    if !is_in_vain || came_back || left || trust::doubt(connection, silent).is_some() {
        return None;
    }
    let reason = undelivered::in_vain(connection, speaker, last);
    let over = connection.ending.by;
    let then = match over {
        Some((_, seen)) => format!(
            "; {} later the {} ended {} with {}",
            trust::elapsed(connection, last, seen).map_or(String::from("some time"), quote::seconds),
            speaker.name(),
            quote::transport(connection),
            quote::ending(connection)
        ),
        None => String::from("; the capture ended before anybody gave up"),
    };
    let (speaks, quiet) = (speaker.name(), silent.name());
    let (title, what, help) = match &reason {
        Some(reason) => {
            (format!("{quiet} no longer reached: {}", reason.name()), reason.told(), reason.help())
        }
        None => (
            format!("{quiet} no longer reached"),
            format!("the host of the {quiet} was gone or asleep, or the path dropped the packets"),
            format!(
                "find out whether the host of the {quiet} and its network were there at this second; pings with a time limit let the {speaks} notice it in seconds"
            ),
        ),
    };
    let finding = Finding::new(&RULE, last, title)
        .at_most(if over.is_some() || lasts >= LONG { Severity::Error } else { Severity::Warning })
        .at_most(sealed::gravity(connection))
        .confidence(Confidence::Likely)
        .origin(Origin::Network)
        .blame(reason.as_ref().map_or(Blame::Unknown, |reason| reason.blame(silent.into())))
        .message(format!(
            "what the {speaks} sent was sent again {} times in {} and nothing came back: {what}{then}",
            repeats.count,
            quote::seconds(lasts),
        ))
        .shows(last, format!("the last that the {speaks} sent for the first time"))
        .shows(repeats.span.until, format!("sent again for the last time, {} in all", repeats.count))
        .help(help);
    let finding = match &reason {
        Some(reason) => reason.shown(finding),
        None => finding,
    };
    Some(match over {
        Some((by, seen)) => {
            finding.shows(seen, format!("{} from the {}", quote::ending(connection), by.name()))
        }
        None => finding,
    })
}

/// Times that bytes are sent again where they are lost and not late.
const REPEATS: u32 = 3;

/// Seconds of vain repetition that are worth a word: a handover between two networks takes less.
const SHORTEST: f64 = 3.0;

/// Seconds after which it is a fault even where the capture ends in it.
const LONG: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::{Connection, Repeats, Reporter, Span, Undelivered};
    use crate::net::{Icmp, IcmpKind};
    use crate::role::Role::{self, Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Severity};

    /// The server's last message, sent again so often until so many seconds later.
    fn repeated(count: u32, seconds: f64) -> Scene {
        sent_again(Scene::session("", "").messages(Client, 1).messages(Server, 1), count, seconds)
    }

    fn sent_again(scene: Scene, count: u32, seconds: f64) -> Scene {
        let mut from = None;
        let scene = scene.after(0.2).packet(|seen| from = Some(seen)).after(seconds);
        scene.packet(|_| ()).with(|c: &mut Connection| {
            let span = from.map(|from| Span { from, until: c.last });
            c.tcp.repeats.server = span.map(|span| Box::new(Repeats { count, span }));
        })
    }

    #[test]
    fn a_client_that_vanished_amid_traffic_is_told_whoever_ends_it() {
        let open = repeated(5, 6.0).finds(RULE.name);
        assert_eq!((open.severity, open.blame), (Severity::Warning, Blame::Unknown));
        assert_eq!(repeated(6, 12.0).finds(RULE.name).severity, Severity::Error);
        let findings = repeated(5, 6.0).reset(Server).findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, RULE.name));
        assert_eq!(findings[0].consequences[0].rule.name, "closed-without-close-frame");
        assert!(findings[0].message.contains("the host of the client was gone"), "{}", findings[0].message);
    }

    #[test]
    fn a_record_that_no_key_opened_is_sent_again_as_well() {
        let scene = Scene::sealed_at(0.0).record(Client).record(Server);
        assert_eq!(sent_again(scene, 6, 12.0).finds(RULE.name).severity, Severity::Info);
        let scene = Scene::sealed_at(0.0).record(Client).record(Server);
        sent_again(scene, 6, 12.0).record(Client).silent(RULE.name);
    }

    #[test]
    fn a_handshake_of_tls_that_is_too_big_for_the_path_is_as_grave_as_a_session() {
        let stuck = |scene: Scene| {
            let mut from = None;
            let scene = scene.packet(|seen| from = Some(seen)).after(12.0).packet(|_| ());
            scene.with(|c: &mut Connection| {
                let Some(from) = from else { return };
                let says =
                    Icmp { by: [10, 0, 0, 1].into(), kind: IcmpKind::TooBig { mtu: None }, code: (3, 4) };
                let span = Span { from, until: c.last };
                let (stuck, reporter) = (Repeats { count: 5, span }, Reporter::Path);
                c.tcp.undelivered.server = vec![Undelivered { says, count: 5, span, stuck, reporter }];
            })
        };
        let finding = stuck(Scene::tls_at(0.0)).finds(RULE.name);
        assert_eq!((finding.severity, finding.blame), (Severity::Error, Blame::Network));
        assert_eq!(stuck(Scene::sealed_at(0.0)).finds(RULE.name).severity, Severity::Info);
        let page = stuck(Scene::tls_at(0.0));
        page.with(|c| c.tls.as_mut().unwrap().alpn_offered = vec![String::from("h2")]).silent(RULE.name);
    }

    #[test]
    fn who_comes_back_leaves_or_was_not_captured_is_not_told_to_have_vanished() {
        let by = |role: Role| repeated(5, 6.0).fin(role);
        by(Client).silent(RULE.name);
        repeated(5, 6.0).messages(Client, 1).fin(Server).silent(RULE.name);
        repeated(5, 6.0).unseen(Client).fin(Server).silent(RULE.name);
        repeated(2, 6.0).fin(Server).silent(RULE.name);
        repeated(5, 1.0).fin(Server).silent(RULE.name);
    }
}
