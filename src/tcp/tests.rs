//! Reassembly, and the life of flows.

use super::*;
use crate::capture::{PacketId, Seen};
use crate::limits;
use crate::net::{Flags, FlowKey, Icmp, IcmpError, IcmpKind, Segment, Side};
use crate::time::Timestamp;

/// What was told, in words short enough to compare.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Owned {
    Opened(Option<Side>),
    Syn(Side),
    SynAgain(Side),
    Window(Side, bool),
    Data(Side, u64, Vec<u8>),
    Gap(Side, u64, u64, GapCause),
    Repeat(Side, u64, Vec<u8>),
    Conflict(Side, u64),
    Fin(Side),
    FinCrossing(Side),
    FinUnseen(Side),
    Reset(Side),
    Icmp(Side, IcmpKind),
    Closed(Closed),
}

#[derive(Default)]
pub(super) struct Log {
    pub(super) told: Vec<Owned>,
    pub(super) ignore_after_data: bool,
    pub(super) ignore_after_gap: bool,
}

impl Sink for Log {
    fn event(&mut self, e: StreamEvent<'_>) -> Interest {
        self.told.push(match e.event {
            Event::Opened { opener } => Owned::Opened(opener),
            Event::Syn { .. } => Owned::Syn(e.from),
            Event::SynAgain => Owned::SynAgain(e.from),
            Event::Window { closed } => Owned::Window(e.from, closed),
            Event::Data { offset, bytes } => {
                assert!(!bytes.is_empty());
                Owned::Data(e.from, offset, bytes.to_vec())
            }
            Event::Gap { offset, len, cause } => Owned::Gap(e.from, offset, len, cause),
            Event::Repeat { offset, bytes } => Owned::Repeat(e.from, offset, bytes.to_vec()),
            Event::Conflict { offset } => Owned::Conflict(e.from, offset),
            Event::Fin { crosses: false } => Owned::Fin(e.from),
            Event::Fin { crosses: true } => Owned::FinCrossing(e.from),
            Event::FinUnseen => Owned::FinUnseen(e.from),
            Event::Reset { .. } => Owned::Reset(e.from),
            Event::Icmp { says, .. } => Owned::Icmp(e.from, says.kind),
            Event::Closed { why, .. } => Owned::Closed(why),
        });
        let data = matches!(e.event, Event::Data { .. })
            || self.ignore_after_gap && matches!(e.event, Event::Gap { .. });
        if data && (self.ignore_after_data || self.ignore_after_gap) {
            Interest::Ignore
        } else {
            Interest::Keep
        }
    }
}

impl Log {
    /// The bytes of one side, `None` for a missing one; panics where an event does not follow the one before.
    pub(super) fn stream(&self, side: Side) -> Vec<Option<u8>> {
        let mut out = Vec::new();
        for told in &self.told {
            match told {
                Owned::Data(from, offset, bytes) if *from == side => {
                    assert_eq!(*offset, out.len() as u64);
                    out.extend(bytes.iter().copied().map(Some));
                }
                Owned::Gap(from, offset, len, _) if *from == side => {
                    assert_eq!(*offset, out.len() as u64);
                    out.resize(out.len() + *len as usize, None);
                }
                _ => {}
            }
        }
        out
    }

    pub(super) fn text(&self, side: Side) -> String {
        self.stream(side).into_iter().map(|b| b.map_or('_', char::from)).collect()
    }

    pub(super) fn has(&self, told: &Owned) -> bool {
        self.told.contains(told)
    }
}

/// A table, a log, and packets that are numbered and timed a millisecond apart.
#[derive(Default)]
pub(super) struct Run {
    pub(super) table: Table,
    pub(super) log: Log,
    packets: u64,
    nanos: i64,
    /// IP identification of the next packets.
    ip_id: u16,
}

pub(super) const A: Side = Side::Low;
pub(super) const B: Side = Side::High;

