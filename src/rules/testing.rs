//! Connections built by hand, step by step as they happen on the wire.

pub use super::testing_legs::both;
use crate::capture::{PacketId, Seen};
use crate::connection::{
    Anomaly, Carrier, Close, CloseState, ConnectProtocol, Connection, FrameFacts, Http2, Outcome, Request,
    Response, RoleEvidence, Transport, Unused,
};
use crate::gateway::Census;
use crate::http::h2::ErrorCode;
use crate::http::{RequestHead, ResponseHead};
use crate::legs::Unconnected;
use crate::net::Endpoint;
use crate::role::{Role, Sides};
use crate::rules::{Context, Finding, judge};
use crate::time::Timestamp;
use crate::tls::{Alert, AlertDescription, ClientCertificate, Facts, Opened, Pause, Sent, Version};
use crate::websocket::{ClosePayload, Extensions, Subprotocols, Violation, accept_is_valid};
use std::sync::Arc;

/// A key as clients make them, and the answer to it. RFC 6455's own sample proves less: strangers copy it.
pub const KEY: &str = "qZk2Jb8XH0y4sV7uN1tCRw==";
pub const ACCEPT: &str = "cxZHpWDd3EW4VTxdVf6yvDFEG2c=";

/// The lines of a correct upgrade request, with this key.
pub const REQUEST: &str = "GET /chat?token=s3cret HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
                           Sec-WebSocket-Key: qZk2Jb8XH0y4sV7uN1tCRw==\r\nSec-WebSocket-Version: 13\r\n";

/// The lines of the correct answer to it.
pub const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                          Sec-WebSocket-Accept: cxZHpWDd3EW4VTxdVf6yvDFEG2c=\r\n";

/// The lines of a correct extended CONNECT as HTTP/2 gives them.
pub const CONNECT: &str =
    "CONNECT /chat?token=s3cret HTTP/2.0\r\nhost: example.org\r\nsec-websocket-version: 13\r\n";

/// A connection in the making; every step takes the next packet, 10 ms later.
pub struct Scene {
    connection: Connection,
    packet: u64,
    nanos: i64,
}

impl Scene {
    /// A TCP connection, packets 1 and 2.
    pub fn tcp() -> Scene {
        Scene::tcp_at(0.0)
    }

    /// The same, so many seconds after the start of the capture; packet numbers and ports follow the time.
    pub fn tcp_at(seconds: f64) -> Scene {
        let endpoint = |ip: [u8; 4], port| Endpoint { ip: ip.into(), port };
        let (packet, nanos) = ((seconds * 1e3) as u64 + 1, (seconds * 1e9) as i64);
        let start = Seen { packet: PacketId::new(0, packet), at: Timestamp::from_nanos(nanos) };
        let mut scene = Scene { connection: *Connection::begun(start), packet, nanos };
        let tcp = &mut scene.connection.tcp;
        (tcp.client, tcp.server) = (endpoint([10, 0, 0, 5], 51234), endpoint([10, 0, 0, 9], 80));
        (tcp.roles, tcp.opened) = (RoleEvidence::Syn, Some(start));
        tcp.isn = Sides { client: Some(packet as u32), server: Some(packet as u32 + 7) };
        scene.connection.tcp.accepted = Some(scene.step());
        scene
    }

    /// TLS of which the server never said a word, so many seconds after the start of the capture.
    pub fn tls_at(seconds: f64) -> Scene {
        Scene::tcp_at(seconds).with(|connection| {
            let seen = connection.last;
            let sent =
                Sent { records: 1, bytes: 200, first: Some(seen), last: Some(seen), ..Sent::default() };
            connection.outcome = Outcome::Encrypted;
            connection.tls = Some(Box::new(Facts {
                version: None,
                offered: Some(Version::TLS13),
                cipher_suite: None,
                server_name: None,
                alpn: None,
                alpn_offered: Vec::new(),
                client_certificate: ClientCertificate::NotAsked,
                opened: Opened::Nothing,
                alerts: Vec::new(),
                sent: Sides { client: sent, server: Sent::default() },
                pause: None,
                plain_answer: None,
            }));
        })
    }

