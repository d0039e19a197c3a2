//! The gateway got no TLS connection to its upstream.

use super::RULE;
use crate::connection::Outcome;
use crate::legs::Legs;
use crate::role::Role;
use crate::rules::tls::tls_handshake_failed;
use crate::rules::{Blame, Finding, Origin, pair, quote, trust};

/// Names how far the TLS handshake came, and who broke it off.
pub(super) fn not_encrypted(legs: &Legs<'_>) -> Option<Finding> {
    let upstream = legs.upstream;
    let tls = upstream.tls.as_deref().filter(|_| upstream.outcome == Outcome::Encrypted)?;
    let (by, end) = upstream.ending.by?;
    let how = quote::ending(upstream);
    let party = |role: Role| if role == Role::Client { "gateway" } else { "upstream" };
    let alert = tls.failure().filter(|alert| !tls.is_silent(alert.from.other()));
    let (blame, seen, what, help) = if let Some(answer) = &tls.plain_answer {
        (
            Blame::Gateway,
            answer.seen,
            String::from("the upstream answered in plain HTTP: that port does not speak TLS"),
            "let the gateway speak plain HTTP to this upstream, or use the port of the upstream that speaks TLS",
        )
    } else if let Some(alert) = alert {
        let (blame, meaning) = tls_handshake_failed::meaning(alert, tls);
        let blame = match blame {
            Blame::Client => Blame::Gateway,
            Blame::Server => Blame::Upstream,
            other => other,
        };
        (
            blame,
            alert.seen,
            format!("the {} broke off with the alert {}: {meaning}", party(alert.from), alert.description),
            "compare the certificate of the upstream with what the gateway trusts and which name it expects, then the TLS versions of both",
        )
    } else if tls.is_silent(Role::Server) && by == Role::Server {
        (
            Blame::Unknown,
            end,
            format!(
                "the upstream ended TCP with {how} in place of an answer, as a port does that speaks no TLS"
            ),
            "check that this port of the upstream speaks TLS; if it does not, let the gateway use plain HTTP for it",
        )
    } else if tls.is_silent(Role::Server) {
        (
            Blame::Upstream,
            end,
            format!(
                "no answer came, and the gateway gave up{}",
                quote::after(trust::elapsed(upstream, upstream.first, end))
            ),
            "find out why the upstream does not answer the client hello: a program that hangs, or a port that speaks no TLS",
        )
    } else {
        (
            Blame::Unknown,
            end,
            format!(
                "it ended before the gateway had sent a request, first with {how} from the {}; why is not readable, as most alerts are encrypted",
                party(by)
            ),
            "read the gateway's error log at this second: most often it does not accept the certificate of the upstream, or the name in it",
        )
    };
    let count = legs.pair.attempts.len() + 1;
    let times =
        if count == 1 { String::from("in vain:") } else { format!("{count} times in vain; the last time") };
    let mut finding = pair::about(&RULE, legs, end, "gateway got no TLS connection to its upstream")
        .origin(Origin::Gateway)
        .blame(blame)
        .message(format!("the gateway began TLS with {} {times} {what}", upstream.tcp.server))
        .shows(upstream.first, format!("client hello {} to {}", upstream.tcp.client, upstream.tcp.server))
        .shows(seen, what.clone())
        .help(help);
    finding.related.extend(&legs.pair.attempts);
    if let Some(answer) = &legs.client.response {
        finding = finding.shows(answer.seen, format!("client leg: {}", quote::status(answer)));
    }
    Some(finding)
}