impl Run {
    fn seen(&mut self) -> Seen {
        self.packets += 1;
        self.nanos += 1_000_000;
        Seen { packet: PacketId::new(0, self.packets), at: Timestamp::from_nanos(self.nanos) }
    }

    pub(super) fn send(&mut self, from: Side, flags: Flags, seq: u32, ack: u32, payload: &[u8]) {
        self.cut(from, flags, seq, ack, payload, payload.len());
    }

    pub(super) fn cut(&mut self, from: Side, flags: Flags, seq: u32, ack: u32, payload: &[u8], sent: usize) {
        let (a, b) = (([10, 0, 0, 1], 1000), ([10, 0, 0, 2], 80));
        let (key, _) = FlowKey::v4(a, b, 0);
        let segment = Segment {
            key,
            from,
            seq,
            ack,
            flags,
            window: 1000,
            ttl: 64,
            ip_id: self.ip_id,
            declared_len: sent as u32,
            payload,
        };
        let seen = self.seen();
        self.table.push(&segment, seen, &mut self.log);
    }

    /// An ICMP error that quotes a segment of this side; tells whether it is believed.
    fn is_told_undelivered(&mut self, from: Side, seq: u32) -> bool {
        let (key, _) = FlowKey::v4(([10, 0, 0, 1], 1000), ([10, 0, 0, 2], 80), 0);
        let says = Icmp { by: [10, 0, 0, 9].into(), kind: IcmpKind::NoHost, code: (3, 1) };
        let (seen, told) = (self.seen(), self.log.told.len());
        self.table.icmp(&IcmpError { key, from, seq, says }, seen, &mut self.log);
        self.log.told.get(told..) == Some(&[Owned::Icmp(from, IcmpKind::NoHost)])
    }

    /// The three-way handshake, A to B, with these initial sequence numbers.
    pub(super) fn open(&mut self, a: u32, b: u32) {
        self.send(A, Flags::SYN, a, 0, b"");
        self.send(B, Flags::SYN | Flags::ACK, b, a.wrapping_add(1), b"");
        self.send(A, Flags::ACK, a.wrapping_add(1), b.wrapping_add(1), b"");
    }

    /// Time passes.
    pub(super) fn pass(&mut self, nanos: i64) {
        self.nanos += nanos;
    }

    pub(super) fn finish(&mut self) {
        let seen = self.seen();
        for flow in self.table.open().collect::<Vec<_>>() {
            self.table.end(flow, seen, &mut self.log);
        }
    }
}

pub(super) fn opened() -> Run {
    let mut run = Run::default();
    run.open(99, 499);
    run
}

#[test]
fn segments_in_order_are_told_as_they_come() {
    let mut run = opened();
    run.send(A, Flags::ACK, 100, 500, b"GET ");
    run.send(B, Flags::ACK, 500, 104, b"ok");
    run.send(A, Flags::ACK | Flags::FIN, 104, 502, b"/");
    run.send(B, Flags::ACK | Flags::FIN, 502, 106, b"");
    assert_eq!(
        run.log.told,
        [
            Owned::Opened(Some(A)),
            Owned::Syn(A),
            Owned::Syn(B),
            Owned::Data(A, 0, b"GET ".into()),
            Owned::Data(B, 0, b"ok".into()),
            Owned::Data(A, 4, b"/".into()),
            Owned::Fin(A),
            Owned::Fin(B),
            Owned::Closed(Closed::Ended),
        ]
    );
}

#[test]
fn a_sequence_number_may_wrap() {
    let mut run = Run::default();
    run.open(u32::MAX - 3, u32::MAX);
    run.send(A, Flags::ACK, u32::MAX - 2, 0, b"abcdef");
    run.send(A, Flags::ACK, 5, 0, b"hi");
    run.send(A, Flags::ACK, 3, 0, b"+-");
    assert_eq!(run.log.text(A), "abcdef+-hi");
}

