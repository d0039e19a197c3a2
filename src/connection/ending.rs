//! How a connection ended.

use super::facts::{Close, Connection, Outcome};
use crate::capture::Seen;
use crate::role::{Role, Sides};
use crate::websocket::{CloseClass, close_class};

/// How a connection ended, on both levels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ending {
    /// On the WebSocket level; `None` where it was never established.
    pub close: Option<CloseState>,
    /// On the level of TCP, or of the HTTP/2 stream.
    pub transport: Transport,
    /// Who ended the transport first, and where; `None` while it is open.
    pub by: Option<(Role, Seen)>,
    /// How well that is known.
    pub first: FirstEnd,
    /// What each side's WebSocket API reports; `None` where there was no session.
    pub sees: Sides<Option<ApiClose>>,
}

/// How well it is known who ended the transport first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FirstEnd {
    /// The packet is in the capture.
    Seen,
    /// It is a FIN which the capture lacks: the packet is the other side's FIN, which acknowledges it.
    Unseen,
    /// It is the FIN that was captured first, and the other side's, in this packet, was sent before that came there: which was
    /// sent first depends on where the capture was made.
    Crossed(Seen),
}

/// How far the closing handshake came (RFC 6455 §7.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CloseState {
    /// Both sides sent Close.
    Clean,
    /// Only one did.
    Unechoed,
    /// Neither did.
    None,
}

/// How the transport ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// The first ending was a FIN, or END_STREAM on HTTP/2 (RFC 8441 §5).
    Fin,
    /// The first ending was a RST.
    Reset,
    /// On HTTP/2: the first ending was a RST_STREAM, or a GOAWAY that excludes the stream.
    StreamReset,
    /// It was still open at the end of the capture.
    Open,
}

/// What an application is told by its WebSocket API (RFC 6455 §7.1.5, §7.1.6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ApiClose {
    /// The code, among them those that never travel: 1005 for an empty Close, 1006 for none.
    pub code: u16,
    /// Whether the API calls the ending clean.
    pub clean: bool,
}

impl Ending {
    /// Still open, never established.
    pub(super) const fn open() -> Ending {
        let sees = Sides { client: None, server: None };
        Ending { close: None, transport: Transport::Open, by: None, first: FirstEnd::Seen, sees }
    }
}

impl Connection {
    /// Fills in how it ended, from its frames and from the first FIN or RST of its TCP connection.
    pub(super) fn end(&mut self, ended: Option<(Role, Transport, Seen)>, first: FirstEnd) {
        let transport = ended.map_or(Transport::Open, |(_, transport, _)| transport);
        let by = ended.map(|(role, _, seen)| (role, seen));
        let session =
            matches!(self.outcome, Outcome::Established | Outcome::Invalid) || self.frames.is_some();
        let close = session.then(|| {
            match Role::BOTH.iter().filter(|&&role| self.first_close(role).is_some()).count() {
                0 => CloseState::None,
                1 => CloseState::Unechoed,
                _ => CloseState::Clean,
            }
        });
        let sees = Sides {
            client: self.api_close(Role::Client, close, transport),
            server: self.api_close(Role::Server, close, transport),
        };
        self.ending = Ending { close, transport, by, first, sees };
    }

    /// What the API of `side` reports: the first Close it received (RFC 6455 §7.1.5).
    fn api_close(&self, side: Role, close: Option<CloseState>, transport: Transport) -> Option<ApiClose> {
        let clean = close? == CloseState::Clean;
        if let Some(received) = self.first_close(side.other()) {
            return Some(reported(received, clean));
        }
        // That none was sent is known only where all of it was captured and it is over.
        let peer = side.other();
        let whole = self.quality.missing[peer] == 0 && !self.quality.unseen[peer] && !self.quality.bounded;
        (whole && transport != Transport::Open).then_some(ApiClose { code: 1006, clean: false })
    }
}

/// What receiving this Close is reported as. One that breaks the rules fails the connection, which is reported as
/// 1006 (RFC 6455 §7.1.7).
fn reported(received: &Close, clean: bool) -> ApiClose {
    match received.code {
        None if received.len == 0 => ApiClose { code: 1005, clean },
        Some(code) if close_class(code) == CloseClass::Sendable => ApiClose { code, clean },
        _ => ApiClose { code: 1006, clean: false },
    }
}
