//! One WebSocket in progress: frames of both directions become facts.

use super::anomaly::Anomaly;
use super::chunk::Chunk;
use super::facts::{Close, Connection, FrameFacts, Outcome, Pings, Span};
use super::handshake;
use super::tally::Tally;
use crate::capture::Seen;
use crate::limits;
use crate::role::{Role, Sides};
use crate::websocket::{
    ClosePayload, Decoder, Fault, FrameEvent, FrameHeader, FrameSink, LONGEST_CONTROL, Masking, Messages,
    Opcode, Reading, Transform, Violation,
};
use std::sync::Arc;

/// One WebSocket in progress. What every packet touches comes first.
#[repr(C)]
pub(super) struct Session {
    sides: Sides<Side>,
    /// The last packet of each side with payload.
    spoke: Sides<Option<Seen>>,
    /// The longest time in which neither side sent payload.
    silence: Option<Span>,
    frames: Box<Sides<FrameFacts>>,
    connection: Box<Connection>,
    /// The pings of each side, where it sends some.
    pings: Sides<Option<Box<Sent>>>,
    /// What `spoke` was when the header of a Close was there, of which the payload may come in later packets.
    closing: Sides<Option<Box<Sides<Option<Seen>>>>>,
    /// Where the heads of request and answer begin in their streams.
    heads: Sides<u64>,
}

const _: () = assert!(std::mem::offset_of!(Session, frames) == 7 * 64);

/// One side, all together what a frame of it touches.
#[repr(C)]
struct Side {
    decoder: Decoder,
    tally: Tally,
}

/// The pings of one side.
#[derive(Default)]
struct Sent {
    facts: Box<Pings>,
    last: Option<Seen>,
    /// Those that no Pong has answered yet, oldest first.
    unanswered: Vec<Pinged>,
}

/// A ping that waits for its pong.
struct Pinged {
    payload: Box<[u8]>,
    seen: Seen,
}

impl Session {
    /// After a handshake; `heads` tells where its messages begin in their streams.
    pub(super) fn new(connection: Box<Connection>, heads: Sides<u64>, reading: &Arc<Reading>) -> Session {
        let messages = messages(&connection, reading);
        let side = |from, masking, messages| Side {
            decoder: Decoder::new(masking),
            tally: Tally::new(from, messages),
        };
        Session {
            sides: Sides {
                client: side(Role::Client, Masking::Masked, messages.client),
                server: side(Role::Server, Masking::Unmasked, messages.server),
            },
            spoke: Sides::default(),
            silence: None,
            frames: Box::default(),
            connection,
            pings: Sides::default(),
            closing: Sides::default(),
            heads,
        }
    }

    /// The capture lacks the handshake, or at least its answer: where the next frame of either side begins is not
    /// known.
    pub(super) fn joined(first: Seen, reading: &Arc<Reading>) -> Session {
        Session::midway(Connection::begun(first), reading)
    }

    /// The same, of a connection of which something is known.
    pub(super) fn midway(connection: Box<Connection>, reading: &Arc<Reading>) -> Session {
        let mut session = Session::new(connection, Sides::default(), reading);
        session.sides.client.decoder = Decoder::midway(Masking::Masked, 0);
        session.sides.server.decoder = Decoder::midway(Masking::Unmasked, 0);
        session
    }

    /// The request is there, its answer is not: only where the server's first frame begins is not known.
    pub(super) fn unanswered(connection: Box<Connection>, request: u64, reading: &Arc<Reading>) -> Session {
        let mut session = Session::new(connection, Sides { client: request, server: 0 }, reading);
        session.sides.server.decoder = Decoder::midway(Masking::Unmasked, 0);
        session
    }

    /// The answer came only now, as it does over HTTP/2: what it makes of messages is known, but for those of a side
    /// that did not wait for it.
    pub(super) fn answered(&mut self, reading: &Arc<Reading>) {
        let known = messages(&self.connection, reading);
        for (from, messages) in [(Role::Client, known.client), (Role::Server, known.server)] {
            if self.spoke[from].is_none() {
                self.sides[from].tally.messages = messages;
            }
        }
    }

