//! Writing a capture: one pcapng section (draft-ietf-opsawg-pcapng), little-endian, with times in nanoseconds.

use super::packet::{LinkType, Packet};
use crate::limits::RECORD;
use pcap_parser::pcapng::{BOM_MAGIC, EPB_MAGIC, IDB_MAGIC, SHB_MAGIC};
use std::io::{self, Write};

/// Writes packets into one pcapng section, with an interface for each kind of link layer among them.
pub struct Writer<W> {
    out: W,
    /// Link type and bytes of frame check sequence of each interface, in order.
    interfaces: Vec<(LinkType, u8)>,
}

/// `if_fcslen`, `if_tsresol`.
const IF_FCSLEN: u16 = 13;
const IF_TSRESOL: u16 = 9;

impl<W: Write> Writer<W> {
    /// Begins the section.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(mut out: W) -> io::Result<Self> {
        // Version 1.0, of a length that is not told.
        let body = [&BOM_MAGIC.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
        block(&mut out, SHB_MAGIC, &body)?;
        Ok(Writer { out, interfaces: Vec::new() })
    }

    /// Adds a packet; its number becomes its place in this file. Times before 1970, which an unsigned count cannot
    /// tell, become 1970.
    ///
    /// # Errors
    /// Those of `out`; and a packet that no reader of ours would believe.
    pub fn packet(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let too_long = || io::Error::other("a packet too long to be written");
        let captured = u32::try_from(packet.data.len()).map_err(|_| too_long())?;
        if packet.data.len() >= RECORD {
            return Err(too_long());
        }
        let interface = self.interface(packet.link, packet.fcs_len)?;
        let ticks = u64::try_from(packet.seen.at.as_nanos()).unwrap_or(0);
        let mut body = Vec::with_capacity(packet.data.len().saturating_add(20));
        // The upper half of the time stands before the lower one (§4.3).
        let [a, b, c, d, e, f, g, h] = ticks.to_le_bytes();
        body.extend(interface.to_le_bytes());
        body.extend([e, f, g, h, a, b, c, d]);
        body.extend(captured.to_le_bytes());
        body.extend(packet.original_len.to_le_bytes());
        body.extend(packet.data);
        block(&mut self.out, EPB_MAGIC, &body)
    }

    /// Hands all bytes on and gives `out` back.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn interface(&mut self, link: LinkType, fcs_len: u8) -> io::Result<u32> {
        let index = match self.interfaces.iter().position(|&known| known == (link, fcs_len)) {
            Some(index) => index,
            None => {
                let link_type = u16::try_from(link.0)
                    .map_err(|_| io::Error::other("a link type that pcapng cannot name"))?;
                let mut body = [&link_type.to_le_bytes()[..], &[0; 6]].concat();
                body.extend(option(IF_TSRESOL, 9));
                if fcs_len > 0 {
                    body.extend(option(IF_FCSLEN, fcs_len));
                }
                body.extend([0; 4]);
                block(&mut self.out, IDB_MAGIC, &body)?;
                self.interfaces.push((link, fcs_len));
                self.interfaces.len().saturating_sub(1)
            }
        };
        u32::try_from(index).map_err(|_| io::Error::other("too many interfaces"))
    }
}

/// An option of one byte, padded.
fn option(code: u16, value: u8) -> [u8; 8] {
    let [low, high] = code.to_le_bytes();
    [low, high, 1, 0, value, 0, 0, 0]
}

/// A block: type, length, body padded to 32 bits, length again.
fn block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let padded = body.len().next_multiple_of(4);
    let length = u32::try_from(padded.saturating_add(12)).unwrap_or(u32::MAX).to_le_bytes();
    let padding = [0; 3];
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length)?;
    out.write_all(body)?;
    out.write_all(padding.get(..padded.saturating_sub(body.len())).unwrap_or_default())?;
    out.write_all(&length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Item, PacketId, Reader, Seen};
    use crate::time::Timestamp;

    #[test]
    fn what_was_written_reads_back_the_same() {
        let data: Vec<u8> = (0..=255).collect();
        let packets: Vec<Packet<'_>> = (1..40_u64)
            .map(|n| Packet {
                seen: Seen {
                    packet: PacketId::new(0, n),
                    at: Timestamp::from_nanos(1_700_000_000_123_456_789 + n as i64),
                },
                link: LinkType([1, 113, 276][n as usize % 3]),
                original_len: n as u32 * 9,
                fcs_len: if n % 2 == 0 { 4 } else { 0 },
                data: &data[..n as usize],
            })
            .collect();
        let mut writer = Writer::new(Vec::new()).unwrap();
        packets.iter().for_each(|packet| writer.packet(packet).unwrap());
        let file = writer.finish().unwrap();
        let mut reader = Reader::from_read("written", 0, Box::new(io::Cursor::new(file))).unwrap();
        for expected in &packets {
            let Some(Item::Packet(packet)) = reader.next() else { panic!("a packet is missing") };
            assert_eq!(format!("{packet:?}"), format!("{expected:?}"));
        }
        assert!(reader.next().is_none());
        assert!(reader.info().complete, "{:?}", reader.info().warnings);
    }

    #[test]
    fn a_time_before_1970_becomes_1970_and_no_far_future() {
        let seen = Seen { packet: PacketId::new(0, 1), at: Timestamp::from_nanos(-5) };
        let packet = Packet { seen, link: LinkType(1), original_len: 1, fcs_len: 0, data: b"x" };
        let mut writer = Writer::new(Vec::new()).unwrap();
        writer.packet(&packet).unwrap();
        let file = writer.finish().unwrap();
        let mut reader = Reader::from_read("written", 0, Box::new(io::Cursor::new(file))).unwrap();
        let Some(Item::Packet(packet)) = reader.next() else { panic!("a packet is missing") };
        assert_eq!(packet.seen.at.as_nanos(), 0);
    }
}
