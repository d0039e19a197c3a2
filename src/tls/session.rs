//! One TLS connection: records of both directions become the bytes inside them, or only facts.

mod messages;
mod protected;

use super::alert::{Alert, AlertDescription};
use super::facts::{ClientCertificate, Facts, Opened, Pause, PlainAnswer, Sent, Version};
use super::handshake::{ClientHello, Messages, ServerHello};
use super::keylog::{KeyLog, Secret};
use super::keyring::Keyring;
use super::protect::Protection;
use super::record::{ContentType, Header, Lost, Record, Records};
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
    pause: Option<Pause<Side>>,
    client_certificate: ClientCertificate,
    /// What the client hello was answered with instead of TLS.
    plain_answer: Option<Box<PlainAnswer>>,
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

/// Takes what comes out. The keys are lent on, for TLS inside TLS.
pub type Out<'o> = dyn FnMut(Plain<'_>, &mut Keyring) + 'o;

/// Where the contents of a record go, and the keys to open it.
struct Outlet<'a, 'o> {
    /// The packet with the last byte of the record.
    seen: Seen,
    keys: &'a mut Keyring,
    out: &'a mut Out<'o>,
}

impl<'o> Outlet<'_, 'o> {
    /// The same for a record that ended with another packet.
    fn at(&mut self, seen: Seen) -> Outlet<'_, 'o> {
        Outlet { seen, keys: self.keys, out: self.out }
    }

    fn tell(&mut self, plain: Plain<'_>) {
        (self.out)(plain, self.keys);
    }
}

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

impl Direction {
    /// Whether nothing came yet.
    fn is_untouched(&self) -> bool {
        self.sent == Sent::default() && self.records.is_untouched()
    }
}

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
            pause: None,
            client_certificate: ClientCertificate::default(),
            plain_answer: None,
            readable: false,
            tries: limits::TLS_TRIES,
        }
    }

    /// Takes the next bytes of one side; `out` is given what they hold.
    pub fn data(&mut self, from: Side, bytes: &[u8], seen: Seen, keys: &mut Keyring, out: &mut Out<'_>) {
        let to = &mut Outlet { seen, keys, out };
        if bytes.starts_with(b"HTTP/1.") && self.direction(from).is_untouched() {
            let begins = bytes.get(..bytes.len().min(limits::QUOTE)).unwrap_or_default().into();
            self.plain_answer = Some(Box::new(PlainAnswer { seen, begins }));
        }
        let mut records = take(&mut self.direction(from).records);
        let mut rest = bytes;
        while let Some(record) = records.next(&mut rest) {
            self.arrive(from, record, to);
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
        let to = &mut Outlet { seen, keys, out };
        self.drain(to);
        for from in [Side::Low, Side::High] {
            if !self.direction(from).pending.is_empty() {
                self.give_up(from, to.keys);
            }
            let direction = self.direction(from);
            let lost = join(direction.lost.take(), direction.records.end());
            direction.unread = direction.unread.saturating_add(lost.map_or(0, |lost| lost.span));
        }
        self.tell_unread(to);
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
            client_certificate: self.client_certificate,
            opened: self.opened(client, keys.log()),
            alerts: self.alerts.iter().map(alert).collect(),
            sent: match client {
                Side::Low => Sides { client: low, server: high },
                Side::High => Sides { client: high, server: low },
            },
            pause: self.pause.map(|pause| pause.map(role)),
            plain_answer: self.plain_answer.clone(),
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
    fn arrive(&mut self, from: Side, record: Record<'_>, to: &mut Outlet<'_, '_>) {
        let seen = to.seen;
        let (own, other) = (self.direction(from).sent.last, self.direction(from.other()).sent.last);
        self.pause = Pause::after(self.pause, own, other, from, seen);
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
            sent.protected_bytes = sent.protected_bytes.saturating_add(record.header.len() as u64);
        }
        if direction.pending.is_empty() {
            match self.process(from, record, to) {
                Done => return self.drain(to),
                NeedsKey => self.direction(from).waits_since = Some(to.keys.generation()),
                NeedsPeer => {}
            }
        }
        self.wait(from, record, seen, to.keys);
        self.drain(to);
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
    fn drain(&mut self, to: &mut Outlet<'_, '_>) {
        let mut stuck = [false; 2];
        loop {
            let [low_stuck, high_stuck] = stuck;
            let generation = to.keys.generation();
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
            match self.process(from, record, &mut to.at(pending.seen)) {
                Done => {
                    let len = pending.body.len().saturating_add(size_of::<Pending>());
                    let direction = self.direction(from);
                    direction.pending_bytes = direction.pending_bytes.saturating_sub(len);
                    to.keys.release(len);
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
}

/// What is missing in both of two places.
fn join(a: Option<Lost>, b: Option<Lost>) -> Option<Lost> {
    let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
    Some(Lost {
        span: a.span.saturating_add(b.span),
        least: a.least.saturating_add(b.least),
        most: a.most.saturating_add(b.most),
    })
}
