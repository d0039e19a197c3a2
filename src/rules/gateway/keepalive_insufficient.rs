use super::idle_timeout_close::Idle;
use crate::connection::{Connection, Outcome};
use crate::gateway::{Kind, Resets, TIMERS, Timer, identify};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Context, Finding, Severity, quote, trust};

rule! {
    /// # What it finds
    /// A session behind a gateway that the handshake names, whose longest silence came within a tenth of that product's
    /// idle limit and was survived.
    ///
    /// # Why it matters
    /// Heartbeat and timeout race: with equal periods a part of all sessions dies at random.
    ///
    /// # What causes it
    /// A heartbeat with the same period as the timeout, such as 60 s behind a proxy with 60 s; or none at all.
    ///
    /// # How to fix
    /// Send a Ping at half the limit or more often: `ping_interval` of Python's websockets, `pingInterval` of OkHttp
    /// and Socket.IO, a timer with `ping()` in ws. Or raise the limit, for example nginx `proxy_read_timeout`.
    ///
    /// # What it does not report
    /// Gateways that show no sign, silences well below the limit, and silences longer than it, after which the limit is
    /// evidently another one. Without pings a long silence is only information.
    pub static RULE = "WS-GW-013" "keepalive-insufficient" {
        severity: Warning, category: Gateway, reference: "RFC 6455 §5.5.2",
        explains: [], asked_on: [Silence], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let (Some(silence), Some(response)) = (connection.silence, &connection.response) else { return };
    let seconds = silence.nanos() as f64 / 1e9;
    let is_near = |timer: &&Timer| {
        let close = seconds >= timer.seconds * 0.9 && seconds <= timer.seconds + timer.late;
        let listens = timer.resets == Resets::Either && timer.kind == Kind::Idle;
        listens && close
    };
    if connection.outcome != Outcome::Established || !TIMERS.iter().any(|timer| is_near(&timer)) {
        return;
    }
    let doubt = Role::BOTH.iter().any(|&role| trust::doubt(connection, role).is_some());
    if doubt || Idle::of(connection, context).is_some() {
        return;
    }
    let signs = identify(&response.head, &response.body);
    let near = signs.iter().find_map(|sign| {
        let mut timers = TIMERS.iter().filter(is_near);
        Some((timers.find(|timer| timer.product == sign.signature.product)?, sign))
    });
    let Some((timer, sign)) = near else { return };
    let frames = connection.frames.as_ref();
    let pings = frames.is_some_and(|frames| Role::BOTH.iter().any(|&role| frames[role].ping > 1));
    found.push(
        Finding::new(&RULE, silence.until, format!("silence close to the idle limit of {}", timer.product))
            .at_most(if pings { Severity::Warning } else { Severity::Info })
            .confidence(if timer.confirmed { Confidence::Likely } else { Confidence::Possible })
            .blame(Blame::Unknown)
            .message(format!(
                "neither side sent anything for {}, and {} ends a connection after {:.0} s unless that is changed{}",
                quote::seconds(seconds),
                timer.product,
                timer.seconds,
                if pings { "; the pings are as far apart as the limit is long" } else { "" }
            ))
            .shows(silence.from, "last data before the silence")
            .shows(silence.until, "first data after it")
            .shows(response.seen, format!("sign of {}: {}", timer.product, quote::short(&sign.found)))
            .help(format!(
                "send a Ping every {:.0} s, or change the limit: {}",
                (timer.seconds / 2.0).min(25.0),
                timer.setting
            )),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::{Connection, Span};
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene};
    use crate::rules::{Confidence, Severity};

    fn silent_for(seconds: f64, fields: &str, pings: u64) -> Scene {
        let scene =
            Scene::tcp().request(REQUEST).answer(&format!("{ANSWER}{fields}"), "").messages(Client, 1);
        let mut from = None;
        let scene = scene.with(|c: &mut Connection| from = Some(c.last)).after(seconds).messages(Client, 1);
        scene.with(|c: &mut Connection| {
            c.silence = from.map(|from| Span { from, until: c.last });
            c.frames.get_or_insert_default().client.ping = pings;
        })
    }

    #[test]
    fn a_heartbeat_as_slow_as_the_limit_is_told() {
        let finding = silent_for(59.9, "Server: nginx\r\n", 5).finds(RULE.name);
        assert_eq!((finding.severity, finding.confidence), (Severity::Warning, Confidence::Likely));
        let finding = silent_for(96.0, "CF-RAY: 8\r\n", 0).finds(RULE.name);
        assert_eq!((finding.severity, finding.confidence), (Severity::Info, Confidence::Possible));
    }

    #[test]
    fn other_silences_and_unknown_gateways_are_silent() {
        silent_for(30.0, "Server: nginx\r\n", 5).silent(RULE.name);
        silent_for(80.0, "Server: nginx\r\n", 5).silent(RULE.name);
        silent_for(59.9, "", 5).silent(RULE.name);
        silent_for(59.9, "Server: nginx\r\n", 5).gap(Server).silent(RULE.name);
    }
}
