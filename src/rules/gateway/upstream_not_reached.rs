mod not_connected;
mod not_encrypted;
mod unanswered;

use crate::connection::{Connection, Outcome, Response};
use crate::legs::{Fate, unreached};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Confidence, Context, Finding, trust};
use not_connected::not_connected;
use not_encrypted::not_encrypted;
use unanswered::{HASTE, unanswered};

rule! {
    /// # What it finds
    /// A gateway that failed its client with an error, 1014 or without a word, and its own attempt at the upstream: a TCP
    /// connection that was refused, never answered, or accepted and ended at once; TLS that failed; or an upgrade that got no
    /// answer. A page or a redirect in place of the error counts where the attempt was refused right before it; no answer at all,
    /// until the client gave up, where the attempt was made for its request at once.
    ///
    /// # Why it matters
    /// "Bad gateway" has several causes, and the packets behind the gateway tell them apart: a refused SYN is a program
    /// that does not run, a silent one is a network or a full queue, a connection that is thrown out is something in front of
    /// the program, an unanswered request is a program that hangs.
    ///
    /// # What causes it
    /// RST: nothing listens on that port. No answer to the SYN: a firewall, a wrong address, a host that is down, a
    /// full accept queue; a router or a firewall that says so by ICMP is named, with what it says. Accepted and ended
    /// before a byte was sent: a list of allowed addresses that lacks the gateway's, a limit of connections, a port
    /// that a proxy of containers holds open while nothing runs behind it, a program that fails as it accepts. TLS that
    /// failed: a certificate that the gateway does not trust, or a port that speaks no TLS. No answer to the request: a
    /// blocked program, no upgrade handler, or the program ended the connection.
    ///
    /// # How to fix
    /// RST: start the program, or correct the port in the gateway. Silence: open the path and check the address. Ended at once:
    /// find out what listens there and whom it lets in. No answer: read the upstream's log at that second.
    ///
    /// # What it does not report
    /// Attempts at several upstreams at once that cannot be told apart, those that health checks make at the same time
    /// or beside one that stayed open, and gateways whose other side was not captured. Captures that stop within ten
    /// seconds of a request that is still unanswered, and clients that hardly waited.
    pub static RULE = "WS-GW-010" "upstream-not-reached" {
        severity: Error, category: Gateway, reference: "RFC 9110 §15.6.3 to §15.6.5; RFC 9293 §3.10.7",
        explains: ["tls-handshake-failed", "scheme-port-mismatch", "gateway-error-before-upgrade", "handshake-unanswered", "response-not-http", "response-not-101",
            "response-200-upgrade-ignored", "response-redirect", "response-forbidden"], asked_on: [Answer, Close], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    // lighttpd and others give a 500 for an upstream that gave no answer.
    let failed = |response: &Response| response.head.status >= 500 && context.legs.is_some();
    let refused =
        connection.response.as_ref().is_some_and(|response| super::spoke(response) || failed(response));
    let told = refused || super::bad_gateway(connection).is_some();
    let silent = matches!(connection.outcome, Outcome::Unanswered | Outcome::Garbled);
    // Varnish in its pipe and http-proxy on Node end the client's connection without a word.
    let cut = silent && connection.ending.by.is_some_and(|(by, _)| by == Role::Server);
    // An error page of the gateway's own may have any status: error_page of nginx, a redirect to a page for people.
    let other = connection.response.as_ref().is_some_and(|response| {
        !told && !trust::switched(connection) && !matches!(response.head.status, 401 | 407)
    });
    if !told && !silent && !other {
        return;
    }
    if let Some(legs) = context.legs {
        found.extend(unanswered(&legs).or_else(|| not_encrypted(&legs)));
    } else if told || cut || other || waited_in_vain(connection) {
        let tried = unreached(connection, context.unused);
        // What says nothing of an upstream is its consequence only where one was refused right before it; and where there
        // is no answer, only the request can show what was tried for it.
        let tried = tried.filter(|tried| match () {
            () if told || cut => true,
            () if other => tried.fate == Fate::Refused && tried.is_at_once,
            () => tried.began_at_once,
        });
        let finding = tried.and_then(|tried| not_connected(connection, &tried));
        let most = if told || cut { Confidence::Certain } else { Confidence::Likely };
        found.extend(finding.map(|finding| finding.confidence(most)));
    }
}

/// Whether the client left without an answer, not without having waited for one: some gateways tell nobody that they did not reach
/// their upstream (http2-proxy on Node), others wait longer than their clients.
fn waited_in_vain(connection: &Connection) -> bool {
    let left = connection.ending.by.filter(|(by, _)| *by == Role::Client);
    let asked = connection.request.as_ref().filter(|_| connection.outcome == Outcome::Unanswered);
    let waited = asked.zip(left).and_then(|(asked, (_, left))| trust::elapsed(connection, asked.seen, left));
    waited.is_some_and(|waited| waited >= HASTE)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::capture::{PacketId, Seen};
    use crate::connection::{Transport, Unused};
    use crate::legs::Unconnected;
    use crate::net::Endpoint;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{REQUEST, Scene, both, flat};
    use crate::rules::{Blame, Confidence, Context, judge};
    use crate::time::Timestamp;

    fn seen(packet: u64, millis: i64) -> Seen {
        Seen { packet: PacketId::new(0, packet), at: Timestamp::from_nanos(millis * 1_000_000) }
    }

    fn attempt(host: u8, refused: bool) -> Unused {
        let endpoint = |ip: [u8; 4], port| Endpoint { ip: ip.into(), port };
        Unused {
            capture: 0,
            stream: 7,
            client: endpoint([10, 1, 0, host], 40_000),
            server: endpoint([10, 1, 0, 99], 8080),
            opened: seen(90, 25),
            syns: 1,
            undelivered: Vec::new(),
            accepted: None,
            ended: refused.then(|| (Server, Transport::Reset, seen(91, 26))),
        }
    }

    fn judged(unused: &[Unused]) -> Vec<crate::rules::Finding> {
        let connection = Scene::answered("HTTP/1.1 502 Bad Gateway\r\n", "").build();
        judge(&connection, &Context { unused: &Unconnected::new(unused), ..Context::alone() })
    }

    #[test]
    fn an_upgrade_that_crosses_the_end_of_a_kept_connection_blames_nobody() {
        let told = |upstream: Scene| {
            both(Scene::answered("HTTP/1.1 502 Bad Gateway\r\n", ""), upstream).finds(RULE.name)
        };
        let finding = told(Scene::tcp().fin(Server).request(REQUEST));
        assert_eq!((finding.blame, finding.confidence), (Blame::Unknown, Confidence::Likely));
        assert!(finding.help.contains("sooner than the upstream"), "{}", finding.help);
        let finding = told(Scene::tcp().request(REQUEST).fin(Server));
        assert_eq!((finding.blame, finding.confidence), (Blame::Upstream, Confidence::Certain));
    }

    #[test]
    fn a_refused_syn_explains_the_502() {
        let findings = judged(&[attempt(1, true)]);
        assert_eq!((findings[0].rule.name, findings[0].blame), (RULE.name, Blame::Upstream));
        assert_eq!(findings[0].consequences[0].rule.name, "gateway-error-before-upgrade");
        assert!(findings[0].message.contains("refused"));
        assert!(judged(&[attempt(1, false)])[0].message.contains("did not answer the SYN"));
    }

    #[test]
    fn a_refused_syn_explains_a_page_or_a_redirect_in_place_of_the_502() {
        let judged = |answer: &str, opened, refused| {
            let ended = Some((Server, Transport::Reset, seen(91, refused)));
            let unused = [Unused { opened: seen(90, opened), ended, ..attempt(1, true) }];
            let connection = Scene::answered(&format!("HTTP/1.1 {answer}\r\n"), "").build();
            judge(&connection, &Context { unused: &Unconnected::new(&unused), ..Context::alone() }).remove(0)
        };
        for answer in ["200 OK", "302 Found\r\nLocation: https://status.example.org/", "404 Not Found"] {
            let finding = judged(answer, 25, 26);
            assert_eq!((finding.rule.name, finding.confidence), (RULE.name, Confidence::Likely), "{answer}");
            assert_eq!(finding.consequences.len(), 1, "{answer}");
        }
        // An answer that asks for credentials is no error page.
        assert_ne!(judged("401 Unauthorized", 25, 26).rule.name, RULE.name);
    }

    #[test]
    fn an_upstream_that_accepts_and_ends_at_once_explains_the_502() {
        let thrown_out = Unused { accepted: Some(seen(91, 26)), ..attempt(1, true) };
        let ended =
            |by, millis| Unused { ended: Some((by, Transport::Fin, seen(92, millis))), ..thrown_out.clone() };
        let finding = &judged(&[ended(Server, 27)])[0];
        assert_eq!((finding.rule.name, finding.confidence), (RULE.name, Confidence::Likely));
        assert!(finding.message.contains("before either side had sent a byte"), "{}", finding.message);
        // One that the gateway opened for another reason.
        assert_ne!(judged(&[ended(Client, 27)])[0].rule.name, RULE.name);
        assert_ne!(judged(&[ended(Server, 900)])[0].rule.name, RULE.name);
    }

    #[test]
    fn tls_that_failed_upstream_explains_the_502() {
        let client = || Scene::answered("HTTP/1.1 502 Bad Gateway\r\n", "");
        let (findings, rest) = both(client(), Scene::tls_at(0.0).fin(Server)).findings();
        assert_eq!((findings.len(), findings[0].rule.name, rest.len()), (1, RULE.name, 0));
        let below: Vec<_> = findings[0].consequences.iter().map(|below| below.rule.name).collect();
        assert_eq!(below, ["gateway-error-before-upgrade", "tls-handshake-failed"]);
        assert!(findings[0].message.contains("as a port does that speaks no TLS"), "{}", findings[0].message);
        let alert =
            |from, number| both(client(), Scene::tls_at(0.0).alert(from, number).fin(from)).finds(RULE.name);
        let distrust = alert(Client, 48);
        assert_eq!(distrust.blame, Blame::Upstream);
        assert!(
            distrust.message.contains("the gateway broke off with the alert unknown_ca"),
            "{}",
            distrust.message
        );
        assert_eq!(alert(Server, 116).blame, Blame::Gateway);
        let slow = both(client(), Scene::tls_at(0.0).after(5.0).fin(Client)).finds(RULE.name);
        assert!(slow.message.contains("gave up after 5.0 s"), "{}", slow.message);
    }

    #[test]
    fn a_relay_that_connects_before_it_reads_the_request_is_told_by_its_refused_syn() {
        let judged = |opened, refused, end: f64| {
            let ended = Some((Server, Transport::Reset, seen(2, refused)));
            let unused = [Unused { opened: seen(1, opened), ended, ..attempt(9, true) }];
            let connection = Scene::tcp().request(REQUEST).after(end).fin(Server).build();
            judge(&connection, &Context { unused: &Unconnected::new(&unused), ..Context::alone() })[0]
                .rule
                .name
        };
        assert_eq!(judged(1, 12, 0.0), RULE.name);
        // A health check has nothing to do with the client's end.
        assert_eq!(judged(1, 2, 0.5), "handshake-unanswered");
    }

    #[test]
    fn a_refused_syn_explains_an_end_without_a_word() {
        let unused = [attempt(1, true)];
        let judged = |scene: Scene| {
            judge(&scene.build(), &Context { unused: &Unconnected::new(&unused), ..Context::alone() })
        };
        let findings = judged(Scene::tcp().request(REQUEST).fin(Server));
        assert_eq!((findings[0].rule.name, findings[0].blame), (RULE.name, Blame::Upstream));
        assert_eq!(findings[0].consequences[0].rule.name, "handshake-unanswered");
        assert!(findings[0].message.contains("without an answer"), "{}", findings[0].message);
        let findings = judged(Scene::tcp().request(REQUEST).fin(Client));
        assert_eq!(findings[0].rule.name, "handshake-unanswered");
    }

    #[test]
    fn an_upstream_that_was_not_reached_explains_why_a_client_waited_in_vain() {
        let judged = |unused: Unused, waited| {
            let connection = Scene::tcp().request(REQUEST).after(waited).fin(Client).build();
            let findings =
                judge(&connection, &Context { unused: &Unconnected::new(&[unused]), ..Context::alone() });
            (findings[0].rule.name, findings[0].confidence, findings[0].message.clone())
        };
        for (refused, what) in [(true, "refused the TCP connection"), (false, "did not answer the SYN")] {
            let (name, confidence, message) = judged(attempt(1, refused), 6.0);
            assert_eq!((name, confidence), (RULE.name, Confidence::Likely));
            assert!(message.contains("before the client gave up without an answer"), "{message}");
            assert!(message.contains(what), "{message}");
        }
        // Who leaves at once may leave for another reason, and what begins later may be meant for somebody else.
        assert_ne!(judged(attempt(1, true), 0.5).0, RULE.name);
        let later = Unused { opened: seen(90, 3_000), ended: None, ..attempt(1, true) };
        assert_eq!(judged(later.clone(), 6.0).0, "handshake-unanswered");
    }

    #[test]
    fn attempts_of_two_hosts_at_once_prove_nothing() {
        let findings = judged(&[attempt(1, true), attempt(2, true)]);
        assert!(flat(&findings).iter().all(|finding| finding.rule.name != RULE.name));
    }

    #[test]
    fn an_upgrade_without_an_answer_is_told_with_both_legs() {
        let client = Scene::tcp().request(REQUEST).after(5.0).answer("HTTP/1.1 504 Gateway Timeout\r\n", "");
        let (findings, rest) = both(client, Scene::tcp().request(REQUEST).after(4.0).fin(Client)).findings();
        assert_eq!((findings[0].rule.name, findings[0].blame), (RULE.name, Blame::Upstream));
        assert_eq!((findings.len(), rest.len()), (1, 0), "{rest:#?}");
    }

    #[test]
    fn an_upgrade_that_may_still_be_answered_is_no_fault() {
        let waiting = || Scene::tcp().request(REQUEST);
        both(waiting().after(3.0).packet(|_| ()), waiting().after(3.0).packet(|_| ())).silent(RULE.name);
        let hasty = both(waiting().after(0.2).fin(Client), waiting().after(0.3).fin(Client));
        hasty.silent(RULE.name);
        let (findings, _) = hasty.findings();
        assert_eq!((findings[0].blame, findings[0].confidence), (Blame::Unknown, Confidence::Possible));
        let finding =
            both(waiting().after(4.0).fin(Client), waiting().after(4.1).fin(Client)).finds(RULE.name);
        assert!(
            finding.message.ends_with("no answer came until the client left after 4.0 s"),
            "{}",
            finding.message
        );
        // Some gateways keep the upstream's connection when their client has gone: what the upstream does with it then, the
        // client did not wait for.
        both(waiting().after(0.2).fin(Client), waiting().after(8.0).fin(Server)).silent(RULE.name);
        let finding =
            both(waiting().after(4.0).fin(Client), waiting().after(8.0).fin(Server)).finds(RULE.name);
        assert!(finding.message.ends_with("until the client left after 4.0 s"), "{}", finding.message);
        let finding =
            both(waiting().after(8.1).fin(Server), waiting().after(8.0).fin(Server)).finds(RULE.name);
        assert!(finding.message.ends_with("in place of an answer after 8.0 s"), "{}", finding.message);
    }

    #[test]
    fn upstreams_that_were_tried_in_turn_are_all_named() {
        let second = Unused {
            server: Endpoint { port: 8081, ..attempt(1, true).server },
            opened: seen(92, 27),
            ended: Some((Server, Transport::Reset, seen(93, 28))),
            ..attempt(1, true)
        };
        let findings = judged(&[attempt(1, true), second.clone()]);
        assert!(
            findings[0].message.contains("the gateway tried 10.1.0.99:8080 and 10.1.0.99:8081 before it"),
            "{}",
            findings[0].message
        );
        let beside = Unused { opened: seen(90, 25), ..second };
        assert_ne!(judged(&[attempt(1, true), beside])[0].rule.name, RULE.name);
    }

    #[test]
    fn a_health_check_that_fails_at_that_time_is_not_the_reason() {
        let check = |number: u64, millis| Unused {
            opened: seen(number, millis),
            ended: Some((Server, Transport::Reset, seen(number + 1, millis + 1))),
            ..attempt(1, true)
        };
        let slow = |unused: &[Unused]| {
            let connection = Scene::tcp().request(REQUEST).after(1.0);
            let connection = connection.answer("HTTP/1.1 503 Service Unavailable\r\n", "").build();
            judge(&connection, &Context { unused: &Unconnected::new(unused), ..Context::alone() })
        };
        let found = |unused: &[Unused]| slow(unused)[0].rule.name == RULE.name;
        assert!(!found(&[check(3, 5), check(90, 205), check(92, 405), check(94, 605), check(99, 2005)]));
        assert!(!found(&[check(92, 405)]));
        assert!(found(&[check(92, 22), check(94, 1000)]), "tried at once, and given up before the answer");
    }

    #[test]
    fn sessions_and_attempts_at_another_time_are_silent() {
        let connection = Scene::session("", "").build();
        let unused = [attempt(1, true)];
        let findings =
            judge(&connection, &Context { unused: &Unconnected::new(&unused), ..Context::alone() });
        assert!(findings.is_empty());
        let late = Unused { opened: seen(90, 900), ..attempt(1, true) };
        assert!(flat(&judged(&[late])).iter().all(|finding| finding.rule.name != RULE.name));
    }
}
