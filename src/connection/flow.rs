//! One TCP connection as it turns from unknown to HTTP to WebSocket.

mod hand_out;
mod turn;

use super::ending::Transport;
use super::exchange::Exchange;
use super::facts::{Connection, RoleEvidence};
use super::head_cache::HeadCache;
use super::identify::Identify;
use super::multiplex::Multiplex;
use super::session::Session;
use super::start::Start;
use super::trouble::Troubles;
use crate::capture::{PacketId, Seen};
use crate::net::{Endpoint, FlowKey, Icmp, Side};
use crate::role::Role;
use crate::tcp::ResetKind;
use crate::time::Timestamp;
use crate::tls::{self, Keyring, Plain};
use crate::websocket::Reading;
use std::sync::Arc;

/// What a flow carries, as far as it was heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Protocol {
    /// Something for us, or not decided yet.
    Open,
    /// HTTP/2; connections may be final, see [`Flow::hand_out`].
    Http2,
    /// Nothing for us.
    Nothing,
}

/// One TCP connection. What every packet with payload touches comes first, in one line of memory.
#[repr(C, align(64))]
pub(super) struct Flow {
    /// What is inside all TLS.
    stage: Stage,
    /// TLS, the outermost first: TLS to a proxy may carry a tunnel that carries TLS. A layer is out while it works.
    tls: Vec<Option<Box<tls::Session>>>,
    /// What else happened to each direction.
    trouble: Troubles,
    /// Who is client, once that is known, and by what.
    client: Option<(Side, RoleEvidence)>,
    bounded: bool,
    /// Whether it was counted as HTTP/2.
    counted: bool,
    conflicts: u32,
    /// The last thing that was told of it, but for frames without TLS: see [`Flow::last`].
    last: Seen,
    /// When the last packet of the flow was captured, once it is over.
    heard: Option<Timestamp>,
    start: Box<Start>,
    proxied: Option<Box<(Endpoint, Endpoint)>>,
    /// Upgrades that were answered without a session, before the one in `stage`.
    attempts: Vec<Box<Connection>>,
    /// The first FIN of each direction, in the order of the key.
    fins: [Option<Seen>; 2],
    /// The first reset.
    reset: Option<Box<ResetOf>>,
    /// CONNECT and SOCKS tunnels in each other.
    tunnels: u32,
    heads: Arc<HeadCache>,
    reading: Arc<Reading>,
}

const _: () = assert!(std::mem::offset_of!(Flow, last) <= 64);

/// A reset, before it is known who is the client.
#[derive(Clone, Copy)]
pub(super) struct ResetOf {
    pub(super) side: Side,
    pub(super) seen: Seen,
    pub(super) ttl: u8,
    pub(super) usual_ttl: Option<u8>,
    pub(super) kind: ResetKind,
}

enum Stage {
    /// What this is, is not known yet.
    Unknown(Box<Unknown>),
    /// HTTP/1.1, so far without an accepted upgrade.
    Http(Box<Exchange>),
    /// HTTP/2 with any number of WebSockets.
    Http2(Box<Multiplex>),
    /// WebSocket frames.
    Frames(Box<Session>),
    /// Nothing more to read here, but the ending is awaited.
    Over,
}

/// What is not known yet.
#[derive(Default)]
struct Unknown {
    identify: Identify,
    /// Where the CONNECT or SOCKS tunnel leads in which it is.
    tunnel: Option<String>,
}

impl Flow {
    pub(super) fn new(start: Box<Start>, heads: Arc<HeadCache>, reading: Arc<Reading>) -> Flow {
        Flow {
            client: start.opener.map(|side| (side, RoleEvidence::Syn)),
            proxied: None,
            tls: Vec::new(),
            stage: Stage::Unknown(Box::default()),
            attempts: Vec::new(),
            fins: [None; 2],
            heard: None,
            trouble: Troubles::default(),
            reset: None,
            conflicts: 0,
            tunnels: 0,
            bounded: false,
            counted: false,
            last: start.first,
            start,
            heads,
            reading,
        }
    }

    /// Its first packet.
    pub(super) fn first(&self) -> PacketId {
        self.start.first()
    }

    /// The last packet that was told of.
    fn last(&self) -> Seen {
        let of_frames = match &self.stage {
            Stage::Frames(session) => session.last(),
            _ => None,
        };
        of_frames.filter(|seen| seen.packet > self.last.packet).unwrap_or(self.last)
    }

    /// Takes the next bytes of one side where they are frames and not encrypted; false where only [`Flow::data`] can.
    #[inline]
    pub(super) fn frames(&mut self, from: Side, offset: u64, bytes: &[u8], seen: Seen) -> bool {
        let Stage::Frames(session) = &mut self.stage else { return false };
        if !self.tls.is_empty() {
            return false;
        }
        self.trouble.forget_repeats(from);
        session.data(role(self.client, from), offset, bytes, seen);
        true
    }

