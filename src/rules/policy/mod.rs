//! What the run's policy asks of recorded traffic ([`crate::rules::expectation`]), a rule for each kind of demand.

pub(super) mod close_code_not_allowed;
pub(super) mod expected_extension_missing;
pub(super) mod expected_subprotocol_missing;
pub(super) mod forbidden_extension_agreed;
pub(super) mod forbidden_subprotocol_agreed;
pub(super) mod handshake_longer_than_allowed;
pub(super) mod life_shorter_than_allowed;
pub(super) mod ping_interval_out_of_range;
pub(super) mod reserved_code_sent;
pub(super) mod too_few_connections;

use super::expectation::Range;
use super::{Context, Finding, Rule};
use crate::capture::Seen;
use crate::connection::{Connection, Outcome, Response};
use crate::role::Role;

/// How a connection stands to a demand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Whether it is met.
    pub met: bool,
    /// What was found instead, or what meets it.
    pub actual: String,
    /// The packet that shows it; of what was counted there is none.
    pub seen: Option<Seen>,
    /// Who did it otherwise.
    pub by: Option<Role>,
    /// Whether that side must mend it: what comes from the server's side may have been lost on the way.
    pub own_fault: bool,
}

impl Standing {
    fn met(seen: Seen, actual: impl Into<String>) -> Standing {
        Standing { met: true, actual: actual.into(), seen: Some(seen), by: None, own_fault: false }
    }

    fn unmet(seen: Seen, actual: impl Into<String>) -> Standing {
        Standing { met: false, ..Standing::met(seen, actual) }
    }

    fn by(self, role: Role) -> Standing {
        Standing { by: Some(role), own_fault: true, ..self }
    }

    /// What this side sent shows it, and may not be its own fault.
    fn through(self, role: Role) -> Standing {
        Standing { by: Some(role), ..self }
    }

    fn counted(met: bool, count: u64) -> Standing {
        Standing { met, actual: count.to_string(), seen: None, by: None, own_fault: false }
    }
}

/// Tells every demand of this rule that the connection does not meet.
fn check(rule: &'static Rule, connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    for expectation in context.selection.expectations().iter().filter(|e| e.concerns(connection)) {
        for demand in expectation.demands.iter().filter(|demand| demand.rule().code == rule.code) {
            let Some(standing) = demand.standing(connection).filter(|standing| !standing.met) else {
                continue;
            };
            let Some(seen) = standing.seen else { continue };
            let expected = demand.expected();
            let finding = Finding::new(rule, seen, format!("the policy expects {expected}"))
                .message(format!(
                    "the policy {} expects {expected}, but {}",
                    super::quote::quoted(&expectation.name),
                    standing.actual
                ))
                .shows(seen, standing.actual)
                .help(demand.help());
            found.push(match standing.by {
                Some(role) if standing.own_fault => finding.origin(role).blame(role),
                Some(role) => finding.origin(role),
                None => finding,
            });
        }
    }
}

/// The answer that agreed a session; `None` where there is no session or it is not in the capture.
fn agreed(connection: &Connection) -> Option<&Response> {
    connection.response.as_ref().filter(|_| connection.outcome == Outcome::Established)
}

/// Nanoseconds from the answer, or the first packet where it was not captured, to the first Close, the end of the
/// transport or the last packet; `None` where there was no session.
fn life(connection: &Connection) -> Option<i64> {
    let began = match connection.outcome {
        Outcome::Established => connection.response.as_ref().map_or(connection.first, |answer| answer.seen),
        Outcome::Unseen if connection.frames.is_some() => connection.first,
        _ => return None,
    };
    let close = connection.closes.first().map(|close| close.seen);
    let ended = close.or(connection.ending.by.map(|(_, seen)| seen)).unwrap_or(connection.last);
    Some(ended.at.nanos_since(began.at).max(0))
}

#[cfg(test)]
mod testing {
    use crate::role::Role;
    use crate::rules::expectation::Demand;
    use crate::rules::testing::Scene;

    /// Whether the scene meets the demand, and who is to blame where it does not; `None` where it cannot be judged.
    pub fn judged(demand: Demand, scene: Scene) -> Option<(bool, Option<Role>)> {
        demand.standing(&scene.build()).map(|standing| (standing.met, standing.by))
    }
}
