//! From facts and findings to the shape of the report ([`super::model`]).

mod tcp;

use self::tcp::tcp;

use super::model::{self, BothSides, Counts};
use super::{Secrets, escape};
use crate::capture::{CaptureInfo, Compression, Format, Seen};
use crate::connection::{self as facts, CloseState, Outcome, Transport};
use crate::legs::LegPair;
use crate::pipeline::{self, Summary};
use crate::role::{Role, Sides};
use crate::rules::codes::wording;
use crate::rules::expectation::Account;
use crate::rules::{self, Blame, Confidence, Finding};
use crate::time::Timestamp;
use crate::tls;
use crate::websocket::{Content, Entry, Extensions, close_name};

/// One input.
pub(super) fn capture(info: &CaptureInfo) -> model::Capture {
    model::Capture {
        path: info.path.clone(),
        format: format_name(info.format),
        compression: info.compression.map(|compression| match compression {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Lz4 => "lz4",
        }),
        packets: info.packets,
        bytes: info.bytes,
        first: info.first,
        last: info.last,
        packets_cut: info.cut,
        packets_lost: info.dropped,
        complete: info.complete,
        warnings: info.warnings.clone(),
        notes: info.notes.clone(),
        host_names: info.names.iter().map(|(address, name)| (address.to_string(), name.to_owned())).collect(),
    }
}

/// `pcap` or `pcapng`.
pub(super) fn format_name(format: Format) -> &'static str {
    match format {
        Format::Pcap => "pcap",
        Format::Pcapng => "pcapng",
    }
}

/// The totals, with the findings counted.
pub(super) fn totals(totals: &pipeline::Totals, findings: Counts) -> model::Totals {
    model::Totals {
        packets: totals.packets,
        tcp_connections: totals.tcp_connections,
        tls_connections: totals.tls_connections,
        tls_decrypted: totals.tls_decrypted,
        websocket_connections: totals.websocket_connections,
        established: totals.established,
        rejected: totals.rejected,
        unanswered: totals.unanswered,
        findings,
    }
}

/// One connection; its id and those of its findings are given later, when the order is known.
pub(super) fn connection(c: &facts::Connection, secrets: Secrets) -> model::Connection {
    model::Connection {
        id: 0,
        capture: c.tcp.capture,
        tcp_stream: c.tcp.stream,
        client: c.tcp.client,
        server: c.tcp.server,
        carrier: if c.carrier.http2().is_some() { "http/2" } else { "http/1.1" },
        stream_id: c.carrier.http2().map(|http2| http2.stream),
        tunnel: c.tunnel.as_deref().map(|authority| tcp::tunnel(authority, secrets)),
        tcp: tcp(&c.tcp),
        tls: c.tls.as_deref().map(|facts| Box::new(tls(facts))),
        first_packet: c.first.packet.number(),
        last_packet: c.last.packet.number(),
        started: c.first.at,
        ended: c.last.at,
        role: "direct",
        same_as: None,
        request: c.request.as_ref().map(|r| request(r, secrets)),
        interim: c.interim.clone(),
        response: c.response.as_ref().map(|it| response(it, secrets)),
        missing_extensions: c.missing_extensions().into_iter().map(String::from).collect(),
        outcome: match c.outcome {
            Outcome::Established => "established",
            Outcome::Invalid => "invalid",
            Outcome::Rejected => "rejected",
            Outcome::Garbled => "garbled",
            Outcome::Unanswered => "unanswered",
            Outcome::Unseen => "unseen",
            Outcome::Encrypted => "encrypted",
        },
        frames: c.frames.as_ref().map(|sides| both(sides, frames)),
        silence: c.silence.filter(|span| span.nanos() > 0).map(|span| model::Silence {
            seconds: span.nanos() as f64 / 1e9,
            from: mark(span.from),
            until: mark(span.until),
        }),
        closes: c.closes.iter().map(close).collect(),
        end: end(c),
        sees: sees(&c.ending.sees),
        shows: shows(c),
        findings: Vec::new(),
        messages: c.messages.as_ref().map(|listed| {
            let begins = session_begins(c);
            listed.entries.iter().map(|(from, entry)| message(*from, entry, begins)).collect()
        }),
        messages_left_out: c.messages.as_ref().map(|listed| listed.left_out),
    }
}

/// When messages could be sent: with the answer to the handshake, as far as that was seen.
pub(super) fn session_begins(c: &facts::Connection) -> Timestamp {
    c.response.as_ref().map_or(c.first, |response| response.seen).at
}

