//! How a connection ended.

use crate::capture::Seen;
use crate::role::{Role, Sides};

/// How a connection ended, on both levels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ending {
    /// On the WebSocket level; `None` where it was never established.
    pub close: Option<CloseState>,
    /// On the TCP level.
    pub transport: Transport,
    /// Who ended the transport first, and where; `None` while it is open.
    pub by: Option<(Role, Seen)>,
    /// What each side's WebSocket API reports; `None` where there was no session.
    pub sees: Sides<Option<ApiClose>>,
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
    /// The first ending was a FIN.
    Fin,
    /// The first ending was a RST.
    Reset,
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
