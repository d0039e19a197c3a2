//! TLS that no key opened, and that may have been a WebSocket: what its records show of it, for the rules on sessions.

use super::{Finding, Severity, quote};
use crate::capture::Seen;
use crate::connection::{Connection, Outcome, Span};
use crate::gateway::{How, Parting};
use crate::role::Role;
use crate::tls::Facts;

/// Whether it is TLS of which no key told whether it carried a WebSocket.
pub(super) fn is_sealed(connection: &Connection) -> bool {
    connection.outcome == Outcome::Encrypted
}

/// Whether a rule on sessions has something to say of it: a session, or TLS that may have carried one.
pub(super) fn may_be_session(connection: &Connection) -> bool {
    !is_sealed(connection) || records(connection).is_some()
}

/// How grave a fault of a session is at most: of what may have been none it is information.
pub(super) fn gravity(connection: &Connection) -> Severity {
    if is_sealed(connection) { Severity::Info } else { Severity::Error }
}

/// The last packet with a frame of that side, or with a record.
pub(super) fn last_sent(connection: &Connection, role: Role) -> Option<Seen> {
    match is_sealed(connection) {
        true => records(connection)?.sent[role].last,
        false => connection.frames.as_ref()?[role].last,
    }
}

/// The longest time in which neither side sent payload; where no key opened that, the last one.
pub(super) fn silence(connection: &Connection) -> Option<Span> {
    if !is_sealed(connection) {
        return connection.silence;
    }
    let pause = records(connection)?.pause?;
    let from = [pause.own, pause.other].into_iter().flatten().max_by_key(|seen| (seen.at, seen.packet))?;
    Some(Span { from, until: pause.until })
}

/// The facts of such TLS, where it may have carried a WebSocket.
fn records(connection: &Connection) -> Option<&Facts> {
    connection.tls.as_deref().filter(|tls| tls.may_have_carried_websocket())
}

/// What was ended, and by what, for people.
pub(super) fn ended(connection: &Connection, parting: &Parting) -> (&'static str, String) {
    let close = match parting.how {
        How::Close(_) => {
            let close = connection.closes.first();
            return ("the session", close.map_or_else(|| String::from("a Close"), quote::close));
        }
        How::Fin => "FIN",
        How::Reset => "RST",
    };
    match is_sealed(connection) {
        true => ("a TLS connection, which may have been a WebSocket,", close.to_owned()),
        false => ("the session", format!("{close} and no Close")),
    }
}

/// Shows how the server's side ended a connection; of TLS that may be a record that cannot be read, and then the end of TCP.
pub(super) fn shows_end(
    finding: Finding,
    connection: &Connection,
    parting: &Parting,
    how: &str,
    when: &str,
) -> Finding {
    match connection.ending.by.filter(|(_, end)| is_sealed(connection) && *end != parting.seen) {
        Some((_, end)) => finding
            .shows(parting.seen, format!("the server leaves with a record that cannot be read{when}"))
            .shows(end, format!("{how} from the server")),
        None => finding.shows(parting.seen, format!("{how} from the server{when}")),
    }
}
