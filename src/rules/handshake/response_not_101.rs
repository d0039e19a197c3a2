use crate::connection::{Connection, Request, Response};
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Finding, codes, quote};

rule! {
    /// # What it finds
    /// An upgrade request that was answered with a status no other rule speaks of: 400, 404, 405, 429, 500 and others.
    ///
    /// # Why it matters
    /// The server did not switch protocols. Browsers hide the status from the page, where every failure is a 1006; the
    /// status, the fields and the first words of the body show who refused, and why.
    ///
    /// # What causes it
    /// 400: a field was lost or changed on the way, or a session that another server holds. 404: no route for this path,
    /// or in Rails an `Origin` that is not allowed. 429: too many attempts. 431: too many cookies. 5xx: the application
    /// failed. 505 to a request in HTTP/1.1: a hop
    /// behind this point issued it anew as HTTP/1.0.
    ///
    /// # How to fix
    /// 404: compare the path on both sides of every gateway, in nginx the `location` and the slash at the end of
    /// `proxy_pass`, in Socket.IO `path`. 400 with `Session ID unknown`: sticky sessions, nginx `ip_hash`, HAProxy
    /// `balance source` or a cookie. 429: wait as `Retry-After` says. 431: smaller cookies, or Node
    /// `--max-http-header-size`, Envoy `max_request_headers_kb`, Jetty `requestHeaderSize`; nginx says 400 to them, until
    /// `large_client_header_buffers` is raised. 500: the log of the server at that second.
    ///
    /// # What it does not report
    /// 2xx, 3xx, 401, 403, 407, 426 and answers that a gateway made itself: they have their own rules. 100 and 103 are
    /// no final answers.
    pub static RULE = "WS-HS-009" "response-not-101" {
        severity: Error, category: Handshake, reference: "RFC 6455 §4.1, §4.2.2",
        explains: [], asked_on: [Answer], check: Check::Connection(check),
    }
}

fn check(connection: &Connection, found: &mut Vec<Finding>) {
    let Some((request, response)) = super::refusal(connection) else { return };
    let status = response.head.status;
    if matches!(status, 200..=399 | 401 | 403 | 407 | 426) {
        return;
    }
    let clues = if status == 400 { Clues::of(request, response) } else { Clues::default() };
    let (blame, confidence, why) = reason(request, status, &clues);
    let named = clues.field.map_or(Vec::new(), |(name, ..)| quote::fields(&request.head.head, &[name]));
    let product =
        super::product(response).map_or(String::new(), |product| format!("; the answer names {product}"));
    let help = help(request, response, &clues);
    found.push(
        super::refused(&RULE, request, response, format!("upgrade answered with {status}"))
            .confidence(confidence)
            .blame(blame)
            .shows_all(request.seen, named)
            .shows_all(request.seen, clues.origin.into_iter().collect())
            .message(format!("the upgrade was answered with {}: {why}{product}", quote::status(response)))
            .help(help),
    );
}

/// What the body of a 400 shows of its reason.
#[derive(Default)]
struct Clues {
    /// The field that it speaks of.
    field: Option<&'static (&'static str, Blame, &'static str)>,
    /// It knows no such session of engine.io.
    lost_session: bool,
    /// It speaks of the origin, which the request names in this line.
    origin: Option<String>,
    /// It misses a subprotocol, and the request offers none.
    demands_subprotocol: bool,
}

impl Clues {
    fn of(request: &Request, response: &Response) -> Clues {
        let body = String::from_utf8_lossy(&response.body);
        let lower = body.to_ascii_lowercase();
        let speaks_of = |name: &str| {
            body.contains(&format!("{name} header")) || body.contains(&format!("{name}' header"))
        };
        let offers = !request.subprotocols.list.is_empty();
        let subprotocol = offers && lower.contains("subprotocol");
        let field = FIELDS.iter().find(|(name, ..)| speaks_of(name) || (subprotocol && *name == SUBPROTOCOL));
        // CDNs call the server behind them an origin, too.
        let origin = quote::field(&request.head.head, "Origin")
            .filter(|_| lower.replace("origin server", "").contains("origin"));
        let demands_subprotocol = !offers && lower.contains("missing subprotocol");
        Clues { field, lost_session: body.contains("Session ID unknown"), origin, demands_subprotocol }
    }
}

