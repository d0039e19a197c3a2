//! Records as they come: in the clear, under the keys of TLS 1.2 or 1.3, or sealed for good.

use super::Progress::{self, Done, NeedsKey, NeedsPeer};
use super::{EarlyData, Outlet, Plain, Session, join};
use crate::net::Side;
use crate::tls::facts::Version;
use crate::tls::protect::{Attempt, Opening, Phase, Protection, Tls12, Tls13};
use crate::tls::record::{ContentType, Header, Lost, Record};
use std::mem::take;

impl Session {
    pub(super) fn process(&mut self, from: Side, record: Record<'_>, to: &mut Outlet<'_, '_>) -> Progress {
        match self.direction(from).protection {
            Protection::Clear => self.clear(from, record, to),
            Protection::Tls12(_) => self.tls12(from, record, to),
            Protection::Tls13(_) => self.tls13(from, record, to),
            Protection::Sealed => {
                self.unread(from, record.header.len());
                if self.readable {
                    self.tell_unread(to);
                }
                Done
            }
        }
    }

    /// A record before protection.
    pub(super) fn clear(&mut self, from: Side, record: Record<'_>, to: &mut Outlet<'_, '_>) -> Progress {
        if record.lost.is_some() {
            self.direction(from).messages.gap();
        }
        match record.header.kind {
            ContentType::Handshake => self.handshake(from, record.body, to.keys),
            ContentType::Alert => self.alert(from, record.body, to.seen),
            ContentType::Heartbeat => {}
            ContentType::ChangeCipherSpec | ContentType::ApplicationData => {
                let is_change = record.header.kind == ContentType::ChangeCipherSpec;
                // Without the ServerHello nothing is known of keys; but after a HelloRetryRequest it is TLS 1.3, where this
                // means nothing, and the ServerHello stands behind it (RFC 8446 §D.4).
                let Some(hello) = self.server_hello.as_ref() else {
                    return if is_change && self.early_data == EarlyData::Rejected {
                        Done
                    } else {
                        NeedsPeer
                    };
                };
                if self.client_hello.is_none() {
                    return NeedsPeer;
                }
                let (version, suite) = (Version(hello.version), hello.suite);
                if version == Version::TLS13 && is_change {
                    return Done;
                }
                let floor = match self.is_client(from) && self.early_data != EarlyData::None {
                    true => Phase::Early,
                    false => Phase::Handshake,
                };
                self.direction(from).protection = match version {
                    _ if suite.parts().is_none() => Protection::Sealed,
                    Version::TLS13 => Protection::Tls13(Box::new(Tls13::new(suite, floor))),
                    Version::TLS12 => Protection::Tls12(Box::default()),
                    _ => Protection::Sealed,
                };
                if !is_change {
                    return self.process(from, record, to);
                }
            }
        }
        Done
    }

    pub(super) fn tls12(&mut self, from: Side, record: Record<'_>, to: &mut Outlet<'_, '_>) -> Progress {
        let Protection::Tls12(mut state) = take(&mut self.direction(from).protection) else { return Done };
        let mut scratch = take(&mut to.keys.scratch);
        let mut tries = self.tries;
        let lost = join(self.direction(from).lost, record.lost);
        let mut attempt =
            Attempt { header: &record.header, body: record.body, lost, tries: &mut tries, out: &mut scratch };
        let mut progress = Done;
        let mut opening = None;
        if state.has_keys() {
            opening = state.open(&mut attempt);
        } else {
            // Sessions only where nothing else opens it, for other shards of the run may have to be waited for.
            for masters in [Self::masters, Self::resumed] {
                let masters = masters(self, to.keys);
                self.direction(from).tried |= !masters.is_empty();
                for master in &masters {
                    let Some(opener) = self.opener12(from, master) else { continue };
                    opening = state.begin(opener, &mut attempt);
                    if opening.is_some() {
                        self.keep_master(*master, to.keys);
                        break;
                    }
                }
                if opening.is_some() {
                    break;
                }
            }
            if opening.is_none() && to.keys.may_grow() {
                progress = NeedsKey;
            }
        }
        self.tries = tries;
        let is_first = !state.has_keys();
        self.direction(from).protection = Protection::Tls12(state);
        match opening {
            Some(opening) => self.opened_record(from, opening, lost, &scratch, to),
            None if progress == NeedsKey => {}
            None if is_first || self.tries == 0 => {
                self.direction(from).protection = Protection::Sealed;
                self.unread(from, record.header.len());
            }
            None => self.failed(from, record, lost),
        }
        to.keys.scratch = scratch;
        progress
    }

