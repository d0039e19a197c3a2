//! pcapng (draft-ietf-opsawg-pcapng): sections, each with its own byte order and interfaces, made of blocks whose
//! length stands at both ends.
//!
//! pcap-parser reads the blocks with options that matter. The blocks that hold packets are read in place: its enhanced
//! packet collects the options of every packet on the heap, and it does not know the obsolete packet block.

use super::clock::Clock;
use super::order::Order;
use super::packet::LinkType;
use super::record::Record;
use super::resync::{self, View};
use super::tally::Tally;
use super::window::Window;
use crate::limits::{INTERFACE_BLOCK, INTERFACES, RECORD, RESYNC_LOOKAHEAD, SKIPPED_BLOCK};
use pcap_parser::pcapng::{
    BOM_MAGIC, CB_MAGIC, DCB_MAGIC, DSB_MAGIC, EPB_MAGIC, IDB_MAGIC, ISB_MAGIC, NRB_MAGIC, NameRecordType,
    PIB_MAGIC, PcapNGOption, SHB_MAGIC, SJE_MAGIC, SPB_MAGIC, SecretsType,
    parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
    parse_interfacestatisticsblock_be, parse_interfacestatisticsblock_le, parse_nameresolutionblock_be,
    parse_nameresolutionblock_le,
};

/// The section that is being read.
pub(super) struct Section {
    order: Order,
    interfaces: Vec<Interface>,
}

/// What an interface description says of the packets of its interface.
struct Interface {
    link: LinkType,
    fcs_len: u8,
    /// 0 where nothing is cut.
    snap_len: u32,
    clock: Clock,
    /// Packets lost, by the last statistics.
    dropped: u64,
}

/// What a block held.
enum Content {
    Record(Record),
    /// Nothing that is handed on.
    Passed,
    /// Its fields contradict each other.
    Unreadable(&'static str),
}

/// What a packet block says of its packet; there are three kinds of such blocks.
struct Fields {
    /// Index of the interface that captured it.
    interface: usize,
    ticks: Option<u64>,
    captured: u32,
    original: u32,
    /// Where its bytes begin in the body of the block.
    data_at: usize,
}

/// The packet block that the enhanced one replaced.
const PACKET_BLOCK: u32 = 2;

/// Type and the two lengths.
const FRAMING: usize = 12;

/// Bytes before a block's body.
const LEAD: usize = 8;

/// `if_tsresol`, `if_fcslen`, `if_tsoffset`.
const IF_TSRESOL: u16 = 9;
const IF_FCSLEN: u16 = 13;
const IF_TSOFFSET: u16 = 14;

/// `isb_ifdrop`, `isb_osdrop`.
const ISB_IFDROP: u16 = 5;
const ISB_OSDROP: u16 = 7;

impl Section {
    /// Bytes of the shortest section header block.
    pub(super) const HEADER: usize = 28;

    /// A section in this byte order, before its header.
    pub(super) fn new(order: Order) -> Self {
        Section { order, interfaces: Vec::new() }
    }

    /// The byte order that a section header block announces.
    pub(super) fn order(block: &[u8]) -> Option<Order> {
        [Order::Little, Order::Big].into_iter().find(|order| order.u32(block, LEAD) == Some(BOM_MAGIC))
    }

    /// Packets that the interfaces of this section lost.
    pub(super) fn dropped(&self) -> u64 {
        self.interfaces.iter().fold(0, |sum, interface| sum.saturating_add(interface.dropped))
    }

    /// Whether the next block is a packet and the whole of it is here.
    pub(super) fn is_next_here(&self, window: &Window) -> bool {
        let here = window.bytes();
        let packet = matches!(self.order.u32(here, 0), Some(EPB_MAGIC | SPB_MAGIC | PACKET_BLOCK));
        packet && self.order.u32(here, 4).is_some_and(|len| len as usize <= here.len())
    }