/// One finding about a connection; ids as in [`connection`].
pub(super) fn finding(c: &facts::Connection, finding: &Finding) -> model::Finding {
    told(finding, rules::fingerprint(finding, c), display_filter(c))
}

/// A finding about the captures as a whole.
pub(super) fn finding_of_captures(finding: &Finding) -> model::Finding {
    told(finding, rules::fingerprint_of_run(finding.rule, ""), String::from("tls"))
}

/// One finding, by that fingerprint and that display filter; no ids yet.
fn told(finding: &Finding, fingerprint: String, display_filter: String) -> model::Finding {
    model::Finding {
        id: 0,
        rule: finding.rule.name,
        code: finding.rule.code,
        severity: finding.severity.name(),
        confidence: finding.confidence.name(),
        origin: finding.origin.map(|origin| origin.name()),
        blame: finding.blame.name(),
        connection: None,
        related: Vec::new(),
        capture: finding.seen.packet.capture(),
        packet: finding.seen.packet.number(),
        time: finding.seen.at,
        title: finding.title.clone().into_owned(),
        message: finding.message.clone(),
        evidence: evidence(finding),
        help: finding.help.clone().into_owned(),
        fingerprint,
        display_filter,
        consequences: finding
            .consequences
            .iter()
            .map(|f| model::Consequence {
                rule: f.rule.name,
                code: f.rule.code,
                title: f.title.clone().into_owned(),
                packet: f.seen.packet.number(),
            })
            .collect(),
        suppressed: finding.suppressed.as_ref().map(suppression),
    }
}

/// The filter that shows a connection in Wireshark.
pub(super) fn display_filter(c: &facts::Connection) -> String {
    match c.carrier.http2() {
        None => format!("tcp.stream eq {}", c.tcp.stream),
        Some(http2) => format!("tcp.stream eq {} and http2.streamid eq {}", c.tcp.stream, http2.stream),
    }
}

/// What all captures lack.
pub(super) fn quality(summary: &Summary) -> model::Quality {
    let q = &summary.totals.quality;
    let unreadable = summary
        .unreadable
        .iter()
        .map(|error| model::UnreadableCapture { path: error.path().to_owned(), reason: error.reason() });
    model::Quality {
        captures_unreadable: unreadable.collect(),
        packets_cut: q.cut,
        packets_lost: q.dropped,
        packets_duplicated: q.duplicates,
        captures_incomplete: q.incomplete,
        late_start: q.late_start,
        without_handshake: q.without_handshake,
        one_direction: q.one_direction,
        with_gaps: q.gaps,
        not_followed: q.bounded,
        still_open: q.open,
        encrypted: q.encrypted,
        cannot_conclude: q.limitations(),
    }
}

fn suppression(suppressed: &rules::Suppressed) -> model::Suppression {
    model::Suppression { kind: suppressed.name(), justification: suppressed.reason().to_owned() }
}

/// One demand of the policy; `id` tells the ids of connections.
pub(super) fn demand(account: &Account, id: impl Fn(u64) -> Option<usize>) -> model::Demand {
    let shown = account.shown.as_ref();
    let seen = shown.and_then(|(standing, _)| standing.seen);
    model::Demand {
        expectation: account.name.clone(),
        place: account.place.clone(),
        rule: account.rule.name,
        code: account.rule.code,
        expected: account.expected.clone(),
        met: account.met(),
        actual: shown.map(|(standing, _)| standing.actual.clone()),
        judged: account.judged,
        unmet: account.unmet,
        connection: shown.and_then(|(_, connected)| id(connected.as_ref()?.serial)),
        capture: seen.map(|seen| seen.packet.capture()),
        packet: seen.map(|seen| seen.packet.number()),
    }
}

fn evidence(finding: &Finding) -> Vec<model::Evidence> {
    let one = |e: &rules::Evidence| model::Evidence {
        capture: e.packet.capture(),
        packet: e.packet.number(),
        text: e.text.clone(),
    };
    finding.evidence.iter().map(one).collect()
}

