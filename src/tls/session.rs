//! One TLS connection: records of both directions become the bytes inside them, or only facts.

use super::alert::{Alert, AlertDescription};
use super::facts::{Facts, Opened, Sent, Version};
use super::handshake::{self, ClientHello, Message, Messages, ServerHello, kind};
use super::keylog::{KeyLog, Secret};
use super::keyring::Keyring;
use super::open::{Opener, Params12};
use super::protect::{Attempt, Opening, Phase, Protection, Tls12, Tls13};
use super::record::{ContentType, Header, Lost, Record, Records};
use super::schedule::prf;
use crate::capture::Seen;
use crate::limits;
use crate::net::Side;
use crate::role::{Role, Sides};
use std::collections::VecDeque;
use std::mem::take;

/// One TLS connection. Its bytes go in as TCP told them, the application's come out in the same form.
pub struct Session {
    /// Who sent the client hello.
    client: Option<Side>,
    client_hello: Option<Box<ClientHello>>,
    server_hello: Option<Box<ServerHello>>,
    early_data: EarlyData,
    /// Protocol by EncryptedExtensions.
    alpn: Option<String>,
    rsa: Rsa,
    /// The master secret that opened TLS 1.2, and the ticket issued for it.
    master: Option<Secret>,
    ticket: Option<Box<[u8]>>,
    low: Direction,
    high: Direction,
    alerts: Vec<(Side, Seen, [u8; 2])>,
    /// Whether any application data were opened.
    readable: bool,
    tries: u32,
}

/// What comes out, in the form that TCP has it: offsets count the application's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plain<'a> {
    /// The next bytes of one direction. Never empty.
    Data {
        /// Who sent them.
        from: Side,
        /// Offset of the first byte.
        offset: u64,
        /// The bytes.
        bytes: &'a [u8],
        /// The packet with the last byte of their record.
        seen: Seen,
    },
    /// Bytes that cannot be opened, or that the capture lacks.
    Gap {
        /// Whose bytes they are.
        from: Side,
        /// Offset of the first one.
        offset: u64,
        /// How many they are; exact where only whole records without padding are lost.
        len: u64,
        /// Where this was seen.
        seen: Seen,
    },
}

/// Where it goes. The keys are lent on, for TLS inside TLS.
pub type Out<'o> = dyn FnMut(Plain<'_>, &mut Keyring) + 'o;

#[derive(Default)]
struct Direction {
    records: Records,
    messages: Messages,
    protection: Protection,
    /// Records that wait for a key or for the other side.
    pending: VecDeque<Pending>,
    pending_bytes: usize,
    /// The generation of keys of which none helped the first of them.
    waits_since: Option<u32>,
    /// Application bytes so far, missing ones included.
    plain: u64,
    /// What is missing before the next record that can be opened.
    lost: Option<Lost>,
    /// Application bytes that could not be opened and were not told yet.
    unread: u64,
    /// Whether a key was tried, and whether one opened a record.
    tried: bool,
    opened: bool,
    sent: Sent,
}

struct Pending {
    header: Header,
    body: Box<[u8]>,
    lost: Option<Lost>,
    seen: Seen,
}

/// What became of early data (RFC 8446 §4.2.10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum EarlyData {
    None,
    Offered,
    Accepted,
    Rejected,
}

/// RSA key exchange: what leads from a premaster secret to the master secret.
#[derive(Default)]
struct Rsa {
    encrypted: Option<Box<[u8]>>,
    /// Messages up to the client's key exchange, for the extended master secret (RFC 7627 §3).
    transcript: Option<Vec<u8>>,
    /// Whether that message came.
    complete: bool,
}

/// Whether a record is dealt with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Done,
    /// It needs a key that may still come.
    NeedsKey,
    /// It needs something of the other side.
    NeedsPeer,
}

use Progress::{Done, NeedsKey, NeedsPeer};

impl Default for Session {
    fn default() -> Self {
        Session::new()
    }
}

impl Session {
    /// Before its first byte.
    pub fn new() -> Session {
        Session {
            client: None,
            client_hello: None,
            server_hello: None,
            early_data: EarlyData::None,
            alpn: None,
            rsa: Rsa::default(),
            master: None,
            ticket: None,
            low: Direction::default(),
            high: Direction::default(),
            alerts: Vec::new(),
            readable: false,
            tries: limits::TLS_TRIES,
        }
    }

