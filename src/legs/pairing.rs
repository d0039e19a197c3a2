//! Every means of matching in turn, the strongest first.

use super::candidates::Asked;
use super::clock::Clocks;
use super::{LegPair, Means, by_time, by_tls, changes, family, marks, subrequest};
use crate::confidence::Confidence;
use crate::connection::{Connection, Outcome};
use std::collections::BTreeMap;

/// A pair, and where its legs are in the list that was matched.
#[derive(Clone, Debug)]
pub struct Paired {
    /// Index of the client leg.
    pub client: usize,
    /// Index of the upstream leg.
    pub upstream: usize,
    /// Indices of the attempts that failed.
    pub attempts: Vec<usize>,
    /// What there is to say of it.
    pub pair: LegPair,
}

/// Matches legs. `twice` says which connections are duplicates of others, `alike` tells groups that share a mark of
/// one kind, `asked` is every request with the index of its connection, and `calls` who calls whom.
pub(super) fn pair(
    connections: &[&Connection],
    twice: &[bool],
    alike: impl Fn(Means) -> Vec<Vec<usize>>,
    asked: impl Iterator<Item = (Asked, usize)>,
    calls: impl Iterator<Item = u64> + Clone,
) -> Vec<Paired> {
    let mut links = Links { parent: vec![None; connections.len()] };
    for means in marks::BY_MARK {
        for group in alike(means) {
            // What gateways make themselves is unique; what sessions merely say alike is not.
            if matches!(means, Means::Content) && group.len() > 2 {
                continue;
            }
            for (child, parent) in family::parents(&group, connections, means) {
                if fits(means, connections[parent], connections[child]) {
                    let order = order(connections[parent], connections[child]);
                    let copied = copied(means, connections[child]);
                    links.add(child, parent, means, confidence(means).min(order).min(copied));
                }
            }
        }
    }
    let mut clocks = Clocks::default();
    for (child, link) in links.parent.iter().enumerate() {
        if let Some(link) = link.as_ref().filter(|link| link.confidence == Confidence::Certain) {
            clocks.learn(connections[link.parent], connections[child]);
        }
    }
    let mut free: Vec<(bool, bool)> = (0..connections.len())
        .map(|index| (!twice[index], !twice[index] && links.parent[index].is_none()))
        .collect();
    for link in links.parent.iter().flatten() {
        free[link.parent].0 = false;
    }
    for found in by_time::matches(connections, asked, calls, &free) {
        links.add(found.child, found.parent, found.means, found.confidence);
    }
    let mut is_parent = vec![false; connections.len()];
    links.parent.iter().flatten().for_each(|link| is_parent[link.parent] = true);
    for found in by_tls::matches(connections, twice, &is_parent) {
        links.add(found.child, found.parent, Means::Timing, found.confidence);
    }
    pairs(connections, &links, &clocks)
}

/// Pairs in a row that are followed.
pub const CHAIN: usize = 8;

/// Who caused whom.
struct Links {
    parent: Vec<Option<Link>>,
}

#[derive(Clone, Copy)]
struct Link {
    parent: usize,
    means: Means,
    confidence: Confidence,
}

impl Links {
    /// The first, strongest link counts; one that would lead back, or make a row too long, does not.
    fn add(&mut self, child: usize, parent: usize, means: Means, confidence: Confidence) {
        if self.parent[child].is_some() {
            return;
        }
        let mut above = parent;
        for _ in 0..CHAIN {
            if above == child {
                return;
            }
            match self.parent[above] {
                Some(link) => above = link.parent,
                None => {
                    self.parent[child] = Some(Link { parent, means, confidence });
                    return;
                }
            }
        }
    }
}

fn confidence(means: Means) -> Confidence {
    match means {
        Means::ProxyProtocol | Means::Key | Means::Accept | Means::MaskingKeys => Confidence::Certain,
        Means::TraceHeader | Means::Forwarded | Means::Content => Confidence::Likely,
        Means::Timing => Confidence::Possible,
    }
}

