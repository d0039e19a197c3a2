use super::idle_timeout_close::Idle;
use crate::connection::{Connection, Outcome};
use crate::gateway::{BURST, Parting};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::sealed::{self, is_sealed};
use crate::rules::{Blame, Check, Confidence, Context, Finding, quote};

rule! {
    /// # What it finds
    /// At least five sessions, and at least three in ten of those then open, that one server's side ended within a
    /// second, by cutting TCP or by a Close with 1001 or 1011 to 1014.
    ///
    /// # Why it matters
    /// Single faults do not end many sessions together. Everybody reconnects at once, which is the next burst of load.
    ///
    /// # What causes it
    /// A restart, reload or crash of the gateway or the server. A path that breaks looks the same where the server's
    /// resets come from something between.
    ///
    /// # How to fix
    /// Drain sessions gradually before a restart and send 1012 or 1001. Let clients wait for a random time before they
    /// reconnect.
    ///
    /// # What it does not report
    /// Sessions that end with 1000 or a code of the application, or after a silence that a known idle limit explains. Where
    /// servers at other addresses ended theirs in the same second, as after an outage of this side's network, nobody is
    /// blamed; sessions that the path forgot while this host slept hang under `silent-drop`. Of TLS that no key opened it is only
    /// information: what was ended at once may have been something else than WebSocket.
    pub static RULE = "WS-GW-011" "mass-disconnect" {
        severity: Warning, category: Gateway, reference: "RFC 6455 §7.2.3, §7.4.1",
        explains: ["closed-without-close-frame", "close-going-away", "close-restart-or-overload", "gateway-injected-close"], asked_on: [ServerLeft, Sealed], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(parting) = Parting::of(connection) else { return };
    let failed = parting.by == Role::Server && parting.how.is_failure();
    let is_session = matches!(connection.outcome, Outcome::Established | Outcome::Encrypted);
    if !failed || !is_session || Idle::of(connection, context).is_some() {
        return;
    }
    let sessions = if is_sealed(connection) { "TLS connections" } else { "sessions" };
    let Some(burst) = context.census.burst(connection.tcp.server, parting.seen.at) else { return };
    let many = burst.count >= BURST && u64::from(burst.count) * 10 >= u64::from(burst.open) * 3;
    if !many || connection.first.at >= burst.from {
        return;
    }
    found.push(
        Finding::new(&RULE, parting.seen, format!("{} {sessions} ended at once", burst.count))
            .at_most(sealed::gravity(connection))
            .confidence(if burst.elsewhere || is_sealed(connection) { Confidence::Possible } else { Confidence::Likely })
            .origin(Role::Server)
            .blame(if burst.elsewhere { Blame::Unknown } else { Blame::Server })
            .message(format!(
                "the server's side ended {} of the {} {sessions} that were open to {}{} within {}, this one among them: {}",
                burst.count,
                burst.open,
                connection.tcp.server,
                if is_sealed(connection) { " and may have carried WebSockets" } else { "" },
                quote::seconds(burst.until.seconds_since(burst.from)),
                if burst.elsewhere {
                    "sessions of servers at other addresses ended in the same second, so the cause may lie on this side or on the path"
                } else {
                    "a restart, a reload, or a crash"
                }
            ))
            .shows(parting.seen, "the server's side ends this session")
            .help("find out what restarted or failed on the server's side at this second, and drain sessions before a restart"),
    );
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::Connection;
    use crate::role::Role::{self, Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene, judged_together, named};
    use crate::rules::{Blame, Confidence, Severity};

    /// Sessions begun a second apart, of which the first `ended` end 100 s later within 50 ms each.
    fn sessions(all: u32, ended: u32, end: impl Fn(Scene, Role) -> Scene) -> Vec<Connection> {
        (0..all)
            .map(|i| {
                let start = f64::from(i);
                let scene = Scene::tcp_at(start).request(REQUEST).answer(ANSWER, "").messages(Client, 1);
                let scene = scene.after(99.0 - start + f64::from(i) * 0.05).messages(Client, 1);
                if i < ended {
                    end(scene, Server).build()
                } else {
                    scene.after(50.0).messages(Client, 1).build()
                }
            })
            .collect()
    }

    fn told(connections: &[Connection]) -> usize {
        let judged = judged_together(connections, &[]);
        judged.iter().filter(|findings| named(findings, RULE.name).is_some()).count()
    }

    #[test]
    fn many_sessions_that_end_together_are_told_on_each() {
        let all = sessions(8, 6, Scene::fin);
        assert_eq!(told(&all), 6);
        let judged = judged_together(&all, &[]);
        let finding = named(&judged[0], RULE.name).unwrap();
        assert_eq!(finding.confidence, Confidence::Likely);
        assert!(finding.message.contains("6 of the 8 sessions"), "{}", finding.message);
        assert!(finding.consequences.iter().any(|f| f.rule.name == "closed-without-close-frame"));
    }

    #[test]
    fn tls_that_no_key_opened_ends_together_too() {
        let session = |i: u32| {
            let start = f64::from(i);
            Scene::sealed_at(start)
                .after(99.0 - start + f64::from(i) * 0.05)
                .record(Client)
                .record(Server)
                .fin(Server)
        };
        let all: Vec<Connection> = (0..6).map(|i| session(i).build()).collect();
        let judged = judged_together(&all, &[]);
        let finding = named(&judged[0], RULE.name).unwrap();
        assert_eq!((finding.confidence, finding.severity), (Confidence::Possible, Severity::Info));
        assert!(finding.message.contains("6 of the 6 TLS connections"), "{}", finding.message);
    }

    #[test]
    fn few_a_small_share_and_ordinary_closes_are_silent() {
        assert_eq!(told(&sessions(4, 4, Scene::fin)), 0);
        assert_eq!(told(&sessions(30, 6, Scene::fin)), 0);
        assert_eq!(told(&sessions(8, 8, |scene, by| scene.close(by, 1000, "").fin(by))), 0);
        assert_eq!(told(&sessions(8, 8, |scene, by| scene.fin(by.other()))), 0);
    }

    #[test]
    fn an_outage_of_this_side_ends_the_sessions_of_all_servers_at_once() {
        let mut all = sessions(8, 6, Scene::fin);
        // With sequence numbers of its own, or they would be the same sessions behind a translation of the server's address.
        let other = |connection: &mut Connection| {
            connection.tcp.server.ip = [10, 0, 0, 77].into();
            connection.tcp.isn.server = connection.tcp.isn.server.map(|isn| isn + 1_000_000);
        };
        all.extend(sessions(8, 6, Scene::fin).into_iter().map(|mut connection| {
            other(&mut connection);
            connection
        }));
        let judged = judged_together(&all, &[]);
        let finding = named(&judged[0], RULE.name).unwrap();
        assert_eq!((finding.blame, finding.confidence), (Blame::Unknown, Confidence::Possible));
        let ports = |mut connection: Connection| {
            connection.tcp.server.port = 81;
            connection.tcp.isn.server = connection.tcp.isn.server.map(|isn| isn + 1_000_000);
            connection
        };
        let mut all = sessions(8, 6, Scene::fin);
        all.extend(sessions(8, 6, Scene::fin).into_iter().map(ports));
        let judged = judged_together(&all, &[]);
        assert_eq!(named(&judged[0], RULE.name).unwrap().blame, Blame::Server);
    }

    #[test]
    fn sessions_that_were_captured_on_both_sides_of_a_translation_count_once() {
        let translated = |mut connection: Connection| {
            connection.tcp.client.ip = [192, 0, 2, 9].into();
            connection
        };
        let mut all = sessions(8, 6, Scene::fin);
        all.extend(sessions(8, 6, Scene::fin).into_iter().map(translated));
        let judged = judged_together(&all, &[]);
        let finding = named(&judged[0], RULE.name).unwrap();
        assert!(finding.message.contains("6 of the 8 sessions"), "{}", finding.message);
        // Three sessions are no burst for having been captured twice.
        let mut few = sessions(3, 3, Scene::fin);
        few.extend(sessions(3, 3, Scene::fin).into_iter().map(translated));
        assert_eq!(told(&few), 0);
    }

    #[test]
    fn short_sessions_in_a_row_are_silent() {
        let row: Vec<Connection> = (0..9)
            .map(|i| {
                Scene::tcp_at(f64::from(i) * 0.06).request(REQUEST).answer(ANSWER, "").fin(Server).build()
            })
            .collect();
        assert_eq!(told(&row), 0);
    }
}
