mod end;
mod help;

use crate::connection::{Connection, FirstEnd};
use crate::gateway::relay;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{
    Blame, Check, Confidence, Context, Finding, Origin, Severity, behind, mqtt, quote, trust,
};
use end::{Before, End, last_data, silent_client};
use help::{help, who_ended};

rule! {
    /// # What it finds
    /// An established WebSocket that ended at the TCP level, with no Close frame in either direction.
    ///
    /// # Why it matters
    /// Both programs report 1006, a code that never travels and says nothing. The capture says more: who ended TCP, by
    /// FIN or RST, and after how long a silence.
    ///
    /// # What causes it
    /// A timer of a proxy or load balancer after a silence; a restart of a proxy or of the server; a crash; a handler
    /// of the server that failed on a message (uvicorn, aiohttp, Tornado) or returned (uvicorn, gorilla), where the
    /// framework sends no Close then; a message above a limit, where the library drops the connection (tungstenite, and
    /// so axum and warp; actix-ws); a broker of MQTT such as Mosquitto, which ends every session so; a client that was
    /// killed, or whose page was closed hard; code that drops a connection after missed pongs. Tunnelling proxies such
    /// as nginx and HAProxy never send a Close.
    ///
    /// # How to fix
    /// Send a Ping at half the shortest timeout on the path: `ping_interval` of Python's websockets, `pingInterval` of
    /// OkHttp, a timer with `ping()` in ws. If the end comes after the same silence every time, raise the timeout of
    /// that length: nginx `proxy_read_timeout`, HAProxy `timeout tunnel`, AWS `idle_timeout.timeout_seconds`, Mojolicious
    /// `inactivity_timeout` (30 s). Before the server stops, send Close 1001 or 1012; in ws `close(1001)` in place of
    /// `terminate()`.
    ///
    /// # What it does not report
    /// Connections that are still open when the capture ends, and those of which only one side was captured. Where
    /// bytes are missing a Close may be among them: then it is only possible, and a warning. Where the silence before
    /// it is one that a known idle limit explains, it is a warning; where MQTT was spoken and the client's last message
    /// is as short as DISCONNECT, information. Of a RST amid traffic, seen on one leg, it names who sent it and not who
    /// is to blame; and of a client whose request a gateway sent, that the gateway is who ended it, or passed it on. A
    /// gateway that ends TLS is known as the client by a TLS connection that begins and ends together with the session.
    pub static RULE = "WS-CL-001" "closed-without-close-frame" {
        severity: Error, category: Close, reference: "RFC 6455 §7.1.1, §7.1.5",
        explains: ["client-aborts-after-101", "stream-ends-mid-frame", "close-internal-error"], asked_on: [Abrupt], check: Check::InContext(check),
    }
}

fn check(connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(end) = End::of(connection, context) else { return };
    let mut finding = end.finding(context);
    let sign = connection.response.as_ref().and_then(|response| relay(&response.head, &response.body));
    if let (Role::Server, Some(sign), Some(response)) = (end.by, sign, &connection.response) {
        finding = finding.confidence(Confidence::Likely).origin(Origin::Gateway).shows(
            response.seen,
            format!(
                "a gateway stands there, which may have ended it by itself or passed on the end: {}",
                quote::short(&sign.found)
            ),
        );
    }
    // On the leg behind a gateway that is the client.
    if end.by == Role::Client {
        finding = behind::weigh(connection, end.seen, end.silence, context, finding);
    }
    found.push(end.with_evidence(finding));
}

