use crate::capture::Seen;
use crate::connection::{Connection, Outcome, Span};
use crate::gateway::{Kind, Parting, Party, TIMERS, ending, identify};
use crate::legs::Legs;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Context, Finding, Origin, Severity, pair, quote};

rule! {
    /// # What it finds
    /// A gateway that ended a session at the TCP level although neither the client nor the upstream had ended it. Both
    /// legs were captured.
    ///
    /// # Why it matters
    /// Both programs wanted to go on. Both report 1006, and neither log says why, because the cause is in neither.
    ///
    /// # What causes it
    /// A timer of the gateway after a silence or a maximum age, or because an end did not read and the gateway could not send;
    /// a reload of its configuration, a limit on memory or size, a firewall rule, a restart.
    ///
    /// # How to fix
    /// Read the gateway's log at that moment. Raise its timeouts or send a Ping at half of the shortest; soften reloads:
    /// raise nginx `worker_shutdown_timeout` and HAProxy `hard-stop-after` where they are set, for they cut what is still
    /// open, Caddy `stream_close_delay`, Envoy's drain time.
    ///
    /// # What it does not report
    /// It is a warning where the capture lacks bytes of one of the legs. Endings that the gateway passed on, and those
    /// with a Close of the gateway's own, which is a rule of its own.
    pub static RULE = "WS-GW-006" "one-leg-close" {
        severity: Error, category: Gateway, reference: "RFC 6455 §7.1.1, §7.1.5",
        explains: ["closed-without-close-frame", "idle-timeout-close", "lifetime-limit-close"], asked_on: [Legs], check: Check::InContext(check),
    }
}

fn check(_: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(legs) = context.legs else { return };
    let Some(verdict) = ending(&legs).filter(|verdict| verdict.blame == Party::Gateway) else { return };
    // What is no session nobody has to keep.
    let none = legs.client.outcome == Outcome::Invalid;
    if none || super::injected(&legs).is_some() || legs.client.frames.is_none() {
        return;
    }
    let Some(end) = verdict.reasons.first().and_then(|reason| reason.seen) else { return };
    // What the capture lacks may be the end that came first.
    let doubtful = [legs.client, legs.upstream].iter().any(|leg| leg.quality.lacks_bytes());
    let silence = Silence::before(&legs, end);
    let open = [(legs.client, "client leg"), (legs.upstream, "upstream leg")]
        .into_iter()
        .find(|(leg, _)| leg.ending.by.is_none())
        .map_or(String::new(), |(_, name)| format!("; the {name} was left open"));
    let after = silence.worth_a_word().map(quote::seconds);
    let after = after.map_or(String::new(), |seconds| format!(" after {seconds} of silence"));
    let ended = format!("the gateway ended TCP{after}, and neither the client nor the upstream had{open}");
    let finding = pair::because(
        &verdict,
        pair::about(&RULE, &legs, end, "gateway ended a session that both ends kept")
            .at_most(if doubtful { Severity::Warning } else { Severity::Error })
            .confidence(verdict.confidence)
            .origin(Origin::Gateway)
            .blame(Blame::Gateway),
    );
    found.push(match unread(&legs, end) {
        Some((reader, stall, seconds)) => finding
            .shows(stall.from, format!("window of the {reader} falls to zero"))
            .blame(if reader == "client" { Blame::Client } else { Blame::Upstream })
            .message(format!(
                "{ended}; the {reader} had announced a window of zero for {} then, so the gateway could not send",
                quote::seconds(seconds)
            ))
            .help(format!(
                "find out why the program of the {reader} did not read; how long a gateway waits for it is a timeout of its own, in nginx send_timeout for a client and proxy_send_timeout for an upstream"
            )),
        None => finding
            .message(match silence.of_client_amid_traffic() {
                Some(seconds) => {
                    format!("{ended}; the client had sent nothing for {}", quote::seconds(seconds))
                }
                None => ended,
            })
            .help(silence.help(&legs)),
    });
}

/// How long nobody had sent anything before the end, in seconds.
struct Silence {
    /// On the leg that ended first; `None` where that is not known.
    of_both: Option<f64>,
    /// Of the client, where it is as long as a timer.
    of_client: Option<f64>,
}