#[test]
fn a_late_segment_is_waited_for_until_it_comes() {
    let mut run = opened();
    run.send(A, Flags::ACK, 103, 500, b"def");
    assert_eq!(run.log.text(A), "");
    run.send(B, Flags::ACK, 500, 106, b"an answer captured first");
    run.send(A, Flags::ACK, 100, 500, b"abc");
    assert_eq!(run.log.text(A), "abcdef");
}

#[test]
fn an_acknowledged_hole_becomes_one_gap_after_the_grace() {
    let mut run = opened();
    run.send(A, Flags::ACK, 105, 500, b"late");
    for _ in 0..=limits::GAP_GRACE_SEGMENTS {
        assert_eq!(run.log.text(A), "");
        run.send(B, Flags::ACK, 500, 109, b"");
    }
    assert_eq!(run.log.text(A), "_____late");
    assert!(run.log.has(&Owned::Gap(A, 0, 5, GapCause::Lost)));
}

#[test]
fn a_hole_that_is_not_acknowledged_is_waited_for() {
    let mut run = opened();
    run.send(A, Flags::ACK, 105, 500, b"late");
    for _ in 0..100 {
        run.send(B, Flags::ACK, 500, 100, b"");
    }
    run.send(A, Flags::ACK, 100, 500, b"early");
    assert_eq!(run.log.text(A), "earlylate");
}

#[test]
fn a_hole_is_given_up_at_the_bound_and_at_the_end() {
    let mut run = opened();
    let chunk = vec![b'x'; 60_000];
    for i in 0..5u32 {
        run.send(A, Flags::ACK, 110 + i * 60_000, 500, &chunk);
    }
    assert_eq!(run.log.stream(A).len(), 10 + 300_000);
    let mut run = opened();
    run.send(A, Flags::ACK, 110, 500, b"end");
    run.finish();
    assert!(run.log.has(&Owned::Gap(A, 0, 10, GapCause::Unseen)));
    assert_eq!(run.log.told.last(), Some(&Owned::Closed(Closed::CaptureEnded)));
}

#[test]
fn one_direction_alone_does_not_stall() {
    let mut run = Run::default();
    run.send(A, Flags::ACK, 100, 1, b"a");
    for i in 0..40 {
        run.send(A, Flags::ACK, 200 + i, 1, b"b");
    }
    assert!(run.log.has(&Owned::Gap(A, 1, 99, GapCause::Unseen)));
    assert_eq!(run.log.stream(A).len(), 140);
}

#[test]
fn a_lost_end_is_told_when_the_flow_is_over() {
    let mut run = opened();
    run.send(A, Flags::ACK, 100, 500, b"abc");
    run.send(B, Flags::ACK, 500, 111, b"");
    run.send(A, Flags::ACK | Flags::FIN, 111, 500, b"");
    run.send(B, Flags::ACK | Flags::FIN, 500, 112, b"");
    run.finish();
    assert_eq!(run.log.text(A), "abc________");
    assert!(run.log.has(&Owned::Fin(A)) && run.log.has(&Owned::Fin(B)));
}

#[test]
fn a_cut_packet_moves_the_stream_by_what_was_sent() {
    let mut run = opened();
    run.cut(A, Flags::ACK, 100, 500, b"abc", 10);
    run.send(A, Flags::ACK, 110, 500, b"xyz");
    assert_eq!(run.log.text(A), "abc_______xyz");
    assert!(run.log.has(&Owned::Gap(A, 3, 7, GapCause::Cut)));
}

#[test]
fn keep_alive_probes_and_repeated_acks_tell_nothing() {
    let mut run = opened();
    run.send(A, Flags::ACK, 100, 500, b"abc");
    let before = run.log.told.len();
    run.send(A, Flags::ACK, 102, 500, b"");
    run.send(A, Flags::ACK, 102, 500, b"\0");
    run.send(B, Flags::ACK, 499, 103, b"");
    assert_eq!(run.log.told.len(), before);
}

