//! One WebSocket in progress: frames of both directions become facts.

use super::anomaly::Anomaly;
use super::chunk::Chunk;
use super::facts::{Close, Connection, FrameFacts, Glimpse, LARGE, Outcome, Pings, Span};
use super::handshake;
use crate::capture::Seen;
use crate::limits;
use crate::role::{Role, Sides};
use crate::websocket::{
    ClosePayload, Decoder, Fault, FrameEvent, FrameHeader, FrameSink, LONGEST_CONTROL, Masking, Messages,
    Opcode, Reading, Transform, Violation,
};
use std::sync::Arc;

/// See the module.
pub(super) struct Session {
    connection: Connection,
    decoders: Sides<Decoder>,
    frames: Sides<FrameFacts>,
    messages: Sides<Messages>,
    /// Payload bytes of the message in progress.
    message: Sides<u64>,
    /// Where the heads of request and answer begin in their streams.
    heads: Sides<u64>,
    /// Pings of each side that no Pong has answered yet, oldest first.
    pinged: Sides<Vec<Pinged>>,
    /// The last packet with payload of either side.
    spoke: Option<Seen>,
    last_ping: Sides<Option<Seen>>,
    last_mask: Sides<Option<[u8; 4]>>,
}

/// A ping that waits for its pong.
struct Pinged {
    payload: Box<[u8]>,
    seen: Seen,
}

impl Session {
    /// After a handshake; `heads` tells where its messages begin in their streams.
    pub(super) fn new(connection: Connection, heads: Sides<u64>, reading: &Arc<Reading>) -> Session {
        Session {
            messages: messages(&connection, reading),
            connection,
            decoders: Sides {
                client: Decoder::new(Masking::Masked),
                server: Decoder::new(Masking::Unmasked),
            },
            frames: Sides::default(),
            message: Sides::default(),
            heads,
            pinged: Sides::default(),
            spoke: None,
            last_ping: Sides::default(),
            last_mask: Sides::default(),
        }
    }

    /// The capture lacks the handshake, or at least its answer: where the next frame of either side begins is not
    /// known.
    pub(super) fn joined(first: Seen, reading: &Arc<Reading>) -> Session {
        Session::midway(Connection::begun(first), reading)
    }

    /// The same, of a connection of which something is known.
    pub(super) fn midway(connection: Connection, reading: &Arc<Reading>) -> Session {
        let decoders = Sides {
            client: Decoder::midway(Masking::Masked, 0),
            server: Decoder::midway(Masking::Unmasked, 0),
        };
        Session { decoders, ..Session::new(connection, Sides::default(), reading) }
    }

    /// The request is there, its answer is not: only where the server's first frame begins is not known.
    pub(super) fn unanswered(connection: Connection, request: u64, reading: &Arc<Reading>) -> Session {
        let mut session = Session::new(connection, Sides { client: request, server: 0 }, reading);
        session.decoders.server = Decoder::midway(Masking::Unmasked, 0);
        session
    }

    /// The answer came only now, as it does over HTTP/2: what it makes of messages is known, but for those of a side
    /// that did not wait for it.
    pub(super) fn answered(&mut self, reading: &Arc<Reading>) {
        let known = messages(&self.connection, reading);
        for (messages, (old, frames)) in [
            (known.client, (&mut self.messages.client, &self.frames.client)),
            (known.server, (&mut self.messages.server, &self.frames.server)),
        ] {
            if frames.last.is_none() {
                *old = messages;
            }
        }
    }

