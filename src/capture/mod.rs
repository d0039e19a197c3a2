//! Reading captures: classic pcap and pcapng, plain or compressed, as one time line of packets.
//!
//! [`open()`] takes a path, tells compression and container by the first bytes, and gives a [`Reader`]; [`Merged`] makes
//! one time line of several. Nothing is buffered but a sliding window: a [`Packet`] borrows from it.
//!
//! Damage stops nothing. A file that was cut is read up to the cut; after a broken record the next believable one is
//! searched; a read error ends the capture with what was read. Each of these is a warning in [`CaptureInfo`], with
//! its offset. Only what is no capture at all is an [`Error`](crate::error::Error).

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

mod ahead;
mod chunk;
mod clock;
mod copier;
mod frames;
mod gzip;
mod info;
mod merge;
mod names;
mod open;
mod order;
mod packet;
mod pcap;
mod pcapng;
mod reader;
mod record;
mod resync;
mod sniff;
mod tally;
mod window;
mod write;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_damage;
#[cfg(test)]
mod tests_turns;
mod unpack;

pub use chunk::Chunk;
pub use copier::{Copier, Piece};
pub use info::{CaptureInfo, Compression, Format};
pub use merge::Merged;
pub use names::HostNames;
pub use open::{create, files_in, open};
pub use packet::{LinkType, Packet, PacketId, Seen};
pub use reader::{Item, Reader};
pub use write::Writer;
