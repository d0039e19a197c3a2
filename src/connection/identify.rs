//! What a flow carries, told by its first bytes; and who is client where no SYN tells.

use super::chunk::Waiting;
use crate::capture::Seen;
use crate::http::{FirstBytes, ProxyHeader, looks_like, proxy_header};
use crate::limits;
use crate::net::{Endpoint, Side};
use crate::websocket::{Masking, likely_frames};

/// A flow that is not identified yet, with the bytes of each side so far.
#[derive(Default)]
pub(super) struct Identify {
    waiting: [Waiting; 2],
    /// Segments of a flow joined midway that told nothing.
    probes: u32,
    proxied: Option<(Endpoint, Endpoint)>,
}

/// What was found.
pub(super) enum Identified {
    /// More bytes are needed.
    NotYet,
    /// HTTP/1.1, with the bytes of each side so far.
    Http {
        client: Side,
        waiting: [Waiting; 2],
        proxied: Option<(Endpoint, Endpoint)>,
    },
    /// WebSocket frames whose handshake was before the capture, with the bytes so far.
    Frames {
        client: Side,
        waiting: [Waiting; 2],
    },
    Tls,
    Http2,
    /// Nothing for us.
    Nothing,
}

impl Identify {
    /// Takes the next bytes of one side; `client` where the SYN told.
    pub(super) fn data(
        &mut self,
        client: Option<Side>,
        from: Side,
        offset: u64,
        bytes: &[u8],
        seen: Seen,
    ) -> Identified {
        let waiting = &mut self.waiting[from.index()];
        let began_elsewhere = waiting.is_empty() && offset > 0;
        if !waiting.push(offset, seen, bytes) {
            return Identified::Nothing;
        }
        let first = waiting.joined();
        match looks_like(&first) {
            FirstBytes::Unsure => Identified::NotYet,
            FirstBytes::Request if client.is_none_or(|client| client == from) => self.http(from),
            // An answer that was captured before its request waits for it there.
            FirstBytes::Response if client != Some(from) => self.http(from.other()),
            FirstBytes::Tls => Identified::Tls,
            FirstBytes::Http2Preface => Identified::Http2,
            FirstBytes::ProxyV1 | FirstBytes::ProxyV2 => match proxy_header(&first) {
                ProxyHeader::More => Identified::NotYet,
                ProxyHeader::Invalid => Identified::Nothing,
                ProxyHeader::Done { len, addresses } => {
                    self.proxied = self.proxied.or(addresses);
                    self.rest(client, from, len, &first)
                }
            },
            _ if client.is_some() && !began_elsewhere => Identified::Nothing,
            _ => self.probe(client, from),
        }
    }

    /// Forgets what a gap makes useless.
    pub(super) fn gap(&mut self, from: Side) {
        self.waiting[from.index()].take();
    }

    fn http(&mut self, client: Side) -> Identified {
        Identified::Http { client, waiting: std::mem::take(&mut self.waiting), proxied: self.proxied }
    }

    /// Identifies what follows a PROXY protocol header of `len` bytes.
    fn rest(&mut self, client: Option<Side>, from: Side, len: usize, all: &[u8]) -> Identified {
        let waiting = &mut self.waiting[from.index()];
        let Some(last) = waiting.take().pop() else { return Identified::NotYet };
        // The header ends in the last piece, for it was incomplete before.
        let rest = all.get(len..).unwrap_or_default();
        let offset = (last.offset + last.bytes.len() as u64).saturating_sub(rest.len() as u64);
        if rest.is_empty() { Identified::NotYet } else { self.data(client, from, offset, rest, last.seen) }
    }

    /// A flow joined midway, or after a gap: frames are known by a run of consistent headers.
    fn probe(&mut self, client: Option<Side>, from: Side) -> Identified {
        let waiting = &mut self.waiting[from.index()];
        let masking = waiting.first().and_then(|chunk| likely_frames(&chunk.bytes));
        let speaks = match masking {
            Some(Masking::Masked) => Some(from),
            Some(Masking::Unmasked) => Some(from.other()),
            _ => None,
        };
        match speaks.filter(|side| client.is_none_or(|client| client == *side)) {
            Some(client) => Identified::Frames { client, waiting: std::mem::take(&mut self.waiting) },
            None => {
                waiting.take();
                self.probes += 1;
                if self.probes > limits::PROBES { Identified::Nothing } else { Identified::NotYet }
            }
        }
    }
}
