//! Findings made by hand, on connections made by hand, and a summary around them.

use super::{Collector, Secrets, escape, model};
use crate::capture::{CaptureInfo, Format, HostNames, PacketId, Seen};
use crate::connection::{Connection, ListedMessages};
use crate::pipeline::{Summary, Totals};
use crate::role::Role::{Client, Server};
use crate::rules::testing::Scene;
use crate::rules::{Blame, Category, Check, Confidence, Evidence, Finding, Origin, Rule, Severity};
use crate::time::Timestamp;
use crate::websocket::{Content, Entry, Unreadable};
use std::borrow::Cow;
use std::io;

/// A client that insists on an extension.
pub static REFUSED: Rule = Rule {
    code: "WS-XX-001",
    name: "test-refused",
    severity: Severity::Error,
    category: Category::Extension,
    reference: "RFC 6455 §7.4.1",
    explains: &["test-offered"],
    manual: " # What it finds
 A Close with 1010, by which a client says that the server did not accept an extension that it needs.

 # Why it matters
 The session ends at once, and again with every attempt.

 # What causes it
 - The server does not have the extension, or it is turned off.
 - A gateway removes `Sec-WebSocket-Extensions` from the request, which it must forward to the server as it is.

 # How to fix
 Enable the extension on the server, and let the gateway pass the field:
 ```
 proxy_set_header Sec-WebSocket-Extensions $http_sec_websocket_extensions;
 ```

 # What it does not report
 Nothing that matters here.
",
    asked_on: crate::rules::Cues::ALWAYS,
    check: Check::Connection(|_, _| ()),
};

/// What follows from it.
pub static OFFERED: Rule = Rule {
    code: "WS-XX-002",
    name: "test-offered",
    severity: Severity::Info,
    category: Category::Extension,
    reference: "RFC 6455 §9.1",
    explains: &[],
    manual: " # What it finds
 An extension that was offered and not accepted.

 # How to fix
 Nothing, where both sides can do without it.
",
    asked_on: crate::rules::Cues::ALWAYS,
    check: Check::Connection(|_, _| ()),
};

/// A session that its client ends with 1010, `nth` of its kind: other ports, other packets, later.
pub fn refused(nth: u64) -> (Connection, Vec<Finding>) {
    let offer = "permessage-deflate; client_max_window_bits, x-Odd";
    let connection = Scene::session(offer, "")
        .messages(Server, 2)
        .close(Client, 1010, "permessage-deflate")
        .close(Server, 1010, "")
        .fin(Server)
        .with(|c| {
            c.tcp.client.port += nth as u16;
            c.tcp.stream = nth as u32;
            shift(c, nth);
        })
        .build();
    let answer = connection.response.as_ref().unwrap().seen;
    let close = connection.closes[0].seen;
    let offered = finding(&OFFERED, answer, "server accepted no extension");
    let refused = Finding {
        origin: Some(Origin::Client),
        blame: Blame::Server,
        message: String::from("client needs permessage-deflate, which the server's 101 does not accept"),
        evidence: vec![
            Evidence { packet: answer.packet, text: String::from("no Sec-WebSocket-Extensions") },
            Evidence { packet: close.packet, text: String::from("Close 1010 \"permessage-deflate\"") },
        ],
        help: "enable permessage-deflate on the server".into(),
        consequences: vec![offered],
        ..finding(&REFUSED, close, "client closed with 1010 Mandatory Extension")
    };
    (connection, vec![refused])
}

/// The same connection, `nth` packets and seconds later.
fn shift(connection: &mut Connection, nth: u64) {
    let request = connection.request.iter_mut().map(|r| &mut r.seen);
    let response = connection.response.iter_mut().map(|r| &mut r.seen);
    let closes = connection.closes.iter_mut().map(|c| &mut c.seen);
    let end = connection.ending.by.iter_mut().map(|(_, seen)| seen);
    let both = [&mut connection.first, &mut connection.last];
    for seen in both.into_iter().chain(request).chain(response).chain(closes).chain(end) {
        seen.packet = PacketId::new(seen.packet.capture(), seen.packet.number() + nth);
        seen.at = Timestamp::from_nanos(seen.at.as_nanos() + nth as i64 * 1_000_000_000);
    }
}

