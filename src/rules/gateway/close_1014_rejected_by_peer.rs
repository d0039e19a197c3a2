use crate::connection::{Close, Connection};
use crate::rules::rule::rule;
use crate::rules::{Check, Confidence, Finding, quote, trust};

rule! {
    /// # What it finds
    /// A Close with 1014 that the other side answered with 1002 Protocol Error, or to which it ended TCP within 2 s without
    /// a Close of its own.
    ///
    /// # Why it matters
    /// The receiver does not know 1014 and calls it illegal. Its application then reads of a protocol error where a bad
    /// gateway was meant.
    ///
    /// # What causes it
    /// 1014 was registered in 2016, after RFC 6455. gorilla, tungstenite, Autobahn for Python, Undertow, Tomcat,
    /// libwebsockets, Starscream, Cowboy's library and Boost.Beast before 2026 refuse it.
    ///
    /// # How to fix
    /// Update the receiving library, or let the gateway close with 1011 and a reason.
    ///
    /// # What it does not report
    /// Other answers, Closes that came before the 1014, and a 1002 that the sender of the 1014 deserved for a frame. An end
    /// without an answer is only possible: any program may end TCP so. So is a 1002 that may have crossed the 1014.
    pub static RULE = "WS-GW-003" "close-1014-rejected-by-peer" {
        severity: Warning, category: Gateway, reference: "IANA WebSocket Close Code Number Registry",
        explains: ["close-reply-differs", "close-reports-peer-violation", "close-unanswered"], asked_on: [Close], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(close) = connection.closes.iter().find(|close| close.code == Some(1014)) else { return };
    found.extend(dropped(connection, close));
    let reply = connection
        .closes
        .iter()
        .find(|reply| reply.from != close.from && reply.code == Some(1002) && reply.seen.at >= close.seen.at);
    let Some(reply) = reply else { return };
    // tungstenite says "Protocol violation" of everything, so that proves nothing.
    let says_so = reply.reason.contains("1014");
    // A 1002 may be about something else: a frame that broke the rules, or what came before the 1014 arrived.
    let deserved = connection.anomalies.iter().any(|anomaly| anomaly.from == close.from);
    if deserved && !says_so {
        return;
    }
    let delay = reply.seen.at.seconds_since(close.seen.at);
    let may_have_crossed = trust::round_trip(connection).is_some_and(|trip| delay < trip / 2.0);
    found.push(
        Finding::new(&RULE, reply.seen, "1014 refused as a protocol error")
            .confidence(match (says_so, may_have_crossed) {
                (true, _) => Confidence::Certain,
                (false, false) => Confidence::Likely,
                (false, true) => Confidence::Possible,
            })
            .origin(reply.from)
            .blame(reply.from)
            .message(format!(
                "the {} answered {} with {}, so its application never learns of the bad gateway",
                reply.from.name(),
                quote::close(close),
                quote::close(reply)
            ))
            .shows(close.seen, format!("{} sends {}", close.from.name(), quote::close(close)))
            .shows(reply.seen, format!("{} answers {}", reply.from.name(), quote::close(reply)))
            .help(format!(
                "update the WebSocket library of the {}, or let the gateway close with 1011 and a reason",
                reply.from.name()
            )),
    );
}

/// The other side ended TCP at once and said nothing: what Autobahn for Python does with a code that it takes for illegal,
/// and any program may do.
fn dropped(connection: &Connection, close: &Close) -> Option<Finding> {
    let peer = close.from.other();
    let (_, end) = connection.ending.by.filter(|(by, _)| *by == peer)?;
    let alone = connection.closes.iter().all(|close| close.from != peer);
    let seconds = trust::elapsed(connection, close.seen, end)?;
    if !alone || seconds > AT_ONCE || trust::doubt(connection, peer).is_some() {
        return None;
    }
    let how = quote::ending(connection);
    Some(
        Finding::new(&RULE, end, "1014 not answered")
            .confidence(Confidence::Possible)
            .origin(peer)
            .blame(peer)
            .message(format!(
                "the {} ended TCP with {how} {} after {}, without a Close of its own, as libraries do that take 1014 for illegal",
                peer.name(),
                quote::seconds(seconds),
                quote::close(close)
            ))
            .shows(close.seen, format!("{} sends {}", close.from.name(), quote::close(close)))
            .shows(end, format!("{how} from the {}, no Close before it", peer.name()))
            .help(format!(
                "look into the log of the {} for a protocol error at this second, and update its WebSocket library",
                peer.name()
            )),
    )
}

/// Seconds within which an end belongs to the Close before it.
const AT_ONCE: f64 = 2.0;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::Connection;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence};
    use crate::websocket::Violation;

    #[test]
    fn an_old_library_is_to_blame() {
        let findings = Scene::session("", "")
            .messages(Server, 1)
            .close(Server, 1014, "box_offline")
            .close(Client, 1002, "bad close code 1014")
            .fin(Server)
            .findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, "close-1014-bad-gateway"));
        let below = &findings[0].consequences[0];
        assert_eq!(
            (below.rule.name, below.blame, below.confidence),
            (RULE.name, Blame::Client, Confidence::Certain)
        );
    }

    #[test]
    fn an_end_without_an_answer_is_possible() {
        let scene = || Scene::session("", "").messages(Server, 1).close(Server, 1014, "box_offline");
        let finding = scene().fin(Client).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Possible));
        scene().after(5.0).fin(Client).silent(RULE.name);
        scene().fin(Server).silent(RULE.name);
        scene().gap(Client).fin(Client).silent(RULE.name);
    }

    #[test]
    fn a_1002_about_something_else_and_one_that_crossed_are_less() {
        let scene = || Scene::session("", "").messages(Server, 1).close(Server, 1014, "box_offline");
        for reason in ["", "Protocol violation"] {
            assert_eq!(scene().close(Client, 1002, reason).finds(RULE.name).confidence, Confidence::Likely);
        }
        let far = |c: &mut Connection| c.tcp.accepted = c.request.as_ref().map(|request| request.seen);
        let crossed = scene().close(Client, 1002, "").with(far).with(|c| {
            let (first, reply) = (c.closes[0].seen.at, &mut c.closes[1].seen);
            reply.at = first;
        });
        assert_eq!(crossed.finds(RULE.name).confidence, Confidence::Possible);
        Scene::session("", "")
            .anomaly(Server, Violation::Masked, b"\x81\x80")
            .close(Server, 1014, "box_offline")
            .close(Client, 1002, "masked frame")
            .silent(RULE.name);
    }

    #[test]
    fn an_echo_is_silent() {
        Scene::session("", "").close(Server, 1014, "").close(Client, 1014, "").silent(RULE.name);
    }
}