impl Silence {
    fn before(legs: &Legs<'_>, end: Seen) -> Silence {
        let seconds = |nanos: i64| nanos as f64 / 1e9;
        // What came first is what the timer did; the other leg may be ended a while later.
        let first = [(legs.client, Role::Server), (legs.upstream, Role::Client)];
        let of_both = first.into_iter().find_map(|(leg, by)| {
            let parting = Parting::of(leg).filter(|parting| parting.by == by && parting.seen == end)?;
            parting.quiet.map(seconds)
        });
        let of_client = Parting::of(legs.client).and_then(|parting| parting.quiet_of(Role::Client));
        Silence { of_both, of_client: of_client.map(seconds).filter(|seconds| *seconds >= LONG) }
    }

    fn worth_a_word(&self) -> Option<f64> {
        self.of_both.filter(|seconds| *seconds >= WORTH_A_WORD)
    }

    /// A limit that counts one side's bytes fires amid the other's.
    fn of_client_amid_traffic(&self) -> Option<f64> {
        let both = self.worth_a_word();
        self.of_client.filter(|client| both.is_none_or(|both| both < LONG && both + 1.0 < *client))
    }

    fn help(&self, legs: &Legs<'_>) -> String {
        match (self.worth_a_word(), self.of_client) {
            (Some(both), _) if let Some(client) = self.of_client_amid_traffic() => format!(
                "compare the limits of the gateway with both, {} in which nothing came and {} in which the client sent nothing: lighttpd counts only what the client sends (server.max-read-idle); a Ping of the client would start either anew",
                quote::seconds(both),
                quote::seconds(client)
            ),
            (Some(both), _) => help(legs, both),
            (None, Some(client)) => format!(
                "read the gateway's log at this moment: a restart, a reload, or a limit that counts only what the client sends, for it had sent nothing for {} (in lighttpd server.max-read-idle); a Ping of the client would start that anew",
                quote::seconds(client)
            ),
            (None, None) if self.of_both.is_some() => String::from(
                "read the gateway's log at this moment: there was no silence before it, so look for a restart, a reload or a limit and not for an idle timeout",
            ),
            (None, None) => String::from(
                "read the gateway's log at this moment, and compare its timeouts with the silence before it",
            ),
        }
    }
}

/// What to do about a gateway that ended a session after so many seconds of silence.
fn help(legs: &Legs<'_>, seconds: f64) -> String {
    let ping = |limit: f64| format!("{:.0} s", (limit / 2.0).clamp(1.0, 25.0).floor());
    let mut idle = TIMERS
        .iter()
        .filter(|timer| timer.kind == Kind::Idle && names_itself(legs, timer.product))
        .peekable();
    let first = idle.peek().copied();
    match (idle.find(|timer| timer.fits(seconds)), first) {
        (Some(timer), _) => format!(
            "send a Ping every {}, or raise the limit of {}: {}",
            ping(timer.seconds),
            timer.product,
            timer.setting
        ),
        (None, Some(timer)) => format!(
            "compare the idle limit of {} with this silence: {}; a Ping every {} would keep such a session",
            timer.product,
            timer.setting,
            ping(seconds)
        ),
        (None, None) => format!(
            "compare the idle limit of the gateway with this silence, such as timeout tunnel of HAProxy, proxy_read_timeout of nginx (proxy_timeout in a stream block) or pipe_timeout of Varnish, and read its log at this moment; a Ping every {} would keep such a session",
            ping(seconds)
        ),
    }
}

/// Whether the answer names a product on the client leg alone: what the upstream leg names as well stands behind the gateway.
fn names_itself(legs: &Legs<'_>, product: &str) -> bool {
    let names = |leg: &Connection| {
        let signs = leg.response.as_ref().map_or(Vec::new(), |r| identify(&r.head, &r.body));
        signs.iter().any(|sign| sign.signature.product == product)
    };
    names(legs.client) && !names(legs.upstream)
}

/// Which end had stopped reading when the gateway ended the session, since when, and for how many seconds.
fn unread(legs: &Legs<'_>, end: Seen) -> Option<(&'static str, Span, f64)> {
    let on_upstream = legs.upstream.ending.by.is_some_and(|(_, seen)| seen == end);
    let ended = if on_upstream { legs.upstream_time(end) } else { end.at };
    let client = legs.client.tcp.stall[Role::Client].as_deref().map(|stall| stall.span);
    let client = client.map(|span| ("client", span, span.from.at, span.until.at));
    let upstream = legs.upstream.tcp.stall[Role::Server].as_deref().map(|stall| stall.span);
    let upstream = upstream
        .map(|span| ("upstream", span, legs.upstream_time(span.from), legs.upstream_time(span.until)));
    [client, upstream].into_iter().flatten().find_map(|(reader, span, from, until)| {
        let seconds = ended.nanos_since(from) as f64 / 1e9;
        (seconds >= WORTH_A_WORD && ended <= until).then_some((reader, span, seconds))
    })
}