    /// Reads up to the next packet or secrets.
    #[inline]
    pub(super) fn advance(&mut self, window: &mut Window, tally: &mut Tally) -> Option<Record> {
        loop {
            if !window.fill(FRAMING) {
                let have = window.bytes().len();
                if have > 0 {
                    tally.cut_short(window.offset(), "block header", have, FRAMING);
                }
                return None;
            }
            let kind = self.order.u32(window.bytes(), 0)?;
            if kind == SHB_MAGIC {
                let Some(order) = Section::order(window.bytes()) else {
                    // A section begins here, but which order and interfaces it has is lost.
                    self.begin(self.order, tally);
                    self.resume(window, tally, "a section header without its byte-order magic");
                    continue;
                };
                self.begin(order, tally);
            }
            let len = self.order.u32(window.bytes(), 4)? as usize;
            if len < shortest(kind) {
                self.resume(
                    window,
                    tally,
                    &format!("block length {len}, expected at least {}", shortest(kind)),
                );
                continue;
            }
            if len > RECORD {
                self.pass_over(window, tally, kind, len);
                continue;
            }
            let len = padded(len);
            if !window.fill(len) {
                let (offset, have) = (window.offset(), window.bytes().len());
                let skipped = resync::search(window, |view| self.believable(view));
                if !skipped.found {
                    tally.cut_short(offset, "block", have, len);
                    return None;
                }
                let what = format!("block length {len} reaches past the end");
                tally.damage(offset, &what, skipped.bytes, true);
                continue;
            }
            if !framed(self.order, window.bytes()) {
                self.resume(window, tally, &format!("block length {len} is not repeated at the block's end"));
                continue;
            }
            let content = self.content(kind, len, window, tally);
            if let Content::Unreadable(what) = content {
                tally.damage(window.offset(), what, len as u64, true);
            }
            window.consume(len);
            if let Content::Record(record) = content {
                return Some(record);
            }
        }
    }

    #[inline]
    fn content(&mut self, kind: u32, len: usize, window: &Window, tally: &mut Tally) -> Content {
        let block = window.bytes().get(..len).unwrap_or_default();
        let body = block.get(LEAD..len.saturating_sub(4)).unwrap_or_default();
        let read = match kind {
            EPB_MAGIC => self.enhanced(body, window, tally),
            SPB_MAGIC => self.simple(body, window, tally),
            PACKET_BLOCK => self.obsolete(body, window, tally),
            IDB_MAGIC => self.describe(block, tally),
            ISB_MAGIC => self.statistics(block),
            NRB_MAGIC => self.names(block, tally),
            DSB_MAGIC => self.secrets(body, window),
            SJE_MAGIC => {
                // Wireshark shows journal entries among the packets and numbers them.
                tally.frames = tally.frames.wrapping_add(1);
                Some(Content::Passed)
            }
            _ => Some(Content::Passed),
        };
        read.unwrap_or(Content::Unreadable("a block too short for what it should hold"))
    }

    #[inline]
    fn enhanced(&self, body: &[u8], window: &Window, tally: &mut Tally) -> Option<Content> {
        let order = self.order;
        let interface = order.u32(body, 0)? as usize;
        let ticks = Some((u64::from(order.u32(body, 4)?) << 32) | u64::from(order.u32(body, 8)?));
        let (captured, original) = (order.u32(body, 12)?, order.u32(body, 16)?);
        self.packet(Fields { interface, ticks, captured, original, data_at: 20 }, body, window, tally)
    }

    fn obsolete(&self, body: &[u8], window: &Window, tally: &mut Tally) -> Option<Content> {
        let order = self.order;
        let interface = usize::from(order.u16(body, 0)?);
        let drops = order.u16(body, 2)?;
        let ticks = Some((u64::from(order.u32(body, 4)?) << 32) | u64::from(order.u32(body, 8)?));
        let (captured, original) = (order.u32(body, 12)?, order.u32(body, 16)?);
        let fields = Fields { interface, ticks, captured, original, data_at: 20 };
        let content = self.packet(fields, body, window, tally)?;
        // All ones: not known.
        if drops != u16::MAX {
            tally.dropped = tally.dropped.saturating_add(drops.into());
        }
        Some(content)
    }

