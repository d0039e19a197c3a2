//! What programs show of an ending, in the words of their libraries, where it is not what was on the wire.

use crate::connection::{Connection, Outcome, Transport};
use crate::role::Role;
use crate::rules::trust;
use crate::websocket::{CloseClass, close_class};
use End::{Both, Client};
use Shown::{BadGateway, Cut, Empty, Refused, Reset, Unsendable};

/// Something that a library shows in other words, or with another code, than the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Shown {
    /// A Close without a code.
    Empty,
    /// FIN and no Close.
    Cut,
    /// RST and no Close.
    Reset,
    /// A Close whose code may not be sent.
    Unsendable,
    /// A Close with 1014, which libraries with an old list refuse.
    BadGateway,
    /// Another status than 101.
    Refused,
}

/// The words of one library.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wording {
    /// What for.
    pub shown: Shown,
    /// The library.
    pub name: &'static str,
    /// On which side of a connection it runs.
    end: End,
    /// What it shows; `N` stands for the code or status.
    pub text: &'static str,
    /// How that is known.
    pub source: &'static str,
}

/// Where a library runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Client,
    Both,
}

impl Shown {
    /// What a code or status is shown as.
    pub const fn of_code(code: u16) -> Option<Shown> {
        match code {
            // A 101 is success, and 499 is in logs only.
            101 | 499 => None,
            100..=599 => Some(Refused),
            1005 => Some(Empty),
            1006 => Some(Cut),
            // 1015 is what a failed TLS handshake is called; what programs show of it is the TLS library's word.
            1004 => Some(Unsendable),
            1014 => Some(BadGateway),
            _ => None,
        }
    }

    /// What the rule of that name is about.
    pub fn of_rule(name: &str) -> Option<Shown> {
        match name {
            "closed-without-close-frame" => Some(Cut),
            "close-code-reserved-on-wire" => Some(Unsendable),
            "close-1014-bad-gateway" => Some(BadGateway),
            "gateway-error-before-upgrade" | "response-not-101" | "response-forbidden" => Some(Refused),
            _ => None,
        }
    }
}

/// What the program on that side is shown, with the code or status in it; `None` where that is what was on the wire.
pub fn shown(connection: &Connection, side: Role) -> Option<(Shown, Option<u16>)> {
    if connection.outcome == Outcome::Rejected && side == Role::Client {
        return connection.response.as_ref().map(|response| (Refused, Some(response.head.status)));
    }
    connection.ending.close?;
    let peer = side.other();
    let Some(received) = connection.first_close(peer) else {
        let (by, _) = connection.ending.by.filter(|_| trust::doubt(connection, peer).is_none())?;
        return match connection.ending.transport {
            _ if by == side => None,
            Transport::Fin => Some((Cut, None)),
            Transport::Reset => Some((Reset, None)),
            Transport::StreamReset | Transport::Open => None,
        };
    };
    match received.code {
        None if received.len == 0 => Some((Empty, None)),
        Some(1014) => Some((BadGateway, None)),
        Some(code) if close_class(code) != CloseClass::Sendable => Some((Unsendable, Some(code))),
        _ => None,
    }
}

/// How libraries show it, at either end or at one.
pub fn wordings(shown: Shown, side: Option<Role>) -> impl Iterator<Item = &'static Wording> {
    WORDINGS.iter().filter(move |row| row.shown == shown && (side != Some(Role::Server) || row.end == Both))
}

const fn row(
    shown: Shown,
    name: &'static str,
    end: End,
    text: &'static str,
    source: &'static str,
) -> Wording {
    Wording { shown, name, end, text, source }
}

const CHROMIUM: &str = "observed in Chromium 156";
const WS: &str = "observed in ws 8.23";
const PYTHON: &str = "observed in websockets 17.4";
const GORILLA: &str = "gorilla/websocket conn.go";
const CODER: &str = "reports of users";
const TUNGSTENITE: &str = "tungstenite error.rs";
const DOTNET: &str = ".NET Strings.resx of System.Net.WebSockets";