/// Who has to mend it, how sure that is, and why.
fn reason(request: &Request, status: u16, clues: &Clues) -> (Blame, Confidence, &'static str) {
    let asks = super::asks(request);
    match status {
        400 if asks && clues.demands_subprotocol => (
            Blame::Client,
            Confidence::Likely,
            "the body says that a subprotocol is missing, and the request offers none",
        ),
        400 if asks && let Some((_, blame, why)) = clues.field => (*blame, Confidence::Likely, why),
        505 if asks => (
            Blame::Gateway,
            Confidence::Possible,
            "the request here is HTTP/1.1, so a hop behind this point most probably issued it anew as HTTP/1.0",
        ),
        400 if clues.lost_session => (
            Blame::Unknown,
            Confidence::Likely,
            "the body says that this server of engine.io (Socket.IO) does not know the session: another server holds it, or it is over, as after a restart",
        ),
        400 if clues.origin.is_some() => (
            Blame::Server,
            Confidence::Likely,
            "the body speaks of the origin, so the origin policy is the first suspect",
        ),
        400 if asks => (
            Blame::Unknown,
            Confidence::Possible,
            "the request is in order at this point, so a field was lost further on, or the application refused it",
        ),
        400 | 405 | 413 | 414 | 421 | 431 => {
            (Blame::Client, Confidence::Possible, "the answer speaks of the request")
        }
        408 | 429 => (
            Blame::Unknown,
            Confidence::Possible,
            "the answer speaks of time or rate, which both sides can mend",
        ),
        404 | 410 => (Blame::Server, Confidence::Likely, "there is no WebSocket at this path of the server"),
        _ => (Blame::Server, Confidence::Likely, "the server's side failed or refused"),
    }
}

/// What to do first.
fn help(request: &Request, response: &Response, clues: &Clues) -> String {
    let status = response.head.status;
    let field = clues.field.map(|(name, ..)| *name);
    let text = match codes::explain(status) {
        _ if field == Some(EXTENSIONS) => {
            "offer the extension without parameters, or let the server's limits be no narrower than the offer: the body says what it refuses"
        }
        _ if clues.demands_subprotocol || field == Some(SUBPROTOCOL) => {
            "offer one of the subprotocols that the server is set to, or let the server demand none"
        }
        _ if clues.lost_session => {
            "let the load balancer send all requests of a session to the same server (sticky sessions), or use WebSocket as the only transport"
        }
        _ if clues.origin.is_some() => {
            "allow this origin on the server, and let proxies forward the original Host"
        }
        // How ws on Node refuses any path but its own.
        _ if status == 400 && *response.body == *b"Bad Request" => {
            "compare the path with the path option of ws, which refuses all others so, then the fields of the request on both sides of every gateway"
        }
        _ if matches!(status, 404 | 410) && names_something(&request.head.target) => {
            "see whether what the id in the path names still exists on this server, for it may be gone after a restart or be on another one behind a load balancer; then compare the path with the routes of the server"
        }
        Some(code) => return sentence(code.english.fix),
        None => "read the log of whoever answered, at this second",
    };
    String::from(text)
}

/// Fields that the body of a refusal names, whom it concerns where the request was in order, and what it says.
const FIELDS: [(&str, Blame, &str); 4] = [
    (EXTENSIONS, Blame::Client, "the body says that the server cannot accept the offer of extensions"),
    (SUBPROTOCOL, Blame::Client, "the body says that the server cannot accept the subprotocols"),
    (
        "Upgrade",
        Blame::Gateway,
        "the body misses Upgrade, which the request has at this point, so a hop behind it dropped the field",
    ),
    (
        "Connection",
        Blame::Gateway,
        "the body misses Connection, which the request has at this point, so a hop behind it changed the field",
    ),
];

const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";

/// Whether the path holds a UUID, as that of a kernel of Jupyter does: what it names comes and goes, while routes stay.
fn names_something(target: &str) -> bool {
    let is_uuid = |part: &str| {
        let groups = part.split('-').map(|group| group.len());
        groups.eq([8, 4, 4, 4, 12]) && part.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
    };
    target.split('?').next().is_some_and(|path| path.split('/').any(is_uuid))
}

