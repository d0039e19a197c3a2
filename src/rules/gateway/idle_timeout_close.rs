use crate::connection::Connection;
use crate::gateway::{Group, How, Kind, Parting, TIMERS, Timer, identify, relay};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::sealed::{self, is_sealed};
use crate::rules::{Blame, Check, Confidence, Context, Finding, Origin, Severity, quote};

rule! {
    /// # What it finds
    /// A session that the server's side ended after a silence as long as the idle limit of a known product, or as long
    /// as the silence before other endings of the same server.
    ///
    /// # Why it matters
    /// Nothing failed: the connection was quiet longer than something on the path allows. Every user who pauses that
    /// long loses the session.
    ///
    /// # What causes it
    /// A timer of a proxy or load balancer, 60 s in most of them, which ends TCP without a Close; or one of the server,
    /// which sends Close 1000 or 1001. WebSocket pings count as traffic; TCP keepalives do not.
    ///
    /// # How to fix
    /// Send a Ping every 25 s, or at half the limit, from the side that the timer listens to. Or raise the limit: nginx
    /// `proxy_read_timeout` (ingress-nginx: the annotation `nginx.ingress.kubernetes.io/proxy-read-timeout`, in seconds without
    /// a unit), HAProxy `timeout tunnel`, Envoy `stream_idle_timeout`, Apache httpd `Timeout` (60 s, 300 in Debian's file) or
    /// `timeout=` of ProxyPass, whichever is longer, Varnish `pipe_timeout`, AWS `idle_timeout.timeout_seconds`, Azure Load
    /// Balancer `idleTimeoutInMinutes`.
    ///
    /// # What it does not report
    /// Silences of which the capture lacks a part, and endings by the client. One ending at a usual time without a sign
    /// of the product is only possible: an application may have the same period. With a Close 1000 that is only
    /// information, and so is it of TLS that no key opened: its records show the silence, not whether it was a WebSocket. Such
    /// connections are left out where the client offered other protocols than `http/1.1`, as browsers do for pages.
    pub static RULE = "WS-GW-004" "idle-timeout-close" {
        severity: Warning, category: Gateway, reference: "RFC 6455 §5.5.2, §7.2.1",
        explains: ["closed-without-close-frame", "close-going-away"], asked_on: [ServerLeft, Sealed], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(idle) = Idle::of(connection, context) else { return };
    let Idle { parting, quiet, best, agree, declared, .. } = &idle;
    let seconds = quote::seconds(*quiet);
    let (what, how) = sealed::ended(connection, parting);
    let since = best.map_or("the last byte in either direction", |timer| timer.resets.since());
    let measured = quote::seconds(best.and_then(|timer| timer.measured(parting)).unwrap_or(*quiet));
    let like = best.map_or(String::new(), |timer| {
        format!(
            "; this is how {} ends a connection after {:.0} s ({})",
            timer.product, timer.seconds, timer.setting
        )
    });
    let others: Vec<&str> = idle.others.iter().map(|timer| timer.product).take(8).collect();
    let others = match others.is_empty() {
        true => String::new(),
        false => format!("; so could {}", quote::list(&others)),
    };
    let many = agree.map_or(String::new(), |group| format!("; {}", agreement(group)));
    let limit = best.map_or(*quiet, |timer| timer.seconds);
    let tunnel = !matches!(parting.how, How::Close(_));
    let title =
        format!("{}ended after {limit:.0} s of silence", if is_sealed(connection) { "TLS " } else { "" });
    let mut finding = Finding::new(&RULE, parting.seen, title)
        .confidence(idle.confidence)
        .at_most(if idle.is_ordinary() { Severity::Info } else { sealed::gravity(connection) })
        .origin(if idle.is_gateway { Origin::Gateway } else { Origin::Server })
        .blame(if tunnel { Blame::Gateway } else { Blame::Server })
        .message(format!(
            "the server's side ended {what} with {how} {measured} after {since}{like}{others}{many}{}",
            if *declared { "; the reason says so itself" } else { "" }
        ))
        .help(format!(
            "{}send a Ping every {:.0} s, or {}",
            if is_sealed(connection) { "if it is a WebSocket, " } else { "" },
            (limit / 2.0).clamp(1.0, 25.0),
            best.map_or_else(
                || String::from("raise the idle limit of this length on the server's side"),
                |timer| format!("change the limit: {}", timer.setting)
            )
        ));
    finding = sealed::shows_end(
        finding,
        connection,
        parting,
        &how,
        &format!(", {seconds} after the last byte of either side"),
    );
    for role in Role::BOTH {
        if let Some(last) = parting.last[role] {
            finding = finding.shows(last, format!("last data of the {}", role.name()));
        }
    }
    if let (Some(sign), Some(response)) = (&idle.sign, &connection.response) {
        finding = finding.shows(response.seen, format!("sign of {}: {}", sign.0, quote::short(&sign.1)));
    }
    found.push(finding);
}

/// The idle limit that ended a session, as far as it shows.
pub(in crate::rules) struct Idle {
    parting: Parting,
    /// Seconds of silence.
    quiet: f64,
    /// The timer that fits best, and the others that fit.
    best: Option<&'static Timer>,
    others: Vec<&'static Timer>,
    /// Other endings of the server after the same silence.
    agree: Option<Group>,
    /// The Close says so itself.
    declared: bool,
    /// A product that the handshake names, and the sign of it.
    sign: Option<(&'static str, String)>,
    is_gateway: bool,
    confidence: Confidence,
}

impl Idle {
    /// Of a connection that such a limit may have ended.
    pub(in crate::rules) fn of(connection: &Connection, context: &Context<'_>) -> Option<Idle> {
        let parting = Parting::of(connection)?;
        let nanos = parting.quiet?;
        if parting.by != Role::Server || !parting.how.is_impersonal() {
            return None;
        }
        let quiet = nanos as f64 / 1e9;
        let signs = connection.response.as_ref().map_or(Vec::new(), |r| identify(&r.head, &r.body));
        let named = |timer: &Timer| signs.iter().any(|sign| sign.signature.product == timer.product);
        // No timer is as short, and most sessions end in the middle of talk; but some count one side's bytes only.
        let talk = quiet < 1.0;
        let mut fitting: Vec<&'static Timer> = TIMERS
            .iter()
            .filter(|timer| timer.kind == Kind::Idle && timer.ended(&parting) && (!talk || named(timer)))
            .collect();
        if talk && fitting.is_empty() {
            return None;
        }
        fitting.sort_by_key(|timer| (!named(timer), !timer.confirmed));
        // Traffic at equal intervals leaves equal silences before the end of equal lives; the age says more then.
        let aged = parting.age.and_then(|age| context.census.same_age(connection.tcp.server, age));
        let agree = context.census.same_silence(connection.tcp.server, nanos).copied();
        let agree = agree.filter(|group| !talk && group.is_timer() && !aged.is_some_and(Group::is_timer));
        let reason = connection.closes.first().map(|close| close.reason.to_ascii_lowercase());
        let declared = reason.is_some_and(|reason| reason.contains("idle"));
        let mut fitting = fitting.into_iter();
        let best = fitting.next();
        // A session that closes with 1000 is over; only where many do so at one time is it a timer's doing.
        if best.is_none() && !declared && (agree.is_none() || matches!(parting.how, How::Close(1000))) {
            return None;
        }
        let identified = best.filter(|timer| named(timer) && timer.confirmed);
        let strong = identified.is_some() || agree.is_some() || declared;
        let sign = best.filter(|timer| named(timer)).and_then(|timer| {
            let sign = signs.iter().find(|sign| sign.signature.product == timer.product)?;
            Some((timer.product, sign.found.clone()))
        });
        let relayed = connection.response.as_ref().is_some_and(|r| relay(&r.head, &r.body).is_some());
        let tunnel = !matches!(parting.how, How::Close(_));
        Some(Idle {
            parting,
            quiet,
            best,
            others: fitting.collect(),
            agree,
            declared,
            sign,
            is_gateway: tunnel && relayed && strong,
            confidence: if strong && !is_sealed(connection) {
                Confidence::Likely
            } else {
                Confidence::Possible
            },
        })
    }

    /// A Close 1000 that only one time speaks against.
    fn is_ordinary(&self) -> bool {
        self.parting.how == How::Close(1000) && self.agree.is_none() && !self.declared
    }
}

/// How many sessions agree, for people.
pub(in crate::rules) fn agreement(group: Group) -> String {
    let (low, high) = (group.range.0 as f64 / 1e9, group.range.1 as f64 / 1e9);
    format!(
        "{} of {} such endings of this server came after {:.1} ± {:.1} s",
        group.count,
        group.of,
        f64::midpoint(low, high),
        ((high - low) / 2.0).max(0.05)
    )
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::Connection;
    use crate::gateway::{Kind, TIMERS, Way};
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene, judged_together, named};
    use crate::rules::{Blame, Confidence, Origin, Severity};

    fn answered(fields: &str) -> Scene {
        Scene::tcp().request(REQUEST).answer(&format!("{ANSWER}{fields}"), "")
    }

    #[test]
    fn a_cut_after_60_s_behind_nginx_is_likely_its_timer() {
        let scene = answered("Server: nginx/1.22.1\r\n").messages(Client, 1).messages(Server, 1).after(60.04);
        let findings = scene.fin(Server).findings();
        let finding = named(&findings, RULE.name).unwrap();
        assert_eq!(
            (finding.confidence, finding.blame, finding.origin, finding.severity),
            (Confidence::Likely, Blame::Gateway, Some(Origin::Gateway), Severity::Warning)
        );
        assert!(
            finding.message.contains("60.0 s after the last byte in either direction"),
            "{}",
            finding.message
        );
        assert!(finding.message.contains("nginx") && finding.help.contains("proxy_read_timeout"));
        assert_eq!(findings[0].rule.name, RULE.name);
        assert!(findings[0].consequences.iter().any(|f| f.rule.name == "closed-without-close-frame"));
    }

    #[test]
    fn without_a_sign_one_ending_is_possible() {
        let finding = answered("").messages(Client, 1).after(60.5).fin(Server).finds(RULE.name);
        assert_eq!((finding.confidence, finding.origin), (Confidence::Possible, Some(Origin::Server)));
    }

    #[test]
    fn a_sign_of_an_unconfirmed_limit_stays_possible() {
        let finding = answered("CF-RAY: 8\r\n").messages(Client, 1).after(100.2).fin(Server).finds(RULE.name);
        assert_eq!(finding.confidence, Confidence::Possible);
        assert!(finding.message.contains("Cloudflare"));
    }

    #[test]
    fn sessions_that_agree_show_a_timer_that_no_table_knows() {
        let ended = |start: f64, quiet: f64| {
            Scene::tcp_at(start)
                .request(REQUEST)
                .answer(ANSWER, "")
                .messages(Client, 2)
                .after(quiet)
                .fin(Server)
                .build()
        };
        let mut all: Vec<Connection> =
            (0..4).map(|i| ended(f64::from(i) * 100.0, 17.0 + f64::from(i) * 0.05)).collect();
        all.push(ended(900.0, 3.0));
        let judged = judged_together(&all, &[]);
        let finding = named(&judged[0], RULE.name).unwrap();
        assert_eq!(
            (finding.confidence, &*finding.title),
            (Confidence::Likely, "ended after 17 s of silence")
        );
        assert!(
            finding.message.contains("4 of 4 such endings of this server came after 17.1 ± 0.1 s"),
            "{}",
            finding.message
        );
        assert!(named(&judged[4], RULE.name).is_none());
    }

    #[test]
    fn sessions_that_end_at_one_moment_or_at_all_times_show_no_timer() {
        let ended = |start: f64, quiet: f64| {
            Scene::tcp_at(start).request(REQUEST).answer(ANSWER, "").after(quiet).fin(Server).build()
        };
        let together: Vec<Connection> = (0..5).map(|i| ended(f64::from(i) * 0.1, 17.0)).collect();
        let spread: Vec<Connection> =
            (0..20).map(|i| ended(f64::from(i) * 100.0, 10.0 + f64::from(i) * 0.2)).collect();
        for judged in [judged_together(&together, &[]), judged_together(&spread, &[])] {
            assert!(judged.iter().all(|findings| named(findings, RULE.name).is_none()));
        }
    }

    #[test]
    fn endpoints_close_with_a_code() {
        let jetty = answered("").after(30.1).close(Server, 1001, "Connection Idle Timeout");
        let finding = jetty.close(Client, 1001, "").fin(Server).finds(RULE.name);
        assert_eq!((finding.confidence, finding.blame), (Confidence::Likely, Blame::Server));
        let cowboy =
            answered("").messages(Client, 1).after(63.0).close(Server, 1000, "").close(Client, 1000, "");
        let finding = cowboy.fin(Server).finds(RULE.name);
        assert_eq!((finding.confidence, finding.severity), (Confidence::Possible, Severity::Info));
        assert!(finding.message.contains("Cowboy"));
    }

    #[test]
    fn tls_that_no_key_opened_shows_the_silence_and_no_more() {
        let finding = Scene::sealed_at(0.0).after(60.04).record(Server).fin(Server).finds(RULE.name);
        assert_eq!(
            (finding.confidence, finding.severity, &*finding.title),
            (Confidence::Possible, Severity::Info, "TLS ended after 60 s of silence")
        );
        assert!(
            finding.message.contains("may have been a WebSocket, with FIN 60.0 s"),
            "{}",
            finding.message
        );
        assert!(!finding.message.contains("Close"), "{}", finding.message);
        let all: Vec<Connection> =
            (0..4).map(|i| Scene::sealed_at(f64::from(i) * 100.0).after(17.0).fin(Server).build()).collect();
        let judged = judged_together(&all, &[]);
        let finding = named(&judged[0], RULE.name).unwrap();
        assert_eq!((finding.confidence, finding.severity), (Confidence::Possible, Severity::Info));
        assert!(finding.message.contains("4 of 4 such endings"), "{}", finding.message);
    }

    #[test]
    fn every_idle_row_is_found_by_its_own_ending() {
        for timer in TIMERS.iter().filter(|timer| timer.kind == Kind::Idle) {
            for way in timer.ways {
                let scene = answered("").messages(Client, 1).after(timer.seconds + timer.late / 2.0);
                let scene = match way {
                    Way::Fin => scene.fin(Server),
                    Way::Reset => scene.reset(Server),
                    Way::Close(code) => scene.close(Server, *code, "").close(Client, *code, "").fin(Server),
                    Way::Silence => continue,
                };
                let finding = scene.finds(RULE.name);
                assert!(finding.message.contains(timer.product), "{}: {}", timer.product, finding.message);
            }
        }
    }

    #[test]
    fn other_times_clients_gaps_and_open_sessions_are_silent() {
        answered("").messages(Client, 1).after(45.0).fin(Server).silent(RULE.name);
        answered("").messages(Client, 1).after(60.2).fin(Client).silent(RULE.name);
        answered("").messages(Client, 1).after(30.0).gap(Client).after(30.0).fin(Server).silent(RULE.name);
        answered("").messages(Client, 1).after(60.2).silent(RULE.name);
        answered("")
            .after(60.2)
            .close(Client, 1000, "")
            .close(Server, 1000, "")
            .fin(Server)
            .silent(RULE.name);
        Scene::answered("HTTP/1.1 404 X\r\n", "").after(60.0).fin(Server).silent(RULE.name);
    }
}
