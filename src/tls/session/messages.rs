//! Handshake messages and alerts: what they change, and the master secret that follows from them.

use super::{EarlyData, Rsa, Session};
use crate::capture::Seen;
use crate::limits;
use crate::net::Side;
use crate::tls::facts::{ClientCertificate, Version};
use crate::tls::handshake::{self, ClientHello, Message, ServerHello, kind};
use crate::tls::keylog::{KeyLog, Secret};
use crate::tls::keyring::Keyring;
use crate::tls::open::{Opener, Params12};
use crate::tls::protect::{Phase, Protection};
use crate::tls::schedule::prf;
use std::mem::take;

impl Session {
    pub(super) fn alert(&mut self, from: Side, bytes: &[u8], seen: Seen) {
        if let &[level, description] = bytes
            && self.alerts.len() < limits::TLS_ALERTS
        {
            self.alerts.push((from, seen, [level, description]));
        }
    }

    /// Handshake bytes, in the clear or opened.
    pub(super) fn handshake(&mut self, from: Side, bytes: &[u8], keys: &mut Keyring) {
        let mut messages = take(&mut self.direction(from).messages);
        let mut rest = bytes;
        while let Some(message) = messages.next(&mut rest) {
            self.message(from, message, keys);
        }
        self.direction(from).messages = messages;
    }

    pub(super) fn message(&mut self, from: Side, message: Message<'_>, keys: &mut Keyring) {
        match message.kind {
            kind::CLIENT_HELLO => self.client_hello(from, message.body, keys),
            kind::SERVER_HELLO => self.server_hello(from, message.body),
            _ => {}
        }
        if let Some(transcript) = self.rsa.transcript.as_mut().filter(|_| !self.rsa.complete) {
            match transcript.len().saturating_add(message.raw.len()) <= limits::TLS_TRANSCRIPT {
                true => transcript.extend_from_slice(message.raw),
                false => self.rsa.transcript = None,
            }
        }
        let tls13 = self.version() == Some(Version::TLS13);
        match message.kind {
            kind::CLIENT_KEY_EXCHANGE => {
                self.rsa.encrypted = handshake::encrypted_premaster(message.body).map(Into::into);
                self.rsa.complete = true;
            }
            kind::CERTIFICATE_REQUEST if !self.is_client(from) => {
                self.client_certificate = ClientCertificate::Asked;
            }
            kind::CERTIFICATE if self.is_client(from) => {
                self.client_certificate = match handshake::has_certificate(message.body, tls13) {
                    true => ClientCertificate::Sent,
                    false => ClientCertificate::Absent,
                };
            }
            kind::NEW_SESSION_TICKET if !tls13 => {
                self.ticket = handshake::ticket(message.body).map(Into::into);
                if let (Some(ticket), Some(master)) = (&self.ticket, &self.master) {
                    keys.remember(ticket, master.bytes());
                }
            }
            kind::ENCRYPTED_EXTENSIONS if tls13 => {
                let (alpn, early_data) = handshake::encrypted_extensions(message.body);
                self.alpn = alpn;
                if self.early_data == EarlyData::Offered {
                    self.early_data = if early_data { EarlyData::Accepted } else { EarlyData::Rejected };
                }
            }
            _ => {}
        }
        if let Protection::Tls13(state) = &mut self.direction(from).protection {
            match message.kind {
                kind::END_OF_EARLY_DATA if state.phase() == Some(Phase::Early) => {
                    state.enter(Phase::Handshake)
                }
                kind::FINISHED if state.phase() == Some(Phase::Handshake) => state.enter(Phase::Application),
                kind::KEY_UPDATE => state.update(),
                _ => {}
            }
        }
    }

    pub(super) fn client_hello(&mut self, from: Side, body: &[u8], keys: &Keyring) {
        let Some(hello) = ClientHello::parse(body) else { return };
        let retried = self.early_data == EarlyData::Rejected;
        self.early_data = match hello.early_data {
            _ if retried => EarlyData::Rejected,
            true => EarlyData::Offered,
            false => EarlyData::None,
        };
        self.client = Some(from);
        self.client_hello = Some(Box::new(hello));
        self.master = None;
        // A hello of the other side that came first belongs to this one; an older one to the connection before a
        // renegotiation.
        if matches!(self.direction(from).protection, Protection::Tls12(_)) {
            self.server_hello = None;
        }
        self.rsa = Rsa { transcript: keys.log().has_premasters().then(Vec::new), ..Rsa::default() };
    }