/// The first sentence of a text, as a message: lower case, no final stop.
fn sentence(text: &str) -> String {
    let first = text.split(". ").next().unwrap_or(text).trim_end_matches('.');
    let mut chars = first.chars();
    match chars.next() {
        Some(initial) => initial.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::Connection;
    use crate::rules::testing::{KEY, REQUEST, Scene, both};
    use crate::rules::{Blame, Confidence};

    #[test]
    fn a_400_that_speaks_of_the_subprotocol_is_about_the_offer() {
        let refused = |offer: &str| {
            let body = "Received invalid WebSocket request: Unsupported WebSocket subprotocol";
            let request = format!("{REQUEST}{offer}");
            Scene::tcp().request(&request).answer("HTTP/1.1 400 Bad Request\r\n", body).finds(RULE.name)
        };
        let finding = refused("Sec-WebSocket-Protocol: other\r\n");
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Likely));
        assert!(finding.help.starts_with("offer one of the subprotocols"), "{}", finding.help);
        assert_eq!(refused("").blame, Blame::Unknown);
    }

    #[test]
    fn a_404_of_a_path_with_an_id_asks_whether_that_is_still_there() {
        let help = |target: &str| {
            let request = REQUEST.replace("/chat?token=s3cret", target);
            Scene::tcp().request(&request).answer("HTTP/1.1 404 Not Found\r\n", "").finds(RULE.name).help
        };
        assert!(
            help("/api/kernels/0b5d1c9e-6a1f-4f0e-9c1a-5d2a7c9f1b22/channels")
                .starts_with("see whether what the id")
        );
        for plain in ["/api/kernels/channels", "/chat?id=0b5d1c9e-6a1f-4f0e-9c1a-5d2a7c9f1b22", "/a-b-c-d-e"]
        {
            assert!(help(plain).starts_with("compare the path"), "{plain}");
        }
    }

    #[test]
    fn a_400_that_speaks_of_the_origin_is_the_policy_of_the_server() {
        let refused = |body: &str| {
            let request = format!("{REQUEST}Origin: https://evil.example\r\n");
            Scene::tcp().request(&request).answer("HTTP/1.1 400 Bad Request\r\n", body).finds(RULE.name)
        };
        let finding = refused("Invalid Origin");
        assert_eq!((finding.blame, finding.confidence), (Blame::Server, Confidence::Likely));
        assert!(finding.evidence.iter().any(|line| line.text == "Origin: https://evil.example"));
        assert_eq!(refused("the origin server is away").blame, Blame::Unknown);
    }

    #[test]
    fn a_500_is_the_servers_and_its_words_are_quoted() {
        let finding = Scene::answered("HTTP/1.1 500 Internal Server Error\r\n", "Internal\r\nServer Error")
            .finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Server, Confidence::Likely));
        assert!(
            finding.evidence.iter().any(|evidence| evidence.text == "body begins \"Internal Server Error\"")
        );
        assert!(finding.evidence[0].text.contains("GET /chat?token=… HTTP/1.1"));
    }

    #[test]
    fn a_400_to_a_request_behind_a_proxy_header_is_told_with_it() {
        let refused = || Scene::answered("HTTP/1.1 400 Bad Request\r\n", "");
        let proxied = |c: &mut Connection| c.proxied = Some(Box::new((c.tcp.client, c.tcp.server)));
        let finding = both(refused(), refused().with(proxied)).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Gateway, Confidence::Likely));
        assert!(finding.message.contains("PROXY protocol header"), "{}", finding.message);
        assert!(finding.help.starts_with("let both sides agree"), "{}", finding.help);
        assert_eq!(both(refused(), refused()).finds(RULE.name).blame, Blame::Upstream);
    }

    #[test]
    fn a_505_to_http_1_1_betrays_a_proxy() {
        let finding = Scene::answered("HTTP/1.1 505 HTTP Version Not Supported\r\n", "").finds(RULE.name);
        assert_eq!(finding.blame, Blame::Gateway);
    }

    #[test]
    fn a_400_to_a_broken_request_hangs_under_it() {
        let request = REQUEST.replace(KEY, "short");
        let findings = Scene::tcp().request(&request).answer("HTTP/1.1 400 Bad Request\r\n", "").findings();
        assert_eq!((findings.len(), findings[0].rule.name), (1, "request-key-invalid"));
        assert_eq!(
            Scene::answered("HTTP/1.1 400 Bad Request\r\n", "").finds(RULE.name).blame,
            Blame::Unknown
        );
    }

    #[test]
    fn a_400_that_names_a_field_is_about_that_field() {
        let said = |body: &str| Scene::answered("HTTP/1.1 400 Bad Request\r\n", body).finds(RULE.name);
        let extensions = said("Invalid or unacceptable Sec-WebSocket-Extensions header");
        assert_eq!((extensions.blame, extensions.confidence), (Blame::Client, Confidence::Likely));
        assert!(extensions.help.starts_with("offer the extension"), "{}", extensions.help);
        assert_eq!(said("Invalid Upgrade header").blame, Blame::Gateway);
        let path = said("Bad Request");
        assert_eq!(path.blame, Blame::Unknown);
        assert!(path.help.contains("path option of ws"), "{}", path.help);
    }

    #[test]
    fn a_session_that_engine_io_does_not_know_points_to_the_load_balancer() {
        let finding = Scene::answered("HTTP/1.1 400 Bad Request\r\n", "Session ID unknown").finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Unknown, Confidence::Likely));
        assert!(finding.help.contains("sticky sessions"), "{}", finding.help);
    }

    #[test]
    fn statuses_of_other_rules_are_silent() {
        for status in ["200 OK", "302 Found", "403 Forbidden", "426 Upgrade Required", "502 Bad Gateway"] {
            Scene::answered(&format!("HTTP/1.1 {status}\r\n"), "").silent(RULE.name);
        }
        Scene::session("", "").silent(RULE.name);
    }

    #[test]
    fn a_subprotocol_that_the_server_demands_is_missed_in_the_request() {
        let refused = |offer: &str| {
            let body = "Failed to open a WebSocket connection: missing subprotocol.";
            let scene = Scene::tcp().request(&format!("{REQUEST}{offer}"));
            scene.answer("HTTP/1.1 400 Bad Request\r\n", body).finds(RULE.name)
        };
        let finding = refused("");
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Likely));
        assert!(finding.help.starts_with("offer one of the subprotocols"), "{}", finding.help);
        assert!(!refused("Sec-WebSocket-Protocol: other\r\n").message.contains("offers none"));
    }
}
