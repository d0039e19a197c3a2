//! What to do first about an end by the server's side, by what came before it and by who ended it.

use super::end::Before;
use crate::gateway::{Party, ending};
use crate::net::Endpoint;
use crate::rules::{Confidence, Context, mqtt};

/// Whoever ended the session, where both legs show it: the gateway, or what stands behind it.
pub(super) fn who_ended(context: &Context<'_>) -> Option<(Party, Endpoint)> {
    let legs = context.legs?;
    let verdict = ending(&legs).filter(|verdict| verdict.confidence >= Confidence::Likely)?;
    match verdict.blame {
        Party::Gateway => Some((Party::Gateway, legs.client.tcp.server)),
        Party::Upstream => Some((Party::Upstream, legs.upstream.tcp.server)),
        _ => None,
    }
}

/// What to do first about an end by the server's side; `who` ended it, where both legs show that.
pub(super) fn help(before: Before, who: Option<(Party, Endpoint)>, is_mqtt: bool) -> String {
    let name = who
        .map_or(String::from("the server"), |(party, endpoint)| format!("the {} {endpoint}", party.name()));
    match (before, who) {
        (Before::Leave, _) => String::from(
            "nothing to mend where the client meant to leave; see in its log whether it sent DISCONNECT",
        ),
        (Before::Silence, None) if is_mqtt => String::from(mqtt::HELP_SILENT),
        (Before::Message | Before::Traffic, None) if is_mqtt => String::from(mqtt::HELP),
        (Before::Silence, _) => format!(
            "send a Ping at half of this silence, or raise the timeout of that length on {}",
            if who.is_some() { name.as_str() } else { "the server's side" }
        ),
        (_, Some((Party::Gateway, _))) => {
            format!(
                "read the log of {name} at this second: a timer, a reload, or a limit; it ended the session by itself"
            )
        }
        (Before::LargeMessage, _) => format!(
            "compare that message with the limits of {name}: of those who send no Close above them, tungstenite (axum, warp) has max_message_size and max_frame_size, actix-ws max_frame_size, fastwebsockets set_max_message_size, libsoup max-incoming-payload-size, uWSGI websocket-max-size; then read its log at this second"
        ),
        (Before::Message, _) => format!(
            "read the log of {name} at this second for what became of that message: an exception in its handler, or a return without a Close; then look for a restart, a crash{}",
            if who.is_some() { ", or a kill" } else { ", or a proxy before it" }
        ),
        (Before::Traffic, Some(_)) => format!(
            "read the log of {name} at this second: a crash, a restart, or a handler that returned; the gateway only passed the end on"
        ),
        (Before::Traffic, None) => String::from(
            "find out what ended the connection on the server's side at this moment: a restart, a crash, or a proxy before it",
        ),
    }
}
