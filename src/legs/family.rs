//! Of connections that share a mark, such as a key: which is the upstream leg of which.

use super::Means;
use crate::capture::{PacketId, Seen};
use crate::connection::Connection;
use crate::role::Role;
use crate::time::Timestamp;

/// Finds for each of these connections, which share a mark, the one among them that caused it: `(child, parent)`.
///
/// A chain of gateways shares one mark over all its legs, and so do the attempts of one gateway at several upstreams;
/// an upstream leg belongs to the innermost leg that waited when it began. Where two could have caused it, none is
/// named: a client that uses one key for all its connections proves nothing.
pub(super) fn parents(group: &[usize], connections: &[&Connection], means: Means) -> Vec<(usize, usize)> {
    let group = outermost_first(group, connections);
    let mut found = Vec::new();
    for (place, &child) in group.iter().enumerate().skip(1) {
        let before = &group[place.saturating_sub(LOOKED_BACK)..place];
        let eligible = eligible_parents(connections[child], before, connections, means);
        let Some((&parent, others)) = eligible.split_first() else { continue };
        // Others may enclose it as ancestors of that parent do, but not as its siblings.
        if !others.iter().any(|&other| are_siblings(connections[other], connections[parent])) {
            found.push((child, parent));
        }
    }
    found
}

/// The group with outer legs before the inner ones, as far as the capture tells.
fn outermost_first(group: &[usize], connections: &[&Connection]) -> Vec<usize> {
    let mut group: Vec<usize> = group.to_vec();
    let first = group.first().map(|&index| connections[index].tcp.capture);
    let one_clock = group.iter().all(|&index| Some(connections[index].tcp.capture) == first);
    let of = |index: &usize| connections[*index];
    if one_clock && group.iter().all(|index| of(index).request.is_some()) {
        group.sort_by_key(|&index| (begun(connections[index]), connections[index].first.packet));
    } else if one_clock && group.iter().all(|index| of(index).response.is_some()) {
        // A request that the capture lacks came at any time; the inner leg is answered first.
        group.sort_by_key(|index| {
            std::cmp::Reverse(of(index).response.as_ref().map(|answer| order(answer.seen)))
        });
    } else if one_clock && group.iter().all(|index| of(index).first_close(Role::Client).is_some()) {
        // And what the client sends comes first on the outer one; of its frames, a Close is known again.
        group.sort_by_key(|index| of(index).first_close(Role::Client).map(|close| order(close.seen)));
    } else if one_clock {
        group.sort_by_key(|index| (order(first_frame(of(index)).unwrap_or(of(index).first)), *index));
    } else {
        // Clocks cannot be compared, durations can: the outer leg waits for the inner one. Of one that is told of a failure and
        // one that was never answered, the latter is the failure, however long it took to be ended.
        group.sort_by_key(|&index| {
            let leg = connections[index];
            let failed = leg.response.as_ref().is_some_and(|answer| answer.head.status >= 500);
            (std::cmp::Reverse((failed, waited(leg))), index)
        });
    }
    if let [one, other] = group[..]
        && is_behind(connections[one], connections[other])
        && !is_behind(connections[other], connections[one])
    {
        group = vec![other, one];
    }
    group
}

/// Those of the legs `before` it that may have caused a leg, the innermost first.
fn eligible_parents(
    child: &Connection,
    before: &[usize],
    connections: &[&Connection],
    means: Means,
) -> Vec<usize> {
    let may_cause = |&parent: &usize| {
        let parent = connections[parent];
        let compares = parent.tcp.capture == child.tcp.capture;
        !are_siblings(parent, child)
            && (!compares || encloses(parent, child, means))
            && !was_dropped_before(parent, child)
    };
    let eligible: Vec<usize> = before.iter().rev().copied().filter(may_cause).collect();
    if !matches!(means, Means::Key | Means::Accept | Means::TraceHeader) {
        return eligible;
    }
    // A leg that was answered already is the cause only of what is no part of its handshake: a gateway that asked another
    // service first goes on for the leg that still waits.
    let waits = |&parent: &usize| !was_answered_before(connections[parent], child);
    let mut waiting: Vec<usize> = eligible.iter().copied().filter(waits).collect();
    // So is one that had ended: a gateway whose first upstream broke off goes on for the leg that still is there.
    let is_there = |&parent: &usize| !had_ended_before(connections[parent], child);
    if waiting.iter().any(is_there) {
        waiting.retain(is_there);
    }
    // Packets captured out of order look so, too, where both were answered alike.
    let alike = |&parent: &usize| {
        let status = |of: &Connection| of.response.as_ref().map(|answer| answer.head.status);
        status(connections[parent]) == status(child)
    };
    if waiting.is_empty() { eligible.into_iter().filter(alike).collect() } else { waiting }
}

