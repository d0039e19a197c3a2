use crate::capture::Seen;
use crate::connection::{Carrier, CloseState, Connection, Outcome, ResetKind, Transport};
use crate::gateway::{Parting, Party, ending, relay};
use crate::http::h2::ErrorCode;
use crate::net::Endpoint;
use crate::role::Role;
use crate::rules::behind;
use crate::rules::gateway::idle_timeout_close::Idle;
use crate::rules::mqtt;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Context, Finding, Origin, Severity, quote, trust};

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
    let Some((by, end)) = connection.ending.by else { return };
    let session = matches!(connection.outcome, Outcome::Established | Outcome::Unseen);
    let unseen = Role::BOTH.iter().any(|&role| connection.quality.unseen[role]);
    // Tomcat still writes a Close to a client that has gone.
    let late = connection.closes.first().filter(|close| super::is_late(connection, close));
    if !session || unseen || (connection.ending.close != Some(CloseState::None) && late.is_none()) {
        return;
    }
    let doubt = hidden(connection, by).or_else(|| hidden(connection, by.other()));
    let how = quote::ending(connection);
    let timed = Idle::of(connection, context).is_some();
    let quiet = super::quiet_before(connection, end);
    let silence = quiet.filter(|quiet| *quiet >= LONG).map_or(String::new(), |quiet| {
        format!(" after {} of silence, which is how a timer looks", quote::seconds(quiet))
    });
    // A FIN is what a program does with its socket. A RST also comes from a kernel that clears up after a program, and
    // from things on the path.
    let unclear = connection.ending.transport == Transport::Reset && silence.is_empty() && !timed;
    let forgotten = connection
        .tcp
        .reset
        .as_ref()
        .is_some_and(|reset| reset.seen == end && reset.kind == ResetKind::NoConnection);
    let why = if forgotten {
        "; this RST has no ACK, so its sender had no such connection, or no longer: that had ended there before, a restart lost it, or something on the path forgot it"
    } else if unclear {
        "; a RST does not tell why: a program that was killed or left bytes unread, or something on the path"
    } else {
        ""
    };
    let announced = announced(connection, by, end);
    let at_work = (by == Role::Server && doubt.is_none() && announced.is_none())
        .then(|| at_work(connection, end, PROMPT))
        .flatten();
    let one_sided = silence.is_empty().then(|| silent_client(connection, by)).flatten();
    let one_sided = one_sided.map_or(String::new(), |quiet| {
        format!(
            "; the client had sent nothing for {}, which is enough for a limit that counts only its bytes",
            quote::seconds(quiet)
        )
    });
    let left = connection.ending.transport != Transport::Reset
        && at_work.is_some_and(|since| mqtt::may_have_taken_leave(connection, since));
    let work = at_work.map_or(String::new(), |since| {
        let since = quote::seconds(since);
        if left {
            return format!(
                "; the {how} came {since} after a message of the client as short as DISCONNECT of MQTT, after which brokers such as Mosquitto end TCP without a Close"
            );
        }
        format!("; the {how} came {since} after a message of the client, to which the server sent nothing")
    });
    let large = large(connection, end).filter(|_| by == Role::Server && doubt.is_none());
    let size = large.map_or(String::new(), |bytes| {
        format!("; the last message of the client was its longest, with {}", quote::bytes(bytes))
    });
    let before = match at_work {
        _ if left => Before::Leave,
        _ if large.is_some() && silence.is_empty() => Before::LargeMessage,
        _ if !silence.is_empty() => Before::Silence,
        Some(_) => Before::Message,
        None => Before::Traffic,
    };
    let goodbye = announced.map_or(String::new(), |(error, seen)| {
        format!(
            "; it had announced that with GOAWAY {error}{}",
            quote::before(trust::elapsed(connection, seen, end))
        )
    });
    let after = late.map_or(String::new(), |close| {
        format!(
            "; {} of the {} came after it, too late to be the reason",
            quote::close(close),
            close.from.name()
        )
    });
    // Who has only ended its own direction may still read what comes.
    let reports = match late {
        Some(close) => format!("the {} reports", close.from.name()),
        None => String::from("both programs report"),
    };
    // Gateways have such timers more often than programs, and one may stand here as the client.
    let timer_of_client = by == Role::Client && !silence.is_empty();
    let mut finding = Finding::new(
        &RULE,
        end,
        format!("{} ended {} without a Close frame", by.name(), quote::transport(connection)),
    )
    .at_most(match () {
        () if left => Severity::Info,
        () if timed || doubt.is_some() => Severity::Warning,
        () => Severity::Error,
    })
    .doubted(&doubt, Confidence::Possible)
    .confidence(if connection.ending.unseen || forgotten || timer_of_client || left {
        Confidence::Likely
    } else {
        Confidence::Certain
    })
    .origin(by)
    .blame(match () {
        () if left => Blame::Nobody,
        () if unclear || forgotten => Blame::Unknown,
        () => by.into(),
    })
    .message(format!(
        "the {} ended the session with {how}{silence}; {reports} 1006{goodbye}{work}{size}{one_sided}{why}{after}",
        by.name()
    ))
    .shows(end, format!("{how} from the {}, no Close before it in either direction", by.name()))
    .shows_all(end, doubt.into_iter().collect())
    .help(match by {
        Role::Client if timer_of_client => String::from(
            "send a Ping at half of this silence, and look for a timer of that length: in the client, such as a library that missed a Pong, or in a gateway, if one stands here as the client (proxy_read_timeout of nginx)",
        ),
        Role::Client => String::from(
            "find out why the client left without a Close: killed, closed hard, or a library that drops the connection",
        ),
        Role::Server => help(before, who_ended(context), mqtt::is_spoken(connection)),
    });
    let sign = connection.response.as_ref().and_then(|response| relay(&response.head, &response.body));
    if let (Role::Server, Some(sign), Some(response)) = (by, sign, &connection.response) {
        finding = finding.confidence(Confidence::Likely).origin(Origin::Gateway).shows(
            response.seen,
            format!(
                "a gateway stands there, which may have ended it by itself or passed on the end: {}",
                quote::short(&sign.found)
            ),
        );
    }
    // On the leg behind a gateway that is the client.
    if by == Role::Client {
        finding = behind::weigh(connection, end, quiet.filter(|quiet| *quiet >= LONG), context, finding);
    }
    if let Some((error, seen)) = announced {
        finding = finding.shows(seen, format!("GOAWAY {error} from the {}", by.name()));
    }
    let notified = connection.tls.iter().flat_map(|tls| &tls.alerts).filter(|alert| alert.description.0 == 0);
    for alert in notified.filter(|alert| alert.seen.packet <= end.packet) {
        finding = finding.shows(
            alert.seen,
            format!("TLS close_notify from the {}: its TLS was shut down in good order", alert.from.name()),
        );
    }
    for role in Role::BOTH {
        if let Some(last) = last_data(connection, role) {
            finding = finding.shows(last, format!("last data of the {}", role.name()));
        }
    }
    found.push(finding);
}

