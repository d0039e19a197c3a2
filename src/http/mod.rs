//! HTTP as it appears on the wire, far enough to follow a connection to its upgrade, with every oddity kept as evidence.
//!
//! For HTTP/1.1 (RFC 9112), `reader` collects the bytes of a head, `fields` and `head` say what stands in it, and `body` where
//! the message ends. [`h2`] reads the frames and header blocks of HTTP/2. `first` tells by the first bytes of a direction what
//! it is, and `proxy` reads the header that a load balancer may put before it.

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

mod body;
mod fields;
mod first;
pub mod h2;
mod head;
mod names;
mod proxy;
mod reader;
mod redact;
mod socks;

pub use body::{Body, BodyReader};
pub use fields::is_base64;
pub use first::{FirstBytes, looks_like};
pub use head::{Field, Head, HeadKind, Oddity, RequestHead, ResponseHead};
pub use names::FieldName;
pub use proxy::{ProxyHeader, proxy_header};
pub use reader::{HeadProgress, HeadReader};
pub use redact::{is_secret_field, redacted_subprotocols, redacted_target, without_query};
pub use socks::{Socks, may_be_socks, socks};
