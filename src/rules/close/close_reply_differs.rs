use crate::connection::{Close, Connection};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, Severity, quote, trust};

rule! {
    /// # What it finds
    /// Both sides sent Close with different codes, and the second is an answer to the first.
    ///
    /// # Why it matters
    /// An answer usually echoes the code. 1002 instead means that the receiver disliked the Close itself: a code it
    /// does not know, or a broken reason. Its log then shows a protocol error in place of the true cause.
    ///
    /// # What causes it
    /// A library with an old list of codes, or a malformed Close.
    ///
    /// # How to fix
    /// Look at the first Close: if it is in order, update the library that answered 1002.
    ///
    /// # What it does not report
    /// Closes that crossed on the way, answers with 1000 or without a code, which many libraries always give, and 1002 where
    /// the first side broke the protocol in a way that another rule names. A 1002 that does not name the code it answers may be
    /// about something else, so that it is no more than likely; one that may have crossed a Close with a code that all know is
    /// about something else. Where bytes are missing it is only possible.
    pub static RULE = "WS-CL-006" "close-reply-differs" {
        severity: Warning, category: Close, reference: "RFC 6455 §5.5.1",
        explains: ["close-reports-peer-violation"], asked_on: [Close], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some(first) = connection.closes.first() else { return };
    let Some(reply) = connection.closes.iter().find(|close| close.from != first.from) else { return };
    if reply.code == first.code || matches!(reply.code, None | Some(1000)) {
        return;
    }
    let disliked = reply.code == Some(1002);
    // What the first side did wrong is told by a rule of its own.
    let deserved = connection.anomalies.iter().any(|anomaly| anomaly.from == first.from);
    if disliked && deserved {
        return;
    }
    let crossing = trust::round_trip(connection).unwrap_or(CROSSING).max(CROSSING);
    let may_have_crossed =
        trust::elapsed(connection, first.seen, reply.seen).is_none_or(|delay| delay <= crossing);
    if may_have_crossed && !(disliked && is_new(first)) {
        return;
    }
    let doubt = Role::BOTH.into_iter().find_map(|role| trust::doubt(connection, role));
    found.push(
        Finding::new(&RULE, reply.seen, "Close answered with another code")
            .at_most(if disliked { Severity::Warning } else { Severity::Info })
            .confidence(match () {
                () if doubt.is_some() => Confidence::Possible,
                () if !disliked || names(reply, first) => Confidence::Certain,
                () => Confidence::Likely,
            })
            .origin(reply.from)
            .blame(if disliked { Blame::from(reply.from) } else { Blame::Nobody })
            .message(format!(
                "the {} answered {} with {}",
                reply.from.name(),
                quote::close(first),
                quote::close(reply)
            ))
            .shows(first.seen, format!("{} sends {}", first.from.name(), quote::close(first)))
            .shows(reply.seen, format!("{} answers {}", reply.from.name(), quote::close(reply)))
            .shows_all(reply.seen, doubt.into_iter().collect())
            .help(if disliked {
                format!("find out what the {} refused in the first Close, most often a code that its library does not know", reply.from.name())
            } else {
                format!("read the code of the {}, which closed first", first.from.name())
            }),
    );
}

/// Whether a Close has a code that not every library knows.
fn is_new(close: &Close) -> bool {
    !matches!(close.code, None | Some(1000..=1003 | 1007..=1011 | 3000..=4999))
}

/// Whether the reason of one Close speaks of the code of the other.
fn names(reply: &Close, first: &Close) -> bool {
    first.code.is_some_and(|code| reply.reason.contains(&code.to_string()))
}

/// Seconds in which two Closes may have crossed where the round trip is not known.
const CROSSING: f64 = 0.005;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Confidence, Severity};

    #[test]
    fn a_1002_that_the_first_side_deserved_is_silent() {
        Scene::session("", "")
            .anomaly(Client, crate::websocket::Violation::Unmasked, b"\x88\x02")
            .close(Client, 1001, "")
            .after(1.0)
            .close(Server, 1002, "incorrect masking")
            .silent(RULE.name);
    }

    #[test]
    fn a_1002_answer_warns_and_another_code_informs() {
        let severity = |reply| {
            Scene::session("", "")
                .close(Server, 1012, "")
                .after(1.0)
                .close(Client, reply, "")
                .finds(RULE.name)
                .severity
        };
        assert_eq!((severity(1002), severity(4001)), (Severity::Warning, Severity::Info));
    }

    #[test]
    fn a_1002_is_only_surely_about_the_code_that_it_names() {
        let told = |code, reason, apart, lossy| {
            let scene = Scene::session("", "").messages(Client, 1).messages(Server, 1);
            let scene = if lossy { scene.gap(Client) } else { scene };
            let scene = scene.close(Server, code, "").after(apart).close(Client, 1002, reason);
            scene.finds(RULE.name).confidence
        };
        assert_eq!(told(1013, "bad close code 1013", 0.0, false), Confidence::Certain);
        assert_eq!(told(1013, "", 0.0, false), Confidence::Likely);
        assert_eq!(told(1001, "", 1.0, false), Confidence::Likely);
        assert_eq!(told(1001, "", 1.0, true), Confidence::Possible);
        // Both may have closed at once, each for a reason of its own: the client's is then an accusation.
        let crossed =
            || Scene::session("", "").messages(Server, 1).close(Server, 1001, "").close(Client, 1002, "bad");
        crossed().silent(RULE.name);
        crossed().finds("close-reports-peer-violation");
    }

    #[test]
    fn echoes_courtesies_and_crossings_are_silent() {
        Scene::session("", "").close(Server, 1012, "").close(Client, 1012, "").silent(RULE.name);
        Scene::session("", "").close(Server, 1012, "").after(1.0).close(Client, 1000, "").silent(RULE.name);
        Scene::session("", "").close(Client, 1001, "").close(Server, 1012, "restart").silent(RULE.name);
    }
}
