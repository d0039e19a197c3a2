//! Sessions of MQTT, which ends its own way: a client sends DISCONNECT, and whoever ends TCP then needs no Close.

use super::trust;
use crate::connection::Connection;

/// Whether the server agreed to speak MQTT.
pub(super) fn is_spoken(connection: &Connection) -> bool {
    let chosen = connection.response.as_ref().and_then(|response| response.subprotocol.as_deref());
    chosen.is_some_and(|name| name == "mqtt" || name.starts_with("mqttv3"))
}

/// Whether the client's last message, which came so many seconds before the server's end, may be DISCONNECT: that has
/// two or three bytes, of which MQTT.js sends each by itself, and the server ends at once. As short are PINGREQ, to
/// which a server replies, and pieces of others, such as an acknowledgement, after which it seldom ends at that very
/// moment.
pub(super) fn may_have_taken_leave(connection: &Connection, since: f64) -> bool {
    let frames = connection.frames.as_ref();
    let prompt = since <= AT_ONCE + trust::round_trip(connection).unwrap_or_default();
    prompt
        && is_spoken(connection)
        && frames.is_some_and(|frames| (1..=3).contains(&frames.client.latest_message))
}

/// Seconds in which a broker ends TCP after DISCONNECT.
const AT_ONCE: f64 = 0.1;

/// What to do about a server that ended a session of MQTT: seen of Mosquitto 2.0, which says all of it by ending TCP.
pub(super) const HELP: &str = "read the log of the broker at this second: a second client with the same client identifier, a client that sent no packet for one and a half times its keep alive, or a packet that it refuses; then look for a restart, a crash, or a proxy before it";

/// The same after a silence.
pub(super) const HELP_SILENT: &str = "let the client send PINGREQ within its keep alive, for a broker ends the session after one and a half times that, and no Ping of WebSocket counts for it; or raise the timeout of that length on the server's side";
