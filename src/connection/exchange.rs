//! Requests and answers on one HTTP/1.1 connection, up to the upgrade (RFC 9112 §9, RFC 6455 §4).
//!
//! Answers belong to requests in their order. A capture may hold an answer before its request, so bytes of a server
//! that nobody asked yet wait; bytes of a client that asked for an upgrade wait for the answer.

mod answer;
mod pending;

use super::attempts::{Attempts, Upgrade};
use super::chunk::Waiting;
use super::facts::{Connection, Garbled, Outcome, Request, Response};
use super::handshake;
use super::head_cache::HeadCache;
use super::session::Session;
use crate::capture::Seen;
use crate::http::{
    Body, BodyReader, FirstBytes, HeadProgress, HeadReader, RequestHead, ResponseHead, looks_like,
};
use crate::limits;
use crate::role::{Role, Sides};
use crate::websocket::{self, Reading};
use pending::Pending;
use std::collections::VecDeque;
use std::sync::Arc;

/// One HTTP/1.1 connection up to its upgrade.
pub(super) struct Exchange {
    client: Reader,
    server: Reader,
    /// Requests without their final answer, oldest first.
    pending: VecDeque<Pending>,
    /// Server bytes that no request asked for yet.
    early_answer: Waiting,
    /// Client bytes after a request that may end HTTP on this connection.
    after_request: Waiting,
    /// Whether the answer to the oldest request may be in a gap.
    answer_lost: bool,
    /// Whether requests may be in a gap, or before the capture.
    request_lost: bool,
    begun: Begun,
    attempts: Attempts,
    /// Times that waiting bytes were read again, each of which may copy what is left of them.
    rounds: u32,
    bounded: bool,
    heads: Arc<HeadCache>,
    reading: Arc<Reading>,
}

/// How much of what the server sent first the capture has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    /// All of it.
    Whole,
    /// All of it, unless its first packets were lost: no SYN-ACK was seen.
    Perhaps,
    /// It may have joined in the middle of an answer.
    Midway,
}

/// What became of the connection by some bytes.
pub(super) enum Heard {
    /// It is still HTTP.
    More,
    /// No upgrade can come any more.
    Nothing,
    /// It is WebSocket now; all bytes so far were given to the session.
    Session(Box<Session>),
    /// It is HTTP/2 now, by an upgrade, in this tunnel, with these bytes of each side already there.
    Http2(Option<String>, Sides<Waiting>),
    /// It is a tunnel to this authority now, with these bytes of each side already there.
    Tunnel(String, Sides<Waiting>),
}

impl Heard {
    /// The same, where these bytes of one side follow.
    fn with(mut self, from: Role, offset: u64, bytes: &[u8], seen: Seen) -> Heard {
        match &mut self {
            _ if bytes.is_empty() => {}
            Heard::Session(session) => session.data(from, offset, bytes, seen),
            Heard::Tunnel(_, rest) | Heard::Http2(_, rest) => {
                rest[from].push(offset, seen, bytes);
            }
            Heard::More | Heard::Nothing => {}
        }
        self
    }
}

/// What one direction is in the middle of.
enum Reader {
    /// A head, which began in this packet.
    Head {
        reader: HeadReader,
        began: Option<(Seen, u64)>,
    },
    Body(BodyReader),
    /// Bytes are missing: the next event that looks like a head begins one.
    Lost,
    /// No further head can come.
    Over,
}

/// A request as it was read.
enum Asked {
    /// For an upgrade and nothing else, like one before.
    Cached(Request),
    New(RequestHead),
}

/// An answer as it was read.
enum Answered {
    /// A 101 like one before.
    Cached(Response),
    New(ResponseHead),
}

impl Reader {
    fn head() -> Reader {
        Reader::Head { reader: HeadReader::default(), began: None }
    }

    fn body(body: Body) -> Reader {
        match body {
            Body::None => Reader::head(),
            body => Reader::Body(BodyReader::new(body)),
        }
    }
}

