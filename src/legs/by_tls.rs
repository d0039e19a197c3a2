//! Upstream legs that came to nothing in TLS: no request was ever on them, so only addresses and time tell whose they are.

use super::unreached::Work;
use crate::confidence::Confidence;
use crate::connection::{Connection, Outcome};
use crate::role::Role;

/// Such a leg, its client leg, and how sure that is.
#[derive(Clone, Copy)]
pub(super) struct Failed {
    pub(super) child: usize,
    pub(super) parent: usize,
    pub(super) confidence: Confidence,
}

/// Matches them. `twice` says which connections are second pictures of others, which stand for nothing of their own, and `taken`
/// which are client legs already; those of one client leg must all be of one host.
pub(super) fn matches(connections: &[&Connection], twice: &[bool], taken: &[bool]) -> Vec<Failed> {
    let mut failed: Vec<usize> = (0..connections.len())
        .filter(|&index| !twice[index] && came_to_nothing(connections[index]))
        .collect();
    if failed.is_empty() {
        return Vec::new();
    }
    let in_vain = |index: &usize| !twice[*index] && !taken[*index] && waited_in_vain(connections[*index]);
    let mut waiting: Vec<(Work, usize)> = (0..connections.len())
        .filter(in_vain)
        .filter_map(|index| Some((Work::of(connections[index])?, index)))
        .collect();
    waiting.sort_by_key(|(work, index)| (work.began(), *index));
    failed.sort_by_key(|&index| (connections[index].first.at, index));
    // Each with the place of its client leg among those that wait.
    let mut found: Vec<(usize, Failed)> = Vec::new();
    for child in failed {
        let one = connections[child];
        let known = waiting.partition_point(|(work, _)| work.began() <= one.first.at);
        let near = (0..known).rev().take(LOOKED_BACK);
        let mut fit = near.filter(|&place| fits(&waiting[place].0, connections[waiting[place].1], one));
        if let Some(place) = fit.next() {
            let confidence = if fit.next().is_some() { Confidence::Possible } else { Confidence::Likely };
            found.push((place, Failed { child, parent: waiting[place].1, confidence }));
        }
    }
    found.sort_by_key(|&(place, _)| place);
    // A gateway goes to work at once, and answers as soon as it has given up: what is neither was made for another reason.
    let is_whole = |tried: &&[(usize, Failed)]| {
        let [(place, first), ..] = tried else { return false };
        let (work, first) = (&waiting[*place].0, connections[first.child]);
        let mut legs = tried.iter().map(|(_, one)| connections[one.child]);
        let ended = legs.clone().next_back().and_then(|last| last.ending.by);
        legs.all(|leg| leg.tcp.client.ip == first.tcp.client.ip)
            && work.is_at_once(opened(first))
            && ended.is_some_and(|(_, seen)| work.is_given_up(seen.at))
    };
    let whole = found.chunk_by(|(one, _), (other, _)| one == other).filter(is_whole);
    whole.flatten().map(|(_, failed)| *failed).collect()
}

/// Whether it is TLS that ended before anybody asked for anything.
fn came_to_nothing(connection: &Connection) -> bool {
    let nothing = connection.tls.as_ref().is_some_and(|tls| tls.asked_nothing() || tls.failure().is_some());
    connection.outcome == Outcome::Encrypted && nothing && connection.ending.by.is_some()
}

/// Whether the server's side failed the client in a way that gateways do.
fn waited_in_vain(connection: &Connection) -> bool {
    match (&connection.response, connection.ending.by) {
        (Some(answer), _) => answer.head.status >= 500,
        (None, by) => {
            connection.outcome == Outcome::Unanswered && by.is_some_and(|(by, _)| by == Role::Server)
        }
    }
}

/// Whether the gateway that the first one reached may have made the second one for it.
fn fits(work: &Work, parent: &Connection, child: &Connection) -> bool {
    parent.tcp.capture == child.tcp.capture
        && parent.tcp.server != child.tcp.server
        && (child.tcp.client.ip == parent.tcp.server.ip || child.tcp.client.ip != parent.tcp.client.ip)
        && work.may_begin(opened(child))
}

