//! A control frame that breaks a rule, of which a part has come: what follows it says whether it is one.

use super::check::Faults;
use super::decoder::Opening;
use super::{LONGEST_CONTROL, LONGEST_HEADER};
use crate::capture::Seen;

/// The first bytes of a control frame.
#[derive(Clone, Debug)]
pub(super) struct Undecided {
    bytes: [u8; LONGEST],
    have: usize,
    /// Of the whole frame.
    len: usize,
    first: Seen,
}

impl Undecided {
    /// Of a frame whose rules are broken and whose payload is here in part: what follows it must be waited for.
    #[cold]
    pub(super) fn of(faults: Faults, opening: &Opening<'_>) -> Option<Undecided> {
        let Opening { header, first, earlier, rest, body, .. } = *opening;
        let len = usize::try_from(header.len).ok().filter(|len| *len <= LONGEST_CONTROL)?;
        let is_cut = !body.is_empty() && body.len() < len;
        if faults.is_empty() || faults.is_noise() || !header.opcode.is_control() || !is_cut {
            return None;
        }
        let (bytes, len) = ([0; LONGEST], len.saturating_add(usize::from(header.header_len)));
        let mut begun = Undecided { bytes, have: 0, len, first };
        begun.take(earlier);
        begun.take(rest);
        Some(begun)
    }

    /// What came of it.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.have).unwrap_or_default()
    }

    /// Takes the next bytes; tells how many.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        let room = self.bytes.get_mut(self.have..self.len).unwrap_or_default();
        let used = room.len().min(bytes.len());
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.have = self.have.saturating_add(used);
        used
    }

    /// Whether all of it is there.
    pub(super) fn is_whole(&self) -> bool {
        self.have == self.len
    }

    /// Where it began.
    pub(super) fn first(&self) -> Seen {
        self.first
    }

    /// All that came of it and as much of what follows as the next header may have, and how many bytes that is.
    pub(super) fn followed_by(&self, behind: &[u8]) -> ([u8; LONGEST + LONGEST_HEADER], usize) {
        let mut all = [0; LONGEST + LONGEST_HEADER];
        let mut len: usize = 0;
        for (to, from) in all.iter_mut().zip(self.bytes().iter().chain(behind.iter().take(LONGEST_HEADER))) {
            *to = *from;
            len = len.saturating_add(1);
        }
        (all, len)
    }
}

/// Bytes of the longest control frame.
const LONGEST: usize = LONGEST_HEADER + LONGEST_CONTROL;
