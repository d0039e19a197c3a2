//! Subprotocols: what was offered and what was selected.

pub(super) mod subprotocol_altered_between_legs;
pub(super) mod subprotocol_malformed;
pub(super) mod subprotocol_offered_not_selected;
pub(super) mod subprotocol_selected_not_offered;

const FIELD: &str = "Sec-WebSocket-Protocol";
