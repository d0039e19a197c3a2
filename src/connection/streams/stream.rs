//! One stream of HTTP/2 that is a WebSocket, or may become one (RFC 8441 §5).

use super::super::attempts::quote_body;
use super::super::ending::Transport;
use super::super::facts::{Connection, Outcome};
use super::super::handshake;
use super::super::session::Session;
use crate::capture::Seen;
use crate::http::ResponseHead;
use crate::limits;
use crate::role::{Role, Sides};
use crate::websocket::{Masking, Reading, likely_frames};
use std::sync::Arc;

/// A connection that is final but for what only the flow tells.
pub(in super::super) struct Finished {
    pub(in super::super) connection: Box<Connection>,
    /// How its stream ended, and who ended it first; `None` where the TCP connection did.
    pub(in super::super) ended: Option<(Role, Transport, Seen)>,
}

/// The answer to a request, as a header block told it.
pub(in super::super) struct Answer {
    /// `None` where its status is not known.
    pub(super) head: Option<ResponseHead>,
    pub(super) unknown: u32,
    pub(super) first: Seen,
    pub(super) seen: Seen,
}

/// One stream, from its request to its end.
pub(super) struct Stream {
    pub(super) session: Session,
    pub(super) phase: Phase,
    /// Whether it is known to be a WebSocket.
    pub(super) sure: bool,
    pub(super) extended: bool,
    /// Bytes of DATA of each side so far.
    pub(super) offsets: Sides<u64>,
    /// Which sides will send nothing more.
    pub(super) over: Sides<bool>,
    pub(super) ended: Option<(Role, Transport, Seen)>,
    /// The first DATA of the client before the answer.
    pub(super) early: Option<Seen>,
    pub(super) last: Seen,
}

/// How far it came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The answer has not come.
    Asked,
    /// It is a WebSocket now, or may be.
    Open,
    /// It was refused.
    Refused,
}

impl Stream {
    pub(super) fn new(session: Session, seen: Seen) -> Stream {
        Stream {
            session,
            phase: Phase::Asked,
            sure: true,
            extended: false,
            offsets: Sides::default(),
            over: Sides::default(),
            ended: None,
            early: None,
            last: seen,
        }
    }

    pub(super) fn answer(&mut self, answer: Answer, reading: &Arc<Reading>) {
        let connection = self.session.facts();
        connection.quality.unknown_fields.server = answer.unknown;
        let Some(head) = answer.head else {
            // Frames may follow, or a refusal: only what comes shows it.
            self.phase = Phase::Open;
            return;
        };
        if (100..200).contains(&head.status) {
            if connection.interim.len() < limits::INTERIM {
                connection.interim.push(head.status);
            }
            return;
        }
        // Where it is not known what was asked for, frames will show it.
        let accepted = (self.extended || !self.sure) && (200..300).contains(&head.status);
        // Key and accept have no meaning here (RFC 8441 §5).
        let response = handshake::response(head, answer.seen);
        if let Some(request) = &mut connection.request
            && let Some(early) = self.early.filter(|early| early.packet < answer.first.packet)
        {
            request.early_data = Some(early);
        }
        connection.outcome = match &connection.request {
            // Where fields of the offer are not known, nothing can be said to be outside of it.
            Some(_) if accepted && connection.quality.unknown_fields.client > 0 => Outcome::Established,
            Some(request) if accepted => handshake::judge_offer(request, &response),
            _ => Outcome::Rejected,
        };
        connection.response = Some(response);
        self.phase = if accepted { Phase::Open } else { Phase::Refused };
        self.session.answered(reading);
    }

    /// All that is known. `lost`: an answer may have been missed.
    pub(super) fn finish(self, lost: bool) -> Option<Finished> {
        let Stream { mut session, phase, ended, last, .. } = self;
        let mut connection = match phase {
            Phase::Asked if !lost => {
                session.facts().outcome = Outcome::Unanswered;
                session.without_frames()
            }
            Phase::Asked | Phase::Open => session.finish()?,
            Phase::Refused => session.without_frames(),
        };
        connection.last = last;
        Some(Finished { connection, ended })
    }

    #[inline]
    pub(super) fn data(&mut self, from: Role, bytes: &[u8], seen: Seen) {
        self.last = seen;
        if self.phase == Phase::Refused {
            if from == Role::Server {
                quote_body(self.session.facts(), bytes);
            }
            return;
        }
        if self.phase == Phase::Asked && from == Role::Client {
            self.early.get_or_insert(seen);
        }
        if !self.sure {
            self.sure = likely_frames(bytes) == Some(masking(from));
        }
        self.session.data(from, self.offsets[from], bytes, seen);
        self.offsets[from] = self.offsets[from].saturating_add(bytes.len() as u64);
    }

    pub(super) fn gap(&mut self, from: Role, len: u64, seen: Seen) {
        if self.phase != Phase::Refused {
            self.session.gap(from, self.offsets[from], len, seen);
        }
        self.offsets[from] = self.offsets[from].saturating_add(len);
    }
}

/// How the frames of one side are.
pub(super) const fn masking(from: Role) -> Masking {
    match from {
        Role::Client => Masking::Masked,
        Role::Server => Masking::Unmasked,
    }
}