    /// The facts so far, but for those of frames.
    pub(super) fn facts(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The facts without any frame: what was sent was not taken for a session.
    pub(super) fn without_frames(mut self) -> Box<Connection> {
        self.connection.closes.clear();
        self.connection.anomalies.clear();
        self.connection
    }

    /// Takes the next bytes of one side.
    #[inline]
    pub(super) fn data(&mut self, from: Role, offset: u64, bytes: &[u8], seen: Seen) {
        self.listen(seen);
        let (mut facts, decoder) = self.side(from);
        decoder.push(offset, bytes, seen, &mut facts);
        self.spoke[from] = Some(seen);
    }

    /// Takes a gap in the bytes of one side.
    pub(super) fn gap(&mut self, from: Role, offset: u64, len: u64, seen: Seen) {
        let (mut facts, decoder) = self.side(from);
        decoder.gap(offset, len, seen, &mut facts);
    }

    /// The last packet with payload of either side.
    #[inline]
    pub(super) fn last(&self) -> Option<Seen> {
        let Sides { client, server } = self.spoke;
        client.into_iter().chain(server).max_by_key(|seen| seen.packet)
    }

    /// Notes for how long nobody sent payload before this packet.
    #[inline]
    fn listen(&mut self, seen: Seen) {
        if let Some(before) = self.last() {
            let span = Span { from: before, until: seen };
            if self.silence.is_none_or(|longest| span.nanos() > longest.nanos()) {
                self.silence = Some(span);
            }
        }
    }

    /// The decoder of one side, and where its events go.
    #[inline]
    fn side(&mut self, from: Role) -> (Facts<'_>, &mut Decoder) {
        let own = &mut self.sides[from];
        let facts = Facts {
            from,
            own: &mut own.tally,
            spoke: &self.spoke,
            frames: &mut self.frames,
            connection: &mut self.connection,
            pings: &mut self.pings,
            closing: &mut self.closing,
        };
        (facts, &mut own.decoder)
    }

    /// Takes what the client sent after its request and before the answer, which began in packet `answer`.
    pub(super) fn early_data(&mut self, answer: Seen, chunks: Vec<Chunk>) {
        for chunk in chunks {
            if (chunk.seen.at, chunk.seen.packet) < (answer.at, answer.packet)
                && let Some(request) = &mut self.connection.request
            {
                request.early_data.get_or_insert(chunk.seen);
            }
            self.data(Role::Client, chunk.offset, &chunk.bytes, chunk.seen);
        }
    }

    /// Whether another copy of some bytes differs from the head that is still kept.
    pub(super) fn differs(&self, from: Role, offset: u64, bytes: &[u8]) -> bool {
        let head = match from {
            Role::Client => self.connection.request.as_ref().map(|request| request.head.head.raw()),
            Role::Server => self.connection.response.as_ref().map(|response| response.head.head.raw()),
        };
        head.is_some_and(|head| handshake::differs(self.heads[from], head, offset, bytes))
    }

    /// The capture lacks something that this side sent around the handshake, and maybe more.
    pub(super) fn lacks(&mut self, from: Role) {
        let side = &mut self.sides[from];
        side.decoder.forget_message();
        side.tally.messages.lose();
    }

    /// All facts; `None` where the capture has no handshake and no frame could be read.
    pub(super) fn finish(mut self) -> Option<Box<Connection>> {
        for from in Role::BOTH {
            let seen = self.spoke[from].unwrap_or(self.connection.last);
            let (mut facts, decoder) = self.side(from);
            decoder.end(seen, &mut facts);
            self.sides[from].tally.hand_over(&mut self.frames[from]);
            self.frames[from].last = self.spoke[from];
            if let Some(sent) = self.pings[from].take() {
                let Sent { facts: mut pings, unanswered, .. } = *sent;
                pings.unanswered = unanswered.first().map(|ping| ping.seen);
                pings.unanswered_count = unanswered.len() as u64;
                self.frames[from].pings = Some(pings);
            }
        }
        let read = self.asks_for_messages();
        for from in Role::BOTH {
            let (messages, frames) = (&mut self.sides[from].tally.messages, &mut self.frames[from]);
            if read {
                let connection = &mut self.connection;
                messages.read(&mut |fault| tell(connection, from, fault));
            }
            frames.inflated = messages.inflated().map(Box::new);
            if let Some((entries, left_out)) = messages.listed() {
                let listed = self.connection.messages.get_or_insert_default();
                listed.entries.extend(entries.map(|entry| (from, entry)));
                listed.left_out = listed.left_out.saturating_add(left_out);
            }
        }
        if let Some(listed) = &mut self.connection.messages {
            listed.entries.sort_by_key(|(_, entry)| (entry.seen.at, entry.seen.packet));
        }
        let any = Role::BOTH.iter().any(|&from| self.frames[from].total() > 0);
        let Session { mut connection, frames, silence, .. } = self;
        connection.silence = silence;
        if !any && connection.request.is_none() && connection.response.is_none() {
            return None;
        }
        if any || matches!(connection.outcome, Outcome::Established | Outcome::Invalid) {
            connection.frames = Some(frames);
        }
        connection.anomalies.sort_by_key(|anomaly| (anomaly.seen.at, anomaly.seen.packet));
        Some(connection)
    }

    /// Whether somebody must know what was in the compressed messages: a side says that the other's were wrong, or fell
    /// silent without a Close.
    fn asks_for_messages(&self) -> bool {
        let closes = &self.connection.closes;
        closes.iter().any(|close| matches!(close.code, Some(1002 | 1003 | 1006 | 1007 | 1009 | 1011)))
            || Role::BOTH.iter().any(|&from| closes.iter().all(|close| close.from != from))
    }
}

/// What reads the messages of both sides, as far as the answer tells what they are.
fn messages(connection: &Connection, reading: &Arc<Reading>) -> Sides<Messages> {
    let answer = connection.response.as_ref().filter(|_| connection.quality.unknown_fields.server == 0);
    let of = |no_takeover, max_window_bits| {
        let agreed = |extensions| Transform::agreed(extensions, no_takeover, max_window_bits);
        let transform = answer.map_or(Transform::Unknown, |answer| agreed(&answer.extensions));
        Messages::new(transform, reading)
    };
    Sides {
        client: of("client_no_context_takeover", "client_max_window_bits"),
        server: of("server_no_context_takeover", "server_max_window_bits"),
    }
}

/// Notes what is wrong with a message.
#[cold]
#[inline(never)]
fn tell(connection: &mut Box<Connection>, from: Role, fault: Fault) {
    let Fault { kind, offset, seen } = fault;
    note(&mut connection.anomalies, Anomaly { kind, from, seen, offset, quote: Box::default(), count: 1 });
}

/// Notes something odd: each kind once a side, with a count.
fn note(anomalies: &mut Vec<Anomaly>, new: Anomaly) {
    let kind = std::mem::discriminant(&new.kind);
    let same =
        |anomaly: &&mut Anomaly| anomaly.from == new.from && std::mem::discriminant(&anomaly.kind) == kind;
    match anomalies.iter_mut().find(same) {
        Some(anomaly) => anomaly.count += 1,
        None => anomalies.push(new),
    }
}

/// Where the events of one side go. What few packets touch is behind two pointers, for even the line of memory that holds a
/// pointer takes its time.
struct Facts<'a> {
    from: Role,
    own: &'a mut Tally,
    spoke: &'a Sides<Option<Seen>>,
    frames: &'a mut Box<Sides<FrameFacts>>,
    connection: &'a mut Box<Connection>,
    pings: &'a mut Sides<Option<Box<Sent>>>,
    closing: &'a mut Sides<Option<Box<Sides<Option<Seen>>>>>,
}

