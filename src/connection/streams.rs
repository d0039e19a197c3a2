//! The WebSockets among the streams of an HTTP/2 connection (RFC 8441). Other streams leave no trace here.
//!
//! A stream ends with END_STREAM of both sides, with RST_STREAM of one, with a GOAWAY that excludes it or that names an
//! error of the connection, or with the connection.

mod stream;

pub(super) use stream::{Answer, Finished};

use super::carrier::{Carrier, ConnectProtocol, Http2};
use super::ending::Transport;
use super::facts::Connection;
use super::handshake;
use super::session::Session;
use crate::capture::Seen;
use crate::http::h2::{Asks, ErrorCode, Fields, Hpack, Pseudo, enables_connect};
use crate::limits;
use crate::role::{Role, Sides};
use crate::websocket::{Reading, likely_frames};
use std::collections::BTreeMap;
use std::sync::Arc;
use stream::{Phase, Stream, masking};

/// How a connection came to be HTTP/2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Opening {
    /// With the client's preface (RFC 9113 §3.3).
    Preface,
    /// By an upgrade from HTTP/1.1, whose request is stream 1 (RFC 7540 §3.2).
    Upgrade,
    /// Before the capture did.
    Midway,
}

/// The streams of one HTTP/2 connection that are WebSockets, or may become one.
pub(super) struct Streams {
    open: BTreeMap<u32, Box<Stream>>,
    /// Streams that are over before the server was heard: whether it can be heard at all is known later.
    over: Vec<Stream>,
    finished: Vec<Finished>,
    fields: Fields,
    /// The highest stream that the client opened.
    highest: u32,
    /// What the server's SETTINGS said last, and where.
    announced: Option<(bool, Seen)>,
    /// Whether SETTINGS of the server may be missing.
    unsettled: bool,
    heard: Sides<bool>,
    lost: Sides<bool>,
    midway: bool,
    probes: u32,
    tunnel: Option<String>,
    bounded: bool,
    reading: Arc<Reading>,
}

impl Streams {
    pub(super) fn new(begun: Opening, tunnel: Option<String>, reading: Arc<Reading>) -> Streams {
        Streams {
            open: BTreeMap::new(),
            over: Vec::new(),
            finished: Vec::new(),
            fields: Fields::default(),
            highest: u32::from(begun == Opening::Upgrade),
            announced: None,
            unsettled: begun == Opening::Midway,
            heard: Sides::default(),
            lost: Sides::default(),
            midway: begun == Opening::Midway,
            probes: 0,
            tunnel,
            bounded: false,
            reading,
        }
    }

    /// A header block of the client.
    pub(super) fn request(
        &mut self,
        stream: u32,
        block: Option<&[u8]>,
        hpack: &mut Hpack,
        first: Seen,
        seen: Seen,
    ) {
        self.highest = self.highest.max(stream);
        if !self.read(block, hpack) || self.open.contains_key(&stream) {
            return;
        }
        let sure = match self.fields.asks() {
            Asks::WebSocket | Asks::Upgrade => true,
            Asks::Unknown => false,
            Asks::Other => return,
        };
        let Some(head) = self.fields.request() else { return };
        let text = |pseudo| {
            let value = self.fields.pseudo(pseudo);
            value.map(|value| String::from_utf8_lossy(value).into_owned())
        };
        let mut facts = Http2 {
            connect_protocol: match self.announced {
                Some((true, _)) => ConnectProtocol::Announced,
                Some((false, seen)) if !self.unsettled => ConnectProtocol::Absent(seen),
                _ => ConnectProtocol::Unknown,
            },
            protocol: text(Pseudo::Protocol),
            scheme: text(Pseudo::Scheme),
            ..Http2::new(stream)
        };
        let unknown = self.fields.unknown();
        if facts.is_extended_connect() && unknown == 0 {
            facts.lacks = [Pseudo::Scheme, Pseudo::Authority, Pseudo::Path]
                .into_iter()
                .filter(|&pseudo| self.fields.pseudo(pseudo).is_none())
                .collect();
        }
        let extended = facts.is_extended_connect();
        let mut connection = Connection::begun(first);
        connection.request = Some(handshake::request(head, seen));
        connection.quality.unknown_fields.client = unknown;
        connection.quality.bounded = self.fields.is_cut();
        let reading = Arc::clone(&self.reading);
        self.begin(facts, connection, |connection| Stream {
            sure,
            extended,
            ..Stream::new(Session::new(connection, Sides::default(), &reading), seen)
        });
    }

