//! Subrequests: before a gateway lets an upgrade through, it may ask another service for leave. It does so by `auth_request`
//! of nginx, `forward_auth` of Caddy, ForwardAuth of Traefik, or `ext_authz` of Envoy.
//!
//! A subrequest carries the fields of the upgrade, its key among them, so it looks like an upstream leg that lost the
//! upgrade. It is none: the session, if there is one, has a leg of its own.

use crate::capture::{PacketId, Seen};
use crate::connection::{Connection, Request};
use crate::http::without_query;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Which of these upstream legs of one client leg are subrequests.
pub(super) fn subrequests(client: &Connection, upstream: &[&Connection]) -> Vec<bool> {
    let mut latest: BTreeMap<u16, (Timestamp, PacketId)> = BTreeMap::new();
    for (capture, asked) in
        upstream.iter().filter_map(|one| Some((one.tcp.capture, one.request.as_ref()?.seen)))
    {
        let latest = latest.entry(capture).or_insert(order(asked));
        *latest = order(asked).max(*latest);
    }
    let was_leave = |one: &Connection| was_leave(one, latest.get(&one.tcp.capture).copied());
    upstream.iter().map(|one| is_subrequest_by_path(client, one) || was_leave(one)).collect()
}

/// Whether the gateway asked for another path, and either named that of the client in a field, or asked for no upgrade
/// and was answered as such services answer. A 2xx that the client got as well was no leave to go on, but a page.
fn is_subrequest_by_path(client: &Connection, one: &Connection) -> bool {
    let (Some(asked), Some(question)) = (&client.request, &one.request) else { return false };
    let (about, own) = (path(&asked.head.target), path(&question.head.target));
    let head = &question.head.head;
    let names_it = about != own
        && ORIGINAL.iter().any(|name| head.text(*name).is_some_and(|value| path(&value) == about));
    let other_path = !are_rewritten(about, own);
    match status(one) {
        Some(101) => false,
        answered @ Some(200..=299) => {
            (names_it || (other_path && !upgrades(question))) && status(client) != answered
        }
        Some(401 | 403) => other_path && (names_it || !upgrades(question)),
        _ => other_path && names_it && !upgrades(question),
    }
}

/// Whether an upstream leg without an answer may be a subrequest: it asks for another path, and for no upgrade.
pub fn may_be_subrequest(client: &Connection, one: &Connection) -> bool {
    let (Some(asked), Some(question)) = (&client.request, &one.request) else { return false };
    let (about, own) = (path(&asked.head.target), path(&question.head.target));
    one.response.is_none() && !are_rewritten(about, own) && !upgrades(question)
}

/// Whether it was answered with a 2xx, and the gateway asked on after that: no page makes it do so.
fn was_leave(one: &Connection, latest: Option<(Timestamp, PacketId)>) -> bool {
    let granted = one.response.as_ref().filter(|answer| matches!(answer.head.status, 200..=299));
    granted.zip(latest).is_some_and(|(answer, latest)| order(answer.seen) < latest)
}

fn order(seen: Seen) -> (Timestamp, PacketId) {
    (seen.at, seen.packet)
}

/// Fields in which gateways tell such a service what it is asked about.
const ORIGINAL: [&str; 4] =
    ["X-Forwarded-Uri", "X-Original-Uri", "X-Original-Url", "X-Auth-Request-Redirect"];

fn status(connection: &Connection) -> Option<u16> {
    connection.response.as_ref().map(|answer| answer.head.status)
}

fn upgrades(request: &Request) -> bool {
    request.head.version.is_some_and(|version| version >= (2, 0)) || request.head.is_upgrade()
}

/// Without the query, and without scheme and host where they are given.
fn path(target: &str) -> &str {
    let target = without_query(target);
    match target.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/"),
        None => target,
    }
}

