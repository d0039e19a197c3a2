//! The connections of all flows: one small entry while nothing was said, more once it may be WebSocket.

use super::ending::Transport;
use super::facts::{Connection, Unused};
use super::flow::{Flow, Protocol, Start};
use crate::limits;
use crate::tcp::{Event, Interest, Sink, StreamEvent};

/// What a flow turned out to have carried.
#[derive(Clone, Debug)]
pub enum Carried {
    /// A WebSocket connection, or one attempt at it.
    WebSocket(Box<Connection>),
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
    emit: E,
}

/// Counts over all flows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Flows that began with a TLS handshake.
    pub tls: u64,
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
    pub fn new(emit: E) -> Self {
        Connections { flows: Vec::new(), buffered: 0, counters: Counters::default(), http2: 0, emit }
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Gives `emit` back, after the last event.
    pub fn into_emit(self) -> E {
        self.emit
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
            Event::Data { offset, bytes } => flow.data(e.from, offset, bytes, e.seen),
            Event::Gap { offset, len, .. } => flow.gap(e.from, offset, len, e.seen),
            _ => Protocol::Open,
        };
        let after = if matches!(protocol, Protocol::Open | Protocol::Http2) { flow.buffered() } else { 0 };
        if before != after {
            self.buffered = self.buffered.saturating_sub(before).saturating_add(after);
            let large = self.buffered > limits::BUFFERED_TOTAL && after > limits::BUFFERED_SMALL;
            if after > before && (large || self.buffered > 2 * limits::BUFFERED_TOTAL) {
                self.counters.given_up += 1;
                self.buffered -= after;
                protocol = flow.give_up();
            }
        }
        match protocol {
            Protocol::Open => return Interest::Keep,
            Protocol::Tls => self.counters.tls += 1,
            Protocol::Http2 => {
                let emit = &mut self.emit;
                let is_new = flow.hand_out(&mut |connection| emit(Carried::WebSocket(Box::new(connection))));
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
            Event::Closed { why, unseen } => {
                let emit = &mut self.emit;
                match self.flows.get_mut(e.flow.index()).map(std::mem::take) {
                    Some(Entry::Busy(flow)) => {
                        self.http2 -= u32::from(flow.is_counted());
                        self.buffered = self.buffered.saturating_sub(flow.buffered());
                        flow.close(why, unseen, &mut |connection| {
                            emit(Carried::WebSocket(Box::new(connection)))
                        });
                    }
                    Some(Entry::Idle(start)) => {
                        if let Some(unused) = start.unused(e.key) {
                            emit(Carried::Nothing(unused));
                        }
                    }
                    Some(Entry::Vacant) | None => {}
                }
            }
        }
        Interest::Keep
    }
}