    /// A header block of the server. Gives it back where its request was not seen yet and `may_wait` allows it.
    pub(super) fn answer(
        &mut self,
        stream: u32,
        block: Option<&[u8]>,
        hpack: &mut Hpack,
        first: Seen,
        seen: Seen,
        may_wait: bool,
    ) -> Option<Answer> {
        let early =
            may_wait && stream % 2 == 1 && !self.has_seen(stream) && !self.midway && !self.lost.client;
        if !early && !self.open.contains_key(&stream) {
            Streams::pass(block, hpack);
            return None;
        }
        let read = self.read(block, hpack);
        let head = if read { self.fields.response() } else { None };
        let unknown = if read { self.fields.unknown() } else { 1 };
        let answer = Answer { head, unknown, first, seen };
        if early {
            return Some(answer);
        }
        self.answered(stream, answer);
        None
    }

    /// Takes the answer of a stream.
    pub(super) fn answered(&mut self, stream: u32, answer: Answer) {
        let Some(stream) = self.open.get_mut(&stream) else { return };
        stream.last = answer.seen;
        if stream.phase == Phase::Asked {
            stream.answer(answer, &self.reading);
        }
    }

    /// Decodes a header block that says nothing to us, for what it does to the table.
    pub(super) fn pass(block: Option<&[u8]>, hpack: &mut Hpack) {
        match block {
            // What cannot be decoded makes it forget by itself.
            Some(block) => drop(hpack.decode(block, &mut |_, _| {})),
            None => hpack.forget(),
        }
    }

    /// DATA of a stream.
    #[inline]
    pub(super) fn data(&mut self, from: Role, stream: u32, bytes: &[u8], seen: Seen) {
        if let Some(open) = self.open.get_mut(&stream) {
            open.data(from, bytes, seen);
        } else if self.midway && self.probes < limits::PROBES {
            self.probe(from, stream, bytes, seen);
        }
    }

    /// Bytes of the DATA of a stream are missing.
    pub(super) fn gap(&mut self, from: Role, stream: u32, len: u64, seen: Seen) {
        if let Some(stream) = self.open.get_mut(&stream) {
            stream.gap(from, len, seen);
        }
    }

    /// END_STREAM.
    pub(super) fn end(&mut self, from: Role, stream: u32, seen: Seen) {
        let Some(open) = self.open.get_mut(&stream) else { return };
        open.ended.get_or_insert((from, Transport::Fin, seen));
        open.over[from] = true;
        open.last = seen;
        if let Some(facts) = open.session.facts().carrier.http2_mut() {
            facts.end_stream.get_or_insert((from, seen));
        }
        let refused = open.phase == Phase::Refused && open.over.server;
        if refused || (open.over.client && open.over.server) {
            self.close(stream);
        }
    }

    /// RST_STREAM.
    pub(super) fn reset(&mut self, from: Role, stream: u32, error: ErrorCode, seen: Seen) {
        let Some(open) = self.open.get_mut(&stream) else { return };
        open.last = seen;
        // After a GOAWAY that ended it, it says nothing new.
        let over = matches!(open.ended, Some((_, Transport::StreamReset, _)));
        open.ended.get_or_insert((from, Transport::StreamReset, seen));
        if let Some(facts) = open.session.facts().carrier.http2_mut().filter(|_| !over) {
            facts.reset = Some((from, error, seen));
        }
        self.close(stream);
    }

    /// GOAWAY: streams above `last` were not and will not be processed (RFC 9113 §6.8), and an error is one of the whole
    /// connection, which its sender then closes (RFC 9113 §5.4.1).
    pub(super) fn go_away(&mut self, from: Role, last: u32, error: ErrorCode, seen: Seen) {
        let mut excluded = Vec::new();
        for (&number, stream) in &mut self.open {
            if let Some(facts) = stream.session.facts().carrier.http2_mut() {
                facts.goaway.get_or_insert((from, error, seen));
            }
            let is_excluded = from == Role::Server && number > last;
            if is_excluded || error != ErrorCode::NO_ERROR {
                stream.ended.get_or_insert((from, Transport::StreamReset, seen));
                stream.last = seen;
            }
            if is_excluded {
                excluded.push(number);
            }
        }
        for number in excluded {
            self.close(number);
        }
    }

