//! How long products let a WebSocket stay idle, or live at all, and how they end it.
//!
//! A limit that was read in a product's source or documentation together with its ending is confirmed. Any other is
//! general knowledge and never makes a finding more than possible. What has no default of its own (HAProxy's
//! `timeout tunnel`, Caddy's `stream_timeout`, Envoy's `max_stream_duration`) is not here: it shows only where several
//! connections agree.

use super::parting::{How, Parting};
use crate::role::Role;
use Kind::{Idle, Lifetime};
use Resets::{Client, Either, Nothing, Server};
use Way::{Close, Fin, Reset, Silence};

/// One limit of one product.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Timer {
    /// The product, by the name that signatures give it.
    pub product: &'static str,
    /// What is limited.
    pub kind: Kind,
    /// The default, in seconds.
    pub seconds: f64,
    /// How much later it may fire, in seconds; timers are also believed a little early.
    pub late: f64,
    /// Whose payload starts it anew.
    pub resets: Resets,
    /// What the wire shows when it fires.
    pub ways: &'static [Way],
    /// The setting that moves it, or what to do where there is none.
    pub setting: &'static str,
    /// Where it was read.
    pub source: &'static str,
    /// Limit and ending were both read there.
    pub confirmed: bool,
}

/// What a timer limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The time without payload.
    Idle,
    /// The age of the connection, busy or not.
    Lifetime,
}

/// Whose payload starts a timer anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resets {
    /// That of either side.
    Either,
    /// Only what the client sends.
    Client,
    /// Only what the server sends.
    Server,
    /// Nobody's.
    Nothing,
}

/// How a timer's end looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// FIN without Close.
    Fin,
    /// RST without Close.
    Reset,
    /// A Close with that code.
    Close(u16),
    /// Nothing: the flow is forgotten.
    Silence,
}

impl Timer {
    /// Whether it may have ended a session so.
    pub fn ended(&self, parting: &Parting) -> bool {
        let way = self.ways.iter().any(|way| match (way, parting.how) {
            (Fin, How::Fin) | (Reset, How::Reset) => true,
            (Close(code), How::Close(sent)) => *code == sent,
            _ => false,
        });
        way && parting.by == Role::Server && self.measured(parting).is_some_and(|seconds| self.fits(seconds))
    }

    /// Whether a time is its own, with its tolerance.
    pub fn fits(&self, seconds: f64) -> bool {
        (self.seconds - EARLY..=self.seconds + self.late).contains(&seconds)
    }

    /// Seconds that it would have counted until a session ended.
    pub fn measured(&self, parting: &Parting) -> Option<f64> {
        let nanos = match self.resets {
            Either => parting.quiet,
            Client => parting.quiet_of(Role::Client),
            Server => parting.quiet_of(Role::Server),
            Nothing => parting.age,
        };
        nanos.map(|nanos| nanos as f64 / 1e9)
    }
}

impl Resets {
    /// Since when it counts, for people.
    pub const fn since(self) -> &'static str {
        match self {
            Either => "the last byte in either direction",
            Client => "the last byte of the client",
            Server => "the last byte of the server",
            Nothing => "the handshake",
        }
    }
}

/// Seconds that a timer may seem early, because the capture point saw the last byte late.
const EARLY: f64 = 0.3;

/// Seconds that a timer may fire late, unless its row says more.
const LATE: f64 = 1.0;

const fn idle(
    product: &'static str,
    seconds: f64,
    resets: Resets,
    ways: &'static [Way],
    setting: &'static str,
    source: &'static str,
) -> Timer {
    Timer { product, kind: Idle, seconds, late: LATE, resets, ways, setting, source, confirmed: true }
}

const fn lifetime(
    product: &'static str,
    seconds: f64,
    ways: &'static [Way],
    setting: &'static str,
    source: &'static str,
) -> Timer {
    Timer {
        product,
        kind: Lifetime,
        seconds,
        late: LATE,
        resets: Nothing,
        ways,
        setting,
        source,
        confirmed: false,
    }
}

