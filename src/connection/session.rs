//! One WebSocket in progress: frames of both directions become facts.

use super::anomaly::Anomaly;
use super::chunk::Chunk;
use super::facts::{Close, Connection, FrameFacts, Glimpse, LARGE, Outcome, Pings, Span};
use super::handshake;
use crate::capture::Seen;
use crate::limits;
use crate::role::{Role, Sides};
use crate::websocket::{
    ClosePayload, Decoder, FrameEvent, FrameHeader, FrameSink, LONGEST_CONTROL, Masking, Opcode, Violation,
};

/// See the module.
pub(super) struct Session {
    connection: Connection,
    decoders: Sides<Decoder>,
    frames: Sides<FrameFacts>,
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
    pub(super) fn new(connection: Connection, heads: Sides<u64>) -> Session {
        Session {
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
    pub(super) fn joined(first: Seen) -> Session {
        let connection = Connection::begun(first);
        let decoders = Sides {
            client: Decoder::midway(Masking::Masked, 0),
            server: Decoder::midway(Masking::Unmasked, 0),
        };
        Session { decoders, ..Session::new(connection, Sides::default()) }
    }

    /// The request is there, its answer is not: only where the server's first frame begins is not known.
    pub(super) fn unanswered(connection: Connection, request: u64) -> Session {
        let mut session = Session::new(connection, Sides { client: request, server: 0 });
        session.decoders.server = Decoder::midway(Masking::Unmasked, 0);
        session
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
}

/// Where the events of one side go.
struct Facts<'a> {
    from: Role,
    connection: &'a mut Connection,
    frames: &'a mut FrameFacts,
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
            FrameEvent::End { header, present, .. } => self.end(header, present),
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
            frames.longest_frame = frames.longest_frame.max(header.len);
            if header.rsv1() {
                frames.compressed += 1;
                frames.first_compressed.get_or_insert(seen);
            }
        }
    }

    #[inline]
    fn end(&mut self, header: &FrameHeader, present: u64) {
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
        let from = self.from;
        let same = |anomaly: &&mut Anomaly| {
            anomaly.from == from && std::mem::discriminant(&anomaly.kind) == std::mem::discriminant(&kind)
        };
        match self.connection.anomalies.iter_mut().find(same) {
            Some(anomaly) => anomaly.count += 1,
            None => {
                let quote = quote.into();
                self.connection.anomalies.push(Anomaly { kind, from, seen, offset, quote, count: 1 });
            }
        }
    }
}
