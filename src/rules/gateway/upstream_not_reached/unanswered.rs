//! The gateway's upgrade got no answer from its upstream.

use super::RULE;
use crate::connection::{Outcome, Transport};
use crate::legs::Legs;
use crate::role::Role;
use crate::rules::{Blame, Confidence, Finding, Origin, attribution, pair, quote, trust};

/// Nothing where the upstream may have answered, or nobody waited for long.
pub(super) fn unanswered(legs: &Legs<'_>) -> Option<Finding> {
    let upstream = legs.upstream;
    let asked = upstream.request.as_ref().filter(|_| upstream.outcome == Outcome::Unanswered)?;
    if trust::doubt(upstream, Role::Server).is_some() {
        return None;
    }
    let how = if upstream.ending.transport == Transport::Reset { "RST" } else { "FIN" };
    // Who left before the gateway gave up; where nobody has, there is nothing to say of it yet.
    let left = match (legs.client.ending.by, upstream.ending.by) {
        _ if legs.client.response.is_some() => None,
        // Nor where its client waits on, for whom it may ask another one.
        (None, None | Some((Role::Server, _))) => return None,
        // Nor is it of weight what became of the request when nobody waited for its answer any more.
        (Some((Role::Client, left)), Some((_, ended))) if left.at <= legs.upstream_time(ended) => Some(left),
        (Some((Role::Client, left)), None) => Some(left),
        _ => None,
    };
    let waited = left.zip(legs.client.request.as_ref());
    let waited = waited.map(|(left, request)| trust::elapsed(legs.client, request.seen, left));
    if waited.is_some_and(|waited| waited.is_none_or(|waited| waited < HASTE)) {
        return None;
    }
    // Where connections are kept for the next request, the end of one and that request may cross.
    let crossed =
        upstream.ending.by.is_some_and(|(by, end)| by == Role::Server && end.packet < asked.seen.packet);
    let (what, help) = match upstream.ending.by {
        Some(_) if crossed => (
            format!(
                "the upstream had ended TCP with {how} already: a connection that was kept for another request, and given up in that moment"
            ),
            "let the gateway give up idle connections to its upstream sooner than the upstream does: keepalive_timeout in the upstream block of nginx below the keepalive timeout of the upstream",
        ),
        _ if left.is_some() => {
            (format!("no answer came until the client left{}", quote::after(waited.flatten())), HANGS)
        }
        Some((Role::Server, _)) if upstream.proxied.is_some() => (
            format!(
                "the upstream ended TCP with {how} in place of an answer; the gateway puts a PROXY protocol header before the request, which a server that expects none may refuse so"
            ),
            attribution::PROXY_HEADER,
        ),
        Some((Role::Server, seen)) => (
            format!(
                "the upstream ended TCP with {how} in place of an answer{}",
                quote::after(trust::elapsed(upstream, asked.seen, seen).filter(|waited| *waited >= HASTE))
            ),
            "find out in the upstream's log why it ended the connection at this second",
        ),
        Some((Role::Client, seen)) => (
            format!(
                "no answer came, and the gateway gave up{}",
                quote::after(trust::elapsed(upstream, asked.seen, seen))
            ),
            HANGS,
        ),
        None => (String::from("no answer came from it"), HANGS),
    };
    let mut finding = pair::about(&RULE, legs, asked.seen, "gateway's upstream did not answer the upgrade")
        .confidence(if crossed || upstream.falls_silent() { Confidence::Likely } else { Confidence::Certain })
        .origin(if legs.client.response.is_some() { Origin::Gateway } else { Origin::Server })
        .blame(if crossed { Blame::Unknown } else { Blame::Upstream })
        .message(format!("the gateway sent the upgrade to {}: {what}", upstream.tcp.server))
        .shows(asked.seen, format!("upstream leg: {}", quote::request_line(asked)))
        .help(help);
    if let Some((by, seen)) = upstream.ending.by {
        let who = if by == Role::Server { "upstream" } else { "gateway" };
        finding = finding.shows(seen, format!("upstream leg: {how} from the {who}, no answer before it"));
    }
    if let Some(answer) = &legs.client.response {
        finding = finding.shows(answer.seen, format!("client leg: {}", quote::status(answer)));
    }
    Some(finding)
}

const HANGS: &str = "find out whether the upstream hangs or has no upgrade handler for this path";

/// Seconds below which a client hardly waited.
pub(super) const HASTE: f64 = 1.0;
