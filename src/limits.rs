//! Every bound of the program, each with its reason. A bound that is reached is a fact in the report.

/// Longest message head that is followed, in bytes. Servers refuse heads far shorter; 64 KiB covers every real one.
pub const HEAD: usize = 64 << 10;

/// Heads of requests, and as many of answers, that each thread caches, so that others which are the same but for their key or
/// accept need not be read anew: about as many as kinds of clients and servers come at once. None is longer than
/// [`CACHED_HEAD`] bytes.
pub const CACHED_HEADS: usize = 256;

/// Longest head that is cached, in bytes: longer ones hold cookies and tokens, which no other head has.
pub const CACHED_HEAD: usize = 1024;

/// Bytes of an answer's body that are kept: enough for the sentence by which a gateway's error page is known.
pub const BODY_QUOTE: usize = 512;

/// Bytes of the wire quoted in evidence.
pub const QUOTE: usize = 64;

/// Faults that the table keeps apart by server, each with its count. What comes later is counted by its kind alone.
pub const REPORT_GROUPS: usize = 200;

/// Findings of one kind that the table shows with their own facts.
pub const REPORT_EXAMPLES: usize = 5;

/// What a waiting segment takes besides its bytes.
pub const HELD_SEGMENT: usize = 128;

/// Captured bytes that may wait for earlier ones, in one direction of one flow, with [`HELD_SEGMENT`] for each segment.
/// A window of this size stalls no real WebSocket; beyond it the missing bytes are given up.
pub const HELD_BYTES: usize = 256 << 10;

/// Segments that may wait in one direction of one flow: bounds what many small ones cost.
pub const HELD_SEGMENTS: usize = 1024;

/// The same in all flows together. Beyond it, a flow that adds to them gives up its gap first.
pub const HELD_BYTES_TOTAL: usize = 48 << 20;

/// Segments of a flow to wait for bytes that the other side has acknowledged: packets that several queues of a
/// network card captured out of order come a few packets late.
pub const GAP_GRACE_SEGMENTS: u32 = 16;

/// Capture time to wait for the same.
pub const GAP_GRACE_NANOS: i64 = 1_000_000_000;

/// Shards into which the flows of a run are divided. Each has an equal share of the bounds on all of them (those that say so)
/// and is worked on by one thread, so what a bound takes away does not depend on the number of threads. More threads than
/// shards are of no use; more shards would make the shares too small for traffic that is not even.
pub const SHARDS: usize = 16;

/// Batches that may wait for a worker: enough that a short delay of one stops no other.
pub const QUEUE: usize = 2;

/// Reports of a worker that may wait for the merge. They hold no bytes of the capture, and the merge takes its time where it
/// judges many connections at once: for so long the workers go on.
pub const REPORTS: usize = 4;

/// Segments of one batch: few enough that their headers stay in the cache of a core until they are worked off, enough to
/// make waking a thread cheap. Of small packets it is about a piece of a file.
pub const BATCH_SEGMENTS: usize = 8192;

/// Chunks, besides one for each capture, in which the payloads of one batch lie.
pub const BATCH_CHUNKS: usize = 1;

/// Captures for which a batch may hold a chunk: of those that overlap, so many are read by turns without small batches, and
/// the many files of a rotated capture, which follow each other, hold no more memory than these.
pub const BATCH_CAPTURES: usize = 32;

/// Bytes that a thread of its own reads at once. Measured: with smaller pieces two threads wake each other too often to be
/// faster than one where most packets are large.
pub const PIECE: usize = 1 << 20;

/// Such pieces that are read before they are needed.
pub const AHEAD: usize = 3;

/// Threads that take turns in copying a piece of a plain file and reading the packets in it. Copying takes two to three times
/// as long as reading, so that more of them would wait for each other.
pub const COPIERS: usize = 3;

/// Captures that are read each on a thread of its own. More are seldom read at the same time.
pub const READ_AHEAD: usize = 4;

