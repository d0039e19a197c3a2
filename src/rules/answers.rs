//! What the answer of a gateway says of what stands behind it, in the words of the product that made it.

use super::Blame;
use crate::connection::Response;
use memchr::memmem;

/// What an answer says, and what there is to do.
#[derive(Clone, Copy)]
pub(super) struct Explanation {
    /// What it says.
    pub(super) meaning: &'static str,
    /// What to do first.
    pub(super) help: &'static str,
    /// Who has to mend it, where that is another than the one behind the gateway, or less sure.
    pub(super) blame: Option<Blame>,
}

/// Of a product's own page, where the product means something else by the status than others do, or says more.
pub(super) fn own(product: &str, response: &Response) -> Option<Explanation> {
    let gateways = |meaning, help| Some(Explanation { meaning, help, blame: Some(Blame::Gateway) });
    match (product, response.head.status) {
        ("nginx" | "OpenResty", 503) => gateways(
            "nginx itself says so where a limit is reached (limit_conn, limit_req), where it is told to (return 503), or, as ingress of Kubernetes, where a service has no ready endpoint; an upstream that is down would be a 502",
            "look for \"limiting\" in nginx's error log, for limit_conn, limit_req and return 503 in its configuration, and for the endpoints of the service",
        ),
        ("nginx" | "OpenResty", 404) => gateways(
            "it looked for a file and asked no upstream, so no location passes this path on",
            "give this path a location with proxy_pass in nginx, and compare the path that the client asks for",
        ),
        ("nginx" | "OpenResty", 500) => gateways(
            "it failed before it asked an upstream for the upgrade",
            "read nginx's error log at this second: an auth_request whose service failed, a rewrite cycle, a limit of the system",
        ),
        ("HAProxy", 503) => Some(Explanation {
            meaning: "HAProxy gives this page where no server of the backend was up, took the connection, or was free in time, where no backend fits, and where a rule denies with 503",
            help: "look at the termination state in HAProxy's log at this second: SC is a server that is down or refuses, sQ a full queue, PR a rule of its own (deny_status 503)",
            blame: Some(Blame::Upstream),
        }),
        ("Envoy", _) => envoy(&response.body),
        ("lighttpd", 500) => Some(Explanation {
            meaning: "lighttpd gives this page where its upstream took the connection and ended it before it had answered",
            help: "read the upstream's log at this second for why it ended the connection, and the error log of lighttpd",
            blame: Some(Blame::Upstream),
        }),
        ("lighttpd", 503) => Some(Explanation {
            meaning: "lighttpd gives this page where no upstream took the connection",
            help: "start the upstream, or correct host and port of proxy.server; lighttpd's error log says \"all handlers are down\" while it leaves one alone",
            blame: Some(Blame::Upstream),
        }),
        ("lighttpd", 404) => gateways(
            "it looked for a file and asked no upstream, so no proxy.server fits this path",
            "give this path a proxy.server in lighttpd, and compare the path that the client asks for",
        ),
        ("Traffic Server", 404) => gateways(
            "no rule of remap.config fits this host and path, so it asked no upstream",
            "add a map for this host and path to remap.config, and compare the Host that the client sends",
        ),
        ("H2O", 502) => h2o(&response.body),
        ("tinyproxy", 500) => Some(Explanation {
            meaning: "tinyproxy gives this page where it gets no connection to what it was asked for, or none within its Timeout",
            help: "start the upstream, or correct its address in the request or at ReversePath; tinyproxy's log has the reason",
            blame: Some(Blame::Upstream),
        }),
        _ => None,
    }
}

/// Of any gateway's, by the status alone.
pub(super) fn by_status(status: u16) -> Explanation {
    Explanation { meaning: meaning(status), help: help(status), blame: None }
}

/// Of a 503 that nobody has signed.
pub(super) const NOT_READY: Explanation = Explanation {
    meaning: "the status says that nobody was ready to serve the request",
    help: help(503),
    blame: None,
};

/// Of a 502 that took as long as a timeout.
pub(super) const WAITED: Explanation = Explanation {
    meaning: "its upstream refused, reset, sent no valid HTTP answer, or, as it took so long, none in time",
    help: "check that the upstream listens on the port and scheme (ws or wss) that the gateway uses and answers in time, and read the gateway's error log at this second",
    blame: None,
};

/// Of an answer that the gateway shows to be its upstream's.
pub(super) const UPSTREAMS: Explanation = Explanation {
    meaning: "the answer is its own, as x-envoy-upstream-service-time shows, which Envoy adds to what an upstream answered",
    help: "read the log of the application behind Envoy, or of the gateway that follows, at this second",
    blame: Some(Blame::Upstream),
};

/// Of a timeout that cannot have passed.
pub(super) const TOO_SOON: Explanation = Explanation {
    meaning: "no timeout passes so soon, so nobody waited for an upstream: an application, a gateway that holds its upstream for dead, or an injected fault decided it",
    help: "look for what answers at once with this status: in the application's routes, and in rules, circuit breakers and injected faults of the gateway",
    blame: Some(Blame::Gateway),
};

