//! The two connections around one gateway.
//!
//! A *client leg* runs from a client to a gateway, an *upstream leg* from that gateway to what stands behind it. A chain
//! of gateways is so many pairs in a row.
//!
//! Legs are matched by what passes through a gateway unchanged (`marks`), else by addresses and time (`by_time`, and `by_tls`
//! where TLS with the upstream failed); `pairing` tries these means in turn. A connection that was captured twice, before and
//! after an address translation, is not taken for two (`duplicates`), and a request by which a gateway asks another service
//! for leave is no leg (`subrequest`). `unreached` and `terminations` know what has no legs: attempts at an upstream that never
//! carried a byte, and TLS that a gateway may have ended.

mod by_time;
mod by_tls;
mod candidates;
mod changes;
mod clock;
mod duplicates;
mod family;
mod marks;
mod pairing;
mod repeats;
mod subrequest;
mod terminations;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_duplicates;
mod unreached;

#[cfg(test)]
pub use candidates::pair;
pub use candidates::{Candidates, Matched};
pub use changes::{Change, Passage, Place, passage};
pub use clock::Clock;
pub use duplicates::Duplicate;
pub use pairing::Paired;
pub use repeats::Repeats;
pub use subrequest::may_be_subrequest;
pub use terminations::{Termination, Terminations};
pub use unreached::{Attempts, Fate, Unconnected, unreached};

use crate::capture::Seen;
use crate::confidence::Confidence;
use crate::connection::Connection;
use crate::net::Endpoint;
use crate::time::Timestamp;

/// Two legs of one session.
#[derive(Clone, Debug)]
pub struct LegPair {
    /// [`Connection::serial`] of the client leg.
    pub client_leg: u64,
    /// The same of the upstream leg.
    pub upstream_leg: u64,
    /// Other connections of the gateway for this request: attempts that failed, and subrequests to a service that decides
    /// whether it may go on.
    pub attempts: Vec<u64>,
    /// Those of them that are subrequests; the upstream leg is one itself where the gateway went no further.
    pub subrequests: Vec<u64>,
    /// Who asked.
    pub client: Endpoint,
    /// Where the client reached the gateway.
    pub gateway: Endpoint,
    /// Whom the gateway asked.
    pub upstream: Endpoint,
    /// Capture and `tcp.stream` of the upstream leg.
    pub upstream_stream: (u16, u32),
    /// How they were matched.
    pub means: Means,
    /// How sure that is.
    pub confidence: Confidence,
    /// How the upstream leg's times compare with the client leg's.
    pub clock: Clock,
    /// Whether the gateway copies bytes or speaks WebSocket itself.
    pub passage: Passage,
    /// What is not the same on both legs.
    pub changes: Vec<Change>,
}

impl LegPair {
    /// Whether the upstream leg carries no upgrade, only a subrequest about it.
    pub fn is_subrequest(&self) -> bool {
        self.subrequests.contains(&self.upstream_leg)
    }
}

/// By what two legs were matched, the strongest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Means {
    /// A PROXY protocol header names the client leg's addresses.
    ProxyProtocol,
    /// Equal `Sec-WebSocket-Key`.
    Key,
    /// Equal `Sec-WebSocket-Accept`.
    Accept,
    /// A run of equal masking keys.
    MaskingKeys,
    /// An identifier that gateways put into requests to trace them.
    TraceHeader,
    /// `X-Forwarded-For` or `Forwarded` names the client's address.
    Forwarded,
    /// The same first messages both ways.
    Content,
    /// The same target at the same time.
    Timing,
}

impl Means {
    /// As the report names it.
    pub const fn name(self) -> &'static str {
        match self {
            Means::ProxyProtocol => "proxy-protocol",
            Means::Key => "sec-websocket-key",
            Means::Accept => "sec-websocket-accept",
            Means::MaskingKeys => "masking-keys",
            Means::TraceHeader => "trace-header",
            Means::Forwarded => "forwarded-for",
            Means::Content => "content",
            Means::Timing => "timing",
        }
    }

    /// For people, to follow "matched by".
    pub const fn phrase(self) -> &'static str {
        match self {
            Means::ProxyProtocol => "a PROXY protocol header with the client's address",
            Means::Key => "the same Sec-WebSocket-Key",
            Means::Accept => "the same Sec-WebSocket-Accept",
            Means::MaskingKeys => "the same masking keys",
            Means::TraceHeader => "the same trace identifier",
            Means::Forwarded => "a field that names the client's address",
            Means::Content => "the same first messages",
            Means::Timing => "target and time",
        }
    }
}

/// A pair with the facts of both legs.
#[derive(Clone, Copy, Debug)]
pub struct Legs<'a> {
    /// How they belong together.
    pub pair: &'a LegPair,
    /// Client to gateway.
    pub client: &'a Connection,
    /// Gateway to upstream.
    pub upstream: &'a Connection,
}

impl Legs<'_> {
    /// The time of a packet of the upstream leg, by the client leg's clock.
    pub fn upstream_time(&self, seen: Seen) -> Timestamp {
        self.pair.clock.to_client(seen.at)
    }
}
