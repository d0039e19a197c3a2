//! From a packet's first byte to its TCP segment: link layer, VLAN tags, IP, TCP header.

mod endpoint;
mod segment;

pub use endpoint::{Endpoint, FlowKey, Side, V4Key, V6Key};
pub use segment::{Flags, Segment};
