//! Gateways: by what signs their answers are known, by what timers their endings, and who ended a session.

mod both_legs;
mod census;
mod one_leg;
mod parting;
mod patterns;
mod record;
mod signatures;
mod timers;
mod verdict;

pub use both_legs::{answer, ending};
pub use census::Census;
pub use one_leg::one_leg;
pub use parting::{How, Parting};
pub use patterns::{BURST, Burst, Group, Retries, Reuse, TOGETHER};
pub use record::Record;
pub use signatures::{Match, Proof, Sign, Signature, identify, relay};
pub use timers::{Kind, Resets, TIMERS, Timer, Way};
pub use verdict::{Party, Reason, Verdict};
