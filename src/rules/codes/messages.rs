//! Messages that programs log, and what lies behind them on the wire.

use std::ops::Range;

/// A message of some program. Texts are plain, with code in backticks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its wordings, the best known first; `…` stands for what differs from case to case.
    pub texts: &'static [&'static str],
    /// Who says so.
    pub software: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do first.
    pub fix: &'static str,
    /// Close codes and statuses that go with it.
    pub codes: &'static [u16],
    /// Names of rules that find its cause in a capture.
    pub rules: &'static [&'static str],
}

/// The message that `log` quotes, whole or in part, whatever its case and punctuation. Where several fit, the one
/// that ends last: logs go from the general to the particular.
pub fn find(log: &str) -> Option<&'static Message> {
    let log = words(log);
    let quoted = |text: &str| {
        let mut rest: Range<usize> = 0..log.len();
        let mut length = 0;
        for part in text.split('…').map(words) {
            let start = log[rest.clone()].find(&part)?;
            rest.start += start + part.len();
            length += part.len();
        }
        Some((rest.start, length))
    };
    let whole = MESSAGES
        .iter()
        .filter_map(|message| Some((message.texts.iter().filter_map(|text| quoted(text)).max()?, message)))
        .max_by_key(|(place, _)| *place);
    let is_telling = log.split(' ').filter(|word| !word.is_empty()).count() > 1;
    let part = || {
        let holds = |message: &&Message| message.texts.iter().any(|text| words(text).contains(&log));
        MESSAGES.iter().find(holds).filter(|_| is_telling)
    };
    whole.map(|(_, message)| message).or_else(part)
}

/// The close codes and statuses that `log` names, each once: `code 1006`, `1011 (internal error)`, `WS1010`. Other
/// numbers, of ports or years, are left alone.
pub fn codes(log: &str) -> Vec<u16> {
    let log = words(log);
    let all: Vec<&str> = log.split_ascii_whitespace().collect();
    let mut found = Vec::new();
    for (index, word) in all.iter().enumerate() {
        let (glued, digits) = match word.trim_start_matches("ws").trim_start_matches('-') {
            digits if digits.len() < word.len() && word.starts_with("ws") => (true, digits),
            _ => (false, *word),
        };
        let Some((number, code)) = digits.parse().ok().and_then(|n| Some((n, super::explain(n)?))) else {
            continue;
        };
        let before = index.checked_sub(1).and_then(|index| all.get(index));
        let introduced = before.is_some_and(|word| INTRODUCTIONS.contains(word));
        let name = words(code.name);
        let named = all.get(index + 1).is_some_and(|next| name.split(' ').any(|word| word == *next));
        if (glued || introduced || named || all.len() == 1) && !found.contains(&number) {
            found.push(number);
        }
    }
    found
}

/// Words after which a number is a code.
const INTRODUCTIONS: [&str; 16] = [
    "code",
    "codes",
    "status",
    "statuscode",
    "closecode",
    "close",
    "closed",
    "closing",
    "received",
    "sent",
    "http",
    "error",
    "response",
    "with",
    "returned",
    "was",
];

/// In lower case, with one space for everything between words.
fn words(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !(c.is_alphanumeric() || c == '-')).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

const REFUSED: &[&str] = &[
    "response-not-101",
    "response-200-upgrade-ignored",
    "response-forbidden",
    "response-redirect",
    "response-426-upgrade-lost",
    "gateway-error-before-upgrade",
];

const COMPRESSED: &[&str] = &[
    "rsv1-without-extension",
    "rsv-bits-misused",
    "http-bytes-in-stream",
    "extension-response-params-illegal",
];

const CUT: &[&str] = &["closed-without-close-frame", "stream-ends-mid-frame", "reset-around-close"];