/// Connections of one group that are considered as the cause of the next.
const LOOKED_BACK: usize = 16;

/// Nanoseconds that packets of one capture may be out of order.
const JITTER: i64 = 5_000_000;

/// Two connections of one client to one server: attempts beside each other, never legs of one session.
pub(super) fn are_siblings(one: &Connection, other: &Connection) -> bool {
    one.tcp.client.ip == other.tcp.client.ip && one.tcp.server == other.tcp.server
}

/// Whether the first connection's client is the host that the second one's client reached.
fn is_behind(one: &Connection, other: &Connection) -> bool {
    one.tcp.client.ip == other.tcp.server.ip && one.tcp.client.ip != one.tcp.server.ip
}

/// When its request, else its first frame, else its first packet was seen.
pub(super) fn begun(connection: &Connection) -> Timestamp {
    let request = connection.request.as_ref().map(|request| request.seen.at);
    let frame = || first_frame(connection).map(|seen| seen.at);
    request.or_else(frame).unwrap_or(connection.first.at)
}

/// The client's first frame.
fn first_frame(connection: &Connection) -> Option<Seen> {
    connection.frames.as_ref().and_then(|frames| frames.client.first)
}

fn order(seen: Seen) -> (Timestamp, PacketId) {
    (seen.at, seen.packet)
}

/// Whether the parent had not ended when the child was first seen.
fn still_there(parent: &Connection, child: &Connection) -> bool {
    ended(parent).is_none_or(|(_, ended)| child.first.at.nanos_since(ended) <= JITTER)
}

/// Nanoseconds from request to answer, or else of the whole connection.
fn waited(connection: &Connection) -> (i64, i64) {
    let whole = connection.last.at.nanos_since(connection.first.at);
    match (&connection.request, &connection.response) {
        (Some(request), Some(response)) => (response.seen.at.nanos_since(request.seen.at), whole),
        (Some(request), None) => (connection.last.at.nanos_since(request.seen.at), whole),
        _ => (0, whole),
    }
}

/// Whether the one had its answer before the other asked, as far as one capture shows it.
fn was_answered_before(one: &Connection, other: &Connection) -> bool {
    match (&one.response, &other.request) {
        (Some(answer), Some(request)) if one.tcp.capture == other.tcp.capture => {
            order(answer.seen) < order(request.seen)
        }
        _ => false,
    }
}

/// Whether the one was ended in place of an answer before the other asked: a gateway that has dropped its client asks nobody
/// for it.
fn was_dropped_before(one: &Connection, other: &Connection) -> bool {
    let dropped = one.response.is_none() && one.ending.by.is_some_and(|(by, _)| by == Role::Server);
    dropped && one.request.is_some() && had_ended_before(one, other)
}

/// Whether it had ended before the other asked, as far as one capture shows it.
fn had_ended_before(one: &Connection, other: &Connection) -> bool {
    match (one.ending.by, &other.request) {
        (Some((_, end)), Some(request)) if one.tcp.capture == other.tcp.capture => {
            order(end) < order(request.seen)
        }
        _ => false,
    }
}

/// Whether the child began while the parent waited for its answer; where the mark is not part of the handshake, while
/// the parent was there at all.
fn encloses(parent: &Connection, child: &Connection, means: Means) -> bool {
    if parent.request.is_none() || child.request.is_none() {
        // When it began is not known; that it was the outer one, its place in the order tells.
        return still_there(parent, child);
    }
    let began = begun(child);
    if began.nanos_since(begun(parent)) < -JITTER {
        return false;
    }
    let ended = parent.ending.by.map(|(_, seen)| seen.at);
    let answered = parent.response.as_ref().map(|response| response.seen.at);
    let until = match means {
        Means::Key | Means::Accept | Means::TraceHeader => answered.or(ended),
        _ => ended,
    };
    until.is_none_or(|until| began.nanos_since(until) <= JITTER)
}

/// The ending that a side saw first.
pub(super) fn ended(connection: &Connection) -> Option<(Role, Timestamp)> {
    connection.ending.by.map(|(role, seen)| (role, seen.at))
}
