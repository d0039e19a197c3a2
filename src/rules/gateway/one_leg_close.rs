use crate::connection::Connection;
use crate::gateway::{Kind, Parting, Party, TIMERS, Timer, ending, identify};
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
    /// A timer of the gateway after a silence or a maximum age, a reload of its configuration, a limit on memory or size,
    /// a firewall rule, a restart.
    ///
    /// # How to fix
    /// Read the gateway's log at that moment. Raise its timeouts or send a Ping at half of the shortest; soften reloads:
    /// nginx `worker_shutdown_timeout`, HAProxy `hard-stop-after`, Caddy `stream_close_delay`, Envoy's drain time.
    ///
    /// # What it does not report
    /// It is a warning where the capture lacks bytes of one of the legs. Endings that the gateway passed on, and those with a Close of the gateway's own, which is a rule of its own.
    pub static RULE = "WS-GW-006" "one-leg-close" {
        severity: Error, category: Gateway, reference: "RFC 6455 §7.1.1, §7.1.5",
        explains: ["closed-without-close-frame", "idle-timeout-close", "lifetime-limit-close"], asked_on: [Legs], check: Check::InContext(check),
    }
}

fn check(_: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(legs) = context.legs else { return };
    let Some(verdict) = ending(&legs).filter(|verdict| verdict.blame == Party::Gateway) else { return };
    if super::injected(&legs).is_some() || legs.client.frames.is_none() {
        return;
    }
    let Some(end) = verdict.reasons.first().and_then(|reason| reason.seen) else { return };
    // What the capture lacks may be the end that came first.
    let doubtful = [legs.client, legs.upstream].iter().any(|leg| leg.quality.lacks_bytes());
    // What came first is what the timer did; the other leg may be ended a while later.
    let silent =
        [(legs.client, Role::Server), (legs.upstream, Role::Client)].into_iter().find_map(|(leg, by)| {
            let parting = Parting::of(leg).filter(|parting| parting.by == by && parting.seen == end)?;
            parting.quiet.map(|nanos| nanos as f64 / 1e9)
        });
    let quiet = silent.filter(|seconds| *seconds >= WORTH_A_WORD);
    let listener = Parting::of(legs.client).and_then(|parting| parting.quiet_of(Role::Client));
    let listener = listener.map(|nanos| nanos as f64 / 1e9).filter(|seconds| *seconds >= LONG);
    let open = [(legs.client, "client leg"), (legs.upstream, "upstream leg")]
        .into_iter()
        .find(|(leg, _)| leg.ending.by.is_none())
        .map_or(String::new(), |(_, name)| format!("; the {name} was left open"));
    let silence =
        quiet.map_or(String::new(), |seconds| format!(" after {} of silence", quote::seconds(seconds)));
    found.push(pair::because(
        &verdict,
        pair::about(&RULE, &legs, end, "gateway ended a session that both ends kept")
            .at_most(if doubtful { Severity::Warning } else { Severity::Error })
            .confidence(verdict.confidence)
            .origin(Origin::Gateway)
            .blame(Blame::Gateway)
            .message(format!(
                "the gateway ended TCP{silence}, and neither the client nor the upstream had{open}"
            ))
            .help(match quiet.and_then(|seconds| own_timer(&legs, seconds)) {
                Some(timer) => format!(
                    "send a Ping every {:.0} s, or raise the limit of {}: {}",
                    (timer.seconds / 2.0).min(25.0),
                    timer.product,
                    timer.setting
                ),
                None if quiet.is_none() && let Some(seconds) = listener => format!(
                    "read the gateway's log at this moment: a restart, a reload, or a limit that counts only what the client sends, for it had sent nothing for {} (in lighttpd server.max-read-idle); a Ping of the client would start that anew",
                    quote::seconds(seconds)
                ),
                None if quiet.is_none() && silent.is_some() => String::from(
                    "read the gateway's log at this moment: there was no silence before it, so look for a restart, a reload or a limit and not for an idle timeout",
                ),
                None => String::from(
                    "read the gateway's log at this moment, and compare its timeouts with the silence before it",
                ),
            }),
    ));
}

/// The idle limit of that length of the product that the answer names.
fn own_timer(legs: &Legs<'_>, seconds: f64) -> Option<&'static Timer> {
    let response = legs.client.response.as_ref()?;
    let signs = identify(&response.head, &response.body);
    let named = |timer: &Timer| signs.iter().any(|sign| sign.signature.product == timer.product);
    TIMERS.iter().find(|timer| timer.kind == Kind::Idle && timer.fits(seconds) && named(timer))
}

/// Seconds for which a client that only listens is worth a word: the shortest common timer is 30 s.
const LONG: f64 = 20.0;

/// Seconds of silence that may be the reason.
const WORTH_A_WORD: f64 = 1.0;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::Blame;
    use crate::rules::testing::{Scene, both};

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
    fn what_was_passed_on_is_silent() {
        let leg = || Scene::session("", "").messages(Client, 1);
        both(leg().after(0.1).fin(Server), leg().fin(Server)).silent(RULE.name);
        both(leg().fin(Client), leg().after(0.1).fin(Client)).silent(RULE.name);
    }
}
