//! Gateways: which product answered (`signatures`), whose timer ended a session (`timers`), and who ended it or made its
//! answer, with the reasons for and against: from one leg (`one_leg`), or from both (`both_legs`).
//!
//! A [`Census`] keeps a small record of every connection of a run and finds patterns among them, such as many sessions that
//! ended after the same silence.

mod both_legs;
mod bursts;
mod census;
mod distinct;
mod one_leg;
mod parting;
mod patterns;
mod record;
mod sign;
mod signatures;
mod timers;
mod verdict;

pub use both_legs::{answer, ending};
pub use bursts::{BURST, Burst, TOGETHER};
pub use census::Census;
pub use one_leg::one_leg;
pub use parting::{How, Parting};
pub use patterns::{Group, Retries, Reuse};
pub use record::Record;
pub use signatures::{Match, Proof, Sign, Signature, identify, relay};
pub use timers::{Kind, Resets, TIMERS, Timer, Way};
pub use verdict::{Party, Reason, Verdict};