/// Things told at once by a worker when the input is over.
pub const REPORT_AT_END: usize = 256;

/// Items of the input that are read before threads are begun: what is smaller is done before they would be there.
pub const PACKETS_BEFORE_THREADS: u64 = 4096;

/// Flows that are open at once. Beyond it, one that was idle long makes place.
pub const FLOWS: usize = 1 << 18;

/// Connections that may begin while one of which only one side was heard, and no payload, is waited for: a flood of SYNs
/// costs no more than these, and takes no place from flows that carry something. At a thousand new connections a second
/// it is half a minute, in which a system tries five times.
pub const UNANSWERED_FLOWS: usize = 1 << 15;

/// Flows looked at to find one that was idle long, or keeps much for long.
pub const EVICTION_SAMPLE: usize = 16;

/// Ended or ignored flows that are remembered, so that their last packets begin no new one. A table in which keys come and
/// go keeps its size where they fill less than half of it: with a thousand open flows, those of a part just do.
pub const REMEMBERED_FLOWS: usize = 208 << 10;

/// Capture time that a flow stays after a reset, for packets that were captured late.
pub const LINGER_NANOS: i64 = 1_000_000_000;

/// Capture time after which a RST that is not at its sender's next byte is believed, where the sender said nothing since:
/// longer than sessions keep silent between two pings.
pub const DOUBTED_RESET_NANOS: i64 = 120_000_000_000;

/// Kinds of ICMP errors that are kept of one flow: a path has two or three, a forger has all.
pub const ICMP_KINDS: usize = 8;

/// How far from the sender's next sequence number a RST may lie and still be believed.
pub const RESET_DISTANCE: u32 = 1 << 20;

/// Headers opened inside one packet, link layer and tunnels together: about eight tunnels in each other. Real traffic
/// stays under four; a longer chain is made to cost time.
pub const LAYERS: usize = 32;

/// IPv6 extension headers, GTP-U extension headers or MPLS labels in one chain.
pub const CHAIN: usize = 16;

/// TCP packets whose checksum is computed: enough to tell an offloading sender from a damaging path, and no more, for
/// it reads every byte.
pub const CHECKSUMS: u64 = 10_000;

/// IP datagrams of which fragments are kept.
pub const FRAGMENTED_DATAGRAMS: usize = 256;

/// Bytes of fragments kept, over all datagrams.
pub const FRAGMENT_BYTES: usize = 4 << 20;

/// Pieces of one datagram that do not touch each other. Real fragments arrive nearly in order; a stranger must not make
/// us search a long list.
pub const FRAGMENT_PIECES: usize = 128;

/// Nanoseconds of capture time for which a fragment waits for the others, as Linux does (RFC 791 asks for at least 15 s,
/// RFC 8200 §4.5 for 60 s at most).
pub const FRAGMENT_AGE_NANOS: i64 = 30_000_000_000;

/// Longest PROXY protocol version 2 header that is followed, without its first 16 bytes. The addresses need 216 at
/// most; the rest is room for TLVs such as a client certificate's name.
pub const PROXY: usize = 4 << 10;

/// Longest chunk-size line (with its extensions) or trailer line of a chunked body, in bytes. Servers allow 4 to 16 KiB.
pub const CHUNK_LINE: u32 = 16 << 10;

/// Longest trailer section of a chunked body, in bytes; as long as a head may be.
pub const TRAILERS: u32 = 64 << 10;

/// Elements of one comma-separated list of the handshake that are kept. Real ones have fewer than ten.
pub const LIST_ELEMENTS: usize = 256;

/// Bytes of a line of extensions that leaves its grammar in which names are looked for: each name of the answer is.
pub const MALFORMED_LIST: usize = 1 << 10;

/// Parameters of one extension that are kept. permessage-deflate defines four.
pub const EXTENSION_PARAMS: usize = 64;

/// Parameters of all extensions of one list that are kept: each takes many times the bytes that it is written in.
pub const LIST_PARAMS: usize = 512;