/// Whether one path may be what a gateway made of the other: equal, or with a beginning added or removed.
fn are_rewritten(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim_end_matches('/'), other.trim_end_matches('/'));
    let ends =
        |long: &str, short: &str| long.ends_with(short) && (short.is_empty() || short.starts_with('/'));
    ends(one, other) || ends(other, one)
}

#[cfg(test)]
mod tests {
    use super::subrequests;
    use crate::connection::Connection;
    use crate::rules::testing::{ANSWER, REQUEST, Scene};

    const LEAVE: &str = "HTTP/1.1 200 OK\r\n";
    const REFUSAL: &str = "HTTP/1.1 401 Unauthorized\r\n";

    fn leg(request: &str, answer: &str) -> Connection {
        Scene::tcp().request(request).answer(answer, "").build()
    }

    /// No upgrade, for that path, with these fields besides.
    fn question(path: &str, fields: &str) -> String {
        let request = REQUEST.replace("/chat?token=s3cret", path);
        let request = request.replace("Upgrade: websocket\r\n", "").replace("keep-alive, Upgrade", "close");
        format!("{request}{fields}")
    }

    fn is_subrequest(client: &Connection, one: &Connection) -> bool {
        subrequests(client, &[one]) == [true]
    }

    #[test]
    fn a_plain_question_for_another_path_that_is_refused_or_granted_is_a_subrequest() {
        let refused = leg(REQUEST, REFUSAL);
        assert!(is_subrequest(&refused, &leg(&question("/verify", ""), REFUSAL)));
        assert!(is_subrequest(&leg(REQUEST, ANSWER), &leg(&question("/verify", ""), LEAVE)));
        assert!(is_subrequest(
            &leg(REQUEST, "HTTP/1.1 502 Bad Gateway\r\n"),
            &leg(&question("/", "X-Original-URI: /chat?a=b\r\n"), LEAVE)
        ));
    }

    #[test]
    fn an_upgrade_that_was_lost_on_its_way_is_none() {
        let page = leg(REQUEST, LEAVE);
        assert!(!is_subrequest(&page, &leg(&question("/chat", ""), LEAVE)));
        assert!(!is_subrequest(&page, &leg(&question("/index.html", ""), LEAVE)), "the client got the page");
        let lost = leg(REQUEST, "HTTP/1.1 426 Upgrade Required\r\n");
        assert!(!is_subrequest(&lost, &leg(&question("/socket", ""), "HTTP/1.1 426 Upgrade Required\r\n")));
        let refused = leg(REQUEST, REFUSAL);
        assert!(!is_subrequest(&refused, &leg(&question("/api/chat", ""), REFUSAL)), "a prefix was added");
        assert!(!is_subrequest(&refused, &leg(&question("/", ""), REFUSAL)), "a prefix was removed");
    }

    #[test]
    fn a_gateway_that_passes_everything_on_names_the_path_in_a_field() {
        let asked = REQUEST.replace("/chat?token=s3cret", "/verify");
        let named = format!("{asked}X-Forwarded-Uri: /chat?token=s3cret\r\n");
        assert!(is_subrequest(&leg(REQUEST, ANSWER), &leg(&named, LEAVE)));
        assert!(is_subrequest(&leg(REQUEST, REFUSAL), &leg(&named, REFUSAL)));
        assert!(!is_subrequest(&leg(REQUEST, ANSWER), &leg(&named, ANSWER)));
        assert!(!is_subrequest(&leg(REQUEST, REFUSAL), &leg(&asked, REFUSAL)));
    }

    #[test]
    fn a_grant_after_which_the_gateway_went_on_is_one_whatever_it_asked_for() {
        let client = leg(REQUEST, ANSWER);
        let grant = leg(REQUEST, LEAVE);
        let next = Scene::tcp_at(1.0).request(REQUEST).answer(ANSWER, "").build();
        assert_eq!(subrequests(&client, &[&grant, &next]), [true, false]);
        let failed = leg(REQUEST, "HTTP/1.1 503 Service Unavailable\r\n");
        assert_eq!(subrequests(&client, &[&failed, &next]), [false, false]);
    }
}
