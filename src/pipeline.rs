//! The stages wired together; the only file that knows all of them.

use crate::capture::CaptureInfo;
use crate::connection::Connection;
use crate::rules::Finding;

/// Receives what an analysis finds, connection by connection, in the order in which they become final.
pub trait Observer {
    /// Takes one connection and what the rules say of it.
    fn connection(&mut self, connection: Connection, findings: Vec<Finding>);
}

/// What is known when all input was read.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The inputs, in order.
    pub captures: Vec<CaptureInfo>,
    /// Counts over all of them.
    pub totals: Totals,
}

/// Counts over all inputs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Totals {
    /// Packet records.
    pub packets: u64,
    /// TCP connections, of any use.
    pub tcp_connections: u64,
    /// Of these, TLS.
    pub tls_connections: u64,
    /// Of these, opened with a key.
    pub tls_decrypted: u64,
    /// WebSocket connections and attempts at one.
    pub websocket_connections: u64,
    /// Of these, with a valid 101.
    pub established: u64,
    /// Of these, answered with another final status.
    pub rejected: u64,
    /// Of these, without an answer.
    pub unanswered: u64,
}