/// A demand on the run as a whole that was not met: it points at the end of the first capture, for all of it was read.
pub(super) fn finding_of_run(account: &Account, captures: &[CaptureInfo]) -> Option<model::Finding> {
    let (standing, _) = account.shown.as_ref().filter(|(standing, _)| !standing.met)?;
    let end = captures.first();
    let packet = end.map_or(0, |capture| capture.packets);
    Some(model::Finding {
        id: 0,
        rule: account.rule.name,
        code: account.rule.code,
        severity: account.severity.name(),
        confidence: Confidence::Certain.name(),
        origin: None,
        blame: Blame::Unknown.name(),
        connection: None,
        related: Vec::new(),
        capture: 0,
        packet,
        time: end.and_then(|capture| capture.last).unwrap_or_default(),
        title: format!("the policy expects {}", account.expected),
        message: format!(
            "the policy \"{}\" expects {} to {}, but the captures hold {}",
            account.name, account.expected, account.place, standing.actual
        ),
        evidence: vec![model::Evidence {
            capture: 0,
            packet,
            text: format!("up to here {} to {}", standing.actual, account.place),
        }],
        help: account.help.to_owned(),
        fingerprint: account.fingerprint.clone(),
        display_filter: String::from("websocket or http.upgrade"),
        consequences: Vec::new(),
        suppressed: account.suppressed.as_ref().map(suppression),
    })
}

/// A pair of legs; `id` tells the ids of its connections, and there is no pair where one of them is not in the report.
pub(super) fn leg_pair(pair: &LegPair, id: impl Fn(u64) -> Option<usize>) -> Option<model::LegPair> {
    let seconds = |nanos: i64| nanos as f64 / 1e9;
    Some(model::LegPair {
        client_leg: id(pair.client_leg)?,
        upstream_leg: id(pair.upstream_leg)?,
        attempts: pair.attempts.iter().filter_map(|&serial| id(serial)).collect(),
        gateway: pair.gateway.ip.to_string(),
        matched_by: pair.means.name(),
        confidence: pair.confidence.name(),
        passage: pair.passage.name(),
        clock_offset: seconds(pair.clock.offset),
        clock_uncertainty: seconds(pair.clock.uncertainty),
        changes: pair
            .changes
            .iter()
            .map(|change| model::Change {
                field: change.field,
                place: change.place.name(),
                client_leg: change.client_leg.clone(),
                upstream_leg: change.upstream_leg.clone(),
            })
            .collect(),
    })
}

fn subprotocols(list: &str, secrets: Secrets) -> String {
    match secrets {
        Secrets::Hidden => crate::http::redacted_subprotocols(list),
        Secrets::Shown => list.to_owned(),
    }
}

/// The request target as it may be shown.
pub(super) fn target(target: &str, secrets: Secrets) -> String {
    match secrets {
        Secrets::Hidden => crate::http::redacted_target(target),
        Secrets::Shown => target.to_owned(),
    }
}

fn both<T, U>(sides: &Sides<T>, one: impl Fn(&T) -> U) -> BothSides<U> {
    BothSides { client: one(&sides.client), server: one(&sides.server) }
}

fn mark(seen: Seen) -> model::Mark {
    model::Mark { capture: seen.packet.capture(), packet: seen.packet.number(), time: seen.at }
}

fn tls(t: &tls::Facts) -> model::Tls {
    let sent = |sent: &tls::Sent| model::TlsSent {
        records: sent.records,
        bytes: sent.bytes,
        first: sent.first.map(|seen| seen.at),
        last: sent.last.map(|seen| seen.at),
    };
    model::Tls {
        version: t.version.map(|version| version.to_string()),
        cipher_suite: t.cipher_suite.map(|suite| suite.to_string()),
        server_name: t.server_name.clone(),
        alpn: t.alpn.clone(),
        alpn_offered: t.alpn_offered.clone(),
        opened: t.opened.name(),
        alerts: t
            .alerts
            .iter()
            .map(|alert| model::Alert {
                from: alert.from.name(),
                packet: alert.seen.packet.number(),
                time: alert.seen.at,
                level: match alert.level {
                    1 => Some("warning"),
                    2 => Some("fatal"),
                    _ => None,
                },
                description: alert.description.to_string(),
            })
            .collect(),
        sent: both(&t.sent, sent),
    }
}

fn request(r: &facts::Request, secrets: Secrets) -> model::Request {
    let Seen { packet, at } = r.seen;
    model::Request {
        packet: packet.number(),
        time: at,
        method: r.head.method.to_string(),
        target: target(&r.head.target, secrets),
        http_version: r.head.version.map(|(major, minor)| match major {
            // RFC 9113 §1: HTTP/2 has no minor version.
            2.. => major.to_string(),
            _ => format!("{major}.{minor}"),
        }),
        host: r.head.head.text("host").map(String::from),
        origin: r.head.head.text("origin").map(String::from),
        user_agent: r.head.head.text("user-agent").map(String::from),
        key: r.key.clone().map(String::from),
        version: r.version.clone().map(String::from),
        subprotocols: r.subprotocols.list.iter().map(|name| subprotocols(name, secrets)).collect(),
        extensions: extensions(&r.extensions),
    }
}

