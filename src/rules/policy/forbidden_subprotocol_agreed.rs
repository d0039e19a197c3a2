use super::Standing;
use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Context, Finding};

rule! {
    /// # What it finds
    /// A session whose 101 selects a subprotocol that the policy forbids for this host and path.
    ///
    /// # Why it matters
    /// It is forbidden because it is old, unsafe or not meant for this place.
    ///
    /// # What causes it
    /// A client that still offers it, and a server that still knows it.
    ///
    /// # How to fix
    /// Take it out of the server's list; then out of the client's offer.
    ///
    /// # What it does not report
    /// Offers that were not selected.
    pub static RULE = "WS-PO-004" "forbidden-subprotocol-agreed" {
        severity: Error, category: Policy, reference: "the policy of the run",
        explains: [], asked_on: [Demand], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    super::check(&RULE, connection, context, found);
}

/// How a session stands to `subprotocol`, which must not be.
pub(in crate::rules) fn standing(connection: &Connection, subprotocol: &str) -> Option<Standing> {
    let response = super::agreed(connection)?;
    Some(if response.subprotocol.as_deref() == Some(subprotocol) {
        Standing::unmet(response.seen, format!("the 101 selects {subprotocol}")).by(Role::Server)
    } else {
        Standing::met(response.seen, "not selected")
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::judged;
    use crate::role::Role::Server;
    use crate::rules::expectation::Demand;
    use crate::rules::testing::Scene;
    use crate::rules::testing::{ANSWER, REQUEST};

    #[test]
    fn only_what_was_selected_counts() {
        let judged = |forbidden: &str| {
            let scene = Scene::tcp()
                .request(&format!("{REQUEST}Sec-WebSocket-Protocol: v1, v2\r\n"))
                .answer(&format!("{ANSWER}Sec-WebSocket-Protocol: v2\r\n"), "");
            judged(Demand::NoSubprotocol(forbidden.to_owned()), scene)
        };
        assert_eq!(judged("v2"), Some((false, Some(Server))));
        assert_eq!(judged("v1"), Some((true, None)));
    }
}
