//! The rows of a ladder, from the facts of its connections.

use super::sessions::{Leg, Session};
use super::{Detail, Packet, Row, Shape};
use crate::report::model::{Change, Close, Connection, Extension, Frames, IcmpError, Mark, Report};
use crate::time::Timestamp;

/// What happened on all legs, leg by leg.
pub(super) fn rows(report: &Report, session: &Session) -> Vec<Row> {
    let mut rows = Vec::new();
    for leg in &session.legs {
        let Some(connection) = report.connections.get(leg.connection) else { continue };
        let events = Events { connection, leg, changes: changes(report, session, leg), rows: Vec::new() };
        rows.extend(events.all());
    }
    for row in &mut rows {
        let chief = |finding: &usize| {
            let finding = report.findings.get(*finding)?;
            let packet = Packet { capture: finding.capture, number: finding.packet };
            row.packets.contains(&packet).then_some(finding.id)
        };
        let legs = session.legs.iter().filter_map(|leg| report.connections.get(leg.connection));
        let mut found: Vec<usize> =
            legs.flat_map(|c| c.findings.iter().take(FINDINGS)).filter_map(chief).collect();
        found.sort_unstable();
        found.dedup();
        if !matches!(row.shape, Shape::Silence) {
            row.findings = found;
        }
    }
    rows
}

/// What is not the same on `leg` and its neighbours, and on which side of each pair `leg` stands.
fn changes<'a>(report: &'a Report, session: &Session, leg: &Leg) -> Vec<(Side, &'a Change)> {
    let of = |index: Option<usize>, side: Side| {
        let pair = index.and_then(|index| report.leg_pairs.get(index));
        pair.into_iter().flat_map(move |pair| pair.changes.iter().map(move |change| (side, change)))
    };
    // An attempt that failed was not compared.
    let before = of(leg.pair.filter(|_| !leg.attempt), Side::Upstream);
    let next = session.legs.iter().find(|next| next.lane == leg.lane + 1 && !next.attempt);
    let behind = of(next.and_then(|next| next.pair).filter(|_| !leg.attempt), Side::Client);
    before.chain(behind).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Upstream,
}

/// Findings of one connection that are looked up.
const FINDINGS: usize = 64;

struct Events<'a> {
    connection: &'a Connection,
    leg: &'a Leg,
    changes: Vec<(Side, &'a Change)>,
    rows: Vec<Row>,
}

