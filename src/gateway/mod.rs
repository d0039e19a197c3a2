//! Gateways: by what signs their answers are known.

mod signatures;

pub use signatures::{Match, Proof, Sign, Signature, identify, relay};
