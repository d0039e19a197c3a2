//! The connections that a flow carried, with what only the whole flow tells of them.

use super::super::carrier::Carrier;
use super::super::ending::FirstEnd;
use super::super::facts::{Connection, Outcome, Quality, Reset, RoleEvidence, TcpFacts};
use super::super::streams::Finished;
use super::super::trouble::Trouble;
use super::{Flow, ResetOf, Stage, role};
use crate::net::{FlowKey, Side};
use crate::role::{Role, Sides};
use crate::tcp::Closed;
use crate::tls::Keyring;

impl Flow {
    /// The last event: hands out every connection that this flow carried, and tells as [`Flow::tls`]
    /// does.
    pub(in super::super) fn close(
        mut self,
        key: &FlowKey,
        why: Closed,
        unseen: Option<Side>,
        keys: &mut Keyring,
        emit: &mut impl FnMut(Box<Connection>),
    ) -> Option<bool> {
        for depth in 0..self.tls.len() {
            let last = self.last;
            self.work(depth, keys, |session, keys, out| session.finish(last, keys, out));
        }
        if let Stage::Http(exchange) = &mut self.stage {
            let answers_unseen = unseen.is_some_and(|side| role(self.client, side) == Role::Server);
            let heard = exchange.finish(answers_unseen);
            self.heard(heard, keys);
        }
        self.bounded |= why == Closed::Evicted;
        self.last = self.last();
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Http2(mut multiplex) => {
                self.bounded |= multiplex.is_bounded();
                let answers_unseen = unseen.is_some_and(|side| role(self.client, side) == Role::Server);
                for finished in multiplex.finish(answers_unseen) {
                    emit(self.finish(finished, key, unseen, keys));
                }
            }
            Stage::Http(exchange) => {
                let server = self.client.map(|(client, _)| client.other());
                let lost = server.is_some_and(|side| unseen == Some(side) || self.trouble.missing(side) > 0);
                self.take_attempts(*exchange, lost);
            }
            Stage::Frames(session) => self.attempts.extend(session.finish()),
            Stage::Unknown(unknown) => self.attempts.extend(self.unread(unknown.tunnel)),
            Stage::Over => {}
        }
        for connection in std::mem::take(&mut self.attempts) {
            emit(self.finish(Finished { connection, ended: None }, key, unseen, keys));
        }
        self.tls()
    }

    /// Hands out the connections of HTTP/2 that are final. Tells whether this is the first time that it is asked.
    pub(in super::super) fn hand_out(
        &mut self,
        key: &FlowKey,
        keys: &Keyring,
        emit: &mut impl FnMut(Box<Connection>),
    ) -> bool {
        if let Stage::Http2(multiplex) = &mut self.stage
            && multiplex.has_finished()
        {
            let finished = multiplex.take_finished();
            self.bounded |= multiplex.is_bounded();
            for finished in finished {
                emit(self.finish(finished, key, None, keys));
            }
        }
        !std::mem::replace(&mut self.counted, true)
    }

    /// What is left to say of TLS of which nothing was read.
    fn unread(&self, tunnel: Option<String>) -> Option<Box<Connection>> {
        let session = self.tls.last()?.as_ref()?;
        // Joined midway it is only counted: not even who is client is known.
        if session.is_readable() || !self.attempts.is_empty() || self.client.is_none() {
            return None;
        }
        let mut connection = Connection::begun(self.start.first);
        connection.outcome = Outcome::Encrypted;
        connection.tunnel = tunnel;
        Some(connection)
    }

    /// Fills in what only the whole flow tells.
    fn finish(
        &self,
        finished: Finished,
        key: &FlowKey,
        unseen: Option<Side>,
        keys: &Keyring,
    ) -> Box<Connection> {
        let Finished { mut connection, ended: stream_ended } = finished;
        let (client, _) = self.role_evidence();
        let trouble = self.trouble.by_role(client);
        connection.proxied.clone_from(&self.proxied);
        connection.tls =
            self.tls.last().and_then(Option::as_ref).map(|session| Box::new(session.facts(client, keys)));
        connection.quality = Quality {
            late_start: self.start.opener.is_none(),
            unseen: Sides { client: unseen == Some(client), server: unseen == Some(client.other()) },
            missing: Sides { client: trouble.client.missing, server: trouble.server.missing },
            gaps: Sides { client: trouble.client.gaps, server: trouble.server.gaps },
            last_gap: Sides { client: trouble.client.last_gap, server: trouble.server.last_gap },
            conflicts: self.conflicts,
            unknown_fields: connection.quality.unknown_fields,
            bounded: self.bounded || connection.quality.bounded,
        };
        connection.tcp = self.tcp_facts(key, trouble);
        if let (Outcome::Encrypted, Some(tls)) = (connection.outcome, &connection.tls) {
            connection.first = tls.sent.client.first.unwrap_or(connection.first);
            let quality = &mut connection.quality;
            for role in Role::BOTH {
                quality.missing[role] = tls.sent[role].missing;
                // What no key opened is no gap.
                if tls.sent[role].missing == 0 {
                    (quality.gaps[role], quality.last_gap[role]) = (0, None);
                }
            }
        }
        let ended =
            self.start.ended.map(|(side, transport, seen)| (role(self.client, side), transport, seen));
        let first_end = if stream_ended.is_none() { self.start.first_end } else { FirstEnd::Seen };
        let ended = stream_ended.or(ended);
        // Of a connection that shares its flow, only what is its own counts.
        let last = match (&connection.carrier, ended) {
            (Carrier::Http1, _) => self.last,
            (Carrier::Http2(_), Some((_, _, seen))) => seen,
            (Carrier::Http2(_), None) => connection.last,
        };
        if connection.last.packet < last.packet {
            connection.last = last;
        }
        connection.end(ended, first_end);
        connection
    }

    /// Who is the client, and by what; the lower side where nothing tells.
    fn role_evidence(&self) -> (Side, RoleEvidence) {
        self.client.unwrap_or((Side::Low, RoleEvidence::Http))
    }

    fn tcp_facts(&self, key: &FlowKey, trouble: Sides<Trouble>) -> TcpFacts {
        let (client, roles) = self.role_evidence();
        let sides = [client.index(), client.other().index()];
        TcpFacts {
            capture: self.start.first.packet.capture(),
            stream: 0,
            client: key.endpoint(client),
            server: key.endpoint(client.other()),
            roles,
            opened: self.start.opened,
            accepted: self.start.accepted,
            isn: Sides { client: self.start.isn[sides[0]], server: self.start.isn[sides[1]] },
            heard: self.heard.unwrap_or(self.last.at),
            fins: Sides { client: self.fins[sides[0]], server: self.fins[sides[1]] },
            reset: self.reset.as_deref().map(|&ResetOf { side, seen, ttl, usual_ttl, kind }| {
                Box::new(Reset { from: role(self.client, side), seen, ttl, usual_ttl, kind })
            }),
            stall: Sides {
                client: trouble.client.stalled(self.last).map(Box::new),
                server: trouble.server.stalled(self.last).map(Box::new),
            },
            repeats: Sides { client: trouble.client.repeats, server: trouble.server.repeats },
            undelivered: self.start.errors.by_role(client),
        }
    }
}