    /// Takes the next bytes of one side.
    pub(super) fn data(
        &mut self,
        from: Side,
        offset: u64,
        bytes: &[u8],
        seen: Seen,
        keys: &mut Keyring,
    ) -> Protocol {
        self.last = seen;
        self.trouble.forget_repeats(from);
        self.inside(0, from, offset, bytes, seen, keys)
    }

    /// Takes bytes as they are inside so many layers of TLS.
    #[inline]
    fn inside(
        &mut self,
        depth: usize,
        from: Side,
        offset: u64,
        bytes: &[u8],
        seen: Seen,
        keys: &mut Keyring,
    ) -> Protocol {
        if depth < self.tls.len() {
            return self.work(depth, keys, |session, keys, out| session.data(from, bytes, seen, keys, out));
        }
        if let Stage::Frames(session) = &mut self.stage {
            session.data(role(self.client, from), offset, bytes, seen);
            return Protocol::Open;
        }
        self.data_before_frames(from, offset, bytes, seen, keys)
    }

    fn data_before_frames(
        &mut self,
        from: Side,
        offset: u64,
        bytes: &[u8],
        seen: Seen,
        keys: &mut Keyring,
    ) -> Protocol {
        let depth = self.tls.len();
        match &mut self.stage {
            Stage::Http2(multiplex) => {
                multiplex.data(role(self.client, from), bytes, seen);
                if multiplex.is_over() && !multiplex.has_finished() && self.attempts.is_empty() {
                    return Protocol::Nothing;
                }
                Protocol::Http2
            }
            Stage::Http(exchange) => {
                let heard = exchange.data(role(self.client, from), offset, bytes, seen);
                self.heard(heard, keys)
            }
            Stage::Unknown(unknown) => {
                let client = self.client.map(|(side, _)| side);
                let identified = unknown.identify.data(client, from, offset, bytes, seen);
                let skip = match self.identified(identified, keys) {
                    Ok(skip) => skip,
                    Err(protocol) => return protocol,
                };
                match bytes.get(skip..).unwrap_or_default() {
                    [] => Protocol::Open,
                    rest => self.inside(depth, from, offset + skip as u64, rest, seen, keys),
                }
            }
            Stage::Frames(_) | Stage::Over => Protocol::Open,
        }
    }

    /// Lets one layer of TLS work, and takes what comes out of it.
    fn work(
        &mut self,
        depth: usize,
        keys: &mut Keyring,
        task: impl FnOnce(&mut tls::Session, &mut Keyring, &mut tls::Out<'_>),
    ) -> Protocol {
        let Some(mut session) = self.tls.get_mut(depth).and_then(Option::take) else { return Protocol::Open };
        let mut protocol = Protocol::Open;
        task(&mut session, keys, &mut |plain, keys| {
            let now = match plain {
                _ if !matches!(protocol, Protocol::Open | Protocol::Http2) => return,
                Plain::Data { from, offset, bytes, seen } => {
                    self.inside(depth + 1, from, offset, bytes, seen, keys)
                }
                Plain::Gap { from, offset, len, seen } => {
                    self.gap_inside(depth + 1, from, offset, len, seen, keys)
                }
            };
            if now != Protocol::Open {
                protocol = now;
            }
        });
        if self.client.is_none() {
            self.client = session.client().map(|side| (side, RoleEvidence::Tls));
        }
        self.tls[depth] = Some(session);
        protocol
    }

    /// Whether it is TLS, and whether that could be opened.
    pub(super) fn tls(&self) -> Option<bool> {
        let session = self.tls.first()?;
        Some(session.as_ref().is_some_and(|session| session.is_readable()))
    }

    /// Whether some of it waits for a key.
    pub(super) fn waits_for_key(&self) -> bool {
        self.tls.iter().flatten().any(|session| session.is_waiting())
    }

    /// The flow is forgotten: gives back the room of what waits.
    pub(super) fn forget(&mut self, keys: &mut Keyring) {
        self.tls.iter_mut().flatten().for_each(|session| session.forget(keys));
    }

    /// Bytes that are kept until it is known what they are; none once there are frames.
    #[inline]
    pub(super) fn buffered(&self) -> usize {
        let inside = match &self.stage {
            Stage::Frames(_) | Stage::Over => 0,
            Stage::Http(exchange) => exchange.buffered(),
            Stage::Http2(multiplex) => multiplex.buffered(),
            Stage::Unknown(unknown) => unknown.identify.buffered(),
        };
        // What a key opens is ours: only a stranger's records are counted.
        let records = self.tls.iter().flatten().filter(|session| !session.is_readable());
        inside + records.map(|session| session.buffered()).sum::<usize>()
    }

    /// Gives up what is not known to be WebSocket yet, to free the bytes that wait.
    pub(super) fn give_up(&mut self, keys: &mut Keyring) -> Protocol {
        self.forget(keys);
        self.bounded = true;
        if let Stage::Http2(multiplex) = &mut self.stage {
            multiplex.give_up(self.last);
            return Protocol::Http2;
        }
        if let Stage::Http(exchange) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.take_attempts(*exchange, true);
        }
        if self.attempts.is_empty() { Protocol::Nothing } else { Protocol::Open }
    }