/// A finding that says no more than its title.
pub fn finding(rule: &'static Rule, seen: Seen, title: impl Into<Cow<'static, str>>) -> Finding {
    Finding {
        rule,
        severity: rule.severity,
        confidence: Confidence::Certain,
        origin: None,
        blame: Blame::Nobody,
        seen,
        title: title.into(),
        message: String::new(),
        evidence: Vec::new(),
        help: "".into(),
        consequences: Vec::new(),
        borne: false,
        related: Vec::new(),
        suppressed: None,
    }
}

/// A session with nothing to say of it.
pub fn well() -> Connection {
    Scene::session("", "")
        .messages(Client, 1)
        .close(Client, 1000, "")
        .close(Server, 1000, "")
        .fin(Client)
        .build()
}

/// The report on these connections.
pub fn report(connections: Vec<(Connection, Vec<Finding>)>) -> model::Report {
    let summary = summary(connections.len() as u64);
    let mut collector = Collector::new(Secrets::Hidden);
    for (connection, findings) in connections {
        collector.add(&connection, &findings);
    }
    collector.finish(&summary)
}

/// What a stranger may write: controls, bidirectional controls, markup of every format, commands, formulas.
pub const HOSTILE: &str = "=cmd()\u{1b}[31m\u{202e}<script>alert(1)</script><!--]]>\n::error::owned\r\n# x `code` |cell| \
    [link](http://e.vil) @all &lt; {0} \"q\" ,%0A\u{0}\u{fffe}";

/// A connection and a finding that quote [`HOSTILE`] wherever text from the wire may come.
pub fn hostile() -> (Connection, Vec<Finding>) {
    let (mut connection, mut findings) = refused(0);
    let request = connection.request.as_mut().unwrap();
    request.head.target = HOSTILE.into();
    request.head.method = HOSTILE.into();
    connection.response.as_mut().unwrap().head.reason = HOSTILE.into();
    connection.closes[0].reason = HOSTILE.into();
    connection.messages = Some(Box::new(listed(connection.first, HOSTILE.as_bytes())));
    let finding = &mut findings[0];
    for text in [&mut finding.title, &mut finding.help, &mut finding.consequences[0].title] {
        *text = HOSTILE.into();
    }
    finding.message = HOSTILE.to_owned();
    finding.evidence.iter_mut().for_each(|evidence| evidence.text = HOSTILE.to_owned());
    (connection, findings)
}

/// A text that begins so, a binary message that does, and one that cannot be read; three more are left out.
pub fn listed(seen: Seen, excerpt: &[u8]) -> ListedMessages {
    let message = |text, compressed, content, excerpt: Option<&[u8]>| {
        let excerpt = excerpt.map(Box::from);
        Entry { seen, text: Some(text), frames: 1, bytes: 12, compressed, content, excerpt }
    };
    let why = Content::Unread(Unreadable::ContextMissing);
    let entries = vec![
        (Client, message(true, false, Content::Plain, Some(excerpt))),
        (Server, message(false, true, Content::Inflated(400), Some(excerpt))),
        (Server, message(true, true, why, None)),
    ];
    ListedMessages { entries, left_out: 3 }
}

/// The report on [`hostile`], with a capture of such a name, and a finding that is suppressed for such a reason.
pub fn hostile_report() -> model::Report {
    let mut report = report(vec![hostile(), hostile()]);
    report.captures[0].path = HOSTILE.to_owned();
    report.captures[0].warnings.push(HOSTILE.to_owned());
    report.findings[1].suppressed =
        Some(model::Suppression { kind: "ignored", justification: HOSTILE.to_owned() });
    report
}

/// What `write` writes, which shows no hidden character.
pub fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.chars().any(|c| !matches!(c, '\n' | '\r') && escape::is_hidden(c)), "{text}");
    text.replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

/// One capture of ten seconds with so many WebSocket connections.
pub fn summary(connections: u64) -> Summary {
    let capture = CaptureInfo {
        path: String::from("edge.pcapng"),
        format: Format::Pcapng,
        compression: None,
        packets: 120,
        bytes: 40_211,
        first: Some(Timestamp::from_nanos(0)),
        last: Some(Timestamp::from_nanos(10_000_000_000)),
        cut: 0,
        dropped: 0,
        complete: true,
        warnings: Vec::new(),
        notes: Vec::new(),
        names: HostNames::default(),
    };
    let totals = Totals {
        packets: 120,
        tcp_connections: connections + 2,
        websocket_connections: connections,
        established: connections,
        ..Totals::default()
    };
    Summary { captures: vec![capture], totals, ..Summary::default() }
}