    /// TLS that no key opened, so many seconds after the start of the capture: each side sent what a request or an answer takes.
    pub fn sealed_at(seconds: f64) -> Scene {
        let mut scene = Scene::tls_at(seconds);
        let seen = scene.step();
        scene.with(|connection| {
            let Some(tls) = connection.tls.as_mut() else { return };
            let sent = &mut tls.sent.client;
            (sent.protected, sent.protected_bytes, sent.last) = (2, 400, Some(seen));
            (tls.sent.server, tls.opened) = (*sent, Opened::NoKeys);
        })
    }

    /// A record of TLS that no key opens.
    pub fn record(mut self, from: Role) -> Scene {
        let seen = self.step();
        self.with(|connection| {
            let Some(tls) = connection.tls.as_mut() else { return };
            tls.pause = Pause::after(tls.pause, tls.sent[from].last, tls.sent[from.other()].last, from, seen);
            tls.sent[from].last = Some(seen);
        })
    }

    /// An alert that the handshake of TLS ends with, after each side said something.
    pub fn alert(mut self, from: Role, number: u8) -> Scene {
        let seen = self.step();
        self.with(|connection| {
            let Some(tls) = connection.tls.as_mut() else { return };
            tls.sent.server = tls.sent.client;
            tls.alerts.push(Alert { from, seen, level: 2, description: AlertDescription(number) });
        })
    }

    /// A correct request, answered by `answer` and a body.
    pub fn answered(answer: &str, body: &str) -> Scene {
        Scene::tcp().request(REQUEST).answer(answer, body)
    }

    /// A session whose request offers and whose 101 accepts these extensions; empty for no field.
    pub fn session(offer: &str, answer: &str) -> Scene {
        let line = |list: &str| match list {
            "" => String::new(),
            list => format!("Sec-WebSocket-Extensions: {list}\r\n"),
        };
        Scene::tcp()
            .request(&format!("{REQUEST}{}", line(offer)))
            .answer(&format!("{ANSWER}{}", line(answer)), "")
    }

    /// Over HTTP/2, on stream 1, which the server allowed; `request` is the extended CONNECT then.
    pub fn http2() -> Scene {
        Scene::tcp().with(|connection| {
            let mut facts = Http2::new(1);
            facts.connect_protocol = ConnectProtocol::Announced;
            facts.protocol = Some("websocket".into());
            facts.scheme = Some("https".into());
            connection.carrier = Carrier::Http2(Box::new(facts));
        })
    }

    /// Changes what is known of the HTTP/2 stream.
    pub fn stream(self, change: impl FnOnce(&mut Http2)) -> Scene {
        self.with(|connection| match &mut connection.carrier {
            Carrier::Http1 => panic!("not on HTTP/2"),
            Carrier::Http2(facts) => change(facts),
        })
    }

    /// A RST_STREAM.
    pub fn reset_stream(self, by: Role, error: ErrorCode) -> Scene {
        let scene = self.end(by, Transport::StreamReset);
        let seen = scene.connection.last;
        scene.stream(|stream| stream.reset = Some((by, error, seen)))
    }

    /// The upgrade request, packet 3; lines without the blank one.
    pub fn request(mut self, lines: &str) -> Scene {
        let seen = self.step();
        let head = RequestHead::parse(format!("{lines}\r\n").as_bytes()).unwrap();
        let fields = &head.head;
        self.connection.request = Some(Request {
            seen,
            key: fields.text("Sec-WebSocket-Key"),
            version: fields.text("Sec-WebSocket-Version"),
            subprotocols: Arc::new(Subprotocols::parse(fields.values("Sec-WebSocket-Protocol"))),
            extensions: Arc::new(Extensions::parse(fields.values("Sec-WebSocket-Extensions"))),
            early_data: None,
            head,
        });
        self.connection.outcome = Outcome::Unanswered;
        self
    }

