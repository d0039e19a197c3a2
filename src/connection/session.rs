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
    connection: Box<Connection>,
    sides: Sides<Side>,
    /// The last packet with payload of either side.
    spoke: Option<Seen>,
    /// The longest time in which neither side sent payload, and its nanoseconds: here, for every packet looks at it.
    silence: Option<(Span, i64)>,
    /// Where the heads of request and answer begin in their streams.
    heads: Sides<u64>,
}

/// One side, all together what a frame of it touches.
struct Side {
    decoder: Decoder,
    notes: Notes,
}

/// What is known of the frames of one side.
#[derive(Default)]
struct Notes {
    frames: FrameFacts,
    messages: Messages,
    /// Payload bytes of the message in progress.
    message: u64,
    last_mask: Option<[u8; 4]>,
    /// Data frames so far, as far as their first bytes matter.
    begun: u8,
    /// Its pings, where it sends some.
    pings: Option<Box<Sent>>,
}

/// The pings of one side.
#[derive(Default)]
struct Sent {
    facts: Box<Pings>,
    last: Option<Seen>,
    /// Those that no Pong has answered yet, oldest first.
    unanswered: Vec<Pinged>,
}

impl Notes {
    /// Takes in the first bytes of a data frame. Sums do not depend on how segments cut them.
    fn listen(&mut self, header: &FrameHeader, phase: u64, bytes: &[u8]) {
        let mut word = [0; size_of::<u64>()];
        let from = usize::try_from(phase).unwrap_or(usize::MAX);
        let Some(room) = word.get_mut(from..) else { return };
        let mask = header.mask.unwrap_or_default();
        let mask = mask.iter().cycle().skip(from % mask.len());
        for ((place, byte), key) in room.iter_mut().zip(bytes).zip(mask) {
            *place = byte ^ key;
        }
        // Another odd factor for each frame, so that their order counts.
        let factor = 0x9e37_79b9_7f4a_7c15_u64.wrapping_add(u64::from(self.begun) << 1);
        self.frames.words = self.frames.words.wrapping_add(u64::from_le_bytes(word).wrapping_mul(factor));
    }
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
        let side = |masking, messages| Side {
            decoder: Decoder::new(masking),
            notes: Notes { messages, ..Notes::default() },
        };
        Session {
            connection,
            sides: Sides {
                client: side(Masking::Masked, messages.client),
                server: side(Masking::Unmasked, messages.server),
            },
            spoke: None,
            silence: None,
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
        let Sides { client, server } = &mut self.sides;
        for (side, messages) in [(client, known.client), (server, known.server)] {
            if side.notes.frames.last.is_none() {
                side.notes.messages = messages;
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
        self.spoke(seen);
        let (mut facts, decoder) = self.side(from);
        decoder.push(offset, bytes, seen, &mut facts);
        facts.own.frames.last = Some(seen);
    }

    /// Takes a gap in the bytes of one side.
    pub(super) fn gap(&mut self, from: Role, offset: u64, len: u64, seen: Seen) {
        let (mut facts, decoder) = self.side(from);
        decoder.gap(offset, len, seen, &mut facts);
    }

    /// Notes that somebody sent payload, and how long nobody did.
    #[inline]
    fn spoke(&mut self, seen: Seen) {
        if let Some(before) = self.spoke.replace(seen) {
            let span = Span { from: before, until: seen };
            let nanos = span.nanos();
            if self.silence.is_none_or(|(_, longest)| nanos > longest) {
                self.silence = Some((span, nanos));
            }
        }
    }

    /// The decoder of one side, and where its events go.
    #[inline]
    fn side(&mut self, from: Role) -> (Facts<'_>, &mut Decoder) {
        let Sides { client, server } = &mut self.sides;
        let (own, other) = match from {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        let facts =
            Facts { from, connection: &mut self.connection, own: &mut own.notes, other: &mut other.notes };
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
        side.notes.messages.lose();
    }

    /// All facts; `None` where the capture has no handshake and no frame could be read.
    pub(super) fn finish(mut self) -> Option<Box<Connection>> {
        for from in Role::BOTH {
            let seen = self.sides[from].notes.frames.last.unwrap_or(self.connection.last);
            let (mut facts, decoder) = self.side(from);
            decoder.end(seen, &mut facts);
            let Notes { frames, pings, .. } = facts.own;
            if let Some(sent) = pings.take() {
                let Sent { facts: mut pings, unanswered, .. } = *sent;
                pings.unanswered = unanswered.first().map(|ping| ping.seen);
                pings.unanswered_count = unanswered.len() as u64;
                frames.pings = Some(pings);
            }
        }
        let read = self.asks_for_messages();
        for from in Role::BOTH {
            let Notes { messages, frames, .. } = &mut self.sides[from].notes;
            if read {
                let anomalies = &mut self.connection.anomalies;
                messages.read(&mut |fault| tell(anomalies, from, fault));
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
        let Sides { client, server } = self.sides;
        let frames = Sides { client: client.notes.frames, server: server.notes.frames };
        let any = Role::BOTH.iter().any(|&from| frames[from].total() > 0);
        let mut connection = self.connection;
        connection.silence = self.silence.map(|(span, _)| span);
        if !any && connection.request.is_none() && connection.response.is_none() {
            return None;
        }
        if any || matches!(connection.outcome, Outcome::Established | Outcome::Invalid) {
            connection.frames = Some(Box::new(frames));
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
    own: &'a mut Notes,
    other: &'a mut Notes,
}

impl FrameSink for Facts<'_> {
    #[inline(always)]
    fn data_frame(&mut self, header: &FrameHeader, offset: u64, payload: &[u8], _: Seen, seen: Seen) {
        self.count(header, seen);
        self.begin(header, seen);
        if self.own.begun <= limits::WORDS {
            self.own.listen(header, 0, payload);
        }
        let (from, anomalies) = (self.from, &mut self.connection.anomalies);
        let tell = &mut |fault| tell(anomalies, from, fault);
        self.own.messages.frame(header, payload, offset, seen, tell);
        self.sum(header, header.len);
    }

    // Each kind of event comes from its own place in the decoder, which has nothing left to decide.
    #[inline(always)]
    fn frame(&mut self, event: FrameEvent<'_>) {
        match event {
            FrameEvent::Header { header, complete_in, .. } => {
                self.count(header, complete_in);
                if !header.opcode.is_control() {
                    self.begin(header, complete_in);
                    self.own.messages.begin(header, complete_in);
                }
            }
            FrameEvent::Payload { header, offset, phase, bytes, seen } => {
                if self.own.begun <= limits::WORDS {
                    self.own.listen(header, phase, bytes);
                }
                if let Some(kind) = self.own.messages.payload(header, phase, bytes) {
                    tell(&mut self.connection.anomalies, self.from, Fault { kind, offset, seen });
                }
            }
            FrameEvent::End { header, offset, present, seen } => {
                let (from, anomalies) = (self.from, &mut self.connection.anomalies);
                let tell = &mut |fault| tell(anomalies, from, fault);
                self.own.messages.end(header, present, offset, seen, tell);
                self.sum(header, present);
            }
            FrameEvent::Control { header, payload, whole, seen, .. } => {
                self.control(header, payload, whole, seen);
            }
            FrameEvent::Violation { kind, offset, seen, quote } => self.violation(kind, offset, seen, quote),
        }
    }
}

impl Facts<'_> {
    /// Counts a frame.
    #[inline]
    fn count(&mut self, header: &FrameHeader, seen: Seen) {
        let frames = &mut self.own.frames;
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
            frames.mask_repeats += u64::from(self.own.last_mask == Some(mask));
            frames.mask_zero += u64::from(mask == [0; 4]);
            self.own.last_mask = Some(mask);
        }
        if frames.opening.len() < limits::GLIMPSES {
            frames.opening.push(Glimpse::of(header));
        }
    }

    /// Notes that a data frame begins.
    #[inline]
    fn begin(&mut self, header: &FrameHeader, seen: Seen) {
        let Notes { frames, begun, .. } = &mut *self.own;
        *begun = begun.saturating_add(1);
        frames.longest_frame = frames.longest_frame.max(header.len);
        frames.latest_message = match header.opcode {
            Opcode::Continuation => frames.latest_message.saturating_add(header.len),
            _ => header.len,
        };
        if header.rsv1() {
            frames.compressed += 1;
            frames.first_compressed.get_or_insert(seen);
        }
    }

    /// Adds up a data frame of which so many bytes of payload were there.
    #[inline]
    fn sum(&mut self, header: &FrameHeader, present: u64) {
        let Notes { frames, message, .. } = &mut *self.own;
        frames.payload_bytes += present;
        *message = message.saturating_add(present);
        if header.fin && !matches!(header.opcode, Opcode::Reserved(_)) {
            frames.messages += 1;
            frames.large += u64::from(*message >= LARGE);
            frames.longest_message = frames.longest_message.max(*message);
        }
        if header.fin {
            *message = 0;
        }
    }

    #[inline(never)]
    fn control(&mut self, header: &FrameHeader, payload: &[u8], whole: bool, seen: Seen) {
        self.own.frames.payload_bytes += if whole { header.len } else { payload.len() as u64 };
        match header.opcode {
            Opcode::Close => self.close(header, payload, seen),
            Opcode::Ping => self.ping(payload, seen),
            Opcode::Pong => self.pong(payload, seen),
            _ => {}
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
        let (own, other) = (self.own.frames.last, self.other.frames.last);
        let after = match from {
            Role::Client => Sides { client: own, server: other },
            Role::Server => Sides { client: other, server: own },
        };
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
        let Sent { facts, last, unanswered } = &mut **self.own.pings.get_or_insert_default();
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
        let Some(pings) = &mut self.other.pings else { return };
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
                | Violation::LengthTopBit
                | Violation::Resynchronised { .. }
        ) {
            self.own.messages.give_up();
        }
        let (from, quote) = (self.from, quote.into());
        note(&mut self.connection.anomalies, Anomaly { kind, from, seen, offset, quote, count: 1 });
    }
}
