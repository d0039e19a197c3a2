//! What a flow becomes as more of it is heard: TLS, HTTP of either version, a tunnel, a WebSocket.

use super::super::chunk::Waiting;
use super::super::exchange::{Begun, Exchange, Heard};
use super::super::facts::RoleEvidence;
use super::super::identify::{Identified, Identify, Version};
use super::super::multiplex::Multiplex;
use super::super::session::Session;
use super::super::streams::Opening;
use super::{Flow, Protocol, Stage, Unknown};
use crate::limits;
use crate::net::Side;
use crate::role::Sides;
use crate::tls::Keyring;
use std::sync::Arc;

impl Flow {
    /// Enters the stage that was identified; tells how many of the bytes just taken are not part of it, or what the
    /// flow is where that is no stage.
    pub(super) fn identified(
        &mut self,
        identified: Identified,
        keys: &mut Keyring,
    ) -> Result<usize, Protocol> {
        let depth = self.tls.len();
        match identified {
            Identified::NotYet => Err(Protocol::Open),
            Identified::Nothing if self.attempts.is_empty() => Err(Protocol::Nothing),
            Identified::Nothing => {
                self.stage = Stage::Over;
                Err(Protocol::Open)
            }
            Identified::Tls { .. } if depth >= limits::TLS_LAYERS => {
                self.bounded = true;
                self.stage = Stage::Over;
                Err(Protocol::Open)
            }
            Identified::Tls { waiting: [low, high], skip, proxied } => {
                if let Some(proxied) = proxied {
                    self.proxied.get_or_insert(Box::new(proxied));
                }
                if let Stage::Unknown(unknown) = &mut self.stage {
                    unknown.identify = Identify::default();
                }
                self.tls.push(Some(Box::default()));
                match self.replay(depth, Side::Low, low, Side::High, high, keys) {
                    Protocol::Open | Protocol::Http2 => Ok(skip),
                    other => Err(other),
                }
            }
            Identified::Tunnel { .. } if self.tunnels >= limits::TUNNELS => {
                self.bounded = true;
                self.stage = Stage::Over;
                Err(Protocol::Open)
            }
            Identified::Tunnel { target, waiting: [low, high], skip, proxied } => {
                if let Some(proxied) = proxied {
                    self.proxied.get_or_insert(Box::new(proxied));
                }
                self.tunnels += 1;
                let tunnel = Some(target);
                self.stage = Stage::Unknown(Box::new(Unknown { tunnel, ..Unknown::default() }));
                match self.replay(depth, Side::Low, low, Side::High, high, keys) {
                    Protocol::Open | Protocol::Http2 => Ok(skip),
                    other => Err(other),
                }
            }
            Identified::Http { version, client, waiting, skip, proxied } => {
                if let Some(proxied) = proxied {
                    self.proxied.get_or_insert(Box::new(proxied));
                }
                let tunnel = match &mut self.stage {
                    Stage::Unknown(unknown) => unknown.tunnel.take(),
                    _ => None,
                };
                let begun = match &*self.start {
                    start if start.opener.is_none() || self.trouble.has_gaps() => Begun::Midway,
                    start if start.accepted.is_none() => Begun::Perhaps,
                    _ => Begun::Whole,
                };
                let reading = Arc::clone(&self.reading);
                self.stage = match version {
                    Version::Http1 => {
                        let heads = Arc::clone(&self.heads);
                        Stage::Http(Box::new(Exchange::new(tunnel, begun, heads, reading)))
                    }
                    Version::Http2(begun) => Stage::Http2(Box::new(Multiplex::new(begun, tunnel, reading))),
                };
                self.client.get_or_insert((client, RoleEvidence::Http));
                let [low, high] = waiting;
                match self.replay(depth, Side::Low, low, Side::High, high, keys) {
                    Protocol::Open | Protocol::Http2 => Ok(skip),
                    other => Err(other),
                }
            }
            Identified::Frames { client } => {
                self.stage = Stage::Frames(Box::new(Session::joined(self.start.first, &self.reading)));
                self.client.get_or_insert((client, RoleEvidence::Masking));
                Ok(0)
            }
        }
    }

    /// Takes bytes that waited, those of one side first.
    fn replay(
        &mut self,
        depth: usize,
        first: Side,
        mut its: Waiting,
        second: Side,
        mut others: Waiting,
        keys: &mut Keyring,
    ) -> Protocol {
        let first = its.take().into_iter().map(|chunk| (first, chunk));
        for (side, chunk) in first.chain(others.take().into_iter().map(|chunk| (second, chunk))) {
            let protocol = self.inside(depth, side, chunk.offset, &chunk.bytes, chunk.seen, keys);
            if !matches!(protocol, Protocol::Open | Protocol::Http2) {
                return protocol;
            }
        }
        Protocol::Open
    }

    pub(super) fn heard(&mut self, heard: Heard, keys: &mut Keyring) -> Protocol {
        if matches!(heard, Heard::More) {
            return Protocol::Open;
        }
        if let Stage::Http(exchange) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.take_attempts(*exchange, true);
        }
        match heard {
            Heard::Session(session) => self.stage = Stage::Frames(session),
            Heard::Http2(tunnel, rest) => {
                self.stage = Stage::Http2(Box::new(Multiplex::new(
                    Opening::Upgrade,
                    tunnel,
                    Arc::clone(&self.reading),
                )));
                return self.resume(rest, keys);
            }
            Heard::Tunnel(..) if self.tunnels >= limits::TUNNELS => self.bounded = true,
            Heard::Tunnel(authority, rest) => {
                self.tunnels += 1;
                let tunnel = Some(authority);
                self.stage = Stage::Unknown(Box::new(Unknown { tunnel, ..Unknown::default() }));
                return self.resume(rest, keys);
            }
            // A client that goes on after it was refused has been refused all the same.
            Heard::Nothing if self.attempts.is_empty() => return Protocol::Nothing,
            Heard::More | Heard::Nothing => {}
        }
        Protocol::Open
    }

    /// Takes what each side sent already of what the connection became.
    fn resume(&mut self, rest: Sides<Waiting>, keys: &mut Keyring) -> Protocol {
        match self.client {
            Some((client, _)) => {
                self.replay(self.tls.len(), client, rest.client, client.other(), rest.server, keys)
            }
            None => Protocol::Open,
        }
    }

    pub(super) fn take_attempts(&mut self, exchange: Exchange, lost: bool) {
        let (attempts, bounded) = exchange.into_attempts(lost);
        self.attempts.extend(attempts);
        self.bounded |= bounded;
    }
}