/// Every message that is known.
pub static MESSAGES: &[Message] = &[
    Message {
        texts: &[
            "RSV1 must be clear",
            "RSV1 set",
            "Reserved bits are non-zero",
            "One or more reserved bits are on",
            "reserved bits must be 0",
            "RSV2 and RSV3 must be clear",
            "no extension negotiated",
        ],
        software: "ws (Node.js), gorilla, tungstenite, Chrome, Python's websockets, Autobahn",
        meaning: "A frame has a bit set that only an extension gives a meaning, and the receiver negotiated none. Either the sender compresses although the receiver's handshake lacks permessage-deflate, because a gateway removed it from the answer, or the bytes are no frame at all: an HTTP answer written into the stream looks like this, too.",
        fix: "Look at the bytes of the first such frame. If they read `HTTP/1.1`, two programs write to one socket. Otherwise compare `Sec-WebSocket-Extensions` of the 101 on both sides of every gateway.",
        codes: &[1002],
        rules: COMPRESSED,
    },
    Message {
        texts: &["Invalid frame header", "Invalid WebSocket frame"],
        software: "Chrome, ws (Node.js)",
        meaning: "What came after the 101 is no frame: wrong bits, a wrong length, or not WebSocket at all. The fault lies with whoever wrote these bytes, not with the one who complains.",
        fix: "Look at the bytes. `HTTP/1.1` means that a framework or proxy answered a second time on the upgraded socket; two WebSocket servers on one HTTP server do that.",
        codes: &[1002, 1006],
        rules: &[
            "http-bytes-in-stream",
            "rsv1-without-extension",
            "opcode-reserved",
            "server-frame-masked",
            "framing-lost",
        ],
    },
    Message {
        texts: &["invalid opcode", "bad opcode", "Unrecognized frame opcode"],
        software: "ws (Node.js), gorilla, Python's websockets, Chrome",
        meaning: "A frame has an opcode that does not exist. Nobody sends one on purpose: most often the receiver reads at the wrong place, or bytes of something else are in the stream.",
        fix: "Look at the frame before it, and for text such as `HTTP/1.1` in the stream.",
        codes: &[1002],
        rules: &["opcode-reserved", "http-bytes-in-stream", "framing-lost"],
    },
    Message {
        texts: &[
            "Masked frame from server",
            "A server must not mask any frames that it sends to the client",
            "MASK must be clear",
        ],
        software: "Chrome, ws (Node.js)",
        meaning: "The server masked a frame. Only clients do (RFC 6455 §5.1), and a client must close.",
        fix: "Correct the server: it runs a client's code for sending, or passes a client's frames on as they are.",
        codes: &[1002],
        rules: &["server-frame-masked"],
    },
    Message {
        texts: &[
            "MASK must be set",
            "bad MASK",
            "incorrect masking",
            "The client frame was not masked",
            "unmasked client-to-server frame",
        ],
        software: "ws (Node.js), gorilla, Python's websockets, Tomcat, Autobahn",
        meaning: "A client's frame is not masked, or a server's is. In gorilla `bad MASK` stands for both.",
        fix: "Correct the sender: a client masks every frame, Close and Pong included; a server masks none.",
        codes: &[1002],
        rules: &["client-frame-unmasked", "server-frame-masked"],
    },
    Message {
        texts: &[
            "bad close code…",
            "invalid status code…",
            "invalid close code…",
            "Received a broken close frame containing a reserved status code",
        ],
        software: "gorilla, ws (Node.js), Python's websockets, Autobahn, Chrome",
        meaning: "A Close came with a code that the receiver does not accept, so it answered 1002 and its program never saw the code. For 1005, 1006 and 1015 the receiver is right: they must not be sent. For 1012 to 1014 it is old: they are registered, and gorilla, tungstenite, Autobahn and others do not know 1014.",
        fix: "For 1014 look behind the gateway that sent it, and send 1011 to clients that do not know it. For 1005, 1006 and 1015 correct the relay: it passes on what its library reported.",
        codes: &[1002, 1014],
        rules: &[
            "close-1014-rejected-by-peer",
            "close-code-reserved-on-wire",
            "close-code-wrong-side",
            "close-payload-malformed",
        ],
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
        texts: &["sent ping but didn't receive pong", "heartbeat timeout", "ping timeout"],
        software: "OkHttp, Phoenix, engine.io and Socket.IO",
        meaning: "A heartbeat stayed unanswered, so this side gave the connection up. The other side was too busy, or packets no longer arrived.",
        fix: "See in a capture whether the heartbeat arrived. Phoenix and Socket.IO send theirs as messages, not as Ping frames.",
        codes: &[1000, 1006],
        rules: CUT,
    },
    Message {
        texts: &[
            "unexpected EOF",
            "abnormal closure",
            "no close frame received or sent",
            "Connection reset without closing handshake",
            "without completing the close handshake",
        ],
        software: "gorilla, Python's websockets, tungstenite, .NET",
        meaning: "The connection ended without a Close frame: somebody ended TCP. What is called 1006 here was reported by the library itself and never sent. Most often a proxy's idle limit struck, or a program was killed.",
        fix: "See in a capture who sent FIN or RST first, and after how long a silence. Then send a Ping at half that time, or raise the limit.",
        codes: &[1006],
        rules: CUT,
    },
    Message {
        texts: &[
            "ECONNRESET",
            "connection reset by peer",
            "socket hang up",
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
        texts: &[
            "Unexpected response code",
            "Unexpected server response",
            "Invalid response status",
            "server rejected WebSocket connection: HTTP…",
            "Expected HTTP 101 response but was…",
            "when status code '101' was expected",
        ],
        software: "Chrome, ws (Node.js), aiohttp, Python's websockets, OkHttp, .NET",
        meaning: "The handshake was answered with another status than 101, so no WebSocket came to be. The number is that status, and it tells who refused and why.",
        fix: "Explain the status: `wsanalyze explain 502`, for example. A capture shows the fields and the body of the answer, which name the product that gave it.",
        codes: &[],
        rules: REFUSED,
    },
    Message {
        texts: &["websocket: bad handshake", "InvalidStatus", "WSServerHandshakeError", "HandshakeException"],
        software: "gorilla, Python's websockets, aiohttp, Java",
        meaning: "The answer to the handshake was no valid 101: mostly another status, sometimes a 101 with wrong fields.",
        fix: "Print status and body: in gorilla the response that `Dial` returns beside the error. In a capture they are in the answer to the upgrade.",
        codes: &[],
        rules: &[
            "response-not-101",
            "response-forbidden",
            "response-redirect",
            "gateway-error-before-upgrade",
            "response-upgrade-headers-invalid",
            "response-accept-invalid",
        ],
    },
    Message {
        texts: &["NSURLErrorDomain…-1011", "There was a bad response from the server"],
        software: "URLSessionWebSocketTask (Apple)",
        meaning: "The handshake was answered with another status than 101. The number -1011 is Apple's own and has nothing to do with close code 1011.",
        fix: "Read the status from the task's `response`, or from a capture.",
        codes: &[],
        rules: REFUSED,
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
        texts: &[
            "Sent non-empty 'Sec-WebSocket-Protocol' header but no response was received",
            "Server sent no subprotocol",
        ],
        software: "Chrome, ws (Node.js), tungstenite",
        meaning: "The client offered subprotocols and the 101 selects none. RFC 6455 allows that; browsers, ws and tungstenite fail the connection all the same.",
        fix: "Let the server select one of those offered, or do not offer any. If the server does select one, a gateway removes `Sec-WebSocket-Protocol` from the answer.",
        codes: &[1006],
        rules: &["subprotocol-offered-not-selected"],
    },
    Message {
        texts: &[
            "Response must not include 'Sec-WebSocket-Protocol' header if not present in request",
            "'Sec-WebSocket-Protocol' header value…does not match any of sent values",
            "Server sent an invalid subprotocol",
            "Server sent a subprotocol but none was requested",
        ],
        software: "Chrome, ws (Node.js)",
        meaning: "The 101 selects a subprotocol that the client did not offer.",
        fix: "Let the server select only from what the request lists; check whether a gateway changes the field in the request.",
        codes: &[1006],
        rules: &["subprotocol-selected-not-offered"],
    },
    Message {
        texts: &["Invalid Sec-WebSocket-Protocol header"],
        software: "ws (Node.js)",
        meaning: "The list of subprotocols is malformed. Tokens are often smuggled here, and characters such as `=`, `/` or a space are not allowed.",
        fix: "Encode the token with base64url without padding, or send it in another way.",
        codes: &[400],
        rules: &["subprotocol-malformed"],
    },
    Message {
        texts: &["unexpected Sec-WebSocket-Extensions in response header"],
        software: "OkHttp, as the reason of its Close 1010",
        meaning: "The 101 has an extension or a parameter that OkHttp cannot accept, such as `client_max_window_bits`, which it never offers. It does not mean that an extension is missing.",
        fix: "Correct the answer: the server, or a gateway that adds parameters of another client.",
        codes: &[1010],
        rules: &[
            "close-1010-mandatory-extension",
            "extension-response-params-illegal",
            "extension-accepted-not-offered",
        ],
    },
    Message {
        texts: &["mandatory extension missing", "mandatory extension"],
        software: "gorilla and Python's websockets, when they print code 1010",
        meaning: "The client closed with 1010: the answer lacks an extension that it insists on.",
        fix: "Compare `Sec-WebSocket-Extensions` in the request and in the 101.",
        codes: &[1010],
        rules: &[
            "close-1010-mandatory-extension",
            "extension-offered-not-accepted",
            "close-1010-from-server",
        ],
    },
    Message {
        texts: &[
            "Found an unsupported extension",
            "Received duplicate permessage-deflate response",
            "Error in permessage-deflate",
            "header value is rejected by the parser",
            "invalid compression negotiation",
            "Invalid Sec-WebSocket-Extensions header",
            "Server sent a Sec-WebSocket-Extensions header but no extension was requested",
        ],
        software: "Chrome, gorilla, ws (Node.js)",
        meaning: "The extensions of the 101 do not answer the offer: one was not offered, is there twice, or has a parameter that is not allowed. gorilla also refuses a legal answer that lacks `client_no_context_takeover`.",
        fix: "Compare offer and answer. With gorilla let the server confirm both `no_context_takeover` parameters, or switch compression off.",
        codes: &[1006, 1010],
        rules: &[
            "extension-accepted-not-offered",
            "extension-response-params-illegal",
            "extension-header-malformed",
        ],
    },
    Message {
        texts: &[
            "Invalid Sec-WebSocket-Accept header",
            "Incorrect 'Sec-WebSocket-Accept' header value",
            "'Sec-WebSocket-Accept' header is missing",
            "Invalid challenge response",
        ],
        software: "ws (Node.js), Chrome, aiohttp",
        meaning: "The 101 does not answer the key of this request: it was stored by a cache, belongs to another request, or a gateway changed one of the two.",
        fix: "Keep caches off the path. Compare key and accept on both sides of every gateway.",
        codes: &[1006],
        rules: &["response-accept-invalid"],
    },
    Message {
        texts: &[
            "Invalid Upgrade header",
            "'Upgrade' header is missing",
            "'Connection' header is missing",
            "Expected 'Connection' header value 'Upgrade' but was…",
            "Invalid connection header",
            "'upgrade' token not found in 'Connection' header",
            "'websocket' token not found in 'Upgrade' header",
            "the client is not using the websocket protocol",
            "not a websocket handshake",
            "InvalidUpgrade",
        ],
        software: "ws (Node.js), Chrome, OkHttp, aiohttp, gorilla, Python's websockets",
        meaning: "`Upgrade: websocket` or `Connection: Upgrade` is missing. Both are for one hop only, so every proxy must be told to pass them on. Said by a server it is about the request; said by a client, about the 101. OkHttp also refuses a legal `Connection: keep-alive, Upgrade`.",
        fix: "In the proxy before the one who complains forward both fields over HTTP/1.1; in nginx that is `proxy_http_version 1.1` and two `proxy_set_header`.",
        codes: &[400, 426],
        rules: &[
            "request-upgrade-missing",
            "request-connection-upgrade-missing",
            "response-upgrade-headers-invalid",
            "response-426-upgrade-lost",
        ],
    },
    Message {
        texts: &["Missing or invalid Sec-WebSocket-Key header", "'Sec-WebSocket-Key' header must be"],
        software: "ws (Node.js), gorilla",
        meaning: "The request has no key, or one that is not 16 bytes in base64. Gateways that turn HTTP/2 into HTTP/1.1 without making a key do that.",
        fix: "See which side of the gateway has a key. Keep the WebSocket on HTTP/1.1 up to there, or update the gateway.",
        codes: &[400],
        rules: &["request-key-invalid"],
    },
    Message {
        texts: &["Missing or invalid Sec-WebSocket-Version header", "unsupported version: 13 not found"],
        software: "ws (Node.js), gorilla",
        meaning: "The request does not ask for version 13, the only one in use. Most often the field was lost on the way.",
        fix: "Let every gateway forward `Sec-WebSocket-Version`.",
        codes: &[400, 426],
        rules: &["request-version-unsupported"],
    },
    Message {
        texts: &[
            "request origin not allowed",
            "Request origin not allowed: …",
            "Origin not allowed",
            "origin is not allowed",
            "CORS",
        ],
        software: "gorilla, Rails, many servers",
        meaning: "The server refuses `Origin`. Behind a proxy the usual cause is a changed `Host`, with which the origin is compared. CORS itself does not apply to WebSockets.",
        fix: "Forward the original `Host`, or add the origin to those allowed.",
        codes: &[403],
        rules: &["response-forbidden"],
    },
    Message {
        texts: &[
            "did not receive a valid HTTP response",
            "Malformed HTTP response",
            "Parse Error: Expected HTTP",
            "Status line does not begin with",
        ],
        software: "Python's websockets, Go, Node.js",
        meaning: "What answered the handshake does not speak HTTP here: another protocol listens on the port, TLS met plain text, or the connection ended before a whole answer.",
        fix: "Check port and scheme, `ws` or `wss`. A capture shows the first bytes: `15 03` is a TLS alert.",
        codes: &[],
        rules: &["response-not-http", "handshake-unanswered"],
    },
    Message {
        texts: &["did not receive a valid HTTP request"],
        software: "Python's websockets",
        meaning: "Something opened the port and sent no whole HTTP request: a health check that only connects, a scanner, or TLS on a plain port.",
        fix: "Give the health check an HTTP path of its own. For real clients check `ws` or `wss`.",
        codes: &[],
        rules: &["request-line-invalid"],
    },
    Message {
        texts: &[
            "opening handshake timed out",
            "Opening handshake has timed out",
            "timed out during opening handshake",
            "Handshake timeout",
        ],
        software: "Chrome, ws (Node.js), Python's websockets",
        meaning: "The request was sent and no answer came in time: it reached a server that does not answer upgrades, or a proxy that waits for its upstream.",
        fix: "See in a capture whether the request was acknowledged, and on the other side of the gateway whether it arrived there.",
        codes: &[1006, 504],
        rules: &["handshake-unanswered"],
    },
    Message {
        texts: &[
            "WebSocket is closed before the connection is established",
            "WebSocket was closed before the connection was established",
        ],
        software: "Chrome, ws (Node.js)",
        meaning: "The program called `close()` while the handshake was still going on. In pages a component was taken away too soon, often by a framework that mounts twice in development.",
        fix: "Close after `open` only, or ignore it. The network has no part in it.",
        codes: &[1006],
        rules: &["client-aborts-after-101", "handshake-unanswered"],
    },
    Message {
        texts: &["Connection closed before receiving a handshake response"],
        software: "Chrome",
        meaning: "TCP was made and ended again before any answer to the upgrade: the server or a proxy dropped the request.",
        fix: "See who sent FIN or RST. Check port and scheme, and whether the proxy has a route for the path.",
        codes: &[1006],
        rules: &["handshake-unanswered", "response-not-http"],
    },
    Message {
        texts: &[
            "can't establish a connection to the server at",
            "Error in connection establishment",
            "WebSocket connection to…failed",
        ],
        software: "Firefox, Chrome",
        meaning: "The handshake failed, and the browser hides the reason from the page: a refused connection, TLS, a status other than 101, or a wrong field all read the same.",
        fix: "Look for the status in the network tab of the developer tools, or for all of it in a capture.",
        codes: &[1006],
        rules: REFUSED,
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
        texts: &[
            "Max payload size exceeded",
            "message too big",
            "read limit exceeded",
            "The message was…bytes long but",
        ],
        software: "ws (Node.js), Python's websockets, gorilla, Tomcat",
        meaning: "A message was larger than the receiver's limit, and the receiver closed.",
        fix: "Raise the limit (`maxPayload`, `max_size`, `SetReadLimit`), or split the message.",
        codes: &[1009],
        rules: &["close-reports-peer-violation"],
    },
    Message {
        texts: &["Could not decode a text frame as UTF-8", "invalid UTF-8 sequence", "invalid utf8 payload"],
        software: "Chrome, ws (Node.js), gorilla",
        meaning: "A text message is not UTF-8: binary data was sent as text, or a string was cut inside a character.",
        fix: "Send binary data as binary messages.",
        codes: &[1007],
        rules: &["close-reports-peer-violation"],
    },
    Message {
        texts: &[
            "FIN must be set",
            "fragmented control frame",
            "control frame too long",
            "continuation after FIN",
            "data after FIN",
            "data before FIN",
            "unexpected continuation frame",
            "oversized length encoding",
        ],
        software: "ws (Node.js), Python's websockets, gorilla, Autobahn",
        meaning: "The sender breaks the rules for fragments or control frames. Two tasks that write to one connection without a lock do that.",
        fix: "Let one task write at a time, then look at the frames before this one.",
        codes: &[1002],
        rules: &["fragmentation-sequence-broken", "control-frame-invalid", "length-encoding-invalid"],
    },
    Message {
        texts: &["Connection Idle Timeout", "idle timeout expired"],
        software: "Jetty, Tomcat, as the reason of a Close 1001",
        meaning: "The server closed because nothing came for too long; in Jetty 30 seconds by default.",
        fix: "Send a Ping at half that time, or raise the server's idle timeout.",
        codes: &[1001],
        rules: &["close-going-away"],
    },
    Message {
        texts: &["Session ID unknown", "xhr poll error"],
        software: "engine.io and Socket.IO",
        meaning: "The upgrade or poll reached a server that does not know the session: several servers stand behind a load balancer, and it spreads one client over them.",
        fix: "Switch sticky sessions on, or use WebSocket as the only transport.",
        codes: &[400],
        rules: &["response-not-101"],
    },
    Message {
        texts: &["ERR_CONNECTION_REFUSED", "ECONNREFUSED", "Connection refused"],
        software: "Chrome, Node.js and every program that uses sockets",
        meaning: "Nothing listens at that address and port, or a firewall refuses. The handshake never began. In the log of a gateway it is about the upstream, and the client gets 502 or 503.",
        fix: "Check that the program runs and listens on that port, on an address that can be reached from there: one that listens on 127.0.0.1 is refused to all other machines.",
        codes: &[1006, 502, 503],
        rules: &["gateway-error-before-upgrade"],
    },
    Message {
        texts: &[
            "upstream prematurely closed connection",
            "Connection refused) while connecting to upstream",
            "no live upstreams",
            "upstream connect error or disconnect/reset before headers",
            "no healthy upstream",
        ],
        software: "nginx, Envoy",
        meaning: "The gateway has no upstream that answers: it is down, listens elsewhere, or ends connections at once. The client gets 502 or 503.",
        fix: "Check that the upstream runs and listens on the port and scheme that the gateway uses.",
        codes: &[502, 503],
        rules: &["gateway-error-before-upgrade"],
    },
    Message {
        texts: &["upstream timed out…while proxying upgraded connection", "upstream timed out"],
        software: "nginx",
        meaning: "`proxy_read_timeout` has passed, 60 seconds by default. During the handshake the client gets 504; after the 101 nginx ends the connection without a Close, and both programs report 1006.",
        fix: "During the handshake find out why the upstream stays silent. After the 101 send a Ping every 30 seconds, or raise `proxy_read_timeout`.",
        codes: &[504, 1006],
        rules: &["gateway-error-before-upgrade", "closed-without-close-frame"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_whole_and_what_it_names_exists() {
        for message in MESSAGES {
            assert!(!message.texts.is_empty() && !message.software.is_empty());
            for text in [message.meaning, message.fix] {
                assert!(text.len() > 20 && text.ends_with('.'), "{:?}", message.texts);
            }
            assert!(!message.rules.is_empty() || !message.codes.is_empty(), "{:?}", message.texts);
            for name in message.rules {
                assert!(crate::rules::rule(name).is_some_and(|rule| rule.name == *name), "{name}");
            }
            for code in message.codes {
                assert!(super::super::explain(*code).is_some(), "{code}");
            }
        }
    }

    #[test]
    fn every_wording_leads_to_its_own_message() {
        for message in MESSAGES {
            for text in message.texts {
                let log = format!("2026-11-22 ERROR {} at line 7", text.replace('…', " 57 "));
                assert_eq!(find(&log).map(|found| found.texts), Some(message.texts), "{text}");
            }
        }
    }

    #[test]
    fn a_message_is_found_in_a_log_line_in_part_and_in_other_punctuation() {
        let first = |log: &str| find(log).map(|message| message.texts[0]);
        for (log, text) in [
            ("RangeError: Invalid WebSocket frame: RSV1 must be clear", "RSV1 must be clear"),
            ("rsv1 MUST be clear", "RSV1 must be clear"),
            ("websocket: close 1006 (abnormal closure): unexpected EOF", "unexpected EOF"),
            ("Error during WebSocket handshake: Unexpected response code: 502", "Unexpected response code"),
            ("bad close code 1014", "bad close code…"),
            (
                "Sent non-empty \"Sec-WebSocket-Protocol\" header but no response",
                "Sent non-empty 'Sec-WebSocket-Protocol' header but no response was received",
            ),
            ("code: 1011, reason: keepalive ping timeout", "keepalive ping timeout"),
        ] {
            assert_eq!(first(log), Some(text), "{log}");
        }
        for nothing in ["", "websocket", "code 1006", "the weather is fine", "…"] {
            assert_eq!(first(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn codes_are_told_from_other_numbers() {
        for (log, expected) in [
            ("code 1006", &[1006][..]),
            ("closed with code: 1010", &[1010]),
            ("Unexpected response code: 502", &[502]),
            ("received 1011 (internal error) keepalive; then sent 1011 (internal error)", &[1011]),
            ("WS1010", &[1010]),
            ("ws-1014", &[1014]),
            ("1006 abnormal closure", &[1006]),
            ("HTTP 403 on localhost:3000 in 200 ms", &[403]),
            ("2026-11-22 10:00:00 connection to port 4000 lost", &[]),
            ("close 999", &[]),
        ] {
            assert_eq!(codes(log), expected, "{log}");
        }
    }
}
