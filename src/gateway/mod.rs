//! Gateways: by what signs their answers are known, and by what timers their endings.

mod census;
mod parting;
mod patterns;
mod signatures;
mod timers;

pub use census::{Census, Record, digest};
pub use parting::{How, Parting};
pub use patterns::{Burst, Group, Retries, Reuse};
pub use signatures::{Match, Proof, Sign, Signature, identify, relay};
pub use timers::{Kind, Resets, TIMERS, Timer, Way};
