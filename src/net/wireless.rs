//! IEEE 802.11 data frames, as far as they are not encrypted.

use super::decode::{Layer, Next, Other};
use super::rest::Rest;

/// Passes a radiotap header, which says whether the 802.11 header behind it is padded to a word.
pub(super) fn radiotap(rest: &mut Rest<'_>) -> Result<Next, Other> {
    const TIME: u32 = 1;
    const FLAGS: u32 = 2;
    const MORE: u32 = 1 << 31;
    const PADDED: u8 = 0x20;
    let mut header = *rest;
    let &[version, _, l1, l2] = header.take(Layer::Link)?;
    if version != 0 {
        return Err(Other::Malformed(Layer::Link));
    }
    let present = u32::from_le_bytes(*header.take(Layer::Link)?);
    let mut word = present;
    let mut at: usize = 8;
    while word & MORE != 0 {
        word = u32::from_le_bytes(*header.take(Layer::Link)?);
        at = at.saturating_add(4);
    }
    if present & TIME != 0 {
        at = at.next_multiple_of(8).saturating_add(8);
    }
    let flags = if present & FLAGS != 0 { rest.data.get(at).copied().unwrap_or_default() } else { 0 };
    rest.skip(u16::from_le_bytes([l1, l2]).into(), Layer::Link)?;
    Ok(Next::Wireless { padded: flags & PADDED != 0 })
}

/// What an 802.11 frame carries (IEEE 802.11-2020 §9.2.4, §9.3.2), and whether it is an aggregate, of which this is
/// only the first frame.
pub(super) fn frame(rest: &mut Rest<'_>, padded: bool) -> Result<(Next, bool), Other> {
    const DATA: u8 = 0b10;
    const WITHOUT_BODY: u8 = 0x40;
    const QOS: u8 = 0x80;
    const BOTH_DS: u8 = 0x03;
    const PROTECTED: u8 = 0x40;
    const HT_CONTROL: u8 = 0x80;
    const AGGREGATE: u8 = 0x80;
    let &[kind, flags] = rest.peek(Layer::Link)?;
    if (kind >> 2) & 0b11 != DATA || kind & WITHOUT_BODY != 0 {
        return Err(Other::NotIp);
    }
    let addresses: usize = if flags & BOTH_DS == BOTH_DS { 30 } else { 24 };
    let (mut len, mut aggregate) = (addresses, false);
    if kind & QOS != 0 {
        let control = rest.data.get(addresses).ok_or_else(|| rest.short(addresses, Layer::Link))?;
        aggregate = control & AGGREGATE != 0;
        len = len.saturating_add(if flags & HT_CONTROL != 0 { 6 } else { 2 });
    }
    if flags & PROTECTED != 0 {
        return Err(Other::Encrypted);
    }
    rest.skip(if padded { len.next_multiple_of(4) } else { len }, Layer::Link)?;
    if aggregate {
        // Destination, source and length of the first frame in it (§9.3.2.2.2).
        rest.skip(14, Layer::Link)?;
    }
    Ok((Next::Llc, aggregate))
}
