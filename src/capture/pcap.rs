//! The classic libpcap format: a header of 24 bytes, then records of 16 bytes (24 in the modified variant) and data.
//!
//! pcap-parser reads the file header. Its record functions want header and data at once, while here a length is
//! judged before its data are waited for; so the four numbers of a record header are read in place.

use super::order::Order;
use super::packet::LinkType;
use super::record::Record;
use super::resync::{self, View};
use super::tally::Tally;
use super::window::Window;
use crate::limits::{PACKET, RECORD};
use crate::time::Timestamp;
use pcap_parser::pcap::parse_pcap_header;

/// How the records of one file are laid out.
#[derive(Debug)]
pub(super) struct Layout {
    order: Order,
    /// Bytes of a record header.
    header: usize,
    /// Nanoseconds of one unit of a record's fraction of a second.
    unit: u32,
    /// Longest captured length that is believed.
    longest: u32,
    link: LinkType,
    fcs_len: u8,
    /// Seconds of the last record.
    last: Option<u32>,
}

/// The numbers of a record header.
#[derive(Clone, Copy)]
struct Header {
    seconds: u32,
    fraction: u32,
    captured: u32,
    original: u32,
}

/// A step of the clock that makes a record suspect, in seconds.
const DAY: u32 = 86_400;

/// How far from the last good record a record behind damage may lie, in seconds.
const NEAR: u32 = 60 * DAY;

/// Consecutive record headers that make a position believable.
const CHAIN: u32 = 3;

impl Layout {
    /// Bytes of the file header.
    pub(super) const FILE_HEADER: usize = 24;

    /// Whether a file of records begins with `magic`.
    pub(super) fn known(magic: [u8; 4]) -> bool {
        variant(magic).is_some()
    }

