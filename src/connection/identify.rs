//! Identifies what a flow carries by its first bytes, and who is the client where the capture has no SYN.

use super::chunk::Waiting;
use super::streams::Opening;
use crate::capture::Seen;
use crate::http::h2::{Midway, midway};
use crate::http::{FirstBytes, ProxyHeader, Socks, looks_like, may_be_socks, proxy_header, socks};
use crate::limits;
use crate::net::{Endpoint, Side};
use crate::websocket::{Masking, likely_frames};
use std::borrow::Cow;

/// A flow that is not identified yet, with the bytes of each side so far.
#[derive(Default)]
pub(super) struct Identify {
    waiting: [Waiting; 2],
    /// Segments of a flow joined midway that told nothing.
    probes: u32,
    proxied: Option<(Endpoint, Endpoint)>,
    /// Whether first bytes are missing.
    gap: bool,
}

/// What was found.
pub(super) enum Identified {
    /// More bytes are needed.
    NotYet,
    /// HTTP.
    Http {
        version: Version,
        /// Who asks.
        client: Side,
        /// Bytes of each side that came before the ones just given.
        waiting: [Waiting; 2],
        /// How many of the bytes just given are no part of it, but of a PROXY protocol header.
        skip: usize,
        /// The addresses of that header.
        proxied: Option<(Endpoint, Endpoint)>,
    },
    /// WebSocket frames whose handshake the capture lacks.
    Frames { client: Side },
    /// TLS; the fields as for HTTP.
    Tls { waiting: [Waiting; 2], skip: usize, proxied: Option<(Endpoint, Endpoint)> },
    /// The tunnel of a SOCKS proxy to `target`; the fields as for HTTP.
    Tunnel { target: String, waiting: [Waiting; 2], skip: usize, proxied: Option<(Endpoint, Endpoint)> },
    /// Nothing for us.
    Nothing,
}

