use super::{Range, Standing};
use crate::connection::{Connection, Transport};
use crate::role::Role;
use crate::rules::close as closes;
use crate::rules::rule::rule;
use crate::rules::{Check, Context, Finding, quote};

rule! {
    /// # What it finds
    /// A side that closed a session with a code that the policy does not allow it, or ended it without a Close, which
    /// its peer reports as 1006.
    ///
    /// # Why it matters
    /// The codes that a side may close with are part of the contract: monitoring, reconnects and retries hang on them.
    ///
    /// # What causes it
    /// A fault that the code names, a timeout of a gateway in between, or a code that the contract forgot.
    ///
    /// # How to fix
    /// Read what the code means (wsanalyze explain), mend its cause, or allow it in the policy.
    ///
    /// # What it does not report
    /// Echoes of the other side's Close, and sessions that were open when the capture ended. A Close without a code
    /// counts as 1005.
    pub static RULE = "WS-PO-005" "close-code-not-allowed" {
        severity: Error, category: Policy, reference: "the policy of the run",
        explains: [], asked_on: [Demand], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    super::check(&RULE, connection, context, found);
}

/// How the way in which `side` ended a session stands to the codes that it may use.
pub(in crate::rules) fn standing(connection: &Connection, side: Role, allowed: &[Range]) -> Option<Standing> {
    super::agreed(connection)?;
    let fits = |code: u16| allowed.iter().any(|range| range.contains(&code));
    let (seen, code, text) = match closes::own(connection).find(|close| close.from == side) {
        Some(close) => (
            close.seen,
            close.code.unwrap_or(1005),
            format!("the {} sent {}", side.name(), quote::close(close)),
        ),
        None => {
            // Whoever answers a Close has said nothing of its own.
            let (_, seen) =
                connection.ending.by.filter(|(by, _)| *by == side && connection.closes.is_empty())?;
            let how = match connection.ending.transport {
                Transport::Reset | Transport::StreamReset => "reset",
                Transport::Fin | Transport::Open => "ended",
            };
            (seen, 1006, format!("the {} {how} the connection without a Close (1006)", side.name()))
        }
    };
    Some(if fits(code) { Standing::met(seen, text) } else { Standing::unmet(seen, text).by(side) })
}

#[cfg(test)]
mod tests {
    use super::super::testing::judged;
    use crate::role::Role::{Client, Server};
    use crate::rules::expectation::Demand;
    use crate::rules::testing::Scene;

    #[test]
    fn each_side_answers_for_what_it_said_itself() {
        let judged =
            |side, scene| judged(Demand::CloseCodes { side, allowed: vec![1000..=1001, 4000..=4999] }, scene);
        let closed =
            |code| Scene::session("", "").close(Server, code, "").close(Client, code, "").fin(Server);
        assert_eq!(judged(Server, closed(1001)), Some((true, None)));
        assert_eq!(judged(Server, closed(4400)), Some((true, None)));
        assert_eq!(judged(Server, closed(1011)), Some((false, Some(Server))));
        assert_eq!(judged(Client, closed(1011)), None, "an echo");
        assert_eq!(judged(Client, Scene::session("", "").reset(Client)), Some((false, Some(Client))));
        assert_eq!(judged(Server, Scene::session("", "").reset(Client)), None);
        assert_eq!(judged(Server, Scene::session("", "")), None, "still open");
    }
}