impl FrameSink for Facts<'_> {
    #[inline(always)]
    fn data_frame(&mut self, header: &FrameHeader, offset: u64, payload: &[u8], _: Seen, seen: Seen) {
        self.own.count(header, seen, self.frames);
        self.own.begin(header, seen, self.frames);
        self.own.listen(header, 0, payload, self.frames);
        let (from, connection) = (self.from, &mut *self.connection);
        let tell = &mut |fault| tell(connection, from, fault);
        self.own.messages.frame(header, payload, offset, seen, tell);
        self.own.sum(header, header.len, self.frames);
    }

    // Each kind of event comes from its own place in the decoder, which has nothing left to decide.
    #[inline(always)]
    fn frame(&mut self, event: FrameEvent<'_>) {
        match event {
            FrameEvent::Header { header, complete_in, .. } => {
                self.own.count(header, complete_in, self.frames);
                if !header.opcode.is_control() {
                    self.own.begin(header, complete_in, self.frames);
                    self.own.messages.begin(header, complete_in);
                } else if header.opcode == Opcode::Close {
                    self.closing();
                }
            }
            FrameEvent::Payload { header, offset, phase, bytes, seen } => {
                self.own.listen(header, phase, bytes, self.frames);
                if let Some(kind) = self.own.messages.payload(header, phase, bytes) {
                    tell(self.connection, self.from, Fault { kind, offset, seen });
                }
            }
            FrameEvent::End { header, offset, present, seen } => {
                let (from, connection) = (self.from, &mut *self.connection);
                let tell = &mut |fault| tell(connection, from, fault);
                self.own.messages.end(header, present, offset, seen, tell);
                self.own.sum(header, present, self.frames);
            }
            FrameEvent::Control { header, payload, whole, seen, .. } => {
                self.control(header, payload, whole, seen);
            }
            FrameEvent::Violation { kind, offset, seen, quote } => self.violation(kind, offset, seen, quote),
        }
    }
}

