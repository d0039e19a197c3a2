//! What an answer makes of its request, and of the connection: a session, an attempt that failed, a tunnel, HTTP/2.

use super::super::chunk::Waiting;
use super::super::facts::{Connection, Garbled, Outcome, Response};
use super::super::handshake;
use super::super::session::Session;
use super::{Answered, Exchange, Heard, Pending, Reader, quote};
use crate::capture::Seen;
use crate::http::Body;
use crate::limits;
use crate::role::{Role, Sides};
use crate::websocket;

impl Exchange {
    /// Pairs an answer with its request.
    pub(super) fn response(&mut self, answered: Answered, seen: Seen) -> Heard {
        let began = match &self.server {
            Reader::Head { began: Some(began), .. } => *began,
            _ => (seen, 0),
        };
        let head = match answered {
            Answered::Cached(response) => return self.switch(response, began, seen),
            Answered::New(head) if head.status == 101 => {
                let response = handshake::response(head, seen);
                self.heads.keep_response(&response);
                return self.switch(response, began, seen);
            }
            Answered::New(head) => head,
        };
        if (100..200).contains(&head.status) {
            if let Some(pending) = self.pending.front_mut()
                && pending.interim.len() < limits::INTERIM
            {
                pending.interim.push(head.status);
            }
            self.server = Reader::head();
            return Heard::More;
        }
        self.attempts.end_answer();
        let pending = if self.is_of_lost_request(began.0) { None } else { self.pending.pop_front() };
        let method = pending.as_ref().map_or("GET", Pending::method);
        let body = head.body(method);
        if let Body::Tunnel = body {
            return match pending.and_then(|pending| pending.target) {
                Some(authority) => {
                    let client = std::mem::take(&mut self.after_request);
                    Heard::Tunnel(authority.into(), Sides { client, server: Waiting::default() })
                }
                None => Heard::Nothing,
            };
        }
        self.server = Reader::body(body);
        if let Some(Pending { upgrade: Some(upgrade), interim, .. }) = pending {
            let mut connection = self.attempts.begin(*upgrade, interim);
            connection.outcome = Outcome::Rejected;
            connection.last = seen;
            let response = handshake::response(head, seen);
            connection.response = Some(handshake::answer(response, connection.request.as_ref()));
            self.attempts.answer(connection);
            if let Reader::Head { .. } = self.server {
                self.attempts.end_answer();
            }
        }
        // The upgrade failed, so what the client sent since is HTTP again.
        self.resume_client()
    }

    /// Whether an answer that begins in this packet answers a request that the capture lacks: where there may be one, what was
    /// captured before the oldest request that is known is no answer to that.
    fn is_of_lost_request(&self, began: Seen) -> bool {
        let upgrade = self.pending.front().and_then(|pending| pending.upgrade.as_ref());
        self.request_lost && upgrade.is_some_and(|upgrade| began.packet < upgrade.began.packet)
    }

    /// A 101: WebSocket from here on, where either side said so.
    fn switch(&mut self, response: Response, began: (Seen, u64), seen: Seen) -> Heard {
        self.attempts.end_answer();
        // Where answers may be missing, those before the upgrade are: nothing else is answered with a 101.
        let asked = self.pending.iter().position(|pending| pending.upgrade.is_some() || pending.http2);
        self.pending.drain(..asked.filter(|_| self.answer_lost).unwrap_or_default());
        let pending = self.pending.pop_front();
        let (upgrade, http2, interim) =
            pending.map_or((None, false, Vec::new()), |p| (p.upgrade, p.http2, p.interim));
        let fields = &response.head.head;
        let websocket =
            upgrade.is_some() || fields.names_websocket() || fields.field("sec-websocket-accept").is_some();
        // To who asked for WebSocket alone, HTTP/2 is a wrong answer.
        if fields.names_h2c() && !fields.names_websocket() && (http2 || upgrade.is_none()) {
            let client = std::mem::take(&mut self.after_request);
            return Heard::Http2(self.attempts.tunnel(), Sides { client, server: Waiting::default() });
        }
        if !websocket {
            self.client = Reader::Over;
            self.server = Reader::Over;
            return if self.attempts.is_empty() { Heard::Nothing } else { Heard::More };
        }
        let (request, first, request_offset) = match upgrade {
            Some(upgrade) => (Some(upgrade.request), upgrade.began, upgrade.offset),
            None => (None, began.0, 0),
        };
        let response = handshake::answer(response, request.as_ref());
        let mut connection = Connection::begun(first);
        connection.last = seen;
        connection.outcome = handshake::judge(request.as_ref(), &response);
        connection.tunnel = self.attempts.tunnel();
        connection.interim = interim;
        let request_is_lost = request.is_none();
        connection.request = request;
        connection.response = Some(response);
        let mut session = Box::new(Session::new(
            connection,
            Sides { client: request_offset, server: began.1 },
            &self.reading,
        ));
        for (from, is_lost) in [(Role::Client, request_is_lost), (Role::Server, self.answer_lost)] {
            if is_lost {
                session.lacks(from);
            }
        }
        session.early_data(began.0, self.after_request.take());
        Heard::Session(session)
    }

    /// The answer is not in the capture, but what followed it may be frames.
    pub(super) fn session_without_answer(&mut self) -> Heard {
        // Segments may cut frames anywhere; with a hole among them, the first one speaks for itself.
        let are_frames = |bytes: &[u8]| websocket::likely_frames(bytes) == Some(websocket::Masking::Masked);
        let frames = self
            .after_request
            .first()
            .is_none_or(|chunk| are_frames(&chunk.bytes) || are_frames(&self.after_request.joined(&[])));
        let only_upgrade = self.pending.len() == 1;
        if !frames || !only_upgrade || (self.after_request.is_empty() && !self.answer_lost) {
            return Heard::More;
        }
        let Some(Pending { upgrade: Some(upgrade), interim, .. }) = self.pending.pop_front() else {
            return Heard::More;
        };
        let offset = upgrade.offset;
        let mut connection = self.attempts.begin(*upgrade, interim);
        connection.outcome = Outcome::Unseen;
        let mut session = Box::new(Session::unanswered(connection, offset, &self.reading));
        for chunk in self.after_request.take() {
            session.data(Role::Client, chunk.offset, &chunk.bytes, chunk.seen);
        }
        Heard::Session(session)
    }

    /// The server's bytes are no HTTP.
    pub(super) fn not_http(&mut self, bytes: &[u8], seen: Seen) -> Heard {
        self.server = Reader::Over;
        self.garbled(Garbled { seen, bytes: quote(bytes), unfinished: false })
    }

    pub(super) fn garbled(&mut self, garbled: Garbled) -> Heard {
        self.attempts.end_answer();
        let Some(Pending { upgrade: Some(upgrade), interim, .. }) = self.pending.pop_front() else {
            return if self.attempts.is_empty() { Heard::Nothing } else { Heard::More };
        };
        let mut connection = self.attempts.begin(*upgrade, interim);
        connection.outcome = Outcome::Garbled;
        connection.last = garbled.seen;
        connection.garbled = Some(Box::new(garbled));
        self.attempts.keep(connection);
        Heard::More
    }
}