    /// Takes the next bytes of one side; `out` is given what they hold.
    pub fn data(&mut self, from: Side, bytes: &[u8], seen: Seen, keys: &mut Keyring, out: &mut Out<'_>) {
        let mut records = take(&mut self.direction(from).records);
        let mut rest = bytes;
        while let Some(record) = records.next(&mut rest) {
            self.arrive(from, record, seen, keys, out);
        }
        if matches!(self.direction(from).protection, Protection::Sealed) {
            records.skim();
        }
        self.direction(from).records = records;
    }

    /// Takes a gap in the bytes of one side.
    pub fn gap(&mut self, from: Side, len: u64) {
        let direction = self.direction(from);
        direction.records.gap(len);
        direction.sent.missing = direction.sent.missing.saturating_add(len);
    }

    /// The connection is over: tells what is missing at its end, and gives back the room of what waits.
    pub fn finish(&mut self, seen: Seen, keys: &mut Keyring, out: &mut Out<'_>) {
        self.drain(keys, out);
        for from in [Side::Low, Side::High] {
            if !self.direction(from).pending.is_empty() {
                self.give_up(from, keys);
            }
            let direction = self.direction(from);
            let lost = join(direction.lost.take(), direction.records.end());
            direction.unread = direction.unread.saturating_add(lost.map_or(0, |lost| lost.span));
        }
        self.tell_unread(seen, keys, out);
    }

    /// Nobody wants to know what waits: gives back its room.
    pub fn forget(&mut self, keys: &mut Keyring) {
        for from in [Side::Low, Side::High] {
            self.give_up(from, keys);
        }
    }

    /// Bytes that are kept because a record or message is not whole. What waits for a key is counted elsewhere.
    pub fn buffered(&self) -> usize {
        let of = |direction: &Direction| {
            direction.records.buffered().saturating_add(direction.messages.buffered())
        };
        of(&self.low).saturating_add(of(&self.high))
    }

    /// Whether something waits for a key that may still come.
    pub fn is_waiting(&self) -> bool {
        [&self.low, &self.high].into_iter().any(|direction| direction.waits_since.is_some())
    }

    /// Whether any application data were opened.
    pub fn is_readable(&self) -> bool {
        self.readable
    }

    /// Who sent the client hello.
    pub fn client(&self) -> Option<Side> {
        self.client
    }

    /// What is known of it, where `client` is who asked.
    pub fn facts(&self, client: Side, keys: &Keyring) -> Facts {
        let role = |side| if side == client { Role::Client } else { Role::Server };
        let alert = |&(from, seen, [level, description]): &(Side, Seen, [u8; 2])| Alert {
            from: role(from),
            seen,
            level,
            description: AlertDescription(description),
        };
        let (low, high) = (self.low.sent, self.high.sent);
        let client_hello = self.client_hello.as_deref();
        let server_hello = self.server_hello.as_deref();
        Facts {
            version: server_hello.map(|hello| Version(hello.version)),
            offered: client_hello.map(|hello| Version(hello.version)),
            cipher_suite: server_hello.map(|hello| hello.suite),
            server_name: client_hello.and_then(|hello| hello.server_name.clone()),
            alpn: self.alpn.clone().or_else(|| server_hello.and_then(|hello| hello.alpn.clone())),
            alpn_offered: client_hello.map(|hello| hello.alpn.clone()).unwrap_or_default(),
            opened: self.opened(client, keys.log()),
            alerts: self.alerts.iter().map(alert).collect(),
            sent: match client {
                Side::Low => Sides { client: low, server: high },
                Side::High => Sides { client: high, server: low },
            },
        }
    }

    /// Whether it could be opened, and why not.
    fn opened(&self, client: Side, log: &KeyLog) -> Opened {
        let roles = match client {
            Side::Low => [Role::Client, Role::Server],
            Side::High => [Role::Server, Role::Client],
        };
        let sides = roles.into_iter().zip([&self.low, &self.high]);
        let read =
            |direction: &Direction| direction.opened && !matches!(direction.protection, Protection::Sealed);
        if sides.clone().all(|(_, direction)| direction.sent.protected == 0) {
            return Opened::Nothing;
        }
        let unread =
            sides.clone().filter(|(_, direction)| direction.sent.protected > 0 && !read(direction)).count();
        match sides.clone().find(|(_, direction)| read(direction)) {
            Some(_) if unread == 0 => return Opened::Yes,
            Some((role, _)) => return Opened::Only(role),
            None => {}
        }
        let (Some(_), Some(hello)) = (&self.client_hello, &self.server_hello) else { return Opened::Lost };
        if hello.suite.parts().is_none() || Version(hello.version) < Version::TLS12 {
            Opened::Unsupported
        } else if log.is_empty() {
            Opened::NoKeys
        } else if self.low.tried || self.high.tried {
            Opened::WrongKeys
        } else if self.client_hello.as_ref().is_some_and(|hello| log.knows(&hello.random)) {
            // It came when nothing waited for it any more.
            Opened::Lost
        } else {
            Opened::OtherKeys
        }
    }

