use crate::capture::Seen;
use crate::connection::{Close, Connection, Outcome};
use crate::legs::Legs;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Confidence, Context, Finding, Origin, Severity, pair, quote, trust};
use crate::websocket::{CloseClass, close_class};

rule! {
    /// # What it finds
    /// A Close that changed its code or reason on its way through a gateway, or that the gateway kept to itself and ended TCP
    /// in its place.
    ///
    /// # Why it matters
    /// The receiver reacts to something that nobody said: it reconnects after a refusal, or gives up after a restart. Where no
    /// Close comes it reports 1006, as if the connection had broken.
    ///
    /// # What causes it
    /// A gateway that speaks WebSocket itself and maps codes, because its library does not know them or because it only
    /// passes on that the other leg ended.
    ///
    /// # How to fix
    /// Hand code and reason through. Where the other leg ended without a code (1005) close without one; where it broke
    /// (1006) close with 1011 or 1014.
    ///
    /// # What it does not report
    /// Two Closes that crossed each other, and a reason that was only cut at 123 bytes. A Close that must not be sent as it
    /// is: a gateway that refuses it does right. A Close that only changed is a warning.
    pub static RULE = "WS-GW-008" "close-rewritten-between-legs" {
        severity: Error, category: Gateway, reference: "RFC 6455 §5.5.1, §7.1.5",
        explains: ["close-going-away", "close-internal-error", "close-restart-or-overload", "close-application-code", "closed-without-close-frame"], asked_on: [Legs], check: Check::InContext(check),
    }
}

fn check(_: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(legs) = context.legs else { return };
    found.extend(kept_back(&legs));
    let Some((from, sent, received)) = passed(&legs)
        .filter(|(_, sent, received)| !same(sent, received) && may_be_sent(sent))
        .filter(|&(from, sent, received)| came_first(&legs, from, sent, received))
    else {
        return;
    };
    // What looks like the first Close may be the answer to one that the capture lacks.
    let doubt = [legs.client, legs.upstream].into_iter().find_map(|leg| trust::doubt(leg, from.other()));
    let (sender, receiver) = names(from);
    found.push(
        pair::about(&RULE, &legs, received.seen, "gateway changed a Close")
            .at_most(Severity::Warning)
            .doubted(&doubt, Confidence::Possible)
            .origin(Origin::Gateway)
            .blame(Blame::Gateway)
            .message(format!(
                "the {sender} sent {}, and the {receiver} received {}",
                quote::close(sent),
                quote::close(received)
            ))
            .shows(sent.seen, format!("{sender} sends {}", quote::close(sent)))
            .shows(received.seen, format!("gateway sends the {receiver} {}", quote::close(received)))
            .help("let the gateway pass code and reason of a Close on as they are"),
    );
}

/// A Close that began the closing handshake on one leg, in whose place the gateway ended TCP on the other one.
fn kept_back(legs: &Legs<'_>) -> Option<Finding> {
    let (from, sent, leg) = match (legs.client.closes.first(), legs.upstream.closes.first()) {
        (None, Some(sent)) if sent.from == Role::Server => (Role::Server, sent, legs.client),
        (Some(sent), None) if sent.from == Role::Client => (Role::Client, sent, legs.upstream),
        _ => return None,
    };
    let (by, end) = leg.ending.by?;
    let told = by == from && leg.frames.is_some() && leg.outcome == Outcome::Established;
    let whole = [legs.client, legs.upstream]
        .iter()
        .all(|leg| Role::BOTH.iter().all(|&role| trust::doubt(leg, role).is_none()));
    if !told || !whole || !may_be_sent(sent) || !follows(legs, from, sent.seen, end) {
        return None;
    }
    let (sender, receiver) = names(from);
    let (how, carried) =
        (quote::ending(leg), if from == Role::Server { "client leg" } else { "upstream leg" });
    Some(
        pair::about(&RULE, legs, end, "gateway kept a Close to itself")
            .origin(Origin::Gateway)
            .blame(Blame::Gateway)
            .message(format!(
                "the {sender} sent {}, and the {receiver} received no Close: the gateway ended TCP with {how} in its place, which shows there as 1006",
                quote::close(sent)
            ))
            .shows(sent.seen, format!("{sender} sends {}", quote::close(sent)))
            .shows(end, format!("{carried}: {how} from the gateway, no Close before it"))
            .help("let the gateway pass code and reason of a Close on, before it ends TCP"),
    )
}

/// Who sent, and who should have received.
const fn names(from: Role) -> (&'static str, &'static str) {
    match from {
        Role::Server => ("upstream", "client"),
        Role::Client => ("client", "upstream"),
    }
}

/// The Close that began the closing handshake on both legs, as it was sent and as it arrived.
fn passed<'a>(legs: &Legs<'a>) -> Option<(Role, &'a Close, &'a Close)> {
    let (one, other) = (legs.client.closes.first()?, legs.upstream.closes.first()?);
    match (one.from, other.from) {
        (Role::Client, Role::Client) => Some((Role::Client, one, other)),
        (Role::Server, Role::Server) => Some((Role::Server, other, one)),
        _ => None,
    }
}

