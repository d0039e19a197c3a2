//! What about a connection makes a rule worth asking: most connections are in order, and most rules need not look.

use super::context::Context;
use super::{RULES, Rule, trust};
use crate::capture::PacketId;
use crate::connection::{Carrier, CloseState, Connection, FrameFacts, Outcome, Request, Response};
use crate::http::is_base64;
use crate::role::Role;

/// Something that a rule needs to see before it can have anything to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cue {
    /// A request that is not as every client library writes it.
    Request,
    /// No answer, a refusal, or an acceptance that is not as every server library writes it.
    Answer,
    /// Request and answer more than a second apart.
    SlowAnswer,
    /// `Sec-WebSocket-Extensions` in the request or in the answer.
    Extension,
    /// `Sec-WebSocket-Protocol` in the request or in the answer.
    Subprotocol,
    /// A frame with RSV1.
    Compressed,
    /// A violation of the framing, or a curiosity.
    Anomaly,
    /// A Close with another code than 1000, or with a payload that is no code.
    Close,
    /// No Close, or one that was not answered.
    Abrupt,
    /// The server's side gave the session up first.
    ServerLeft,
    /// TCP went on for more than a second after the last Close.
    Lingering,
    /// A second in which neither side sent payload.
    Silence,
    /// A ping without its pong.
    Ping,
    /// A closed window, a reset, or an ICMP error.
    Transport,
    /// The capture lacks some of it.
    Incomplete,
    /// It ran over HTTP/2.
    Http2,
    /// Masking keys that may follow a pattern.
    Masks,
    /// It is TLS that no key opened, so that nothing but its records and TCP can be judged.
    Sealed,
    /// It is the client's leg of a session of which the capture has the other leg.
    Legs,
    /// The run demands something of sessions.
    Demand,
    /// Some key of the run was sent more than once.
    Reuse,
    /// Some client of the run came back after a failure.
    Retries,
    /// Some TCP connection of the run carried nothing.
    Unused,
}

/// A set of cues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cues(u32);

impl Cues {
    /// No need to see anything: such a rule is asked of whatever can be read.
    pub const ALWAYS: Cues = Cues(!(1 << Cue::Sealed as u32));

    /// What even a connection in good order shows, so that a rule without a need meets it.
    const NOTHING: Cues = Cues(1 << 31);

    /// Any of these.
    pub(super) const fn any(cues: &[Cue]) -> Cues {
        let (mut set, mut at) = (0, 0);
        while at < cues.len() {
            set |= 1 << cues[at] as u32;
            at += 1;
        }
        Cues(set)
    }

    /// Whether one of these is among the others.
    pub(super) const fn meet(self, others: Cues) -> bool {
        self.0 & others.0 != 0
    }

    /// Whether this is one of them.
    pub(super) const fn has(self, cue: Cue) -> bool {
        self.0 >> cue as u32 & 1 == 1
    }

