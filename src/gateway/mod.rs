//! Gateways: by what signs their answers are known, and who ended a session that went through one.

mod census;
mod signatures;
mod verdict;

pub use census::{Census, Record};
pub use signatures::{Match, Proof, Sign, Signature, identify, relay};
pub use verdict::{Party, Reason, Verdict, answer, ending, one_leg};