#[test]
fn a_second_copy_is_told_as_a_repeat_and_its_new_tail_as_data() {
    let mut run = opened();
    run.send(A, Flags::ACK, 100, 500, b"abcd");
    run.send(A, Flags::ACK, 102, 500, b"XYef");
    assert!(run.log.has(&Owned::Repeat(A, 2, b"XY".into())));
    assert_eq!(run.log.text(A), "abcdef");
}

#[test]
fn two_waiting_copies_that_differ_are_a_conflict_and_the_first_counts() {
    let mut run = opened();
    run.send(A, Flags::ACK, 102, 500, b"cdef");
    run.send(A, Flags::ACK, 101, 500, b"bcXXfg");
    run.send(A, Flags::ACK, 100, 500, b"a");
    assert!(run.log.has(&Owned::Conflict(A, 3)));
    assert_eq!(run.log.text(A), "abcdefg");
}

#[test]
fn a_reset_is_told_at_once_and_ends_the_flow_a_little_later() {
    let mut run = opened();
    run.send(B, Flags::RST, 500, 0, b"");
    run.send(A, Flags::ACK, 100, 500, b"on its way");
    assert!(run.log.has(&Owned::Reset(B)) && run.log.has(&Owned::Data(A, 0, b"on its way".into())));
    run.nanos += limits::LINGER_NANOS;
    run.send(A, Flags::ACK, 110, 500, b"too late");
    assert_eq!(run.log.told.last(), Some(&Owned::Closed(Closed::Ended)));
}

#[test]
fn a_reset_far_from_the_stream_is_not_believed() {
    let mut run = opened();
    run.send(B, Flags::RST, 500_000_000, 0, b"");
    assert!(!run.log.has(&Owned::Reset(B)));
}

#[test]
fn an_answer_is_told_after_what_it_answers_whatever_the_order_of_the_capture() {
    let mut run = opened();
    run.send(B, Flags::ACK, 500, 103, b"answer");
    run.send(B, Flags::ACK | Flags::FIN, 506, 103, b"");
    assert_eq!(run.log.told.len(), 3, "{:?}", run.log.told);
    run.send(A, Flags::ACK, 100, 500, b"ask");
    run.send(A, Flags::ACK | Flags::FIN, 103, 507, b"");
    assert_eq!(
        run.log.told[3..],
        [
            Owned::Data(A, 0, b"ask".into()),
            Owned::Data(B, 0, b"answer".into()),
            Owned::Fin(B),
            Owned::Fin(A),
            Owned::Closed(Closed::Ended),
        ]
    );
}

#[test]
fn an_answer_to_what_was_never_captured_is_told_after_the_grace_and_the_next_one_at_once() {
    let mut run = opened();
    run.send(B, Flags::ACK, 500, 103, b"one");
    for _ in 0..limits::GAP_GRACE_SEGMENTS {
        assert_eq!(run.log.text(B), "");
        run.send(A, Flags::ACK, 100, 500, b"");
    }
    assert_eq!(run.log.text(B), "one");
    run.send(B, Flags::ACK, 503, 103, b"two");
    assert_eq!(run.log.text(B), "onetwo");
    run.finish();
    assert!(run.log.has(&Owned::Gap(A, 0, 3, GapCause::Lost)));
}

#[test]
fn of_two_sides_that_wait_for_each_other_the_one_captured_later_was_sent_again() {
    let mut run = opened();
    run.send(A, Flags::ACK, 100, 503, b"abc");
    run.send(B, Flags::ACK, 500, 103, b"xyz");
    assert_eq!(run.log.told[3..], [Owned::Data(B, 0, b"xyz".into()), Owned::Data(A, 0, b"abc".into())]);
}

#[test]
fn one_direction_alone_waits_for_nobody() {
    let mut run = Run::default();
    run.send(B, Flags::ACK, 500, 103, b"one");
    run.send(B, Flags::ACK, 503, 203, b"two");
    assert_eq!(run.log.text(B), "onetwo");
}