    /// The rules that are asked on one of these, in their order.
    pub(super) fn asked(self) -> impl Iterator<Item = &'static Rule> {
        let (mut cues, mut asked) = (self.0, 0);
        while cues != 0 {
            asked |= ASKED[cues.trailing_zeros() as usize];
            cues &= cues - 1;
        }
        std::iter::from_fn(move || {
            let at = asked.trailing_zeros();
            asked &= asked.wrapping_sub(1);
            RULES.get(at as usize).copied()
        })
    }

    /// What there is to see of a connection by itself.
    pub fn of(connection: &Connection) -> Cues {
        let mut seen = Cues::NOTHING;
        let mut note = |cue: Cue, is_so: bool| seen.0 |= u32::from(is_so) << cue as u32;
        let (request, response) = (connection.request.as_ref(), connection.response.as_ref());
        let (heads, closes) = (request.zip(response), &connection.closes);
        let agreed = connection.outcome == Outcome::Established;
        note(Cue::Request, request.is_none_or(|request| !is_plain_request(request)));
        note(
            Cue::Answer,
            !agreed || heads.is_none_or(|(request, response)| !is_plain_answer(request, response)),
        );
        note(
            Cue::SlowAnswer,
            heads.is_some_and(|(asked, answer)| answer.seen.at.nanos_since(asked.seen.at) > SECOND),
        );
        let has = |name| {
            request.is_some_and(|request| request.head.head.field(name).is_some())
                || response.is_some_and(|response| response.head.head.field(name).is_some())
        };
        note(Cue::Extension, has("sec-websocket-extensions"));
        note(Cue::Subprotocol, has("sec-websocket-protocol"));
        note(Cue::Anomaly, !connection.anomalies.is_empty());
        note(
            Cue::Close,
            closes.iter().any(|close| {
                let is_normal = close.code == Some(1000) || close.len == 0 && close.code.is_none();
                !is_normal || super::close::names_failure(close)
            }),
        );
        note(Cue::Abrupt, connection.ending.close != Some(CloseState::Clean));
        let ended = connection.ending.by;
        let parting = connection.parting_close().map(|close| close.from).or(ended.map(|(by, _)| by));
        note(Cue::ServerLeft, parting == Some(Role::Server));
        let lingers = ended
            .zip(closes.last())
            .is_some_and(|((_, end), last)| end.at.nanos_since(last.seen.at) > SECOND);
        note(Cue::Lingering, lingers);
        note(Cue::Silence, connection.silence.is_some_and(|silence| silence.nanos() >= SECOND));
        let over = connection.closes.first().map(|close| close.seen);
        let over = over.or(connection.ending.by.map(|(_, seen)| seen)).map(|seen| seen.packet);
        for role in Role::BOTH {
            let frames = connection.frames.as_ref().map(|frames| &frames[role]);
            note(Cue::Compressed, frames.is_some_and(|frames| frames.compressed > 0));
            note(Cue::Ping, frames.is_some_and(|frames| is_unanswered(frames, over)));
            note(Cue::Transport, connection.tcp.stall[role].is_some());
            note(Cue::Transport, !connection.tcp.undelivered[role].is_empty());
            note(Cue::Incomplete, trust::is_doubtful(connection, role));
        }
        note(Cue::Transport, connection.tcp.reset.is_some());
        note(Cue::Sealed, connection.outcome == Outcome::Encrypted);
        note(Cue::Http2, connection.carrier != Carrier::Http1);
        note(
            Cue::Masks,
            connection.frames.as_ref().is_some_and(|frames| may_follow_a_pattern(&frames.client)),
        );
        seen
    }

    /// The same, and what there is to see around it.
    pub(super) fn within(self, context: &Context<'_>) -> Cues {
        let mut seen = self;
        let mut note = |cue: Cue, is_so: bool| seen.0 |= u32::from(is_so) << cue as u32;
        note(Cue::Legs, context.legs.is_some());
        note(Cue::Demand, context.selection.demands());
        note(Cue::Reuse, context.census.has_reuse());
        note(Cue::Retries, context.census.has_retries());
        note(Cue::Unused, !context.unused.is_empty());
        seen
    }
}

/// Whether nothing about a request of HTTP/1.1 is worth a word but its extensions and subprotocols.
fn is_plain_request(request: &Request) -> bool {
    let head = &request.head.head;
    head.oddities().is_empty()
        && request.early_data.is_none()
        && request.head.method == "GET"
        && request.head.version == Some((1, 1))
        && head.field("host").is_some()
        && head.names_websocket()
        && head.names_upgrade()
        && request.version.as_deref() == Some("13")
        && head.count("sec-websocket-version") == 1
        && request.key.as_ref().is_some_and(|key| looks_random(key.as_bytes()))
        && head.count("sec-websocket-key") == 1
        && !announces_body(head)
}

/// The same of a 101 that is valid as an answer to its request.
fn is_plain_answer(request: &Request, response: &Response) -> bool {
    let head = &response.head.head;
    head.oddities().is_empty()
        && response.head.status == 101
        && response.head.version == Some((1, 1))
        && head.count("connection") == 1
        && head.field("connection").is_some_and(|value| value.eq_ignore_ascii_case(b"upgrade"))
        && request.head.head.field("upgrade").is_some()
        && response.accept_valid == Some(true)
        && !announces_body(head)
}

