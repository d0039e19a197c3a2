use super::Standing;
use crate::connection::Connection;
use crate::http::redacted_subprotocols;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Context, Finding, quote};

rule! {
    /// # What it finds
    /// A session whose 101 agrees none of the subprotocols of which the policy requires one for this host and path.
    ///
    /// # Why it matters
    /// Without the expected subprotocol the two sides speak different languages over the same frames, or close with
    /// 1002 or 1003.
    ///
    /// # What causes it
    /// The server does not know the subprotocol, a gateway drops Sec-WebSocket-Protocol, or the client does not offer
    /// it.
    ///
    /// # How to fix
    /// Offer it in the client, select it in the server, and pass the field on in between.
    ///
    /// # What it does not report
    /// Attempts that were not answered with a 101.
    pub static RULE = "WS-PO-003" "expected-subprotocol-missing" {
        severity: Error, category: Policy, reference: "the policy of the run",
        explains: [], asked_on: [Demand], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    super::check(&RULE, connection, context, found);
}

/// How a session stands to the demand for one of `subprotocols`.
pub(in crate::rules) fn standing(connection: &Connection, subprotocols: &[String]) -> Option<Standing> {
    let response = super::agreed(connection)?;
    let offered = |name: &String| {
        connection
            .request
            .as_ref()
            .is_some_and(|request| request.subprotocols.list.iter().any(|offered| offered == name))
    };
    Some(match &response.subprotocol {
        Some(agreed) if subprotocols.iter().any(|wanted| wanted == agreed) => {
            Standing::met(response.seen, format!("{agreed} agreed"))
        }
        Some(other) => {
            Standing::unmet(response.seen, format!("{} agreed", quote::quoted(&redacted_subprotocols(other))))
                .through(Role::Server)
        }
        None if subprotocols.iter().any(offered) => {
            Standing::unmet(response.seen, "it was offered, and the 101 selects none").through(Role::Server)
        }
        None => Standing::unmet(response.seen, "the client did not offer it").by(Role::Client),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::judged;
    use crate::role::Role::{Client, Server};
    use crate::rules::expectation::Demand;
    use crate::rules::testing::Scene;
    use crate::rules::testing::{ANSWER, REQUEST};

    #[test]
    fn one_of_several_is_enough() {
        let judged = |offer: &str, answer: &str| {
            let line = |value: &str| match value {
                "" => String::new(),
                value => format!("Sec-WebSocket-Protocol: {value}\r\n"),
            };
            let scene = Scene::tcp()
                .request(&format!("{REQUEST}{}", line(offer)))
                .answer(&format!("{ANSWER}{}", line(answer)), "");
            judged(Demand::Subprotocol(vec![String::from("v1"), String::from("v2")]), scene)
        };
        assert_eq!(judged("v1, v2", "v2"), Some((true, None)));
        assert_eq!(judged("v1, v2", ""), Some((false, Some(Server))));
        assert_eq!(judged("v3", "v3"), Some((false, Some(Server))));
        assert_eq!(judged("", ""), Some((false, Some(Client))));
    }
}
