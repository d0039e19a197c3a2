//! From streams to facts: which flows are WebSocket, what was asked and answered, and how each connection ended.

mod anomaly;
mod attempts;
mod carrier;
mod chunk;
mod ending;
mod exchange;
mod facts;
mod flow;
mod handshake;
mod head_cache;
mod identify;
mod multiplex;
mod session;
mod start;
mod streams;
mod table;
mod tally;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_bounds;
#[cfg(test)]
mod tests_cuts;
#[cfg(test)]
mod tests_http2;
mod trouble;
mod undelivered;
mod unread;

pub use crate::tcp::ResetKind;
pub use anomaly::Anomaly;
pub use carrier::{Carrier, ConnectProtocol, Http2};
pub use ending::{ApiClose, CloseState, Ending, Transport};
pub use facts::{
    Close, Connection, FrameFacts, Garbled, Glimpse, LARGE, Listed, Outcome, Pings, Quality, Repeats,
    Request, Reset, Response, RoleEvidence, Span, TcpFacts, Unused,
};
pub use head_cache::HeadCache;
pub use table::{Carried, Connections, Counters, FlowEvent, Parked};
pub use undelivered::{Place, Undelivered};
pub use unread::{Roll, Unread};
