//! Pairs of codes that people confuse, in words of their own.

/// How two codes differ.
pub(super) struct Pair {
    /// The two.
    pub(super) codes: (u16, u16),
    /// What the one-sentence summaries of the two do not say.
    pub(super) differences: &'static [&'static str],
    /// Which to use when.
    pub(super) when_to_use: &'static [&'static str],
}

/// See [`Pair`].
pub(super) static PAIRS: &[Pair] = &[
    Pair {
        codes: (1010, 1014),
        differences: &[
            "Who speaks: 1010 comes from the client, and only from it; 1014 comes from the server's side, from a gateway.",
            "What it is about: 1010 speaks of the handshake between the two, of the extensions in it; 1014 speaks of what stands behind the gateway, which the client never sees.",
            "What it carries: 1010 should list the missing extensions as its reason; for the reason of 1014 nothing is laid down.",
            "Where to look: for 1010 at `Sec-WebSocket-Extensions` of request and 101; for 1014 at the gateway's connection to its upstream at that second.",
            "Both exist only after a 101. A server without the extension that does not want to go on, and a gateway whose upstream is dead during the handshake, both answer with an HTTP status: 4xx the one, 502, 503 or 504 the other.",
            "Retrying: after 1010 every retry fails until a configuration is changed; after 1014 a later retry may succeed.",
        ],
        when_to_use: &[
            "Send 1010 from a client that cannot work without an extension, with the list of what it needs as the reason.",
            "Send 1014 from a gateway that has accepted the WebSocket and then lost its upstream.",
            "Send neither for refused access: that is 1008, 3000 or a code from 4000 to 4999.",
        ],
    },
    Pair {
        codes: (1006, 1014),
        differences: &[
            "1014 is on the wire and was chosen by a gateway; 1006 is on no wire and means that nobody chose anything.",
            "The same dead upstream shows as 1014 behind a relay that speaks WebSocket, and as 1006 behind a tunnelling proxy, which can only cut the connection.",
            "A browser also reports 1006 where the gateway answered the handshake with 502: the page is not told the status.",
        ],
        when_to_use: &[
            "Seeing 1014, look behind the gateway. Seeing 1006, find out first who ended TCP, from a capture.",
            "Never send 1006; a relay that got it on one side sends 1011 or 1014 on the other.",
        ],
    },
    Pair {
        codes: (1011, 1014),
        differences: &[
            "1011 says that the fault is the sender's own; 1014 says that it lies behind the sender.",
            "Every library understands 1011. Many refuse 1014 and answer 1002, so that the program never learns of it.",
        ],
        when_to_use: &[
            "Send 1014 from a gateway to clients that know it; send 1011 with a reason that names the upstream to all others.",
            "Send 1011 from an application for its own faults, and 1014 never.",
        ],
    },
    Pair {
        codes: (1001, 1012),
        differences: &[
            "1001 says that the sender goes and promises nothing; 1012 says that the service will be back.",
            "1001 comes from both sides, above all from browsers whose page is left; 1012 comes from servers only.",
            "1012 was registered after RFC 6455, and some libraries answer it with 1002; every library knows 1001.",
        ],
        when_to_use: &[
            "Send 1012 for a restart if your clients know it and wait 5 to 30 seconds before they return; 1001 otherwise.",
        ],
    },
    Pair {
        codes: (502, 1014),
        differences: &[
            "They are the same fault at different times: a gateway got no valid answer from its upstream. Before the 101 the gateway says so with HTTP 502, after it with close code 1014.",
            "502 can come from every gateway; 1014 only from one that speaks WebSocket itself. A tunnelling proxy that loses its upstream after the 101 cuts the connection, and both programs report 1006.",
            "A browser hides the 502 from the page, which sees 1006; it shows the 1014.",
        ],
        when_to_use: &[
            "A gateway should connect to its upstream first and answer 502 if that fails: the client then knows at once.",
            "1014 is right where the upstream was there during the handshake and was lost later.",
        ],
    },
    Pair {
        codes: (1005, 1006),
        differences: &[
            "With 1005 a Close came and had no code: the end was in order. With 1006 no Close came: it was not.",
            "Neither is ever on the wire. An API reports them, and browsers call the first clean and the second not.",
        ],
        when_to_use: &[
            "Never send either: close with 1000, or without a code. A relay passes 1005 on as an empty Close, and 1006 as 1011 or 1014.",
        ],
    },
    Pair {
        codes: (1000, 1001),
        differences: &[
            "1000 says that the work is done; 1001 says that the sender goes away, done or not.",
            "Scripts in browsers can send 1000 and not 1001; the browser itself sends 1001 when the page is left.",
        ],
        when_to_use: &[
            "Send 1000 when the application ends the session, and 1001 when the program that holds it is being stopped.",
            "A client should come back after 1001 and not after 1000.",
        ],
    },
    Pair {
        codes: (1002, 1010),
        differences: &[
            "1002 accuses the other side of a violation; 1010 does not: a server is free to decline an extension.",
            "1002 comes from either side at any time; 1010 from the client, right after the handshake.",
            "An answer with an extension or parameter that was not offered is a violation; clients then fail the handshake, close with 1002, or, like OkHttp, with 1010.",
        ],
        when_to_use: &[
            "Send 1010 where the answer is legal but not enough, and 1002 where a frame breaks the protocol.",
        ],
    },
];
