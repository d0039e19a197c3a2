//! Connections that were captured on both sides of an address translation.

use super::pair;
use super::tests::*;
use crate::capture::PacketId;
use crate::connection::Connection;
use crate::role::Sides;
use crate::rules::testing::{ANSWER, REQUEST};
use crate::time::Timestamp;

#[test]
fn one_connection_seen_on_both_sides_of_a_translation_is_no_pair() {
    let numbered = |mut leg: Connection| {
        leg.tcp.isn = Sides { client: Some(7), server: Some(9) };
        leg
    };
    none(&[numbered(outer(REQUEST, ANSWER)), numbered(inner(1, 0, REQUEST, ANSWER))]);
    // Its own upstream leg is found all the same, once.
    let pairs = matched(&[
        numbered(outer(REQUEST, ANSWER)),
        numbered(inner(1, 1, REQUEST, ANSWER)),
        inner(2, 10, REQUEST, ANSWER),
    ]);
    assert_eq!(pairs.iter().map(|pair| (pair.client, pair.upstream)).collect::<Vec<_>>(), [(0, 2)]);
}

#[test]
fn a_duplicate_is_known_without_its_syn_by_what_else_is_the_same() {
    let again = |change: fn(&mut Connection)| {
        let numbered = |mut leg: Connection, packet| {
            leg.tcp.isn = Sides { client: Some(7), server: Some(9) };
            leg.first.packet = PacketId::new(0, packet);
            leg
        };
        let mut second = numbered(inner(1, 0, REQUEST, ANSWER), 2);
        change(&mut second);
        let all = [numbered(outer(REQUEST, ANSWER), 1), second];
        let matched = pair(&all.iter().collect::<Vec<_>>());
        assert_ne!(matched.pairs.is_empty(), matched.duplicates.is_empty());
        !matched.duplicates.is_empty()
    };
    assert!(again(|second| second.tcp.isn.client = None));
    assert!(again(|second| second.tcp.isn.server = None));
    assert!(!again(|second| second.tcp.isn.server = Some(8)));
    assert!(!again(|second| second.tcp.isn = Sides::default()));
    assert!(again(|second| {
        second.tcp.isn = Sides::default();
        second.tcp.client = outer(REQUEST, ANSWER).tcp.client;
    }));
}

#[test]
fn equal_sequence_numbers_make_no_duplicate_of_another_session() {
    let duplicates = |second: Connection, later: i64| {
        let numbered = |mut leg: Connection, packet| {
            leg.tcp.isn = Sides { client: Some(0), server: Some(0) };
            leg.first.packet = PacketId::new(0, packet);
            leg
        };
        let first = numbered(outer(REQUEST, ANSWER), 1);
        let mut second = numbered(second, 2);
        second.first.at = Timestamp::from_nanos(first.first.at.as_nanos() + later);
        pair(&[&first, &second]).duplicates.len()
    };
    assert_eq!(duplicates(inner(1, 0, REQUEST, ANSWER), 1_000_000), 1);
    assert_eq!(duplicates(inner(1, 0, &key(OTHER), &unkeyed()), 1_000_000), 0, "another key");
    assert_eq!(duplicates(inner(1, 0, REQUEST, ANSWER), 2_000_000_000), 0, "too late");
}

#[test]
fn attempts_on_a_connection_seen_twice_are_duplicates_of_one_another_in_their_order() {
    let numbered = |mut leg: Connection, packet| {
        leg.tcp.isn = Sides { client: Some(7), server: Some(9) };
        leg.first.packet = PacketId::new(0, packet);
        leg
    };
    let all = [
        numbered(outer(REQUEST, ANSWER), 1),
        numbered(inner(1, 0, REQUEST, ANSWER), 2),
        numbered(outer(&key(OTHER), ANSWER), 3),
        numbered(inner(3, 0, &key(OTHER), ANSWER), 4),
        numbered(inner(4, 0, &key(OTHER), ANSWER), 5),
    ];
    let found = pair(&all.iter().collect::<Vec<_>>()).duplicates;
    let found: Vec<_> = found.iter().map(|found| (found.index, found.first)).collect();
    assert_eq!(found, [(1, Some(0)), (3, Some(2)), (4, None)]);
}
