//! TCP reassembly: segments in, the in-order bytes of each direction out, with every gap told (RFC 9293).

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )
)]

mod event;
mod flow;
mod half;
mod hole;
mod keys;
mod places;
mod recent;
mod seq;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_ends;
#[cfg(test)]
mod tests_oracle;
mod told;

pub use event::{Closed, Event, FlowId, GapCause, Interest, ResetKind, Sink, StreamEvent};
pub use places::Places;
pub use table::{Counters, Table};