impl Events<'_> {
    fn all(mut self) -> Vec<Row> {
        let c = self.connection;
        if c.carrier == "http/1.1" {
            self.opening();
        }
        self.tls();
        self.handshake();
        self.frames();
        for close in &c.closes {
            let row = self.at(&mark(c.capture, close.packet, close.time));
            self.rows.push(Row { shape: self.arrow(close.from), text: written(close), ..row });
        }
        for error in &c.tcp.icmp {
            let mut row = Row { shape: self.note(), text: undelivered(error), ..self.at(&error.first) };
            if error.count > 1 {
                row.until = Some(self.time(error.last.time));
                row.packets.push(Packet { capture: error.last.capture, number: error.last.packet });
            }
            self.rows.push(row);
        }
        self.ending();
        self.rows
    }

    fn opening(&mut self) {
        let (opened, accepted) = (&self.connection.tcp.opened, &self.connection.tcp.accepted);
        let Some(first) = opened.as_ref().or(accepted.as_ref()) else { return };
        let mut row = Row { shape: self.exchange(), text: String::from("TCP opens"), ..self.at(first) };
        if let (Some(_), Some(accepted)) = (opened, accepted) {
            row.until = Some(self.time(accepted.time));
            row.packets.push(Packet { capture: accepted.capture, number: accepted.packet });
        }
        self.rows.push(row);
    }

    fn tls(&mut self) {
        let Some(tls) = &self.connection.tls else { return };
        let version = tls.version.as_deref().map_or(String::from("TLS"), |version| format!("TLS {version}"));
        let name = tls.server_name.as_deref().map(|name| format!(" for {name}")).unwrap_or_default();
        let opened = match tls.opened {
            "yes" | "nothing-to-open" => "",
            "one-direction" => ", one direction could be read",
            _ => UNREAD,
        };
        let row = self.timed(tls.sent.client.first.or(tls.sent.server.first));
        self.rows.push(Row { shape: self.note(), text: format!("{version}{name}{opened}"), ..row });
        if opened == UNREAD {
            let [client, server] = [&tls.sent.client, &tls.sent.server].map(|sent| sent.bytes);
            let row = self
                .timed([&tls.sent.client, &tls.sent.server].into_iter().filter_map(|sent| sent.last).max());
            let text = format!("{client} bytes by the client, {server} by the server");
            self.rows.push(Row { shape: self.note(), text, ..row });
        }
        for alert in &tls.alerts {
            let row = self.at(&mark(self.connection.capture, alert.packet, alert.time));
            let text = format!("TLS alert {}", alert.description);
            self.rows.push(Row { shape: self.arrow(alert.from), text, ..row });
        }
    }

    fn handshake(&mut self) {
        let c = self.connection;
        if let Some(request) = &c.request {
            let protocols = (!request.subprotocols.is_empty()).then(|| request.subprotocols.join(", "));
            let extensions = (!request.extensions.is_empty()).then(|| listed(&request.extensions));
            let fields = [
                ("host", request.host.clone()),
                ("origin", request.origin.clone()),
                ("sec-websocket-protocol", protocols),
                ("sec-websocket-extensions", extensions),
            ];
            let row = self.at(&mark(c.capture, request.packet, request.time));
            let mut details = self.details("request", fields);
            if let Some(tunnel) = &c.tunnel {
                details.insert(0, same(format!("in a tunnel to {tunnel}")));
            }
            let text = format!("{} {}", request.method, request.target);
            self.rows.push(Row { shape: self.arrow("client"), text, details, ..row });
        }
        if let Some(response) = &c.response {
            let asked = c.request.as_ref();
            let extensions = (!response.extensions.is_empty()).then(|| listed(&response.extensions));
            let fields = [
                ("sec-websocket-protocol", response.subprotocol.clone()),
                ("sec-websocket-extensions", extensions),
                ("server", response.server.clone()),
                ("via", response.via.clone()),
            ];
            let mut details = self.details("response", fields);
            // What was asked for and is not there is what the reader looks for.
            let lacks = |name: &str, details: &[Detail]| !details.iter().any(|d| d.text.contains(name));
            if !c.missing_extensions.is_empty() && lacks("Sec-WebSocket-Extensions", &details) {
                details.insert(0, same(String::from("no Sec-WebSocket-Extensions")));
            }
            let wanted = asked.is_some_and(|request| !request.subprotocols.is_empty());
            if wanted && response.status == 101 && lacks("Sec-WebSocket-Protocol", &details) {
                details.insert(0, same(String::from("no Sec-WebSocket-Protocol")));
            }
            if response.accept_valid == Some(false) {
                details.insert(0, same(String::from("Sec-WebSocket-Accept does not answer the key")));
            }
            if !c.interim.is_empty() {
                let interim: Vec<String> = c.interim.iter().map(u16::to_string).collect();
                details.insert(0, same(format!("after the interim answer {}", interim.join(", "))));
            }
            let row = self.at(&mark(c.capture, response.packet, response.time));
            let text = format!("{} {}", response.status, response.reason).trim_end().to_owned();
            self.rows.push(Row { shape: self.arrow("server"), text, details, ..row });
        }
        let remark = match c.outcome {
            "unanswered" => "no answer",
            "garbled" => "the answer is no HTTP",
            "unseen" if c.frames.is_some() => "the capture begins after the handshake",
            _ => return,
        };
        let after = c.request.as_ref().map_or(c.started, |request| request.time);
        let row = self.timed(Some(after));
        self.rows.push(Row { shape: self.note(), text: String::from(remark), ..row });
    }

    /// All frames but Close, as one row at the time of the first.
    fn frames(&mut self) {
        let Some(frames) = &self.connection.frames else { return };
        let sides = [&frames.client, &frames.server];
        let Some(text) = summary(sides) else { return };
        let by_time = |mark: &&Mark| mark.time;
        let first = sides.iter().filter(|side| counted(side)).filter_map(|side| side.first.as_ref());
        let Some(first) = first.min_by_key(by_time) else { return };
        let mut row = Row { shape: self.exchange(), text, ..self.at(first) };
        // What comes after a Close stands in a row of its own.
        let closed = self.connection.closes.iter().map(|close| self.time(close.time)).min();
        let last = sides.iter().filter_map(|side| side.last.as_ref()).max_by_key(by_time);
        if let Some(last) = last {
            let at = self.time(last.time);
            if closed.is_none_or(|closed| at < closed) {
                row.until = Some(at);
                let packet = Packet { capture: last.capture, number: last.packet };
                row.packets.extend((!row.packets.contains(&packet)).then_some(packet));
            }
        }
        let compressed = frames.client.compressed.saturating_add(frames.server.compressed);
        if compressed > 0 {
            row.details.push(same(format!("{compressed} compressed")));
        }
        let bytes = frames.client.payload_bytes.saturating_add(frames.server.payload_bytes);
        row.details.push(same(plural(bytes, "byte of payload", "bytes of payload")));
        self.rows.push(row);
    }

    fn ending(&mut self) {
        let c = self.connection;
        if c.carrier == "http/1.1" {
            for (from, fin) in [("client", &c.tcp.fins.client), ("server", &c.tcp.fins.server)] {
                if let Some(fin) = fin {
                    let row = self.at(fin);
                    self.rows.push(Row { shape: self.arrow(from), text: String::from("FIN"), ..row });
                }
            }
            if let Some(reset) = &c.tcp.reset {
                let row = self.at(&mark(c.capture, reset.packet, reset.time));
                self.rows.push(Row { shape: self.arrow(reset.from), text: String::from("RST"), ..row });
            }
        } else if let (Some(by), Some(packet), Some(time)) = (c.end.by, c.end.packet, c.end.time) {
            let text = match (c.end.transport, &c.end.error) {
                ("stream-reset", Some(error)) => format!("stream reset: {error}"),
                ("stream-reset", None) => String::from("stream reset"),
                ("reset", _) => String::from("RST"),
                _ => String::from("END_STREAM"),
            };
            let row = self.at(&mark(c.capture, packet, time));
            self.rows.push(Row { shape: self.arrow(by), text, ..row });
        }
        if c.end.transport == "open" {
            let row = self.timed(Some(c.ended));
            let text = String::from("still open at the end of the capture");
            self.rows.push(Row { shape: self.note(), text, ..row });
        }
    }

    /// The fields that are there, and those that differ from the other leg whether there or not.
    fn details<const N: usize>(&self, place: &str, fields: [(&str, Option<String>); N]) -> Vec<Detail> {
        let changes = self.changes.iter().filter(|(_, change)| change.place == place);
        let mut changed: Vec<(&str, &Option<String>)> = changes
            .map(|(side, change)| match side {
                Side::Client => (change.field, &change.client_leg),
                Side::Upstream => (change.field, &change.upstream_leg),
            })
            .collect();
        changed.dedup_by_key(|(field, _)| *field);
        let mut details = Vec::new();
        for (field, value) in fields {
            if let Some(value) = value
                && !changed.iter().any(|(name, _)| *name == field)
            {
                details.push(same(format!("{}: {value}", spelled(field))));
            }
        }
        // Target, version and status stand in the row itself.
        changed.retain(|(field, _)| !matches!(*field, "target" | "http-version" | "status"));
        for (field, value) in changed.into_iter().rev() {
            let text = match value {
                Some(value) => format!("{}: {value}", spelled(field)),
                None => format!("no {}", spelled(field)),
            };
            details.insert(0, Detail { text, changed: true });
        }
        details
    }

    fn at(&self, mark: &Mark) -> Row {
        let packets = vec![Packet { capture: mark.capture, number: mark.packet }];
        Row { packets, ..self.timed(Some(mark.time)) }
    }

    fn timed(&self, time: Option<Timestamp>) -> Row {
        Row {
            at: time.map(|time| self.time(time)),
            until: None,
            shape: self.note(),
            packets: Vec::new(),
            text: String::new(),
            details: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// A time of this leg by the clock of the first one.
    fn time(&self, time: Timestamp) -> Timestamp {
        Timestamp::from_nanos(time.as_nanos().saturating_add(self.leg.offset))
    }

    fn arrow(&self, from: &str) -> Shape {
        let (left, right) = (self.leg.lane, self.leg.lane + 1);
        if from == "client" {
            Shape::Arrow { from: left, to: right }
        } else {
            Shape::Arrow { from: right, to: left }
        }
    }

    fn exchange(&self) -> Shape {
        Shape::Exchange { left: self.leg.lane, right: self.leg.lane + 1 }
    }

    fn note(&self) -> Shape {
        Shape::Note { left: self.leg.lane, right: self.leg.lane + 1 }
    }
}

/// `permessage-deflate; client_max_window_bits`, as one line of the field.
pub fn listed(extensions: &[Extension]) -> String {
    let one = |extension: &Extension| {
        let params = extension.params.iter().map(|param| match &param.value {
            Some(value) => format!("; {}={value}", param.name),
            None => format!("; {}", param.name),
        });
        format!("{}{}", extension.name, params.collect::<String>())
    };
    extensions.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// `Close 1010 Mandatory Extension "permessage-deflate"`.
fn written(close: &Close) -> String {
    let code = match (close.code, &close.name) {
        (Some(code), Some(name)) => format!("Close {code} {name}"),
        (Some(code), None) => format!("Close {code}"),
        (None, _) => String::from("Close without a code"),
    };
    if close.reason.is_empty() { code } else { format!("{code} \"{}\"", close.reason) }
}

/// `ICMP to the client from 192.0.2.1: fragmentation needed, MTU 1280, 5 times`.
fn undelivered(error: &IcmpError) -> String {
    let mtu = error.mtu.map_or(String::new(), |mtu| format!(", MTU {mtu}"));
    let times = if error.count > 1 { format!(", {} times", error.count) } else { String::new() };
    format!("ICMP to the {} from {}: {}{mtu}{times}", error.about, error.by, error.name)
}

/// `24 text ⇄ 22 text, 3 pings answered`, the client's on the left; `None` where there was nothing but Close.
fn summary([client, server]: [&Frames; 2]) -> Option<String> {
    if !counted(client) && !counted(server) {
        return None;
    }
    let side = |frames: &Frames| {
        let kinds = [
            (frames.text, "text"),
            (frames.binary, "binary"),
            (frames.continuation, "continuation"),
            (frames.reserved, "reserved"),
        ];
        let kinds: Vec<String> =
            kinds.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!("{n} {kind}")).collect();
        if kinds.is_empty() { String::from("0") } else { kinds.join(" + ") }
    };
    let mut text = format!("{} \u{21c4} {}", side(client), side(server));
    let pings = client.ping.saturating_add(server.ping);
    if pings > 0 {
        let answered = client.pings_answered.saturating_add(server.pings_answered);
        let which = match answered {
            0 => String::from("unanswered"),
            _ if answered >= pings => String::from("answered"),
            _ => format!("{answered} answered"),
        };
        let pings = plural(pings, "ping", "pings");
        text.push_str(&if which.starts_with(|c: char| c.is_ascii_digit()) {
            format!(", {pings}, {which}")
        } else {
            format!(", {pings} {which}")
        });
    } else if client.pong > 0 || server.pong > 0 {
        let pongs = client.pong.saturating_add(server.pong);
        text.push_str(&format!(", {} without a ping", plural(pongs, "pong", "pongs")));
    }
    Some(text)
}

fn counted(frames: &Frames) -> bool {
    frames.text > 0
        || frames.binary > 0
        || frames.continuation > 0
        || frames.ping > 0
        || frames.pong > 0
        || frames.reserved > 0
}

/// A field as RFC 6455 spells it.
pub fn spelled(field: &str) -> String {
    let word = |word: &str| match word {
        "websocket" => String::from("WebSocket"),
        word => {
            let mut letters = word.chars();
            letters
                .next()
                .map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + letters.as_str())
        }
    };
    field.split('-').map(word).collect::<Vec<_>>().join("-")
}

fn same(text: String) -> Detail {
    Detail { text, changed: false }
}

fn mark(capture: u16, packet: u64, time: Timestamp) -> Mark {
    Mark { capture, packet, time }
}

fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Said of TLS that no key opens.
const UNREAD: &str = ", could not be read";
