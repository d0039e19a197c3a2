//! The close codes (RFC 6455 §7.4, and the IANA registry that grew from it).

use super::{Code, Kind, Words};
use std::ops::RangeInclusive;

const RFC: &str = "RFC 6455 §7.4.1";
const IANA: &str = "IANA WebSocket Close Code Number Registry";

const fn close(number: u16, reference: &'static str, rules: &'static [&'static str], english: Words) -> Code {
    range(number..=number, reference, rules, english)
}

const fn range(
    codes: RangeInclusive<u16>,
    reference: &'static str,
    rules: &'static [&'static str],
    english: Words,
) -> Code {
    Code { codes, kind: Kind::Close, reference, rules, english }
}

/// In order of number; a range after its named members.
pub(super) static CLOSES: &[Code] = &[
    close(
        1000,
        RFC,
        &[],
        Words {
            name: "Normal Closure",
            brief: "The purpose of the connection is fulfilled, and one side ends it.",
            description: "The ordinary end of a session. Neither side has anything to complain of. Scripts in browsers may send it; of the codes below 3000 it is the only one they may.",
            when: "A program calls `close()` with it when it is done. Some servers also use it for idle connections: Cowboy closes with 1000 about 60 seconds after the last data from the client.",
            fix: "Nothing, unless it comes after the same silence every time: then send a heartbeat or raise the idle limit of the server.",
            sender: "Either side.",
        },
    ),
    close(
        1001,
        RFC,
        &["close-going-away"],
        Words {
            name: "Going Away",
            brief: "One side goes away: a server stops, or a user leaves the page.",
            description: "A planned departure that is not the application's own goodbye. Browsers send it when a page is left. Servers send it when they stop, and some when a connection was idle for too long.",
            when: "The user navigates away or closes the tab, a server is deployed or shut down, an idle limit of the server strikes, or Caddy reloads its configuration and closes both sides of what it proxies.",
            fix: "Reconnect after a random delay. If the reason speaks of idleness, send a heartbeat; with Caddy set `stream_close_delay`.",
            sender: "Either side; gateways that speak WebSocket, too.",
        },
    ),
    close(
        1002,
        RFC,
        &["close-reports-peer-violation", "close-reply-differs"],
        Words {
            name: "Protocol Error",
            brief: "The sender accuses the other side of having broken the protocol.",
            description: "The sender read something that WebSocket does not allow: a frame without a mask, a reserved bit, an unknown opcode, a close code it does not know. It may not read on after that.",
            when: "A library has a fault, bytes of something else got into the stream, compression is on at one end only, or the other side sent 1014 and the library is too old to know it.",
            fix: "Look at the last frames before this Close for the violation. If there is none, update the library that accuses.",
            sender: "Either side.",
        },
    ),
    close(
        1003,
        RFC,
        &["close-reports-peer-violation"],
        Words {
            name: "Unsupported Data",
            brief: "The receiver cannot take this kind of data, such as binary where it expects text.",
            description: "The data was well-formed, but of a kind that the receiving program does not accept.",
            when: "A text-only endpoint got a binary message, or the other way round.",
            fix: "Send the kind of message, text or binary, that the receiver accepts.",
            sender: "Either side.",
        },
    ),
    close(
        1004,
        RFC,
        &["close-code-reserved-on-wire"],
        Words {
            name: "Reserved",
            brief: "It has no meaning and must not be sent.",
            description: "A number that a draft used and the standard set aside.",
            when: "Hardly ever; a very old library may send it for a frame that is too large.",
            fix: "Use a code with a meaning, such as 1009 for size or 1011 for a fault.",
            sender: "Nobody: it must not be sent.",
        },
    ),
    close(
        1005,
        RFC,
        &["close-code-reserved-on-wire"],
        Words {
            name: "No Status Received",
            brief: "A report to the program that the Close had no code; it never travels.",
            description: "When a Close frame without a code arrives, the library tells its program 1005. The connection was closed in order; only the code is missing.",
            when: "The other side called `close()` without a code, or a browser dropped a WebSocket that no script used any longer.",
            fix: "Close with 1000 if the other side should see a code. A relay must turn 1005 into a Close without a code.",
            sender: "Nobody: libraries report it. On the wire it is a fault of the sender, most often a relay.",
        },
    ),
    close(
        1006,
        RFC,
        &["closed-without-close-frame", "close-code-reserved-on-wire"],
        Words {
            name: "Abnormal Closure",
            brief: "A report to the program that the connection ended without a Close; it never travels.",
            description: "When TCP ends and no Close has come, the library tells its program 1006. Browsers report it for every failed handshake as well: a refused connection, a TLS fault, a status other than 101. So it hides nearly every cause, and only the wire shows which one it was.",
            when: "A proxy or load balancer cut an idle connection, a server or proxy was restarted or crashed, a network path went away, or the handshake failed.",
            fix: "Find out from a capture who ended TCP, how, and after how long a silence. Send a Ping at half the shortest timeout on the path.",
            sender: "Nobody: libraries report it. On the wire it is a fault of the sender, most often a relay.",
        },
    ),
    close(
        1007,
        RFC,
        &["close-reports-peer-violation"],
        Words {
            name: "Invalid Payload Data",
            brief: "A message does not hold what its type promises, such as text that is not UTF-8.",
            description: "The receiver found data in a message that contradicts the message's type.",
            when: "Binary data was sent as text, a string was cut inside a character, or decompression went wrong and made garbage.",
            fix: "Send binary data as binary messages. If the text is right before compression, switch compression off to see whether it garbles.",
            sender: "Either side.",
        },
    ),
    close(
        1008,
        RFC,
        &["close-reports-peer-violation"],
        Words {
            name: "Policy Violation",
            brief: "The receiver refuses for a reason of its own policy.",
            description: "The general refusal where no other code fits, or where the sender does not want to say more.",
            when: "Access was refused after the connection was made, a rate was exceeded, or an origin was not allowed.",
            fix: "Read the reason, then check access rights, origin and rate limits on the side that closed.",
            sender: "Either side.",
        },
    ),
    close(
        1009,
        RFC,
        &["close-reports-peer-violation"],
        Words {
            name: "Message Too Big",
            brief: "A message is larger than the receiver wants to handle.",
            description: "The receiver has a limit for the size of a message or frame, and this one is above it. After decompression counts, too.",
            when: "An upload in one message, a small compressed message that inflates to a large one, or a platform with low limits: AWS API Gateway takes frames of 32 KB and messages of 128 KB.",
            fix: "Raise the receiver's limit (`maxPayload` in ws, `max_size` in Python's websockets, `SetReadLimit` in gorilla), or split the message.",
            sender: "Either side.",
        },
    ),
    close(
        1010,
        RFC,
        &[
            "close-1010-mandatory-extension",
            "close-1010-from-server",
            "extension-offered-not-accepted",
            "extension-response-params-illegal",
        ],
        Words {
            name: "Mandatory Extension",
            brief: "The client ends the connection because the answer to its handshake lacks an extension it cannot do without.",
            description: "The client offered one or more extensions in its request, the server answered 101 without them, and the client leaves because it insists. It should list what it needs in the reason. Only a client has a use for it: a server that needs an extension refuses the handshake. It exists only after a 101, so the server believed that all was well. Almost no client sends it by itself: browsers cannot, and most libraries simply go on without the extension. OkHttp does, when the answer has an extension or a parameter that it cannot accept.",
            when: "A client demands an extension such as permessage-deflate, and the server has it switched off, does not know it, or a gateway on the way removed `Sec-WebSocket-Extensions` from the request or from the answer.",
            fix: "Switch the extension on at the server and let every gateway forward `Sec-WebSocket-Extensions`, or make it optional in the client. Compare this field in the request and in the 101 first: it shows what was offered and what was accepted.",
            sender: "The client only; a server may echo it.",
        },
    ),
    close(
        1011,
        RFC,
        &["close-internal-error"],
        Words {
            name: "Internal Error",
            brief: "The sender met a condition that keeps it from going on.",
            description: "A fault of the sender's own: an exception that nobody caught, or a keepalive that found the other side dead. RFC 6455 speaks of servers; an erratum listed by IANA widens it.",
            when: "A handler crashed, a relay does not know a better code for what happened behind it, or pings stayed unanswered: the reason then reads `keepalive ping timeout`.",
            fix: "Read the sender's log at that second. After a keepalive timeout find out what blocked the other side.",
            sender: "The server; by now either side.",
        },
    ),
    close(
        1012,
        IANA,
        &["close-restart-or-overload", "close-code-wrong-side"],
        Words {
            name: "Service Restart",
            brief: "The server restarts, and the client may come back.",
            description: "An announced restart. Clients should come back after a random delay of 5 to 30 seconds, so that they do not all come at once. Registered after RFC 6455: some libraries do not know it and answer 1002.",
            when: "A deployment or restart; uvicorn sends it when it stops.",
            fix: "Let clients wait for a random time, and stop servers one after the other.",
            sender: "The server.",
        },
    ),
    close(
        1013,
        IANA,
        &["close-restart-or-overload", "close-code-wrong-side"],
        Words {
            name: "Try Again Later",
            brief: "The server is overloaded, and the client should come back later or elsewhere.",
            description: "The server sheds load. A client should try another address, or wait until its user asks again. Registered after RFC 6455: some libraries do not know it and answer 1002.",
            when: "A limit of connections or of memory is reached.",
            fix: "Give the server more capacity or a higher limit, and let clients back off.",
            sender: "The server.",
        },
    ),
    close(
        1014,
        IANA,
        &[
            "close-1014-bad-gateway",
            "close-1014-rejected-by-peer",
            "gateway-accepted-before-upstream",
            "gateway-error-before-upgrade",
        ],
        Words {
            name: "Bad Gateway",
            brief: "A gateway ends the connection because its upstream gave it no valid answer.",
            description: "A gateway or proxy accepted the WebSocket and then got an invalid answer from the server behind it, or none. It exists only after a 101: a gateway that finds its upstream dead while the handshake waits answers with HTTP 502, 503 or 504 instead. Tunnelling proxies (nginx, HAProxy, Apache httpd, Traefik, Varnish) never send it, as they only copy bytes; it comes from relays that speak WebSocket themselves. Registered in 2016 and not part of RFC 6455: many libraries do not know it and answer 1002.",
            when: "A relay, an API gateway or a serverless worker answered 101 and then could not connect to its upstream, or lost it: the upstream is down, listens on another port, or is no WebSocket server.",
            fix: "Check that the upstream runs, listens on the port and scheme that the gateway uses, and speaks WebSocket at that path. Let the gateway route upgrades there, and connect upstream before it answers the client.",
            sender: "A server that is a gateway.",
        },
    ),
    close(
        1015,
        RFC,
        &["close-code-reserved-on-wire"],
        Words {
            name: "TLS Handshake",
            brief: "A report to the program that the TLS handshake failed; it never travels.",
            description: "A library may tell its program 1015 where TLS failed. Browsers report 1006 instead.",
            when: "A certificate is not trusted or does not match the name, or the two sides share no TLS version.",
            fix: "Check names, chain and dates of the certificate, and the TLS versions of both sides.",
            sender: "Nobody: libraries report it.",
        },
    ),
    close(
        3000,
        IANA,
        &["close-application-code"],
        Words {
            name: "Unauthorized",
            brief: "The client has no valid credentials; the WebSocket form of HTTP 401.",
            description: "Registered for endpoints that check access after the connection was made.",
            when: "A token is missing, wrong or expired.",
            fix: "Get new credentials before the next attempt; do not retry with the old ones.",
            sender: "The server.",
        },
    ),
    close(
        3003,
        IANA,
        &["close-application-code"],
        Words {
            name: "Forbidden",
            brief: "The client is known but not allowed; the WebSocket form of HTTP 403.",
            description: "Registered for endpoints that check access after the connection was made.",
            when: "The user lacks the right to what the connection is for.",
            fix: "Grant the right, or do not connect; a retry does not help.",
            sender: "The server.",
        },
    ),
    close(
        3008,
        IANA,
        &["close-application-code"],
        Words {
            name: "Timeout",
            brief: "The other side took too long to do what was expected; the WebSocket form of HTTP 408.",
            description: "Registered for endpoints that wait for a first message, such as a login, or for an answer.",
            when: "The expected message did not come in time.",
            fix: "Send the expected message sooner, or raise the limit.",
            sender: "Either side.",
        },
    ),
    range(
        3000..=3999,
        "RFC 6455 §7.4.2",
        &["close-application-code"],
        Words {
            name: "Registered (libraries)",
            brief: "A library or framework says something that its own documentation explains.",
            description: "The range for libraries, frameworks and applications that register their codes with IANA, first come, first served.",
            when: "The library on one side ended the connection for a reason of its own.",
            fix: "Look the code up in the documentation of the library.",
            sender: "Either side, by agreement.",
        },
    ),
    range(
        4000..=4999,
        "RFC 6455 §7.4.2",
        &["close-application-code"],
        Words {
            name: "Private Use",
            brief: "The application says something that only its own documentation explains.",
            description: "The range for private use. The same number means something else in every application.",
            when: "The application ended the connection for a reason of its own, often access rights or a login elsewhere.",
            fix: "Look the code up in the documentation of the application.",
            sender: "Either side, by agreement; scripts in browsers, too.",
        },
    ),
];
