//! How rules quote the wire: lines as written, short, and without secrets.

use crate::connection::{Carrier, Close, Connection, FirstEnd, Request, Response, Transport};
use crate::http::{Head, redacted_subprotocols, redacted_target};
use crate::limits;

/// `Name: value` for every line of that name, as written but without secrets; `None` where there is no such line.
pub(super) fn field(head: &Head, name: &str) -> Option<String> {
    let shown = |value: &[u8]| {
        let value = String::from_utf8_lossy(value);
        let subprotocols = name.eq_ignore_ascii_case("Sec-WebSocket-Protocol");
        short(&if subprotocols { redacted_subprotocols(&value).into() } else { value })
    };
    let lines: Vec<String> = head.values(name).map(shown).collect();
    (!lines.is_empty()).then(|| format!("{name}: {}", lines.join(&format!(" | {name}: "))))
}

/// As [`field`], or `no Name`.
pub(super) fn field_or_none(head: &Head, name: &str) -> String {
    field(head, name).unwrap_or_else(|| format!("no {name}"))
}

/// Those of `names` that the head has, as [`field`] writes them.
pub(super) fn fields(head: &Head, names: &[&str]) -> Vec<String> {
    names.iter().filter_map(|name| field(head, name)).collect()
}

/// The request line, the values of its query left out.
pub(super) fn request_line(request: &Request) -> String {
    let version = match request.head.version {
        Some((2.., _)) => String::from("HTTP/2"),
        Some((major, minor)) => format!("HTTP/{major}.{minor}"),
        None => String::from("without a version"),
    };
    format!("{} {} {version}", short(&request.head.method), target(&request.head.target))
}

/// A request target without its secrets.
pub(super) fn target(target: &str) -> String {
    short(&redacted_target(target))
}

/// Status and reason phrase: `502 Bad Gateway`.
pub(super) fn status(response: &Response) -> String {
    format!("{} {}", response.head.status, short(&response.head.reason)).trim_end().to_owned()
}

/// A Close as people speak of it: `Close 1010 Mandatory Extension "permessage-deflate"`.
pub(super) fn close(close: &Close) -> String {
    let reason =
        if close.reason.is_empty() { String::from("without a reason") } else { quoted(&close.reason) };
    match close.code {
        Some(code) => match super::codes::name(code) {
            Some(name) => format!("Close {code} {name} {reason}"),
            None => format!("Close {code} {reason}"),
        },
        None if close.len == 0 => String::from("an empty Close"),
        None => format!("a Close with a body of {}", bytes(close.len)),
    }
}

/// By what the transport ended: `FIN`, `RST`, and on HTTP/2 `END_STREAM` or `RST_STREAM CANCEL`, too.
pub(super) fn ending(connection: &Connection) -> String {
    let tcp = |transport| {
        String::from(match transport {
            Transport::Reset => "RST",
            _ if connection.ending.first == FirstEnd::Unseen => {
                "FIN (not captured, known by its acknowledgment)"
            }
            _ => "FIN",
        })
    };
    let Carrier::Http2(stream) = &connection.carrier else { return tcp(connection.ending.transport) };
    match (connection.ending.transport, stream.reset, stream.goaway, stream.end_stream) {
        (Transport::StreamReset, Some((_, error, _)), _, _) => format!("RST_STREAM {error}"),
        (Transport::StreamReset, None, Some((_, error, _)), _) => format!("GOAWAY {error}"),
        (Transport::Fin, _, _, Some((by, seen))) if connection.ending.by == Some((by, seen)) => {
            String::from("END_STREAM")
        }
        (transport, ..) => tcp(transport),
    }
}

/// What that ended: `TCP`, or `the stream` on HTTP/2.
pub(super) fn transport(connection: &Connection) -> &'static str {
    match connection.carrier {
        Carrier::Http1 => "TCP",
        Carrier::Http2(_) => "the stream",
    }
}

/// In quotation marks, shortened.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", short(text))
}

/// At most [`LONGEST`] characters.
pub(super) fn short(text: &str) -> String {
    // So many bytes are no more characters than that.
    let longer = if text.len() > LONGEST { text.char_indices().nth(LONGEST) } else { None };
    match longer {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Bytes as hexadecimal pairs.
pub(super) fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().take(limits::QUOTE).map(|byte| format!("{byte:02X}")).collect();
    pairs.join(" ")
}

/// `1 byte`, `20 bytes`.
pub(super) fn bytes(count: u64) -> String {
    if count == 1 { String::from("1 byte") } else { format!("{count} bytes") }
}

/// A duration for people: `3 ms`, `2.5 s`, `4 min 10 s`.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds < 0.000_5 {
        String::from("less than 1 ms")
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 120.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{:.0} min {:.0} s", (seconds / 60.0).floor(), seconds % 60.0)
    }
}

/// ` after 4 ms`; empty where no time is known.
pub(super) fn after(elapsed: Option<f64>) -> String {
    elapsed.map_or(String::new(), |elapsed| format!(" after {}", seconds(elapsed)))
}

/// ` 4 ms later`; ` later` where no time is known.
pub(super) fn later(elapsed: Option<f64>) -> String {
    elapsed.map_or(String::from(" later"), |elapsed| format!(" {} later", seconds(elapsed)))
}

/// ` 4 ms before`; ` before` where no time is known.
pub(super) fn before(elapsed: Option<f64>) -> String {
    elapsed.map_or(String::from(" before"), |elapsed| format!(" {} before", seconds(elapsed)))
}

/// Subprotocols in a row, without secrets.
pub(super) fn subprotocols<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<String> = names.iter().map(|name| redacted_subprotocols(name.as_ref())).collect();
    short(&list(&shown))
}

/// Names in a row: `a`, `a and b`, `a, b and c`.
pub(super) fn list<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [rest @ .., last] => {
            let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", rest.join(", "), last.as_ref())
        }
    }
}

/// Characters of a quotation: the longest field a terminal line still shows with its surroundings.
const LONGEST: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_keeps_its_names_and_loses_its_values() {
        assert_eq!(target("/ws?token=s3cret&v=1"), "/ws?token=…&v=…");
        assert_eq!(target("/ws"), "/ws");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let text = "é".repeat(LONGEST + 5);
        assert_eq!(short(&text).chars().count(), LONGEST + 1);
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(seconds(0.0), "less than 1 ms");
        assert_eq!(seconds(0.25), "250 ms");
        assert_eq!(seconds(60.05), "60.0 s");
        assert_eq!(seconds(250.0), "4 min 10 s");
    }

    #[test]
    fn lists_end_with_and() {
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}
