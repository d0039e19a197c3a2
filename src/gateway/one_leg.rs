//! Who ended a session, or made its answer, where only the client's leg was captured: signs of a gateway are weighed
//! against signs of the application behind it.

use super::parting::{How, Parting};
use super::signatures::{Proof, identify, relay};
use super::timers::{TIMERS, Timer};
use super::verdict::{Party, Reason, Verdict};
use crate::capture::Seen;
use crate::confidence::Confidence;
use crate::connection::{Close, Connection, Response};
use crate::role::Role;

/// What speaks for a gateway, or for the application behind it, where only the client's leg was captured.
pub fn one_leg(connection: &Connection) -> Verdict {
    let mut signs = Signs::default();
    if let Some(response) = &connection.response {
        signs.add_answer(response);
    }
    let parting = Parting::of(connection).filter(|parting| parting.by == Role::Server);
    if let Some(close) = connection.closes.first().filter(|close| close.from == Role::Server) {
        signs.add_close(close, parting.and_then(|parting| parting.quiet));
    }
    if let Some(parting) = parting.filter(|parting| matches!(parting.how, How::Fin | How::Reset)) {
        signs.add_end_of_tcp(connection, &parting);
    }
    signs.weigh()
}

/// Signs with their weights: positive for the gateway, negative for the application.
#[derive(Default)]
struct Signs {
    list: Vec<(i32, Reason)>,
    /// Whether the answer is one that a gateway is known to make itself.
    is_own_answer: bool,
    /// Whether whoever closed calls itself a gateway.
    is_declared: bool,
}

impl Signs {
    fn add(&mut self, weight: i32, seen: Seen, text: impl Into<String>) {
        self.list.push((weight, Reason { seen: Some(seen), text: text.into() }));
    }

    fn add_answer(&mut self, response: &Response) {
        let (status, seen) = (response.head.status, response.seen);
        let found = identify(&response.head, &response.body);
        if let Some(own) = found.iter().find(|sign| sign.signature.proof == Proof::OwnAnswer) {
            self.is_own_answer = own.signature.confirmed;
            self.add(5, seen, format!("{} makes such answers itself: {}", own.signature.product, own.found));
        } else if let Some(sign) = relay(&response.head, &response.body) {
            self.add(1, seen, format!("the answer came through {}: {}", sign.signature.product, sign.found));
        }
        if matches!(status, 502 | 504) {
            self.add(3, seen, format!("a {status} speaks of something behind the one who sends it"));
        }
    }

    /// A Close of the server's side, after so many nanoseconds of silence.
    fn add_close(&mut self, close: &Close, quiet: Option<i64>) {
        let seen = close.seen;
        let reason = close.reason.to_ascii_lowercase();
        let has_any = |words: &[&str]| words.iter().any(|word| reason.contains(word));
        let is_minute = quiet.is_some_and(|nanos| (60.0..66.0).contains(&(nanos as f64 / 1e9)));
        match close.code {
            Some(1014) if has_any(&["auth", "token", "permission", "denied"]) => {
                self.add(1, seen, "Close 1014, for which the reason speaks of access rights");
            }
            Some(1014) => {
                self.is_declared = true;
                self.add(3, seen, "Close 1014, by which the sender calls itself a gateway");
            }
            Some(1012 | 1013 | 4000..=4999) => {
                self.add(-2, seen, "a code that applications send themselves");
            }
            Some(1000) if close.reason.is_empty() && is_minute => {
                self.add(-2, seen, "an empty 1000 after a minute of silence is how Cowboy closes");
            }
            _ if has_any(&LIBRARY_REASONS) => {
                self.add(-3, seen, format!("the reason \"{}\" is a library's", close.reason));
            }
            _ => {}
        }
    }

    fn add_end_of_tcp(&mut self, connection: &Connection, parting: &Parting) {
        let product = connection.response.as_ref().and_then(|r| relay(&r.head, &r.body));
        let is_its_own = |timer: &&Timer| {
            product.as_ref().is_some_and(|sign| sign.signature.product == timer.product && timer.confirmed)
        };
        let fitting = || TIMERS.iter().filter(|timer| timer.ended(parting));
        let when = |timer: &Timer| format!("it ended {:.0} s after {}", timer.seconds, timer.resets.since());
        let seen = parting.seen;
        match (fitting().find(is_its_own), fitting().next()) {
            (Some(timer), _) => {
                self.add(3, seen, format!("{}, the limit of {}", when(timer), timer.product));
            }
            (None, Some(timer)) => self.add(1, seen, format!("{}, a usual limit", when(timer))),
            (None, None) if parting.how == How::Reset => {
                self.add(-1, seen, "a reset amid traffic is how a crash looks");
            }
            (None, None) => {}
        }
    }

