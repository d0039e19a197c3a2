//! The connections of all flows: one small entry while nothing was said, more once it may be WebSocket.

use super::ending::Transport;
use super::facts::{Connection, Outcome, Unused};
use super::flow::{Flow, Protocol, Start};
use crate::limits;
use crate::net::Side;
use crate::tcp::{Closed, Event, Interest, Sink, StreamEvent};
use crate::tls::{self, Keyring};
use std::collections::BTreeSet;

/// What a flow turned out to have carried.
#[derive(Clone, Debug)]
pub enum Carried {
    /// A WebSocket connection, or one attempt at it.
    WebSocket(Box<Connection>),
    /// TLS of which nothing could be read.
    Encrypted(Box<Connection>),
    /// No payload at all.
    Nothing(Unused),
}

/// Turns the events of all flows into connections, each handed to `emit` once it is final.
pub struct Connections<E> {
    flows: Vec<Entry>,
    /// Bytes that all flows keep until it is known what they are.
    buffered: usize,
    counters: Counters,
    /// Flows of HTTP/2 that are open now.
    http2: u32,
    keys: Keyring,
    /// Flows that ended and hold records for which a key may still come.
    parked: Vec<Parked>,
    unread: Unread,
    emit: E,
}

type Parked = (Box<Flow>, Closed, Option<Side>);

/// TLS connections of which nothing could be read, by reason.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Unread {
    /// No keys were given.
    pub no_keys: u64,
    /// Keys were given, none of these connections.
    pub other_keys: u64,
    /// Their own keys open nothing.
    pub wrong_keys: u64,
    /// Their version or cipher suite is not supported.
    pub unsupported: u64,
    /// The capture lacks what is needed, or a bound was reached.
    pub lost: u64,
    /// They ended before anything was encrypted, or an alert ended their handshake.
    pub failed: u64,
    /// Some of the names that clients asked for.
    pub names: BTreeSet<String>,
    /// Of all these, those that were not listed because there were too many.
    pub unlisted: u64,
}

