//! Sessions of MQTT, which ends its own way: a client sends DISCONNECT, and whoever ends TCP then needs no Close.

use crate::connection::Connection;

/// Whether the server agreed to speak MQTT.
pub(super) fn is_spoken(connection: &Connection) -> bool {
    let chosen = connection.response.as_ref().and_then(|response| response.subprotocol.as_deref());
    chosen.is_some_and(|name| name == "mqtt" || name.starts_with("mqttv3"))
}

/// Whether the client's last message may be DISCONNECT: no packet but that and PINGREQ, to which a server replies at once,
/// has two or three bytes.
pub(super) fn may_have_taken_leave(connection: &Connection) -> bool {
    let frames = connection.frames.as_ref();
    is_spoken(connection) && frames.is_some_and(|frames| (2..=3).contains(&frames.client.latest_message))
}

/// What to do about a server that ended a session of MQTT: seen of Mosquitto 2.0, which says all of it by ending TCP.
pub(super) const HELP: &str = "read the log of the broker at this second: a second client with the same client identifier, a client that sent no packet for one and a half times its keep alive, or a packet that it refuses; then look for a restart, a crash, or a proxy before it";

/// The same after a silence.
pub(super) const HELP_SILENT: &str = "let the client send PINGREQ within its keep alive, for a broker ends the session after one and a half times that, and no Ping of WebSocket counts for it; or raise the timeout of that length on the server's side";