    fn direction(&mut self, side: Side) -> &mut Direction {
        match side {
            Side::Low => &mut self.low,
            Side::High => &mut self.high,
        }
    }

    fn is_client(&self, side: Side) -> bool {
        self.client == Some(side)
    }

    /// The version that is spoken, once the server said.
    fn version(&self) -> Option<Version> {
        self.server_hello.as_ref().map(|hello| Version(hello.version))
    }

    /// Deals with a record, or lets it wait.
    fn arrive(&mut self, from: Side, record: Record<'_>, seen: Seen, keys: &mut Keyring, out: &mut Out<'_>) {
        let direction = self.direction(from);
        let sent = &mut direction.sent;
        sent.records = sent.records.saturating_add(1);
        sent.bytes = sent.bytes.saturating_add(record.header.len() as u64);
        sent.first.get_or_insert(seen);
        sent.last = Some(seen);
        if record.header.kind == ContentType::ApplicationData
            || matches!(direction.protection, Protection::Tls12(_) | Protection::Sealed)
        {
            sent.protected = sent.protected.saturating_add(1);
        }
        if direction.pending.is_empty() {
            match self.process(from, record, seen, keys, out) {
                Done => return self.drain(keys, out),
                NeedsKey => self.direction(from).waits_since = Some(keys.generation()),
                NeedsPeer => {}
            }
        }
        self.wait(from, record, seen, keys);
        self.drain(keys, out);
    }

    /// Keeps a record that cannot be opened yet.
    fn wait(&mut self, from: Side, record: Record<'_>, seen: Seen, keys: &mut Keyring) {
        let hopeless = !keys.may_grow() && keys.log().is_empty();
        let direction = self.direction(from);
        // A small record costs its place in the queue too.
        let len = record.body.len().saturating_add(size_of::<Pending>());
        let total = direction.pending_bytes.saturating_add(len);
        if hopeless || total > limits::TLS_WAITING || !keys.reserve(len) {
            self.give_up(from, keys);
            return self.unread(from, record.header.len());
        }
        direction.pending_bytes = total;
        let Record { header, body, lost } = record;
        direction.pending.push_back(Pending { header, body: body.into(), lost, seen });
    }

    /// Lets nothing of this side wait any more.
    fn give_up(&mut self, from: Side, keys: &mut Keyring) {
        let direction = self.direction(from);
        direction.protection = Protection::Sealed;
        direction.waits_since = None;
        keys.release(take(&mut direction.pending_bytes));
        for pending in take(&mut direction.pending) {
            self.unread(from, pending.header.len());
        }
    }

    /// Deals with what waits, as far as that goes, in the order of the packets.
    fn drain(&mut self, keys: &mut Keyring, out: &mut Out<'_>) {
        let mut stuck = [false; 2];
        loop {
            let [low_stuck, high_stuck] = stuck;
            let generation = keys.generation();
            let first = [(Side::Low, &self.low, low_stuck), (Side::High, &self.high, high_stuck)]
                .into_iter()
                .filter(|(_, direction, stuck)| !stuck && direction.waits_since != Some(generation))
                .filter_map(|(side, direction, _)| Some((direction.pending.front()?.seen.packet, side)))
                .min_by_key(|&(packet, _)| packet);
            let Some((_, from)) = first else { return };
            let direction = self.direction(from);
            direction.waits_since = None;
            let Some(pending) = direction.pending.pop_front() else { return };
            let record = Record { header: pending.header, body: &pending.body, lost: pending.lost };
            match self.process(from, record, pending.seen, keys, out) {
                Done => {
                    let len = pending.body.len().saturating_add(size_of::<Pending>());
                    let direction = self.direction(from);
                    direction.pending_bytes = direction.pending_bytes.saturating_sub(len);
                    keys.release(len);
                    // What one side brought may be what the other waits for.
                    stuck = [false; 2];
                }
                needs => {
                    let direction = self.direction(from);
                    direction.waits_since = (needs == NeedsKey).then_some(generation);
                    direction.pending.push_front(pending);
                    match from {
                        Side::Low => stuck = [true, high_stuck],
                        Side::High => stuck = [low_stuck, true],
                    }
                }
            }
        }
    }

