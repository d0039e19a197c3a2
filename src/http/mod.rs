//! HTTP/1.1 message heads and bodies as they appear on the wire (RFC 9112): enough to follow a connection to its
//! upgrade, and every oddity kept as evidence.

mod head;

pub use head::{Field, Head, HeadKind, Oddity, RequestHead, ResponseHead};
