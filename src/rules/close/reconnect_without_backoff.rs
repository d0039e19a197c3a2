use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Context, Evidence, Finding, Severity, handshake, quote};

rule! {
    /// # What it finds
    /// A client that came back to the same path at least five times in a row after the server's side had failed, each
    /// time within a second, or each time after the same pause.
    ///
    /// # Why it matters
    /// Attempts without a growing and random pause turn a small outage into a flood, and keep the server down.
    ///
    /// # What causes it
    /// A loop that reconnects in its close handler, or a fixed delay that is the same in every client.
    ///
    /// # How to fix
    /// Wait a random time of up to 5 s before the first attempt, then double the wait each time, up to a limit.
    ///
    /// # What it does not report
    /// Endings that the client chose, clean closes, requests that a proxy forwards, the legs of a gateway to its upstream,
    /// and connections that overlap, as of many clients behind one address. Equal pauses of a second or more are only information. Several clients behind
    /// one address can still look like one, so it is at most likely.
    pub static RULE = "WS-CL-016" "reconnect-without-backoff" {
        severity: Warning, category: Close, reference: "RFC 6455 §7.2.3",
        explains: [], asked_on: [Retries], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(retries) = context.census.retries(connection.first.packet) else { return };
    let Some(request) = connection.request.as_ref().filter(|request| !handshake::is_forwarded(request))
    else {
        return;
    };
    if retries.count < MANY {
        return;
    }
    let seconds = |nanos: i64| quote::seconds(nanos as f64 / 1e9);
    let (low, high) = retries.range;
    let quick = retries.are_quick();
    let mut finding = Finding::new(&RULE, request.seen, "reconnects without backoff")
        .at_most(if quick { Severity::Warning } else { Severity::Info })
        .confidence(Confidence::Likely)
        .origin(crate::role::Role::Client)
        .blame(Blame::Client)
        .message(format!(
            "{} came back to {} {} times in a row after a failure, {} to {} after each, expected pauses that grow and vary",
            connection.tcp.client.ip,
            quote::target(&request.head.target),
            retries.count,
            seconds(low),
            seconds(high)
        ))
        .shows(request.seen, "the first of these attempts")
        .help("let the client wait a random time of up to 5 s first, and twice as long after every failure");
    let text = format!("the last of {} attempts begins", retries.count + 1);
    finding.evidence.push(Evidence { packet: retries.last, text });
    found.push(finding);
}

/// Attempts in a row that are a habit.
const MANY: u32 = 5;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::Connection;
    use crate::role::Role::{self, Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene, both, judged_together, named};
    use crate::rules::{Context, Severity, judge, judge_chain};

    /// Sessions that end after 60 ms, the next one so many seconds after the start of the one before.
    fn attempts(starts: &[f64], end: impl Fn(Scene) -> Scene) -> Vec<Connection> {
        let session =
            |&start: &f64| Scene::tcp_at(start).request(REQUEST).answer(ANSWER, "").messages(Client, 1);
        starts.iter().map(session).map(|scene| end(scene).build()).collect()
    }

    fn told(connections: &[Connection]) -> Vec<Severity> {
        let judged = judged_together(connections, &[]);
        judged
            .iter()
            .filter_map(|findings| named(findings, RULE.name))
            .map(|finding| finding.severity)
            .collect()
    }

    fn cut(by: Role) -> impl Fn(Scene) -> Scene {
        move |scene| scene.fin(by)
    }

    #[test]
    fn a_storm_is_told_once() {
        let all = attempts(&[1.0, 1.3, 1.7, 2.0, 2.5, 2.9, 3.1], cut(Server));
        assert_eq!(told(&all), [Severity::Warning]);
        let judged = judged_together(&all, &[]);
        assert!(named(&judged[0], RULE.name).unwrap().message.contains("6 times in a row"));
    }

    #[test]
    fn a_fixed_pause_is_information() {
        assert_eq!(told(&attempts(&[1.0, 6.0, 11.0, 16.0, 21.05, 26.05], cut(Server))), [Severity::Info]);
    }

    #[test]
    fn a_gateway_that_comes_back_to_its_upstream_is_many_clients() {
        let all = attempts(&[1.0, 1.3, 1.7, 2.0, 2.5, 2.9, 3.1], cut(Server));
        let mut census = crate::gateway::Census::default();
        all.iter().for_each(|connection| census.push(connection));
        let context = Context { census: &census, ..Context::alone() };
        let client = Scene::tcp_at(0.9).request(REQUEST).answer(ANSWER, "").messages(Client, 1);
        let (pair, [client, _]) = both(client, Scene::tcp()).into_parts();
        let judged = judge_chain(&[&client, &all[0]], &[&pair], &context);
        assert!(judged.iter().all(|findings| named(findings, RULE.name).is_none()));
        assert!(named(&judge(&all[0], &context), RULE.name).is_some());
    }

    #[test]
    fn backoff_choice_clean_closes_and_crowds_are_silent() {
        assert_eq!(told(&attempts(&[1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 58.0], cut(Server))), []);
        let quick = [1.0, 1.3, 1.7, 2.0, 2.5, 2.9, 3.1];
        assert_eq!(told(&attempts(&quick, cut(Client))), []);
        let clean = |scene: Scene| scene.close(Server, 1000, "").close(Client, 1000, "").fin(Server);
        assert_eq!(told(&attempts(&quick, clean)), []);
        assert_eq!(told(&attempts(&[1.0, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06], cut(Server))), []);
        let other = |scene: Scene| {
            scene.fin(Server).with(|c| c.tcp.client.ip = [10, 0, 0, c.first.packet.number() as u8].into())
        };
        assert_eq!(told(&attempts(&quick, other)), []);
    }
}