    fn process(
        &mut self,
        from: Side,
        record: Record<'_>,
        seen: Seen,
        keys: &mut Keyring,
        out: &mut Out<'_>,
    ) -> Progress {
        match self.direction(from).protection {
            Protection::Clear => self.clear(from, record, seen, keys, out),
            Protection::Tls12(_) => self.tls12(from, record, seen, keys, out),
            Protection::Tls13(_) => self.tls13(from, record, seen, keys, out),
            Protection::Sealed => {
                self.unread(from, record.header.len());
                if self.readable {
                    self.tell_unread(seen, keys, out);
                }
                Done
            }
        }
    }

    /// A record before protection.
    fn clear(
        &mut self,
        from: Side,
        record: Record<'_>,
        seen: Seen,
        keys: &mut Keyring,
        out: &mut Out<'_>,
    ) -> Progress {
        if record.lost.is_some() {
            self.direction(from).messages.gap();
        }
        match record.header.kind {
            ContentType::Handshake => self.handshake(from, record.body, keys),
            ContentType::Alert => self.alert(from, record.body, seen),
            ContentType::Heartbeat => {}
            ContentType::ChangeCipherSpec | ContentType::ApplicationData => {
                // Without the ServerHello nothing is known of keys.
                let Some(hello) = self.server_hello.as_ref() else { return NeedsPeer };
                if self.client_hello.is_none() {
                    return NeedsPeer;
                }
                let (version, suite) = (Version(hello.version), hello.suite);
                let is_change = record.header.kind == ContentType::ChangeCipherSpec;
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
                    return self.process(from, record, seen, keys, out);
                }
            }
        }
        Done
    }

    fn tls12(
        &mut self,
        from: Side,
        record: Record<'_>,
        seen: Seen,
        keys: &mut Keyring,
        out: &mut Out<'_>,
    ) -> Progress {
        let Protection::Tls12(mut state) = take(&mut self.direction(from).protection) else { return Done };
        let mut scratch = take(&mut keys.scratch);
        let mut tries = self.tries;
        let lost = join(self.direction(from).lost, record.lost);
        let mut attempt =
            Attempt { header: &record.header, body: record.body, lost, tries: &mut tries, out: &mut scratch };
        let mut progress = Done;
        let mut opening = None;
        if state.has_keys() {
            opening = state.open(&mut attempt);
        } else {
            let masters = self.masters(keys);
            self.direction(from).tried |= !masters.is_empty();
            for master in &masters {
                let Some(opener) = self.opener12(from, master) else { continue };
                opening = state.begin(opener, &mut attempt);
                if opening.is_some() {
                    self.keep_master(*master, keys);
                    break;
                }
            }
            if opening.is_none() && keys.may_grow() {
                progress = NeedsKey;
            }
        }
        self.tries = tries;
        let is_first = !state.has_keys();
        self.direction(from).protection = Protection::Tls12(state);
        match opening {
            Some(opening) => self.opened_record(from, opening, lost, &scratch, seen, keys, out),
            None if progress == NeedsKey => {}
            None if is_first || self.tries == 0 => {
                self.direction(from).protection = Protection::Sealed;
                self.unread(from, record.header.len());
            }
            None => self.failed(from, record, lost),
        }
        keys.scratch = scratch;
        progress
    }

    fn tls13(
        &mut self,
        from: Side,
        record: Record<'_>,
        seen: Seen,
        keys: &mut Keyring,
        out: &mut Out<'_>,
    ) -> Progress {
        match record.header.kind {
            ContentType::ApplicationData => {}
            // A client that cannot compute keys says so in the clear.
            ContentType::Alert => {
                self.alert(from, record.body, seen);
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
        let mut scratch = take(&mut keys.scratch);
        let mut tries = self.tries;
        let lost = join(self.direction(from).lost, record.lost);
        let mut attempt =
            Attempt { header: &record.header, body: record.body, lost, tries: &mut tries, out: &mut scratch };
        let random = self.client_hello.as_ref().map(|hello| hello.random).unwrap_or_default();
        let log = keys.log();
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
            Some(opening) => self.opened_record(from, opening, lost, &scratch, seen, keys, out),
            // The log may be written while the capture runs, a line at a time.
            None if !complete && keys.may_grow() => progress = NeedsKey,
            None if !has_keys || self.tries == 0 => {
                self.direction(from).protection = Protection::Sealed;
                self.unread(from, record.header.len());
                if self.readable {
                    self.tell_unread(seen, keys, out);
                }
            }
            None => self.failed(from, record, lost),
        }
        keys.scratch = scratch;
        progress
    }

    /// What no key opens counts as lost.
    fn failed(&mut self, from: Side, record: Record<'_>, lost: Option<Lost>) {
        let len = Header::LEN.saturating_add(record.header.len()) as u64;
        self.direction(from).lost = join(lost, Some(Lost { span: len, least: 1, most: 1 }));
    }

    #[allow(clippy::too_many_arguments, reason = "one record and where it goes")]
    fn opened_record(
        &mut self,
        from: Side,
        opening: Opening,
        lost: Option<Lost>,
        bytes: &[u8],
        seen: Seen,
        keys: &mut Keyring,
        out: &mut Out<'_>,
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
                self.tell_unread(seen, keys, out);
                let direction = self.direction(from);
                let offset = direction.plain;
                direction.plain = offset.saturating_add(bytes.len() as u64);
                out(Plain::Data { from, offset, bytes, seen }, keys);
            }
            ContentType::Handshake => self.handshake(from, bytes, keys),
            ContentType::Alert => self.alert(from, bytes, seen),
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
    fn unread(&mut self, from: Side, record: usize) {
        let direction = self.direction(from);
        // A tag and a type, or an explicit nonce and a tag: what a record has at least beside its contents.
        direction.unread = direction.unread.saturating_add(record.saturating_sub(17) as u64);
    }

    /// Tells gaps of both sides, once anything can be told.
    fn tell_unread(&mut self, seen: Seen, keys: &mut Keyring, out: &mut Out<'_>) {
        if !self.readable {
            return;
        }
        for from in [Side::Low, Side::High] {
            let direction = self.direction(from);
            let len = take(&mut direction.unread);
            if len > 0 {
                let offset = direction.plain;
                direction.plain = offset.saturating_add(len);
                out(Plain::Gap { from, offset, len, seen }, keys);
            }
        }
    }

    fn alert(&mut self, from: Side, bytes: &[u8], seen: Seen) {
        if let &[level, description] = bytes
            && self.alerts.len() < limits::TLS_ALERTS
        {
            self.alerts.push((from, seen, [level, description]));
        }
    }

    /// Handshake bytes, in the clear or opened.
    fn handshake(&mut self, from: Side, bytes: &[u8], keys: &mut Keyring) {
        let mut messages = take(&mut self.direction(from).messages);
        let mut rest = bytes;
        while let Some(message) = messages.next(&mut rest) {
            self.message(from, message, keys);
        }
        self.direction(from).messages = messages;
    }

    fn message(&mut self, from: Side, message: Message<'_>, keys: &mut Keyring) {
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

    fn client_hello(&mut self, from: Side, body: &[u8], keys: &Keyring) {
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

    fn server_hello(&mut self, from: Side, body: &[u8]) {
        let Some(hello) = ServerHello::parse(body) else { return };
        if hello.is_retry() {
            // Early data are over with a second hello (RFC 8446 §4.2.10).
            self.early_data = EarlyData::Rejected;
            return;
        }
        self.client.get_or_insert(from.other());
        self.server_hello = Some(Box::new(hello));
    }

    /// Master secrets that may be the one.
    fn masters(&self, keys: &Keyring) -> Vec<Secret> {
        let (Some(client), Some(server)) = (&self.client_hello, &self.server_hello) else {
            return Vec::new();
        };
        let resumed = (client.session_id == server.session_id).then_some(&client.session_id);
        let names = resumed.into_iter().chain(&client.ticket);
        self.master
            .into_iter()
            .chain(keys.masters(&client.random))
            .chain(self.master_by_rsa(client, server, keys.log()))
            .chain(names.filter(|name| !name.is_empty()).filter_map(|name| keys.session(name)))
            .collect()
    }

    /// The master secret of RSA key exchange (RFC 5246 §8.1, RFC 7627 §4).
    fn master_by_rsa(&self, client: &ClientHello, server: &ServerHello, log: &KeyLog) -> Option<Secret> {
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

    fn opener12(&self, from: Side, master: &Secret) -> Option<Opener> {
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
    fn keep_master(&mut self, master: Secret, keys: &mut Keyring) {
        self.master = Some(master);
        if let Some(hello) = &self.server_hello {
            keys.remember(&hello.session_id, master.bytes());
        }
        if let Some(ticket) = &self.ticket {
            keys.remember(ticket, master.bytes());
        }
    }
}

fn join(a: Option<Lost>, b: Option<Lost>) -> Option<Lost> {
    let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
    Some(Lost {
        span: a.span.saturating_add(b.span),
        least: a.least.saturating_add(b.least),
        most: a.most.saturating_add(b.most),
    })
}
