//! Which product answered: fields and phrases by which gateways are known.
//!
//! Absence of every sign is normal: nginx and HAProxy add nothing to a 101 that they pass on, but nginx puts its own
//! `Server` there. A sign that was only reported and not read in a product's source is marked so and never makes a
//! finding certain.

use crate::http::{FieldName, ResponseHead};
use Proof::{Named, OwnAnswer, Passed};
use Sign::{Body, Whole, WholeOfGo};
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// A sign of one product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signature {
    /// The product, as its makers write it.
    pub product: &'static str,
    /// What to look for.
    pub sign: Sign,
    /// What it shows.
    pub proof: Proof,
    /// Where that was read or seen.
    pub source: &'static str,
    /// Read in the product's source or its documentation; otherwise general knowledge.
    pub confirmed: bool,
}

/// Where a sign stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sign {
    /// A field of that name whose value contains the text, both without regard to case. Empty: any value.
    Field(FieldName<'static>, &'static str),
    /// The first bytes of the body contain the text.
    Body(&'static str),
    /// The body is the text and no more.
    Whole(&'static str),
    /// The same, under the three fields that Go adds by itself: many programs say no more than the name of a status.
    WholeOfGo(&'static str),
}

/// What a sign shows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Proof {
    /// The answer names the product, which may be the origin server itself.
    Named,
    /// The answer went through the product, whoever made it.
    Passed,
    /// The product made the answer itself, because of what stands behind it.
    OwnAnswer,
}

/// A sign that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Match {
    /// Which one.
    pub signature: &'static Signature,
    /// What was there: `Server: nginx/1.22.1`, or the phrase of the body in quotation marks.
    pub found: String,
}

/// Every sign in an answer, the strongest first.
pub fn identify(response: &ResponseHead, body: &[u8]) -> Vec<Match> {
    let mut found: Vec<Match> = SIGNATURES
        .iter()
        .zip(&*PHRASES)
        .filter_map(|(signature, phrase)| match signature.sign {
            Sign::Field(name, text) => {
                let mut values = response.head.values(name);
                let value = values.find(|value| contains_in_any_case(value, text.as_bytes()))?;
                Some(Match {
                    signature,
                    found: format!("{}: {}", name.text(), String::from_utf8_lossy(value)),
                })
            }
            Body(text) => phrase
                .as_ref()
                .is_some_and(|phrase| phrase.find(body).is_some())
                .then(|| Match { signature, found: format!("\"{}\" in the body", text.trim()) }),
            Whole(text) | WholeOfGo(text) => (body == text.as_bytes()
                && (matches!(signature.sign, Whole(_)) || is_of_go(response)))
            .then(|| Match { signature, found: format!("the body is \"{}\"", text.trim()) }),
        })
        .collect();
    found.sort_by_key(|found| (std::cmp::Reverse(found.signature.proof), !found.signature.confirmed));
    found
}

/// The sign that an answer came through a gateway, if it has one.
///
/// nginx speaks no WebSocket of its own, so a 101 that names it was passed on by it.
pub fn relay(response: &ResponseHead, body: &[u8]) -> Option<Match> {
    identify(response, body).into_iter().find(|found| {
        found.signature.proof >= Passed || (response.status == 101 && found.signature.product == "nginx")
    })
}

/// What finds the phrase of each signature in a body: made once, for that takes longer than to search most bodies.
static PHRASES: LazyLock<Vec<Option<Finder<'static>>>> = LazyLock::new(|| {
    let phrase = |signature: &Signature| match signature.sign {
        Body(text) => Some(Finder::new(text)),
        Sign::Field(..) | Whole(_) | WholeOfGo(_) => None,
    };
    SIGNATURES.iter().map(phrase).collect()
});

/// Whether the fields are those that a server in Go adds to a short text, and no others.
fn is_of_go(response: &ResponseHead) -> bool {
    let head = &response.head;
    let has = |name| head.field(name).is_some();
    head.fields().count() == 3
        && has("Date")
        && has("Content-Length")
        && head.field("Content-Type") == Some(b"text/plain; charset=utf-8")
}

