//! TLS, and where it is missing.

pub(super) mod scheme_port_mismatch;