/// Whether a key is 16 bytes in base64 by its looks (RFC 6455 §4.1).
fn looks_random(key: &[u8]) -> bool {
    key.len() == 24
        && key.ends_with(b"==")
        && is_base64(key)
        && !key[..22].contains(&b'=')
        && matches!(key[21], b'A' | b'Q' | b'g' | b'w')
}

/// Whether masking keys are zero or repeat, or the first two steps between them are equal.
fn may_follow_a_pattern(frames: &FrameFacts) -> bool {
    let mut masks = frames.opening.iter().filter_map(|frame| frame.mask).map(u32::from_be_bytes);
    let counts = match (masks.next(), masks.next(), masks.next()) {
        (Some(one), Some(next), Some(third)) => next.wrapping_sub(one) == third.wrapping_sub(next),
        _ => false,
    };
    counts || frames.mask_zero > 0 || frames.mask_repeats > 0
}

fn announces_body(head: &crate::http::Head) -> bool {
    head.field("content-length").is_some() || head.field("transfer-encoding").is_some()
}

/// For the bit of each cue the rules that are asked on it, a bit for the place of each in [`RULES`]: a connection in good
/// order is not held against rule after rule.
static ASKED: [u128; 32] = {
    let mut asked = [0; 32];
    let mut at = 0;
    while at < RULES.len() {
        let mut bit = 0;
        while bit < asked.len() {
            if RULES[at].asked_on.0 >> bit & 1 == 1 {
                asked[bit] |= 1_u128 << at;
            }
            bit += 1;
        }
        at += 1;
    }
    asked
};

const SECOND: i64 = 1_000_000_000;

/// Whether a ping of it had no pong, or had it only after the session was over.
fn is_unanswered(frames: &FrameFacts, over: Option<PacketId>) -> bool {
    let pings = frames.pings();
    let late = pings.slowest_answer.zip(over).is_some_and(|(answer, over)| over < answer.until.packet);
    pings.unanswered.is_some() || late
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::Scene;

    fn asked(scene: Scene) -> Vec<&'static str> {
        let seen = Cues::of(&scene.build()).within(&Context::alone());
        seen.asked().map(|rule| rule.name).collect()
    }

    #[test]
    fn of_a_session_in_good_order_only_what_concerns_the_run_is_asked() {
        let plain = Scene::session("", "").messages(Role::Client, 3).messages(Role::Server, 3);
        let closed = plain.close(Role::Client, 1000, "").close(Role::Server, 1000, "").fin(Role::Server);
        assert_eq!(asked(closed), ["capture-encrypted", "too-few-connections"]);
    }

    #[test]
    fn a_fault_wakes_the_rules_on_it_and_no_others() {
        let refused = asked(Scene::answered("HTTP/1.1 502 Bad Gateway\r\n", ""));
        assert!(refused.contains(&"gateway-error-before-upgrade") && !refused.contains(&"ping-unanswered"));
        let closed = Scene::session("", "").close(Role::Server, 1014, "").close(Role::Client, 1014, "");
        let closed = asked(closed.fin(Role::Server));
        assert!(closed.contains(&"close-1014-bad-gateway") && !closed.contains(&"response-not-101"));
    }

    #[test]
    fn exactly_the_rules_that_need_a_cue_or_none_are_asked_on_it_in_their_order() {
        for bit in 0..32 {
            let cues = Cues(1 << bit | Cues::NOTHING.0);
            let wanted = RULES.iter().filter(|rule| rule.asked_on.meet(cues)).map(|rule| rule.name);
            let asked = cues.asked().map(|rule| rule.name);
            assert_eq!(asked.collect::<Vec<_>>(), wanted.collect::<Vec<_>>(), "bit {bit}");
        }
    }

    #[test]
    fn every_cue_has_a_bit_of_its_own() {
        assert!((Cue::Unused as u32) < 31, "the last bit is taken");
    }
}