/// Whether a Close was sent before the other leg got what is said to have become of it.
fn came_first(legs: &Legs<'_>, from: Role, sent: &Close, received: &Close) -> bool {
    follows(legs, from, sent.seen, received.seen)
}

/// Whether something on the leg of the receiver came after something on that of the sender.
fn follows(legs: &Legs<'_>, from: Role, sent: Seen, received: Seen) -> bool {
    let (sent, received) = match from {
        Role::Client => (sent.at, legs.upstream_time(received)),
        Role::Server => (legs.upstream_time(sent), received.at),
    };
    received.nanos_since(sent) >= -legs.pair.clock.uncertainty
}

/// Whether a Close is one that a gateway can pass on.
fn may_be_sent(close: &Close) -> bool {
    close.odd.is_empty() && close.code.is_none_or(|code| close_class(code) == CloseClass::Sendable)
}

/// Whether two Closes say the same, the second perhaps with less of the reason.
fn same(sent: &Close, received: &Close) -> bool {
    let cut = !received.reason.is_empty() && sent.reason.starts_with(received.reason.as_str());
    sent.code == received.code && (sent.reason == received.reason || cut)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{Scene, both};
    use crate::rules::{Blame, Confidence, Finding};

    fn legs(sent: (u16, &str), received: (u16, &str)) -> (Scene, Scene) {
        let leg = |(code, reason): (u16, &str), wait| {
            Scene::session("", "").after(wait).close(Server, code, reason).close(Client, code, reason)
        };
        (leg(received, 0.01), leg(sent, 0.0))
    }

    #[test]
    fn both_codes_are_told() {
        let (client, upstream) = legs((4403, "forbidden"), (1011, ""));
        let finding: Finding = both(client, upstream).finds(RULE.name);
        assert!(finding.blame == Blame::Gateway && finding.message.contains("4403"), "{}", finding.message);
    }

    #[test]
    fn a_close_in_whose_place_tcp_was_ended_is_the_gateways() {
        let leg = || Scene::session("", "").messages(Client, 1);
        let closed = || leg().close(Server, 1009, "too big").close(Client, 1009, "").fin(Server);
        let (findings, _) = both(leg().after(0.01).fin(Server), closed()).findings();
        let finding = findings.iter().find(|finding| finding.rule.name == RULE.name).unwrap();
        assert_eq!((finding.blame, finding.confidence), (Blame::Gateway, Confidence::Certain));
        assert!(finding.message.contains("the client received no Close"), "{}", finding.message);
        assert_eq!(finding.consequences[0].rule.name, "closed-without-close-frame");
        let left = || leg().close(Client, 4000, "bye").fin(Client);
        both(left(), leg().after(0.01).fin(Client)).finds(RULE.name);
        // A gateway that had ended the session before, a client that left by itself, and bytes that the capture lacks.
        both(leg().fin(Server), leg().after(0.01).close(Server, 1001, "")).silent(RULE.name);
        both(leg().after(0.01).fin(Client), closed()).silent(RULE.name);
        both(leg().after(0.01).gap(Server).fin(Server), closed()).silent(RULE.name);
    }

    #[test]
    fn the_same_a_shorter_reason_and_crossed_closes_are_silent() {
        for (sent, received) in [((1000, "bye"), (1000, "bye")), ((1000, "goodbye"), (1000, "good"))] {
            let (client, upstream) = legs(sent, received);
            both(client, upstream).silent(RULE.name);
        }
        let crossed = both(
            Scene::session("", "").close(Client, 1000, ""),
            Scene::session("", "").close(Server, 1001, ""),
        );
        crossed.silent(RULE.name);
    }

    #[test]
    fn what_was_sent_only_afterwards_was_not_passed_on() {
        let (client, upstream) = legs((1002, "no mask"), (1002, ""));
        both(client.after(1.0), upstream).finds(RULE.name);
        let late = |wait, reason| Scene::session("", "").after(wait).close(Client, 1002, reason);
        both(late(1.0, ""), late(0.5, "no mask")).silent(RULE.name);
        both(late(0.5, ""), late(1.0, "no mask")).finds(RULE.name);
    }

    #[test]
    fn an_answer_to_what_the_capture_lacks_may_look_like_the_first_one() {
        let (client, upstream) = legs((4403, "forbidden"), (1011, ""));
        let sure = |client| both(client, legs((4403, "forbidden"), (1011, "")).1).finds(RULE.name).confidence;
        assert_eq!(both(client, upstream).finds(RULE.name).confidence, Confidence::Certain);
        assert_eq!(sure(legs((4403, "forbidden"), (1011, "")).0.unseen(Client)), Confidence::Possible);
    }

    #[test]
    fn a_close_that_must_not_be_sent_is_rightly_not_passed_on() {
        let passed = |code| {
            let client = Scene::session("", "").messages(Client, 1).close(Client, code, "");
            both(client, Scene::session("", "").messages(Client, 1).after(0.01).close(Client, 1002, ""))
        };
        passed(1005).silent(RULE.name);
        passed(2000).silent(RULE.name);
        passed(4000).finds(RULE.name);
    }
}