    /// SETTINGS of the server.
    pub(super) fn settings(&mut self, settings: &[u8], seen: Seen) {
        let enabled = match (enables_connect(settings), self.announced) {
            (Some(enabled), _) => enabled,
            (None, Some(_)) => return,
            (None, None) => false,
        };
        self.announced = Some((enabled, seen));
        if self.unsettled {
            return;
        }
        for stream in self.open.values_mut().filter(|stream| stream.phase == Phase::Asked) {
            let Some(facts) = stream.session.facts().carrier.http2_mut() else { continue };
            facts.connect_protocol = match facts.connect_protocol {
                ConnectProtocol::Unknown | ConnectProtocol::Absent(_) if enabled => {
                    ConnectProtocol::Late(seen)
                }
                ConnectProtocol::Unknown => ConnectProtocol::Absent(seen),
                known => known,
            };
        }
    }

    /// Bytes of one side are missing: SETTINGS may have been among them.
    pub(super) fn unsettled(&mut self, from: Role) {
        self.unsettled |= from == Role::Server;
    }

    /// Frames of one side can no longer be told apart.
    pub(super) fn lose(&mut self, from: Role, seen: Seen) {
        if std::mem::replace(&mut self.lost[from], true) {
            return;
        }
        self.unsettled(from);
        for stream in self.open.values_mut() {
            // Whatever its frame in progress was, the rest of it cannot be read.
            stream.gap(from, limits::FRAME_PAYLOAD, seen);
        }
    }

    /// One side sent something.
    #[inline]
    pub(super) fn heard(&mut self, from: Role) {
        if !std::mem::replace(&mut self.heard[from], true) && from == Role::Server {
            self.settle();
        }
    }

    /// Whether the client opened this stream or a later one.
    pub(super) fn has_seen(&self, stream: u32) -> bool {
        stream <= self.highest
    }

    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty() && self.over.is_empty()
    }

    pub(super) fn is_bounded(&self) -> bool {
        self.bounded
    }

    pub(super) fn has_finished(&self) -> bool {
        !self.finished.is_empty()
    }

    pub(super) fn take_finished(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.finished)
    }

    /// Finishes every stream. `answers_unseen`: the capture has no packet of the server.
    pub(super) fn finish(&mut self, answers_unseen: bool) {
        self.lost.server |= answers_unseen;
        self.heard.server = true;
        self.settle();
        while let Some((number, _)) = self.open.first_key_value() {
            self.close(*number);
        }
    }

    /// Reads a header block into `fields`.
    fn read(&mut self, block: Option<&[u8]>, hpack: &mut Hpack) -> bool {
        match block {
            Some(block) => self.fields.read(hpack, block).is_ok(),
            None => {
                hpack.forget();
                self.bounded = true;
                false
            }
        }
    }

    fn begin(
        &mut self,
        facts: Http2,
        mut connection: Box<Connection>,
        stream: impl FnOnce(Box<Connection>) -> Stream,
    ) {
        if self.open.len() >= limits::STREAMS {
            self.bounded = true;
            return;
        }
        let number = facts.stream;
        connection.tunnel.clone_from(&self.tunnel);
        connection.carrier = Carrier::Http2(Box::new(facts));
        self.open.insert(number, Box::new(stream(connection)));
    }

    /// DATA of a stream that was opened before the capture began: a WebSocket is known by its frames.
    fn probe(&mut self, from: Role, stream: u32, bytes: &[u8], seen: Seen) {
        self.probes += 1;
        if likely_frames(bytes) != Some(masking(from)) {
            return;
        }
        let reading = Arc::clone(&self.reading);
        self.begin(Http2::new(stream), Connection::begun(seen), |connection| Stream {
            phase: Phase::Open,
            ..Stream::new(Session::midway(connection, &reading), seen)
        });
        if let Some(open) = self.open.get_mut(&stream) {
            open.data(from, bytes, seen);
        }
    }

    /// The stream is over.
    fn close(&mut self, number: u32) {
        let Some(stream) = self.open.remove(&number).filter(|stream| stream.sure) else { return };
        if self.heard.server {
            self.finished.extend(stream.finish(self.lost.server || self.midway));
        } else if self.over.len() < limits::STREAMS {
            self.over.push(*stream);
        } else {
            self.finished.extend(stream.finish(true));
        }
    }

    /// Finishes the streams that waited for a word of the server.
    fn settle(&mut self) {
        let lost = self.lost.server || self.midway;
        self.finished
            .extend(std::mem::take(&mut self.over).into_iter().filter_map(|stream| stream.finish(lost)));
    }
}
