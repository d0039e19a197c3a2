//! What gateways changed between the two legs of a session.

use crate::limits;
use crate::report::escape;
use crate::report::ladder::spelled;
use crate::report::model::{LegPair, Report};
use std::collections::HashMap;

/// What a gateway did, in one sentence.
pub(super) struct Hop {
    pub(super) gateway: String,
    pub(super) did: &'static str,
    pub(super) what: String,
    pub(super) rest: String,
    pub(super) count: usize,
}

/// Something that is not the same on both legs.
pub(super) struct Change {
    pub(super) field: String,
    pub(super) place: &'static str,
    pub(super) client_leg: Option<String>,
    pub(super) upstream_leg: Option<String>,
    /// `removed by the gateway`.
    pub(super) verb: &'static str,
}

/// What gateways did to fields that decide about a session, the most frequent first.
pub(super) fn hops(report: &Report) -> (Vec<Hop>, usize) {
    let mut hops: Vec<Hop> = Vec::new();
    let mut places: HashMap<(String, &'static str, String, String), usize> = HashMap::new();
    for pair in &report.leg_pairs {
        for change in changes(pair) {
            if !DECIDING.contains(&change.field.to_ascii_lowercase().as_str()) {
                continue;
            }
            let (did, rest) = match change.verb {
                "removed" => ("removed", format!("from the {}", change.place)),
                "added" => ("added", format!("to the {}", change.place)),
                _ => ("changed", format!("in the {}", change.place)),
            };
            let key = (pair.gateway.clone(), did, change.field.clone(), rest.clone());
            if places.len() >= limits::PAGE_CAUSES && !places.contains_key(&key) {
                continue;
            }
            let place = *places.entry(key).or_insert_with(|| {
                hops.push(Hop { gateway: pair.gateway.clone(), did, what: change.field, rest, count: 0 });
                hops.len() - 1
            });
            hops[place].count += 1;
        }
    }
    hops.sort_by_key(|hop| std::cmp::Reverse(hop.count));
    let more = hops.len().saturating_sub(HOPS);
    hops.truncate(HOPS);
    (hops, more)
}

/// What differs between two legs, in the direction in which it travelled.
pub(super) fn changes(pair: &LegPair) -> impl Iterator<Item = Change> + '_ {
    pair.changes.iter().map(|change| {
        let towards_upstream = matches!(change.place, "request" | "client-close");
        let (before, after) = match towards_upstream {
            true => (&change.client_leg, &change.upstream_leg),
            false => (&change.upstream_leg, &change.client_leg),
        };
        let shown =
            |value: &Option<String>| value.as_ref().map(|value| escape::terminal_at_most(value, VALUE));
        Change {
            field: match change.field {
                "target" => String::from("Target"),
                "http-version" => String::from("HTTP version"),
                "status" => String::from("Status"),
                "close" => String::from("Close frame"),
                field => spelled(field),
            },
            place: match change.place {
                "request" => "request",
                "response" => "answer",
                "client-close" => "client's close",
                _ => "server's close",
            },
            client_leg: shown(&change.client_leg),
            upstream_leg: shown(&change.upstream_leg),
            verb: match (before, after) {
                (Some(_), None) => "removed",
                (None, Some(_)) => "added",
                _ => "changed",
            },
        }
    })
}

/// Fields that a gateway has to pass on; others it writes anew as a matter of course.
const DECIDING: [&str; 7] = [
    "sec-websocket-extensions",
    "sec-websocket-protocol",
    "upgrade",
    "connection",
    "origin",
    "status",
    "close frame",
];

/// Hops that are told; more are counted.
const HOPS: usize = 5;

/// Bytes of a value that are shown.
const VALUE: usize = 300;
