//! An end without a Close, and what is seen around it.

use crate::capture::Seen;
use crate::connection::{Carrier, Close, CloseState, Connection, FirstEnd, Outcome, ResetKind, Transport};
use crate::gateway::Parting;
use crate::http::h2::ErrorCode;
use crate::role::Role;
use crate::rules::gateway::idle_timeout_close::Idle;
use crate::rules::{Context, mqtt, trust};

/// An end without a Close, and what is seen around it.
pub(super) struct End<'a> {
    pub(super) connection: &'a Connection,
    pub(super) by: Role,
    pub(super) seen: Seen,
    /// Why a Close may be there all the same.
    pub(super) doubt: Option<String>,
    /// A Close that came after the end, too late to be its reason: Tomcat still writes one to a client that has gone.
    pub(super) late: Option<&'a Close>,
    /// Seconds without a byte of either side before the end, where they are so many that a timer may have waited for them.
    pub(super) silence: Option<f64>,
    /// Whether the silence is one that a known idle limit explains.
    pub(super) is_timed: bool,
    /// Whether the end is a RST without ACK, of a sender that knew no such connection.
    pub(super) is_forgotten: bool,
    /// The GOAWAY that announced the end.
    pub(super) announced: Option<(ErrorCode, Seen)>,
    /// Seconds from a message of the client that the server was at work on.
    pub(super) at_work: Option<f64>,
    /// Bytes of a last message that may have been above a limit.
    pub(super) large: Option<u64>,
    /// What stands out just before the end.
    pub(super) before: Before,
}

impl<'a> End<'a> {
    pub(super) fn of(connection: &'a Connection, context: &Context<'_>) -> Option<End<'a>> {
        let (by, seen) = connection.ending.by?;
        let session = matches!(connection.outcome, Outcome::Established | Outcome::Unseen);
        let unseen = Role::BOTH.iter().any(|&role| connection.quality.unseen[role]);
        let late = connection.closes.first().filter(|close| super::super::is_late(connection, close));
        let is_closed = connection.ending.close != Some(CloseState::None) && late.is_none();
        if !session || unseen || is_closed {
            return None;
        }
        let doubt = hidden(connection, by).or_else(|| hidden(connection, by.other()));
        let reset = connection.tcp.reset.as_ref().filter(|reset| reset.seen == seen);
        let announced = announced(connection, by, seen);
        let servers = by == Role::Server && doubt.is_none();
        let at_work = (servers && announced.is_none()).then(|| at_work(connection, seen, PROMPT)).flatten();
        let took_leave = connection.ending.transport != Transport::Reset
            && at_work.is_some_and(|since| mqtt::may_have_taken_leave(connection, since));
        let large = large(connection, seen).filter(|_| servers);
        let silence = super::super::quiet_before(connection, seen).filter(|quiet| *quiet >= LONG);
        let before = match at_work {
            _ if took_leave => Before::Leave,
            _ if silence.is_some() => Before::Silence,
            _ if large.is_some() => Before::LargeMessage,
            Some(_) => Before::Message,
            None => Before::Traffic,
        };
        Some(End {
            connection,
            by,
            seen,
            doubt,
            late,
            silence,
            is_timed: Idle::of(connection, context).is_some(),
            is_forgotten: reset.is_some_and(|reset| reset.kind == ResetKind::NoConnection),
            announced,
            at_work,
            large,
            before,
        })
    }

    /// Whether the FIN of the other side crossed this one.
    pub(super) fn is_crossed(&self) -> bool {
        matches!(self.connection.ending.first, FirstEnd::Crossed(_))
    }

    /// Whether it is a RST that nothing explains. A FIN is what a program does with its socket; a RST also comes from a
    /// kernel that clears up after a program, and from things on the path.
    pub(super) fn is_unclear(&self) -> bool {
        self.connection.ending.transport == Transport::Reset && self.silence.is_none() && !self.is_timed
    }
}

/// What is seen just before an end of the server's side.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// A silence as long as a timer waits.
    Silence,
    /// A message of the client, to which the server had sent nothing yet.
    Message,
    /// A message of the client that none before it was as long as.
    LargeMessage,
    /// What may be the client's word of leave in MQTT.
    Leave,
    /// Nothing that stands out.
    Traffic,
}

/// The GOAWAY with which a side of HTTP/2 told that it would end the connection, while it let the session go on.
fn announced(connection: &Connection, by: Role, end: Seen) -> Option<(ErrorCode, Seen)> {
    let Carrier::Http2(stream) = &connection.carrier else { return None };
    let (from, error, seen) = stream.goaway?;
    let before = from == by && seen.packet < end.packet;
    (before && connection.ending.transport != Transport::StreamReset).then_some((error, seen))
}

/// Why a Close of this side may be there all the same. It would be the last that the side sent, so what the capture lacks before
/// the last frame that was read does not matter.
fn hidden(connection: &Connection, role: Role) -> Option<String> {
    let doubt = trust::doubt(connection, role)?;
    let last = connection.frames.as_ref().and_then(|frames| frames[role].last);
    let gap = connection.quality.last_gap[role];
    let before = gap.zip(last).is_some_and(|(gap, last)| gap.packet < last.packet);
    (!before || connection.quality.unseen[role] || connection.quality.bounded).then_some(doubt)
}

/// The last data of a side, or the last before the Close with which it answered the end.
pub(super) fn last_data(connection: &Connection, role: Role) -> Option<Seen> {
    let late = connection.first_close(role).filter(|close| super::super::is_late(connection, close));
    late.and_then(|close| close.after[role]).or(connection.frames.as_ref()?[role].last)
}

/// Seconds from a message of the client, to which the server sent nothing, to the end, where they are so few that the server
/// ended while it was at work on it: servers of many frameworks do so where the handler of a message fails.
fn at_work(connection: &Connection, end: Seen, within: f64) -> Option<f64> {
    let frames = connection.frames.as_ref()?;
    let message = last_data(connection, Role::Client).filter(|_| frames.client.messages > 0)?;
    let silent = frames.server.last.is_none_or(|last| last.packet < message.packet);
    let since = trust::elapsed(connection, message, end)?;
    (silent && since < within).then_some(since)
}

/// Bytes of the client's last message, where it is a large one and the longest, and was on its way or just there at the end.
fn large(connection: &Connection, end: Seen) -> Option<u64> {
    // There may have been longer ones before the capture began.
    let frames = connection.frames.as_ref().filter(|_| connection.response.is_some())?;
    let frames = &frames.client;
    let bytes = frames.latest_message;
    let longest = bytes >= LARGE && bytes >= frames.longest_message;
    let on_its_way = frames.last.is_some_and(|last| last.packet > end.packet);
    (longest && (on_its_way || at_work(connection, end, LINGER).is_some())).then_some(bytes)
}

/// Seconds for which the client of a session that the server ended had sent nothing, where they are many.
pub(super) fn silent_client(connection: &Connection, by: Role) -> Option<f64> {
    let parting = Parting::of(connection).filter(|_| by == Role::Server)?;
    parting.quiet_of(Role::Client).map(|nanos| nanos as f64 / 1e9).filter(|seconds| *seconds >= LONG)
}

/// Bytes of a message that may be above a limit: the lowest that are common.
const LARGE: u64 = 32 << 10;

/// Seconds within which a handler that fails mostly does.
const PROMPT: f64 = 0.5;

/// Seconds within which a server ends TCP that gave up on a message: actix-web looks once a second.
const LINGER: f64 = 1.2;

/// Seconds of silence that are worth a word: the shortest common timer is 30 s.
const LONG: f64 = 20.0;