    pub(super) fn server_hello(&mut self, from: Side, body: &[u8]) {
        let Some(hello) = ServerHello::parse(body) else { return };
        if hello.is_retry() {
            // Early data are over with a second hello (RFC 8446 §4.2.10).
            self.early_data = EarlyData::Rejected;
            return;
        }
        self.client.get_or_insert(from.other());
        self.server_hello = Some(Box::new(hello));
    }

    /// Master secrets that may be the one, by what is known of this connection.
    pub(super) fn masters(&self, keys: &Keyring) -> Vec<Secret> {
        let (Some(client), Some(server)) = (&self.client_hello, &self.server_hello) else {
            return Vec::new();
        };
        self.master
            .into_iter()
            .chain(keys.masters(&client.random))
            .chain(self.master_by_rsa(client, server, keys.log()))
            .collect()
    }

    /// Master secrets that may be the one, by what is known of the session that it resumes.
    pub(super) fn resumed(&self, keys: &Keyring) -> Vec<Secret> {
        let (Some(client), Some(server)) = (&self.client_hello, &self.server_hello) else {
            return Vec::new();
        };
        let resumed = (client.session_id == server.session_id).then_some(&client.session_id);
        resumed.into_iter().chain(&client.ticket).filter_map(|name| keys.session(name)).collect()
    }

    /// The master secret of RSA key exchange (RFC 5246 §8.1, RFC 7627 §4).
    pub(super) fn master_by_rsa(
        &self,
        client: &ClientHello,
        server: &ServerHello,
        log: &KeyLog,
    ) -> Option<Secret> {
        let premaster = log.premaster(self.rsa.encrypted.as_deref()?)?;
        let (_, hash) = server.suite.parts()?;
        let master = match server.extended_master_secret {
            true => {
                let session_hash = hash.of(self.rsa.transcript.as_deref()?);
                prf(hash, premaster.bytes(), "extended master secret", &[&session_hash], 48)
            }
            false => prf(hash, premaster.bytes(), "master secret", &[&client.random, &server.random], 48),
        };
        Secret::new(&master?)
    }

    pub(super) fn opener12(&self, from: Side, master: &Secret) -> Option<Opener> {
        let (client, server) = (self.client_hello.as_ref()?, self.server_hello.as_ref()?);
        let params = Params12 {
            suite: server.suite,
            client_random: &client.random,
            server_random: &server.random,
            encrypt_then_mac: server.encrypt_then_mac,
        };
        let [clients, servers] = Opener::tls12(params, master.bytes())?;
        Some(if self.is_client(from) { clients } else { servers })
    }

    /// Remembers what a later connection may resume.
    pub(super) fn keep_master(&mut self, master: Secret, keys: &mut Keyring) {
        self.master = Some(master);
        if let Some(hello) = &self.server_hello {
            keys.remember(&hello.session_id, master.bytes());
        }
        if let Some(ticket) = &self.ticket {
            keys.remember(ticket, master.bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::PacketId;
    use crate::time::Timestamp;
    use crate::tls::testing::{C, S, client_hello, message, record, server_hello};

    #[test]
    fn a_transcript_is_kept_up_to_its_bound() {
        let seen = Seen { packet: PacketId::new(0, 1), at: Timestamp::default() };
        let mut log = KeyLog::default();
        log.read(format!("RSA 0102030405060708 {}", "07".repeat(48)).as_bytes());
        for (certificates, kept) in [(4, true), (5, false), (16, false)] {
            let (mut session, mut keys) = (Session::new(), Keyring::new(log.clone(), false));
            let mut say = |from, bytes: &[u8]| session.data(from, bytes, seen, &mut keys, &mut |_, _| {});
            say(C, &client_hello(false));
            say(S, &server_hello([2; 32]));
            // As many as fit beside the hellos.
            let certificate = message(11, &vec![7; (limits::TLS_TRANSCRIPT - 1000) / 4]);
            for _ in 0..certificates {
                certificate.chunks(1 << 14).for_each(|piece| say(S, &record(22, piece)));
            }
            let transcript = session.rsa.transcript.as_ref();
            assert_eq!(transcript.is_some(), kept, "{certificates} certificates");
            assert!(transcript.is_none_or(|bytes| bytes.len() <= limits::TLS_TRANSCRIPT));
        }
    }
}