fn contains_in_any_case(value: &[u8], text: &[u8]) -> bool {
    text.is_empty() || value.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text))
}

const fn sign(product: &'static str, sign: Sign, proof: Proof, source: &'static str) -> Signature {
    Signature { product, sign, proof, source, confirmed: true }
}

const fn field(name: &'static str, text: &'static str) -> Sign {
    Sign::Field(FieldName::new(name), text)
}

/// Known from others, and read in no source.
const fn reported(product: &'static str, sign: Sign, proof: Proof) -> Signature {
    Signature { product, sign, proof, source: "general knowledge", confirmed: false }
}

const NGINX: &str = "ngx_http_special_response.c; seen of 1.22.1";
const HAPROXY: &str = "src/http.c; seen of 2.6.12";
const ENVOY: &str = "Envoy's documentation and issues; seen of 1.40";
const HTTPD: &str = "http_protocol.c, mod_proxy.c; seen of 2.4.71";
const CADDY: &str = "reverseproxy.go; seen of 2.6.2";
const VARNISH: &str = "builtin.vcl; seen of 7.1.1";
const SQUID: &str = "http.cc, errorpage.cc; seen of 5.7";
const LIGHTTPD: &str = "lighttpd response.c; seen of 1.4.69";
const TRAFFIC_SERVER: &str = "seen of Traffic Server 9.2.9";
const NGHTTPX: &str = "seen of nghttpx 1.52.0";
const H2O: &str = "seen of H2O 2.2.5";
const WEBSOCKIFY: &str = "seen of websockify 0.13.0";
const PINGORA: &str = "seen of pingora 0.9.1";
const TINYPROXY: &str = "seen of tinyproxy 1.11.1";
const PRIVOXY: &str = "seen of Privoxy 3.0.34";
const TRAEFIK: &str = "traefik pkg/proxy; seen of its forwarder oxy 1.3.0";
const JUPYTERHUB: &str = "seen of configurable-http-proxy 5.3.0";
const CLOUDFLARE: &str = "Cloudflare's documentation";

