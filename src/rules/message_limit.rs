//! By which setting a library limits the size of messages, told by its words or by its name in the answer.

use crate::connection::{Close, Connection};
use crate::role::Role;
use crate::rules::engine_io;
use Sign::{Reason, Server};

/// How a library shows itself.
#[derive(Clone, Copy)]
enum Sign {
    /// The reason of its Close 1009 contains the text.
    Reason(&'static str),
    /// Its answer names it in `Server`.
    Server(&'static str),
}

/// The setting of whoever sent a Close 1009, where it is known.
pub(super) fn setting(connection: &Connection, close: &Close) -> Option<&'static str> {
    let server = connection.response.as_ref().and_then(|response| response.head.head.text("Server"));
    let server = server.filter(|_| close.from == Role::Server);
    let fits = |sign: Sign| match sign {
        Reason(text) => close.reason.contains(text),
        Server(name) => server.as_deref().is_some_and(|server| server.contains(name)),
    };
    let socket_io =
        || (close.from == Role::Server && engine_io::version(connection).is_some()).then_some(SOCKET_IO);
    SETTINGS.iter().find(|(sign, _)| fits(*sign)).map(|(_, setting)| *setting).or_else(socket_io)
}

/// Seen of Socket.IO 4, whose server leaves it to ws to refuse.
const SOCKET_IO: &str = "maxHttpBufferSize of Socket.IO (1 MB by default)";

/// Each was seen: of faye-websocket 0.11, websocket 1.0 on Node, websockets 17, Tornado 6.6, simple-websocket 1.1,
/// WebSocket++ 0.8, aiohttp 3.14, Boost.Beast 345, Mojolicious 9.31, Netty 4.1.48, nhooyr.io/websocket 1.8.7, QtWebSockets 5.15,
/// Bun 1.4 (on uWebSockets), Cowboy 2.8.
const SETTINGS: [(Sign, &str); 15] = [
    (Reason("WebSocket frame length too large"), "maxLength of faye-websocket, in Ruby max_length"),
    (Reason("exceeds maximum accepted frame size"), "maxReceivedFrameSize of websocket on Node"),
    (Reason("Maximum message size exceeded"), "maxReceivedMessageSize of websocket on Node"),
    (
        Reason("exceeds limit of"),
        "max_size of Python's websockets: in uvicorn --ws-max-size, in Sanic WEBSOCKET_MAX_SIZE",
    ),
    (Reason("message too big"), "websocket_max_message_size of Tornado"),
    (Reason("Message is too big"), "max_message_size of simple-websocket, in Flask-Sock SOCK_SERVER_OPTIONS"),
    (Reason("A message was too large"), "set_max_message_size of WebSocket++"),
    (Reason("Max frame length of"), "maxFramePayloadLength of Netty"),
    (Reason("read limited at"), "SetReadLimit of coder/websocket, 32 KiB by default"),
    (Reason("Maximum framesize exceeded"), "setMaxAllowedIncomingFrameSize of QtWebSockets"),
    (Reason("Received too big message"), "maxPayloadLength of Bun or uWebSockets"),
    (Server("Cowboy"), "max_frame_size of Cowboy"),
    (Server("aiohttp"), "max_msg_size of aiohttp's WebSocketResponse"),
    (Server("Boost.Beast"), "read_message_max of Boost.Beast"),
    (Server("Mojolicious"), "max_websocket_size of Mojolicious"),
];

#[cfg(test)]
mod tests {
    use super::{SETTINGS, Sign, setting};
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene};

    #[test]
    fn every_library_is_known_by_its_own_sign() {
        for (sign, expected) in SETTINGS {
            let (answer, reason) = match sign {
                Sign::Reason(text) => (String::new(), format!("frame {text} 65536")),
                Sign::Server(name) => (format!("Server: {name}/1\r\n"), String::new()),
            };
            let told = |from| {
                let answer = format!("HTTP/1.1 101 Switching Protocols\r\n{answer}\r\n");
                let connection = Scene::answered(&answer, "").close(from, 1009, &reason).build();
                setting(&connection, &connection.closes[0])
            };
            assert_eq!(told(Server), Some(expected));
            // What the server calls itself says nothing of the client.
            assert_eq!(told(Client), matches!(sign, Sign::Reason(_)).then_some(expected));
        }
        let request = REQUEST.replace("/chat?token=s3cret", "/socket.io/?EIO=4&transport=websocket");
        let told = |from| {
            let connection = Scene::tcp().request(&request).answer(ANSWER, "").close(from, 1009, "").build();
            setting(&connection, &connection.closes[0])
        };
        assert_eq!((told(Server), told(Client)), (Some(super::SOCKET_IO), None));
        let plain = Scene::session("", "").close(Server, 1009, "").build();
        assert_eq!(setting(&plain, &plain.closes[0]), None);
    }
}
