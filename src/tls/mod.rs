//! TLS: records in, the bytes inside them out, where a key is known; what the hellos and alerts say, where none is
//! (RFC 8446, RFC 5246).
//!
//! A [`Session`] takes one connection's bytes as TCP gave them and gives the bytes of the application in the same
//! form, so that nothing above knows of TLS. Keys come from key logs ([`KeyLog`]) and are never shown: no type that
//! holds one can be printed.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )
)]

mod alert;
mod facts;
mod handshake;
mod keylog;
mod keyring;
mod open;
mod protect;
mod record;
mod schedule;
mod session;
mod sessions;
mod suite;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_bounds;

pub use alert::{Alert, AlertDescription};
pub use facts::{ClientCertificate, Facts, Opened, Pause, PlainAnswer, Sent, Version};
pub use keylog::KeyLog;
pub use keyring::Keyring;
pub use session::{Out, Plain, Session};
pub use sessions::{Sessions, Turn};
pub use suite::CipherSuite;