impl Facts<'_> {
    #[inline(never)]
    fn control(&mut self, header: &FrameHeader, payload: &[u8], whole: bool, seen: Seen) {
        self.own.add(if whole { header.len } else { payload.len() as u64 });
        match header.opcode {
            Opcode::Close => self.close(header, payload, seen),
            // RFC 6455 §5.5: one that is cut in pieces or too long is a fault, and nobody owes a Pong for it.
            Opcode::Ping if header.fin && header.len <= LONGEST_CONTROL as u64 => self.ping(payload, seen),
            Opcode::Pong => self.pong(payload, seen),
            _ => {}
        }
    }

    #[cold]
    fn closing(&mut self) {
        self.closing[self.from] = Some(Box::new(*self.spoke));
    }

    fn close(&mut self, header: &FrameHeader, payload: &[u8], seen: Seen) {
        let from = self.from;
        if self.connection.closes.iter().filter(|close| close.from == from).count() >= limits::CLOSES {
            self.connection.quality.bounded = true;
            return;
        }
        debug_assert!(payload.len() <= LONGEST_CONTROL);
        let parsed = ClosePayload::parse(payload);
        let after = self.closing[from].take().map_or(*self.spoke, |before| *before);
        // Nearly always there are two in the end.
        self.connection.closes.reserve_exact(2_usize.saturating_sub(self.connection.closes.len()));
        self.connection.closes.push(Close {
            from,
            seen,
            code: parsed.code,
            reason: parsed.reason.into(),
            odd: if parsed.flaw.is_some() { payload.into() } else { Box::default() },
            len: header.len,
            after,
        });
    }

    fn ping(&mut self, payload: &[u8], seen: Seen) {
        let Sent { facts, last, unanswered } = &mut **self.pings[self.from].get_or_insert_default();
        if let Some(before) = last.replace(seen) {
            let nanos = seen.at.nanos_since(before.at).max(0);
            let (shortest, longest) = facts.interval.unwrap_or((nanos, nanos));
            facts.interval = Some((shortest.min(nanos), longest.max(nanos)));
        }
        if unanswered.len() >= limits::PINGS {
            unanswered.remove(0);
        }
        unanswered.push(Pinged { payload: payload.into(), seen });
    }

    /// A pong answers the ping with its payload, and with it those before, of which only the last need be answered
    /// (RFC 6455 §5.5.3). Any other pong answers nothing.
    fn pong(&mut self, payload: &[u8], seen: Seen) {
        let Some(pings) = &mut self.pings[self.from.other()] else { return };
        let Sent { facts, unanswered: pinged, .. } = &mut **pings;
        let Some(at) = pinged.iter().position(|ping| *ping.payload == *payload) else { return };
        let answer = Span { from: pinged[at].seen, until: seen };
        facts.answered += at as u64 + 1;
        if facts.slowest_answer.is_none_or(|slowest| slowest.nanos() < answer.nanos()) {
            facts.slowest_answer = Some(answer);
        }
        pinged.drain(..=at);
    }

    #[cold]
    fn violation(&mut self, kind: Violation, offset: u64, seen: Seen, quote: &[u8]) {
        if matches!(
            kind,
            Violation::FramingLost
                | Violation::HttpInStream
                | Violation::TextInStream
                | Violation::LengthTopBit
                | Violation::Resynchronised { .. }
        ) {
            self.own.messages.give_up();
        }
        let (from, quote) = (self.from, quote.into());
        note(&mut self.connection.anomalies, Anomaly { kind, from, seen, offset, quote, count: 1 });
    }
}