/// The table. HAProxy and http-proxy on Node put nothing of their own into what they pass on, and the latter nothing
/// into what it refuses: it ends the connection.
static SIGNATURES: &[Signature] = &[
    sign("nginx", field("Server", "nginx"), Named, NGINX),
    sign("nginx", Body("<center><h1>502 Bad Gateway</h1></center>"), OwnAnswer, NGINX),
    sign("nginx", Body("<center><h1>504 Gateway Time-out</h1></center>"), OwnAnswer, NGINX),
    // What the upstream answers is passed on with its own page, so this foot is under none but nginx's own.
    sign("nginx", Body("<hr><center>nginx"), OwnAnswer, NGINX),
    reported("OpenResty", field("Server", "openresty"), Named),
    reported("OpenResty", Body("<hr><center>openresty"), OwnAnswer),
    sign("HAProxy", Body("Request forbidden by administrative rules."), OwnAnswer, HAPROXY),
    sign("HAProxy", Body("The server returned an invalid or incomplete response."), OwnAnswer, HAPROXY),
    sign("HAProxy", Body("No server is available to handle this request."), OwnAnswer, HAPROXY),
    sign("HAProxy", Body("The server didn't respond in time."), OwnAnswer, HAPROXY),
    sign("HAProxy", Body("An internal server error occurred."), OwnAnswer, HAPROXY),
    sign("HAProxy", Body("You have sent too many requests in a given amount of time."), OwnAnswer, HAPROXY),
    sign("HAProxy", Body("You need a valid user and password to access this content."), OwnAnswer, HAPROXY),
    sign("HAProxy", Body("Your browser sent an invalid request."), OwnAnswer, HAPROXY),
    sign("Envoy", field("Server", "envoy"), Passed, ENVOY),
    sign("Envoy", field("x-envoy-upstream-service-time", ""), Passed, ENVOY),
    sign("Envoy", Body("no healthy upstream"), OwnAnswer, ENVOY),
    sign("Envoy", Body("upstream connect error or disconnect/reset before headers"), OwnAnswer, ENVOY),
    sign("Envoy", Body("upstream request timeout"), OwnAnswer, ENVOY),
    sign("Apache httpd", field("Server", "apache"), Named, HTTPD),
    sign("Apache httpd", Body("The proxy server received an invalid"), OwnAnswer, HTTPD),
    sign("Apache httpd", Body("The gateway did not receive a timely response"), OwnAnswer, HTTPD),
    reported("Apache httpd", Body("The server is temporarily unable to service your"), OwnAnswer),
    sign("Caddy", field("Via", "caddy"), Passed, CADDY),
    sign("Caddy", field("Server", "caddy"), Named, CADDY),
    sign("Traefik", WholeOfGo("Bad Gateway"), OwnAnswer, TRAEFIK),
    sign("Traefik", WholeOfGo("Gateway Timeout"), OwnAnswer, TRAEFIK),
    sign("Varnish", field("Via", "varnish"), Passed, VARNISH),
    sign("Varnish", field("X-Varnish", ""), Passed, VARNISH),
    sign("Varnish", Body("Backend fetch failed"), OwnAnswer, VARNISH),
    sign("Varnish", Body("Guru Meditation"), OwnAnswer, VARNISH),
    sign("Squid", field("X-Squid-Error", ""), OwnAnswer, SQUID),
    sign("Squid", field("X-Transformed-From", "HTTP/0.9"), OwnAnswer, SQUID),
    sign("Squid", field("Via", "squid"), Passed, SQUID),
    sign("lighttpd", field("Server", "lighttpd"), Named, LIGHTTPD),
    // What the upstream answers is passed on with its own page.
    sign(
        "lighttpd",
        Body(
            "DTD/xhtml1-transitional.dtd\">\n<html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"en\" lang=\"en\">\n <head>\n  <title>",
        ),
        OwnAnswer,
        LIGHTTPD,
    ),
    sign("Traffic Server", field("Via", "ApacheTrafficServer"), Passed, TRAFFIC_SERVER),
    sign("Traffic Server", field("Server", "ATS/"), Passed, TRAFFIC_SERVER),
    sign(
        "Traffic Server",
        Body("<FONT FACE=\"Helvetica,Arial\"><B>\nDescription: "),
        OwnAnswer,
        TRAFFIC_SERVER,
    ),
    sign("nghttpx", field("Via", "nghttpx"), Passed, NGHTTPX),
    sign("nghttpx", field("Server", "nghttpx"), Named, NGHTTPX),
    sign("nghttpx", Body("<footer>nghttpx"), OwnAnswer, NGHTTPX),
    sign("H2O", field("Server", "h2o/"), Named, H2O),
    sign("H2O", Whole("I/O error (head)"), OwnAnswer, H2O),
    sign("H2O", Whole("I/O timeout"), OwnAnswer, H2O),
    sign("H2O", Whole("failed to parse the response"), OwnAnswer, H2O),
    // What an upstream answered is passed on with its own Server, or none.
    sign("Pingora", field("Server", "pingora"), OwnAnswer, PINGORA),
    sign("tinyproxy", Body("Generated by tinyproxy"), OwnAnswer, TINYPROXY),
    sign("tinyproxy", field("Server", "tinyproxy/"), Named, TINYPROXY),
    sign("tinyproxy", field("Via", "(tinyproxy/"), Passed, TINYPROXY),
    sign("Privoxy", Body(" (Privoxy@"), OwnAnswer, PRIVOXY),
    sign(
        "Privoxy",
        Whole("Bad response. The server or forwarder response doesn't look like HTTP.\n"),
        OwnAnswer,
        PRIVOXY,
    ),
    // The proxy of JupyterHub.
    sign("configurable-http-proxy", Body("<p>configurable-http-proxy</p>"), OwnAnswer, JUPYTERHUB),
    // A gateway to TCP, such as VNC's: the handshake is its own.
    sign("websockify", field("Server", "WebSockify"), Named, WEBSOCKIFY),
    reported("AWS Application Load Balancer", field("Server", "awselb"), OwnAnswer),
    reported("Amazon API Gateway", field("x-amz-apigw-id", ""), Passed),
    reported("Amazon API Gateway", field("x-amzn-ErrorType", ""), OwnAnswer),
    reported("Amazon CloudFront", field("X-Cache", "Error from cloudfront"), OwnAnswer),
    reported("Amazon CloudFront", field("Via", "cloudfront"), Passed),
    reported("Amazon CloudFront", field("X-Amz-Cf-Id", ""), Passed),
    sign("Cloudflare", field("CF-RAY", ""), Passed, CLOUDFLARE),
    sign("Cloudflare", field("Server", "cloudflare"), Passed, CLOUDFLARE),
    reported("Azure Front Door", field("X-Azure-Ref", ""), Passed),
    reported("Azure Application Gateway", field("Server", "Microsoft-Azure-Application-Gateway"), Passed),
    reported("Google Cloud load balancer", field("Via", "1.1 google"), Passed),
    reported(
        "Google Cloud load balancer",
        Body("The server encountered a temporary error and could not complete your request."),
        OwnAnswer,
    ),
    sign(
        "Kong",
        Body("An invalid response was received from the upstream server"),
        OwnAnswer,
        "kong error_handlers.lua",
    ),
    reported("Kong", field("X-Kong-Upstream-Latency", ""), Passed),
    reported("Kong", field("Via", "kong/"), Passed),
    reported("Kong", field("Server", "kong/"), Named),
    reported("Heroku", field("Via", "vegur"), Passed),
    reported("Heroku", field("Via", "heroku-router"), Passed),
    reported("Heroku", Body("<title>Application Error</title>"), OwnAnswer),
    reported("Fly.io", field("Fly-Request-Id", ""), Passed),
    reported("Fastly", field("X-Served-By", "cache-"), Passed),
    sign("ngrok", field("ngrok-error-code", ""), OwnAnswer, "ngrok's documentation of errors"),
    sign("HTTP.sys of Windows", field("Server", "Microsoft-HTTPAPI"), Named, "issues of Service Fabric"),
    reported("IIS", field("Server", "Microsoft-IIS"), Named),
    reported("IIS with Application Request Routing", field("X-Powered-By", "ARR/"), Passed),
    reported("a proxy", field("Via", ""), Passed),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::response_head;

    #[test]
    fn an_error_page_of_haproxy_is_its_own_answer() {
        let head = response_head("HTTP/1.1 503 Service Unavailable\r\n\r\n");
        let found = identify(
            &head,
            b"<h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n",
        );
        assert_eq!((found[0].signature.product, found[0].signature.proof), ("HAProxy", OwnAnswer));
    }

    #[test]
    fn a_named_product_comes_after_its_own_answer() {
        let head = response_head("HTTP/1.1 502 Bad Gateway\r\nServer: nginx/1.22.1\r\n\r\n");
        let found = identify(
            &head,
            b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.22.1</center>",
        );
        assert_eq!(found[0].signature.proof, OwnAnswer);
        assert!(found.iter().any(|found| found.found == "Server: nginx/1.22.1"));
    }

    #[test]
    fn a_plain_101_shows_no_gateway() {
        let head =
            response_head("HTTP/1.1 101 Switching Protocols\r\nServer: Python/3.11 websockets/17.4\r\n\r\n");
        assert_eq!(relay(&head, b""), None);
    }

    #[test]
    fn what_every_server_in_go_answers_names_no_product() {
        let head = response_head(
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n\r\n",
        );
        assert_eq!(identify(&head, b"404 page not found\n"), []);
    }

    #[test]
    fn websockify_made_its_101_itself() {
        let head = response_head("HTTP/1.1 101 X\r\nServer: WebSockify Python/3.11.7\r\n\r\n");
        assert_eq!(identify(&head, b"")[0].signature.product, "websockify");
        assert_eq!(relay(&head, b""), None);
    }

    #[test]
    fn a_101_that_names_nginx_was_passed_on() {
        let named = |status| {
            let head = response_head(&format!("HTTP/1.1 {status} X\r\nServer: nginx\r\n\r\n"));
            relay(&head, b"").is_some()
        };
        assert!(named(101));
        assert!(!named(404));
    }

    #[test]
    fn every_row_finds_its_own_sign_and_nothing_in_a_plain_answer() {
        let plain = response_head("HTTP/1.1 404 Not Found\r\nServer: example\r\n\r\n");
        for row in SIGNATURES {
            let (head, body) = match row.sign {
                Sign::Field(name, text) => {
                    let value = if text.is_empty() {
                        String::from("8f2")
                    } else {
                        format!("x {} y", text.to_uppercase())
                    };
                    (
                        response_head(&format!("HTTP/1.1 404 Not Found\r\n{}: {value}\r\n\r\n", name.text())),
                        String::new(),
                    )
                }
                Body(text) => (plain.clone(), format!("<p>{text}</p>")),
                Whole(text) => (plain.clone(), String::from(text)),
                WholeOfGo(text) => (response_head(GO), String::from(text)),
            };
            let found = identify(&head, body.as_bytes());
            assert!(found.iter().any(|found| found.signature == row), "{row:?} is not found in its own sign");
            assert!(identify(&plain, b"<p>not here</p>").is_empty());
        }
    }

    #[test]
    fn every_row_has_its_source_and_what_is_general_knowledge_is_not_confirmed() {
        for row in SIGNATURES {
            assert!(!row.source.is_empty(), "{row:?}");
            assert_eq!(row.confirmed, row.source != "general knowledge", "{row:?}");
        }
    }

    #[test]
    fn the_gateways_that_people_meet_are_known_by_a_sign() {
        for product in [
            "nginx",
            "HAProxy",
            "Envoy",
            "Apache httpd",
            "Caddy",
            "Traefik",
            "Varnish",
            "Squid",
            "AWS Application Load Balancer",
            "Amazon API Gateway",
            "Amazon CloudFront",
            "Cloudflare",
            "Azure Application Gateway",
            "Azure Front Door",
            "Google Cloud load balancer",
            "Kong",
            "Heroku",
            "Fly.io",
            "ngrok",
            "IIS with Application Request Routing",
        ] {
            assert!(SIGNATURES.iter().any(|row| row.product == product), "{product}");
        }
    }

    const GO: &str = "HTTP/1.1 502 Bad Gateway\r\nDate: Sat, 28 Nov 2026 13:22:54 GMT\r\nContent-Length: 11\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";

    #[test]
    fn a_page_that_only_contains_the_words_is_not_traefiks() {
        let products = |head: &str, body: &[u8]| -> Vec<&str> {
            let found = identify(&response_head(head), body);
            found.iter().map(|found| found.signature.product).collect()
        };
        assert_eq!(products(GO, b"Bad Gateway"), ["Traefik"]);
        assert_eq!(products(GO, b"<h1>Bad Gateway</h1>"), [""; 0]);
        // axum-reverse-proxy says so, and sendStatus of Express.
        let axum =
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 11\r\ndate: Sat, 28 Nov 2026 13:27:29 GMT\r\n\r\n";
        let express = GO.replace("Date:", "X-Powered-By: Express\r\nETag: W/\"b\"\r\nDate:");
        assert_eq!(products(axum, b"Bad Gateway"), [""; 0]);
        assert_eq!(products(&express, b"Bad Gateway"), [""; 0]);
    }

    #[test]
    fn any_via_shows_a_proxy() {
        let head = response_head("HTTP/1.1 101 Switching Protocols\r\nVia: 1.1 edge-7\r\n\r\n");
        assert_eq!(relay(&head, b"").unwrap().found, "Via: 1.1 edge-7");
    }
}
