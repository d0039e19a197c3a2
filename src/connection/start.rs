//! What is known of a TCP connection before its first payload.

use super::ending::{FirstEnd, Transport};
use super::facts::Unused;
use super::undelivered::Errors;
use crate::capture::{PacketId, Seen};
use crate::net::{FlowKey, Side};
use crate::role::Role;

/// What is known of a flow by its first packet: of a flood of SYNs there is no more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    first: Seen,
    opener: Option<Side>,
    /// Whether this was the opener's SYN, and its sequence number.
    is_syn: bool,
    isn: u32,
}

/// What is known of a flow before its first payload.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) opener: Option<Side>,
    pub(super) first: Seen,
    pub(super) opened: Option<Seen>,
    pub(super) accepted: Option<Seen>,
    pub(super) isn: [Option<u32>; 2],
    pub(super) syns: u32,
    /// The first FIN or RST, and who sent it.
    pub(super) ended: Option<(Side, Transport, Seen)>,
    /// How well that is known.
    pub(super) first_end: FirstEnd,
    pub(super) errors: Errors,
}

impl Begun {
    pub(super) fn new(opener: Option<Side>, first: Seen) -> Begun {
        Begun { first, opener, is_syn: false, isn: 0 }
    }

    /// The first packet of the flow.
    pub(super) fn first(&self) -> PacketId {
        self.first.packet
    }

    /// Notes what the first packet is; false where this was another one.
    pub(super) fn synchronize(&mut self, from: Side, isn: u32, seen: Seen) -> bool {
        let is_first = self.opener == Some(from) && self.first == seen && !self.is_syn;
        if is_first {
            (self.is_syn, self.isn) = (true, isn);
        }
        is_first
    }

    /// Makes room for more.
    pub(super) fn start(&self) -> Start {
        let Begun { first, opener, is_syn, isn } = *self;
        let mut start = Start {
            opener,
            first,
            opened: None,
            accepted: None,
            isn: [None; 2],
            syns: 0,
            ended: None,
            first_end: FirstEnd::Seen,
            errors: Errors::default(),
        };
        if let Some(opener) = opener.filter(|_| is_syn) {
            start.synchronize(opener, Some(isn), first);
        }
        start
    }
}

impl Start {
    /// The first packet of the flow.
    pub(super) fn first(&self) -> PacketId {
        self.first.packet
    }

    /// Notes the SYN of one side, with its sequence number the first time.
    pub(super) fn synchronize(&mut self, from: Side, isn: Option<u32>, seen: Seen) {
        let opens = self.opener == Some(from);
        self.syns += u32::from(opens);
        if isn.is_some() {
            let place = if opens { &mut self.opened } else { &mut self.accepted };
            place.get_or_insert(seen);
            self.isn[from.index()] = isn;
        }
    }

    /// Notes the end of one side.
    pub(super) fn end(&mut self, from: Side, transport: Transport, seen: Seen) {
        // Told in the order of cause and effect; but a reset is told at once, a FIN after what it waits for.
        let before = |first: Seen| (seen.at, seen.packet) < (first.at, first.packet);
        if self.ended.is_none_or(|(_, transport, first)| transport == Transport::Reset && before(first)) {
            self.ended = Some((from, transport, seen));
            self.first_end = FirstEnd::Seen;
        }
    }

    /// Notes the end of one side by a FIN that the capture lacks, and the packet that acknowledges it.
    pub(super) fn end_unseen(&mut self, from: Side, seen: Seen) {
        let is_first = self.ended.is_none();
        self.end(from, Transport::Fin, seen);
        if is_first {
            self.first_end = FirstEnd::Unseen;
        }
    }

    /// Notes that the FIN of the other side, which this packet brings, was sent before the first one came there.
    pub(super) fn cross(&mut self, seen: Seen) {
        if let Some((_, Transport::Fin, first)) = self.ended
            && seen.at.nanos_since(first.at) <= ON_THE_WAY
        {
            self.first_end = FirstEnd::Crossed(seen);
        }
    }

    /// The facts of a flow that ends without a payload; `None` where its SYN was not seen.
    pub(super) fn unused(&self, key: &FlowKey) -> Option<Unused> {
        let client = self.opener?;
        let role = |side| if side == client { Role::Client } else { Role::Server };
        Some(Unused {
            capture: self.first.packet.capture(),
            stream: 0,
            client: key.endpoint(client),
            server: key.endpoint(client.other()),
            opened: self.opened?,
            syns: self.syns,
            accepted: self.accepted,
            ended: self.ended.map(|(side, transport, seen)| (role(side), transport, seen)),
            undelivered: self.errors.by_role(client).client,
        })
    }
}

/// Nanoseconds for which a packet may be on its way. A FIN that crosses one much older was the later one: the first was lost.
const ON_THE_WAY: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn a_fin_that_the_capture_lacks_is_known_as_such_where_it_is_the_first_end() {
        let seen =
            |number| Seen { packet: PacketId::new(0, number), at: Timestamp::from_nanos(number as i64) };
        let mut start = Begun::new(None, seen(1)).start();
        start.end_unseen(Side::High, seen(2));
        start.end(Side::Low, Transport::Fin, seen(2));
        assert_eq!(start.ended, Some((Side::High, Transport::Fin, seen(2))));
        assert_eq!(start.first_end, FirstEnd::Unseen);
        let mut start = Begun::new(None, seen(1)).start();
        start.end(Side::Low, Transport::Fin, seen(2));
        start.end_unseen(Side::High, seen(3));
        assert_eq!(start.ended, Some((Side::Low, Transport::Fin, seen(2))));
        assert_eq!(start.first_end, FirstEnd::Seen);
    }

    #[test]
    fn fins_cross_where_both_may_have_been_on_their_way() {
        let seen = |nanos| Seen { packet: PacketId::new(0, nanos), at: Timestamp::from_nanos(nanos as i64) };
        for (second, first_end) in [
            (ON_THE_WAY as u64 + 1, FirstEnd::Crossed(seen(ON_THE_WAY as u64 + 1))),
            (ON_THE_WAY as u64 + 2, FirstEnd::Seen),
        ] {
            let mut start = Begun::new(None, seen(1)).start();
            start.end(Side::Low, Transport::Fin, seen(1));
            start.end(Side::High, Transport::Fin, seen(second));
            start.cross(seen(second));
            assert_eq!(
                (start.first_end, start.ended),
                (first_end, Some((Side::Low, Transport::Fin, seen(1))))
            );
        }
    }
}
