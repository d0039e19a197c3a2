//! How far a direction was delivered. A segment of the other direction that acknowledges more than that has to wait.

use super::seq::ahead;
use crate::net::{Flags, Segment};

/// What a packet acknowledges, if anything.
pub(super) type Ack = Option<u32>;

/// How far the other direction was delivered.
#[derive(Clone, Copy)]
pub(super) struct Delivered {
    /// Sequence number of the first byte that was not delivered.
    pub(super) next: u32,
    /// Whether more of it may be delivered, so that waiting makes sense.
    pub(super) more: bool,
    /// Whether nothing before `next` is missing, and nothing behind it waits.
    pub(super) whole: bool,
    /// Whether its FIN is known to have been sent, though the capture lacks it.
    pub(super) over: bool,
    /// Whether its FIN was delivered.
    pub(super) ended: bool,
}

impl Delivered {
    /// Whether all that is acknowledged was delivered.
    #[inline]
    pub(super) fn covers(self, ack: Ack) -> bool {
        !self.more || ack.is_none_or(|ack| ahead(ack, self.next) <= 0)
    }

    /// Whether what is acknowledged is one number more than was delivered. WebSocket, TLS and HTTP send no single bytes: it is a FIN.
    pub(super) fn lacks_fin(self, ack: Ack) -> bool {
        self.more && self.whole && ack.is_some_and(|ack| ahead(ack, self.next) == 1)
    }

    /// Whether it had ended and what is acknowledged does not reach to its FIN.
    pub(super) fn crosses(self, ack: Ack) -> bool {
        self.ended && ack.is_none_or(|ack| ahead(ack, self.next) < 0)
    }

    /// Waits no longer for what is acknowledged.
    pub(super) fn forgo(&mut self, ack: Ack) {
        if let Some(ack) = ack
            && ahead(ack, self.next) > 0
        {
            self.next = ack;
        }
    }
}

/// What a segment acknowledges.
#[inline]
pub(super) fn acknowledged(segment: &Segment<'_>) -> Ack {
    segment.flags.has(Flags::ACK).then_some(segment.ack)
}
