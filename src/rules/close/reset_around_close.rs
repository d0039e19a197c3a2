use crate::connection::{Connection, ResetKind, Transport};
use crate::rules::rule::rule;
use crate::rules::{Check, Confidence, Finding, quote, trust};

rule! {
    /// # What it finds
    /// A side that sent Close and reset TCP before the other one had answered.
    ///
    /// # Why it matters
    /// A RST can destroy what the other side has not read yet, the Close among it. That side then reports 1006 although
    /// a code was sent.
    ///
    /// # What causes it
    /// Closing a socket while unread bytes wait in it makes the system send RST; so does SO_LINGER with a time of zero,
    /// such as `option nolinger` of HAProxy.
    ///
    /// # How to fix
    /// Shut down sending, read to the end, then close. Do not set SO_LINGER to zero. HAProxy: no `option nolinger`.
    ///
    /// # What it does not report
    /// A RST after both sides have sent Close, which is common with browsers and harmless; and one that something on the path
    /// sent, see `rst-foreign-origin`.
    pub static RULE = "WS-CL-010" "reset-around-close" {
        severity: Warning, category: Close, reference: "RFC 6455 §1.4, §7.1.1",
        explains: ["close-unanswered"], asked_on: [Abrupt], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let (Some((by, end)), Some(close)) = (connection.ending.by, connection.closes.first()) else { return };
    let Some(after) = trust::elapsed(connection, close.seen, end) else { return };
    let reset =
        connection.ending.transport == Transport::Reset && by == close.from && (0.0..NEAR).contains(&after);
    if !reset || !trust::unechoed(connection) || trust::doubt(connection, by.other()).is_some() {
        return;
    }
    if connection.foreign_reset().is_some() {
        return;
    }
    // One without ACK answers something that had arrived, and that the capture lacks if this is not here: the answering Close,
    // maybe.
    let answers = connection
        .tcp
        .reset
        .as_ref()
        .is_some_and(|reset| reset.seen == end && reset.kind == ResetKind::NoConnection);
    found.push(
        Finding::new(&RULE, end, "reset right after Close")
            .confidence(if answers { Confidence::Possible } else { Confidence::Certain })
            .origin(by)
            .blame(by)
            .message(format!(
                "the {} reset TCP {} after its {}, which may have destroyed it before the {} read it",
                by.name(),
                quote::seconds(after),
                quote::close(close),
                by.other().name()
            ))
            .shows(close.seen, format!("{} sends {}", by.name(), quote::close(close)))
            .shows(end, format!("RST from the {}", by.name()))
            .help(format!(
                "let the {} read until the answering Close has come before it closes its socket",
                by.name()
            )),
    );
}

/// Seconds in which a Close may still be unread.
const NEAR: f64 = 2.0;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::{Reset, ResetKind};
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;
    use crate::rules::{Blame, Confidence};

    #[test]
    fn a_reset_that_chases_its_own_close_is_told() {
        assert_eq!(
            Scene::session("", "").close(Server, 1008, "go").reset(Server).finds(RULE.name).blame,
            Blame::Server
        );
    }

    #[test]
    fn a_reset_that_answers_what_is_not_in_the_capture_is_only_possible() {
        let told = |kind| {
            let scene = Scene::session("", "").close(Server, 1008, "go").reset(Server);
            let scene = scene.with(|c| {
                let (ttl, usual_ttl) = (64, Some(64));
                c.tcp.reset =
                    c.ending.by.map(|(from, seen)| Box::new(Reset { from, seen, ttl, usual_ttl, kind }));
            });
            scene.finds(RULE.name).confidence
        };
        assert_eq!(told(ResetKind::Abort), Confidence::Certain);
        assert_eq!(told(ResetKind::NoConnection), Confidence::Possible);
    }

    #[test]
    fn a_reset_that_something_on_the_path_sent_is_no_fault_of_its_side() {
        let told = |ttl| {
            let scene = Scene::session("", "").close(Server, 1008, "go").reset(Server);
            scene.with(|c| {
                let (usual_ttl, kind) = (Some(57), ResetKind::Abort);
                c.tcp.reset =
                    c.ending.by.map(|(from, seen)| Box::new(Reset { from, seen, ttl, usual_ttl, kind }));
            })
        };
        assert_eq!(told(57).finds(RULE.name).blame, Blame::Server);
        told(240).silent(RULE.name);
        let foreign = told(240).finds("rst-foreign-origin");
        assert_eq!(foreign.blame, Blame::Network);
        assert_eq!(foreign.consequences[0].rule.name, "close-unanswered");
    }

    #[test]
    fn a_reset_after_both_closes_is_silent() {
        Scene::session("", "")
            .close(Server, 1000, "")
            .close(Client, 1000, "")
            .reset(Client)
            .silent(RULE.name);
        Scene::session("", "").gap(Client).close(Server, 1000, "").reset(Server).silent(RULE.name);
    }
}
