//! What reassembly tells the stages above it.

use crate::capture::Seen;
use crate::net::{FlowKey, Icmp, Side};
use crate::time::Timestamp;

/// The number of an open flow: small, and given again to a later flow after [`Event::Closed`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct FlowId(pub u32);

impl FlowId {
    /// As an index into a table kept beside the flows.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One thing that happened on a flow.
#[derive(Clone, Copy, Debug)]
pub struct StreamEvent<'a> {
    /// The flow.
    pub flow: FlowId,
    /// Its endpoints.
    pub key: &'a FlowKey,
    /// The packet that brought it. For bytes that waited for earlier ones, or for what their packet acknowledges: the
    /// packet that carried them. So packets may be told out of the order of the capture, but causes before effects.
    pub seen: Seen,
    /// Who sent it. For [`Event::Gap`]: whose bytes are missing. For [`Event::FinUnseen`]: whose FIN is missing. For
    /// [`Event::Icmp`]: who sent the packet that it is about. For [`Event::Closed`]: of no meaning.
    pub from: Side,
    /// What happened.
    pub event: Event<'a>,
}

/// See [`StreamEvent`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event<'a> {
    /// A flow begins; always its first event.
    Opened {
        /// Who sent the SYN, where it or the SYN-ACK was seen; `None` for a flow that the capture joins midway.
        opener: Option<Side>,
    },
    /// SYN, once for each side: from the opener, and as SYN-ACK from the side that was called.
    Syn {
        /// Its sequence number, by which two captures of one connection are known.
        isn: u32,
    },
    /// The same SYN again: nobody answered the first in time.
    SynAgain,
    /// The next bytes of one direction, in order. Never empty.
    Data {
        /// Stream offset of the first byte; 0 is the first byte after SYN, or the first one seen.
        offset: u64,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Bytes that will not come: the next [`Event::Data`] of this direction starts after them.
    Gap {
        /// Stream offset of the first missing byte.
        offset: u64,
        /// How many are missing.
        len: u64,
        /// Why.
        cause: GapCause,
    },
    /// Bytes that were told before were sent again. Whoever kept them can see whether they are the same; what was
    /// told stands.
    Repeat {
        /// Stream offset of the first byte.
        offset: u64,
        /// The bytes of this copy.
        bytes: &'a [u8],
    },
    /// Two copies of bytes that were still waiting for earlier ones differ; the first copy was kept.
    Conflict {
        /// Stream offset of the first byte that differs.
        offset: u64,
    },
    /// The direction ended in order; all of its bytes were told.
    Fin {
        /// Whether it does not acknowledge the FIN of the other side, which was told before: its sender did not know of that.
        crosses: bool,
    },
    /// The direction ended, but the capture lacks its FIN: the packet is the other side's own FIN, which acknowledges it.
    FinUnseen,
    /// The sender reset the connection.
    Reset {
        /// Time to live, or hop limit, of the packet.
        ttl: u8,
        /// The same of the sender's packet before it; `None` where there was none.
        usual_ttl: Option<u8>,
        /// What it says of its sender.
        kind: ResetKind,
    },
    /// The sender has no room for more bytes (RFC 9293 §3.8.6), or says so again, or has room again.
    Window {
        /// Whether its window is zero now.
        closed: bool,
    },
    /// An ICMP error about a packet that was sent and is not acknowledged.
    Icmp {
        /// Who says so, and what.
        says: Icmp,
        /// How far the other side has acknowledged.
        acked: u32,
    },
    /// The last event of a flow; its id will be used again.
    Closed {
        /// What ended it.
        why: Closed,
        /// The side, if any, of which the capture has no packet.
        unseen: Option<Side>,
        /// When its last packet was captured, of which the other events may not tell.
        last: Timestamp,
    },
}

/// Why bytes are missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GapCause {
    /// The other side acknowledged them, so they were sent; the capture has no packet that holds them.
    Lost,
    /// The packet is there, cut by a snap length.
    Cut,
    /// They never came before the flow or the capture ended, or before the bound on waiting bytes was reached.
    Unseen,
}

/// Why a flow's last event came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// Both directions ended, or one was reset.
    Ended,
    /// A new connection began on the same four-tuple.
    Reused,
    /// The table was full and this flow had been idle longest.
    Evicted,
    /// The capture ended while the flow was open.
    CaptureEnded,
}

/// What the stage above wants of a flow from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// Go on telling.
    Keep,
    /// Nothing here for us: forget the flow, keep only what tells a later connection on it apart. No further event
    /// of this flow follows, not even [`Event::Closed`].
    Ignore,
}

/// Receives the events of all flows.
pub trait Sink {
    /// Takes one event. The answer counts for [`Event::Data`] and [`Event::Gap`] only.
    fn event(&mut self, event: StreamEvent<'_>) -> Interest;
}

/// What a RST says of its sender (RFC 9293 §3.5.2, §3.10.7).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ResetKind {
    /// It has an ACK: its sender gives up a connection that it has.
    Abort,
    /// It has none: it answers a packet on a connection that its sender does not know, or knows no more.
    NoConnection,
}