    /// A simple packet belongs to interface 0, has no time (it takes that of the packet before it), and does not say
    /// how much of it was captured: what the snap length leaves.
    fn simple(&self, body: &[u8], window: &Window, tally: &mut Tally) -> Option<Content> {
        let original = self.order.u32(body, 0)?;
        let held = u32::try_from(body.len().saturating_sub(4)).ok()?;
        tally.untimed = tally.untimed.saturating_add(1);
        let snap_len = self.interfaces.first().map(|i| i.snap_len).filter(|&len| len > 0).unwrap_or(u32::MAX);
        let captured = original.min(snap_len).min(held);
        let fields = Fields { interface: 0, ticks: None, captured, original, data_at: 4 };
        self.packet(fields, body, window, tally)
    }

    #[inline]
    fn packet(&self, fields: Fields, body: &[u8], window: &Window, tally: &mut Tally) -> Option<Content> {
        let Fields { interface, ticks, captured, original, data_at } = fields;
        if captured as usize > body.len().saturating_sub(data_at) {
            return Some(Content::Unreadable("a packet longer than its block"));
        }
        let Some(interface) = self.interfaces.get(interface) else {
            tally.without_interface = tally.without_interface.saturating_add(1);
            return Some(Content::Passed);
        };
        let at = match ticks {
            Some(ticks) => interface.clock.at(ticks),
            None => tally.last.unwrap_or_default(),
        };
        let number = tally.packet(at, interface.link, captured, original);
        Some(Content::Record(Record::Packet {
            number,
            at,
            link: interface.link,
            original_len: original.into(),
            fcs_len: interface.fcs_len,
            data: window.range(LEAD.saturating_add(data_at), captured as usize),
        }))
    }

    fn secrets(&self, body: &[u8], window: &Window) -> Option<Content> {
        let (kind, len) = (self.order.u32(body, 0)?, self.order.u32(body, 4)? as usize);
        if kind != SecretsType::TlsKeyLog.0 {
            return Some(Content::Passed);
        }
        body.get(8..)?.get(..len)?;
        Some(Content::Record(Record::Secrets(window.range(LEAD.saturating_add(8), len))))
    }

    fn describe(&mut self, block: &[u8], tally: &mut Tally) -> Option<Content> {
        if block.len() > INTERFACE_BLOCK {
            return Some(Content::Unreadable("an interface description that long"));
        }
        if self.interfaces.len() == INTERFACES {
            tally.note(format!("only the first {INTERFACES} interfaces of a section are known"));
            return Some(Content::Passed);
        }
        let (_, parsed) = match self.order {
            Order::Little => parse_interfacedescriptionblock_le(block),
            Order::Big => parse_interfacedescriptionblock_be(block),
        }
        .ok()?;
        let options = &parsed.options;
        // pcap-parser's own fields for these two know neither base 2 nor big-endian offsets.
        let resolution = option(options, IF_TSRESOL).and_then(|v| v.first().copied()).unwrap_or(6);
        let offset = option(options, IF_TSOFFSET).and_then(|v| self.order.u64(v, 0)).unwrap_or(0);
        // The draft counts bits, many writers bytes; no FCS is shorter than 8 bits or as long as 8 bytes.
        let fcs_len = match option(options, IF_FCSLEN).and_then(|v| v.first().copied()).unwrap_or(0) {
            bytes @ 0..8 => bytes,
            bits => bits >> 3,
        };
        self.interfaces.push(Interface {
            link: LinkType(u32::try_from(parsed.linktype.0).ok()?),
            fcs_len,
            snap_len: parsed.snaplen,
            clock: Clock::new(resolution, offset.cast_signed()),
            dropped: 0,
        });
        Some(Content::Passed)
    }

    fn statistics(&mut self, block: &[u8]) -> Option<Content> {
        if block.len() > INTERFACE_BLOCK {
            return Some(Content::Unreadable("interface statistics that long"));
        }
        let (_, parsed) = match self.order {
            Order::Little => parse_interfacestatisticsblock_le(block),
            Order::Big => parse_interfacestatisticsblock_be(block),
        }
        .ok()?;
        let count = |code| {
            let count = option(&parsed.options, code).and_then(|v| self.order.u64(v, 0));
            count.filter(|&count| count != u64::MAX).unwrap_or(0)
        };
        let dropped = count(ISB_IFDROP).saturating_add(count(ISB_OSDROP));
        if let Some(interface) = self.interfaces.get_mut(parsed.if_id as usize) {
            interface.dropped = dropped;
        }
        Some(Content::Passed)
    }

