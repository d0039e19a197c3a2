//! Attempts of a gateway at upstreams that did not become a leg of the session.

use super::pair::{EVIDENCE, KEY_REUSED, may_hang};
use super::{Blame, Context, Evidence, Finding, Origin, Severity};
use crate::connection::Connection;
use crate::legs::LegPair;

/// What the rules say of a gateway's attempt at an upstream, beside the one that is the leg of `pair`, to whose client leg they
/// say `told`. Where another upstream gave the gateway the session, the client only waited for longer; where none did, the
/// attempt has its place under what the client was told.
pub fn judge_attempt(
    attempt: &Connection,
    pair: &LegPair,
    is_made_good: bool,
    told: &mut [Finding],
    context: &Context<'_>,
) -> Vec<Finding> {
    let mut found = super::judge(attempt, context);
    // Who tries again for one client sends that client's key again.
    found.retain(|finding| finding.rule.name != KEY_REUSED);
    for finding in &mut found {
        finding.blame = match finding.blame {
            Blame::Client => Blame::Gateway,
            Blame::Server => Blame::Upstream,
            other => other,
        };
        if finding.origin == Some(Origin::Client) {
            finding.origin = Some(Origin::Gateway);
        }
        if is_made_good {
            finding.severity = finding.severity.min(Severity::Warning);
            finding.message.push_str(&format!(
                "; the client of this connection is a gateway, which then asked {} for the same session of {} and got it",
                pair.upstream, pair.client
            ));
            finding.related.extend([pair.client_leg, pair.upstream_leg]);
        }
    }
    if is_made_good {
        return found;
    }
    let mut rest = Vec::new();
    for finding in found {
        let root = told.iter_mut().find(|root| {
            root.explains(&finding) && may_hang(root, &finding) && context.selection.hides(root, &finding)
        });
        match root {
            Some(root) => {
                let text = format!("an attempt before it, at {}: {}", attempt.tcp.server, finding.title);
                if root.evidence.len() < EVIDENCE {
                    root.evidence.push(Evidence { packet: finding.seen.packet, text });
                    root.evidence.sort_by_key(|evidence| evidence.packet);
                }
                root.related.push(attempt.serial);
                root.consequences.push(finding);
            }
            None => rest.push(finding),
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::judge_attempt;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{REQUEST, Scene, both};
    use crate::rules::{Blame, Context, Evidence, Severity};

    #[test]
    fn an_attempt_that_another_upstream_made_good_is_a_warning_that_names_it() {
        let (pair, _) = both(Scene::session("", ""), Scene::session("", "")).into_parts();
        let asked = || Scene::tcp().request(REQUEST);
        for attempt in [asked().after(2.0).fin(Client), asked().reset(Server)] {
            let found = judge_attempt(&attempt.build(), &pair, true, &mut [], &Context::alone());
            assert_eq!(
                (found[0].severity, found[0].blame),
                (Severity::Warning, Blame::Upstream),
                "{found:#?}"
            );
            assert!(found[0].message.contains("then asked 10.1.0.20:8080"), "{}", found[0].message);
            assert_eq!(found[0].related, [pair.client_leg, pair.upstream_leg]);
        }
    }

    #[test]
    fn attempts_that_all_failed_are_told_once() {
        let asked = || Scene::tcp().request(REQUEST);
        let legs = both(asked().answer("HTTP/1.1 502 Bad Gateway\r\n", ""), asked().reset(Server));
        let (mut told, _) = legs.findings();
        let mut attempt = asked().reset(Server).build();
        attempt.serial = 7;
        let rest = judge_attempt(&attempt, &legs.pair(), false, &mut told, &Context::alone());
        assert_eq!((told.len(), rest.len()), (1, 0), "{rest:#?}");
        assert_eq!(told[0].rule.name, "upstream-not-reached");
        assert!(told[0].related.contains(&7));
        let line = |evidence: &Evidence| evidence.text.starts_with("an attempt before it, at");
        assert!(told[0].evidence.iter().any(line), "{:#?}", told[0].evidence);
    }
}
