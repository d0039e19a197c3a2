//! Packets of a flow of which ICMP errors say that they did not arrive. Most flows have none.

use super::facts::{Repeats, Span};
use crate::capture::Seen;
use crate::limits;
use crate::net::{FlowKey, Icmp, IcmpKind, Side};
use crate::role::Sides;

/// That packets of one side did not arrive, as ICMP errors of one kind say. Anybody can forge one: it is a testimony.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Undelivered {
    /// What the first of them says, and who says it; of sizes that the next link takes, the smallest.
    pub says: Icmp,
    /// How often it was said.
    pub count: u32,
    /// The first and the last error.
    pub span: Span,
    /// The longest time in which it was said again and nothing of that side was acknowledged.
    pub stuck: Repeats,
    /// Who says it, by where it stands.
    pub reporter: Reporter,
}

/// Who reports that a packet did not arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reporter {
    /// The host that sent the packet: its own routes or its own neighbours.
    Sender,
    /// Somebody between the two: a router or a firewall.
    Path,
    /// The very host to which it was sent, by its address.
    Destination,
}

/// Of both sides.
#[derive(Clone, Default, Debug)]
pub(super) struct Errors(Vec<Kind>);

/// One kind of error about packets of one side.
#[derive(Clone, Debug)]
struct Kind {
    from: Side,
    told: Undelivered,
    /// What was said since this was acknowledged.
    acked: u32,
    since: Repeats,
}

impl Errors {
    /// Takes an error about a packet of one side, of which so much is acknowledged.
    pub(super) fn note(&mut self, from: Side, (says, acked): (Icmp, u32), key: &FlowKey, seen: Seen) {
        let first = Repeats { count: 1, span: Span { from: seen, until: seen } };
        let same = |kind: &&mut Kind| kind.from == from && kind.told.says.code == says.code;
        if let Some(kind) = self.0.iter_mut().find(same) {
            let one = &mut kind.told;
            one.count = one.count.saturating_add(1);
            one.span.until = seen;
            if kind.acked == acked {
                kind.since.count = kind.since.count.saturating_add(1);
                kind.since.span.until = seen;
            } else {
                (kind.acked, kind.since) = (acked, first);
            }
            if kind.since.span.nanos() >= one.stuck.span.nanos() {
                one.stuck = kind.since;
            }
            if let (IcmpKind::TooBig { mtu: Some(known) }, IcmpKind::TooBig { mtu: Some(mtu) }) =
                (&mut one.says.kind, says.kind)
            {
                *known = mtu.min(*known);
            }
        } else if self.0.len() < limits::ICMP_KINDS {
            let reporter = match says.by {
                by if by == key.endpoint(from.other()).ip => Reporter::Destination,
                by if by == key.endpoint(from).ip => Reporter::Sender,
                _ => Reporter::Path,
            };
            let told = Undelivered { says, count: 1, span: first.span, stuck: first, reporter };
            self.0.reserve_exact(1);
            self.0.push(Kind { from, told, acked, since: first });
        }
    }

    /// By whose packets they are about, where this side is the client.
    pub(super) fn by_role(&self, client: Side) -> Sides<Vec<Undelivered>> {
        if self.0.is_empty() {
            return Sides::default();
        }
        let of = |side| self.0.iter().filter(|kind| kind.from == side).map(|kind| kind.told).collect();
        Sides { client: of(client), server: of(client.other()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::PacketId;
    use crate::time::Timestamp;

    #[test]
    fn each_kind_of_error_is_kept_once_a_side_with_its_count_up_to_a_number() {
        let (key, client) = FlowKey::v4(([10, 0, 0, 1], 9), ([10, 0, 0, 2], 80), 0);
        let mut errors = Errors::default();
        let by = [10, 0, 0, 2].into();
        let seen = |number| Seen { packet: PacketId::new(0, number), at: Timestamp::default() };
        for number in 1..=10 * limits::ICMP_KINDS as u64 {
            let mtu = Some(1500 - number as u32);
            errors.note(
                client,
                (Icmp { by, kind: IcmpKind::TooBig { mtu }, code: (3, 4) }, 1),
                &key,
                seen(number),
            );
        }
        errors.note(client.other(), (Icmp { by, kind: IcmpKind::NoHost, code: (3, 1) }, 1), &key, seen(99));
        let Sides { client: of_client, server } = errors.by_role(client);
        assert_eq!((of_client.len(), of_client[0].count), (1, 10 * limits::ICMP_KINDS as u32));
        assert_eq!(of_client[0].says.kind, IcmpKind::TooBig { mtu: Some(1420) });
        assert_eq!(of_client[0].span, Span { from: seen(1), until: seen(80) });
        assert_eq!((of_client[0].reporter, server[0].reporter), (Reporter::Destination, Reporter::Sender));
        for code in 0..=u8::MAX {
            errors.note(client, (Icmp { by, kind: IcmpKind::Other, code: (3, code) }, 1), &key, seen(100));
        }
        assert_eq!(errors.0.len(), limits::ICMP_KINDS);
    }

    #[test]
    fn errors_are_stuck_for_as_long_as_nothing_more_is_acknowledged() {
        let (key, client) = FlowKey::v4(([10, 0, 0, 1], 9), ([10, 0, 0, 2], 80), 0);
        let mut errors = Errors::default();
        let says = Icmp { by: [10, 0, 0, 3].into(), kind: IcmpKind::TooBig { mtu: None }, code: (3, 4) };
        let seen = |second: i64| {
            let at = Timestamp::from_nanos(second * 1_000_000_000);
            Seen { packet: PacketId::new(0, second.unsigned_abs()), at }
        };
        for (second, acked) in [(1, 7), (2, 7), (3, 20), (5, 20), (9, 20), (20, 30), (21, 30)] {
            errors.note(client, (says, acked), &key, seen(second));
        }
        let told = errors.by_role(client).client[0];
        assert_eq!((told.count, told.reporter), (7, Reporter::Path));
        assert_eq!(told.stuck, Repeats { count: 3, span: Span { from: seen(3), until: seen(9) } });
    }
}
