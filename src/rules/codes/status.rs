//! HTTP statuses in answer to an upgrade.

use super::{Code, Kind, Words};

const HTTP: &str = "RFC 9110 §15; RFC 6455 §4.1";
const CLOUDFLARE: &str = "Cloudflare's own status, not registered";
const NGINX: &str = "nginx's own status, not registered";
const ANYONE: &str = "The server, or a gateway before it.";
const GATEWAY: &str = "A gateway; an application may send it, too.";
const EDGE: &str = "Cloudflare.";

const fn status(number: u16, rules: &'static [&'static str], english: Words) -> Code {
    let reference = match number {
        499 => NGINX,
        520.. => CLOUDFLARE,
        _ => HTTP,
    };
    Code { codes: number..=number, kind: Kind::Status, reference, rules, english }
}

const REDIRECT: Words = Words {
    name: "",
    brief: "The server sends the client elsewhere, where most WebSocket clients do not follow.",
    description: "Browsers never follow a redirect of an upgrade, and many libraries do not either.",
    when: "A rule sends http to https, adds a slash, corrects the host name, or leads to a login page.",
    fix: "Connect to the final `wss://` URL, or except the path from the redirect.",
    sender: ANYONE,
};

const ORIGIN_TLS_FIX: &str =
    "Check TLS between Cloudflare and the origin: names, certificate chain, versions.";