/// Longest payload that one frame is believed to announce, in bytes. No stack sends more than 2^31 in a frame; a header
/// that speaks of a tebibyte is no header.
pub const FRAME_PAYLOAD: u64 = 1 << 40;

/// Bytes of one direction that may wait until it is known what they are: an answer that was captured before its
/// request, or what a client sent before the answer to its upgrade.
pub const WAITING: usize = 64 << 10;

/// What a piece of them takes besides its bytes.
pub const WAITING_CHUNK: usize = 56;

/// Pieces that these bytes may come in.
pub const WAITING_CHUNKS: usize = 1024;

/// Requests of one connection that may wait for their answers; pipelining clients send far fewer.
pub const PENDING_REQUESTS: usize = 256;

/// Refused upgrades on one TCP connection that are reported one by one.
pub const ATTEMPTS: usize = 64;

/// Close frames of one side of a connection that are kept; one is lawful.
pub const CLOSES: usize = 16;

/// Segments at the start of a flow joined midway in which WebSocket frames are looked for.
pub const PROBES: u32 = 64;

/// Interim answers to one request that are kept.
pub const INTERIM: usize = 16;

/// Bytes of the reading window. Measured: larger windows fall out of the cache, smaller ones cost system calls.
pub const WINDOW: usize = 256 << 10;

/// Longest record or block of a capture that is believed and buffered whole. A packet is far smaller; a block of
/// decryption secrets may hold a long key log.
pub const RECORD: usize = 16 << 20;

/// Longest packet of a classic capture that is believed where its header promises no longer ones: the largest snap
/// length that libpcap knows.
pub const PACKET: u32 = 256 << 10;

/// Longest block that is passed over without being buffered. Beyond it a length is taken for damage.
pub const SKIPPED_BLOCK: u64 = 256 << 20;

/// Bytes looked ahead to decide whether a record follows damage: two packets of the longest kind.
pub const RESYNC_LOOKAHEAD: usize = 520 << 10;

/// Interfaces of one pcapng section that are remembered; the obsolete packet block cannot even name more.
pub const INTERFACES: usize = 1 << 16;

/// Longest description or statistics block of a pcapng interface, and longest block of names: it bounds the number of
/// options and records, which are listed before they are looked at.
pub const INTERFACE_BLOCK: usize = 1 << 20;

/// Names of hosts that are kept of one capture. Wireshark writes one for each address that it could resolve.
pub const HOST_NAMES: usize = 1 << 12;

/// Longest name of a host, in bytes (RFC 1035 §2.3.4).
pub const HOST_NAME: usize = 255;

/// Damaged places of one capture that are told one by one; the others are counted.
pub const DAMAGE_TOLD: usize = 8;

/// Link types that are not read and are told by name; the others are counted. One file may have as many as interfaces.
pub const LINKS_TOLD: usize = 8;

/// Times that waiting bytes of one connection are read again. Each may copy what is left, so that hostile pipelining
/// costs a bounded multiple of its own bytes.
pub const WAITING_ROUNDS: u32 = 256;

/// Bytes that a client can say to a SOCKS proxy before its tunnel is open: as many methods, and as long a name, password and
/// host, as their lengths can tell. A proxy says less.
pub const SOCKS: usize = 1032;

/// CONNECT and SOCKS tunnels in each other on one connection.
pub const TUNNELS: u32 = 4;

/// Longest TLS handshake message that is kept until it is whole. Hellos with post-quantum shares take 2 KiB; only
/// certificates are longer, and they are not needed.
pub const TLS_MESSAGE: usize = 16 << 10;

/// Bytes of one direction of a TLS connection that may wait for its key, or for the other side's hello. Early data alone
/// may be 16 KiB.
pub const TLS_WAITING: usize = 64 << 10;

/// Bytes that may wait for keys in all TLS connections together.
pub const TLS_WAITING_TOTAL: usize = 32 << 20;

/// Ended TLS connections that wait for a key.
pub const TLS_PARKED: usize = 1024;

