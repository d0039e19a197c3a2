//! The packet that nearly all are: Ethernet, IPv4 or IPv6 without options, extensions or fragments, TCP, in a straight
//! line. What [`super::decode`] would walk to is the same, at three times the cost; a test holds the two together.

use super::endpoint::{FlowKey, Side};
use super::ip::{self, Addresses};
use super::link;
use super::segment::{Flags, Segment};
use crate::capture::Packet;
use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice, TcpHeaderSlice};

/// Hands on the segment of a packet that is whole and has nothing unusual, with what its checksum is over; false where
/// only the walk can tell what it is.
#[inline(always)]
pub(super) fn segment<'a>(
    packet: &Packet<'a>,
    take: impl FnOnce(&Segment<'a>, &[u8], Addresses<'_>),
) -> bool {
    find(packet, take).is_some()
}

#[inline(always)]
fn find<'a>(packet: &Packet<'a>, take: impl FnOnce(&Segment<'a>, &[u8], Addresses<'_>)) -> Option<()> {
    if packet.link.0 != link::ETHERNET || packet.fcs_len != 0 {
        return None;
    }
    let ([.., type_high, type_low], rest) = packet.data.split_first_chunk::<14>()?;
    match [*type_high, *type_low] {
        [0x08, 0x00] => {
            let header = Ipv4HeaderSlice::from_slice(rest).ok()?;
            let bytes = rest.get(20..usize::from(header.total_len()))?;
            if header.slice().len() != 20 || header.is_fragmenting_payload() || header.protocol().0 != ip::TCP
            {
                return None;
            }
            let ([_, _, _, source, destination], _) = rest.first_chunk::<20>()?.as_chunks() else {
                return None;
            };
            let key = |ports: (u16, u16)| FlowKey::v4((*source, ports.0), (*destination, ports.1), 0);
            let segment = read(bytes, key, header.ttl(), header.identification())?;
            take(&segment, bytes, Addresses::V4(source, destination));
        }
        [0x86, 0xDD] => {
            let header = Ipv6HeaderSlice::from_slice(rest).ok()?;
            let bytes = rest.get(40..)?.get(..usize::from(header.payload_length()))?;
            if header.next_header().0 != ip::TCP {
                return None;
            }
            let ([source, destination], _) = rest.get(8..40)?.as_chunks() else { return None };
            let key = |ports: (u16, u16)| FlowKey::v6((*source, ports.0), (*destination, ports.1), 0);
            let segment = read(bytes, key, header.hop_limit(), 0)?;
            take(&segment, bytes, Addresses::V6(source, destination));
        }
        _ => return None,
    }
    Some(())
}

/// The segment in the payload of an IP packet.
#[inline(always)]
fn read(
    bytes: &[u8],
    key: impl FnOnce((u16, u16)) -> (FlowKey, Side),
    ttl: u8,
    ip_id: u16,
) -> Option<Segment<'_>> {
    let tcp = TcpHeaderSlice::from_slice(bytes).ok()?;
    let payload = bytes.get(tcp.slice().len()..)?;
    let (key, from) = key((tcp.source_port(), tcp.destination_port()));
    Some(Segment {
        key,
        from,
        seq: tcp.sequence_number(),
        ack: tcp.acknowledgment_number(),
        flags: Flags::of(&tcp),
        window: tcp.window_size(),
        ttl,
        ip_id,
        declared_len: u32::try_from(payload.len()).ok()?,
        payload,
    })
}