    /// Adds the weights up.
    fn weigh(mut self) -> Verdict {
        let sum: i32 = self.list.iter().map(|(weight, _)| weight).sum();
        let (origin, confidence) = match sum {
            _ if self.is_own_answer => (Party::Gateway, Confidence::Certain),
            5.. if self.is_declared => (Party::Gateway, Confidence::Certain),
            4.. => (Party::Gateway, Confidence::Likely),
            2..=3 => (Party::Gateway, Confidence::Possible),
            ..=-4 => (Party::Server, Confidence::Likely),
            -3..=-2 => (Party::Server, Confidence::Possible),
            _ => (Party::Unknown, Confidence::Possible),
        };
        self.list.sort_by_key(|(weight, _)| std::cmp::Reverse(weight.abs()));
        let speaks_for = |weight: i32| (weight > 0) == (sum >= 0);
        let (mut reasons, against): (Vec<_>, Vec<_>) =
            self.list.into_iter().partition(|(weight, _)| speaks_for(*weight));
        reasons.truncate(3);
        Verdict {
            origin,
            blame: origin,
            confidence,
            reasons: reasons.into_iter().map(|(_, reason)| reason).collect(),
            counter: against.into_iter().next().map(|(_, reason)| reason),
            settle: (confidence < Confidence::Certain).then_some(SETTLE),
        }
    }
}

const SETTLE: &str = "a capture between the gateway and what stands behind it";

/// Reasons that libraries put into a Close, in lower case.
const LIBRARY_REASONS: [&str; 9] = [
    "idle timeout",
    "keepalive ping timeout",
    "heartbeat timeout",
    "web application is stopping",
    "protocol violation",
    "bad close code",
    "incorrect masking",
    "invalid opcode",
    "reserved bits must be 0",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene};

    fn session(extra: &str) -> Scene {
        Scene::tcp().request(REQUEST).answer(&format!("{ANSWER}{extra}"), "").messages(Client, 1)
    }

    #[test]
    fn nginx_after_a_minute_of_silence_is_likely_the_gateway() {
        let verdict = one_leg(&session("Server: nginx/1.22.1\r\n").after(60.04).fin(Server).build());
        assert_eq!((verdict.origin, verdict.confidence), (Party::Gateway, Confidence::Likely));
        assert!(verdict.reasons[0].text.contains("the limit of nginx"));
        assert!(verdict.settle.is_some());
    }

    #[test]
    fn an_empty_1000_after_a_minute_is_cowboys_and_not_the_gateways() {
        let verdict = one_leg(&session("").after(63.1).close(Server, 1000, "").build());
        assert_eq!((verdict.origin, verdict.confidence), (Party::Server, Confidence::Possible));
    }

    #[test]
    fn a_relay_that_declares_itself_behind_a_cdn_is_likely_a_gateway() {
        let scene = session("CF-RAY: 8a\r\n").close(Server, 1014, "Backend WebSocket unavailable");
        let verdict = one_leg(&scene.build());
        assert_eq!((verdict.origin, verdict.confidence), (Party::Gateway, Confidence::Likely));
    }

    #[test]
    fn the_reason_of_a_library_speaks_against_the_gateway() {
        let scene = session("Via: 1.1 edge\r\n").close(Server, 1001, "Connection Idle Timeout");
        let verdict = one_leg(&scene.build());
        assert_eq!(verdict.origin, Party::Server);
        assert!(verdict.counter.unwrap().text.contains("a proxy"));
    }

    #[test]
    fn an_error_page_of_a_product_is_certain_and_a_bare_502_possible() {
        let page = "<h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n";
        let verdict = one_leg(&Scene::answered("HTTP/1.1 503 Service Unavailable\r\n", page).build());
        assert_eq!((verdict.origin, verdict.confidence), (Party::Gateway, Confidence::Certain));
        let verdict = one_leg(&Scene::answered("HTTP/1.1 502 Bad Gateway\r\n", "").build());
        assert_eq!((verdict.origin, verdict.confidence), (Party::Gateway, Confidence::Possible));
    }

    #[test]
    fn nothing_to_weigh_is_unknown() {
        assert_eq!(one_leg(&session("").fin(Server).build()).origin, Party::Unknown);
    }
}
