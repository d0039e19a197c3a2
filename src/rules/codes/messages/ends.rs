//! Messages about ends: Closes, heartbeats without an answer, and connections that were cut.

use super::Message;

/// See above.
pub static MESSAGES: &[Message] = &[
    Message {
        texts: &["1000 Bye", "1000…reason Bye"],
        software: "Netty and what is built on it, as the reason of a Close 1000",
        meaning: "The server's program closed its channel. Netty puts 1000 `Bye` on the way of every such end, also after an exception in a handler, a ReadTimeoutHandler, or text that is not UTF-8: it need not be a normal end.",
        fix: "Read the server's log at that second for an exception. Where none is there, look for a timeout handler in the pipeline, and for `close()` in the program.",
        codes: &[1000],
        rules: &[],
    },
    Message {
        texts: &["STOMP died"],
        software: "RabbitMQ (web_stomp), as the reason of a Close 1000",
        meaning: "RabbitMQ ended the STOMP session by itself, as it does where the client does not send the heart-beats that it promised in CONNECT.",
        fix: "Find out what blocked the client, such as a page in the background, or let it promise fewer heart-beats (`heart-beat` in CONNECT, `heartbeatOutgoing` in stompjs). RabbitMQ's log tells the cause.",
        codes: &[1000],
        rules: &[],
    },
    Message {
        texts: &["Subprotocol not acceptable"],
        software: "graphql-ws (Node.js), as the reason of a Close 4406",
        meaning: "The client did not offer the subprotocol graphql-transport-ws. `graphql-ws` in this field is the name of the older protocol of subscriptions-transport-ws, which is another language.",
        fix: "Let the client offer `graphql-transport-ws`, or let the server speak the older protocol to it.",
        codes: &[4406],
        rules: &["close-application-code", "subprotocol-offered-not-selected"],
    },
    Message {
        texts: &["Connection initialisation timeout"],
        software: "graphql-ws (Node.js), as the reason of a Close 4408",
        meaning: "The client connected and sent no `connection_init` within 3 seconds, the default of connectionInitWaitTimeout.",
        fix: "Let the client send `connection_init` at once; a token that it fetches first takes too long.",
        codes: &[4408],
        rules: &["close-application-code"],
    },
    Message {
        texts: &["keepalive ping timeout"],
        software: "Python's websockets, uvicorn",
        meaning: "A Ping stayed unanswered for 20 seconds (the default), so the side that sent it closed with 1011. The fault is not its own: the other side did not answer, because its event loop was blocked, or because the network between was gone.",
        fix: "See in a capture whether the Ping arrived. If it did, find what blocks the program that should answer; if not, find where the path broke. Raise `ping_timeout` only for work that must block.",
        codes: &[1011],
        rules: &["close-internal-error", "close-unanswered"],
    },
    Message {
        texts: &[
            "sent ping but didn't receive pong",
            "heartbeat timeout",
            "ping timeout",
            "ping timed out",
            "Ping/Pong timeout",
            "No response from heartbeat",
            "No response from ping frame",
            "ping/pong timed out",
        ],
        software: "OkHttp, Phoenix, engine.io and Socket.IO, Tornado (with 1000), simple-websocket (with 1008), SockJS, Deno (with 1001), websocket-client (with an empty 1000)",
        meaning: "A heartbeat stayed unanswered, so this side gave the connection up. The other side was too busy, or packets no longer arrived.",
        fix: "See in a capture whether the heartbeat arrived. Phoenix and Socket.IO send theirs as messages, not as Ping frames.",
        codes: &[1000, 1001, 1006, 1008],
        rules: HEARTBEAT,
    },
    Message {
        texts: &[
            "unexpected EOF",
            "abnormal closure",
            "no close frame received or sent",
            "Connection reset without closing handshake",
            "without completing the close handshake",
            "Connection to remote host was lost",
            "Connection dropped by remote peer",
        ],
        software: "gorilla, Python's websockets, tungstenite, .NET, websocket-client, websocket on Node",
        meaning: "The connection ended without a Close frame: somebody ended TCP. What is called 1006 here was reported by the library itself and never sent. Most often a proxy's idle limit struck, or a program was killed.",
        fix: "See in a capture who sent FIN or RST first, and after how long a silence. Then send a Ping at half that time, or raise the limit.",
        codes: &[1006],
        rules: CUT,
    },
    Message {
        texts: &["Socket is not connected", "NSPOSIXErrorDomain…57"],
        software: "URLSessionWebSocketTask (Apple)",
        meaning: "The program used a WebSocket that was over. The cause came before: a Close, a cut connection, or an app that was suspended.",
        fix: "Look for how the connection ended, not for this message.",
        codes: &[1006],
        rules: CUT,
    },
    Message {
        texts: &["was interrupted while the page was loading"],
        software: "Firefox",
        meaning: "The page was left or reloaded while its WebSocket was open. It is no fault.",
        fix: "Nothing, or close the WebSocket when the page is left.",
        codes: &[1001],
        rules: &["close-going-away"],
    },
    Message {
        texts: &["Connection Idle Timeout", "idle timeout expired"],
        software: "Jetty, Tomcat, as the reason of a Close 1001",
        meaning: "The server closed because nothing came for too long; in Jetty 30 seconds by default, before Jetty 10 five minutes.",
        fix: "Send a Ping at half that time, or raise the server's idle timeout.",
        codes: &[1001],
        rules: &["close-going-away"],
    },
    Message {
        texts: &["Broken framing", "Go away!"],
        software: "SockJS, as the reason of its Close 3000",
        meaning: "3000 is SockJS's own here and has nothing to do with access rights. `Broken framing` says that a message was no JSON array of strings: mostly a plain WebSocket client speaks to the path of a SockJS session. `Go away!` says that a program closed the session.",
        fix: "Speak through a SockJS client, or let a plain WebSocket client use the path that ends in `/websocket` without a session.",
        codes: &[3000],
        rules: &["close-application-code"],
    },
    Message {
        texts: &["Failed to connect to downstream server", "Text frames are not supported"],
        software: "websockify",
        meaning: "websockify answers the upgrade first and connects then: with Close 1011 it says that the TCP server behind it refused or is not there, with Close 1003 that it was sent text, where it takes binary messages only.",
        fix: "For 1011 start the TCP server, and check the host and port that websockify was given. For 1003 send binary messages.",
        codes: &[1011, 1003],
        rules: &["close-internal-error", "close-reports-peer-violation"],
    },
    Message {
        texts: &[
            "ECONNRESET",
            "connection reset by peer",
            "ERR_CONNECTION_RESET",
            "forcibly closed by the remote host",
        ],
        software: "Node.js and every program that uses sockets",
        meaning: "The other end of TCP sent a RST: its program died or dropped the connection, or a device between forgot the connection and refused the next packet. Before the 101 it means that nobody answered the handshake.",
        fix: "See in a capture what came just before the RST: a long silence points to a device between, data points to a crash.",
        codes: &[1006],
        rules: &[
            "reset-around-close",
            "closed-without-close-frame",
            "handshake-unanswered",
            "response-not-http",
        ],
    },
    Message {
        texts: &["An unrecoverable IOException occurred so the connection was closed"],
        software: "Tomcat, as the reason of a Close 1002",
        meaning: "Tomcat's own trouble in spite of the code, which accuses the other side: its endpoint failed with an exception, two threads wrote at once, or Tomcat was stopped amid the session.",
        fix: "Read Tomcat's log at that second, and what `@OnError` was given. No frame of the client is to blame.",
        codes: &[1002],
        rules: &["close-reports-peer-violation"],
    },
];

/// Rules that find a heartbeat without an answer, and the end that it brought.
const HEARTBEAT: &[&str] =
    &["ping-unanswered", "closed-without-close-frame", "stream-ends-mid-frame", "reset-around-close"];

/// Rules that find a connection that ended without the closing handshake.
const CUT: &[&str] = &["closed-without-close-frame", "stream-ends-mid-frame", "reset-around-close"];