#[test]
fn a_packet_that_two_interfaces_saw_is_no_repeat() {
    let mut run = Run { ip_id: 7, ..Run::default() };
    let twice = |run: &mut Run, from, flags, seq, ack, payload: &[u8]| {
        run.ip_id += 1;
        run.send(from, flags, seq, ack, payload);
        run.send(from, flags, seq, ack, payload);
    };
    twice(&mut run, A, Flags::SYN, 99, 0, b"");
    twice(&mut run, B, Flags::SYN | Flags::ACK, 499, 100, b"");
    twice(&mut run, A, Flags::ACK, 100, 500, b"hello");
    twice(&mut run, B, Flags::ACK, 500, 105, b"");
    twice(&mut run, A, Flags::ACK | Flags::FIN, 105, 500, b"");
    let all = [
        Owned::Opened(Some(A)),
        Owned::Syn(A),
        Owned::Syn(B),
        Owned::Data(A, 0, b"hello".into()),
        Owned::Fin(A),
    ];
    assert_eq!(run.log.told, all);
    run.finish();
    assert_eq!(run.table.counters().duplicates, 4);
}

#[test]
fn bytes_sent_again_in_a_packet_of_their_own_are_a_repeat() {
    let mut run = opened();
    for (id, pause) in [(1, 0), (2, 0), (0, 200_000_000), (0, 200_000_000)] {
        (run.ip_id, run.nanos) = (id, run.nanos + pause);
        run.send(A, Flags::ACK, 100, 500, b"abc");
    }
    assert_eq!(run.log.told.iter().filter(|told| matches!(told, Owned::Repeat(..))).count(), 3);
    // Without an identification, only a copy can come at once.
    run.nanos -= 999_999;
    run.send(A, Flags::ACK, 100, 500, b"abc");
    run.finish();
    assert_eq!(run.table.counters().duplicates, 1);
}

#[test]
fn an_icmp_error_counts_where_it_quotes_what_is_on_the_way() {
    let mut run = Run::default();
    assert!(!run.is_told_undelivered(A, 99), "of a flow that nobody has seen");
    run.send(A, Flags::SYN, 99, 0, b"");
    assert!(run.is_told_undelivered(A, 99), "the SYN");
    assert!(!run.is_told_undelivered(A, 98) && !run.is_told_undelivered(A, 100));
    assert!(!run.is_told_undelivered(B, 499), "of a side that is silent");
    run.send(B, Flags::SYN | Flags::ACK, 499, 100, b"");
    assert!(!run.is_told_undelivered(A, 99), "it was acknowledged");
    assert!(run.is_told_undelivered(B, 499));
    run.send(A, Flags::ACK, 100, 500, b"hello");
    assert!(run.is_told_undelivered(A, 100) && run.is_told_undelivered(A, 104));
    assert!(!run.is_told_undelivered(A, 105), "not sent yet");
    // What waits for missing bytes was sent as well.
    run.send(A, Flags::ACK, 110, 500, b"later");
    assert!(run.is_told_undelivered(A, 110) && run.is_told_undelivered(A, 107));
    assert!(!run.is_told_undelivered(A, 115));
    run.send(B, Flags::ACK, 500, 105, b"");
    assert!(!run.is_told_undelivered(A, 104) && run.is_told_undelivered(A, 110));
}

#[test]
fn what_was_sent_before_the_capture_or_half_the_numbers_ago_is_not_on_the_way() {
    let mut run = Run::default();
    run.send(A, Flags::ACK, 5, 500, b"midway");
    assert!(run.is_told_undelivered(A, 5));
    assert!(!run.is_told_undelivered(A, 3) && !run.is_told_undelivered(A, 5 + (1 << 31)));
    // Numbers pass zero.
    let mut run = Run::default();
    run.open(u32::MAX - 2, 499);
    run.send(A, Flags::ACK, u32::MAX - 1, 500, b"around");
    assert!(run.is_told_undelivered(A, u32::MAX) && run.is_told_undelivered(A, 3));
    assert!(!run.is_told_undelivered(A, 4));
}
