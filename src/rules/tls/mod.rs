//! TLS: why a connection never came to a WebSocket handshake, and where TLS is missing.

pub(super) mod scheme_port_mismatch;
pub(in crate::rules) mod tls_handshake_failed;