/// H2O writes into its answer how far it got.
fn h2o(body: &[u8]) -> Option<Explanation> {
    let upstreams = |meaning, help| Some(Explanation { meaning, help, blame: None });
    match body {
        b"I/O timeout" => upstreams(
            "its upstream did not answer within proxy.timeout.io",
            "find out why the upstream did not answer: a blocked program, or no upgrade handler for this path; then compare proxy.timeout.io",
        ),
        b"I/O error (head)" => upstreams(
            "its upstream ended the connection before it had answered",
            "read the upstream's log at this second for why it ended the connection",
        ),
        b"failed to parse the response" => upstreams(
            "its upstream answered something that is no HTTP/1.1",
            "check what listens at that port: another protocol, or TLS where none is expected",
        ),
        _ => None,
    }
}

/// Envoy writes into its answer why it reset the request upstream.
fn envoy(body: &[u8]) -> Option<Explanation> {
    let says = |text: &str| memmem::find(body, text.as_bytes()).is_some();
    ENVOY.iter().find(|(text, _)| says(text)).map(|(_, explanation)| *explanation)
}

/// Texts of Envoy, the longer before those that they contain: router.cc and codec_client.cc, seen of 1.40.
static ENVOY: &[(&str, Explanation)] = &[
    (
        "reset reason: remote connection failure",
        Explanation {
            meaning: "its upstream refused or reset the TCP connection, or the TLS handshake on it failed",
            help: "check that the upstream listens on the address and port of the cluster, and that both agree on TLS (transport_socket of the cluster)",
            blame: None,
        },
    ),
    (
        "reset reason: local connection failure",
        Explanation {
            meaning: "Envoy itself could not begin the connection to its upstream",
            help: "read Envoy's log at this second: no route to the address, no free port, or a bind address that is wrong",
            blame: Some(Blame::Gateway),
        },
    ),
    (
        "reset reason: connection timeout",
        Explanation {
            meaning: "the connection to its upstream was not ready within connect_timeout of the cluster",
            help: "check the address and the path to the upstream for a firewall or a host that is down, then connect_timeout of the cluster",
            blame: None,
        },
    ),
    (
        "reset reason: connection termination",
        Explanation {
            meaning: "its upstream took the connection and ended it before it answered",
            help: "read the upstream's log at this second for why it ended the connection; if only requests after a pause fail so, the upstream closes idle connections sooner than Envoy does (idle_timeout of the cluster)",
            blame: None,
        },
    ),
    (
        "reset reason: overflow",
        Explanation {
            meaning: "a circuit breaker of the cluster is at its limit, so Envoy asked no upstream",
            help: "compare the open sessions with max_connections, max_pending_requests and max_requests in circuit_breakers of the cluster: every WebSocket holds one for its whole life",
            blame: Some(Blame::Gateway),
        },
    ),
    (
        "reset reason: protocol error",
        Explanation {
            meaning: "its upstream answered something that is not valid in the HTTP version that Envoy speaks to it",
            help: "check what listens at that port and which HTTP version it speaks: another protocol, TLS where none is expected, or HTTP/2 for HTTP/1.1",
            blame: None,
        },
    ),
    (
        "reset reason: remote re",
        Explanation {
            meaning: "its upstream reset the HTTP/2 stream before it answered",
            help: "check that the upstream allows extended CONNECT on HTTP/2, or let the cluster speak HTTP/1.1 to it; then read its log at this second",
            blame: None,
        },
    ),
    (
        "upstream request timeout",
        Explanation {
            meaning: "its upstream did not answer within the timeout of the route (15 s unless it is set)",
            help: "find out why the upstream did not answer: a blocked program, or no upgrade handler for this path; then compare the timeout of the route",
            blame: None,
        },
    ),
    (
        "no healthy upstream",
        Explanation {
            meaning: "the cluster has no endpoint, or none that Envoy holds for healthy, so it asked none",
            help: "look at the endpoints of the cluster in Envoy (/clusters): health checks, outlier detection, and whether the service has any ready instance",
            blame: None,
        },
    ),
];

fn meaning(status: u16) -> &'static str {
    match status {
        200..=299 => "its upstream sent no valid HTTP answer, and the gateway took the bytes for a page",
        502 => "its upstream refused, reset, or sent no valid HTTP answer",
        503 => "no upstream was ready to take the connection",
        504 => "its upstream did not answer in time",
        520 => "its upstream sent an empty or unknown answer",
        521 => "its upstream refused the connection",
        522 => "its upstream did not complete the TCP connection in time",
        523 => "its upstream could not be reached",
        524 => "its upstream accepted the connection and did not answer in time",
        525 => "the TLS handshake with its upstream failed",
        526 => "the certificate of its upstream is not valid",
        527 => "its connection to the upstream broke",
        530 => "its upstream could not be found or used, as the 1xxx code in the page says",
        _ => "the request did not reach an application",
    }
}

const fn help(status: u16) -> &'static str {
    match status {
        200..=299 => {
            "find out what listens at the address and port that the gateway uses: its answer is no HTTP"
        }
        502 | 520 | 521 | 523 => {
            "check that the upstream listens on the port and scheme (ws or wss) that the gateway uses, and read the gateway's error log at this second"
        }
        503 => {
            "check the health of the upstream as the gateway sees it: health checks, number of servers, connection limits"
        }
        504 | 522 | 524 => {
            "find out why the upstream did not answer: a firewall between, a blocked program, or no upgrade handler; then compare the gateway's timeouts"
        }
        525 | 526 => "check TLS between gateway and upstream: names, certificate chain, versions",
        530 => "read the 1xxx code in the body of the answer and check the origin's name in the gateway",
        _ => "read the page's text and the gateway's log: the gateway has no route for this request",
    }
}
