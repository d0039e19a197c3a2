//! What the input lacks, counted over the whole run.

use crate::connection::{Connection, Outcome, Transport};
use crate::role::Role;

/// What the captures do not hold or do not show, and how many connections that touches. Poor evidence is not bad
/// behaviour: none of this is anybody's fault on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Quality {
    /// Packets of which the capture holds the beginning only.
    pub cut: u64,
    /// Packets that the capturing system says it lost.
    pub dropped: u64,
    /// Packets that were captured twice, and counted once.
    pub duplicates: u64,
    /// Captures that are damaged or end inside a record.
    pub incomplete: u64,
    /// WebSocket connections that were joined after their first packet.
    pub late_start: u64,
    /// Of these, those whose handshake is not in the capture.
    pub without_handshake: u64,
    /// WebSocket connections of which one direction is not in the capture.
    pub one_direction: u64,
    /// WebSocket connections that lack bytes of a direction that was captured.
    pub gaps: u64,
    /// WebSocket connections that were not followed to their end because of a bound of this program.
    pub bounded: u64,
    /// WebSocket connections that were followed, and still open when the capture ended.
    pub open: u64,
    /// TLS connections that no key opened: they may be WebSocket.
    pub encrypted: u64,
}

impl Quality {
    /// Counts what the capture lacks of one connection.
    pub(super) fn count(&mut self, connection: &Connection) {
        if connection.outcome == Outcome::Encrypted {
            return;
        }
        let quality = &connection.quality;
        let any = |of: fn(&Connection, Role) -> bool| Role::BOTH.iter().any(|&role| of(connection, role));
        self.late_start += u64::from(quality.late_start);
        self.without_handshake += u64::from(
            connection.outcome == Outcome::Unseen
                && connection.request.is_none()
                && connection.response.is_none(),
        );
        self.one_direction += u64::from(any(|c, role| c.quality.unseen[role]));
        self.gaps += u64::from(any(|c, role| c.quality.missing[role] > 0 && !c.quality.unseen[role]));
        self.bounded += u64::from(quality.bounded);
        // What was given up is told as such.
        self.open += u64::from(connection.ending.transport == Transport::Open && !quality.bounded);
    }

    /// What cannot be concluded because of it: one sentence each, lower case, without a final stop, the weightiest
    /// first. Empty where absence in the capture is absence on the wire.
    pub fn limitations(&self) -> Vec<String> {
        let mut told = Vec::new();
        if self.encrypted > 0 {
            told.push(format!(
                "{} not opened: whether {} WebSocket, what was asked and answered, and whether a Close was sent, cannot be said \
                 without keys",
                counted(self.encrypted, "TLS connection was", "TLS connections were"),
                which(self.encrypted, "it is", "they are"),
            ));
        }
        if self.one_direction > 0 {
            told.push(format!(
                "one direction only was captured of {}: whether the other side answered, or sent a Close of its own, cannot be said",
                counted(self.one_direction, "connection", "connections"),
            ));
        }
        if self.gaps > 0 {
            told.push(format!(
                "bytes are missing of {}: a Close or an answer may be among them, so one that was not seen may have been sent",
                counted(self.gaps, "connection", "connections"),
            ));
        }
        if self.cut > 0 {
            told.push(format!(
                "{} in the capture only in part: what stood in the rest is unknown",
                counted(self.cut, "packet is", "packets are"),
            ));
        }
        if self.dropped > 0 {
            told.push(format!(
                "{} lost by the capturing system: a gap may be its own and no loss on the network",
                counted(self.dropped, "packet was", "packets were"),
            ));
        }
        if self.incomplete > 0 {
            told.push(format!(
                "{}: what stood there is unknown",
                counted(
                    self.incomplete,
                    "capture is damaged or cut short",
                    "captures are damaged or cut short"
                ),
            ));
        }
        if self.without_handshake > 0 {
            told.push(format!(
                "the handshake of {} is not in the capture: what was offered and agreed there is unknown",
                counted(self.without_handshake, "connection", "connections"),
            ));
        }
        if self.bounded > 0 {
            told.push(format!(
                "{} not followed to the end, for a bound of this program was reached",
                counted(self.bounded, "connection was", "connections were"),
            ));
        }
        if self.open > 0 {
            told.push(format!(
                "{} still open when the capture ended: how {} ended cannot be said",
                counted(self.open, "connection was", "connections were"),
                which(self.open, "it", "they"),
            ));
        }
        told
    }
}

/// `1 packet is`, `2 packets are`.
fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", which(count, one, many))
}

fn which<'a>(count: u64, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;

    fn of(connections: &[Connection]) -> Quality {
        let mut quality = Quality::default();
        connections.iter().for_each(|connection| quality.count(connection));
        quality
    }

    #[test]
    fn a_whole_capture_forbids_no_conclusion() {
        let whole =
            of(&[Scene::session("", "").close(Client, 1000, "").close(Server, 1000, "").fin(Server).build()]);
        assert_eq!(whole, Quality::default());
        assert!(whole.limitations().is_empty());
    }

    #[test]
    fn each_connection_counts_once_for_each_thing_that_it_lacks() {
        let both_sides = Scene::session("", "").gap(Client).gap(Server).fin(Server).build();
        let one_side = Scene::session("", "").unseen(Server).fin(Client).build();
        let late = Scene::tcp().messages(Client, 2).fin(Client).build();
        let quality = of(&[both_sides, one_side, late]);
        assert_eq!((quality.gaps, quality.one_direction, quality.without_handshake), (1, 1, 1));
        let told = quality.limitations();
        assert!(told[0].starts_with("one direction only was captured of 1 connection:"), "{told:?}");
        assert!(told[1].starts_with("bytes are missing of 1 connection:"), "{told:?}");
    }

    #[test]
    fn tls_that_could_not_be_read_is_told_by_its_own_count() {
        let one = Quality { encrypted: 1, ..Quality::default() }.limitations();
        let two = Quality { encrypted: 2, ..Quality::default() }.limitations();
        assert!(one[0].starts_with("1 TLS connection was not opened: whether it is WebSocket"), "{one:?}");
        assert!(two[0].starts_with("2 TLS connections were not opened: whether they are"), "{two:?}");
    }
}
