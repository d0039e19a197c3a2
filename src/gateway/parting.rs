//! The moment at which a session was given up, and how quiet it was before: what timers are known by.

use crate::capture::Seen;
use crate::connection::{Connection, Outcome, Transport};
use crate::role::{Role, Sides};

/// The first sign that a session ends: a Close, or else the end of TCP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parting {
    /// Who gave it.
    pub by: Role,
    /// The packet.
    pub seen: Seen,
    /// What it was.
    pub how: How,
    /// The last packet of each side with payload before it, the handshake included.
    pub last: Sides<Option<Seen>>,
    /// Nanoseconds from the last payload of either side to it; `None` where the capture may lack a later one.
    pub quiet: Option<i64>,
    /// Nanoseconds from the first packet of the connection to it; `None` where the capture began later.
    pub age: Option<i64>,
}

/// By what a session is given up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum How {
    /// A Close with that code; 1005 for one without.
    Close(u16),
    /// A FIN with no Close before it.
    Fin,
    /// A RST with no Close before it.
    Reset,
}

impl Parting {
    /// Of a session that ended; `None` for a refused handshake and for a session that is still open.
    pub fn of(connection: &Connection) -> Option<Parting> {
        let handshake = match connection.outcome {
            Outcome::Established | Outcome::Invalid => true,
            Outcome::Unseen => false,
            Outcome::Rejected | Outcome::Garbled | Outcome::Unanswered | Outcome::Encrypted => return None,
        };
        let frames = connection.frames.as_ref();
        if !handshake && frames.is_none() {
            return None;
        }
        let (by, seen, how, mut last) = match (connection.parting_close(), connection.ending.by) {
            (Some(close), _) => (close.from, close.seen, How::Close(close.code.unwrap_or(1005)), close.after),
            (None, Some((by, seen))) => {
                let last = Sides {
                    client: frames.and_then(|frames| frames.client.last),
                    server: frames.and_then(|frames| frames.server.last),
                };
                let reset = connection.ending.transport == Transport::Reset;
                (by, seen, if reset { How::Reset } else { How::Fin }, last)
            }
            (None, None) => return None,
        };
        last.client = last.client.or(connection.request.as_ref().map(|request| request.seen));
        last.server = last.server.or(connection.response.as_ref().map(|response| response.seen));
        let since = Role::BOTH.iter().filter_map(|&role| last[role]).map(|seen| seen.at).max();
        let quiet = since
            .filter(|&since| !hidden(connection, since))
            .map(|since| seen.at.nanos_since(since))
            .filter(|quiet| *quiet >= 0);
        let whole = !connection.quality.late_start && connection.request.is_some();
        let age = whole.then(|| seen.at.nanos_since(connection.first.at)).filter(|age| *age >= 0);
        Some(Parting { by, seen, how, last, quiet, age })
    }

    /// Nanoseconds from the last payload of one side to it; `None` where the capture may lack a later one.
    pub fn quiet_of(&self, role: Role) -> Option<i64> {
        let last = self.last[role]?;
        self.quiet.map(|_| self.seen.at.nanos_since(last.at).max(0))
    }
}

/// Whether the capture may lack payload that was sent after `since`, or tells no time.
fn hidden(connection: &Connection, since: crate::time::Timestamp) -> bool {
    let quality = &connection.quality;
    quality.bounded
        || connection.first.at == connection.last.at
        || Role::BOTH
            .iter()
            .any(|&role| quality.unseen[role] || quality.last_gap[role].is_some_and(|gap| gap.at >= since))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;

    fn seconds(nanos: Option<i64>) -> f64 {
        nanos.unwrap() as f64 / 1e9
    }

    #[test]
    fn silence_is_counted_to_the_first_close_and_not_to_the_fin() {
        let scene = Scene::session("", "").messages(Client, 1).after(30.0).close(Server, 1001, "");
        let parting = Parting::of(&scene.after(5.0).fin(Server).build()).unwrap();
        assert_eq!((parting.by, parting.how), (Server, How::Close(1001)));
        assert!((30.0..30.1).contains(&seconds(parting.quiet)));
    }

    #[test]
    fn a_session_without_frames_is_quiet_since_its_handshake() {
        let parting = Parting::of(&Scene::session("", "").after(60.0).fin(Server).build()).unwrap();
        assert!((60.0..60.1).contains(&seconds(parting.quiet)));
        assert_eq!(parting.how, How::Fin);
    }

    #[test]
    fn a_gap_in_the_silence_may_hide_traffic() {
        let scene = Scene::session("", "").messages(Client, 1).after(30.0).gap(Client);
        assert_eq!(Parting::of(&scene.after(30.0).fin(Server).build()).unwrap().quiet, None);
        let scene = Scene::session("", "").gap(Client).messages(Client, 1).after(30.0);
        assert!(Parting::of(&scene.fin(Server).build()).unwrap().quiet.is_some());
    }

    #[test]
    fn open_and_refused_connections_have_none() {
        assert_eq!(Parting::of(&Scene::session("", "").build()), None);
        assert_eq!(Parting::of(&Scene::answered("HTTP/1.1 404 X\r\n", "").fin(Server).build()), None);
    }
}
