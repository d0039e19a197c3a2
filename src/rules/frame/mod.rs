//! Frames that the protocol forbids.

pub(super) mod client_frame_unmasked;
pub(super) mod control_frame_invalid;
pub(super) mod fragmentation_sequence_broken;
pub(super) mod framing_lost;
pub(super) mod http_bytes_in_stream;
pub(super) mod length_encoding_invalid;
pub(super) mod masking_key_weak;
pub(super) mod opcode_reserved;
pub(super) mod server_frame_masked;
pub(super) mod stream_ends_mid_frame;
pub(super) mod text_not_utf8;

use super::{Confidence, Finding, Rule, quote, trust};
use crate::connection::{Anomaly, Connection, RoleEvidence};

/// A finding about something odd that one side sent, which it is blamed for. After missing bytes of that side, and in a
/// session that was joined midway, the frame may begin elsewhere, so the finding is then only likely.
pub(super) fn violation(
    rule: &'static Rule,
    connection: &Connection,
    anomaly: &Anomaly,
    title: &'static str,
) -> Finding {
    let midway = || {
        let joined = connection.response.is_none();
        joined.then(|| String::from("the session was joined midway, so where its frames begin was inferred"))
    };
    let doubt = trust::doubt(connection, anomaly.from).or_else(midway);
    let times = match anomaly.count {
        0 | 1 => String::new(),
        count => format!(", the first of {count}"),
    };
    let bytes = match &*anomaly.quote {
        [] => format!("{} at stream offset {}{times}", anomaly.from.name(), anomaly.offset),
        quote => {
            format!(
                "{} sends {} at stream offset {}{times}",
                anomaly.from.name(),
                quote::hex(quote),
                anomaly.offset
            )
        }
    };
    Finding::new(rule, anomaly.seen, title)
        .doubted(&doubt, Confidence::Likely)
        .origin(anomaly.from)
        .blame(anomaly.from)
        .shows(anomaly.seen, bytes)
        .shows_all(anomaly.seen, doubt.into_iter().collect())
}

/// Whether client and server are known by something else than their masks.
fn roles_are_known(connection: &Connection) -> bool {
    connection.tcp.roles != RoleEvidence::Masking
}