impl Exchange {
    /// Before its first byte; inside the CONNECT tunnel to `tunnel`, or directly. `begun`: how much
    /// of the server's beginning the capture has.
    pub(super) fn new(
        tunnel: Option<String>,
        begun: Begun,
        heads: Arc<HeadCache>,
        reading: Arc<Reading>,
    ) -> Exchange {
        Exchange {
            client: Reader::head(),
            server: if begun == Begun::Midway { Reader::Lost } else { Reader::head() },
            // Nearly always one waits at a time.
            pending: VecDeque::with_capacity(1),
            early_answer: Waiting::default(),
            after_request: Waiting::default(),
            answer_lost: false,
            request_lost: begun == Begun::Midway,
            begun,
            attempts: Attempts::new(tunnel),
            rounds: 0,
            bounded: false,
            heads,
            reading,
        }
    }

    /// Takes the next bytes of one side.
    pub(super) fn data(&mut self, from: Role, offset: u64, bytes: &[u8], seen: Seen) -> Heard {
        match from {
            Role::Client => self.client_data(offset, bytes, seen),
            Role::Server => self.server_data(offset, bytes, seen),
        }
    }

    /// Takes a gap in the bytes of one side.
    pub(super) fn gap(&mut self, from: Role, len: u64) -> Heard {
        let reader = match from {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        };
        let counted = match reader {
            Reader::Body(body) => body.skip(len),
            Reader::Over => true,
            Reader::Head { .. } | Reader::Lost => false,
        };
        if !counted {
            *reader = Reader::Lost;
            match from {
                // Requests may be missing, so which answer is whose is no longer known by order alone.
                Role::Client => {
                    self.request_lost = true;
                    return self.release_early_answer();
                }
                Role::Server => self.answer_lost = true,
            }
        }
        Heard::More
    }

    /// Bytes of unfinished heads, and bytes that wait.
    pub(super) fn buffered(&self) -> usize {
        let head = |reader: &Reader| match reader {
            Reader::Head { reader, .. } => reader.cost(),
            Reader::Body(_) | Reader::Lost | Reader::Over => 0,
        };
        head(&self.client) + head(&self.server) + self.early_answer.cost() + self.after_request.cost()
    }

    /// Whether another copy of some bytes differs from the head that is still kept.
    pub(super) fn differs(&self, from: Role, offset: u64, bytes: &[u8]) -> bool {
        from == Role::Client
            && self.pending.iter().filter_map(|pending| pending.upgrade.as_ref()).any(|upgrade| {
                handshake::differs(upgrade.offset, upgrade.request.head.head.raw(), offset, bytes)
            })
    }

    /// The input is over: what waited is judged as it stands. `answers_unseen`: the capture has no packet of the
    /// server.
    pub(super) fn finish(&mut self, answers_unseen: bool) -> Heard {
        match self.release_early_answer() {
            Heard::More | Heard::Nothing => {}
            heard => return heard,
        }
        if answers_unseen || self.answer_lost {
            return self.session_without_answer();
        }
        // A head that the server began and never finished is no answer.
        if let Reader::Head { reader, began: Some((seen, _)) } = &self.server
            && self.pending.front().is_some_and(|pending| pending.upgrade.is_some())
        {
            let (seen, quote) = (*seen, quote(reader.buffered()));
            self.garbled(Garbled { seen, bytes: quote, unfinished: true });
        }
        Heard::More
    }

    /// Every attempt at an upgrade, in order; those that got no answer as unanswered, or as unseen where `lost` says
    /// that the capture may lack it.
    pub(super) fn into_attempts(mut self, lost: bool) -> (Vec<Box<Connection>>, bool) {
        self.attempts.end_answer();
        let lost = lost || self.answer_lost;
        let outcome = if lost { Outcome::Unseen } else { Outcome::Unanswered };
        for pending in self.pending {
            if let Some(upgrade) = pending.upgrade {
                let mut connection = self.attempts.begin(*upgrade, pending.interim);
                connection.outcome = outcome;
                self.attempts.keep(connection);
            }
        }
        let (attempts, bounded) = self.attempts.finish();
        (attempts, self.bounded || bounded)
    }

