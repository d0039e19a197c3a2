//! The moment at which a session was given up, and how quiet it was before: what timers are known by. Of TLS that no key
//! opened, the times of its records tell as much.

use crate::capture::Seen;
use crate::connection::{Connection, FirstEnd, Outcome, Transport};
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
            Outcome::Encrypted => return Parting::of_sealed(connection),
            Outcome::Rejected | Outcome::Garbled | Outcome::Unanswered => return None,
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
        let whole = !connection.quality.late_start && connection.request.is_some();
        Some(Parting::measured(connection, by, seen, how, last, whole))
    }

    /// Of TLS that no key opened, where it may have carried a WebSocket and lived longer than a page.
    fn of_sealed(connection: &Connection) -> Option<Parting> {
        let tls = connection.tls.as_deref().filter(|tls| tls.may_have_carried_websocket())?;
        let (by, end) =
            connection.ending.by.filter(|(_, end)| end.at.nanos_since(connection.first.at) >= PAGE)?;
        let how = if connection.ending.transport == Transport::Reset { How::Reset } else { How::Fin };
        let is_late = |seen: Seen| (seen.at, seen.packet) > (end.at, end.packet);
        // What a side sends as it leaves, a Close or an alert, cannot be read, and is no sign of life; nor is what comes after.
        let farewell = tls.pause.filter(|pause| {
            let leaves = pause.by == by && end.at.nanos_since(pause.until.at) <= FAREWELL;
            is_late(pause.until) || leaves && pause.answer.is_none_or(is_late)
        });
        let before = |role: Role| match farewell {
            Some(pause) if pause.by == role => pause.own,
            Some(pause) => pause.other,
            None => tls.sent[role].last.filter(|last| !is_late(*last)),
        };
        let last = Sides { client: before(Role::Client), server: before(Role::Server) };
        let seen = farewell.map(|pause| pause.until).filter(|until| !is_late(*until)).unwrap_or(end);
        Some(Parting::measured(connection, by, seen, how, last, !connection.quality.late_start))
    }

    fn measured(
        connection: &Connection,
        by: Role,
        seen: Seen,
        how: How,
        last: Sides<Option<Seen>>,
        whole: bool,
    ) -> Parting {
        // Of a FIN that the capture lacks nobody knows when it was sent.
        let timed = !(connection.ending.first == FirstEnd::Unseen && matches!(how, How::Fin));
        let since = Role::BOTH.iter().filter_map(|&role| last[role]).map(|seen| seen.at).max();
        let quiet = since
            .filter(|&since| timed && !hidden(connection, since))
            .map(|since| seen.at.nanos_since(since))
            .filter(|quiet| *quiet >= 0);
        let age = (whole && timed).then(|| seen.at.nanos_since(connection.first.at)).filter(|age| *age >= 0);
        Parting { by, seen, how, last, quiet, age }
    }

    /// Nanoseconds from the last payload of one side to it; `None` where the capture may lack a later one.
    pub fn quiet_of(&self, role: Role) -> Option<i64> {
        let last = self.last[role]?;
        self.quiet.map(|_| self.seen.at.nanos_since(last.at).max(0))
    }
}

/// Nanoseconds within which a page is there, and its connection given up again where that is not kept for the next one.
const PAGE: i64 = 10_000_000_000;

/// Nanoseconds that leaving takes: from the first record of it to the end of TCP.
const FAREWELL: i64 = 1_000_000_000;

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
    fn what_a_side_sends_as_it_leaves_tls_ends_the_silence_before_it() {
        let talk = || Scene::sealed_at(0.0).record(Client).record(Server).after(60.0);
        let told = |scene: Scene| Parting::of(&scene.build()).map(|parting| (parting.by, parting.how));
        let quiet = |scene: Scene| seconds(Parting::of(&scene.build()).unwrap().quiet);
        assert_eq!(told(talk().fin(Server)), Some((Server, How::Fin)));
        assert!((60.0..60.1).contains(&quiet(talk().fin(Server))));
        assert!((60.0..60.1).contains(&quiet(talk().record(Server).after(0.3).fin(Server))));
        // Somebody answered, or TCP went on: then it was talk.
        assert!(quiet(talk().record(Server).record(Client).fin(Server)) < 0.1);
        assert!(quiet(talk().record(Server).after(5.0).fin(Server)) < 6.0);
        assert!(quiet(talk().record(Client).fin(Server)) < 0.1);
        // What the other side says to it after the end is none.
        assert!((60.0..60.1).contains(&quiet(talk().record(Server).fin(Server).record(Client))));
        assert!((60.0..60.1).contains(&quiet(talk().fin(Server).record(Client))));
        let parting = Parting::of(&talk().record(Server).fin(Server).record(Client).build()).unwrap();
        assert!(parting.quiet_of(Client) > parting.quiet_of(Server));
    }

    #[test]
    fn tls_of_pages_and_of_the_short_lived_has_none() {
        let page = Scene::sealed_at(0.0).after(60.0).fin(Server).with(|connection| {
            let tls = connection.tls.as_mut().unwrap();
            tls.alpn_offered = vec![String::from("h2"), String::from("http/1.1")];
        });
        assert_eq!(Parting::of(&page.build()), None);
        assert_eq!(Parting::of(&Scene::sealed_at(0.0).after(5.0).fin(Server).build()), None);
        assert_eq!(Parting::of(&Scene::tls_at(0.0).after(60.0).fin(Server).build()), None);
    }

    #[test]
    fn open_and_refused_connections_have_none() {
        assert_eq!(Parting::of(&Scene::session("", "").build()), None);
        assert_eq!(Parting::of(&Scene::answered("HTTP/1.1 404 X\r\n", "").fin(Server).build()), None);
    }
}