/// The GOAWAY with which a side of HTTP/2 told that it would end the connection, while it let the session go on.
fn announced(connection: &Connection, by: Role, end: Seen) -> Option<(ErrorCode, Seen)> {
    let Carrier::Http2(stream) = &connection.carrier else { return None };
    let (from, error, seen) = stream.goaway?;
    let before = from == by && seen.packet < end.packet;
    (before && connection.ending.transport != Transport::StreamReset).then_some((error, seen))
}

/// Whoever ended the session, where both legs show it: the gateway, or what stands behind it.
fn who_ended(context: &Context<'_>) -> Option<(Party, Endpoint)> {
    let legs = context.legs?;
    let verdict = ending(&legs).filter(|verdict| verdict.confidence >= Confidence::Likely)?;
    match verdict.blame {
        Party::Gateway => Some((Party::Gateway, legs.client.tcp.server)),
        Party::Upstream => Some((Party::Upstream, legs.upstream.tcp.server)),
        _ => None,
    }
}

/// What is seen just before an end of the server's side.
#[derive(Clone, Copy)]
enum Before {
    /// A silence as long as a timer waits.
    Silence,
    /// A message of the client, to which the server had sent nothing yet.
    Message,
    /// A message of the client that none before it was as long as.
    LargeMessage,
    /// What may be the client's word of leave in MQTT.
    Leave,
    /// Nothing that stands out.
    Traffic,
}

