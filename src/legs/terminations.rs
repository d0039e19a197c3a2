//! Gateways that terminate TLS: TLS connections that no key opened, each of which may be the client leg of a WebSocket in the
//! clear behind the gateway.

use super::by_time::forwarded_for;
use crate::capture::Seen;
use crate::confidence::Confidence;
use crate::connection::{Connection, Outcome};
use crate::limits;
use crate::net::Endpoint;
use crate::role::Role;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// The TLS connections that ended last, at most [`limits::TLS_TERMINATIONS`] of them.
#[derive(Default, Debug)]
pub struct Terminations(VecDeque<Termination>);

/// A TLS connection that a gateway may have terminated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Termination {
    /// Capture and `tcp.stream`.
    pub stream: (u16, u32),
    /// The gateway's client.
    pub client: Endpoint,
    /// Where it reached the gateway.
    pub gateway: Endpoint,
    /// Who ended it, and with which packet.
    pub ended: (Role, Seen),
    begun: Timestamp,
}

impl Terminations {
    /// Takes a connection that ended, be it such a one or not.
    pub fn push(&mut self, connection: &Connection) {
        let Some(tls) = connection.tls.as_deref() else { return };
        let Some(ended) = connection.ending.by else { return };
        if connection.outcome != Outcome::Encrypted || !tls.may_have_carried_websocket() {
            return;
        }
        if self.0.len() >= limits::TLS_TERMINATIONS {
            self.0.pop_front();
        }
        let tcp = &connection.tcp;
        self.0.push_back(Termination {
            stream: (tcp.capture, tcp.stream),
            client: tcp.client,
            gateway: tcp.server,
            ended,
            begun: connection.first.at,
        });
    }

    /// The one through which this session came, whose client ended it: the host that ends TLS is its client, and the two
    /// began and ended together. That is likely where the session's request names the other client, and else possible.
    /// `None` where there are several, or none.
    pub fn before(&self, upstream: &Connection) -> Option<(Termination, Confidence)> {
        let (Role::Client, end) = upstream.ending.by? else { return None };
        let named = forwarded_for(upstream);
        let fits = |termination: &&Termination| {
            termination.stream.0 == upstream.tcp.capture
                && (termination.gateway.ip == upstream.tcp.client.ip || is_of_one_host(upstream))
                && termination.gateway != upstream.tcp.server
                && (0..=WINDOW).contains(&upstream.first.at.nanos_since(termination.begun))
                && end.at.nanos_since(termination.ended.1.at).saturating_abs() <= ENDINGS
                && (named.is_empty() || named.contains(&termination.client.ip))
        };
        let mut fitting = self.0.iter().filter(fits);
        let termination = *fitting.next()?;
        let confidence = if named.is_empty() { Confidence::Possible } else { Confidence::Likely };
        fitting.next().is_none().then_some((termination, confidence))
    }
}

/// Whether it never left the host that was captured: a gateway there has another address for its clients.
fn is_of_one_host(connection: &Connection) -> bool {
    connection.tcp.client.ip.is_loopback() && connection.tcp.server.ip.is_loopback()
}

/// Nanoseconds by which a gateway's connection upstream may follow its client's, which first agrees on keys and asks.
const WINDOW: i64 = 2_000_000_000;

/// Nanoseconds by which the ends of the two may lie apart.
const ENDINGS: i64 = 500_000_000;
