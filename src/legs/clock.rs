//! How far two captures' clocks lie apart, as far as cause and effect tell.

use crate::capture::Seen;
use crate::connection::Connection;
use crate::role::Role;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// What must be added to times of an upstream leg to compare them with its client leg's.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Clock {
    /// Nanoseconds to add; 0 for two legs in one capture.
    pub offset: i64,
    /// How far off that may be, either way, in nanoseconds.
    pub uncertainty: i64,
}

impl Clock {
    /// A time of the upstream leg by the client leg's clock.
    pub fn to_client(self, at: Timestamp) -> Timestamp {
        Timestamp::from_nanos(at.as_nanos().saturating_add(self.offset))
    }
}

/// Bounds on the offset between the clocks of two captures, narrowed by every pair of legs in them.
///
/// What the client says is seen on the client leg first, what the upstream says on the upstream leg: each such packet
/// that has its like on the other leg bounds the offset from one side.
#[derive(Default, Debug)]
pub(super) struct Clocks {
    bounds: BTreeMap<(u16, u16), Bounds>,
}

#[derive(Clone, Copy, Default, Debug)]
struct Bounds {
    least: Option<i64>,
    most: Option<i64>,
}

impl Clocks {
    /// Learns from two legs that belong together for certain.
    pub(super) fn learn(&mut self, client: &Connection, upstream: &Connection) {
        let (a, b) = (client.tcp.capture, upstream.tcp.capture);
        if a == b {
            return;
        }
        let bounds = self.bounds.entry((a, b)).or_default();
        let apart = |a: Seen, b: Seen| a.at.nanos_since(b.at);
        if let (Some(a), Some(b)) = (&client.request, &upstream.request) {
            bounds.at_least(apart(a.seen, b.seen));
        }
        if let (Some(a), Some(b)) = (&client.response, &upstream.response) {
            bounds.at_most(apart(a.seen, b.seen));
        }
        let close = |connection: &Connection, role| connection.first_close(role).map(|c| (c.code, c.seen));
        for role in Role::BOTH {
            let (Some((one, a)), Some((other, b))) = (close(client, role), close(upstream, role)) else {
                continue;
            };
            // Only a Close that passed through says something; an echo may be the gateway's own.
            let own = |connection: &Connection| connection.closes.first().is_some_and(|c| c.from == role);
            if one == other && own(client) && own(upstream) {
                match role {
                    Role::Client => bounds.at_least(apart(a, b)),
                    Role::Server => bounds.at_most(apart(a, b)),
                }
            }
        }
    }

    /// The clock of an upstream leg in capture `b` as a client leg in capture `a` sees it.
    pub(super) fn between(&self, a: u16, b: u16) -> Clock {
        if a == b {
            return Clock::default();
        }
        match self.bounds.get(&(a, b)) {
            Some(bounds) => bounds.clock(),
            None => self.bounds.get(&(b, a)).map_or(Clock::default(), |bounds| {
                let clock = bounds.clock();
                Clock { offset: clock.offset.saturating_neg(), ..clock }
            }),
        }
    }
}

impl Bounds {
    fn at_least(&mut self, nanos: i64) {
        self.least = Some(self.least.map_or(nanos, |least| least.max(nanos)));
    }

    fn at_most(&mut self, nanos: i64) {
        self.most = Some(self.most.map_or(nanos, |most| most.min(nanos)));
    }

    /// The middle of what is possible; no offset at all where that is possible, too. Clocks that drift contradict
    /// themselves over a long run: then the contradiction is the uncertainty.
    fn clock(self) -> Clock {
        let (Some(least), Some(most)) = (self.least, self.most) else {
            return match self.least.filter(|least| *least > 0).or(self.most.filter(|most| *most < 0)) {
                Some(offset) => Clock { offset, uncertainty: ONE_SIDED },
                None => Clock { offset: 0, uncertainty: ONE_SIDED },
            };
        };
        let half = most.saturating_sub(least).saturating_abs() / 2;
        if least <= 0 && most >= 0 {
            return Clock { offset: 0, uncertainty: half };
        }
        Clock { offset: least.min(most).saturating_add(half), uncertainty: half }
    }
}

/// Uncertainty where the offset is bounded from one side only: a slow round trip.
const ONE_SIDED: i64 = 1_000_000_000;