    fn client_data(&mut self, mut offset: u64, mut bytes: &[u8], seen: Seen) -> Heard {
        while !bytes.is_empty() {
            // The body of a request is of HTTP still, unless its sender means frames by it.
            let is_body = matches!(self.client, Reader::Body(_))
                && websocket::likely_frames(bytes) != Some(websocket::Masking::Masked);
            if !is_body && self.pending.back().is_some_and(Pending::may_end_http) {
                // What follows is either early frames or a pipelined request; the answer tells.
                self.bounded |= !self.after_request.push(offset, seen, bytes);
                return Heard::More;
            }
            match &mut self.client {
                Reader::Over => return Heard::More,
                Reader::Lost => match looks_like(bytes) {
                    FirstBytes::Request => self.client = Reader::head(),
                    _ => return Heard::More,
                },
                Reader::Body(body) => {
                    let used = body.push(bytes, &mut |_| {});
                    (offset, bytes) = after(offset, bytes, used);
                    if body.is_done() {
                        self.client = Reader::head();
                    } else if body.is_lost() {
                        self.client = Reader::Lost;
                        return Heard::More;
                    }
                }
                Reader::Head { began: None, .. } if looks_like(bytes) == FirstBytes::Other => {
                    // No request: where an answer waits for one that the capture lacks, these may be frames.
                    return match self.release_early_answer() {
                        Heard::More => self.no_more_requests(),
                        heard => heard.with(Role::Client, offset, bytes, seen),
                    };
                }
                Reader::Head { reader, began } => {
                    let (first, start) = *began.get_or_insert((seen, offset));
                    let (asked, used) = match reader.push(bytes) {
                        HeadProgress::More => return Heard::More,
                        HeadProgress::TooLong => {
                            self.bounded = true;
                            return self.no_more_requests();
                        }
                        HeadProgress::Complete { head, consumed } => match self.heads.request(head, seen) {
                            Some(request) => (Some(Asked::Cached(request)), consumed),
                            None => (RequestHead::parse(head).map(Asked::New), consumed),
                        },
                    };
                    let Some(asked) = asked else { return self.no_more_requests() };
                    (offset, bytes) = after(offset, bytes, used);
                    self.request(asked, first, start, seen);
                    match self.release_early_answer() {
                        Heard::More => {}
                        heard => return heard.with(Role::Client, offset, bytes, seen),
                    }
                }
            }
        }
        Heard::More
    }

    /// Notes a request.
    fn request(&mut self, asked: Asked, first: Seen, offset: u64, seen: Seen) {
        let upgrade = |request| Some(Box::new(Upgrade { request, began: first, offset }));
        let mut pending =
            Pending { method: None, target: None, upgrade: None, http2: false, interim: Vec::new() };
        match asked {
            Asked::Cached(request) => {
                self.client = Reader::head();
                pending.upgrade = upgrade(request);
            }
            Asked::New(head) => {
                let body = head.body();
                pending.target = head.method.eq_ignore_ascii_case("CONNECT").then(|| head.target.clone());
                pending.http2 = head.head.names_h2c();
                if head.shows_websocket_intent() {
                    let request = handshake::request(head, seen);
                    if pending.target.is_none() && !pending.http2 && matches!(body, Body::None) {
                        self.heads.keep_request(&request);
                    }
                    pending.upgrade = upgrade(request);
                } else {
                    pending.method = Some(head.method);
                }
                self.client = Reader::body(body);
            }
        }
        if self.pending.len() >= limits::PENDING_REQUESTS {
            self.bounded = true;
            self.pending.pop_front();
        }
        self.pending.push_back(pending);
    }

    /// The client speaks no HTTP any more.
    fn no_more_requests(&mut self) -> Heard {
        self.client = Reader::Over;
        let waits =
            self.pending.iter().any(|pending| pending.upgrade.is_some()) || self.attempts.is_answered();
        if waits { Heard::More } else { Heard::Nothing }
    }

