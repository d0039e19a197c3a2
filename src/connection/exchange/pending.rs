//! A request that waits for its answer.

use super::Upgrade;
use compact_str::CompactString;

/// A request that waits for its answer.
pub(super) struct Pending {
    /// `None` where `upgrade` has it.
    pub(super) method: Option<CompactString>,
    /// The authority, for a CONNECT.
    pub(super) target: Option<CompactString>,
    /// Facts, where it shows WebSocket intent.
    pub(super) upgrade: Option<Box<Upgrade>>,
    /// Whether it asks for HTTP/2 (RFC 7540 §3.2).
    pub(super) http2: bool,
    pub(super) interim: Vec<u16>,
}

impl Pending {
    pub(super) fn method(&self) -> &str {
        let of_upgrade = || self.upgrade.as_ref().map_or("GET", |upgrade| &upgrade.request.head.method);
        self.method.as_deref().unwrap_or_else(of_upgrade)
    }

    /// Whether a positive answer makes the connection something else than HTTP.
    pub(super) fn may_end_http(&self) -> bool {
        self.upgrade.is_some() || self.target.is_some() || self.http2
    }
}