/// Which HTTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    Http1,
    Http2(Opening),
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
        self.look(client, from, offset, bytes, seen, 0)
    }

    /// Bytes that wait.
    pub(super) fn buffered(&self) -> usize {
        self.waiting.iter().map(Waiting::cost).sum()
    }

    /// Forgets what a gap makes useless.
    pub(super) fn gap(&mut self, from: Side) {
        self.waiting[from.index()].take();
        self.gap = true;
    }

    fn look(
        &mut self,
        client: Option<Side>,
        from: Side,
        offset: u64,
        bytes: &[u8],
        seen: Seen,
        skip: usize,
    ) -> Identified {
        let fresh = &bytes[skip..];
        if let Some(identified) = self.socks(client, from, offset, fresh, seen, skip) {
            return identified;
        }
        let waiting = &mut self.waiting[from.index()];
        let first = if waiting.is_empty() { Cow::Borrowed(fresh) } else { Cow::Owned(waiting.joined(fresh)) };
        match looks_like(&first) {
            FirstBytes::Request if client.is_none_or(|client| client == from) => {
                self.http(Version::Http1, from, skip)
            }
            // An answer that was captured before its request waits for it there.
            FirstBytes::Response if client != Some(from) => self.http(Version::Http1, from.other(), skip),
            FirstBytes::Http2Preface if client.is_none_or(|client| client == from) => {
                self.http(Version::Http2(Opening::Preface), from, skip)
            }
            FirstBytes::Http2Settings if client != Some(from) => {
                self.http(Version::Http2(Opening::Preface), from.other(), skip)
            }
            FirstBytes::Tls => {
                let waiting = std::mem::take(&mut self.waiting);
                Identified::Tls { waiting, skip, proxied: self.proxied }
            }
            FirstBytes::Unsure => self.wait(from, offset, fresh, seen),
            FirstBytes::ProxyV1 | FirstBytes::ProxyV2 => match proxy_header(&first) {
                ProxyHeader::More => self.wait(from, offset, fresh, seen),
                ProxyHeader::Invalid => Identified::Nothing,
                ProxyHeader::Done { len, addresses } => {
                    self.proxied = self.proxied.or(addresses);
                    // It was not whole before, so it ends in the bytes just given.
                    let rest = first.len() - len;
                    waiting.take();
                    match bytes.len() - rest {
                        _ if rest == 0 => Identified::NotYet,
                        skip => self.look(client, from, offset + skip as u64, bytes, seen, skip),
                    }
                }
            },
            // TLS joined midway: nothing opens it, but it is told as what it is.
            _ if client.is_none() && first.starts_with(&[0x17, 3, 3]) => {
                Identified::Tls { waiting: Default::default(), skip, proxied: self.proxied }
            }
            _ if client.is_some() && !self.gap => Identified::Nothing,
            _ => self.probe(client, from, fresh, skip),
        }
    }

    /// Where a client and a SOCKS proxy agree on a tunnel; `None` where they do not.
    fn socks(
        &mut self,
        client: Option<Side>,
        from: Side,
        offset: u64,
        fresh: &[u8],
        seen: Seen,
        skip: usize,
    ) -> Option<Identified> {
        let client = client.filter(|_| !self.gap)?;
        let first = match self.waiting[client.index()].first() {
            Some(chunk) => chunk.bytes.first(),
            None => fresh.first().filter(|_| from == client),
        };
        first.filter(|first| may_be_socks(**first))?;
        let said = |side: Side| {
            self.waiting[side.index()].beginning(if side == from { fresh } else { &[] }, limits::SOCKS)
        };
        match socks(&said(client), &said(client.other())) {
            Socks::Invalid => None,
            Socks::More => Some(self.wait(from, offset, fresh, seen)),
            Socks::Open { target, client: of_client, proxy } => {
                let of = |side: Side| if side == client { of_client } else { proxy };
                let to = from.other();
                self.waiting[to.index()].drop_front(of(to));
                let before = self.waiting[from.index()].drop_front(of(from));
                let waiting = std::mem::take(&mut self.waiting);
                let skip = skip + of(from) - before;
                Some(Identified::Tunnel { target, waiting, skip, proxied: self.proxied })
            }
        }
    }

    fn wait(&mut self, from: Side, offset: u64, fresh: &[u8], seen: Seen) -> Identified {
        match self.waiting[from.index()].push(offset, seen, fresh) {
            true => Identified::NotYet,
            false => Identified::Nothing,
        }
    }

    fn http(&mut self, version: Version, client: Side, skip: usize) -> Identified {
        let waiting = std::mem::take(&mut self.waiting);
        Identified::Http { version, client, waiting, skip, proxied: self.proxied }
    }

    /// A flow joined midway, or after a gap: frames are known by a run of consistent headers.
    fn probe(&mut self, client: Option<Side>, from: Side, bytes: &[u8], skip: usize) -> Identified {
        let asks = match midway(bytes) {
            Midway::Request => Some(from),
            Midway::Response => Some(from.other()),
            Midway::Data(payload) => speaks(from, payload),
            Midway::Frames | Midway::Nothing => None,
        };
        if let Some(side) = asks.filter(|side| client.is_none_or(|client| client == *side)) {
            return self.http(Version::Http2(Opening::Midway), side, skip);
        }
        match speaks(from, bytes).filter(|side| client.is_none_or(|client| client == *side)) {
            Some(client) => Identified::Frames { client },
            None => {
                self.waiting[from.index()].take();
                self.probes += 1;
                if self.probes > limits::PROBES { Identified::Nothing } else { Identified::NotYet }
            }
        }
    }
}

/// Who is client, where these are WebSocket frames.
fn speaks(from: Side, bytes: &[u8]) -> Option<Side> {
    match likely_frames(bytes)? {
        Masking::Masked => Some(from),
        Masking::Unmasked => Some(from.other()),
        Masking::Unknown => None,
    }
}