fn opened(connection: &Connection) -> crate::time::Timestamp {
    connection.tcp.opened.map_or(connection.first.at, |opened| opened.at)
}

/// Client legs that are considered for one connection; more that wait at the same time leave it open anyway.
const LOOKED_BACK: usize = 64;

#[cfg(test)]
mod tests {
    use crate::confidence::Confidence;
    use crate::connection::Connection;
    use crate::legs::Means;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::{ANSWER, REQUEST, Scene};

    /// TLS of the gateway, 10.0.0.9, with a server behind it; it begins so many milliseconds after the client's connection and
    /// ends 10 ms later.
    fn tls(serial: u64, millis: u32) -> Connection {
        let mut leg = Scene::tls_at(f64::from(millis) / 1e3).fin(Server).build();
        leg.serial = serial;
        (leg.tcp.client.ip, leg.tcp.server.ip) = ([10, 0, 0, 9].into(), [10, 0, 0, 20].into());
        leg
    }

    /// A client that got this answer 50 ms after it came.
    fn client(answer: &str) -> Connection {
        Scene::tcp().request(REQUEST).after(0.02).answer(answer, "").build()
    }

    fn pairs(connections: &[Connection]) -> Vec<(usize, usize, usize, Confidence)> {
        let all: Vec<&Connection> = connections.iter().collect();
        let found = crate::legs::pair(&all).pairs;
        assert!(found.iter().all(|one| one.pair.means == Means::Timing));
        found.iter().map(|one| (one.client, one.upstream, one.attempts.len(), one.pair.confidence)).collect()
    }

    #[test]
    fn tls_that_the_gateway_began_for_a_client_and_that_failed_is_its_upstream_leg() {
        let refused = || client("HTTP/1.1 502 Bad Gateway\r\n");
        assert_eq!(pairs(&[refused(), tls(1, 21)]), [(0, 1, 0, Confidence::Likely)]);
        assert_eq!(pairs(&[refused(), tls(1, 21), tls(2, 22)]), [(0, 2, 1, Confidence::Likely)]);
    }

    #[test]
    fn tls_that_was_captured_again_behind_a_translation_is_one() {
        let mut again = tls(2, 21);
        again.tcp.client.ip = [192, 0, 2, 9].into();
        let all = [client("HTTP/1.1 502 Bad Gateway\r\n"), tls(1, 21), again];
        assert_eq!(pairs(&all), [(0, 1, 0, Confidence::Likely)]);
    }

    #[test]
    fn tls_of_others_or_of_another_time_is_nobodys_leg() {
        let refused = || client("HTTP/1.1 502 Bad Gateway\r\n");
        let mut stranger = tls(1, 21);
        stranger.tcp.client = refused().tcp.client;
        for connections in [
            [refused(), stranger],
            [refused(), tls(1, 90)],
            [client(ANSWER), tls(1, 21)],
            [client("HTTP/1.1 404 Not Found\r\n"), tls(1, 21)],
            [Scene::tcp().request(REQUEST).after(0.02).fin(Client).build(), tls(1, 21)],
        ] {
            assert_eq!(pairs(&connections), []);
        }
        let mut asked = tls(1, 21);
        asked.tls.as_mut().unwrap().sent.client.protected_bytes = 300;
        assert_eq!(pairs(&[refused(), asked]), []);
    }

    #[test]
    fn tls_that_several_clients_wait_for_is_only_possibly_of_the_last() {
        let refused = || client("HTTP/1.1 502 Bad Gateway\r\n");
        let mut other = refused();
        (other.serial, other.tcp.client.port, other.tcp.isn.client) = (1, 51_235, Some(99));
        assert_eq!(pairs(&[refused(), other, tls(2, 21)]), [(1, 2, 0, Confidence::Possible)]);
    }
}