/// In order of number.
pub(super) static STATUSES: &[Code] = &[
    status(
        101,
        &["response-upgrade-headers-invalid", "response-accept-invalid", "client-aborts-after-101"],
        Words {
            name: "Switching Protocols",
            brief: "The server agrees to the upgrade; what follows on the connection are frames.",
            description: "The only success over HTTP/1.1. The client still checks it: `Upgrade`, `Connection`, `Sec-WebSocket-Accept`, and whether extensions and subprotocol are among those that it offered. If one is wrong it ends TCP without a Close.",
            when: "At the beginning of every WebSocket over HTTP/1.1. Programs do not show it.",
            fix: "Nothing. Where a client leaves right after it, compare its fields with those of the request.",
            sender: ANYONE,
        },
    ),
    status(
        200,
        &["response-200-upgrade-ignored"],
        Words {
            name: "OK",
            brief: "The upgrade was ignored and a page was sent; over HTTP/2 it is success.",
            description: "HTTP allows a server to ignore an upgrade. For the client the WebSocket has failed. Over HTTP/2 and HTTP/3 there is no 101, and 200 is what a successful extended CONNECT gets.",
            when: "The path is no WebSocket, a single-page application answers every path, a cache answered, or a proxy dropped `Upgrade` on the way.",
            fix: "Check the path against the server's routes, keep caches off it, and let every gateway forward `Upgrade` and `Connection`.",
            sender: ANYONE,
        },
    ),
    status(301, &["response-redirect"], Words { name: "Moved Permanently", ..REDIRECT }),
    status(302, &["response-redirect"], Words { name: "Found", ..REDIRECT }),
    status(303, &["response-redirect"], Words { name: "See Other", ..REDIRECT }),
    status(
        304,
        &["response-200-upgrade-ignored"],
        Words {
            name: "Not Modified",
            brief: "The upgrade was taken for the question whether a stored page is still good.",
            description: "It is no redirect: a cache or a file server answered a plain GET, and nothing there looked at `Upgrade`.",
            when: "A cache stands on the path, or the path leads to static files, and the request carries `If-None-Match` or `If-Modified-Since`.",
            fix: "Keep caches off the path, send it to the server that speaks WebSocket, and let every gateway forward `Upgrade` and `Connection`.",
            sender: ANYONE,
        },
    ),
    status(307, &["response-redirect"], Words { name: "Temporary Redirect", ..REDIRECT }),
    status(308, &["response-redirect"], Words { name: "Permanent Redirect", ..REDIRECT }),
    status(
        400,
        &["response-not-101", "request-key-invalid"],
        Words {
            name: "Bad Request",
            brief: "The request is not in order for whoever answered.",
            description: "A field of the handshake is missing or wrong there, even if it was right when the client sent it.",
            when: "A proxy dropped or changed a field, the key is missing, plain HTTP was sent to an HTTPS port, or a session id belongs to another server behind the load balancer.",
            fix: "Compare the fields of the request on both sides of every gateway. For engine.io and socket.io switch sticky sessions on.",
            sender: ANYONE,
        },
    ),
    status(
        401,
        &["response-forbidden"],
        Words {
            name: "Unauthorized",
            brief: "Credentials are missing or wrong.",
            description: "The server wants authentication before the upgrade. Browsers cannot set `Authorization` for a WebSocket.",
            when: "No cookie or token was sent, or it has expired.",
            fix: "Send credentials with the upgrade: browsers by cookie or ticket in the URL, other clients by `Authorization`.",
            sender: ANYONE,
        },
    ),
    status(
        403,
        &["response-forbidden"],
        Words {
            name: "Forbidden",
            brief: "The server's side understood and refuses.",
            description: "Several refusals share it: an origin that is not allowed, missing rights, a firewall or bot check, and a gateway that does not permit upgrades.",
            when: "`Origin` does not match the host or the list of allowed origins, an application closed before it accepted, or Envoy has no `upgrade_configs`: it then answers with an empty body.",
            fix: "Forward the original `Host`, extend the list of allowed origins, or enable upgrades in the gateway.",
            sender: ANYONE,
        },
    ),
    status(
        404,
        &["response-not-101"],
        Words {
            name: "Not Found",
            brief: "There is nothing at this path.",
            description: "Gateway or application has no route for the path of the upgrade.",
            when: "The path differs by a slash or a prefix, a proxy rewrites it, or the virtual host is another one.",
            fix: "Compare the path on both sides of every gateway with the routes of the server. Mind the slash at its end.",
            sender: ANYONE,
        },
    ),
    status(
        405,
        &["response-not-101"],
        Words {
            name: "Method Not Allowed",
            brief: "The method of the request is not allowed at this path.",
            description: "A WebSocket handshake over HTTP/1.1 is a GET.",
            when: "A probe or a client that is no WebSocket client sent POST or CONNECT.",
            fix: "Use a WebSocket library for the request.",
            sender: ANYONE,
        },
    ),
    status(
        407,
        &["response-forbidden"],
        Words {
            name: "Proxy Authentication Required",
            brief: "A forward proxy wants credentials.",
            description: "The proxy between client and server wants to know who asks before it opens a way.",
            when: "The client is in a network whose proxy requires a login.",
            fix: "Give the client credentials for the proxy.",
            sender: "A forward proxy.",
        },
    ),
    status(
        408,
        &["response-not-101"],
        Words {
            name: "Request Timeout",
            brief: "The request did not come whole in time.",
            description: "The server's side waited for the rest of the request and gave up.",
            when: "A slow or broken path from the client, or a client that sends its request in pieces.",
            fix: "Look for lost packets between client and server, and send the request in one piece.",
            sender: ANYONE,
        },
    ),
    status(
        421,
        &["response-not-101"],
        Words {
            name: "Misdirected Request",
            brief: "The request came to a server that is not responsible for this host.",
            description: "The connection was made for another host name than the one in the request.",
            when: "A client reuses a connection for another host, or a proxy sends another name in TLS than in `Host`.",
            fix: "Make a connection of its own for this host, and let the proxy use the same name in TLS and in `Host`.",
            sender: ANYONE,
        },
    ),
    status(
        426,
        &["response-426-upgrade-lost", "request-version-unsupported"],
        Words {
            name: "Upgrade Required",
            brief: "Whoever answered speaks WebSocket and was not asked for it.",
            description: "The answer to a plain GET at a WebSocket endpoint, or to a version that the server does not speak.",
            when: "The client did ask, and a proxy on the way dropped `Upgrade` and `Connection`; or somebody opened the URL as a page.",
            fix: "Let the proxy before the server forward `Upgrade` and `Connection` over HTTP/1.1.",
            sender: ANYONE,
        },
    ),
    status(
        429,
        &["response-not-101"],
        Words {
            name: "Too Many Requests",
            brief: "The client tried too often.",
            description: "A limit of rate at the edge or in the application.",
            when: "Clients reconnect without a delay, many share an address, or a quota is used up.",
            fix: "Wait as long as `Retry-After` says, and reconnect with a growing random delay.",
            sender: ANYONE,
        },
    ),
    status(
        431,
        &["response-not-101"],
        Words {
            name: "Request Header Fields Too Large",
            brief: "The fields of the request are too long.",
            description: "The server's side has a limit for the size of a request head.",
            when: "Many or large cookies, or a token in the URL or in `Sec-WebSocket-Protocol`.",
            fix: "Make cookies and tokens smaller, or raise the limit of whoever answered.",
            sender: ANYONE,
        },
    ),
    status(
        499,
        &["handshake-unanswered"],
        Words {
            name: "Client Closed Request",
            brief: "The client gave up before the gateway had an answer for it.",
            description: "A line in a log and hardly ever an answer: nginx, Caddy and Traefik write it down when the client ends the connection first.",
            when: "The client waits a shorter time for the handshake than the upstream takes, or a user left meanwhile.",
            fix: "Find out why the upstream takes so long. Give the gateway a shorter limit than the client has, so that a 504 tells of it.",
            sender: "Nobody, as a rule: gateways write it into their logs.",
        },
    ),
    status(
        500,
        &["response-not-101"],
        Words {
            name: "Internal Server Error",
            brief: "The application failed while it handled the upgrade.",
            description: "An exception before the 101.",
            when: "A handler crashed, or a middleware does not know upgrades.",
            fix: "Read the server's log at that second.",
            sender: ANYONE,
        },
    ),
    status(
        501,
        &["response-not-101"],
        Words {
            name: "Not Implemented",
            brief: "Whoever answered does not know this method.",
            description: "Nothing there can handle the request, whatever its path.",
            when: "An extended CONNECT of HTTP/2 reached a proxy that does not know it, such as Varnish.",
            fix: "Use HTTP/1.1 for the WebSocket on this path, or lead it past the proxy.",
            sender: ANYONE,
        },
    ),
    status(
        502,
        &["gateway-error-before-upgrade"],
        Words {
            name: "Bad Gateway",
            brief: "A gateway got no valid answer to the upgrade from its upstream.",
            description: "The gateway spoke, the fault lies behind it. It is what close code 1014 says after the handshake; before it this status is the only form.",
            when: "The upstream is not running or listens elsewhere, it reset the connection, one side speaks TLS and the other does not, or its answer is no valid HTTP.",
            fix: "Check that the upstream listens on the port and scheme that the gateway uses, and read the gateway's error log at this second.",
            sender: GATEWAY,
        },
    ),
    status(
        503,
        &["gateway-error-before-upgrade"],
        Words {
            name: "Service Unavailable",
            brief: "Nobody is ready to take the connection.",
            description: "A gateway has no healthy upstream, or an application sheds load. The body often shows which.",
            when: "All upstreams failed their health checks, the upstream refused the connection (HAProxy and Apache httpd answer so), or a limit of connections is reached.",
            fix: "Check the health of the upstream as the gateway sees it: health checks, number of servers, connection limits.",
            sender: GATEWAY,
        },
    ),
    status(
        504,
        &["gateway-error-before-upgrade"],
        Words {
            name: "Gateway Timeout",
            brief: "The upstream of a gateway did not answer the upgrade in time.",
            description: "The gateway waited and gave up. Nothing was wrong with the request.",
            when: "Packets to the upstream are dropped, the upstream accepted the connection and never answered, or it is too slow.",
            fix: "Find out why the upstream stays silent: a firewall between, a blocked program, no handler for upgrades.",
            sender: GATEWAY,
        },
    ),
    status(
        505,
        &["response-not-101", "request-line-invalid"],
        Words {
            name: "HTTP Version Not Supported",
            brief: "The version of the request is not one that can be upgraded.",
            description: "WebSocket needs HTTP/1.1 or later.",
            when: "A proxy issued the request anew as HTTP/1.0: nginx before 1.29.7 did so unless it was told otherwise.",
            fix: "Let the proxy speak HTTP/1.1 to its upstream: in nginx `proxy_http_version 1.1` with `Upgrade` and `Connection`.",
            sender: ANYONE,
        },
    ),
    status(
        520,
        &["gateway-error-before-upgrade"],
        Words {
            name: "Web Server Returned an Unknown Error",
            brief: "The origin behind Cloudflare sent an empty or unknown answer.",
            description: "Cloudflare reached the origin and could not use what came back.",
            when: "The origin crashed or reset the connection, or its answer has fields that are too large.",
            fix: "Read the origin's log at that second, and check that it answers upgrades without Cloudflare.",
            sender: EDGE,
        },
    ),
    status(
        521,
        &["gateway-error-before-upgrade"],
        Words {
            name: "Web Server Is Down",
            brief: "The origin behind Cloudflare refused the connection.",
            description: "The origin's address answered, and no program or a firewall refused.",
            when: "The origin is not running, or its firewall blocks Cloudflare's addresses.",
            fix: "Start the origin on the expected port, and let Cloudflare's addresses through its firewall.",
            sender: EDGE,
        },
    ),
    status(
        522,
        &["gateway-error-before-upgrade"],
        Words {
            name: "Connection Timed Out",
            brief: "The origin behind Cloudflare did not complete the TCP connection in time.",
            description: "Packets to the origin were lost, or it was too busy to accept.",
            when: "A firewall drops packets, the address is wrong, or the origin is overloaded.",
            fix: "Check the origin's address, firewall and load.",
            sender: EDGE,
        },
    ),
    status(
        523,
        &["gateway-error-before-upgrade"],
        Words {
            name: "Origin Is Unreachable",
            brief: "Cloudflare found no way to the origin.",
            description: "No route leads to the address that is configured.",
            when: "The origin's DNS record is wrong, or its network is unreachable.",
            fix: "Check the DNS record of the origin and its network.",
            sender: EDGE,
        },
    ),
    status(
        524,
        &["gateway-error-before-upgrade"],
        Words {
            name: "A Timeout Occurred",
            brief: "The origin behind Cloudflare accepted the connection and did not answer in time.",
            description: "By default Cloudflare waits 120 seconds; in former years it was 100.",
            when: "The upgrade handler of the origin is blocked or missing.",
            fix: "Find out why the origin does not answer the upgrade.",
            sender: EDGE,
        },
    ),
    status(
        525,
        &["gateway-error-before-upgrade"],
        Words {
            name: "SSL Handshake Failed",
            brief: "The TLS handshake between Cloudflare and the origin failed.",
            description: "The two found no common version or cipher, or the origin speaks no TLS on that port.",
            when: "The origin has no certificate, or speaks plain HTTP on port 443.",
            fix: ORIGIN_TLS_FIX,
            sender: EDGE,
        },
    ),
    status(
        526,
        &["gateway-error-before-upgrade"],
        Words {
            name: "Invalid SSL Certificate",
            brief: "Cloudflare does not accept the origin's certificate.",
            description: "Strict verification is on, and the certificate does not pass it.",
            when: "The certificate has expired, was self-signed, or is for another name.",
            fix: ORIGIN_TLS_FIX,
            sender: EDGE,
        },
    ),
    status(
        527,
        &["gateway-error-before-upgrade"],
        Words {
            name: "Railgun Error",
            brief: "Cloudflare's optimised connection to the origin broke.",
            description: "A status of a product that Cloudflare has retired.",
            when: "The listener at the origin was not reachable or refused.",
            fix: "Connect the origin without that product.",
            sender: EDGE,
        },
    ),
    status(
        530,
        &["gateway-error-before-upgrade"],
        Words {
            name: "Origin Error",
            brief: "Cloudflare could not use the origin, and its page has a 1xxx code that says why.",
            description: "The status alone says little; the code in the body does.",
            when: "The origin's name cannot be resolved, or a tunnel is not connected.",
            fix: "Read the 1xxx code in the body of the answer, and check the origin's name or tunnel.",
            sender: EDGE,
        },
    ),
];
