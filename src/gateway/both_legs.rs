//! Who ended a session, or made its answer, where the legs on both sides of the gateway were captured: whoever acted
//! first.

use super::sign::{Proof, Sign, at_fault, first_sign, may_have_been_first};
use super::verdict::{Party, Reason, Verdict};
use crate::confidence::Confidence;
use crate::connection::{Connection, Outcome, Transport};
use crate::legs::Legs;
use crate::role::Role;

/// Who ended a session of which both legs were captured; `None` while nobody has.
///
/// The first sign of an ending, of either direction on either leg, tells: a gateway that passes an ending on is later
/// than what it passes on.
pub fn ending(legs: &Legs<'_>) -> Option<Verdict> {
    let pair = legs.pair;
    if let Some(verdict) = failed_upstream(legs) {
        return Some(verdict);
    }
    let mut signs = [
        first_sign(legs.client, Role::Client, Party::Client, |seen| seen.at),
        first_sign(legs.client, Role::Server, Party::Gateway, |seen| seen.at),
        first_sign(legs.upstream, Role::Client, Party::Gateway, |seen| legs.upstream_time(seen)),
        first_sign(legs.upstream, Role::Server, Party::Upstream, |seen| legs.upstream_time(seen)),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    // In one capture a packet's number breaks the tie of equal times.
    signs.sort_by_key(|sign| (sign.at, sign.seen.packet));
    let unsure = pair.clock.uncertainty;
    if let Some(place) = may_have_been_first(&signs, unsure) {
        signs[..=place].rotate_right(1);
    }
    let Some((first, rest)) = signs.split_first() else { return silence(legs) };
    let passed_on = rest.iter().find(|sign| sign.party != first.party);
    let (confidence, counter) = doubt(legs, first, rest, passed_on);
    let mut reasons = vec![Reason { seen: Some(first.seen), text: first.text() }];
    if let Some(later) = passed_on {
        let gap = later.at.nanos_since(first.at);
        let when = if gap < 0 { String::from("at that time") } else { format!("{} later", millis(gap)) };
        reasons.push(Reason { seen: Some(later.seen), text: format!("{} {when}", later.text()) });
    } else {
        let leg = if first.on_upstream { "client leg" } else { "upstream leg" };
        reasons.push(Reason { seen: None, text: format!("nothing ended the {leg}") });
    }
    let party = if first.proof == Proof::Foreign { Party::Network } else { first.party };
    let fault = Some(legs).filter(|_| party == Party::Gateway).and_then(at_fault);
    let blame = fault.as_ref().map_or(party, |(party, _)| *party);
    reasons.splice(0..0, fault.map(|(_, reason)| reason));
    Some(Verdict {
        origin: party,
        blame,
        confidence: confidence.min(pair.confidence),
        reasons,
        counter,
        settle: (pair.confidence < Confidence::Certain).then_some(SETTLE_PAIR),
    })
}

/// How sure it is that this sign came before the rest, and the weightiest reason why it may not have.
fn doubt(
    legs: &Legs<'_>,
    first: &Sign,
    rest: &[Sign],
    passed_on: Option<&Sign>,
) -> (Confidence, Option<Reason>) {
    let unsure = legs.pair.clock.uncertainty;
    let gap = passed_on.map(|sign| sign.at.nanos_since(first.at));
    let mut confidence = Confidence::Certain;
    let mut counter = None;
    if gap.is_some_and(|gap| gap <= unsure) && unsure > 0 {
        confidence = Confidence::Likely;
        counter = Some(Reason {
            seen: passed_on.map(|sign| sign.seen),
            text: format!("the clocks of the two captures are only known to {}", millis(unsure)),
        });
    }
    if let Some(sign) = std::iter::once(first).chain(rest).find(|sign| sign.proof == Proof::Unseen) {
        confidence = Confidence::Likely;
        counter = Some(Reason {
            seen: Some(sign.seen),
            text: format!("the capture lacks the {}, so nobody knows when it came", sign.text()),
        });
    }
    if first.proof == Proof::Foreign {
        confidence = Confidence::Likely;
    }
    if let Proof::Crossed(other) = first.proof {
        confidence = Confidence::Possible;
        counter = Some(Reason {
            seen: Some(other),
            text: String::from(
                "the FIN of the other side of this leg crossed it, so either may have been first",
            ),
        });
    }
    // What the capture lacks of one leg may be the ending that came first. A leg of which it lacks the end looks whole: where
    // nothing ended it, and packets of the other one were lost, its own end was lost, too, or is still to come.
    let (this, other) =
        if first.on_upstream { (legs.upstream, legs.client) } else { (legs.client, legs.upstream) };
    let lacks = |leg: &Connection| leg.quality.lacks_bytes();
    if lacks(other) || lacks(this) {
        confidence = Confidence::Possible;
        counter = Some(Reason {
            seen: None,
            text: String::from(if lacks(other) {
                "bytes of the other leg are missing, an earlier ending among them is possible"
            } else {
                "the capture lost packets, an earlier ending of the other leg among them is possible"
            }),
        });
    }
    let last = if first.on_upstream { other.last.at } else { legs.upstream_time(other.last) };
    if confidence == Confidence::Certain && last < first.at {
        confidence = Confidence::Likely;
        counter = Some(Reason {
            seen: Some(other.last),
            text: String::from(
                "the capture has no later packet of the other leg, so an earlier ending of it may be missing",
            ),
        });
    }
    (confidence, counter)
}

/// Who made the answer to the upgrade, and whose fault it is that there is no session; `None` where both legs show a
/// 101, or nothing.
pub fn answer(legs: &Legs<'_>) -> Option<Verdict> {
    let (client, upstream) = (legs.client, legs.upstream);
    upstream.request.as_ref()?;
    let status = |connection: &Connection| connection.response.as_ref().map(|response| response.head.status);
    let seen = |connection: &Connection| connection.response.as_ref().map(|response| response.seen);
    let (one, other) = (status(client), status(upstream));
    let (origin, blame, why) = match (one, other) {
        (Some(101), Some(101)) => return None,
        (Some(101), other) => {
            let what = other.map_or(String::from("no HTTP answer"), |other| other.to_string());
            (Party::Gateway, Party::Gateway, format!("the gateway answered 101, its upstream {what}"))
        }
        (Some(one), Some(101)) => {
            (Party::Gateway, Party::Gateway, format!("the upstream answered 101, the gateway {one}"))
        }
        (Some(one), Some(other)) if one == other => (
            Party::Upstream,
            Party::Upstream,
            format!("the upstream answered {other}, the gateway passed it on"),
        ),
        (Some(one), Some(other)) => {
            (Party::Gateway, Party::Upstream, format!("the upstream answered {other}, the gateway {one}"))
        }
        (Some(one), None) => (
            Party::Gateway,
            Party::Upstream,
            format!("the gateway answered {one} because {}", no_answer(upstream)),
        ),
        (None, _) if client.outcome == Outcome::Garbled && same_bytes(client, upstream) => {
            (Party::Upstream, Party::Upstream, String::from("the upstream sent it, the gateway passed it on"))
        }
        (None, None) if client.outcome == Outcome::Garbled => (
            Party::Gateway,
            Party::Upstream,
            format!("the gateway sent bytes that are no HTTP because {}", no_answer(upstream)),
        ),
        (None, None) if client.outcome == Outcome::Unanswered => {
            (Party::Upstream, Party::Upstream, no_answer(upstream))
        }
        _ => return None,
    };
    let quality = &upstream.quality;
    let whole = quality.missing.server == 0
        && !quality.unseen.server
        && upstream.tcp.accepted.is_some()
        && !upstream.falls_silent();
    let confidence = if whole || other.is_some() { Confidence::Certain } else { Confidence::Likely };
    let mut reasons = vec![Reason { seen: seen(upstream).or(seen(client)), text: why }];
    let asked = upstream.request.as_ref().map(|request| request.seen);
    if other.is_none() {
        reasons.push(Reason { seen: asked, text: String::from("the gateway had sent it the upgrade") });
    }
    Some(Verdict {
        origin,
        blame,
        confidence: confidence.min(legs.pair.confidence),
        reasons,
        counter: None,
        settle: (legs.pair.confidence < Confidence::Certain).then_some(SETTLE_PAIR),
    })
}

/// Whether bytes that are no HTTP came through a gateway as they were.
fn same_bytes(client: &Connection, upstream: &Connection) -> bool {
    let (Some(one), Some(other)) = (client.garbled.as_deref(), upstream.garbled.as_deref()) else {
        return false;
    };
    one.bytes.iter().zip(&other.bytes).all(|(one, other)| one == other)
}

/// The gateway gave the client a session, and its own attempt at the upstream came to nothing: it spoke, the upstream
/// is the cause.
fn failed_upstream(legs: &Legs<'_>) -> Option<Verdict> {
    let (client, upstream) = (legs.client, legs.upstream);
    let session = matches!(client.outcome, Outcome::Established | Outcome::Invalid);
    // Of a 101 that does not answer its request nothing can be used, and who sees that leaves without a frame.
    let useless = upstream.outcome == Outcome::Invalid
        && upstream.frames.as_ref().is_none_or(|frames| frames.client.first.is_none())
        && upstream.ending.by.is_some_and(|(by, _)| by == Role::Client);
    let failed =
        matches!(upstream.outcome, Outcome::Rejected | Outcome::Garbled | Outcome::Unanswered) || useless;
    let asked = upstream.request.as_ref()?.seen;
    let end = first_sign(client, Role::Server, Party::Gateway, |seen| seen.at)?;
    let clients = first_sign(client, Role::Client, Party::Client, |seen| seen.at);
    if !session || !failed || clients.is_some_and(|clients| clients.at < end.at) {
        return None;
    }
    // Of an upstream leg that stays open without an answer, or of which the server's first packets are missing, the capture
    // may lack the answer.
    let open = upstream.ending.by.is_none() || upstream.tcp.accepted.is_none();
    let most = match (upstream.outcome, upstream.ending.by) {
        (Outcome::Unanswered, _) if open => Confidence::Possible,
        (Outcome::Unanswered, Some((Role::Client, _))) => Confidence::Likely,
        _ => Confidence::Certain,
    };
    let shown = upstream.response.as_ref().map(|response| response.seen);
    let shown = shown.or(upstream.garbled.as_deref().map(|garbled| garbled.seen)).unwrap_or(asked);
    Some(Verdict {
        origin: Party::Gateway,
        blame: Party::Upstream,
        confidence: legs.pair.confidence.min(most),
        reasons: vec![
            Reason { seen: Some(shown), text: no_answer(upstream) },
            Reason { seen: Some(end.seen), text: end.text() },
        ],
        counter: None,
        settle: (legs.pair.confidence < Confidence::Certain).then_some(SETTLE_PAIR),
    })
}

/// Why an upgrade that a gateway sent got it no session.
fn no_answer(upstream: &Connection) -> String {
    let how = if upstream.ending.transport == Transport::Reset { "RST" } else { "FIN" };
    match (&upstream.response, upstream.outcome, upstream.ending.by) {
        (Some(_), Outcome::Invalid, _) => String::from("the upstream's 101 does not answer its request"),
        (Some(response), _, _) => format!("the upstream answered {}", response.head.status),
        (None, Outcome::Garbled, _) => {
            String::from(if upstream.garbled.as_deref().is_some_and(|garbled| garbled.unfinished) {
                "the upstream's answer breaks off in its head"
            } else {
                "the upstream answered with bytes that are no HTTP"
            })
        }
        (None, _, Some((Role::Server, _))) => {
            format!("the upstream ended TCP with {how} in place of an answer")
        }
        _ => String::from("the upstream gave no answer"),
    }
}

/// Nobody ended it: where one leg only was left with data that nothing acknowledged, the network lost it.
fn silence(legs: &Legs<'_>) -> Option<Verdict> {
    let lost = |connection: &Connection| {
        Role::BOTH
            .iter()
            .filter_map(|&role| connection.tcp.repeats[role].as_deref().copied())
            .find(|repeats| repeats.count >= 3 && repeats.span.nanos() >= LOST)
    };
    let (leg, repeats) = match (lost(legs.client), lost(legs.upstream)) {
        (Some(repeats), None) => ("client leg", repeats),
        (None, Some(repeats)) => ("upstream leg", repeats),
        _ => return None,
    };
    let text =
        format!("the same bytes were sent {} times more on the {leg}, and nothing came back", repeats.count);
    Some(Verdict {
        origin: Party::Network,
        blame: Party::Network,
        confidence: Confidence::Likely.min(legs.pair.confidence),
        reasons: vec![Reason { seen: Some(repeats.span.until), text }],
        counter: None,
        settle: Some("a capture at the other end of that leg"),
    })
}

/// Nanoseconds of repeating from which bytes count as lost.
const LOST: i64 = 3_000_000_000;

fn millis(nanos: i64) -> String {
    format!("{:.1} ms", nanos as f64 / 1e6)
}

const SETTLE_PAIR: &str =
    "a capture in which a key or a trace identifier shows that the two legs belong together";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{FirstEnd, Garbled, Reset, ResetKind};
    use crate::role::Role::{Client, Server};
    use crate::rules::Blame;
    use crate::rules::testing::{ANSWER, REQUEST, Scene, both};
    use crate::time::Timestamp;
    use crate::websocket::Violation;

    fn ended(client: Scene, upstream: Scene) -> Verdict {
        both(client, upstream).legs(ending).unwrap()
    }

    fn leg() -> Scene {
        Scene::tcp().request(REQUEST).answer(ANSWER, "").messages(Client, 1)
    }

    #[test]
    fn a_101_that_a_gateway_cannot_use_is_a_failed_upstream() {
        let useless = |c: &mut Connection| c.outcome = Outcome::Invalid;
        let upstream = || Scene::tcp().request(REQUEST).answer(ANSWER, "").with(useless).fin(Client);
        let verdict = ended(leg().after(0.05).close(Server, 1011, ""), upstream());
        assert_eq!((verdict.origin, verdict.blame), (Party::Gateway, Party::Upstream));
        assert_eq!(verdict.reasons[0].text, "the upstream's 101 does not answer its request");
        // Who goes on with it took it for an answer.
        let verdict = ended(leg().after(0.05).close(Server, 1011, ""), leg().with(useless).fin(Client));
        assert_eq!(verdict.blame, Party::Gateway);
    }

    #[test]
    fn a_gateway_that_refuses_a_broken_frame_ends_the_session_for_its_sender() {
        let broken = || leg().anomaly(Server, Violation::ReservedOpcode(3), b"\x83");
        for client in [leg().after(0.05).fin(Server), leg().after(0.05).close(Server, 1000, "bad opcode 3")] {
            let verdict = ended(client, broken().close(Client, 1002, ""));
            assert_eq!((verdict.origin, verdict.blame), (Party::Gateway, Party::Upstream));
            assert!(verdict.reasons[0].text.contains("a frame of the upstream"), "{verdict:?}");
        }
        let verdict = ended(leg().after(0.05).fin(Server), leg().close(Client, 1002, ""));
        assert_eq!(verdict.blame, Party::Gateway);
    }

    #[test]
    fn who_is_first_on_any_leg_ended_it() {
        let late = || leg().after(0.05);
        let cases = [
            (late().fin(Server), leg().fin(Server), Party::Upstream),
            (leg().reset(Client), late().fin(Client), Party::Client),
            (leg().fin(Server), late().messages(Server, 1), Party::Gateway),
            (late().messages(Client, 1), leg().fin(Client), Party::Gateway),
            (late().close(Server, 1001, ""), leg().reset(Server), Party::Upstream),
            (leg().fin(Server), late().fin(Client), Party::Gateway),
        ];
        for (client, upstream, origin) in cases {
            let verdict = ended(client, upstream);
            assert_eq!((verdict.origin, verdict.confidence), (origin, Confidence::Certain), "{verdict:?}");
            assert!(!verdict.reasons.is_empty() && verdict.reasons[0].seen.is_some());
        }
    }

    #[test]
    fn a_fin_that_the_capture_lacks_may_have_been_first() {
        let unseen = |c: &mut Connection| c.ending.first = FirstEnd::Unseen;
        // The gateway acknowledges the upstream's FIN only with its own one there.
        let verdict = ended(leg().fin(Server), leg().after(0.05).fin(Server).with(unseen));
        assert_eq!(
            (verdict.origin, verdict.confidence),
            (Party::Upstream, Confidence::Likely),
            "{verdict:?}"
        );
        assert!(verdict.counter.unwrap().text.starts_with("the capture lacks the FIN from the upstream"));
        let verdict = ended(leg().after(0.05).fin(Server).with(unseen), leg().fin(Server));
        assert_eq!((verdict.origin, verdict.confidence), (Party::Upstream, Confidence::Likely));
    }

    #[test]
    fn of_fins_that_crossed_either_may_have_been_first() {
        let crossed = |c: &mut Connection| c.ending.first = FirstEnd::Crossed(c.last);
        let verdict = ended(leg().after(0.05).fin(Server), leg().fin(Server).with(crossed));
        assert_eq!((verdict.origin, verdict.confidence), (Party::Upstream, Confidence::Possible));
        assert!(verdict.counter.unwrap().text.contains("crossed it"));
        // How a leg ended that only passed it on does not matter.
        let verdict = ended(leg().after(0.05).fin(Server).with(crossed), leg().fin(Server));
        assert_eq!(verdict.confidence, Confidence::Certain);
    }

    #[test]
    fn a_reset_in_the_name_of_an_endpoint_is_the_networks() {
        let reset = |ttl| {
            leg().reset(Server).with(|c: &mut Connection| {
                let (usual_ttl, kind) = (Some(57), ResetKind::Abort);
                c.tcp.reset =
                    c.ending.by.map(|(from, seen)| Box::new(Reset { from, seen, ttl, usual_ttl, kind }));
            })
        };
        let told = |ttl| ended(leg().after(0.05).fin(Server), reset(ttl));
        assert_eq!((told(57).blame, told(57).confidence), (Party::Upstream, Confidence::Certain));
        let verdict = told(200);
        assert_eq!((verdict.origin, verdict.blame), (Party::Network, Party::Network));
        assert_eq!(verdict.confidence, Confidence::Likely);
        let text = &verdict.reasons[0].text;
        assert_eq!(
            text,
            "RST with time to live 200, expected 57, in the name of the upstream on the upstream leg"
        );
        let finding = both(leg().after(0.05).fin(Server), reset(200)).finds("closed-without-close-frame");
        assert_eq!((finding.blame, finding.confidence), (Blame::Network, Confidence::Likely));
    }

    #[test]
    fn a_reload_of_caddy_is_the_gateways() {
        // Worked example: 1001 on both legs within a millisecond, masked upstream.
        let verdict = ended(leg().close(Server, 1001, ""), leg().after(0.001).close(Client, 1001, ""));
        assert_eq!((verdict.origin, verdict.blame), (Party::Gateway, Party::Gateway));
    }

    #[test]
    fn a_gateway_that_reports_a_failed_upstream_is_not_the_cause() {
        let upstream = Scene::tcp().request(REQUEST).fin(Server);
        let verdict = ended(leg().close(Server, 1014, "upstream"), upstream);
        assert_eq!((verdict.origin, verdict.blame), (Party::Gateway, Party::Upstream));
    }

    #[test]
    fn bytes_that_are_no_http_are_the_gateways_where_the_upstream_sent_others() {
        let said = |bytes: &'static [u8]| {
            Scene::tcp().request(REQUEST).with(move |leg| {
                let (seen, bytes) = (leg.last, bytes.into());
                leg.garbled = Some(Box::new(Garbled { seen, bytes, unfinished: false }));
                leg.outcome = Outcome::Garbled;
            })
        };
        let made = |client, upstream| both(said(client), said(upstream)).legs(answer).unwrap();
        let verdict = made(b"SSH-2.0", b"SSH-2.0-OpenSSH");
        assert_eq!((verdict.origin, verdict.blame), (Party::Upstream, Party::Upstream));
        let verdict = made(b"Error occurred", b"SSH-2.0-OpenSSH");
        assert_eq!((verdict.origin, verdict.blame), (Party::Gateway, Party::Upstream));
        assert!(
            verdict.reasons[0].text.contains("because the upstream answered with bytes that are no HTTP")
        );
    }

    #[test]
    fn missing_bytes_of_the_other_leg_leave_a_doubt() {
        let verdict = ended(leg().fin(Server), leg().gap(Server));
        assert_eq!((verdict.origin, verdict.confidence), (Party::Gateway, Confidence::Possible));
        assert!(verdict.counter.unwrap().text.contains("missing"));
    }

    #[test]
    fn a_leg_that_looks_open_in_a_capture_that_lost_packets_may_have_been_ended() {
        let verdict = ended(leg().gap(Client).fin(Server), leg());
        assert_eq!((verdict.origin, verdict.confidence), (Party::Gateway, Confidence::Possible));
        assert!(verdict.counter.unwrap().text.contains("the capture lost packets"));
    }

    #[test]
    fn a_leg_of_which_nothing_was_captured_since_may_have_been_ended_before() {
        for (client, upstream) in [(leg().fin(Server), leg()), (leg(), leg().fin(Client))] {
            let verdict = ended(client, upstream);
            assert_eq!((verdict.origin, verdict.confidence), (Party::Gateway, Confidence::Likely));
            assert!(verdict.counter.unwrap().text.contains("no later packet"));
        }
    }

    #[test]
    fn clocks_that_may_disagree_by_more_than_the_gap_leave_a_doubt() {
        let verdict = both(leg().after(0.005).fin(Server), leg().fin(Server)).legs(|legs| {
            let mut pair = legs.pair.clone();
            pair.clock.uncertainty = 50_000_000;
            ending(&Legs { pair: &pair, ..*legs })
        });
        assert_eq!(verdict.unwrap().confidence, Confidence::Likely);
    }

    #[test]
    fn an_endpoint_that_may_have_been_first_was_not_ended_by_the_gateway() {
        let verdict = |client: Scene, uncertainty| {
            both(client, leg().fin(Client)).legs(|legs| {
                let mut pair = legs.pair.clone();
                pair.clock.uncertainty = uncertainty;
                ending(&Legs { pair: &pair, ..*legs }).unwrap()
            })
        };
        let late = || leg().after(0.005);
        let found = verdict(late().reset(Client), 50_000_000);
        assert_eq!((found.origin, found.confidence), (Party::Client, Confidence::Likely));
        assert!(found.reasons[1].text.ends_with("at that time"), "{:?}", found.reasons);
        assert_eq!(verdict(late().reset(Client), 1_000_000).origin, Party::Gateway);
        // Here the gateway ended that leg as well.
        assert_eq!(verdict(late().fin(Server), 50_000_000).origin, Party::Gateway);
    }

    #[test]
    fn a_match_that_is_only_possible_caps_the_verdict() {
        let verdict = both(leg().fin(Server), leg()).legs(|legs| {
            let mut pair = legs.pair.clone();
            pair.confidence = Confidence::Possible;
            ending(&Legs { pair: &pair, ..*legs })
        });
        let verdict = verdict.unwrap();
        assert_eq!((verdict.confidence, verdict.settle), (Confidence::Possible, Some(SETTLE_PAIR)));
    }

    #[test]
    fn an_open_session_has_no_verdict_and_lost_bytes_are_the_networks() {
        assert_eq!(both(leg(), leg()).legs(ending), None);
        let lost = leg().with(|connection| {
            let (from, mut until) = (connection.first, connection.last);
            until.at = Timestamp::from_nanos(from.at.as_nanos() + 240_000_000_000);
            let span = crate::connection::Span { from, until };
            connection.tcp.repeats[Client] = Some(Box::new(crate::connection::Repeats { count: 6, span }));
        });
        assert_eq!(ended(lost, leg()).origin, Party::Network);
    }

    #[test]
    fn whose_answer_it_is_shows_on_both_legs() {
        let refused = |status: &str| Scene::answered(&format!("HTTP/1.1 {status}\r\n"), "");
        let answers = |client, upstream| both(client, upstream).legs(answer).unwrap();
        let cases = [
            (refused("403 Forbidden"), refused("403 Forbidden"), Party::Upstream, Party::Upstream),
            (
                refused("502 Bad Gateway"),
                Scene::tcp().request(REQUEST).reset(Server),
                Party::Gateway,
                Party::Upstream,
            ),
            (refused("502 Bad Gateway"), leg(), Party::Gateway, Party::Gateway),
            (leg(), refused("200 OK"), Party::Gateway, Party::Gateway),
        ];
        for (client, upstream, origin, blame) in cases {
            let verdict = answers(client, upstream);
            assert_eq!((verdict.origin, verdict.blame), (origin, blame), "{verdict:?}");
        }
        assert_eq!(both(leg(), leg()).legs(answer), None);
    }
}