/// Seconds for which a client that only listens is worth a word: the shortest common timer is 30 s.
const LONG: f64 = 20.0;

/// Seconds of silence that may be the reason.
const WORTH_A_WORD: f64 = 1.0;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::{Span, Stall};
    use crate::role::Role::{Client, Server};
    use crate::rules::Blame;
    use crate::rules::testing::{ANSWER, REQUEST, Scene, both};

    #[test]
    fn a_client_that_only_listens_is_told_beside_the_silence() {
        let leg = || Scene::session("", "").messages(Client, 1).after(56.0).messages(Server, 1);
        let finding = both(leg().after(5.0).fin(Server), leg()).finds(RULE.name);
        assert!(finding.message.contains("the client had sent nothing for 61"), "{}", finding.message);
        assert!(finding.help.contains("max-read-idle"), "{}", finding.help);
        let quiet = both(Scene::session("", "").messages(Client, 1).after(60.0).fin(Server), leg());
        assert!(!quiet.finds(RULE.name).message.contains("had sent nothing"));
    }

    #[test]
    fn an_end_on_the_clients_leg_alone_is_the_gateways() {
        let client = Scene::session("", "").messages(Client, 1).after(60.0).fin(Server);
        let (findings, rest) = both(client, Scene::session("", "").messages(Client, 1)).findings();
        assert_eq!((findings[0].rule.name, findings[0].blame), (RULE.name, Blame::Gateway));
        let below: Vec<_> = findings[0].consequences.iter().map(|below| below.rule.name).collect();
        assert_eq!(below, ["idle-timeout-close", "closed-without-close-frame"]);
        assert!(findings[0].message.contains("after 60.0 s of silence"), "{}", findings[0].message);
        assert!(findings[0].message.contains("upstream leg was left open"), "{}", findings[0].message);
        assert!(rest.is_empty());
    }

    #[test]
    fn an_end_that_the_gateway_makes_upstream_is_its_own_too() {
        let upstream = Scene::session("", "").messages(Client, 1).reset(Client);
        let finding = both(Scene::session("", "").messages(Client, 1), upstream).finds(RULE.name);
        assert_eq!(finding.blame, Blame::Gateway);
    }

    #[test]
    fn the_silence_is_the_one_before_the_gateway_acted_first() {
        let leg = || Scene::session("", "").messages(Client, 1);
        let finding = both(leg().after(8.0).fin(Server), leg().after(5.0).fin(Client)).finds(RULE.name);
        assert!(finding.message.contains("after 5.0 s of silence"), "{}", finding.message);
    }

    #[test]
    fn a_gateway_that_could_not_send_is_not_to_blame() {
        let leg = || Scene::session("", "").messages(Client, 1);
        let stalled = |after| {
            leg().after(after).fin(Server).with(|connection| {
                let span = Span { from: connection.first, until: connection.last };
                connection.tcp.stall[Client] = Some(Box::new(Stall { span, told: span.until }));
            })
        };
        let finding = both(stalled(2.0), leg()).finds(RULE.name);
        assert_eq!(finding.blame, Blame::Client);
        assert!(finding.message.contains("window of zero for 2.0 s"), "{}", finding.message);
        assert_eq!(both(stalled(0.2), leg()).finds(RULE.name).blame, Blame::Gateway);
    }

    #[test]
    fn the_limit_that_is_named_is_that_of_the_gateway_and_not_of_what_stands_behind_it() {
        let leg = |server: &str, after| {
            let answer = format!("{ANSWER}Server: {server}\r\n");
            Scene::tcp().request(REQUEST).answer(&answer, "").messages(Client, 1).after(after).fin(Server)
        };
        let help = |client, upstream| both(leg(client, 7.0), leg(upstream, 9.0)).finds(RULE.name).help;
        let named = help("nginx/1.22.1", "Jetty");
        assert!(named.contains("of nginx with this silence: proxy_read_timeout;"), "{named}");
        let passed_on = help("nginx/1.22.1", "nginx/1.22.1");
        assert!(passed_on.starts_with("compare the idle limit of the gateway"), "{passed_on}");
    }

    #[test]
    fn what_was_passed_on_and_what_was_no_session_is_silent() {
        let leg = || Scene::session("", "").messages(Client, 1);
        both(leg().invalid().fin(Server), leg().invalid()).silent(RULE.name);
        both(leg().after(0.1).fin(Server), leg().fin(Server)).silent(RULE.name);
        both(leg().fin(Client), leg().after(0.1).fin(Client)).silent(RULE.name);
    }
}