    /// The final answer; lines without the blank one.
    pub fn answer(mut self, lines: &str, body: &str) -> Scene {
        let seen = self.step();
        let head = response_head(&format!("{lines}\r\n"));
        let text = |name: &str| head.head.text(name);
        let accept = head.head.field("Sec-WebSocket-Accept");
        let key = self.connection.request.as_ref().and_then(|request| request.key.as_ref());
        let response = Response {
            seen,
            accept_valid: accept.zip(key).map(|(accept, key)| accept_is_valid(key.as_bytes(), accept)),
            subprotocol: text("Sec-WebSocket-Protocol"),
            extensions: Arc::new(Extensions::parse(head.head.values("Sec-WebSocket-Extensions"))),
            body: body.as_bytes().into(),
            head,
        };
        let status = response.head.status;
        let switched = match self.connection.carrier.http2() {
            None => status == 101,
            Some(stream) => stream.is_extended_connect() && (200..300).contains(&status),
        };
        self.connection.outcome = if switched { Outcome::Established } else { Outcome::Rejected };
        if switched {
            self.connection.frames = Some(Box::default());
            self.connection.ending.close = Some(CloseState::None);
        }
        self.connection.response = Some(response);
        self
    }

    /// The 101 is one that a conforming client must fail.
    pub fn invalid(mut self) -> Scene {
        self.connection.outcome = Outcome::Invalid;
        self.connection.ending.close = None;
        self
    }

    /// Text messages.
    pub fn messages(mut self, from: Role, count: u64) -> Scene {
        let seen = self.step();
        let frames = self.frames(from);
        frames.text += count;
        frames.messages += count;
        frames.payload_bytes += count * 10;
        frames.first = frames.first.or(Some(seen));
        frames.last = Some(seen);
        self
    }

    /// A compressed message.
    pub fn compressed(self, from: Role) -> Scene {
        let mut scene = self.messages(from, 1);
        let seen = scene.connection.last;
        let frames = scene.frames(from);
        frames.compressed += 1;
        frames.first_compressed = Some(seen);
        scene
    }

    /// Pings without answer.
    pub fn pings(mut self, from: Role, count: u64) -> Scene {
        let seen = self.step();
        let frames = self.frames(from);
        frames.ping += count;
        let pings = frames.pings.get_or_insert_default();
        pings.unanswered.get_or_insert(seen);
        pings.unanswered_count += count;
        frames.last = Some(seen);
        self
    }

    /// A Close with a code.
    pub fn close(self, from: Role, code: u16, reason: &str) -> Scene {
        let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
        self.raw_close(from, &payload)
    }

    /// A Close with any payload.
    pub fn raw_close(mut self, from: Role, payload: &[u8]) -> Scene {
        let seen = self.step();
        let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into();
        let len = payload.len() as u64;
        let odd = if ClosePayload::parse(payload).flaw.is_some() { payload } else { &[] };
        let after = Role::BOTH.map(|role| self.frames(role).last);
        let after = Sides { client: after[0], server: after[1] };
        let frames = self.frames(from);
        frames.close += 1;
        frames.last = Some(seen);
        let both = self.connection.closes.iter().any(|close| close.from != from);
        self.connection.closes.push(Close { from, seen, code, reason, odd: odd.into(), len, after });
        self.connection.ending.close = Some(if both { CloseState::Clean } else { CloseState::Unechoed });
        self
    }

    /// A FIN.
    pub fn fin(self, by: Role) -> Scene {
        self.end(by, Transport::Fin)
    }

    /// A RST.
    pub fn reset(self, by: Role) -> Scene {
        self.end(by, Transport::Reset)
    }

    /// Nothing for a while.
    pub fn after(mut self, seconds: f64) -> Scene {
        self.nanos += (seconds * 1e9) as i64;
        self
    }

    /// Something odd.
    pub fn anomaly(mut self, from: Role, kind: Violation, quote: &[u8]) -> Scene {
        let seen = self.step();
        self.connection.anomalies.push(Anomaly {
            kind,
            from,
            seen,
            offset: 0,
            quote: quote.into(),
            count: 1,
        });
        self
    }

