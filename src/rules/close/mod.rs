//! Close frames and endings.

pub(super) mod close_application_code;
pub(super) mod close_code_reserved_on_wire;
pub(super) mod close_code_wrong_side;
pub(super) mod close_going_away;
pub(super) mod close_internal_error;
pub(super) mod close_payload_malformed;
pub(super) mod close_reply_differs;
pub(super) mod close_reports_peer_violation;
pub(super) mod close_restart_or_overload;
pub(super) mod close_unanswered;
pub(super) mod closed_without_close_frame;
pub(super) mod data_after_close;
pub(super) mod reconnect_without_backoff;
pub(super) mod reset_around_close;
pub(super) mod tcp_close_order;

use super::{Confidence, Finding, Rule, quote, trust};
use crate::connection::{Close, Connection};
use crate::role::Role;
use std::borrow::Cow;

/// The first Close of each side that is no echo of the other side's: what that side itself had to say.
pub(super) fn own(connection: &Connection) -> impl Iterator<Item = &Close> {
    let closes = &connection.closes;
    Role::BOTH.into_iter().filter_map(move |from| {
        let at = closes.iter().position(|close| close.from == from)?;
        let close = closes.get(at)?;
        let echo = match close.code {
            Some(code) => connection.first_to_say(code).is_some_and(|first| first.from != from),
            None => closes.iter().take(at).any(|other| other.from != from && other.code.is_none()),
        };
        (!echo).then_some(close)
    })
}

/// Whether a Close says 1000 and gives a failure of its sender's program as the reason.
pub(super) fn names_failure(close: &Close) -> bool {
    let names = || {
        let reason = close.reason.to_ascii_lowercase();
        FAILURES.iter().any(|failure| reason.contains(failure))
    };
    close.code == Some(1000) && !close.reason.is_empty() && names()
}

/// What programs write of errors that nobody caught.
const FAILURES: [&str; 5] =
    ["exception", "traceback", "internal error", "internal server error", "unhandled"];

/// Whether a Close came after the other side had ended the transport without one: it is an answer to that.
pub(super) fn is_late(connection: &Connection, close: &Close) -> bool {
    connection.ending.by.is_some_and(|(by, end)| {
        by != close.from && end.packet < close.seen.packet && connection.first_close(by).is_none()
    })
}

/// A finding about a Close that one side sent by itself. Where bytes of the other side are missing, it may be an echo
/// of what was in them, and the finding is only possible.
pub(super) fn said(
    rule: &'static Rule,
    connection: &Connection,
    close: &Close,
    title: impl Into<Cow<'static, str>>,
) -> Finding {
    let other = close.from.other();
    let answered = connection.closes.iter().any(|close| close.from == other);
    let doubt = trust::doubt(connection, other).filter(|_| !answered);
    let echo = doubt.as_ref().map(|doubt| format!("{doubt}, so this may be an echo"));
    Finding::new(rule, close.seen, title)
        .doubted(&doubt, Confidence::Possible)
        .origin(close.from)
        .blame(close.from)
        .shows(close.seen, format!("{} sends {}", close.from.name(), quote::close(close)))
        .shows_all(close.seen, echo.into_iter().collect())
}

/// As [`said`], of a code that hardly any program sends: after missing bytes of its sender it may be no Close at all.
fn said_oddly(
    rule: &'static Rule,
    connection: &Connection,
    close: &Close,
    title: impl Into<Cow<'static, str>>,
) -> Finding {
    let gap = connection.quality.last_gap[close.from].filter(|gap| gap.packet <= close.seen.packet);
    let doubt = gap.map(|_| String::from("bytes before it are missing, so it may be no Close at all"));
    said(rule, connection, close, title)
        .doubted(&doubt, Confidence::Likely)
        .shows_all(close.seen, doubt.into_iter().collect())
}

/// Seconds from the last data of either side before a moment to that moment.
fn quiet_before(connection: &Connection, end: crate::capture::Seen) -> Option<f64> {
    let frames = connection.frames.as_ref()?;
    let last = Role::BOTH.iter().filter_map(|&role| frames[role].last).map(|seen| seen.at);
    let start = last
        .filter(|at| *at < end.at)
        .max()
        .or(connection.response.as_ref().map(|response| response.seen.at))?;
    Some(end.at.seconds_since(start).max(0.0))
}

/// Whether the sender closed because its pings stayed unanswered, in the words of Python's websockets and, with other codes,
/// of Tornado (1000 `ping timed out`), simple-websocket (1008 `Ping/Pong timeout`) or Phoenix (1000 `heartbeat timeout`).
pub(super) fn ping_timeout(close: &Close) -> bool {
    let reason = close.reason.to_ascii_lowercase();
    let heartbeat = ["ping", "pong", "heartbeat"].iter().any(|word| reason.contains(word));
    heartbeat && ["timeout", "timed out", "no response"].iter().any(|word| reason.contains(word))
}
