//! What one flow, and all of them, may keep while TCP is put in order.

use super::{MEMORY, alone, flat};
use wsanalyze::capture::{PacketId, Seen};
use wsanalyze::limits;
use wsanalyze::net::{Flags, FlowKey, Segment, Side};
use wsanalyze::tcp::{Closed, Event, Interest, Sink, StreamEvent, Table};
use wsanalyze::time::Timestamp;

/// A table, and what it told.
#[derive(Default)]
struct Run {
    table: Table,
    told: Told,
    packets: u64,
    nanos: i64,
}

#[derive(Default)]
struct Told {
    bytes: usize,
    gaps: usize,
    repeats: usize,
    resets: usize,
    /// Ports of the clients of flows that had to make place.
    evicted: Vec<u16>,
}

impl Sink for Told {
    fn event(&mut self, event: StreamEvent<'_>) -> Interest {
        match event.event {
            Event::Data { bytes, .. } => self.bytes += bytes.len(),
            Event::Gap { .. } => self.gaps += 1,
            Event::Repeat { .. } => self.repeats += 1,
            Event::Reset { .. } => self.resets += 1,
            Event::Closed { why: Closed::Evicted, .. } => {
                self.evicted.push(event.key.endpoint(Side::Low).port);
            }
            _ => {}
        }
        Interest::Keep
    }
}

impl Run {
    /// The next packet, a microsecond after the one before: the client with this number, or the server answering it.
    fn send(&mut self, client: u32, from: Side, (flags, seq, ack): (Flags, u32, u32), payload: &[u8]) {
        let [_, a, b, c] = (client >> 16).to_be_bytes();
        let ends = (([10, a, b, c], client as u16), ([192, 0, 2, 9], 80));
        let (key, side) = FlowKey::v4(ends.0, ends.1, 0);
        assert_eq!(side, Side::Low);
        let (declared_len, window, ttl, ip_id) = (payload.len() as u32, 1000, 64, 0);
        let segment = Segment { key, from, seq, ack, flags, window, ttl, ip_id, declared_len, payload };
        self.packets += 1;
        self.nanos += 1000;
        let (packet, at) = (PacketId::new(0, self.packets), Timestamp::from_nanos(self.nanos));
        self.table.push(&segment, Seen { packet, at }, &mut self.told);
    }

    fn open(&mut self, client: u32) {
        self.send(client, Side::Low, (Flags::SYN, 99, 0), b"");
        self.send(client, Side::High, (Flags::SYN | Flags::ACK, 499, 100), b"");
        self.send(client, Side::Low, (Flags::ACK, 100, 500), b"");
    }

    /// Segments of the client, before each of which a byte is missing that nobody has acknowledged. The most bytes that
    /// wait, and how many come before the first gap is given up.
    fn with_holes(&mut self, count: usize, len: usize) -> (usize, usize) {
        let (mut most, mut sent, mut patience) = (0, 0, 0);
        let payload = vec![b'x'; len];
        let mut seq = 100_u32;
        for _ in 0..count {
            seq += 1;
            self.send(1, Side::Low, (Flags::ACK, seq, 500), &payload);
            seq += len as u32;
            sent += len;
            most = most.max(sent - self.told.bytes);
            patience += usize::from(self.told.gaps == 0);
        }
        (most, patience)
    }
}

fn opened() -> Run {
    let mut run = Run::default();
    run.open(1);
    run
}

#[test]
fn few_segments_wait_for_earlier_bytes() {
    let mut run = opened();
    let (most, patience) = run.with_holes(4 * limits::HELD_SEGMENTS, 1);
    assert_eq!((most, patience), (limits::HELD_SEGMENTS, limits::HELD_SEGMENTS));
    assert_eq!(run.told.gaps, 3 * limits::HELD_SEGMENTS, "what is given up is told");
}

#[test]
fn few_bytes_wait_for_earlier_ones() {
    let mut run = opened();
    let fit = limits::HELD_BYTES / (1000 + limits::HELD_SEGMENT);
    let (most, patience) = run.with_holes(4 * fit, 1000);
    assert_eq!((most, patience), (fit * 1000, fit));
    assert_eq!(run.told.gaps, 3 * fit);
}

#[test]
fn few_bytes_wait_in_all_flows_together() {
    let room = limits::HELD_BYTES_TOTAL / limits::SHARDS;
    let payload = [b'x'; 1000];
    let cost = payload.len() + limits::HELD_SEGMENT;
    let (mut run, mut most, mut sent) = (Run::default(), 0, 0);
    for client in 1..=(4 * room / (8 * cost)) as u32 {
        run.open(client);
        for segment in 0..8 {
            run.send(client, Side::Low, (Flags::ACK, 101 + 1001 * segment, 500), &payload);
            sent += payload.len();
            most = most.max((sent - run.told.bytes) / payload.len() * cost);
        }
    }
    assert!(
        (room - cost..=room).contains(&most),
        "{most} bytes waited in all flows, at most {room} expected"
    );
    assert!(run.table.counters().relieved > 0 && run.told.gaps > 0);
}

