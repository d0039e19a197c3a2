//! The connections of all flows: one small entry while nothing was said, more once it may be WebSocket.

use super::ending::Transport;
use super::facts::Connection;
use super::flow::{Carried, Flow, Start};
use crate::tcp::{Event, Interest, Sink, StreamEvent};

/// Turns the events of all flows into connections, each handed to `emit` once it is final.
pub struct Connections<E> {
    flows: Vec<Entry>,
    counters: Counters,
    emit: E,
}

/// Counts over all flows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Flows that began with a TLS handshake.
    pub tls: u64,
    /// Flows that began with the HTTP/2 preface.
    pub http2: u64,
}

enum Entry {
    Vacant,
    /// No payload yet.
    Idle(Start),
    Busy(Box<Flow>),
}

impl<E: FnMut(Connection)> Connections<E> {
    /// None yet.
    pub fn new(emit: E) -> Self {
        Connections { flows: Vec::new(), counters: Counters::default(), emit }
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
        let carried = match e.event {
            Event::Data { offset, bytes } => flow.data(e.from, offset, bytes, e.seen),
            Event::Gap { offset, len, .. } => flow.gap(e.from, offset, len, e.seen),
            _ => Carried::Open,
        };
        match carried {
            Carried::Open => return Interest::Keep,
            Carried::Tls => self.counters.tls += 1,
            Carried::Http2 => self.counters.http2 += 1,
            Carried::Nothing => {}
        }
        self.flows[e.flow.index()] = Entry::Vacant;
        Interest::Ignore
    }
}

impl<E: FnMut(Connection)> Sink for Connections<E> {
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
            Event::Syn => {
                if let Entry::Idle(start) = self.entry(&e) {
                    start.synchronize(e.from, e.seen);
                }
            }
            Event::Repeat { offset, bytes } => {
                if let Entry::Busy(flow) = self.entry(&e) {
                    flow.repeat(e.from, offset, bytes);
                }
            }
            Event::Conflict { .. } => {
                if let Entry::Busy(flow) = self.entry(&e) {
                    flow.conflict();
                }
            }
            Event::Fin | Event::Reset => {
                let transport = if e.event == Event::Fin { Transport::Fin } else { Transport::Reset };
                if let Entry::Busy(flow) = self.entry(&e) {
                    flow.end(e.from, transport, e.seen);
                }
            }
            Event::Closed { why, unseen } => {
                let entry = std::mem::replace(self.entry(&e), Entry::Vacant);
                if let Entry::Busy(flow) = entry {
                    flow.close(why, unseen, &mut self.emit);
                }
            }
        }
        Interest::Keep
    }
}
