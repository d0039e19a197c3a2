//! The opening handshake.

pub(super) mod client_aborts_after_101;
pub(super) mod extended_connect_refused_or_reset;
pub(super) mod extended_connect_unavailable;
pub(super) mod handshake_slow;
pub(super) mod handshake_unanswered;
pub(super) mod list_element_empty;
pub(super) mod request_body_or_early_data;
pub(super) mod request_connection_upgrade_missing;
pub(super) mod request_key_invalid;
pub(super) mod request_key_reused;
pub(super) mod request_line_invalid;
pub(super) mod request_singleton_duplicated;
pub(super) mod request_upgrade_missing;
pub(super) mod request_version_unsupported;
pub(super) mod response_101_malformed;
pub(super) mod response_200_upgrade_ignored;
pub(super) mod response_426_upgrade_lost;
pub(super) mod response_accept_invalid;
pub(super) mod response_forbidden;
pub(super) mod response_not_101;
pub(super) mod response_not_http;
pub(super) mod response_redirect;
pub(super) mod response_upgrade_headers_invalid;

use super::{Finding, Rule, gateway, quote, trust};
use crate::connection::{Connection, Request, Response};
use crate::gateway::{Proof, identify, relay};
use crate::http::Head;

/// Fields that proxies add to requests.
const FORWARDED: [&str; 6] = [
    "Via",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Envoy-Expected-Rq-Timeout-Ms",
    "X-Real-IP",
];

/// Those of them that a request has, as written.
pub(super) fn forwarded(request: &Request) -> Vec<String> {
    quote::fields(&request.head.head, &FORWARDED)
}

/// Whether a proxy added its fields to the request.
pub(super) fn is_forwarded(request: &Request) -> bool {
    FORWARDED.iter().any(|name| request.head.head.field(*name).is_some())
}

/// Whether the request is the health check of a load balancer, which may imitate a handshake.
fn is_probe(request: &Request) -> bool {
    let agent = request.head.head.text("User-Agent").unwrap_or_default();
    PROBES.iter().any(|probe| agent.starts_with(probe))
}

/// How health checks call themselves: AWS load balancers and Route 53, Google Cloud, Kubernetes, Consul, Traffic Manager.
const PROBES: [&str; 7] = [
    "ELB-HealthChecker/",
    "Amazon-Route53-Health-Check-Service",
    "GoogleHC/",
    "kube-probe/",
    "Consul Health Check",
    "Azure Traffic Manager Endpoint Monitor",
    "Load Balancer Agent",
];

/// Whether the request asks for WebSocket as RFC 6455 §4.1 wants it, as far as proxies matter.
pub(super) fn asks(request: &Request) -> bool {
    let head = &request.head.head;
    request.head.method == "GET"
        && request.head.version.is_some_and(|version| version >= (1, 1))
        && head.names_websocket()
        && head.names_upgrade()
        && request.key.is_some()
}

/// Request and final answer where the server did not switch protocols and no gateway spoke for it.
fn refusal(connection: &Connection) -> Option<(&Request, &Response)> {
    let (request, response) = (connection.request.as_ref()?, connection.response.as_ref()?);
    let refused = response.head.status != 101 && !trust::switched(connection) && !gateway::spoke(response);
    refused.then_some((request, response))
}

/// A finding about a refusal, with request line, status, and the fields and first words that tell who refused.
fn refused(rule: &'static Rule, request: &Request, response: &Response, title: String) -> Finding {
    let head = &response.head.head;
    let mut finding = Finding::new(rule, response.seen, title)
        .origin(crate::role::Role::Server)
        .shows(request.seen, quote::request_line(request))
        .shows(response.seen, quote::status(response))
        .shows_all(response.seen, quote::fields(head, &TELLING));
    if let Some(sign) = relay(&response.head, &response.body) {
        let (product, found) = (sign.signature.product, quote::short(&sign.found));
        let text = match sign.signature.proof {
            Proof::OwnAnswer => format!("{product} makes such answers itself: {found}"),
            _ => format!("came through {product}: {found}"),
        };
        finding = finding.origin(crate::rules::Origin::Gateway).shows(response.seen, text);
    }
    let encoding = head.text("Content-Encoding").filter(|coding| !coding.eq_ignore_ascii_case("identity"));
    match (first_words(&response.body), encoding) {
        (Some(_), Some(coding)) => {
            finding.shows(response.seen, format!("body is compressed ({})", quote::short(&coding)))
        }
        (Some(words), None) => finding.shows(response.seen, format!("body begins {words}")),
        (None, _) => finding,
    }
}

/// Whether the answer is a page that a gateway makes itself.
fn gateway_page(response: &Response) -> bool {
    let signs = identify(&response.head, &response.body);
    signs.iter().any(|sign| sign.signature.proof == Proof::OwnAnswer)
}

/// Fields of an answer that tell who refused, and why.
const TELLING: [&str; 12] = [
    "Server",
    "Location",
    "Retry-After",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "Upgrade",
    "Sec-WebSocket-Version",
    "Content-Type",
    "Age",
    "X-Cache",
    "CF-Cache-Status",
    "cf-mitigated",
];

/// The text a body begins with, on one line.
fn first_words(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body.get(..body.len().min(200))?).into_owned();
    let words: Vec<&str> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| quote::quoted(&words.join(" ")))
}

/// How the product is called that an answer names, if it names one.
fn product(response: &Response) -> Option<&'static str> {
    identify(&response.head, &response.body).first().map(|found| found.signature.product)
}

/// Whether a field says that a cache answered.
fn cached(head: &Head) -> bool {
    let says = |name: &str, words: &[&str]| {
        head.text(name)
            .is_some_and(|value| words.iter().any(|word| value.to_ascii_uppercase().contains(word)))
    };
    head.field("Age").is_some()
        || says("X-Cache", &["HIT"])
        || says("CF-Cache-Status", &["HIT", "MISS", "EXPIRED"])
}
