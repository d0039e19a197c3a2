//! Faults of gateways further on, in a row of several: each is told once, where it is.

use super::attribution::{Subject, subject};
use super::{Blame, Finding, Selection};
use crate::legs::Legs;

/// What a gateway further on did is told where it stands, and what this pair's client was told of it hangs there.
pub(super) fn hang(
    legs: &Legs<'_>,
    selection: &Selection,
    client: &mut Vec<Finding>,
    upstream: &mut [Finding],
) {
    for finding in std::mem::take(client) {
        let passed_on = finding.blame == Blame::Upstream
            && matches!(subject(finding.rule.name), Subject::Answer | Subject::Ending);
        let root = upstream.iter_mut().find(|root| {
            passed_on
                && OF_A_GATEWAY.contains(&root.rule.name)
                && root.explains(&finding)
                && selection.hides(root, &finding)
        });
        let Some(root) = root else {
            client.push(finding);
            continue;
        };
        if !root.related.contains(&legs.pair.client_leg) {
            root.related.push(legs.pair.client_leg);
        }
        root.consequences.push(finding);
    }
}

/// Says of an extension that is missing that it was lost at a gateway behind this one.
pub(super) fn stripped(legs: &Legs<'_>, root: &mut Finding, finding: &Finding) {
    let gateway = legs.upstream.tcp.server;
    root.blame = finding.blame;
    root.confidence = root.confidence.min(finding.confidence);
    root.message.push_str(&format!("; {gateway} is a gateway as well: {}", finding.message));
    root.help = format!("at {gateway}: {}", finding.help).into();
}

/// Rules that find the fault of a gateway, or right behind it, by both of its legs.
const OF_A_GATEWAY: [&str; 4] =
    ["one-leg-close", "upstream-not-reached", "upgrade-not-forwarded", "handshake-answer-altered"];

#[cfg(test)]
mod tests {
    use crate::legs::LegPair;
    use crate::net::Endpoint;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{Scene, both};
    use crate::rules::{Blame, Context, Finding, judge_chain};

    /// What is said of two gateways in a row, for each leg.
    fn judged(client: Scene, middle: Scene, last: Scene) -> Vec<Vec<Finding>> {
        let (outer, [client, middle]) = both(client, middle).into_parts();
        let (_, [_, mut last]) = both(Scene::session("", ""), last).into_parts();
        let endpoint = |ip: [u8; 4], port| Endpoint { ip: ip.into(), port };
        (last.tcp.client, last.tcp.server) =
            (endpoint([10, 2, 0, 1], 40_000), endpoint([10, 2, 0, 30], 9000));
        last.serial = 2;
        let inner = LegPair { client_leg: 1, upstream_leg: 2, upstream: last.tcp.server, ..outer.clone() };
        judge_chain(&[&client, &middle, &last], &[&outer, &inner], &Context::alone())
    }

    #[test]
    fn what_a_gateway_further_on_did_is_told_there_and_once() {
        let leg = |late: f64, by| Scene::session("", "").messages(Client, 1).after(late).fin(by);
        let judged = judged(leg(0.02, Server), leg(0.01, Server), leg(0.0, Client));
        let names = |found: &[Finding]| found.iter().map(|one| one.rule.name).collect::<Vec<_>>();
        assert_eq!(names(&judged[0]), [""; 0]);
        assert_eq!(names(&judged[1]), ["one-leg-close"]);
        assert!(judged[1][0].related.contains(&0));
        assert!(names(&judged[1][0].consequences).contains(&"closed-without-close-frame"));
    }

    #[test]
    fn an_extension_that_a_gateway_further_on_lost_is_mended_there() {
        let leg = |offer| {
            let session = Scene::session(offer, "").close(Client, 1010, "permessage-deflate");
            session.close(Server, 1010, "").fin(Server)
        };
        let deflate = "permessage-deflate";
        let finding = &judged(leg(deflate), leg(deflate), leg(""))[0][0];
        assert_eq!((finding.rule.name, finding.blame), ("close-1010-mandatory-extension", Blame::Gateway));
        assert!(finding.message.contains("10.1.0.20:8080 is a gateway as well"), "{}", finding.message);
        assert!(finding.help.starts_with("at 10.1.0.20:8080: "), "{}", finding.help);
    }
}
