//! From a packet's first byte to its TCP segment, or to the ICMP error about one: link layer, VLAN tags, tunnels, IP,
//! fragments, TCP header.
//!
//! `decode` walks through the headers; `plain` is a fast path for those that nearly all packets have. A [`FlowKey`] names
//! the two endpoints of a flow in one order, whoever sent the packet: [`Side`] says which of them did.
//!
//! Headers are read by etherparse's strict header slices. Lengths are judged here, once, in `rest`: what the packet
//! still holds and what was sent beyond it. So a packet cut by a snap length, one with the length 0 of segmentation
//! offload and one with Ethernet padding need no second parser.

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

mod checksum;
mod counters;
mod decode;
mod endpoint;
mod fragments;
mod icmp;
mod ip;
mod link;
mod link_name;
mod plain;
mod rest;
mod segment;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_icmp;
mod tunnel;
mod wireless;

pub use counters::Counters;
pub use decode::{Decoded, Decoder, Layer, Other};
pub use endpoint::{Endpoint, FlowKey, KeptKey, LongKey, ShortKey, Side};
pub use icmp::{Icmp, IcmpError, IcmpKind};
pub use link::is_supported;
pub use link_name::link_name;
pub use segment::{Flags, Segment};
