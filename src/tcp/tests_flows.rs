//! The life of flows: which packets begin one, which belong to it, and which flow makes place for others.

use super::tests::*;
use super::*;
use crate::capture::{PacketId, Seen};
use crate::limits;
use crate::net::{Flags, FlowKey, Segment};
use crate::time::Timestamp;

#[test]
fn a_new_syn_on_the_four_tuple_is_a_new_flow_and_a_repeated_one_is_not() {
    let mut run = opened();
    run.send(A, Flags::SYN, 99, 0, b"");
    assert!(!run.log.has(&Owned::Closed(Closed::Reused)));
    run.send(A, Flags::SYN, 7000, 0, b"");
    assert!(run.log.has(&Owned::Closed(Closed::Reused)));
    assert!(run.log.has(&Owned::Opened(Some(A))));
}

#[test]
fn packets_after_the_end_begin_no_flow_but_a_syn_does() {
    let mut run = opened();
    run.send(A, Flags::ACK | Flags::FIN, 100, 500, b"");
    run.send(B, Flags::ACK | Flags::FIN, 500, 101, b"");
    let told = run.log.told.len();
    run.send(A, Flags::ACK, 101, 501, b"");
    run.send(B, Flags::RST, 501, 0, b"");
    assert_eq!(run.log.told.len(), told);
    run.open(800, 900);
    assert!(run.log.has(&Owned::Opened(Some(A))));
}

#[test]
fn an_ignored_flow_is_not_heard_of_again() {
    let mut run = opened();
    run.log.ignore_after_data = true;
    run.send(A, Flags::ACK, 100, 500, b"no");
    let told = run.log.told.len();
    run.send(A, Flags::ACK, 102, 500, b"thing");
    run.finish();
    assert_eq!(run.log.told.len(), told);
}

#[test]
fn a_flow_joined_midway_begins_where_each_side_is_first_seen() {
    let mut run = Run::default();
    run.send(B, Flags::ACK, 5000, 77, b"mid");
    run.send(A, Flags::ACK, 77, 5003, b"way");
    assert_eq!((run.log.text(B).as_str(), run.log.text(A).as_str()), ("mid", "way"));
    assert!(run.log.has(&Owned::Opened(None)));
}

#[test]
fn a_syn_ack_alone_tells_who_opened() {
    let mut run = Run::default();
    run.send(B, Flags::SYN | Flags::ACK, 499, 100, b"");
    run.send(A, Flags::ACK, 100, 500, b"hello");
    assert!(run.log.has(&Owned::Opened(Some(A))));
    assert_eq!(run.log.text(A), "hello");
}

/// The segment by which a client with this number begins a connection, or goes on with one.
fn opening(client: u32, flags: Flags, payload: &[u8]) -> Segment<'_> {
    let [_, a, b, c] = client.to_be_bytes();
    let (key, from) = FlowKey::v4(([11, a, b, c], 1), ([10, 0, 0, 2], 80), 0);
    let declared_len = u32::try_from(payload.len()).unwrap();
    let (seq, ack, window, ttl, ip_id) = (client, 0, 1, 0, 0);
    Segment { key, from, seq, ack, flags, window, ttl, ip_id, declared_len, payload }
}

fn moment(packet: u32) -> Seen {
    let packet_id = PacketId::new(0, u64::from(packet) + 1);
    Seen { packet: packet_id, at: Timestamp::from_nanos(packet.into()) }
}

fn evicted(log: &Log) -> usize {
    log.told.iter().filter(|t| **t == Owned::Closed(Closed::Evicted)).count()
}

#[test]
fn the_flow_that_was_idle_longest_makes_place() {
    let (mut table, mut log) = (Table::default(), Log::default());
    for i in 0..u32::try_from(limits::FLOWS / limits::SHARDS).unwrap() + 100 {
        table.push(&opening(i, Flags::ACK, b"x"), moment(i), &mut log);
    }
    assert_eq!((table.counters().evicted, table.counters().unanswered), (100, 0));
    assert_eq!(evicted(&log), 100);
}

#[test]
fn a_flood_of_syns_takes_no_place_from_flows_that_carry_something() {
    let (mut table, mut log) = (Table::default(), Log::default());
    let (places, unanswered) = (limits::FLOWS / limits::SHARDS, limits::UNANSWERED_FLOWS / limits::SHARDS);
    let talking = u32::try_from(places - 10).unwrap();
    for i in 0..talking {
        table.push(&opening(i, Flags::SYN, b""), moment(i), &mut log);
        table.push(&opening(i, Flags::ACK, b"x"), moment(i), &mut log);
    }
    let flood = u32::try_from(3 * places).unwrap();
    for i in talking..talking + flood {
        table.push(&opening(i, Flags::SYN, b""), moment(i), &mut log);
    }
    assert_eq!((table.counters().evicted, evicted(&log)), (0, flood as usize - 10));
    let (mut table, mut log) = (Table::default(), Log::default());
    for i in 0..flood {
        table.push(&opening(i, Flags::SYN, b""), moment(i), &mut log);
    }
    assert_eq!(evicted(&log), flood as usize - unanswered);
}

#[test]
fn nothing_is_told_of_a_flow_that_is_ignored() {
    let told = |late: bool| {
        let mut run = opened();
        run.log.ignore_after_data = true;
        if late {
            run.send(A, Flags::ACK, 103, 500, b"def");
        } else {
            run.send(A, Flags::ACK | Flags::FIN, 100, 500, b"abc");
        }
        run.finish();
        run.log.told.split_off(3)
    };
    assert_eq!(told(false), [Owned::Data(A, 0, b"abc".into())]);
    let gap = Owned::Gap(A, 0, 3, GapCause::Unseen);
    assert_eq!(told(true), [gap, Owned::Data(A, 3, b"def".into())]);
}

#[test]
fn a_flow_ignored_at_its_last_gap_is_not_even_closed() {
    let mut run = opened();
    run.log.ignore_after_gap = true;
    run.send(A, Flags::ACK, 100, 510, b"");
    run.send(B, Flags::ACK, 500, 110, b"");
    run.finish();
    assert_eq!(run.log.told[3..], [Owned::Gap(A, 0, 10, GapCause::Lost)]);
}