/// Bytes of handshake messages kept to compute an extended master secret (RFC 7627), where RSA keys are known.
pub const TLS_TRANSCRIPT: usize = 64 << 10;

/// Sequence numbers that are tried for a record after lost ones.
pub const TLS_SEQUENCES: u64 = 256;

/// Times that a record of one connection is tried in vain: bounds what a stranger's bytes may cost.
pub const TLS_TRIES: u32 = 8192;

/// Secrets of key logs that are kept: the key log of a browser that ran for weeks.
pub const KEY_LOG_SECRETS: usize = 1 << 20;

/// Bytes for TLS 1.2 sessions that are remembered because they may be resumed.
pub const TLS_SESSIONS: usize = 16 << 20;

/// What remembering one of them takes besides its name.
pub const TLS_SESSION: usize = 160;

/// Longest ticket by which a session is remembered.
pub const TLS_TICKET: usize = 4096;

/// Alerts of one TLS connection that are kept; two are usual.
pub const TLS_ALERTS: usize = 8;

/// TLS connections that could not be opened and are listed one by one, of clients that may have meant a WebSocket and again of
/// others; what is beyond is counted.
pub const TLS_UNREAD: usize = 1000;

/// Server names of them that are named in a warning.
pub const TLS_NAMES: usize = 5;

/// Size of an HPACK table that is kept, as RFC 7541 §4.1 counts. Encoders stay at 4,096 whatever they are allowed; what
/// one keeps beyond this bound is said to be unknown.
pub const HPACK_TABLE: usize = 16 << 10;

/// Bytes of one HTTP/2 header block, encoded, with its CONTINUATION frames. A head may have as many when decoded, and
/// servers refuse longer ones; a flood of CONTINUATION frames ends here.
pub const HEADER_BLOCK: usize = HEAD;

/// Bytes of the payload of a SETTINGS frame that are kept. A setting has 6, and real frames hold fewer than ten.
pub const SETTINGS: usize = 1 << 10;

/// WebSockets open at once on one HTTP/2 connection. Servers allow 100 to 256 streams.
pub const STREAMS: usize = 1 << 10;

/// Bytes that the heads of all of them may take, divided among the shards: HPACK makes a head of 64 KiB of 20 bytes. It is
/// room for 80,000 WebSockets with usual heads.
pub const STREAM_HEADS: usize = 256 << 20;

/// GOAWAY frames, and SETTINGS of the server, of one HTTP/2 connection that are held against its open streams. A server sends
/// two of each when it stops.
pub const NOTICES: u32 = 64;

/// HTTP/2 connections open at once that are followed. Each holds two HPACK tables, whether a WebSocket comes or not.
pub const HTTP2_CONNECTIONS: u32 = 1 << 13;

/// First frames of each side of which something is kept, to match the legs of one session.
pub const GLIMPSES: usize = 8;

/// First data frames of each side whose first bytes are compared, to match the legs of one session.
pub const WORDS: u8 = 3;

/// Pings of one side that wait for their pong. Beyond it, the oldest is no longer waited for.
pub const PINGS: usize = 16;

/// Connections that wait to be judged until the run is over, so that each is seen with its other leg and with all
/// others. Beyond it, the half that waits longest is judged with what is known by then. Legs of one session end within
/// moments of each other: where 8,000 connections end in a second, this is a quarter of a second at least. Twice as many
/// take 25 MB and a tenth of the time more where connections are short, for they leave the caches before they are judged.
pub const WAITING_CONNECTIONS: usize = 1 << 12;

/// What these may take for their heads, in bytes: of a few that a stranger made long, fewer wait.
pub const WAITING_BYTES: usize = 64 << 20;

/// Connections of which a small record is kept for what many have in common.
pub const CENSUS: usize = 1 << 17;

/// Connections of one client after a refused one that are asked whether it got through: a client that is asked for
/// credentials comes back at once, and a flood of refusals must not make every one of them look at all others.
pub const ATTEMPTS_AFTER: usize = 16;