    /// The capture lacks bytes of a side.
    pub fn gap(mut self, from: Role) -> Scene {
        let seen = self.step();
        self.connection.quality.missing[from] += 100;
        self.connection.quality.gaps[from] += 1;
        self.connection.quality.last_gap[from] = Some(seen);
        self
    }

    /// Only the other side was captured.
    pub fn unseen(mut self, role: Role) -> Scene {
        self.connection.quality.unseen[role] = true;
        match role {
            Role::Client => self.connection.request = None,
            Role::Server => {
                self.connection.response = None;
                self.connection.outcome = Outcome::Unseen;
            }
        }
        self
    }

    /// A packet without anything new, and where it was.
    pub fn packet(mut self, tell: impl FnOnce(Seen)) -> Scene {
        tell(self.step());
        self
    }

    /// Any other change.
    pub fn with(mut self, change: impl FnOnce(&mut Connection)) -> Scene {
        change(&mut self.connection);
        self
    }

    /// The facts.
    pub fn build(self) -> Connection {
        self.connection
    }

    /// What the rules say of it.
    pub fn findings(self) -> Vec<Finding> {
        judge(&self.connection, &Context::alone())
    }

    /// The finding of a rule, wherever it hangs.
    #[track_caller]
    pub fn finds(self, name: &str) -> Finding {
        let findings = self.findings();
        let names: Vec<_> = flat(&findings).iter().map(|finding| finding.rule.name).collect();
        flat(&findings)
            .into_iter()
            .find(|finding| finding.rule.name == name)
            .cloned()
            .unwrap_or_else(|| panic!("{name} is silent, only {names:?} speak"))
    }

    /// That a rule is silent.
    #[track_caller]
    pub fn silent(self, name: &str) {
        assert!(super::rule(name).is_some(), "no rule is called {name}");
        let findings = self.findings();
        let found = flat(&findings).into_iter().find(|finding| finding.rule.name == name);
        assert!(found.is_none(), "{found:#?}");
    }

    fn frames(&mut self, from: Role) -> &mut FrameFacts {
        &mut self.connection.frames.get_or_insert_default()[from]
    }

    fn end(mut self, by: Role, transport: Transport) -> Scene {
        let seen = self.step();
        self.connection.ending.transport = transport;
        self.connection.ending.by = Some((by, seen));
        self
    }

    fn step(&mut self) -> Seen {
        self.packet += 1;
        self.nanos += 10_000_000;
        let seen = Seen { packet: PacketId::new(0, self.packet), at: Timestamp::from_nanos(self.nanos) };
        self.connection.last = seen;
        seen
    }
}

/// What the rules say of each of these connections, in view of all of them.
pub fn judged_together(connections: &[Connection], unused: &[Unused]) -> Vec<Vec<Finding>> {
    let mut census = Census::default();
    connections.iter().for_each(|connection| census.push(connection));
    let mut context: Context<'_> = Context::alone();
    let unused = Unconnected::new(unused);
    (context.census, context.unused) = (&census, &unused);
    connections.iter().map(|connection| judge(connection, &context)).collect()
}

/// The finding of a rule among those of one connection, wherever it hangs.
pub fn named<'a>(findings: &'a [Finding], name: &str) -> Option<&'a Finding> {
    assert!(super::rule(name).is_some(), "no rule is called {name}");
    flat(findings).into_iter().find(|finding| finding.rule.name == name)
}

/// All findings, consequences too.
pub fn flat(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().flat_map(|finding| std::iter::once(finding).chain(flat(&finding.consequences))).collect()
}

/// A response head from all of its bytes.
pub fn response_head(text: &str) -> ResponseHead {
    ResponseHead::parse(text.as_bytes()).unwrap()
}

/// A list of extensions.
pub fn extensions(text: &str) -> Extensions {
    Extensions::parse(Some(text.as_bytes()).filter(|text| !text.is_empty()).into_iter())
}
