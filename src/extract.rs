//! The packets of one connection, copied out of their captures.

use crate::capture::{Item, Merged, Packet, PacketId};
use crate::connection::Connection;
use crate::net::{Decoded, Decoder, Endpoint, Flags, FlowKey, Side};
use std::io;

/// What tells the packets of one TCP connection from all others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The first packet of the WebSocket connection, by which reports order connections.
    pub order: (PacketId, u32),
    ends: [Endpoint; 2],
    /// The SYN, or the first packet seen.
    from: PacketId,
    /// The client's initial sequence number; another one begins another connection on the same endpoints.
    isn: Option<u32>,
}

impl Wanted {
    /// Those of the TCP connection that carried `connection`.
    pub fn of(connection: &Connection) -> Wanted {
        let tcp = &connection.tcp;
        Wanted {
            order: (connection.first.packet, tcp.stream),
            ends: [tcp.client, tcp.server],
            from: tcp.opened.map_or(connection.first.packet, |opened| opened.packet),
            isn: tcp.isn.client,
        }
    }

    fn is_between(&self, key: &FlowKey) -> bool {
        let [low, high] = [Side::Low, Side::High].map(|side| key.endpoint(side));
        [low, high] == self.ends || [high, low] == self.ends
    }
}

/// Reads all of `input` and gives the packets of the wanted connection to `write`; tells how many there were.
///
/// Packets between its endpoints, and ICMP errors about them, count from its SYN on, up to a SYN that begins another connection
/// between them. Of a
/// fragmented datagram, the fragment that completes it is found.
///
/// # Errors
/// Those of `write`.
pub fn extract(
    mut input: Merged,
    wanted: &Wanted,
    mut write: impl FnMut(&Packet<'_>) -> io::Result<()>,
) -> io::Result<u64> {
    let (mut decoder, mut begun, mut count) = (Decoder::new(), false, 0);
    while let Some(item) = input.next() {
        let Item::Packet(packet) = item else { continue };
        let segment = match decoder.decode(&packet) {
            Decoded::Tcp(segment) => segment,
            Decoded::Icmp(error) if begun && wanted.is_between(&error.key) => {
                write(&packet)?;
                count += 1;
                continue;
            }
            _ => continue,
        };
        if !wanted.is_between(&segment.key) {
            continue;
        }
        let from = segment.key.endpoint(segment.from);
        let opens = segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK) && from == wanted.ends[0];
        if opens && wanted.isn != Some(segment.seq) {
            if begun {
                break;
            }
            continue;
        }
        begun |= packet.seen.packet == wanted.from;
        if begun {
            write(&packet)?;
            count += 1;
        }
    }
    Ok(count)
}