impl Unread {
    /// How many hold something that a key might open: all but those that failed before anything was encrypted.
    pub fn unopened(&self) -> u64 {
        [self.no_keys, self.other_keys, self.wrong_keys, self.unsupported, self.lost]
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// Counts over all flows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Flows that began with a TLS handshake, directly or after a PROXY header or a tunnel's.
    pub tls: u64,
    /// Of these, those of which application data could be read.
    pub tls_opened: u64,
    /// Flows of HTTP/2.
    pub http2: u64,
    /// Of these, those that were not followed because of [`limits::HTTP2_CONNECTIONS`].
    pub http2_dropped: u64,
    /// Flows given up before it was known what they are, because all of them together kept too many bytes.
    pub given_up: u64,
}

#[derive(Default)]
enum Entry {
    #[default]
    Vacant,
    /// No payload yet.
    Idle(Start),
    Busy(Box<Flow>),
}

impl<E: FnMut(Carried)> Connections<E> {
    /// None yet.
    pub fn new(keys: Keyring, emit: E) -> Self {
        Connections {
            flows: Vec::new(),
            buffered: 0,
            counters: Counters::default(),
            http2: 0,
            keys,
            parked: Vec::new(),
            unread: Unread::default(),
            emit,
        }
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// TLS of which nothing could be read.
    pub fn unread(&self) -> &Unread {
        &self.unread
    }

    /// Adds a key log that a capture brought.
    pub fn secrets(&mut self, text: &[u8]) {
        self.keys.add(text);
    }

    /// What is known of keys.
    pub fn keys(&self) -> &Keyring {
        &self.keys
    }

    /// After the last event: no more keys will come either.
    pub fn finish(&mut self) {
        self.keys.seal();
        for (flow, why, unseen) in std::mem::take(&mut self.parked) {
            self.close(flow, why, unseen);
        }
    }

    /// The last event of a busy flow.
    fn close(&mut self, flow: Box<Flow>, why: Closed, unseen: Option<Side>) {
        if flow.waits_for_key() && self.keys.may_grow() && self.parked.len() < limits::TLS_PARKED {
            self.parked.push((flow, why, unseen));
            return;
        }
        let (emit, unread, keys) = (&mut self.emit, &mut self.unread, &mut self.keys);
        let opened = flow.close(why, unseen, keys, &mut |connection| {
            if connection.outcome != Outcome::Encrypted {
                emit(Carried::WebSocket(Box::new(connection)));
            } else if unread.count(connection.tls.as_deref()) {
                emit(Carried::Encrypted(Box::new(connection)));
            }
        });
        self.counters.count(opened);
    }

    fn entry(&mut self, e: &StreamEvent<'_>) -> &mut Entry {
        let index = e.flow.index();
        if self.flows.len() <= index {
            self.flows.resize_with(index + 1, || Entry::Vacant);
        }
        &mut self.flows[index]
    }

    /// Lets a busy flow take an event, and forgets the flow where it carries nothing for us.
    fn carry(&mut self, e: &StreamEvent<'_>) -> Interest {
        let Some(Entry::Busy(flow)) = self.flows.get_mut(e.flow.index()) else { return Interest::Keep };
        let before = flow.buffered();
        let mut protocol = match e.event {
            Event::Data { offset, bytes } => flow.data(e.from, offset, bytes, e.seen, &mut self.keys),
            Event::Gap { offset, len, .. } => flow.gap(e.from, offset, len, e.seen, &mut self.keys),
            _ => Protocol::Open,
        };
        let after = if matches!(protocol, Protocol::Open | Protocol::Http2) { flow.buffered() } else { 0 };
        if before != after {
            self.buffered = self.buffered.saturating_sub(before).saturating_add(after);
            let large = self.buffered > limits::BUFFERED_TOTAL && after > limits::BUFFERED_SMALL;
            if after > before && (large || self.buffered > 2 * limits::BUFFERED_TOTAL) {
                self.counters.given_up += 1;
                self.buffered -= after;
                protocol = flow.give_up(&mut self.keys);
            }
        }
        match protocol {
            Protocol::Open => return Interest::Keep,
            Protocol::Http2 => {
                let emit = &mut self.emit;
                let is_new = flow
                    .hand_out(&self.keys, &mut |connection| emit(Carried::WebSocket(Box::new(connection))));
                if !is_new {
                    return Interest::Keep;
                }
                self.counters.http2 += 1;
                self.http2 += 1;
                if self.http2 <= limits::HTTP2_CONNECTIONS {
                    return Interest::Keep;
                }
                self.counters.http2_dropped += 1;
                self.buffered = self.buffered.saturating_sub(flow.buffered());
            }
            Protocol::Nothing => {}
        }
        self.http2 -= u32::from(flow.is_counted());
        flow.forget(&mut self.keys);
        self.counters.count(flow.tls());
        self.flows[e.flow.index()] = Entry::Vacant;
        Interest::Ignore
    }
}

impl<E: FnMut(Carried)> Sink for Connections<E> {
    #[inline]
    fn event(&mut self, e: StreamEvent<'_>) -> Interest {
        match e.event {
            Event::Data { .. } | Event::Gap { .. } => {
                if let Entry::Idle(start) = self.entry(&e) {
                    let flow = Box::new(Flow::new(*start, *e.key));
                    *self.entry(&e) = Entry::Busy(flow);
                }
                return self.carry(&e);
            }
            Event::Opened { stream, opener } => {
                *self.entry(&e) = Entry::Idle(Start::new(stream, opener, e.seen))
            }
            Event::Syn { isn } => {
                if let Entry::Idle(start) = self.entry(&e) {
                    start.synchronize(e.from, Some(isn), e.seen);
                }
            }
            Event::SynAgain => {
                if let Entry::Idle(start) = self.entry(&e) {
                    start.synchronize(e.from, None, e.seen);
                }
            }
            Event::Window { closed } => {
                if let Entry::Busy(flow) = self.entry(&e) {
                    flow.window(e.from, closed, e.seen);
                }
            }
            Event::Repeat { offset, bytes } => {
                if let Entry::Busy(flow) = self.entry(&e) {
                    flow.repeat(e.from, offset, bytes, e.seen);
                }
            }
            Event::Conflict { .. } => {
                if let Entry::Busy(flow) = self.entry(&e) {
                    flow.conflict();
                }
            }
            Event::Fin => match self.entry(&e) {
                Entry::Busy(flow) => flow.end(e.from, Transport::Fin, e.seen),
                Entry::Idle(start) => start.end(e.from, Transport::Fin, e.seen),
                Entry::Vacant => {}
            },
            Event::Reset { ttl, usual_ttl } => match self.entry(&e) {
                Entry::Busy(flow) => flow.reset(e.from, ttl, usual_ttl, e.seen),
                Entry::Idle(start) => start.end(e.from, Transport::Reset, e.seen),
                Entry::Vacant => {}
            },
            Event::Closed { why, unseen } => match self.flows.get_mut(e.flow.index()).map(std::mem::take) {
                Some(Entry::Busy(flow)) => {
                    self.http2 -= u32::from(flow.is_counted());
                    self.buffered = self.buffered.saturating_sub(flow.buffered());
                    self.close(flow, why, unseen);
                }
                Some(Entry::Idle(start)) => {
                    if let Some(unused) = start.unused(e.key) {
                        (self.emit)(Carried::Nothing(unused));
                    }
                }
                Some(Entry::Vacant) | None => {}
            },
        }
        Interest::Keep
    }
}

impl Counters {
    /// Counts a flow that is over: whether it was TLS, and whether that was opened.
    fn count(&mut self, tls: Option<bool>) {
        self.tls += u64::from(tls.is_some());
        self.tls_opened += u64::from(tls == Some(true));
    }
}

impl Unread {
    /// Counts one; false where it is one too many to be listed.
    fn count(&mut self, tls: Option<&tls::Facts>) -> bool {
        use tls::Opened;
        let Some(tls) = tls else { return false };
        let total = self.total();
        let counter = match tls.opened {
            // Alerts tell of failure where the keys open nothing else; so does an end before anything was encrypted.
            Opened::Nothing | Opened::Yes | Opened::Only(_) => &mut self.failed,
            _ if tls.failure().is_some() => &mut self.failed,
            Opened::NoKeys => &mut self.no_keys,
            Opened::OtherKeys => &mut self.other_keys,
            Opened::WrongKeys => &mut self.wrong_keys,
            Opened::Unsupported => &mut self.unsupported,
            Opened::Lost => &mut self.lost,
        };
        *counter += 1;
        if let Some(name) = &tls.server_name
            && self.names.len() < limits::TLS_NAMES
        {
            self.names.insert(name.clone());
        }
        let listed = total < limits::TLS_UNREAD as u64;
        self.unlisted += u64::from(!listed);
        listed
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.no_keys + self.other_keys + self.wrong_keys + self.unsupported + self.lost + self.failed
    }
}
