use super::idle_timeout_close::agreement;
use crate::connection::Connection;
use crate::gateway::{Group, Kind, Parting, TIMERS, Timer, identify};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::sealed::{self, is_sealed};
use crate::rules::{Blame, Check, Confidence, Context, Finding, Origin, quote};

rule! {
    /// # What it finds
    /// A busy session that the server's side ended at an age at which it ended others, or at which a product that the
    /// handshake names ends every session.
    ///
    /// # Why it matters
    /// Something caps the life of a connection, busy or not. Heartbeats cannot help.
    ///
    /// # What causes it
    /// The timeout of a backend service on Google Cloud, 30 s unless set; two hours on Amazon API Gateway, four on Azure
    /// Front Door; Caddy `stream_timeout`, Envoy `max_stream_duration`. A token that expires looks the same.
    ///
    /// # How to fix
    /// Raise the limit above the longest session: Google Cloud `timeoutSec` of the backend service, Caddy
    /// `stream_timeout`, Envoy `max_stream_duration`. Amazon API Gateway (2 h) and Azure Front Door (4 h) cannot be
    /// changed: reconnect shortly before.
    ///
    /// # What it does not report
    /// Sessions that were quiet for the last third of their life, endings by the client, and equal ages of sessions that
    /// were ended at the same moment. Of TLS that no key opened an equal age is only information.
    pub static RULE = "WS-GW-005" "lifetime-limit-close" {
        severity: Warning, category: Gateway, reference: "RFC 6455 §7.2.1",
        explains: ["closed-without-close-frame", "close-going-away"], asked_on: [ServerLeft, Sealed], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(parting) = Parting::of(connection) else { return };
    let (Some(age), Some(quiet)) = (parting.age, parting.quiet) else { return };
    let busy = quiet < age / 10 * 3;
    if parting.by != Role::Server || !parting.how.is_impersonal() || !busy {
        return;
    }
    let agree = context.census.same_age(connection.tcp.server, age).copied().filter(Group::is_timer);
    let signs = connection.response.as_ref().map_or(Vec::new(), |r| identify(&r.head, &r.body));
    let named = |timer: &&Timer| signs.iter().any(|sign| sign.signature.product == timer.product);
    let fits = |timer: &&Timer| timer.kind == Kind::Lifetime && timer.ended(&parting);
    let known = TIMERS.iter().filter(fits).find(|timer| named(timer) || timer.seconds >= SHARP);
    if agree.is_none() && known.is_none() {
        return;
    }
    let seconds = quote::seconds(age as f64 / 1e9);
    let (what, how) = sealed::ended(connection, &parting);
    let like = known.map_or(String::new(), |timer| {
        format!("; {} ends every session at {:.0} s", timer.product, timer.seconds)
    });
    let many = agree.map_or(String::new(), |group| format!("; {}", agreement(group)));
    let mut finding =
        Finding::new(&RULE, parting.seen, format!("{}ended at an age of {:.0} s", if is_sealed(connection) { "TLS " } else { "" }, age as f64 / 1e9))
            .at_most(sealed::gravity(connection))
            .confidence(if agree.is_some() && !is_sealed(connection) { Confidence::Likely } else { Confidence::Possible })
            .origin(if known.is_some_and(|timer| named(&timer)) { Origin::Gateway } else { Origin::Server })
            .blame(Blame::Gateway)
            .message(format!(
                "the server's side ended {what} with {how} at an age of {seconds}, {} after its last data{like}{many}",
                quote::seconds(quiet as f64 / 1e9)
            ))
            .shows(connection.first, "the connection begins")
                .help(match known {
                Some(timer) => format!("heartbeats do not help; change {}", timer.setting),
                None => String::from(
                    "heartbeats do not help; raise the limit on the server's side that ends sessions at this age, or reconnect before it",
                ),
            });
    finding = sealed::shows_end(finding, connection, &parting, &how, "");
    for role in Role::BOTH {
        if let Some(last) = parting.last[role] {
            finding = finding.shows(last, format!("last data of the {}", role.name()));
        }
    }
    found.push(finding);
}

/// Seconds from which an age that fits within a second is a sign by itself.
const SHARP: f64 = 3600.0;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::Connection;
    use crate::gateway::{Kind, TIMERS, Way};
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene, judged_together, named};
    use crate::rules::{Blame, Confidence, Severity};

    fn busy(start: f64, age: f64, fields: &str) -> Scene {
        let scene = Scene::tcp_at(start).request(REQUEST).answer(&format!("{ANSWER}{fields}"), "");
        scene.messages(Client, 1).after(age * 0.9).messages(Server, 1).after(age * 0.1 - 0.06)
    }

    #[test]
    fn equal_ages_of_busy_sessions_are_a_limit() {
        let all: Vec<Connection> =
            (0..4).map(|i| busy(f64::from(i) * 80.0, 70.0, "").fin(Server).build()).collect();
        let judged = judged_together(&all, &[]);
        let finding = named(&judged[2], RULE.name).unwrap();
        assert_eq!((finding.confidence, finding.blame), (Confidence::Likely, Blame::Gateway));
        assert!(finding.message.contains("4 of 4") && finding.help.contains("heartbeats do not help"));
        assert!(named(&judged[2], "idle-timeout-close").is_none());
        assert!(finding.consequences.iter().any(|f| f.rule.name == "closed-without-close-frame"));
    }

    #[test]
    fn of_tls_that_no_key_opened_equal_ages_are_information() {
        let busy = |start: f64| Scene::sealed_at(start).after(65.0).record(Client).record(Server).after(5.0);
        let all: Vec<Connection> = (0..4).map(|i| busy(f64::from(i) * 80.0).fin(Server).build()).collect();
        let judged = judged_together(&all, &[]);
        let finding = named(&judged[2], RULE.name).unwrap();
        assert_eq!((finding.confidence, finding.severity), (Confidence::Possible, Severity::Info));
        assert_eq!(finding.title, "TLS ended at an age of 70 s");
        assert!(!finding.message.contains("Close"), "{}", finding.message);
    }

    #[test]
    fn every_known_limit_is_possible_behind_its_product() {
        for timer in TIMERS.iter().filter(|timer| timer.kind == Kind::Lifetime) {
            let fields = if timer.seconds < 60.0 { "Via: 1.1 google\r\n" } else { "" };
            for way in timer.ways {
                let scene = busy(0.0, timer.seconds, fields);
                let finding = match way {
                    Way::Close(code) => scene.close(Server, *code, "").fin(Server).finds(RULE.name),
                    Way::Reset => scene.reset(Server).finds(RULE.name),
                    _ => scene.fin(Server).finds(RULE.name),
                };
                assert_eq!(finding.confidence, Confidence::Possible, "{}", timer.product);
                assert!(finding.message.contains(timer.product), "{}", finding.message);
            }
        }
    }

    #[test]
    fn quiet_single_simultaneous_and_client_endings_are_silent() {
        busy(0.0, 30.0, "").fin(Server).silent(RULE.name);
        busy(0.0, 30.0, "Via: 1.1 google\r\n").fin(Client).silent(RULE.name);
        let quiet = Scene::tcp().request(REQUEST).answer(&format!("{ANSWER}Via: 1.1 google\r\n"), "");
        quiet.messages(Client, 1).after(30.0).fin(Server).silent(RULE.name);
        let together: Vec<Connection> =
            (0..5).map(|i| busy(f64::from(i) * 0.1, 20.0, "").fin(Server).build()).collect();
        assert!(judged_together(&together, &[]).iter().all(|findings| named(findings, RULE.name).is_none()));
    }
}
