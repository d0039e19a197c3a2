use super::Standing;
use crate::connection::{Connection, FrameFacts};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Check, Context, Finding, quote};

rule! {
    /// # What it finds
    /// A session in which no side pings as often as the policy asks: pings too close together, too far apart, or none
    /// in a time in which one was due.
    ///
    /// # Why it matters
    /// Pings keep the idle timers of gateways and of network address translation from closing the session; too many of
    /// them cost batteries and radio time.
    ///
    /// # What causes it
    /// A changed default in a library, or a timer in front that was set without looking at the pings.
    ///
    /// # How to fix
    /// Set the ping interval of one side below the shortest idle timer on the way.
    ///
    /// # What it does not report
    /// Sessions with missing packets, and sessions that ended before a ping was due.
    pub static RULE = "WS-PO-007" "ping-interval-out-of-range" {
        severity: Error, category: Policy, reference: "the policy of the run",
        explains: [], asked_on: [Demand], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    super::check(&RULE, connection, context, found);
}

/// How the pings of the side that keeps to it best stand to the times between two of them, in nanoseconds.
pub(in crate::rules) fn standing(connection: &Connection, shortest: i64, longest: i64) -> Option<Standing> {
    super::agreed(connection).filter(|_| connection.quality.is_whole())?;
    let frames = connection.frames.as_ref()?;
    let text = |role: Role, (low, high): (i64, i64)| {
        let seconds = |nanos: i64| quote::seconds(nanos as f64 / 1e9);
        format!("the {} pings {} to {} apart", role.name(), seconds(low), seconds(high))
    };
    let pinging: Vec<(Role, (i64, i64))> =
        Role::BOTH.into_iter().filter_map(|role| Some((role, frames[role].pings().interval?))).collect();
    let keeps = |(_, (low, high)): &&(Role, (i64, i64))| *low >= shortest && *high <= longest;
    let seen = |facts: &FrameFacts| facts.last.unwrap_or(connection.last);
    if let Some(&(role, interval)) = pinging.iter().find(keeps) {
        return Some(Standing::met(seen(&frames[role]), text(role, interval)));
    }
    if let Some(&(role, interval)) = pinging.first() {
        return Some(Standing::unmet(seen(&frames[role]), text(role, interval)).by(role));
    }
    let lived = super::life(connection)?;
    (lived > longest).then(|| {
        let pings = frames.client.ping + frames.server.ping;
        let what = if pings == 0 { "no ping" } else { "a single ping of a side" };
        Standing::unmet(connection.last, format!("{what} in {}", quote::seconds(lived as f64 / 1e9)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::judged;
    use crate::role::Role::{Client, Server};
    use crate::rules::expectation::Demand;
    use crate::rules::testing::Scene;

    fn session(client: Option<(i64, i64)>, server: Option<(i64, i64)>) -> Scene {
        Scene::session("", "").messages(Client, 1).after(100.0).messages(Server, 1).with(|connection| {
            let frames = connection.frames.as_mut().unwrap();
            let nanos = |(low, high)| (low * 1_000_000_000, high * 1_000_000_000);
            frames.client.pings.get_or_insert_default().interval = client.map(nanos);
            frames.server.pings.get_or_insert_default().interval = server.map(nanos);
        })
    }

    #[test]
    fn one_side_that_keeps_to_it_is_enough() {
        let judged = |client, server| {
            let demand = Demand::Pings { shortest: 10_000_000_000, longest: 40_000_000_000 };
            judged(demand, session(client, server))
        };
        assert_eq!(judged(Some((20, 30)), None), Some((true, None)));
        assert_eq!(judged(Some((1, 30)), Some((25, 25))), Some((true, None)));
        assert_eq!(judged(Some((1, 30)), None), Some((false, Some(Client))));
        assert_eq!(judged(None, Some((50, 60))), Some((false, Some(Server))));
        assert_eq!(judged(None, None), Some((false, None)));
    }

    #[test]
    fn a_short_session_owes_no_ping() {
        let demand = Demand::Pings { shortest: 0, longest: 40_000_000_000 };
        assert_eq!(judged(demand, Scene::session("", "").messages(Client, 1)), None);
    }
}
