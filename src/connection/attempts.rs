//! Upgrades that were asked for on one HTTP/1.1 connection and got no session.

use super::facts::{Connection, Request, Response};
use crate::capture::Seen;
use crate::limits;

/// A request with WebSocket intent.
pub(super) struct Upgrade {
    pub(super) request: Request,
    pub(super) began: Seen,
    /// Where its head begins in the client's stream.
    pub(super) offset: u64,
}

/// The failed upgrades of one HTTP/1.1 connection.
pub(super) struct Attempts {
    /// The CONNECT tunnel that they are in.
    tunnel: Option<String>,
    /// The one whose answer's body is being read, so that it can be quoted.
    answered: Option<Box<Connection>>,
    over: Vec<Box<Connection>>,
    bounded: bool,
}

impl Attempts {
    pub(super) fn new(tunnel: Option<String>) -> Attempts {
        Attempts { tunnel, answered: None, over: Vec::new(), bounded: false }
    }

    /// The facts of an upgrade, of which no outcome is known yet.
    pub(super) fn begin(&self, upgrade: Upgrade, interim: Vec<u16>) -> Box<Connection> {
        let mut connection = Connection::begun(upgrade.began);
        connection.last = upgrade.request.seen;
        connection.tunnel = self.tunnel();
        connection.request = Some(upgrade.request);
        connection.interim = interim;
        connection
    }

    /// The answer to one was read, but for its body.
    pub(super) fn answer(&mut self, connection: Box<Connection>) {
        self.answered = Some(connection);
    }

    /// Takes some of that body.
    pub(super) fn body(&mut self, part: &[u8]) {
        if let Some(answered) = &mut self.answered {
            quote_body(answered, part);
        }
    }

    /// The body was read as far as it goes.
    pub(super) fn end_answer(&mut self) {
        if let Some(answered) = self.answered.take() {
            self.keep(answered);
        }
    }

    /// Keeps one of which nothing more will be known.
    pub(super) fn keep(&mut self, connection: Box<Connection>) {
        if self.over.len() < limits::ATTEMPTS {
            self.over.push(connection);
        } else {
            self.bounded = true;
        }
    }

    /// Whether the body of an answer is being read.
    pub(super) fn is_answered(&self) -> bool {
        self.answered.is_some()
    }

    /// Whether none is over.
    pub(super) fn is_empty(&self) -> bool {
        self.over.is_empty()
    }

    /// The CONNECT tunnel that they are in.
    pub(super) fn tunnel(&self) -> Option<String> {
        self.tunnel.clone()
    }

    /// All of them, and whether there were more than are kept.
    pub(super) fn finish(self) -> (Vec<Box<Connection>>, bool) {
        (self.over, self.bounded)
    }
}

/// Adds to the quoted start of an answer's body.
pub(super) fn quote_body(answer: &mut Connection, part: &[u8]) {
    if let Some(Response { body, .. }) = &mut answer.response {
        let room = limits::BODY_QUOTE.saturating_sub(body.len());
        if room > 0 {
            let mut longer = std::mem::take(body).into_vec();
            longer.extend_from_slice(&part[..part.len().min(room)]);
            *body = longer.into();
        }
    }
}