    /// Takes a gap in the bytes of one side.
    pub(super) fn gap(
        &mut self,
        from: Side,
        offset: u64,
        len: u64,
        seen: Seen,
        keys: &mut Keyring,
    ) -> Protocol {
        self.gap_inside(0, from, offset, len, seen, keys)
    }

    fn gap_inside(
        &mut self,
        depth: usize,
        from: Side,
        offset: u64,
        len: u64,
        seen: Seen,
        keys: &mut Keyring,
    ) -> Protocol {
        if let Some(session) = self.tls.get_mut(depth) {
            // What it costs inside is told with the next record.
            if let Some(session) = session {
                session.gap(from, len);
            }
            return Protocol::Open;
        }
        self.trouble.gap(from, len, seen);
        match &mut self.stage {
            Stage::Frames(session) => session.gap(role(self.client, from), offset, len, seen),
            Stage::Http(exchange) => {
                let heard = exchange.gap(role(self.client, from), len);
                return self.heard(heard, keys);
            }
            Stage::Http2(multiplex) => {
                multiplex.gap(role(self.client, from), len, seen);
                return Protocol::Http2;
            }
            Stage::Unknown(unknown) => unknown.identify.gap(from),
            Stage::Over => {}
        }
        Protocol::Open
    }

    /// Bytes came again: where the first copy is still here, it is compared with this one.
    pub(super) fn repeat(&mut self, from: Side, offset: u64, bytes: &[u8], seen: Seen) {
        self.trouble.repeat(from, seen);
        if !self.tls.is_empty() {
            // The copy is encrypted, the head that is kept is not.
            return;
        }
        let role = role(self.client, from);
        let differs = match &self.stage {
            Stage::Http(exchange) => exchange.differs(role, offset, bytes),
            Stage::Frames(session) => session.differs(role, offset, bytes),
            Stage::Unknown(_) | Stage::Http2(_) | Stage::Over => false,
        };
        if differs {
            self.conflict();
        }
    }

    /// Two copies of the same bytes differ.
    pub(super) fn conflict(&mut self) {
        self.conflicts = self.conflicts.saturating_add(1);
    }

    /// One side ended.
    pub(super) fn end(&mut self, from: Side, transport: Transport, seen: Seen) {
        self.last = seen;
        self.start.end(from, transport, seen);
        if transport == Transport::Fin {
            self.fins[from.index()].get_or_insert(seen);
        }
        self.window(from, false, seen);
    }

    /// One side ended in order; `crosses`: not knowing of the other side's FIN.
    pub(super) fn fin(&mut self, from: Side, crosses: bool, seen: Seen) {
        self.end(from, Transport::Fin, seen);
        if crosses {
            self.start.cross(seen);
        }
    }

    /// One side ended by a FIN that the capture lacks; the packet acknowledges it.
    pub(super) fn end_unseen(&mut self, from: Side, seen: Seen) {
        self.last = seen;
        self.start.end_unseen(from, seen);
        self.window(from, false, seen);
    }

    /// One side was reset.
    pub(super) fn reset(&mut self, reset: ResetOf) {
        let (from, seen) = (reset.side, reset.seen);
        self.reset.get_or_insert_with(|| Box::new(reset));
        self.end(from, Transport::Reset, seen);
    }

    /// An ICMP error about a packet of one side.
    pub(super) fn icmp(&mut self, from: Side, said: (Icmp, u32), key: &FlowKey, seen: Seen) {
        self.start.errors.note(from, said, key, seen);
    }

    /// When the last packet came.
    pub(super) fn heard_until(&mut self, last: Timestamp) {
        self.heard = Some(last);
    }

    /// The window of one side closed or opened.
    pub(super) fn window(&mut self, from: Side, closed: bool, seen: Seen) {
        self.trouble.window(from, closed, seen);
    }

    /// Whether it was counted as HTTP/2.
    pub(super) fn is_counted(&self) -> bool {
        self.counted
    }
}

#[inline]
fn role(client: Option<(Side, RoleEvidence)>, side: Side) -> Role {
    match client {
        Some((client, _)) if client == side => Role::Client,
        _ => Role::Server,
    }
}
