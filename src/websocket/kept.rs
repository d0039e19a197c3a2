//! Compressed messages that wait to be read: in one piece of memory, for adding to it is all that most of them cost.

use super::unmask;
use crate::capture::{PacketId, Seen};
use crate::time::Timestamp;

/// Payloads, unmasked, each behind a record of what it is.
#[derive(Debug, Default)]
pub(super) struct Kept {
    log: Vec<u8>,
    /// Where the record of the message in progress begins.
    begun: Option<usize>,
}

/// What is known of a message besides its payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct About {
    /// Whether it is text.
    pub(super) text: bool,
    /// Stream offset of its last frame, and the packet in which it ended.
    pub(super) offset: u64,
    pub(super) seen: Seen,
}

impl Kept {
    /// Bytes of it.
    pub(super) fn len(&self) -> usize {
        self.log.len()
    }

    /// Whether a message is in progress.
    pub(super) fn is_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// Whether a message waits that is whole.
    pub(super) fn has_whole(&self) -> bool {
        self.begun.unwrap_or(self.log.len()) > 0
    }

    /// A message begins.
    pub(super) fn begin(&mut self) {
        if self.log.is_empty() {
            self.log.reserve(FIRST_ROOM);
        }
        self.begun = Some(self.log.len());
        self.log.extend_from_slice(&[0; RECORD]);
    }

    /// Takes a piece of its payload.
    pub(super) fn push(&mut self, piece: &[u8], key: Option<[u8; 4]>, phase: u64) {
        let len = self.log.len();
        self.log.extend_from_slice(piece);
        if let (Some(key), Some(new)) = (key, self.log.get_mut(len..)) {
            unmask(new, key, phase);
        }
    }

    /// It is whole.
    pub(super) fn end(&mut self, about: About) {
        let Some(begun) = self.begun.take() else { return };
        let len = self.log.len().saturating_sub(begun).saturating_sub(RECORD) as u64;
        if let Some(record) = self.log.get_mut(begun..).and_then(|rest| rest.first_chunk_mut()) {
            write(record, len, about);
        }
    }

    /// The message in progress is not kept.
    pub(super) fn abandon(&mut self) {
        if let Some(begun) = self.begun.take() {
            self.log.truncate(begun);
        }
    }

    /// Only the message in progress is kept.
    pub(super) fn forget_whole(&mut self) {
        if let Some(begun) = &mut self.begun {
            self.log.drain(..*begun);
            *begun = 0;
        } else {
            self.log.clear();
        }
    }

    /// Nothing is kept, but a message in progress is still in progress.
    pub(super) fn forget_all(&mut self) {
        self.log.clear();
        self.log.shrink_to(FIRST_ROOM);
        if self.begun.take().is_some() {
            self.begin();
        }
    }

    /// The whole messages in their order, then what came of the one in progress.
    pub(super) fn messages(&self) -> impl Iterator<Item = (Option<About>, &[u8])> {
        let whole = self.begun.unwrap_or(self.log.len());
        let (mut rest, last) = self.log.split_at_checked(whole).unwrap_or_default();
        let whole = std::iter::from_fn(move || {
            let (record, behind) = rest.split_first_chunk()?;
            let (len, about) = read(record);
            let (payload, behind) = behind.split_at_checked(usize::try_from(len).ok()?)?;
            rest = behind;
            Some((Some(about), payload))
        });
        whole.chain(last.get(RECORD..).map(|payload| (None, payload)))
    }
}

/// Four words: length and whether it is text, offset, packet, time.
const RECORD: usize = 32;

/// Room from the start: growing from nothing costs more than a few messages.
const FIRST_ROOM: usize = 512;

fn write(record: &mut [u8; RECORD], len: u64, about: About) {
    let About { text, offset, seen } = about;
    let packet = u64::from(seen.packet.capture()) << 48 | seen.packet.number();
    let words = [len << 1 | u64::from(text), offset, packet, seen.at.as_nanos().cast_unsigned()];
    for (to, word) in record.as_chunks_mut().0.iter_mut().zip(words) {
        *to = word.to_ne_bytes();
    }
}

fn read(record: &[u8; RECORD]) -> (u64, About) {
    let mut words = record.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word));
    let mut next = || words.next().unwrap_or_default();
    let (len, offset, packet, at) = (next(), next(), next(), next().cast_signed());
    let packet = PacketId::new(u16::try_from(packet >> 48).unwrap_or_default(), packet);
    let seen = Seen { packet, at: Timestamp::from_nanos(at) };
    (len >> 1, About { text: len & 1 != 0, offset, seen })
}

#[cfg(test)]
mod tests {
    use super::super::oracle::packet;
    use super::*;

    fn about(number: u64) -> About {
        let seen = Seen { packet: PacketId::new(3, number), ..packet(number) };
        About { text: number.is_multiple_of(2), offset: number * 1000, seen }
    }

    #[test]
    fn messages_come_out_as_they_went_in() {
        let mut kept = Kept::default();
        for number in 1..4 {
            kept.begin();
            kept.push(&[number as u8; 5], Some([1, 2, 3, 4]), 0);
            kept.push(&[number as u8; 2], Some([1, 2, 3, 4]), 5);
            kept.end(about(number));
        }
        kept.begin();
        kept.push(b"lost", None, 0);
        kept.abandon();
        kept.begin();
        kept.push(b"in progress", None, 0);
        let all: Vec<_> = kept.messages().collect();
        assert_eq!(all.len(), 4);
        let masked = [1 ^ 1, 1 ^ 2, 1 ^ 3, 1 ^ 4, 1 ^ 1, 1 ^ 2, 1 ^ 3];
        assert_eq!(all[0], (Some(about(1)), &masked[..]));
        assert_eq!(all[2].0, Some(about(3)));
        assert_eq!(all[3], (None, &b"in progress"[..]));
        kept.forget_whole();
        kept.push(b"!", None, 0);
        kept.end(about(9));
        assert_eq!(kept.messages().collect::<Vec<_>>(), [(Some(about(9)), &b"in progress!"[..])]);
    }
}