/// What to do first about an end by the server's side; `who` ended it, where both legs show that.
fn help(before: Before, who: Option<(Party, Endpoint)>, is_mqtt: bool) -> String {
    let name = who
        .map_or(String::from("the server"), |(party, endpoint)| format!("the {} {endpoint}", party.name()));
    match (before, who) {
        (Before::Leave, _) => String::from(
            "nothing to mend where the client meant to leave; see in its log whether it sent DISCONNECT",
        ),
        (Before::Silence, None) if is_mqtt => String::from(mqtt::HELP_SILENT),
        (Before::Message | Before::Traffic, None) if is_mqtt => String::from(mqtt::HELP),
        (Before::Silence, _) => format!(
            "send a Ping at half of this silence, or raise the timeout of that length on {}",
            if who.is_some() { name.as_str() } else { "the server's side" }
        ),
        (_, Some((Party::Gateway, _))) => {
            format!(
                "read the log of {name} at this second: a timer, a reload, or a limit; it ended the session by itself"
            )
        }
        (Before::LargeMessage, _) => format!(
            "compare that message with the limits of {name}: of those who send no Close above them, tungstenite (axum, warp) has max_message_size and max_frame_size, actix-ws max_frame_size, fastwebsockets set_max_message_size, libsoup max-incoming-payload-size, uWSGI websocket-max-size; then read its log at this second"
        ),
        (Before::Message, _) => format!(
            "read the log of {name} at this second for what became of that message: an exception in its handler, or a return without a Close; then look for a restart, a crash{}",
            if who.is_some() { ", or a kill" } else { ", or a proxy before it" }
        ),
        (Before::Traffic, Some(_)) => format!(
            "read the log of {name} at this second: a crash, a restart, or a handler that returned; the gateway only passed the end on"
        ),
        (Before::Traffic, None) => String::from(
            "find out what ended the connection on the server's side at this moment: a restart, a crash, or a proxy before it",
        ),
    }
}

/// Why a Close of this side may be there all the same. It would be the last that the side sent, so what the capture lacks before
/// the last frame that was read does not matter.
fn hidden(connection: &Connection, role: Role) -> Option<String> {
    let doubt = trust::doubt(connection, role)?;
    let last = connection.frames.as_ref().and_then(|frames| frames[role].last);
    let gap = connection.quality.last_gap[role];
    let before = gap.zip(last).is_some_and(|(gap, last)| gap.packet < last.packet);
    (!before || connection.quality.unseen[role] || connection.quality.bounded).then_some(doubt)
}

/// The last data of a side, or the last before the Close with which it answered the end.
fn last_data(connection: &Connection, role: Role) -> Option<Seen> {
    let late = connection.first_close(role).filter(|close| super::is_late(connection, close));
    late.and_then(|close| close.after[role]).or(connection.frames.as_ref()?[role].last)
}

/// Seconds from a message of the client, to which the server sent nothing, to the end, where they are so few that the server
/// ended while it was at work on it: servers of many frameworks do so where the handler of a message fails.
fn at_work(connection: &Connection, end: Seen, within: f64) -> Option<f64> {
    let frames = connection.frames.as_ref()?;
    let message = last_data(connection, Role::Client).filter(|_| frames.client.messages > 0)?;
    let silent = frames.server.last.is_none_or(|last| last.packet < message.packet);
    let since = trust::elapsed(connection, message, end)?;
    (silent && since < within).then_some(since)
}

/// Bytes of the client's last message, where it is a large one and the longest, and was on its way or just there at the end.
fn large(connection: &Connection, end: Seen) -> Option<u64> {
    // There may have been longer ones before the capture began.
    let frames = connection.frames.as_ref().filter(|_| connection.response.is_some())?;
    let frames = &frames.client;
    let bytes = frames.latest_message;
    let longest = bytes >= LARGE && bytes >= frames.longest_message;
    let on_its_way = frames.last.is_some_and(|last| last.packet > end.packet);
    (longest && (on_its_way || at_work(connection, end, LINGER).is_some())).then_some(bytes)
}

/// Seconds for which the client of a session that the server ended had sent nothing, where they are many.
fn silent_client(connection: &Connection, by: Role) -> Option<f64> {
    let parting = Parting::of(connection).filter(|_| by == Role::Server)?;
    parting.quiet_of(Role::Client).map(|nanos| nanos as f64 / 1e9).filter(|seconds| *seconds >= LONG)
}

/// Bytes of a message that may be above a limit: the lowest that are common.
const LARGE: u64 = 32 << 10;

/// Seconds within which a handler that fails mostly does.
const PROMPT: f64 = 0.5;

/// Seconds within which a server ends TCP that gave up on a message: actix-web looks once a second.
const LINGER: f64 = 1.2;

/// Seconds of silence that are worth a word: the shortest common timer is 30 s.
const LONG: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::connection::Carrier;
    use crate::connection::{Reset, ResetKind};
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
