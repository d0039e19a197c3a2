//! One packet after another: a link type in the first byte, a length in the next two, then its bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wsanalyze::capture::{LinkType, Packet, PacketId, Seen};
use wsanalyze::net::{Decoded, Decoder};
use wsanalyze::time::Timestamp;

const LINKS: [u32; 16] = [1, 0, 9, 12, 101, 105, 108, 109, 113, 127, 192, 228, 229, 239, 276, 50];

fuzz_target!(|data: &[u8]| {
    let mut decoder = Decoder::new();
    let (mut rest, mut number) = (data, 0);
    while let [link, high, low, more @ ..] = rest {
        number += 1;
        let len = usize::from(u16::from_be_bytes([high & 0x0f, *low])).min(more.len());
        let (bytes, behind) = more.split_at(len);
        rest = behind;
        let packet = Packet {
            seen: Seen {
                packet: PacketId::new(0, number),
                at: Timestamp::from_nanos(i64::from(high >> 4) << 32),
            },
            link: LinkType(LINKS[usize::from(link % 16)]),
            original_len: len as u32 + u32::from(link >> 6) * 700,
            fcs_len: link >> 4 & 3,
            data: bytes,
        };
        if let Decoded::Tcp(segment) = decoder.decode(&packet) {
            assert!(segment.payload.len() as u64 <= u64::from(segment.declared_len));
        }
    }
});
