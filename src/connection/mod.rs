//! From streams to facts: which flows are WebSocket, what was asked and answered, and how each connection ended.
//!
//! [`Connections`] takes the events of all flows (`table`). A flow costs little until it may be WebSocket: at first it is only a
//! `start`; with its first payload it becomes a `flow`, which `identify` tells by its first bytes. Over HTTP/1.1 it is an
//! `exchange` of requests and answers until one is an upgrade; HTTP/2 is a `multiplex` of `streams`, each of which may be a
//! WebSocket (RFC 8441). Then a `session` turns frames into facts.
//!
//! What comes out is a [`Connection`] (`facts`): everything that rules judge and reports print, without an opinion.

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
#[cfg(test)]
mod tests_tunnels;
mod trouble;
mod undelivered;
mod unread;

pub use crate::tcp::ResetKind;
pub use anomaly::Anomaly;
pub use carrier::{Carrier, ConnectProtocol, Http2};
pub use ending::{ApiClose, CloseState, Ending, FirstEnd, Transport};
pub use facts::{
    Close, Connection, FrameFacts, Garbled, LARGE, ListedMessages, OpeningFrame, Outcome, Pings, Quality,
    Repeats, Request, Reset, Response, RoleEvidence, Span, Stall, TcpFacts, Unused,
};
pub use head_cache::HeadCache;
pub use table::{Carried, Connections, Counters, FlowEvent, Parked};
pub use undelivered::{Reporter, Undelivered};
pub use unread::{ListQuota, Unread};
