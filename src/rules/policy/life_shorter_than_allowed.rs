use super::Standing;
use crate::connection::{Connection, Transport};
use crate::rules::rule::rule;
use crate::rules::{Check, Context, Finding, quote};

rule! {
    /// # What it finds
    /// A session that ended sooner after its handshake than the policy allows.
    ///
    /// # Why it matters
    /// Sessions that die young cost a handshake each, and what is behind them shows to users as reconnects.
    ///
    /// # What causes it
    /// A fault in either side, an idle timer or lifetime limit in front of the server, or a deployment.
    ///
    /// # How to fix
    /// Look at what else was found on the connection: who closed it, with what code, and whether a timer did.
    ///
    /// # What it does not report
    /// Sessions that were open when the capture ended, and those whose handshake is not in it, unless what was seen of
    /// them is long enough.
    pub static RULE = "WS-PO-008" "life-shorter-than-allowed" {
        severity: Error, category: Policy, reference: "the policy of the run",
        explains: [], asked_on: [Demand], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    super::check(&RULE, connection, context, found);
}

/// How long a session lived, against `shortest`, in nanoseconds.
pub(in crate::rules) fn standing(connection: &Connection, shortest: i64) -> Option<Standing> {
    let lived = super::life(connection)?;
    let over = connection.ending.by.is_some_and(|_| connection.ending.transport != Transport::Open);
    let text = format!("lived {}", quote::seconds(lived as f64 / 1e9));
    let close = connection.closes.first();
    let (by, seen) = match close {
        Some(close) => (Some(close.from), close.seen),
        None => connection.ending.by.map_or((None, connection.last), |(by, seen)| (Some(by), seen)),
    };
    if lived >= shortest {
        return Some(Standing::met(seen, text));
    }
    // Of what the capture shows in part only, no one knows how long it lived.
    let whole = (over || close.is_some()) && connection.response.is_some();
    whole.then(|| Standing { by, ..Standing::unmet(seen, text) })
}

#[cfg(test)]
mod tests {
    use super::super::testing::judged;
    use crate::role::Role::{Client, Server};
    use crate::rules::expectation::Demand;
    use crate::rules::testing::Scene;

    #[test]
    fn what_was_still_open_is_not_judged_unless_it_was_long_enough() {
        let judged = |scene| judged(Demand::Life { shortest: 5_000_000_000 }, scene);
        let closed = |after| {
            Scene::session("", "").messages(Client, 1).after(after).close(Server, 1000, "").fin(Server)
        };
        assert_eq!(judged(closed(1.0)), Some((false, Some(Server))));
        assert_eq!(judged(closed(6.0)), Some((true, None)));
        assert_eq!(judged(Scene::session("", "").messages(Client, 1)), None);
        assert_eq!(judged(Scene::session("", "").after(9.0).messages(Client, 1)), Some((true, None)));
    }
}
