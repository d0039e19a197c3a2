//! Judgement of the legs of one session together, so that one fault is told once.

use super::{Context, Finding, arrange, find};
use crate::connection::Connection;
use crate::legs::{LegPair, Legs};

/// What the rules say of the legs of one session, for each leg. `pairs` joins each of `chain` to the next; a chain of one
/// connection and no pairs is judged as [`super::judge`] does.
pub fn judge_chain(chain: &[&Connection], pairs: &[&LegPair], context: &Context<'_>) -> Vec<Vec<Finding>> {
    let mut judged: Vec<Vec<Finding>> = Vec::with_capacity(chain.len());
    // From the innermost leg outwards: what is said of a pair may hang under what is said of the pair before it.
    for (place, connection) in chain.iter().enumerate().rev() {
        let legs = pairs.get(place).zip(chain.get(place + 1));
        let legs = legs.map(|(pair, upstream)| Legs { pair, client: connection, upstream });
        judged.push(find(connection, &Context { legs, ..*context }));
    }
    judged.reverse();
    judged.into_iter().map(arrange).collect()
}
