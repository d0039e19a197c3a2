use crate::connection::Connection;
use crate::legs::{Legs, Passage};
use crate::role::Role;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Context, Finding, Origin, Severity, negotiation, pair, quote, trust};

rule! {
    /// # What it finds
    /// An extension that the client offered and the gateway did not pass on to the upstream, or that the upstream
    /// accepted and the gateway did not pass back. Both legs were captured.
    ///
    /// # Why it matters
    /// Client and upstream have different ideas of the session. Without the offer there is no compression, and a client
    /// that insists closes with 1010. Without the acceptance it is worse: the upstream compresses, and the client, which
    /// was never told, fails the connection at the first compressed frame with 1002.
    ///
    /// # What causes it
    /// A header filter: `proxy_set_header Sec-WebSocket-Extensions ""`, `http-request del-header`, a firewall rule, a
    /// gateway that passes known fields only. Traefik 1.x and Spring Cloud Gateway are known for it.
    ///
    /// # How to fix
    /// Remove the filter, so that the field goes through in both directions: nginx without `proxy_set_header
    /// Sec-WebSocket-Extensions "";` and `proxy_hide_header Sec-WebSocket-Extensions;`, HAProxy without `del-header`,
    /// Traefik 2 or later. If compression is to be off, remove the field from the request, never from the answer alone.
    ///
    /// # What it does not report
    /// Gateways that negotiate extensions on each leg by themselves, and an upstream that declines what it was offered.
    /// One leg alone cannot show the difference. Where the gateway speaks WebSocket itself, a removed offer is its right
    /// and only told as information.
    pub static RULE = "WS-EX-007" "extension-stripped-by-gateway" {
        severity: Error, category: Extension, reference: "RFC 6455 §5.4, §9.1",
        explains: ["rsv1-without-extension", "close-reports-peer-violation", "extension-offered-not-accepted"], asked_on: [Legs], check: Check::InContext(check),
    }
}

fn check(_: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(legs) = context.legs else { return };
    let Some((asked, answered)) = trust::handshake(legs.client) else { return };
    let Some(forwarded) = legs.upstream.request.as_ref().filter(|_| trust::knows_fields(legs.upstream))
    else {
        return;
    };
    let offers = stripped_offers(&legs);
    let accepted = stripped_acceptance(&legs);
    let (names, severity, what, help) = if !accepted.is_empty() {
        let compressed = legs.client.frames.as_ref().map_or(0, |frames| frames[Role::Server].compressed);
        let severity = if compressed > 0 { Severity::Error } else { Severity::Warning };
        (
            quote::list(&accepted),
            severity,
            "the upstream accepted it, and the gateway removed it from the answer",
            "let the gateway pass Sec-WebSocket-Extensions of the answer, or remove it from the request as well",
        )
    } else if !offers.is_empty() && legs.pair.passage == Passage::Terminating {
        (
            quote::list(&offers),
            Severity::Info,
            "the gateway speaks WebSocket itself, and neither accepts it from the client nor offers it to the upstream",
            "nothing to mend, unless it is needed: then switch it on in the gateway, for either side by itself",
        )
    } else if !offers.is_empty() {
        (
            quote::list(&offers),
            Severity::Warning,
            "the client offered it, and the gateway did not pass the offer on",
            "let the gateway forward Sec-WebSocket-Extensions of the request to its upstream",
        )
    } else {
        return;
    };
    let title = match severity {
        Severity::Info => "gateway goes without an extension on both sides",
        _ => "gateway removed an extension from the handshake",
    };
    let mut finding = pair::about(&RULE, &legs, answered.seen, title)
        .at_most(severity)
        .origin(Origin::Gateway)
        .blame(Blame::Gateway)
        .message(format!("{names}: {what}"))
        .shows(asked.seen, format!("client leg: {}", super::offer(asked)))
        .shows(forwarded.seen, format!("upstream leg: {}", super::offer(forwarded)));
    if let Some(response) = &legs.upstream.response {
        finding = finding.shows(response.seen, format!("upstream leg: {}", super::answer(response)));
    }
    finding = finding.shows(answered.seen, format!("client leg: {}", super::answer(answered)));
    let frame = legs.client.frames.as_ref().and_then(|frames| frames[Role::Server].first_compressed);
    if let (Some(frame), Severity::Error) = (frame, severity) {
        finding =
            finding.shows(frame, "client leg: a compressed frame reaches the client, which never agreed");
    }
    found.push(finding.help(help));
}