/// The same, but its limit or its ending is only general knowledge.
const fn reported(timer: Timer) -> Timer {
    Timer { confirmed: false, ..timer }
}

/// The table; a product with several limits has several rows.
pub static TIMERS: &[Timer] = &[
    idle(
        "nginx",
        60.0,
        Either,
        &[Fin],
        "proxy_read_timeout",
        "ngx_http_upstream.c, nginx.org websocket.html",
    ),
    idle("Varnish", 60.0, Either, &[Fin], "pipe_timeout", "include/tbl/params.h"),
    idle(
        "Envoy",
        300.0,
        Either,
        &[Fin, Reset],
        "stream_idle_timeout or the route's idle_timeout",
        "envoy faq timeouts.rst",
    ),
    Timer {
        late: 6.5,
        ..idle(
            "Cowboy",
            60.0,
            Client,
            &[Close(1000)],
            "idle_timeout of cowboy_websocket",
            "cowboy_websocket.erl",
        )
    },
    idle(
        "Apache httpd",
        60.0,
        Either,
        &[Fin],
        "Timeout, or timeout= of ProxyPass where that is longer",
        "mod_proxy_http.c, core.xml; with 3 s seen of 2.4",
    ),
    idle(
        "Apache httpd",
        300.0,
        Either,
        &[Fin],
        "Timeout, or timeout= of ProxyPass where that is longer",
        "apache2.conf of Debian's package; mod_proxy_http.c",
    ),
    idle("Jetty", 30.0, Either, &[Close(1001)], "setIdleTimeout", "WebSocketConstants.java"),
    idle(
        "Azure Load Balancer",
        240.0,
        Either,
        &[Reset, Silence],
        "the idle timeout of the load balancing rule, with TCP reset on idle",
        "Azure documentation, load-balancer-tcp-reset",
    ),
    // Bytes of the upstream do not start it anew; it looks once a second.
    Timer {
        late: 2.0,
        ..idle(
            "lighttpd",
            60.0,
            Client,
            &[Fin, Close(1001)],
            "server.max-read-idle, which counts only what the client sends",
            "mod_wstunnel.c; seen of mod_proxy in 1.4.69",
        )
    },
    idle(
        "nghttpx",
        60.0,
        Either,
        &[Fin],
        "--backend-read-timeout and --frontend-read-timeout",
        "nghttpx(1); seen of 1.52.0",
    ),
    idle(
        "H2O",
        300.0,
        Either,
        &[Fin],
        "proxy.websocket.timeout",
        "H2O's documentation of proxy directives; seen of 2.2.5, set shorter",
    ),
    idle(
        "Traffic Server",
        600.0,
        Either,
        &[Fin],
        "proxy.config.websocket.no_activity_timeout",
        "records.config.en.rst; seen of 9.2.9, set shorter",
    ),
    reported(idle("Squid", 900.0, Either, &[Fin], "read_timeout", "general knowledge")),
    reported(idle(
        "AWS Application Load Balancer",
        60.0,
        Either,
        &[Fin, Reset],
        "idle_timeout.timeout_seconds",
        "Elastic Load Balancing documentation",
    )),
    reported(idle(
        "AWS Network Load Balancer",
        350.0,
        Either,
        &[Reset, Silence],
        "the TCP idle timeout of the listener",
        "general knowledge",
    )),
    reported(idle(
        "Amazon API Gateway",
        600.0,
        Either,
        &[Close(1001)],
        "a message every few minutes, for the limit is fixed",
        "API Gateway quotas",
    )),
    reported(idle(
        "Amazon CloudFront",
        600.0,
        Server,
        &[Fin],
        "a message of the server every few minutes, for the limit is fixed",
        "AWS re:Post",
    )),
    reported(idle(
        "Cloudflare",
        100.0,
        Either,
        &[Fin],
        "a heartbeat, for the limit is not documented",
        "reports of users",
    )),
    reported(idle(
        "Azure Front Door",
        300.0,
        Either,
        &[Fin],
        "a heartbeat, for the limit is fixed",
        "Azure documentation, frontdoor/websocket",
    )),
    reported(idle(
        "Azure App Service",
        230.0,
        Either,
        &[Fin],
        "a heartbeat, for the limit is fixed",
        "general knowledge",
    )),
    reported(idle(
        "Heroku",
        55.0,
        Either,
        &[Fin],
        "a heartbeat, for the limit is fixed",
        "Heroku error codes, H15",
    )),
    reported(idle("Fly.io", 60.0, Either, &[Fin], "idle_timeout of the service", "reports of users")),
    lifetime(
        "Google Cloud load balancer",
        30.0,
        &[Fin, Reset],
        "timeoutSec of the backend service",
        "Google Cloud examples",
    ),
    lifetime(
        "Amazon API Gateway",
        7200.0,
        &[Close(1001)],
        "a reconnect before two hours, for the limit is fixed",
        "API Gateway quotas",
    ),
    lifetime(
        "Azure Front Door",
        14400.0,
        &[Fin],
        "a reconnect before four hours, for the limit is fixed",
        "Azure documentation, frontdoor/websocket",
    ),
    lifetime("Squid", 86400.0, &[Fin], "client_lifetime", "general knowledge"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::Scene;

    /// A session that the server's side ends in that way after so many seconds without, or with, data of both sides.
    fn ended(way: Way, seconds: f64, busy: Option<Role>) -> Parting {
        let scene =
            Scene::session("", "").messages(Role::Client, 1).messages(Role::Server, 1).after(seconds - 2.0);
        let scene = match busy {
            Some(role) => scene.messages(role, 1),
            None => scene,
        };
        let scene = scene.after(2.0);
        let scene = match way {
            Fin => scene.fin(Role::Server),
            Close(code) => scene.close(Role::Server, code, ""),
            Reset | Silence => scene.reset(Role::Server),
        };
        Parting::of(&scene.build()).unwrap()
    }

    #[test]
    fn every_row_knows_its_own_ending_and_not_one_a_tenth_later() {
        for row in TIMERS {
            for &way in row.ways.iter().filter(|way| **way != Silence) {
                let busy = (row.kind == Lifetime).then_some(Role::Client);
                assert!(row.ended(&ended(way, row.seconds, busy)), "{} misses its own {way:?}", row.product);
                assert!(!row.ended(&ended(way, row.seconds * 1.2, busy)), "{} fires late", row.product);
                assert!(!row.ended(&ended(way, row.seconds * 0.8, busy)), "{} fires early", row.product);
            }
        }
    }

    #[test]
    fn every_row_is_started_anew_by_the_side_it_listens_to() {
        for row in TIMERS {
            for &way in row.ways.iter().filter(|way| **way != Silence) {
                for role in Role::BOTH {
                    let listens = match row.resets {
                        Either => true,
                        Client => role == Role::Client,
                        Server => role == Role::Server,
                        Nothing => false,
                    };
                    let fires = row.ended(&ended(way, row.seconds, Some(role)));
                    assert_eq!(fires, !listens, "{} and data of the {}", row.product, role.name());
                }
            }
        }
    }

    #[test]
    fn every_row_is_whole() {
        for row in TIMERS {
            assert!(row.seconds >= 10.0 && row.late >= LATE && !row.ways.is_empty(), "{}", row.product);
            assert!(!row.setting.is_empty() && !row.setting.ends_with('.') && !row.source.is_empty());
            assert_eq!(row.kind == Lifetime, row.resets == Nothing, "{}", row.product);
            let general = row.source.contains("general knowledge") || row.source.contains("reports");
            assert!(!(general && row.confirmed), "{} is confirmed by nothing", row.product);
        }
    }
}
