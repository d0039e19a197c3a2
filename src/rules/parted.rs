//! How a session was ended, for people; also TLS that no key opened, which may have been one.

use super::{Finding, quote};
use crate::connection::{Connection, Outcome};
use crate::gateway::{How, Parting};

/// Whether it is TLS of which no key told whether it carried a WebSocket.
pub(super) fn is_sealed(connection: &Connection) -> bool {
    connection.outcome == Outcome::Encrypted
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