/// Names that the client offered, the gateway did not, and nobody accepted towards the client.
pub(in crate::rules) fn stripped_offers<'a>(legs: &Legs<'a>) -> Vec<&'a str> {
    let (Some(asked), Some(forwarded)) = (&legs.client.request, &legs.upstream.request) else {
        return Vec::new();
    };
    if !trust::knows_fields(legs.client) || !trust::knows_fields(legs.upstream) {
        return Vec::new();
    }
    let mut names = negotiation::missing(&asked.extensions, &forwarded.extensions);
    // A name in other letters, or in a list that leaves its grammar, was passed on.
    names.retain(|name| !forwarded.offers_extension(name));
    if let Some(answer) = &legs.client.response {
        names.retain(|name| answer.extensions.get(name).is_none());
    }
    names
}

/// Names that the upstream accepted and that are not in the gateway's answer.
pub(in crate::rules) fn stripped_acceptance<'a>(legs: &Legs<'a>) -> Vec<&'a str> {
    match (trust::handshake(legs.client), trust::handshake(legs.upstream)) {
        (Some((asked, one)), Some((_, other))) => {
            let mut names = negotiation::missing(&other.extensions, &one.extensions);
            // What the client never offered is the gateway's own affair with its upstream.
            names.retain(|name| asked.extensions.get(name).is_some() && one.extensions.get(name).is_none());
            names
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{Scene, both};
    use crate::rules::{Blame, Confidence, Context, Severity};

    const PMD: &str = "permessage-deflate";

    #[test]
    fn a_removed_offer_is_the_gateways() {
        let both = both(Scene::session(PMD, ""), Scene::session("", ""));
        let finding = both.finds(RULE.name);
        assert_eq!((finding.blame, finding.severity), (Blame::Gateway, Severity::Warning));
        assert_eq!(finding.related, [1]);
        let texts: Vec<_> = finding.evidence.iter().map(|evidence| evidence.text.as_str()).collect();
        assert!(texts.contains(&"upstream leg: offered no Sec-WebSocket-Extensions"), "{texts:?}");
    }

    #[test]
    fn a_removed_acceptance_explains_the_1002_of_the_client() {
        let client =
            Scene::session(PMD, "").compressed(Server).close(Client, 1002, "").close(Server, 1002, "");
        let upstream =
            Scene::session(PMD, PMD).compressed(Server).close(Client, 1002, "").close(Server, 1002, "");
        let (findings, rest) = both(client, upstream).findings();
        assert_eq!(findings.iter().map(|finding| finding.rule.name).collect::<Vec<_>>(), [RULE.name]);
        assert_eq!((findings[0].severity, findings[0].blame), (Severity::Error, Blame::Gateway));
        assert!(findings[0].consequences.iter().any(|below| below.rule.name == "rsv1-without-extension"));
        assert!(rest.is_empty(), "{rest:#?}");
    }

    #[test]
    fn a_client_that_insists_closes_because_of_the_gateway() {
        let closed = |scene: Scene| scene.close(Client, 1010, PMD).close(Server, 1010, PMD).fin(Server);
        let (findings, rest) =
            both(closed(Scene::session(PMD, "")), closed(Scene::session("", ""))).findings();
        assert_eq!(findings[0].rule.name, "close-1010-mandatory-extension");
        assert_eq!((findings[0].blame, findings.len()), (Blame::Gateway, 1));
        assert!(findings[0].consequences.iter().any(|below| below.rule.name == RULE.name));
        assert!(rest.is_empty(), "{rest:#?}");
    }

    #[test]
    fn a_decline_of_the_upstream_and_a_gateway_that_compresses_alone_are_silent() {
        both(Scene::session(PMD, ""), Scene::session(PMD, "")).silent(RULE.name);
        both(Scene::session(PMD, PMD), Scene::session("", "")).silent(RULE.name);
        Scene::session(PMD, "").silent(RULE.name);
    }

    #[test]
    fn a_name_in_other_letters_was_not_removed() {
        let other = "Permessage-Deflate";
        both(Scene::session(PMD, PMD), Scene::session(PMD, other)).silent(RULE.name);
        both(Scene::session(PMD, ""), Scene::session(other, "")).silent(RULE.name);
    }

    #[test]
    fn fields_that_are_not_known_were_not_removed() {
        let half = |scene: Scene| scene.with(|connection| connection.quality.unknown_fields.client = 1);
        both(Scene::session(PMD, ""), half(Scene::session("", ""))).silent(RULE.name);
        both(half(Scene::session(PMD, "")), Scene::session(PMD, PMD)).silent(RULE.name);
    }

    #[test]
    fn a_match_by_time_alone_makes_it_possible_at_most() {
        let both = both(Scene::session(PMD, ""), Scene::session("", ""));
        let (mut pair, legs) = both.into_parts();
        pair.confidence = Confidence::Possible;
        let judged = crate::rules::judge_chain(&[&legs[0], &legs[1]], &[&pair], &Context::alone());
        let finding = crate::rules::testing::named(&judged[0], RULE.name).unwrap();
        assert_eq!(finding.confidence, Confidence::Possible);
    }
}