    pub(super) fn tls13(&mut self, from: Side, record: Record<'_>, to: &mut Outlet<'_, '_>) -> Progress {
        match record.header.kind {
            ContentType::ApplicationData => {}
            // A client that cannot compute keys says so in the clear.
            ContentType::Alert => {
                self.alert(from, record.body, to.seen);
                return Done;
            }
            _ => return Done,
        }
        let is_client = self.is_client(from);
        if is_client && self.early_data == EarlyData::Offered {
            // Only EncryptedExtensions tell whether the server reads early data.
            match self.direction(from.other()).protection {
                Protection::Sealed => self.early_data = EarlyData::Accepted,
                _ => return NeedsPeer,
            }
        }
        let Protection::Tls13(mut state) = take(&mut self.direction(from).protection) else { return Done };
        if self.early_data != EarlyData::Accepted {
            state.skip_early_data();
        }
        let mut scratch = take(&mut to.keys.scratch);
        let mut tries = self.tries;
        let lost = join(self.direction(from).lost, record.lost);
        let mut attempt =
            Attempt { header: &record.header, body: record.body, lost, tries: &mut tries, out: &mut scratch };
        let random = self.client_hello.as_ref().map(|hello| hello.random).unwrap_or_default();
        let log = to.keys.log();
        let secrets = |phase: Phase| match phase.label(is_client) {
            Some(label) => log.secrets(&random, label).collect(),
            None => Vec::new(),
        };
        let has_keys = state.has_keys(secrets);
        let opening = state.open(&mut attempt, secrets);
        let complete = opening.is_some() || !secrets(Phase::Application).is_empty();
        self.tries = tries;
        self.direction(from).protection = Protection::Tls13(state);
        self.direction(from).tried |= has_keys;
        let mut progress = Done;
        match opening {
            Some(opening) => self.opened_record(from, opening, lost, &scratch, to),
            // The log may be written while the capture runs, a line at a time.
            None if !complete && to.keys.may_grow() => progress = NeedsKey,
            None if !has_keys || self.tries == 0 => {
                self.direction(from).protection = Protection::Sealed;
                self.unread(from, record.header.len());
                if self.readable {
                    self.tell_unread(to);
                }
            }
            None => self.failed(from, record, lost),
        }
        to.keys.scratch = scratch;
        progress
    }

    /// What no key opens counts as lost.
    pub(super) fn failed(&mut self, from: Side, record: Record<'_>, lost: Option<Lost>) {
        let len = Header::LEN.saturating_add(record.header.len()) as u64;
        self.direction(from).lost = join(lost, Some(Lost { span: len, least: 1, most: 1 }));
    }

    /// Tells the contents of a record that was opened.
    pub(super) fn opened_record(
        &mut self,
        from: Side,
        opening: Opening,
        lost: Option<Lost>,
        bytes: &[u8],
        to: &mut Outlet<'_, '_>,
    ) {
        let early = self.early_data;
        let direction = self.direction(from);
        direction.opened = true;
        direction.lost = None;
        let phase = match &direction.protection {
            Protection::Tls13(state) => state.phase(),
            _ => None,
        };
        if lost.is_some() {
            direction.messages.gap();
        }
        if let Some(lost) = lost {
            let records = match phase {
                // Before the first record of the application's keys none of its data can be lost, but early ones.
                Some(Phase::Handshake) if opening.fresh && early == EarlyData::Accepted => lost.least,
                Some(Phase::Handshake) => 0,
                Some(Phase::Early | Phase::Application) | None => opening.skipped,
            };
            if records > 0 {
                let len = lost.span.saturating_sub(opening.overhead.saturating_mul(records)).max(1);
                direction.unread = direction.unread.saturating_add(len);
            }
        }
        match opening.kind {
            ContentType::ApplicationData if bytes.is_empty() => {}
            ContentType::ApplicationData => {
                self.readable = true;
                self.tell_unread(to);
                let direction = self.direction(from);
                let offset = direction.plain;
                direction.plain = offset.saturating_add(bytes.len() as u64);
                to.tell(Plain::Data { from, offset, bytes, seen: to.seen });
            }
            ContentType::Handshake => self.handshake(from, bytes, to.keys),
            ContentType::Alert => self.alert(from, bytes, to.seen),
            // The keys of a renegotiation follow.
            ContentType::ChangeCipherSpec => {
                if let Protection::Tls12(state) = &mut self.direction(from).protection {
                    **state = Tls12::default();
                }
            }
            ContentType::Heartbeat => {}
        }
    }

    /// Counts the contents of a record that cannot be opened.
    pub(super) fn unread(&mut self, from: Side, record: usize) {
        let direction = self.direction(from);
        // A tag and a type, or an explicit nonce and a tag: what a record has at least beside its contents.
        direction.unread = direction.unread.saturating_add(record.saturating_sub(17) as u64);
    }

    /// Tells gaps of both sides, once anything can be told.
    pub(super) fn tell_unread(&mut self, to: &mut Outlet<'_, '_>) {
        if !self.readable {
            return;
        }
        for from in [Side::Low, Side::High] {
            let direction = self.direction(from);
            let len = take(&mut direction.unread);
            if len > 0 {
                let offset = direction.plain;
                direction.plain = offset.saturating_add(len);
                to.tell(Plain::Gap { from, offset, len, seen: to.seen });
            }
        }
    }
}
