use crate::connection::{Connection, Outcome};
use crate::legs::Legs;
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Context, Finding, Origin, pair, quote, trust};

rule! {
    /// # What it finds
    /// A gateway that passed on the 101, and of one side's frames not a single one. Both legs were captured.
    ///
    /// # Why it matters
    /// Both programs hold an open WebSocket, and what one of them says reaches nobody. It looks like a program that does not
    /// answer, and ends with a timer, a Close that nobody answers, or 1006.
    ///
    /// # What causes it
    /// A proxy that takes the 101 for an answer of HTTP like any other and waits for the next request: Privoxy and goproxy do so
    /// with requests for a whole URL, as clients send them that know of a proxy and do not use CONNECT. A filter that waits for the
    /// end of a body which never ends.
    ///
    /// # How to fix
    /// Let the client open a tunnel by CONNECT, as browsers do also for `ws://`, or use `wss://`; let a reverse proxy forward
    /// upgrades. Switch off in it what reads or buffers bodies for this path.
    ///
    /// # What it does not report
    /// Gateways of which the other leg lacks packets, and sessions that ended within a second of the first frame.
    pub static RULE = "WS-GW-018" "frames-not-passed-on" {
        severity: Error, category: Gateway, reference: "RFC 6455 §4.1, §5.1; RFC 9110 §7.8",
        explains: ["closed-without-close-frame", "close-unanswered", "one-leg-close", "close-rewritten-between-legs"],
        asked_on: [Legs], check: Check::InContext(check),
    }
}

fn check(_: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(legs) = context.legs else { return };
    let both = [legs.client, legs.upstream];
    let whole = both.iter().all(|leg| {
        leg.outcome == Outcome::Established
            && Role::BOTH.iter().all(|&role| trust::doubt(leg, role).is_none())
    });
    if whole {
        found.extend(Role::BOTH.into_iter().find_map(|from| kept_back(&legs, from)));
    }
}

fn kept_back(legs: &Legs<'_>, from: Role) -> Option<Finding> {
    let (own, other, sender, receiver) = match from {
        Role::Client => (legs.client, legs.upstream, "client", "upstream"),
        Role::Server => (legs.upstream, legs.client, "upstream", "client"),
    };
    let sent = &own.frames.as_ref()?[from];
    let first = sent.first?;
    let silent = other.frames.as_ref().is_none_or(|frames| frames[from].first.is_none())
        && other.anomalies.iter().all(|anomaly| anomaly.from != from);
    // A gateway may be slow, and has nobody to pass a frame on to where the other leg has ended.
    let (begun, ended) = match from {
        Role::Client => (first.at, other.ending.by.map(|(_, end)| legs.upstream_time(end))),
        Role::Server => (legs.upstream_time(first), other.ending.by.map(|(_, end)| end.at)),
    };
    let lasted = own.last.at.nanos_since(first.at);
    let open = ended.map_or(lasted, |ended| ended.nanos_since(begun)).min(lasted);
    if !silent || open - legs.pair.clock.uncertainty < SLOW {
        return None;
    }
    let count = sent.total();
    let frames = if count == 1 { "frame" } else { "frames" };
    Some(
        pair::about(&RULE, legs, first, "gateway passed on the 101 and no frame")
            .origin(Origin::Gateway)
            .blame(Blame::Gateway)
            .message(format!(
                "the {sender} sent {count} {frames} after the 101, and the gateway passed none on: the {receiver} received nothing in the {} that both legs were open",
                quote::seconds(open as f64 / 1e9)
            ))
            .shows(first, format!("first frame of the {sender}"))
            .shows(other.last, format!("last packet of the leg of the {receiver}, no frame of the {sender} on it"))
            .help("let the client ask the proxy for a tunnel with CONNECT, or the gateway forward upgrades, and switch off what buffers bodies in it"),
    )
}

/// Nanoseconds that a gateway may take to pass a frame on.
const SLOW: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::Blame;
    use crate::rules::testing::{Scene, both};

    fn leg() -> Scene {
        Scene::session("", "")
    }

    #[test]
    fn a_gateway_that_keeps_every_frame_is_to_blame_for_what_follows() {
        let (findings, rest) =
            both(leg().messages(Client, 1).after(3.0).fin(Client), leg().after(3.2).fin(Server)).findings();
        assert_eq!((findings[0].rule.name, findings[0].blame), (RULE.name, Blame::Gateway));
        assert!(
            findings[0].message.starts_with("the client sent 1 frame after the 101"),
            "{}",
            findings[0].message
        );
        assert_eq!(findings[0].consequences[0].rule.name, "closed-without-close-frame");
        assert_eq!(rest.len(), 0, "{rest:#?}");
        let told = both(leg().after(3.2).fin(Client), leg().messages(Server, 2).after(3.0).fin(Server));
        assert!(told.finds(RULE.name).message.contains("the client received nothing in the 3."));
    }

    #[test]
    fn frames_that_came_through_or_had_no_time_to_are_silent() {
        let sent = || leg().messages(Client, 1);
        both(sent().after(3.0).fin(Client), sent().after(3.2).fin(Server)).silent(RULE.name);
        both(sent().after(0.5).fin(Client), leg().after(3.0).fin(Server)).silent(RULE.name);
        both(sent().after(3.0).fin(Client), leg().after(0.2).fin(Server)).silent(RULE.name);
        both(sent().after(3.0).fin(Client), leg().gap(Client).after(3.2).fin(Server)).silent(RULE.name);
    }
}