    /// Names of hosts. A block that cannot be read costs names only, so it is no damage.
    fn names(&self, block: &[u8], tally: &mut Tally) -> Option<Content> {
        if block.len() > INTERFACE_BLOCK {
            return Some(Content::Passed);
        }
        let parsed = match self.order {
            Order::Little => parse_nameresolutionblock_le(block),
            Order::Big => parse_nameresolutionblock_be(block),
        };
        for record in parsed.map(|(_, block)| block.nr).unwrap_or_default() {
            match record.record_type {
                NameRecordType::Ipv4 => tally.names.record::<4>(record.record_value),
                NameRecordType::Ipv6 => tally.names.record::<16>(record.record_value),
                _ => {}
            }
        }
        Some(Content::Passed)
    }

    /// Begins a section, after counting what the one before it lost.
    fn begin(&mut self, order: Order, tally: &mut Tally) {
        tally.dropped = tally.dropped.saturating_add(self.dropped());
        *self = Section::new(order);
    }

    /// Leaves a block that is too long to be buffered, where it is of a kind that may be.
    #[cold]
    fn pass_over(&mut self, window: &mut Window, tally: &mut Tally, kind: u32, len: usize) {
        let packets_or_interfaces =
            matches!(kind, SHB_MAGIC | IDB_MAGIC | PACKET_BLOCK | SPB_MAGIC | EPB_MAGIC | ISB_MAGIC);
        let len = padded(len);
        if packets_or_interfaces || len as u64 > SKIPPED_BLOCK {
            return self.resume(window, tally, &format!("block length {len}"));
        }
        if kind == DSB_MAGIC {
            tally.note(format!(
                "a block of decryption secrets of {len} bytes was not read, the limit is {RECORD}"
            ));
        }
        let offset = window.offset();
        let skipped = window.skip(len as u64);
        if skipped < len as u64 {
            let have = usize::try_from(skipped).unwrap_or(usize::MAX);
            tally.cut_short(offset, "block", have, len);
        }
    }

    #[cold]
    fn resume(&mut self, window: &mut Window, tally: &mut Tally, what: &str) {
        let offset = window.offset();
        let skipped = resync::search(window, |view| self.believable(view));
        tally.damage(offset, what, skipped.bytes, skipped.found);
    }

    /// Whether a whole block of a known type stands here whose two lengths agree.
    fn believable(&self, view: View) -> bool {
        let block = view.bytes;
        let Some(kind) = self.order.u32(block, 0) else { return false };
        let order = match kind {
            SHB_MAGIC => Section::order(block),
            IDB_MAGIC | PACKET_BLOCK | SPB_MAGIC | NRB_MAGIC | ISB_MAGIC | EPB_MAGIC | SJE_MAGIC
            | DSB_MAGIC | CB_MAGIC | DCB_MAGIC | PIB_MAGIC => Some(self.order),
            _ => None,
        };
        let Some(order) = order else { return false };
        let Some(len) = order.u32(block, 4).map(|len| len as usize) else { return false };
        (shortest(kind)..=RESYNC_LOOKAHEAD).contains(&len) && framed(order, block)
    }
}

/// Whether the length of the block that begins `bytes` is repeated at its end.
#[inline]
fn framed(order: Order, bytes: &[u8]) -> bool {
    let len = order.u32(bytes, 4);
    len.is_some_and(|len| order.u32(bytes, padded(len as usize).saturating_sub(4)) == Some(len))
}

/// The bytes that a block of this length takes: some writers leave out its padding from the length they note.
#[inline]
fn padded(len: usize) -> usize {
    len.saturating_add(3) & !3
}

/// Bytes of the shortest block of its kind.
#[inline]
fn shortest(kind: u32) -> usize {
    match kind {
        EPB_MAGIC | PACKET_BLOCK => 32,
        SPB_MAGIC => 16,
        IDB_MAGIC | DSB_MAGIC => 20,
        ISB_MAGIC => 24,
        SHB_MAGIC => Section::HEADER,
        _ => FRAMING,
    }
}

/// The first value of an option, without its padding.
fn option<'a>(options: &'a [PcapNGOption<'_>], code: u16) -> Option<&'a [u8]> {
    options.iter().find(|option| option.code.0 == code)?.as_bytes().ok()
}