    fn server_data(&mut self, mut offset: u64, mut bytes: &[u8], seen: Seen) -> Heard {
        while !bytes.is_empty() {
            match &mut self.server {
                Reader::Over => return Heard::More,
                Reader::Body(body) => {
                    let used = body.push(bytes, &mut |part| self.attempts.body(part));
                    (offset, bytes) = after(offset, bytes, used);
                    if body.is_done() {
                        self.server = Reader::head();
                        self.attempts.end_answer();
                    } else if body.is_lost() {
                        self.server = Reader::Lost;
                        self.attempts.end_answer();
                        return Heard::More;
                    }
                }
                Reader::Lost => match looks_like(bytes) {
                    FirstBytes::Response => self.server = Reader::head(),
                    _ => {
                        // What stands here in place of an answer followed on one that the capture lacks.
                        self.answer_lost |= self.pending.front().is_some_and(|asked| asked.upgrade.is_some());
                        if self.answer_lost && websocket::likely_frames(bytes).is_some() {
                            return self.session_without_answer().with(Role::Server, offset, bytes, seen);
                        }
                        return Heard::More;
                    }
                },
                Reader::Head { began: None, .. } if self.pending.is_empty() => {
                    if self.early_answer.push(offset, seen, bytes) {
                        return Heard::More;
                    }
                    // Too much to be an answer that was only captured early.
                    return match self.release_early_answer() {
                        Heard::More => self.server_data(offset, bytes, seen),
                        heard => heard.with(Role::Server, offset, bytes, seen),
                    };
                }
                Reader::Head { reader, began } => {
                    let fresh = began.is_none();
                    let other = fresh && looks_like(bytes) == FirstBytes::Other;
                    if other && self.begun != Begun::Whole && websocket::may_begin_frame(bytes) {
                        self.server = Reader::Lost;
                        continue;
                    }
                    if other {
                        return self.not_http(bytes, seen);
                    }
                    began.get_or_insert((seen, offset));
                    let (answered, used) = match reader.push(bytes) {
                        HeadProgress::More => return Heard::More,
                        HeadProgress::TooLong => return self.not_http(bytes, seen),
                        HeadProgress::Complete { head, consumed } => match self.heads.response(head, seen) {
                            Some(response) => (Ok(Answered::Cached(response)), consumed),
                            None => {
                                let read = ResponseHead::parse(head).map(Answered::New);
                                (read.ok_or_else(|| quote(head)), consumed)
                            }
                        },
                    };
                    (offset, bytes) = after(offset, bytes, used);
                    match answered {
                        Err(quote) => return self.not_http(&quote, seen),
                        Ok(answered) => match self.response(answered, seen) {
                            Heard::More => {}
                            heard => return heard.with(Role::Server, offset, bytes, seen),
                        },
                    }
                }
            }
        }
        Heard::More
    }

    /// Reads what the client sent while the answer to its request was awaited.
    fn resume_client(&mut self) -> Heard {
        if self.after_request.is_empty() || !self.may_go_round() {
            return Heard::More;
        }
        for chunk in self.after_request.take() {
            match self.client_data(chunk.offset, &chunk.bytes, chunk.seen) {
                Heard::More => {}
                heard => return heard,
            }
        }
        Heard::More
    }

    /// Reads server bytes that waited for their request, now that it came or cannot come any more.
    fn release_early_answer(&mut self) -> Heard {
        if self.early_answer.is_empty() || !self.may_go_round() {
            return Heard::More;
        }
        let chunks = self.early_answer.take();
        // With a head begun, the bytes no longer wait for a request.
        if let Reader::Head { began, .. } = &mut self.server
            && let Some(first) = chunks.first()
            && looks_like(&first.bytes) != FirstBytes::Other
        {
            *began = Some((first.seen, first.offset));
        }
        let mut chunks = chunks.into_iter();
        while let Some(chunk) = chunks.next() {
            match self.server_data(chunk.offset, &chunk.bytes, chunk.seen) {
                Heard::More => {}
                heard => {
                    return chunks.fold(heard, |heard, chunk| {
                        heard.with(Role::Server, chunk.offset, &chunk.bytes, chunk.seen)
                    });
                }
            }
        }
        Heard::More
    }

    /// Whether waiting bytes may be read once more; at the bound, the exchange is not followed any further.
    fn may_go_round(&mut self) -> bool {
        self.rounds += 1;
        let may = self.rounds <= limits::WAITING_ROUNDS;
        if !may {
            self.bounded = true;
            self.client = Reader::Over;
            self.server = Reader::Over;
        }
        may
    }
}

/// The input after its first `used` bytes.
fn after(offset: u64, bytes: &[u8], used: usize) -> (u64, &[u8]) {
    (offset + used as u64, &bytes[used..])
}

/// The first bytes of what is no HTTP.
fn quote(bytes: &[u8]) -> Box<[u8]> {
    bytes[..bytes.len().min(limits::QUOTE)].into()
}
