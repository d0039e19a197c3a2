use super::Standing;
use crate::connection::Connection;
use crate::rules::rule::rule;
use crate::rules::{Check, Context, Finding, quote};

rule! {
    /// # What it finds
    /// A Close with a code that nobody may send: below 1000, 1004 to 1006, or 1015 to 2999.
    ///
    /// # Why it matters
    /// Such a code means something else to each receiver, and most answer it with 1002.
    ///
    /// # What causes it
    /// A relay that passes on what its library reported, or an application with numbers of its own.
    ///
    /// # How to fix
    /// Use 1000 to 1003, 1007 to 1014, or 3000 to 4999.
    ///
    /// # What it does not report
    /// Closes without a code.
    pub static RULE = "WS-PO-009" "reserved-code-sent" {
        severity: Error, category: Policy, reference: "the policy of the run",
        explains: [], asked_on: [Demand], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    super::check(&RULE, connection, context, found);
}

/// Whether every Close of a session has a code that may be sent.
pub(in crate::rules) fn standing(connection: &Connection) -> Option<Standing> {
    super::agreed(connection)?;
    let reserved = |code: u16| matches!(code, 0..=999 | 1004..=1006 | 1015..=2999);
    let bad = connection.closes.iter().find(|close| close.code.is_some_and(reserved));
    Some(match bad {
        Some(close) => {
            Standing::unmet(close.seen, format!("the {} sent {}", close.from.name(), quote::close(close)))
                .by(close.from)
        }
        None => {
            let seen = connection.closes.last().map_or(connection.last, |close| close.seen);
            Standing::met(seen, "none")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::judged;
    use crate::role::Role::{Client, Server};
    use crate::rules::expectation::Demand;
    use crate::rules::testing::Scene;

    #[test]
    fn codes_that_may_not_travel_are_told_from_those_that_may() {
        let judged = |code| {
            let scene = Scene::session("", "").close(Server, code, "").close(Client, code, "");
            judged(Demand::NoReservedCodes, scene)
        };
        for code in [999, 1004, 1005, 1006, 1015, 2000] {
            assert_eq!(judged(code), Some((false, Some(Server))), "{code}");
        }
        for code in [1000, 1003, 1007, 1014, 3000, 4999] {
            assert_eq!(judged(code), Some((true, None)), "{code}");
        }
    }
}