/// How sure a key, or the answer to it, proves one session: strangers copy the one that RFC 6455 gives as a sample.
fn copied(means: Means, leg: &Connection) -> Confidence {
    let key = leg.request.as_ref().and_then(|request| request.key.as_deref());
    let is_sample = match means {
        Means::Key => key == Some(SAMPLE_KEY),
        Means::Accept => has_sample_accept(leg),
        _ => false,
    };
    if is_sample { Confidence::Likely } else { Confidence::Certain }
}

fn has_sample_accept(leg: &Connection) -> bool {
    let head = leg.response.as_ref().map(|response| &response.head.head);
    head.and_then(|head| head.field("sec-websocket-accept")) == Some(SAMPLE)
}

/// How sure it is which of two legs is the outer one: where neither both requests nor both answers are in the capture, the order
/// of their frames alone tells.
fn order(parent: &Connection, child: &Connection) -> Confidence {
    let both = [parent, child];
    let sure = both.iter().all(|leg| leg.request.is_some()) || both.iter().all(|leg| leg.response.is_some());
    if sure { Confidence::Certain } else { Confidence::Likely }
}

/// Whether a mark says what it seems to: a PROXY header belongs to the upstream leg.
fn fits(means: Means, parent: &Connection, child: &Connection) -> bool {
    let differ = |one: Option<&str>, other: Option<&str>| one.zip(other).is_some_and(|(a, b)| a != b);
    let key = |connection: &Connection| connection.request.as_ref().and_then(|request| request.key.clone());
    match means {
        Means::ProxyProtocol => child.proxied.is_some(),
        // Strangers copy the value that RFC 6455 gives as a sample.
        Means::Accept => {
            !(has_sample_accept(parent) && differ(key(parent).as_deref(), key(child).as_deref()))
        }
        // The same opening words under two keys are two sessions, unless a gateway made the second key.
        Means::Content => {
            parent.tcp.server != child.tcp.server
                && (!differ(key(parent).as_deref(), key(child).as_deref())
                    || child.tcp.client.ip == parent.tcp.server.ip
                    || child.tcp.client.ip != parent.tcp.client.ip)
        }
        _ => true,
    }
}

/// The sample key of RFC 6455 §1.3.
const SAMPLE_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The answer to it.
const SAMPLE: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn pairs(connections: &[&Connection], links: &Links, clocks: &Clocks) -> Vec<Paired> {
    let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (child, link) in links.parent.iter().enumerate() {
        if let Some(link) = link {
            children.entry(link.parent).or_default().push(child);
        }
    }
    children
        .into_iter()
        .filter_map(|(client, candidates)| {
            let one = connections[client];
            let legs: Vec<&Connection> = candidates.iter().map(|&index| connections[index]).collect();
            let is_subrequest = subrequest::subrequests(one, &legs);
            let subrequests = legs.iter().zip(&is_subrequest).filter(|(_, is_subrequest)| **is_subrequest);
            let subrequests: Vec<u64> = subrequests.map(|(leg, _)| leg.serial).collect();
            let mut ranked: Vec<(usize, bool)> = candidates.into_iter().zip(is_subrequest).collect();
            ranked.sort_by_key(|&(index, is_subrequest)| {
                let leg = connections[index];
                let switched = leg.outcome == Outcome::Established;
                (switched, !is_subrequest, leg.response.is_some(), leg.first.packet)
            });
            let (upstream, _) = ranked.pop()?;
            let attempts: Vec<usize> = ranked.into_iter().map(|(index, _)| index).collect();
            let link = links.parent[upstream]?;
            let other = connections[upstream];
            let clock = clocks.between(one.tcp.capture, other.tcp.capture);
            let pair = LegPair {
                client_leg: one.serial,
                upstream_leg: other.serial,
                attempts: attempts.iter().map(|&index| connections[index].serial).collect(),
                subrequests,
                client: one.tcp.client,
                gateway: one.tcp.server,
                upstream: other.tcp.server,
                upstream_stream: (other.tcp.capture, other.tcp.stream),
                means: link.means,
                confidence: link.confidence,
                clock,
                passage: changes::passage(one, other),
                changes: changes::between(one, other),
            };
            Some(Paired { client, upstream, attempts, pair })
        })
        .collect()
}
