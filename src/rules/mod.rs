//! Judgement: pure functions from facts to findings, one file a rule.

mod finding;
mod rule;

pub use finding::{Blame, Confidence, Evidence, Finding, Origin, Severity};
pub use rule::{Category, Check, Rule};

use crate::connection::Connection;

/// Every rule, in order of code.
pub static RULES: &[&Rule] = &[];

/// What the rules say of one connection, gravest first; consequences hang under their cause.
pub fn judge(connection: &Connection) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in RULES {
        match rule.check {
            Check::Connection(check) => check(connection, &mut found),
        }
    }
    found
}
