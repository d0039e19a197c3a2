//! TLS: why a connection never came to a WebSocket handshake.

pub(super) mod tls_handshake_failed;
