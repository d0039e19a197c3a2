use super::Standing;
use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Context, Finding};

rule! {
    /// # What it finds
    /// A session whose 101 does not agree an extension that the policy requires for this host and path.
    ///
    /// # Why it matters
    /// The policy says that this place works with the extension only; without it messages grow, or a client closes with
    /// 1010.
    ///
    /// # What causes it
    /// The server or a gateway lost it, or the client no longer offers it: the finding says which.
    ///
    /// # How to fix
    /// Where it was offered, look at the server and at what each gateway passes on of Sec-WebSocket-Extensions; where
    /// it was not, look at the client.
    ///
    /// # What it does not report
    /// Attempts that were not answered with a 101, and sessions whose handshake is not in the capture.
    pub static RULE = "WS-PO-001" "expected-extension-missing" {
        severity: Error, category: Policy, reference: "the policy of the run",
        explains: [], asked_on: [Demand], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    super::check(&RULE, connection, context, found);
}

/// How a session stands to the demand for `extension`.
pub(in crate::rules) fn standing(connection: &Connection, extension: &str) -> Option<Standing> {
    let response = super::agreed(connection)?;
    let offered =
        connection.request.as_ref().is_some_and(|request| request.extensions.get(extension).is_some());
    Some(if response.extensions.get(extension).is_some() {
        Standing::met(response.seen, format!("{extension} agreed"))
    } else if offered {
        Standing::unmet(response.seen, "it was offered, and the 101 is without it").through(Role::Server)
    } else {
        Standing::unmet(response.seen, "the client did not offer it").by(Role::Client)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::judged;
    use crate::role::Role::{Client, Server};
    use crate::rules::expectation::Demand;
    use crate::rules::testing::Scene;

    #[test]
    fn who_left_it_out_is_named() {
        let demand = || Demand::Extension(String::from("permessage-deflate"));
        let judged = |offer, answer| judged(demand(), Scene::session(offer, answer));
        assert_eq!(judged("permessage-deflate", "Permessage-Deflate"), Some((true, None)));
        assert_eq!(judged("permessage-deflate", ""), Some((false, Some(Server))));
        assert_eq!(judged("x-other", "x-other"), Some((false, Some(Client))));
        assert_eq!(
            super::super::testing::judged(demand(), Scene::answered("HTTP/1.1 403 Forbidden\r\n", "")),
            None
        );
    }
}
