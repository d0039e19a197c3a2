//! Legs matched by addresses and time, where nothing else is common to them.

use super::Means;
use super::candidates::{Asked, call};
use super::family::{are_siblings, begun, ended};
use crate::confidence::Confidence;
use crate::connection::{Connection, Outcome};
use crate::role::Role;
use crate::time::Timestamp;
use foldhash::fast::RandomState;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

/// An upstream leg, its client leg, and how sure that is.
pub(super) struct Match {
    pub(super) child: usize,
    pub(super) parent: usize,
    pub(super) means: Means,
    pub(super) confidence: Confidence,
}

/// Matches connections of one capture that are in no pair yet. `asked` tells each request with the index of its
/// connection; `free` says which may become a client leg and which an upstream leg. Where more than one candidate fits
/// on either side, there is no match.
pub(super) fn matches(
    connections: &[&Connection],
    asked: impl Iterator<Item = (Asked, usize)>,
    calls: impl Iterator<Item = u64> + Clone,
    free: &[(bool, bool)],
) -> Vec<Match> {
    let free_ones = asked.filter(|&(_, index)| free[index].0 || free[index].1);
    // With room from the start: a list that grows is copied again and again.
    let mut asked: Vec<(Asked, usize)> = Vec::with_capacity(connections.len());
    asked.extend(free_ones);
    asked.sort_unstable_by_key(|(asked, _)| asked.order());
    let reaches = OnceCell::new();
    let reaches = || reaches.get_or_init(|| calls.clone().collect::<Reaches>());
    let mut found: Vec<Match> = Vec::new();
    for group in asked.chunk_by(|(one, _), (other, _)| one.target == other.target) {
        for place in 1..group.len() {
            let (request, child) = group[place];
            if !free[child].1 {
                continue;
            }
            // More candidates than are considered would be no match, whatever each of them says.
            let in_window = |earlier: &&(Asked, usize)| request.begun.nanos_since(earlier.0.begun) <= WINDOW;
            let crowded = place.checked_sub(LOOKED_BACK + 1).is_some_and(|far| in_window(&&group[far]));
            if crowded {
                continue;
            }
            let earlier = group[..place].iter().rev().take_while(in_window);
            let near: Vec<usize> = earlier.map(|&(_, parent)| parent).collect();
            if near.is_empty() {
                continue;
            }
            let followed =
                group.get(place + 1).is_some_and(|(next, _)| next.begun.nanos_since(request.begun) <= WINDOW);
            let company = if near.len() == 1 && !followed { Company::None } else { Company::Others };
            let named = forwarded_for(connections[child]);
            let fits = |means: Means| {
                let fit = |&parent: &usize| {
                    free[parent].0
                        && is_plausible(
                            connections[parent],
                            connections[child],
                            means,
                            company,
                            &named,
                            &reaches,
                        )
                };
                let mut fitting = near.iter().copied().filter(fit);
                let parent = fitting.next()?;
                fitting.next().is_none().then_some(parent)
            };
            if let Some(parent) = fits(Means::Forwarded) {
                found.push(Match { child, parent, means: Means::Forwarded, confidence: Confidence::Likely });
            } else if let Some(parent) = fits(Means::Timing) {
                found.push(Match { child, parent, means: Means::Timing, confidence: Confidence::Possible });
            }
        }
    }
    let mut claims: BTreeMap<usize, usize> = BTreeMap::new();
    for one in &found {
        *claims.entry(one.parent).or_default() += 1;
    }
    // A leg that is the upstream of one is not the client leg of another by time alone: that would be a guess on a guess.
    let children: HashSet<usize> = found.iter().map(|one| one.child).collect();
    found.retain(|one| claims[&one.parent] == 1 && !children.contains(&one.parent));
    found
}

/// Nanoseconds by which an upstream leg's request may follow its client leg's.
const WINDOW: i64 = 2_000_000_000;

/// Nanoseconds by which the endings of two legs may lie apart at most.
const ENDINGS: i64 = 2_000_000_000;

/// Nanoseconds within which a gateway does what it does at once.
const PROMPT: i64 = 100_000_000;

/// Earlier connections that are considered; more of them would be no match anyway.
const LOOKED_BACK: usize = 64;

/// Whether others asked for the same at the time of two connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Company {
    None,
    Others,
}

/// Who calls whom.
type Reaches = HashSet<u64, RandomState>;

/// Whether the second may be the upstream leg of the first. Its client must be the gateway's host: the same address, or
/// one that no client of this gateway has, or all of them on one host; then the two must do all else together as well, and
/// nobody else may have asked for the same: among many, some go together by chance. `named` are the addresses that the
/// child's request names.
fn is_plausible<'a>(
    parent: &Connection,
    child: &Connection,
    means: Means,
    company: Company,
    named: &[IpAddr],
    reaches: &'a impl Fn() -> &'a Reaches,
) -> bool {
    // What costs least comes first: most of those that are compared have nothing in common but their time.
    let is_named = named.contains(&parent.tcp.client.ip);
    // Two keys that a gateway keeps would be equal; that they differ says it makes its own, which needs its own host.
    // Where all of them are one host, its address says nothing.
    let from_gateway = child.tcp.client.ip == parent.tcp.server.ip;
    let one_host = from_gateway && parent.tcp.client.ip == parent.tcp.server.ip;
    let gateways_host = from_gateway && !one_host;
    let may_be = match means {
        Means::Forwarded => is_named,
        _ => (named.is_empty() || is_named) && (gateways_host || company == Company::None),
    };
    if !may_be
        || parent.tcp.server == child.tcp.server
        || !same_target(parent, child)
        || are_siblings(parent, child)
        || !still_there(parent, begun(child))
    {
        return false;
    }
    if means == Means::Forwarded || gateways_host {
        return true;
    }
    let clients_host = child.tcp.client.ip == parent.tcp.client.ip
        || reaches().contains(&call(child.tcp.client.ip, parent.tcp.server));
    (one_host || !clients_host) && go_together(parent, child)
}