/// TLS connections without a key that are remembered once they ended: a gateway that ends TLS may have stood between one of
/// them and a session in the clear. Each such session looks at all of them.
pub const TLS_TERMINATIONS: usize = 256;

/// TCP connections without payload that are remembered: among them are a gateway's failed attempts at its upstream.
pub const UNUSED: usize = 1 << 12;

/// Connections that a time line draws one by one; of more, so many of the longest are kept. A screen has no more lines.
pub const TIMELINE_LIVES: usize = 60;

/// Stretches of time in which a time line counts connections. Twice the columns of any picture drawn from them.
pub const TIMELINE_BINS: usize = 1 << 10;

/// Causes that an HTML report tells. A page with more is not read.
pub const PAGE_CAUSES: usize = 200;

/// Sessions that an HTML report draws as ladders, those with findings first: each takes some 20 KiB of the page.
pub const PAGE_SESSIONS: usize = 100;

/// Connections that an HTML report lists one by one.
pub const PAGE_CONNECTIONS: usize = 1000;

/// Endpoints, and codes, that can be chosen in an HTML report.
pub const PAGE_CHOICES: usize = 200;

/// Servers for which one fault is told apart in a table. Where more have it, it is told once for all.
pub const REPORT_PER_SERVER: usize = 3;

/// Servers counted for one fault of a table.
pub const REPORT_SERVERS: usize = 1 << 12;

/// Memory that all flows together may take for unfinished heads and the like. Beyond it, of the
/// [`EVICTION_SAMPLE`] that began to take some longest ago, the largest is given up.
pub const BUFFERED_TOTAL: usize = 12 << 20;

/// TLS in TLS on one connection: to a proxy, and through it to the server.
pub const TLS_LAYERS: usize = 3;

/// Nanoseconds between two copies of a packet without an IP identification, seen by two interfaces. No sender sends
/// again so soon.
pub const DUPLICATE_NANOS: i64 = 100_000;

/// Compressed payload of one side of a connection that is kept, in case its session's end asks what was in it. Two ends
/// that disagree do so within the first messages; inflating a longer stream is for those who ask for it.
pub const COMPRESSED: usize = 8 << 10;

/// The same of all connections, divided among the shards: what is kept in case is written to memory that nobody reads again,
/// which thousands of busy sessions would feel. Where it is spent, `--decode` reads all.
pub const COMPRESSED_TOTAL: usize = 4 << 20;

/// Messages that a direction passes over before it asks again for room of that, where there was none: where each message stands
/// for itself, and thousands of sessions ask in vain, asking is most of the work.
pub const COMPRESSED_PAUSE: u8 = 15;

/// The same where all messages are inflated as they end: most of it is the contexts of the connections that are open,
/// a tenth of a megabyte for each side. Divided among the shards. With it, the program stays under 256 MB whatever it reads.
pub const INFLATING_TOTAL: usize = 192 << 20;

/// Bytes that one message is inflated to. zlib makes up to 1032 of one, and no receiver takes a message as long as this.
pub const INFLATED: u64 = 32 << 20;

/// Bytes that messages of one run are inflated to where only sessions' ends asked for it, divided among the shards: a second's work.
pub const INFLATED_TOTAL: u64 = 1 << 30;

/// Messages of one side of a connection that are listed where a list was asked for: the last ones, which lie before its end.
pub const MESSAGES: usize = 1 << 13;

/// The same of all connections, divided among the shards: a report with all of them is some hundred megabytes.
pub const MESSAGES_TOTAL: usize = 1 << 18;

/// Bytes of a message that are quoted in such a list, where that was asked for.
pub const EXCERPT: usize = 200;

/// Makes room for `more` items. A list that may hold very many grows by a quarter, not to double its size: half of what
/// it takes would be room that is never used.
pub fn grow<T>(list: &mut Vec<T>, more: usize) {
    if list.capacity() - list.len() < more {
        list.reserve_exact(more.max(list.len() / 4));
    }
}
