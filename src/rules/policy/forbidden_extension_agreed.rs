use super::Standing;
use crate::connection::Connection;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Context, Finding};

rule! {
    /// # What it finds
    /// A session whose 101 agrees an extension that the policy forbids for this host and path.
    ///
    /// # Why it matters
    /// An extension changes what every frame means: whoever forbids it relies on frames that can be read without it.
    ///
    /// # What causes it
    /// A library that agrees what it knows unless told otherwise, or a gateway that adds it.
    ///
    /// # How to fix
    /// Switch the extension off in the server, or in the gateway that answers for it.
    ///
    /// # What it does not report
    /// Offers that were not accepted.
    pub static RULE = "WS-PO-002" "forbidden-extension-agreed" {
        severity: Error, category: Policy, reference: "the policy of the run",
        explains: [], asked_on: [Demand], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    super::check(&RULE, connection, context, found);
}

/// How a session stands to `extension`, which must not be.
pub(in crate::rules) fn standing(connection: &Connection, extension: &str) -> Option<Standing> {
    let response = super::agreed(connection)?;
    Some(if response.extensions.get(extension).is_some() {
        Standing::unmet(response.seen, format!("the 101 agrees {extension}")).by(Role::Server)
    } else {
        Standing::met(response.seen, "not agreed")
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::judged;
    use crate::role::Role::Server;
    use crate::rules::expectation::Demand;
    use crate::rules::testing::Scene;

    #[test]
    fn only_what_was_agreed_counts() {
        let judged =
            |offer, answer| judged(Demand::NoExtension(String::from("x-a")), Scene::session(offer, answer));
        assert_eq!(judged("x-a", "x-a"), Some((false, Some(Server))));
        assert_eq!(judged("x-a", ""), Some((true, None)));
    }
}
