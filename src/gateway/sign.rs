//! The signs by which the legs of a session show who gave it up.

use super::verdict::{Party, Reason};
use crate::capture::Seen;
use crate::connection::{Anomaly, Connection, FirstEnd, Transport};
use crate::legs::Legs;
use crate::role::Role;
use crate::time::Timestamp;

/// A sign of an ending: a Close, a FIN or a RST.
pub(super) struct Sign {
    pub(super) at: Timestamp,
    pub(super) seen: Seen,
    pub(super) party: Party,
    pub(super) on_upstream: bool,
    what: String,
    pub(super) proof: Proof,
}

/// How a sign is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// It is in the capture.
    Seen,
    /// It is a FIN that the capture lacks, of which a later packet tells: when it was sent nobody knows.
    Unseen,
    /// It is a FIN that crossed the one of the other side of its leg, in this packet: either may have been the first.
    Crossed(Seen),
    /// It is a RST that something on the path sent in this name.
    Foreign,
}

impl Proof {
    fn of(first: FirstEnd) -> Proof {
        match first {
            FirstEnd::Seen => Proof::Seen,
            FirstEnd::Unseen => Proof::Unseen,
            FirstEnd::Crossed(other) => Proof::Crossed(other),
        }
    }
}

impl Sign {
    /// For people.
    pub(super) fn text(&self) -> String {
        let leg = if self.on_upstream { "upstream leg" } else { "client leg" };
        let from = if self.proof == Proof::Foreign { "in the name of" } else { "from" };
        format!("{} {from} the {} on the {leg}", self.what, self.party.name())
    }
}

/// The first thing one side of one leg did to end it.
pub(super) fn first_sign(
    connection: &Connection,
    role: Role,
    party: Party,
    at: impl Fn(Seen) -> Timestamp,
) -> Option<Sign> {
    let close = connection.first_close(role).map(|close| {
        let what = close.code.map_or(String::from("an empty Close"), |code| format!("Close {code}"));
        (close.seen, what, Proof::Seen)
    });
    let end = connection.ending.by.filter(|(by, _)| *by == role).map(|(_, seen)| {
        match (connection.ending.transport, connection.foreign_reset()) {
            (Transport::Reset, Some((reset, usual))) => {
                let what = format!("RST with time to live {}, expected {usual},", reset.ttl);
                (seen, what, Proof::Foreign)
            }
            (Transport::Reset, None) => (seen, String::from("RST"), Proof::Seen),
            _ => (seen, String::from("FIN"), Proof::of(connection.ending.first)),
        }
    });
    let (seen, what, proof) = [close, end].into_iter().flatten().min_by_key(|(seen, ..)| seen.at)?;
    let on_upstream = matches!((party, role), (Party::Upstream, _) | (Party::Gateway, Role::Client));
    Some(Sign { at: at(seen), seen, party, on_upstream, what, proof })
}

/// The end whose frames were the reason for which a gateway that speaks WebSocket itself gave the session up: they break the
/// protocol, and its Close on that leg says so.
pub(super) fn at_fault(legs: &Legs<'_>) -> Option<(Party, Reason)> {
    let legs = [(legs.upstream, Role::Client, Party::Upstream), (legs.client, Role::Server, Party::Client)];
    legs.into_iter().find_map(|(leg, gateway, party)| {
        let close =
            leg.first_close(gateway).filter(|close| matches!(close.code, Some(1002 | 1003 | 1007)))?;
        let before = |anomaly: &&Anomaly| anomaly.from != gateway && anomaly.seen.packet <= close.seen.packet;
        let fault = leg.anomalies.iter().find(before)?;
        let code = close.code.unwrap_or_default();
        let text = format!(
            "the gateway answered a frame of the {} that breaks the protocol with Close {code}",
            party.name()
        );
        Some((party, Reason { seen: Some(fault.seen), text }))
    })
}

/// The sign of an endpoint that came first, although the gateway seems to have been earlier on the other leg: by a little, by
/// clocks that are not known as well as that, or because the capture lacks the sign itself. To pass an ending on is a gateway's
/// work, and that both end a session at once is chance.
pub(super) fn may_have_been_first(signs: &[Sign], unsure: i64) -> Option<usize> {
    let first = signs.first().filter(|first| first.party == Party::Gateway)?;
    let place = signs.iter().position(|sign| sign.on_upstream != first.on_upstream)?;
    let other = signs.get(place).filter(|other| other.party != Party::Gateway)?;
    let near = unsure > 0 && other.at.nanos_since(first.at) <= unsure;
    (near || other.proof == Proof::Unseen).then_some(place)
}