#[test]
fn what_waits_takes_no_more_memory_however_much_comes() {
    flat("tcp::what_waits_takes_no_more_memory_however_much_comes", |times| {
        move || {
            opened().with_holes(times * limits::HELD_SEGMENTS, 1);
            opened().with_holes(times * limits::HELD_BYTES / 1000, 1000);
        }
    });
}

#[test]
fn a_waiting_segment_takes_no_more_than_is_counted_for_it() {
    alone("tcp::a_waiting_segment_takes_no_more_than_is_counted_for_it", 1 << 20, || {
        let mut run = opened();
        let before = MEMORY.current_usage();
        let count = limits::HELD_SEGMENTS - 1;
        run.with_holes(count, 1);
        assert_eq!(run.told.bytes, 0);
        let taken = (MEMORY.current_usage() - before) / count;
        assert!((limits::HELD_SEGMENT / 2..=limits::HELD_SEGMENT).contains(&taken), "{taken} bytes");
    });
}

#[test]
fn acknowledged_bytes_are_waited_for_as_long_as_packets_may_be_late() {
    for (pause, gaps) in [(limits::GAP_GRACE_NANOS - 10_000, 0), (limits::GAP_GRACE_NANOS + 10_000, 1)] {
        let mut run = opened();
        run.send(1, Side::Low, (Flags::ACK, 101, 500), b"late");
        run.nanos += pause;
        run.send(1, Side::High, (Flags::ACK, 500, 105), b"");
        assert_eq!(run.told.gaps, gaps, "after {pause} ns");
    }
}

#[test]
fn a_reset_is_believed_near_the_stream_alone() {
    for (distance, resets) in [(0, 1), (limits::RESET_DISTANCE, 1), (limits::RESET_DISTANCE + 1, 0)] {
        for seq in [500_u32.wrapping_add(distance), 500_u32.wrapping_sub(distance)] {
            let mut run = opened();
            run.send(1, Side::High, (Flags::RST, seq, 0), b"");
            assert_eq!(run.told.resets, usize::from(distance == 0), "{distance} away, at once");
            run.nanos += limits::DOUBTED_RESET_NANOS;
            run.send(2, Side::Low, (Flags::SYN, 1, 0), b"");
            assert_eq!(run.told.resets, resets, "{distance} away");
        }
    }
}

#[test]
fn a_copy_without_identification_is_known_by_coming_at_once() {
    for (pause, duplicates) in [(limits::DUPLICATE_NANOS - 1, 1), (limits::DUPLICATE_NANOS, 0)] {
        let mut run = opened();
        run.send(1, Side::Low, (Flags::ACK, 100, 500), b"abc");
        run.nanos += pause - 1000;
        run.send(1, Side::Low, (Flags::ACK, 100, 500), b"abc");
        assert_eq!(run.told.repeats, 1 - duplicates, "after {pause} ns");
    }
}

/// Both sides say that they are done.
fn live_and_end(run: &mut Run, client: u32) {
    run.open(client);
    run.send(client, Side::Low, (Flags::ACK | Flags::FIN, 100, 500), b"");
    run.send(client, Side::High, (Flags::ACK | Flags::FIN, 500, 101), b"");
}

#[test]
fn of_flows_that_ended_the_last_ones_are_remembered() {
    flat("tcp::of_flows_that_ended_the_last_ones_are_remembered", |times| {
        move || {
            let remembered = (limits::REMEMBERED_FLOWS / limits::SHARDS) as u32;
            // The table of keys gets its size when the first of them are forgotten.
            let (mut run, all) = (Run::default(), 2 * times as u32 * remembered);
            (0..all).for_each(|client| live_and_end(&mut run, client));
            let mut is_new = |client: u32| {
                let before = run.table.counters().flows;
                run.send(client, Side::Low, (Flags::ACK, 101, 501), b"");
                run.table.counters().flows > before
            };
            assert!(!is_new(all - 1) && !is_new(all - remembered));
            assert!(is_new(all - remembered - 1) && is_new(0));
        }
    });
}

#[test]
fn few_flows_are_looked_at_to_find_the_one_that_makes_place() {
    let mut run = Run::default();
    let places = (limits::FLOWS / limits::SHARDS) as u32;
    let ports = 1..=places;
    ports.clone().for_each(|client| run.send(client, Side::Low, (Flags::ACK, 100, 500), b"x"));
    // All but two say something more. One of these is the last that is looked at, the other the first that is not.
    let last = limits::EVICTION_SAMPLE as u32 + 1;
    let idle = [last, last + 1];
    let talking = ports.filter(|client| !idle.contains(client));
    talking.for_each(|client| run.send(client, Side::Low, (Flags::ACK, 101, 500), b"y"));
    for (turn, victim) in [(0, idle[0]), (1, idle[1])] {
        run.send(places + 1 + turn, Side::Low, (Flags::ACK, 100, 500), b"x");
        assert_eq!(run.told.evicted.last(), Some(&(victim as u16)));
    }
}
