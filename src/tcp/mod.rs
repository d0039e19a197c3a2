//! TCP reassembly (RFC 9293): segments go in; the bytes of each direction come out in order, and every gap among them is an
//! event of its own.
//!
//! [`Table`] finds the flow that a segment belongs to (by its key, in `keys`). A `flow` has two `direction`s; a direction keeps
//! what came out of order in a `hole`. What happens is handed to a [`Sink`] as [`StreamEvent`]s, and the sink may answer that
//! it does not want to hear of a flow any more ([`Interest`]).

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

mod delivered;
mod direction;
mod event;
mod flow;
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
mod tests_flows;
#[cfg(test)]
mod tests_oracle;

pub use event::{Closed, Event, FlowId, GapCause, Interest, ResetKind, Sink, StreamEvent};
pub use places::Places;
pub use table::{Counters, Table};