    /// The facts so far, but for those of frames.
    pub(super) fn facts(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The facts without any frame: what was sent was not taken for a session.
    pub(super) fn without_frames(self) -> Connection {
        Connection { closes: Vec::new(), anomalies: Vec::new(), silence: None, ..self.connection }
    }

    /// Takes the next bytes of one side.
    #[inline]
    pub(super) fn data(&mut self, from: Role, offset: u64, bytes: &[u8], seen: Seen) {
        self.spoke(seen);
        let closes = self.connection.closes.len();
        let (mut facts, decoder) = self.side(from);
        decoder.push(offset, bytes, seen, &mut facts);
        if self.connection.closes.len() > closes {
            let after = Sides { client: self.frames.client.last, server: self.frames.server.last };
            for close in self.connection.closes.iter_mut().skip(closes) {
                close.after = after;
            }
        }
        self.frames[from].last = Some(seen);
    }

    /// Takes a gap in the bytes of one side.
    pub(super) fn gap(&mut self, from: Role, offset: u64, len: u64, seen: Seen) {
        let (mut facts, decoder) = self.side(from);
        decoder.gap(offset, len, seen, &mut facts);
    }

    /// Notes that somebody sent payload, and how long nobody did.
    #[inline]
    fn spoke(&mut self, seen: Seen) {
        if let Some(before) = self.spoke {
            let span = Span { from: before, until: seen };
            if self.connection.silence.is_none_or(|longest| span.nanos() > longest.nanos()) {
                self.connection.silence = Some(span);
            }
        }
        self.spoke = Some(seen);
    }

    /// The decoder of one side, and where its events go.
    #[inline]
    fn side(&mut self, from: Role) -> (Facts<'_>, &mut Decoder) {
        let pinged = &mut self.pinged;
        let frames = &mut self.frames;
        let (own, other) = match from {
            Role::Client => (&mut frames.client, &mut frames.server),
            Role::Server => (&mut frames.server, &mut frames.client),
        };
        let (asked, asks) = match from {
            Role::Client => (&mut pinged.server, &mut pinged.client),
            Role::Server => (&mut pinged.client, &mut pinged.server),
        };
        let facts = Facts {
            from,
            connection: &mut self.connection,
            frames: own,
            messages: &mut self.messages[from],
            message: &mut self.message[from],
            asks,
            asked,
            peer_pings: &mut other.pings,
            last_ping: &mut self.last_ping[from],
            last_mask: &mut self.last_mask[from],
        };
        (facts, &mut self.decoders[from])
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

    /// All facts; `None` where the capture has no handshake and no frame could be read.
    pub(super) fn finish(mut self) -> Option<Connection> {
        for from in Role::BOTH {
            let seen = self.frames[from].last.unwrap_or(self.connection.last);
            let (mut facts, decoder) = self.side(from);
            decoder.end(seen, &mut facts);
            let pings = &mut self.frames[from].pings;
            pings.unanswered = self.pinged[from].first().map(|ping| ping.seen);
            pings.unanswered_count = self.pinged[from].len() as u64;
        }
        let read = self.asks_for_messages();
        for from in Role::BOTH {
            if read {
                let anomalies = &mut self.connection.anomalies;
                self.messages[from].read(&mut |fault| tell(anomalies, from, fault));
            }
            self.frames[from].inflated = self.messages[from].inflated();
        }
        let any = Role::BOTH.iter().any(|&from| self.frames[from].total() > 0);
        let mut connection = self.connection;
        if !any && connection.request.is_none() && connection.response.is_none() {
            return None;
        }
        if any || matches!(connection.outcome, Outcome::Established | Outcome::Invalid) {
            connection.frames = Some(self.frames);
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
    let of = |no_takeover| {
        let answer = connection.response.as_ref().filter(|_| connection.quality.unknown_fields.server == 0);
        let transform =
            answer.map_or(Transform::Unknown, |answer| Transform::agreed(&answer.extensions, no_takeover));
        Messages::new(transform, reading)
    };
    Sides { client: of("client_no_context_takeover"), server: of("server_no_context_takeover") }
}

/// Notes what is wrong with a message.
#[cold]
fn tell(anomalies: &mut Vec<Anomaly>, from: Role, fault: Fault) {
    let Fault { kind, offset, seen } = fault;
    note(anomalies, Anomaly { kind, from, seen, offset, quote: Box::default(), count: 1 });
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

/// Where the events of one side go.
struct Facts<'a> {
    from: Role,
    connection: &'a mut Connection,
    frames: &'a mut FrameFacts,
    messages: &'a mut Messages,
    message: &'a mut u64,
    /// Pings of this side, and of the other, that wait for their pong.
    asks: &'a mut Vec<Pinged>,
    asked: &'a mut Vec<Pinged>,
    peer_pings: &'a mut Pings,
    last_ping: &'a mut Option<Seen>,
    last_mask: &'a mut Option<[u8; 4]>,
}

impl FrameSink for Facts<'_> {
    #[inline]
    fn frame(&mut self, event: FrameEvent<'_>) {
        match event {
            FrameEvent::Header { header, complete_in, .. } => self.header(header, complete_in),
            FrameEvent::Payload { header, offset, phase, bytes, seen } => {
                if let Some(kind) = self.messages.payload(header, phase, bytes) {
                    tell(&mut self.connection.anomalies, self.from, Fault { kind, offset, seen });
                }
            }
            FrameEvent::End { header, offset, present, seen } => self.end(header, offset, present, seen),
            FrameEvent::Control { header, payload, whole, seen, .. } => {
                self.frames.payload_bytes += if whole { header.len } else { payload.len() as u64 };
                match header.opcode {
                    Opcode::Close => self.close(header, payload, seen),
                    Opcode::Ping => self.ping(payload, seen),
                    Opcode::Pong => self.pong(payload, seen),
                    _ => {}
                }
            }
            FrameEvent::Violation { kind, offset, seen, quote } => self.violation(kind, offset, seen, quote),
        }
    }
}

impl Facts<'_> {
    #[inline]
    fn header(&mut self, header: &FrameHeader, seen: Seen) {
        let frames = &mut *self.frames;
        frames.first.get_or_insert(seen);
        let count = match header.opcode {
            Opcode::Text => &mut frames.text,
            Opcode::Binary => &mut frames.binary,
            Opcode::Continuation => &mut frames.continuation,
            Opcode::Ping => &mut frames.ping,
            Opcode::Pong => &mut frames.pong,
            Opcode::Close => &mut frames.close,
            Opcode::Reserved(_) => &mut frames.reserved,
        };
        *count += 1;
        if let Some(mask) = header.mask {
            frames.mask_repeats += u64::from(*self.last_mask == Some(mask));
            frames.mask_zero += u64::from(mask == [0; 4]);
            *self.last_mask = Some(mask);
        }
        if frames.opening.len() < limits::GLIMPSES {
            let FrameHeader { opcode, fin, len, mask, .. } = *header;
            frames.opening.push(Glimpse { opcode, fin, compressed: header.rsv1(), len, mask });
        }
        if !header.opcode.is_control() {
            self.messages.begin(header);
            frames.longest_frame = frames.longest_frame.max(header.len);
            if header.rsv1() {
                frames.compressed += 1;
                frames.first_compressed.get_or_insert(seen);
            }
        }
    }

    #[inline]
    fn end(&mut self, header: &FrameHeader, offset: u64, present: u64, seen: Seen) {
        let (from, anomalies) = (self.from, &mut self.connection.anomalies);
        self.messages
            .end(header, present == header.len, offset, seen, &mut |fault| tell(anomalies, from, fault));
        self.frames.payload_bytes += present;
        *self.message = self.message.saturating_add(present);
        if header.fin && !matches!(header.opcode, Opcode::Reserved(_)) {
            self.frames.messages += 1;
            self.frames.large += u64::from(*self.message >= LARGE);
            self.frames.longest_message = self.frames.longest_message.max(*self.message);
        }
        if header.fin {
            *self.message = 0;
        }
    }

    fn close(&mut self, header: &FrameHeader, payload: &[u8], seen: Seen) {
        let from = self.from;
        if self.connection.closes.iter().filter(|close| close.from == from).count() >= limits::CLOSES {
            self.connection.quality.bounded = true;
            return;
        }
        debug_assert!(payload.len() <= LONGEST_CONTROL);
        let parsed = ClosePayload::parse(payload);
        self.connection.closes.push(Close {
            from,
            seen,
            code: parsed.code,
            reason: parsed.reason.into_owned(),
            payload: payload.into(),
            len: header.len,
            after: Sides::default(),
        });
    }

    fn ping(&mut self, payload: &[u8], seen: Seen) {
        if let Some(before) = self.last_ping.replace(seen) {
            let nanos = seen.at.nanos_since(before.at).max(0);
            let (shortest, longest) = self.frames.pings.interval.unwrap_or((nanos, nanos));
            self.frames.pings.interval = Some((shortest.min(nanos), longest.max(nanos)));
        }
        if self.asks.len() >= limits::PINGS {
            self.asks.remove(0);
        }
        self.asks.push(Pinged { payload: payload.into(), seen });
    }

    /// A pong answers the ping with its payload, and with it those before, of which only the last need be answered
    /// (RFC 6455 §5.5.3). Any other pong answers nothing.
    fn pong(&mut self, payload: &[u8], seen: Seen) {
        let Some(at) = self.asked.iter().position(|ping| *ping.payload == *payload) else { return };
        let nanos = seen.at.nanos_since(self.asked[at].seen.at).max(0);
        self.peer_pings.answered += at as u64 + 1;
        self.peer_pings.slowest_answer = self.peer_pings.slowest_answer.max(Some(nanos));
        self.asked.drain(..=at);
    }

    #[cold]
    fn violation(&mut self, kind: Violation, offset: u64, seen: Seen, quote: &[u8]) {
        if matches!(
            kind,
            Violation::FramingLost
                | Violation::HttpInStream
                | Violation::LengthTopBit
                | Violation::Resynchronised { .. }
        ) {
            self.messages.give_up();
        }
        let (from, quote) = (self.from, quote.into());
        note(&mut self.connection.anomalies, Anomaly { kind, from, seen, offset, quote, count: 1 });
    }
}
