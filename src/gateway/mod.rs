//! Gateways: by what signs their answers are known.

mod census;
mod signatures;

pub use census::{Census, Record};
pub use signatures::{Match, Proof, Sign, Signature, identify, relay};