    /// From the file header.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut header: [u8; Self::FILE_HEADER] = *bytes.first_chunk()?;
        let (order, record, unit) = variant(*header.first_chunk()?)?;
        if order == Order::Big {
            // The fields behind the magic are those of the plain format; pcap-parser does not know the big-endian
            // modified magic, so it is shown the plain one.
            *header.first_chunk_mut()? = 0xa1b2_c3d4_u32.to_be_bytes();
        }
        let (_, parsed) = parse_pcap_header(&header).ok()?;
        // draft-ietf-opsawg-pcap §4: 16 bits of link type and, with the F bit, the length of the FCS in units of 16
        // bits. libpcap masks 26 bits.
        let network = u32::from_ne_bytes(parsed.network.0.to_ne_bytes());
        let fcs_len = if network & 0x0400_0000 != 0 { (network >> 28).saturating_mul(2) } else { 0 };
        Some(Layout {
            order,
            header: record,
            unit,
            longest: parsed.snaplen.max(PACKET).min(u32::try_from(RECORD).unwrap_or(PACKET)),
            link: LinkType(network & 0x03ff_ffff),
            fcs_len: u8::try_from(fcs_len).unwrap_or(0),
            last: None,
        })
    }

    /// Reads up to the next packet.
    #[inline(always)]
    pub(super) fn advance(&mut self, window: &mut Window, tally: &mut Tally) -> Option<Record> {
        let next = self.record(window.bytes()).filter(|&header| {
            self.acceptable(header)
                && !self.suspect(header)
                && window.has(self.header.wrapping_add(header.captured as usize))
        });
        let header = match next {
            Some(header) => header,
            None => self.find(window, tally)?,
        };
        let captured = header.captured as usize;
        let data = window.range(self.header, captured);
        window.consume(self.header.wrapping_add(captured));
        self.last = Some(header.seconds);
        let at = self.time(header);
        let number = tally.packet(at, self.link, header.captured, header.original);
        Some(Record::Packet {
            number,
            at,
            link: self.link,
            original_len: header.original.into(),
            fcs_len: self.fcs_len,
            data,
        })
    }

    /// Makes the window begin with a record and hold the whole of it, where it must be filled or something is odd.
    #[cold]
    fn find(&mut self, window: &mut Window, tally: &mut Tally) -> Option<Header> {
        loop {
            if !window.fill(self.header) {
                let have = window.bytes().len();
                if have > 0 {
                    tally.cut_short(window.offset(), "record header", have, self.header);
                }
                return None;
            }
            let header = self.record(window.bytes())?;
            let captured = header.captured as usize;
            let len = self.header.saturating_add(captured);
            if !self.acceptable(header) {
                let what = match header.captured {
                    0 => "a record header of zeros".to_owned(),
                    long => format!("captured length {long}, expected at most {}", self.longest),
                };
                self.resume(window, tally, &what);
                continue;
            }
            if !window.fill(len) {
                let (offset, have) = (window.offset(), window.bytes().len());
                let skipped = resync::search(window, |view| self.chain(view));
                if !skipped.found {
                    tally.cut_short(offset, "packet record", have, len);
                    return None;
                }
                let what = format!("captured length {captured} reaches past the end");
                tally.damage(offset, &what, skipped.bytes, true);
                continue;
            }
            if self.suspect(header) && !self.followed(window, len) {
                self.resume(window, tally, "a doubtful record header that no other one follows");
                continue;
            }
            return Some(header);
        }
    }

    #[inline]
    fn record(&self, bytes: &[u8]) -> Option<Header> {
        let [seconds, fraction, captured, original] = self.order.words(bytes)?;
        Some(Header { seconds, fraction, captured, original })
    }

    /// Both fields are unsigned and their sum stays far below the range of 64 bits.
    #[inline]
    fn time(&self, header: Header) -> Timestamp {
        let seconds = i64::from(header.seconds).wrapping_mul(1_000_000_000);
        let fraction = i64::from(header.fraction).wrapping_mul(self.unit.into());
        Timestamp::from_nanos(seconds.wrapping_add(fraction))
    }

    /// Whether this can be a record at all. A header of zeros behind records that have a time is a hole in the file.
    #[inline]
    fn acceptable(&self, header: Header) -> bool {
        header.captured <= self.longest
            && ((header.captured | header.original | header.seconds) != 0
                || matches!(self.last, None | Some(0)))
    }

    /// Whether a record is odd enough to ask for a good one behind it.
    #[inline]
    fn suspect(&self, header: Header) -> bool {
        header.captured > header.original
            || !self.is_fraction(header.fraction)
            || self.last.is_some_and(|last| last.abs_diff(header.seconds) > DAY)
    }

    #[inline]
    fn is_fraction(&self, fraction: u32) -> bool {
        u64::from(fraction).wrapping_mul(self.unit.into()) < 1_000_000_000
    }

    /// Whether the whole of the next record is here.
    pub(super) fn is_next_here(&self, window: &Window) -> bool {
        let here = window.bytes();
        let len = self.record(here).map(|next| self.header.saturating_add(next.captured as usize));
        len.is_some_and(|len| len <= here.len())
    }

    /// Whether an acceptable record, or the end, follows the first `len` bytes.
    #[cold]
    fn followed(&self, window: &mut Window, len: usize) -> bool {
        window.fill(len.saturating_add(self.header));
        let next = window.bytes().get(len..).and_then(|rest| self.record(rest));
        next.is_none_or(|next| self.acceptable(next))
    }

    #[cold]
    fn resume(&mut self, window: &mut Window, tally: &mut Tally, what: &str) {
        let offset = window.offset();
        let skipped = resync::search(window, |view| self.chain(view));
        tally.damage(offset, what, skipped.bytes, skipped.found);
    }

    /// Whether several records without any oddity stand here one behind the other, up to the end at least.
    fn chain(&self, view: View) -> bool {
        let (mut rest, mut near) = (view.bytes, self.last);
        for count in 1..=CHAIN {
            let Some(header) = self.record(rest) else { return count > 2 };
            let good = self.acceptable(header)
                && header.captured > 0
                && header.captured <= header.original
                && header.original as usize <= RECORD
                && self.is_fraction(header.fraction)
                && near.is_none_or(|near| near.abs_diff(header.seconds) < NEAR);
            if !good {
                return false;
            }
            near = Some(header.seconds);
            let len = self.header.saturating_add(header.captured as usize);
            match rest.get(len..) {
                Some([]) if view.last => return true,
                Some(behind) => rest = behind,
                // The record is cut by the end of the capture or of the view: those before it must do.
                None => return count > 1,
            }
        }
        true
    }
}

/// Byte order, bytes of a record header, nanoseconds of a unit of the fraction.
fn variant(magic: [u8; 4]) -> Option<(Order, usize, u32)> {
    match u32::from_le_bytes(magic) {
        0xa1b2_c3d4 => Some((Order::Little, 16, 1_000)),
        0xd4c3_b2a1 => Some((Order::Big, 16, 1_000)),
        0xa1b2_3c4d => Some((Order::Little, 16, 1)),
        0x4d3c_b2a1 => Some((Order::Big, 16, 1)),
        0xa1b2_cd34 => Some((Order::Little, 24, 1_000)),
        0x34cd_b2a1 => Some((Order::Big, 24, 1_000)),
        _ => None,
    }
}
