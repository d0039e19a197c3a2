//! The TCP checksum (RFC 9293 §3.1), for the report only: a segment is accepted with any.

use super::ip::Addresses;
use etherparse::TcpSlice;

/// Whether a complete segment carries the checksum of its bytes; `None` where it is no segment.
pub(super) fn is_right(segment: &[u8], addresses: Addresses<'_>) -> Option<bool> {
    let tcp = TcpSlice::from_slice(segment).ok()?;
    let computed = match addresses {
        Addresses::V4(source, destination) => tcp.calc_checksum_ipv4(*source, *destination),
        Addresses::V6(source, destination) => tcp.calc_checksum_ipv6(*source, *destination),
    };
    Some(computed.ok()? == tcp.checksum())
}
