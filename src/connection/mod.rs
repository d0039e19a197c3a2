//! From streams to facts: which flows are WebSocket, what was asked and answered, and how each connection ended.

mod anomaly;
mod ending;
mod facts;

pub use anomaly::{Anomaly, AnomalyKind};
pub use ending::{ApiClose, CloseState, Ending, Transport};
pub use facts::{
    Close, Connection, FrameFacts, Outcome, Quality, Request, Response, RoleEvidence, TcpFacts,
};