/// Whether the second one did what the first one had it do, from its beginning to its end. Two strangers who ask for the
/// same at one time do not: the shorter they live, the more has to agree.
fn go_together(parent: &Connection, child: &Connection) -> bool {
    let (Some(asked), Some((_, over))) = (parent.request.as_ref(), ended(parent)) else { return false };
    let Some((child_by, child_over)) = ended(child) else { return false };
    let prompt = |from: Timestamp, to: Timestamp| (0..=PROMPT).contains(&to.nanos_since(from));
    let answered = |of: &Connection| of.response.as_ref().map(|answer| answer.seen.at);
    // A gateway goes on at once, be it when it is asked or when it has accepted by itself.
    let began = begun(child);
    if !prompt(asked.seen.at, began) && !answered(parent).is_some_and(|answered| prompt(answered, began)) {
        return false;
    }
    let is_open = |of: &Connection| of.outcome == Outcome::Established;
    if !is_open(child) {
        // A session in which the server spoke did not wait for anybody's answer.
        if said(parent, Role::Server) > 0 {
            return false;
        }
        // Whether it answers by that or has accepted before, what it was told ends the client's waiting.
        let told = answered(child).unwrap_or(child_over);
        let waited = answered(parent).filter(|&at| at >= began).unwrap_or(over);
        // A gateway that gives up may tell its client before it ends what it waited for.
        let gave_up = answered(child).is_none() && child_by == Role::Client;
        return prompt(told, waited) || (gave_up && prompt(waited, told));
    }
    // The upstream answers first, unless the gateway has accepted before it asked.
    let nested =
        answered(parent).is_some_and(|at| answered(child).is_some_and(|inner| inner <= at) || at <= began);
    let lived = over.nanos_since(asked.seen.at);
    let apart = over.nanos_since(child_over).saturating_abs();
    is_open(parent)
        && nested
        && match conversation(parent, child) {
            Conversation::Same => apart <= (lived / 10).clamp(PROMPT, ENDINGS),
            Conversation::None => apart <= PROMPT / 4,
            Conversation::Other => false,
        }
}

/// What was said on two legs.
enum Conversation {
    /// As many messages went each way: a gateway that makes frames of its own still hands on what was said.
    Same,
    /// Nothing on either.
    None,
    Other,
}

/// Messages that one side sent.
fn said(connection: &Connection, role: Role) -> u64 {
    connection.frames.as_ref().map_or(0, |frames| frames[role].messages)
}

fn conversation(one: &Connection, other: &Connection) -> Conversation {
    let lacks = |role| one.quality.missing[role] > 0 || other.quality.missing[role] > 0;
    if Role::BOTH.into_iter().any(|role| !lacks(role) && said(one, role) != said(other, role)) {
        return Conversation::Other;
    }
    let silent = Role::BOTH.into_iter().all(|role| said(one, role) == 0 && said(other, role) == 0);
    if silent { Conversation::None } else { Conversation::Same }
}

/// Whether both asked for the same.
fn same_target(one: &Connection, other: &Connection) -> bool {
    let requests = one.request.as_ref().zip(other.request.as_ref());
    one.tcp.capture == other.tcp.capture
        && requests.is_some_and(|(one, other)| one.head.target == other.head.target)
}

fn still_there(parent: &Connection, at: Timestamp) -> bool {
    ended(parent).is_none_or(|(_, ended)| at <= ended)
}

/// Addresses that the fields which gateways add name as the client's.
pub(super) fn forwarded_for(connection: &Connection) -> Vec<IpAddr> {
    let Some(request) = &connection.request else { return Vec::new() };
    let head = &request.head.head;
    let mut found: Vec<IpAddr> = Vec::new();
    for name in ["X-Forwarded-For", "X-Real-IP", "Forwarded"] {
        let Some(value) = head.text(name) else { continue };
        let elements = value.split([',', ';']).take(ADDRESSES);
        for element in elements {
            let element = element.trim();
            let node = match (name, element.split_once('=')) {
                ("Forwarded", Some((key, node))) if key.trim().eq_ignore_ascii_case("for") => node,
                ("Forwarded", _) => continue,
                _ => element,
            };
            if let Some(ip) = address(node)
                && !found.contains(&ip)
            {
                found.push(ip);
            }
        }
    }
    found
}

/// Elements of such a field that are read.
const ADDRESSES: usize = 16;

/// An address as RFC 7239 §6 and custom write it: bare, quoted, in brackets, with or without a port.
fn address(node: &str) -> Option<IpAddr> {
    let node = node.trim().trim_matches('"');
    let bare = node.strip_prefix('[').and_then(|rest| rest.split(']').next()).unwrap_or(node);
    bare.parse().ok().or_else(|| bare.rsplit_once(':')?.0.parse().ok())
}