/// The table, in the order in which it is shown.
static WORDINGS: &[Wording] = &[
    row(Cut, "browser", Client, "CloseEvent code 1006, reason \"\", wasClean false", CHROMIUM),
    row(Cut, "ws (Node.js)", Both, "close event 1006, no error", WS),
    row(Cut, "Python websockets", Both, "ConnectionClosedError: no close frame received or sent", PYTHON),
    row(Cut, "gorilla (Go)", Both, "websocket: close 1006 (abnormal closure): unexpected EOF", GORILLA),
    row(Cut, "coder (Go)", Both, "failed to get reader: failed to read frame header: EOF", CODER),
    row(
        Cut,
        "tungstenite (Rust)",
        Both,
        "WebSocket protocol error: Connection reset without closing handshake",
        TUNGSTENITE,
    ),
    row(
        Cut,
        ".NET",
        Both,
        "The remote party closed the WebSocket connection without completing the close handshake.",
        DOTNET,
    ),
    row(Reset, "browser", Client, "CloseEvent code 1006, reason \"\", wasClean false", CHROMIUM),
    row(Reset, "ws (Node.js)", Both, "close event 1006, no error", WS),
    row(Reset, "Python websockets", Both, "ConnectionClosedError: no close frame received or sent", PYTHON),
    row(Reset, "gorilla (Go)", Both, "read tcp …: connection reset by peer", GORILLA),
    row(Reset, "tungstenite (Rust)", Both, "IO error: Connection reset by peer (os error 104)", TUNGSTENITE),
    row(
        Reset,
        ".NET",
        Both,
        "The remote party closed the WebSocket connection without completing the close handshake.",
        DOTNET,
    ),
    row(Empty, "browser", Client, "CloseEvent code 1005, reason \"\", wasClean true", CHROMIUM),
    row(Empty, "ws (Node.js)", Both, "close event 1005", WS),
    row(
        Empty,
        "Python websockets",
        Both,
        "ConnectionClosedOK: received 1005 (no status received [internal])",
        PYTHON,
    ),
    row(Empty, "gorilla (Go)", Both, "websocket: close 1005 (no status)", GORILLA),
    row(Empty, "tungstenite (Rust)", Both, "Message::Close(None)", TUNGSTENITE),
    row(
        Unsendable,
        "browser",
        Client,
        "error event, then CloseEvent code 1006, reason \"\", wasClean false",
        CHROMIUM,
    ),
    row(
        Unsendable,
        "ws (Node.js)",
        Both,
        "Invalid WebSocket frame: invalid status code N, then close event 1006",
        WS,
    ),
    row(
        Unsendable,
        "Python websockets",
        Both,
        "ConnectionClosedError: sent 1002 (protocol error) invalid status code; no close frame received",
        PYTHON,
    ),
    row(Unsendable, "gorilla (Go)", Both, "websocket: bad close code N", GORILLA),
    row(BadGateway, "gorilla (Go)", Both, "websocket: bad close code 1014", GORILLA),
    row(
        BadGateway,
        "Autobahn for Python",
        Both,
        "code 1006, \"I dropped the WebSocket TCP connection: invalid close code 1014\"",
        "observed in autobahn 26.10",
    ),
    row(
        BadGateway,
        "browser, ws, Python websockets",
        Both,
        "code 1014",
        "observed in Chromium 156, ws 8.23, websockets 17.4",
    ),
    row(
        Refused,
        "browser",
        Client,
        "error event, then CloseEvent code 1006; the status is in the console only",
        CHROMIUM,
    ),
    row(Refused, "ws (Node.js)", Client, "Unexpected server response: N, then close event 1006", WS),
    row(
        Refused,
        "Python websockets",
        Client,
        "InvalidStatus: server rejected WebSocket connection: HTTP N",
        PYTHON,
    ),
    row(Refused, "gorilla (Go)", Client, "websocket: bad handshake", GORILLA),
    row(Refused, "tungstenite (Rust)", Client, "HTTP error: N", TUNGSTENITE),
    row(
        Refused,
        ".NET",
        Client,
        "The server returned status code 'N' when status code '101' was expected.",
        DOTNET,
    ),
];

impl Wording {
    /// Its words, with the code or status in their place.
    pub fn with(&self, number: Option<u16>) -> String {
        match number {
            Some(number) => self
                .text
                .split(' ')
                .map(|word| match word.trim_matches(|c: char| !c.is_alphanumeric()) {
                    "N" => word.replace('N', &number.to_string()),
                    _ => word.to_owned(),
                })
                .collect::<Vec<_>>()
                .join(" "),
            None => self.text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_is_shown_by_several_libraries_and_every_row_has_its_source() {
        for shown in [Empty, Cut, Reset, Unsendable, BadGateway, Refused] {
            assert!(wordings(shown, None).count() >= 3, "{shown:?}");
        }
        for row in WORDINGS {
            assert!(!row.text.is_empty() && !row.source.is_empty(), "{row:?}");
        }
    }

    #[test]
    fn what_a_program_is_shown_follows_from_the_other_sides_doing() {
        use crate::role::Role::{Client, Server};
        use crate::rules::testing::Scene;
        let session = || Scene::session("", "").messages(Client, 1);
        let cases = [
            (session().fin(Server), Some((Cut, None)), None),
            (session().reset(Client), None, Some((Reset, None))),
            (
                session().raw_close(Server, b"").raw_close(Client, b""),
                Some((Empty, None)),
                Some((Empty, None)),
            ),
            (session().close(Server, 1006, "").close(Client, 1002, ""), Some((Unsendable, Some(1006))), None),
            (
                session().close(Server, 1014, "").close(Client, 1014, ""),
                Some((BadGateway, None)),
                Some((BadGateway, None)),
            ),
            (session().close(Server, 1000, "").close(Client, 1000, ""), None, None),
            (session(), None, None),
            (session().gap(Server).fin(Server), None, None),
            (Scene::answered("HTTP/1.1 502 Bad Gateway\r\n", ""), Some((Refused, Some(502))), None),
        ];
        for (scene, client, server) in cases {
            let connection = scene.build();
            assert_eq!((shown(&connection, Client), shown(&connection, Server)), (client, server));
        }
    }

    #[test]
    fn a_browser_is_no_server() {
        assert!(wordings(Cut, Some(Role::Client)).any(|row| row.name == "browser"));
        assert!(wordings(Cut, Some(Role::Server)).all(|row| row.name != "browser"));
        assert_eq!(wordings(Refused, Some(Role::Server)).count(), 0);
    }

    #[test]
    fn the_number_stands_where_the_library_puts_it() {
        let texts: Vec<String> = wordings(Refused, None).map(|row| row.with(Some(502))).collect();
        assert!(texts.iter().any(|text| text.contains("'502' when status code '101'")), "{texts:?}");
        assert!(texts.iter().any(|text| text.ends_with("HTTP 502")), "{texts:?}");
        assert!(texts.iter().any(|text| text.starts_with("Unexpected server response: 502,")), "{texts:?}");
    }

    #[test]
    fn the_texts_of_libraries_lead_back_to_an_explanation() {
        let words = |row: &&Wording| {
            matches!(row.name, "gorilla (Go)" | ".NET" | "ws (Node.js)") && row.shown != Empty
        };
        for row in WORDINGS.iter().filter(words).filter(|row| row.text.len() > 30) {
            assert!(super::super::messages::find(&row.with(Some(502))).is_some(), "{}", row.text);
        }
    }
}