impl End<'_> {
    fn finding(&self, context: &Context<'_>) -> Finding {
        let (connection, by, end) = (self.connection, self.by, self.seen);
        // Gateways have such timers more often than programs, and one may stand here as the client.
        let is_timer_of_client = by == Role::Client && self.silence.is_some();
        let is_leave = self.before == Before::Leave;
        let title = format!("{} ended {} without a Close frame", by.name(), quote::transport(connection));
        let how = quote::ending(connection);
        Finding::new(&RULE, end, title)
            .at_most(match () {
                () if is_leave => Severity::Info,
                () if self.is_timed || self.doubt.is_some() => Severity::Warning,
                () => Severity::Error,
            })
            .doubted(&self.doubt, Confidence::Possible)
            .confidence(match () {
                () if connection.ending.first == FirstEnd::Unseen || self.is_forgotten => Confidence::Likely,
                () if is_timer_of_client || is_leave => Confidence::Likely,
                () => Confidence::Certain,
            })
            .origin(by)
            .blame(match () {
                () if is_leave => Blame::Nobody,
                () if self.is_unclear() || self.is_forgotten || self.is_crossed() => Blame::Unknown,
                () => by.into(),
            })
            .message(self.message())
            .shows(end, format!("{how} from the {}, no Close before it in either direction", by.name()))
            .shows_all(end, self.doubt.iter().cloned().collect())
            .help(match by {
                Role::Client if is_timer_of_client => String::from(
                    "send a Ping at half of this silence, and look for a timer of that length: in the client, such as a library that missed a Pong, or in a gateway, if one stands here as the client (proxy_read_timeout of nginx)",
                ),
                Role::Client => String::from(
                    "find out why the client left without a Close: killed, closed hard, or a library that drops the connection",
                ),
                Role::Server => help(self.before, who_ended(context), mqtt::is_spoken(connection)),
            })
    }

    fn message(&self) -> String {
        let (connection, by, end) = (self.connection, self.by, self.seen);
        let how = quote::ending(connection);
        let mut text = format!("the {} ended the session with {how}", by.name());
        if let Some(quiet) = self.silence {
            text += &format!(" after {} of silence, which is how a timer looks", quote::seconds(quiet));
        }
        // Who has only ended its own direction may still read what comes.
        text += &match self.late {
            Some(close) => format!("; the {} reports 1006", close.from.name()),
            None => String::from("; both programs report 1006"),
        };
        if let Some((error, seen)) = self.announced {
            let before = quote::before(trust::elapsed(connection, seen, end));
            text += &format!("; it had announced that with GOAWAY {error}{before}");
        }
        if let Some(since) = self.at_work {
            let since = quote::seconds(since);
            text += &match self.before {
                Before::Leave => format!(
                    "; the {how} came {since} after a message of the client as short as DISCONNECT of MQTT, after which brokers such as Mosquitto end TCP without a Close"
                ),
                _ => format!(
                    "; the {how} came {since} after a message of the client, to which the server sent nothing"
                ),
            };
        }
        if let Some(bytes) = self.large {
            text +=
                &format!("; the last message of the client was its longest, with {}", quote::bytes(bytes));
        }
        if let Some(quiet) = silent_client(connection, by).filter(|_| self.silence.is_none()) {
            text += &format!(
                "; the client had sent nothing for {}, which is enough for a limit that counts only its bytes",
                quote::seconds(quiet)
            );
        }
        if self.is_forgotten {
            text += "; this RST has no ACK, so its sender had no such connection, or no longer: that had ended there before, a restart lost it, or something on the path forgot it";
        } else if self.is_unclear() {
            text += "; a RST does not tell why: a program that was killed or left bytes unread, or something on the path";
        }
        if self.is_crossed() {
            text += &format!(
                "; the FIN of the {} crossed it on the way, so either side may have been the first to end it",
                by.other().name()
            );
        }
        if let Some(close) = self.late {
            text += &format!(
                "; {} of the {} came after it, too late to be the reason",
                quote::close(close),
                close.from.name()
            );
        }
        text
    }

    /// Adds what came before the end: GOAWAY, the end of TLS, and the last data of each side.
    fn with_evidence(&self, mut finding: Finding) -> Finding {
        if let Some((error, seen)) = self.announced {
            finding = finding.shows(seen, format!("GOAWAY {error} from the {}", self.by.name()));
        }
        let alerts = self.connection.tls.iter().flat_map(|tls| &tls.alerts);
        for alert in alerts.filter(|alert| alert.description.0 == 0 && alert.seen.packet <= self.seen.packet)
        {
            finding = finding.shows(
                alert.seen,
                format!(
                    "TLS close_notify from the {}: its TLS was shut down in good order",
                    alert.from.name()
                ),
            );
        }
        for role in Role::BOTH {
            if let Some(last) = last_data(self.connection, role) {
                finding = finding.shows(last, format!("last data of the {}", role.name()));
            }
        }
        finding
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::Carrier;
    use crate::connection::{FirstEnd, Reset, ResetKind};
    use crate::http::h2::ErrorCode;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene, both};
    use crate::rules::{Blame, Confidence, Origin, Severity};

    #[test]
    fn who_ended_is_named() {
        let finding = Scene::session("", "").messages(Client, 1).fin(Server).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Server, Confidence::Certain));
        let finding = Scene::session("", "").messages(Client, 1).reset(Client).finds(RULE.name);
        assert!(finding.origin == Some(Origin::Client) && finding.message.contains("RST"));
    }

    #[test]
    fn a_reset_of_a_connection_that_its_sender_does_not_know_is_no_certain_end() {
        for (kind, confidence, blame) in [
            (ResetKind::Abort, Confidence::Certain, Blame::Server),
            (ResetKind::NoConnection, Confidence::Likely, Blame::Unknown),
        ] {
            let finding = Scene::session("", "")
                .messages(Client, 1)
                .after(25.0)
                .reset(Server)
                .with(|c| {
                    let (ttl, usual_ttl) = (64, Some(64));
                    c.tcp.reset =
                        c.ending.by.map(|(from, seen)| Box::new(Reset { from, seen, ttl, usual_ttl, kind }));
                })
                .finds(RULE.name);
            assert_eq!((finding.confidence, finding.blame), (confidence, blame));
            assert_eq!(finding.message.contains("has no ACK"), kind == ResetKind::NoConnection);
        }
    }

    #[test]
    fn of_fins_that_crossed_nobody_is_known_to_be_the_first() {
        let crossed = |scene: Scene| scene.with(|c| c.ending.first = FirstEnd::Crossed(c.last));
        let scene = Scene::session("", "").messages(Client, 1).after(60.0).fin(Server);
        let finding = crossed(scene).finds(RULE.name);
        assert_eq!((finding.confidence, finding.blame), (Confidence::Possible, Blame::Unknown));
        assert!(finding.message.contains("crossed it"), "{}", finding.message);
        assert!(finding.evidence.iter().any(|evidence| evidence.text.contains("does not acknowledge")));
    }

    #[test]
    fn an_end_that_goaway_announced_is_told_so_and_not_laid_to_a_message() {
        let session = |announce: bool| {
            let answered =
                Scene::http2().request("CONNECT /chat HTTP/2.0\r\n").answer("HTTP/2.0 200 \r\n", "");
            let scene = answered.messages(Client, 1).with(|connection| {
                let said = announce.then_some((Server, ErrorCode::NO_ERROR, connection.last));
                let Carrier::Http2(stream) = &mut connection.carrier else { panic!("not on HTTP/2") };
                stream.goaway = said;
            });
            scene.fin(Server).finds(RULE.name)
        };
        let finding = session(true);
        assert!(finding.message.contains("announced that with GOAWAY NO_ERROR"), "{}", finding.message);
        assert!(!finding.message.contains("after a message"), "{}", finding.message);
        assert!(session(false).message.contains("after a message"));
    }

    #[test]
    fn a_reset_amid_traffic_has_nobody_to_blame() {
        for role in [Client, Server] {
            let finding = Scene::session("", "").messages(Client, 1).reset(role).finds(RULE.name);
            assert_eq!((finding.blame, finding.origin), (Blame::Unknown, Some(role.into())));
        }
        let finding = Scene::session("", "").messages(Client, 1).after(30.0).reset(Server).finds(RULE.name);
        assert_eq!(finding.blame, Blame::Server);
    }

    #[test]
    fn a_long_silence_is_told() {
        for by in [Server, Client] {
            let finding = Scene::session("", "").messages(Client, 1).after(60.0).fin(by).finds(RULE.name);
            assert!(finding.message.contains("60.0 s of silence"), "{}", finding.message);
            assert!(finding.help.starts_with("send a Ping at half of this silence"), "{}", finding.help);
            let sure = if by == Server { Confidence::Certain } else { Confidence::Likely };
            assert_eq!(finding.confidence, sure);
        }
    }

    #[test]
    fn a_gateway_may_have_ended_it_or_passed_it_on() {
        let answer = format!("{}Via: 1.1 edge\r\n", crate::rules::testing::ANSWER);
        let scene = Scene::tcp()
            .request(crate::rules::testing::REQUEST)
            .answer(&answer, "")
            .messages(Client, 1)
            .fin(Server);
        let finding = scene.finds(RULE.name);
        assert_eq!((finding.origin, finding.confidence), (Some(Origin::Gateway), Confidence::Likely));
    }

    #[test]
    fn a_client_that_is_a_gateway_is_no_certain_culprit() {
        let request = format!("{}X-Forwarded-For: 192.0.2.7\r\n", crate::rules::testing::REQUEST);
        let scene = Scene::tcp().request(&request).answer(crate::rules::testing::ANSWER, "");
        let finding = scene.messages(Client, 1).fin(Client).finds(RULE.name);
        assert_eq!(
            (finding.origin, finding.blame, finding.confidence),
            (Some(Origin::Gateway), Blame::Unknown, Confidence::Likely)
        );
        assert!(finding.evidence.iter().any(|line| line.text.ends_with("X-Forwarded-For: 192.0.2.7")));
        assert!(finding.help.starts_with("look in the log of the gateway 10."), "{}", finding.help);
    }

    #[test]
    fn a_close_to_a_client_that_has_gone_is_not_the_end() {
        let scene = Scene::session("", "").messages(Client, 1).fin(Client).close(Server, 1002, "");
        let finding = scene.finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Client, Confidence::Certain));
        assert!(finding.message.contains("too late to be the reason"), "{}", finding.message);
        // Who only ended its own direction may read it.
        assert!(!finding.message.contains("both programs report"), "{}", finding.message);
        Scene::session("", "").close(Server, 1001, "").fin(Client).silent(RULE.name);
        let scene = Scene::session("", "").messages(Client, 1).fin(Client).close(Server, 1011, "goal failed");
        assert_eq!(scene.finds(RULE.name).consequences[0].rule.name, "close-internal-error");
    }

    #[test]
    fn the_silence_of_the_client_alone_is_told() {
        let scene = Scene::session("", "").messages(Client, 1).after(61.0).messages(Server, 1);
        let finding = scene.after(0.4).fin(Server).finds(RULE.name);
        assert!(finding.message.contains("the client had sent nothing for 61"), "{}", finding.message);
    }

    #[test]
    fn an_end_on_a_message_of_the_client_sends_to_the_handler() {
        let told = |scene: Scene| scene.finds(RULE.name);
        let failed = told(Scene::session("", "").messages(Server, 1).messages(Client, 1).fin(Server));
        let answered = Scene::session("", "").messages(Client, 1).fin(Server).close(Client, 1000, "");
        assert!(told(answered).help.contains("exception"));
        assert!(failed.message.contains("10 ms after a message of the client"), "{}", failed.message);
        assert!(failed.help.contains("exception"), "{}", failed.help);
        for other in [
            Scene::session("", "").messages(Client, 1).messages(Server, 1).fin(Server),
            Scene::session("", "").messages(Client, 1).after(3.0).fin(Server),
            Scene::session("", "").messages(Server, 1).messages(Client, 1).fin(Client),
        ] {
            let finding = told(other);
            assert!(!finding.message.contains("a message of the client"), "{}", finding.message);
            assert!(!finding.help.contains("exception"), "{}", finding.help);
        }
    }

    #[test]
    fn what_both_legs_show_to_have_ended_it_is_named_with_its_address() {
        let leg = || Scene::session("", "").messages(Client, 1).messages(Server, 1);
        let told = |client: Scene, upstream: Scene| both(client, upstream).finds(RULE.name).help;
        let upstream = told(leg().after(0.1).fin(Server), leg().fin(Server));
        assert!(upstream.starts_with("read the log of the upstream 10.1.0.20:8080"), "{upstream}");
        let quiet = told(leg().after(60.1).fin(Server), leg().after(60.0).fin(Server));
        assert!(quiet.contains("that length on the upstream 10.1.0.20:8080"), "{quiet}");
        let alone = leg().fin(Server).finds(RULE.name).help;
        assert!(alone.starts_with("find out what ended the connection on the server's side"), "{alone}");
    }

    #[test]
    fn a_gateway_whose_client_may_have_left_before_is_no_certain_culprit() {
        let leg = || Scene::session("", "").messages(Client, 1).messages(Server, 1);
        let finding = both(leg().gap(Server), leg().after(0.1).fin(Client)).finds(RULE.name);
        assert_eq!((finding.blame, finding.confidence), (Blame::Gateway, Confidence::Likely));
    }

    #[test]
    fn missing_bytes_make_it_possible() {
        let finding = Scene::session("", "").messages(Client, 1).gap(Client).fin(Server).finds(RULE.name);
        assert_eq!((finding.confidence, finding.severity), (Confidence::Possible, Severity::Warning));
        // What is missing before a message is no Close.
        let early = Scene::session("", "").gap(Client).messages(Client, 1).fin(Server).finds(RULE.name);
        assert_eq!((early.confidence, early.severity), (Confidence::Certain, Severity::Error));
    }

    #[test]
    fn a_close_that_the_other_leg_shows_is_not_missed_where_bytes_are() {
        let leg = || Scene::session("", "").messages(Client, 1);
        let upstream = || leg().close(Server, 1000, "").close(Client, 1000, "").fin(Server);
        both(leg().after(0.1).gap(Server).fin(Server), upstream()).silent(RULE.name);
        both(leg().after(0.1).fin(Server), upstream()).finds(RULE.name);
    }

    #[test]
    fn a_broker_that_ends_tcp_after_disconnect_is_in_order() {
        let told = |protocol: &str, bytes: u64, seconds: f64| {
            let line = format!("Sec-WebSocket-Protocol: {protocol}\r\n");
            let scene =
                Scene::tcp().request(&format!("{REQUEST}{line}")).answer(&format!("{ANSWER}{line}"), "");
            let scene = scene.messages(Server, 1).messages(Client, 1).with(|connection| {
                connection.frames.as_mut().unwrap().client.latest_message = bytes;
            });
            scene.after(seconds).fin(Server).finds(RULE.name)
        };
        assert_eq!(told("mqtt", 1, 0.0).severity, Severity::Info);
        let left = told("mqtt", 2, 0.0);
        assert_eq!(
            (left.severity, left.blame, left.confidence),
            (Severity::Info, Blame::Nobody, Confidence::Likely)
        );
        assert!(left.message.contains("DISCONNECT"), "{}", left.message);
        for (protocol, bytes, seconds, help) in [
            ("mqtt", 40, 0.0, "client identifier"),
            ("mqtt", 2, 0.3, "client identifier"),
            ("mqttv3.1", 2, 3.0, "client identifier"),
            ("mqtt", 2, 90.0, "PINGREQ"),
            ("v12.stomp", 2, 0.0, "exception"),
        ] {
            let other = told(protocol, bytes, seconds);
            assert_eq!((other.severity, other.blame), (Severity::Error, Blame::Server), "{protocol} {bytes}");
            assert!(other.help.contains(help), "{}", other.help);
        }
    }

    #[test]
    fn open_unseen_and_refused_connections_are_silent() {
        Scene::session("", "").messages(Client, 1).silent(RULE.name);
        Scene::session("", "").unseen(Server).fin(Client).silent(RULE.name);
        Scene::answered("HTTP/1.1 404 Not Found\r\n", "").fin(Server).silent(RULE.name);
        Scene::session("", "").close(Client, 1000, "").fin(Server).silent(RULE.name);
    }

    #[test]
    fn a_message_that_is_the_longest_by_far_is_the_first_suspect() {
        let told = |latest, longest, by| {
            let scene = Scene::session("", "").messages(Server, 1).messages(Client, 1).with(|connection| {
                let frames = &mut connection.frames.as_mut().unwrap().client;
                (frames.latest_message, frames.longest_message) = (latest, longest);
            });
            scene.fin(by).finds(RULE.name)
        };
        let finding = told(100_000, 500, Server);
        assert!(finding.message.contains("its longest, with 100000 bytes"), "{finding:#?}");
        assert!(finding.help.contains("max_message_size"), "{}", finding.help);
        let late = Scene::session("", "").messages(Client, 1).with(|connection| {
            connection.frames.as_mut().unwrap().client.latest_message = 100_000;
        });
        assert!(late.after(1.0).fin(Server).finds(RULE.name).help.contains("max_message_size"));
        for finding in [told(500, 500, Server), told(100_000, 200_000, Server), told(100_000, 500, Client)] {
            assert!(!finding.help.contains("max_message_size"), "{}", finding.help);
        }
    }
}
