//! Gateways: by what signs their answers are known, by what timers their endings, and who ended a session.

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
