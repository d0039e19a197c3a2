//! Reading captures: classic pcap and pcapng, plain or compressed, as one time line of packets.

mod info;
mod packet;

pub use info::{CaptureInfo, Compression, Format};
pub use packet::{LinkType, Packet, PacketId, Seen};
