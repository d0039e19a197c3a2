use super::Standing;
use crate::connection::{Connection, Outcome};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Context, Finding, quote};

rule! {
    /// # What it finds
    /// An upgrade request that was answered later than the policy allows, or that got no answer in that time.
    ///
    /// # Why it matters
    /// Whoever connects waits for the handshake; a slow one shows as a slow start, and a slower one as a timeout.
    ///
    /// # What causes it
    /// A server that does much before it answers, a gateway that first connects upstream, or a network in between.
    ///
    /// # How to fix
    /// Compare both sides of the gateway: the leg on which the time passes shows who took it.
    ///
    /// # What it does not report
    /// Handshakes whose request is not in the capture.
    pub static RULE = "WS-PO-006" "handshake-longer-than-allowed" {
        severity: Error, category: Policy, reference: "the policy of the run",
        explains: [], asked_on: [Demand], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    super::check(&RULE, connection, context, found);
}

/// How the time from request to answer stands to `longest`, in nanoseconds.
pub(in crate::rules) fn standing(connection: &Connection, longest: i64) -> Option<Standing> {
    let asked = connection.request.as_ref()?.seen.at;
    let (seen, took, text) = match &connection.response {
        Some(response) => (response.seen, response.seen.at.nanos_since(asked), "answered after"),
        None => (connection.last, connection.last.at.nanos_since(asked), "no answer in"),
    };
    let text = format!("{text} {}", quote::seconds(took.max(0) as f64 / 1e9));
    if took > longest {
        return Some(Standing::unmet(seen, text).through(Role::Server));
    }
    (connection.response.is_some() && connection.outcome != Outcome::Encrypted)
        .then(|| Standing::met(seen, text))
}

#[cfg(test)]
mod tests {
    use super::super::testing::judged;
    use crate::role::Role::Server;
    use crate::rules::expectation::Demand;
    use crate::rules::testing::Scene;

    #[test]
    fn no_answer_counts_once_the_time_is_over() {
        let judged = |scene| judged(Demand::Handshake { longest: 500_000_000 }, scene);
        assert_eq!(judged(Scene::session("", "")), Some((true, None)));
        let asked = || Scene::tcp().request(crate::rules::testing::REQUEST);
        let late = asked().after(0.6).answer(crate::rules::testing::ANSWER, "");
        assert_eq!(judged(late), Some((false, Some(Server))));
        assert_eq!(judged(asked().fin(Server)), None);
        assert_eq!(judged(asked().after(2.0).fin(Server)), Some((false, Some(Server))));
    }
}