fn response(r: &facts::Response, secrets: Secrets) -> model::Response {
    let Seen { packet, at } = r.seen;
    model::Response {
        packet: packet.number(),
        time: at,
        status: r.head.status,
        reason: r.head.reason.to_string(),
        accept: r.accept().map(String::from),
        accept_valid: r.accept_valid,
        subprotocol: r.subprotocol.as_deref().map(|name| subprotocols(name, secrets)),
        extensions: extensions(&r.extensions),
        server: r.head.head.text("server").map(String::from),
        via: r.head.head.text("via").map(String::from),
    }
}

fn extensions(extensions: &Extensions) -> Vec<model::Extension> {
    let one = |e: &crate::websocket::Extension| model::Extension {
        name: e.name.as_str().to_ascii_lowercase(),
        params: e
            .params
            .iter()
            .map(|p| model::Param { name: p.name.to_string(), value: p.value.clone().map(String::from) })
            .collect(),
    };
    extensions.list.iter().map(one).collect()
}

fn frames(f: &facts::FrameFacts) -> model::Frames {
    model::Frames {
        text: f.text,
        binary: f.binary,
        continuation: f.continuation,
        ping: f.ping,
        pong: f.pong,
        close: f.close,
        reserved: f.reserved,
        payload_bytes: f.payload_bytes,
        messages: f.messages,
        compressed: f.compressed,
        pings_answered: f.pings().answered,
        first: f.first.map(mark),
        last: f.last.map(mark),
    }
}

fn message(from: Role, entry: &Entry, begins: Timestamp) -> model::Message {
    let (inflated_bytes, unread) = match entry.content {
        Content::Plain => (None, None),
        Content::Inflated(bytes) => (Some(bytes), None),
        Content::Unread(why) => (None, Some(why.name())),
    };
    model::Message {
        from: from.name(),
        packet: entry.seen.packet.number(),
        time: entry.seen.at,
        after: entry.seen.at.seconds_since(begins),
        opcode: entry.text.map(|text| if text { "text" } else { "binary" }),
        frames: entry.frames,
        payload_bytes: entry.bytes,
        compressed: entry.compressed,
        inflated_bytes,
        unread,
        excerpt: entry.excerpt.as_deref().map(|excerpt| match entry.text {
            Some(true) => String::from_utf8_lossy(escape::whole_characters(excerpt)).into_owned(),
            _ => excerpt.iter().map(|byte| format!("{byte:02x}")).collect(),
        }),
    }
}

fn close(c: &facts::Close) -> model::Close {
    model::Close {
        from: c.from.name(),
        packet: c.seen.packet.number(),
        time: c.seen.at,
        code: c.code,
        name: c.code.map(close_name),
        reason: c.reason.to_string(),
    }
}

fn end(c: &facts::Connection) -> model::End {
    let ending = &c.ending;
    // A GOAWAY that excludes the stream ends it as a RST_STREAM does.
    let error = c.carrier.http2().filter(|_| ending.transport == Transport::StreamReset);
    let error = error.and_then(|http2| http2.reset.or(http2.goaway)).map(|(_, code, _)| code.to_string());
    let seen = ending.by.map(|(_, seen)| seen);
    model::End {
        close: ending.close.map(|state| match state {
            CloseState::Clean => "clean",
            CloseState::Unechoed => "unechoed",
            CloseState::None => "none",
        }),
        transport: match ending.transport {
            Transport::Fin => "fin",
            Transport::Reset => "reset",
            Transport::StreamReset => "stream-reset",
            Transport::Open => "open",
        },
        error,
        by: ending.by.map(|(role, _)| role.name()),
        packet: seen.map(|seen| seen.packet.number()),
        time: seen.map(|seen| seen.at),
    }
}

fn shows(c: &facts::Connection) -> Option<BothSides<Vec<model::Wording>>> {
    let side = |role| -> Vec<model::Wording> {
        let Some((shown, number)) = wording::shown(c, role) else { return Vec::new() };
        wording::wordings(shown, Some(role))
            .map(|row| model::Wording { library: row.name, text: row.with(number) })
            .collect()
    };
    let both = BothSides { client: side(Role::Client), server: side(Role::Server) };
    (!both.client.is_empty() || !both.server.is_empty()).then_some(both)
}

fn sees(sees: &Sides<Option<facts::ApiClose>>) -> Option<BothSides<Option<model::Sees>>> {
    let one = |close: facts::ApiClose| model::Sees { code: close.code, clean: close.clean };
    match (sees.client, sees.server) {
        (None, None) => None,
        _ => Some(both(sees, |close| close.map(one))),
    }
}
