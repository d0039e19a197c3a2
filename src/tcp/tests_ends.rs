//! Beginnings and ends that are sent again, or that the capture lacks.

use super::tests::{A, B, Run, Told, opened};
use super::{Closed, GapCause};
use crate::limits;
use crate::net::Flags;

#[test]
fn a_syn_ack_sent_again_at_once_after_a_syn_sent_again_is_no_copy() {
    let mut run = Run::default();
    for _ in 0..2 {
        run.pass(998_000_000);
        run.send(A, Flags::SYN, 99, 0, b"");
        // A millisecond passes between packets here, but for most of it.
        run.pass(limits::DUPLICATE_NANOS / 2 - 1_000_000);
        run.send(B, Flags::SYN | Flags::ACK, 499, 100, b"");
    }
    run.finish();
    assert_eq!(run.table.counters().duplicates, 0);
    assert_eq!(run.log.told[1..5], [Told::Syn(A), Told::Syn(B), Told::SynAgain(A), Told::SynAgain(B)]);
}

#[test]
fn a_fin_that_only_the_other_sides_fin_acknowledges_came_first() {
    let mut run = opened();
    run.send(A, Flags::ACK, 100, 500, b"bye");
    run.send(B, Flags::ACK | Flags::FIN, 500, 104, b"");
    for _ in 0..=limits::GAP_GRACE_SEGMENTS {
        run.send(A, Flags::ACK, 104, 501, b"");
    }
    let ends = [Told::FinUnseen(A), Told::Fin(B), Told::Closed(Closed::Ended)];
    assert_eq!(run.log.told[4..], ends);
}

#[test]
fn bytes_that_are_missing_before_an_end_may_hold_no_fin() {
    let mut run = opened();
    run.send(A, Flags::ACK, 100, 500, b"bye");
    run.send(B, Flags::ACK | Flags::FIN, 500, 109, b"");
    run.finish();
    assert!(!run.log.has(&Told::FinUnseen(A)), "{:?}", run.log.told);
    assert!(run.log.has(&Told::Gap(A, 3, 6, GapCause::Lost)), "{:?}", run.log.told);
}

#[test]
fn both_fins_in_the_capture_are_told_as_they_are() {
    let mut run = opened();
    run.send(B, Flags::ACK | Flags::FIN, 500, 101, b"");
    run.send(A, Flags::ACK | Flags::FIN, 100, 500, b"");
    assert_eq!(run.log.told[3..5], [Told::Fin(A), Told::Fin(B)]);
}

#[test]
fn a_reset_behind_bytes_that_the_capture_lacks_tells_that_they_were_sent() {
    let mut run = opened();
    run.send(B, Flags::RST, 511, 0, b"");
    run.finish();
    assert!(run.log.has(&Told::Gap(B, 0, 11, GapCause::Lost)), "{:?}", run.log.told);
}

#[test]
fn a_fin_that_acknowledges_what_is_missing_ends_the_flow_whatever_lies_behind_it() {
    let mut run = opened();
    run.send(A, Flags::ACK | Flags::FIN, 100, 900, b"");
    run.send(A, Flags::ACK, 150, 500, b"stray");
    run.finish();
    assert!(run.log.told.contains(&Told::Fin(A)), "{:?}", run.log.told);
    assert!(!run.log.told.iter().any(|told| matches!(told, Told::Data(..))), "{:?}", run.log.told);
}

#[test]
fn stray_segments_far_behind_a_fin_hold_up_no_end_and_are_no_gap() {
    let mut run = opened();
    run.send(A, Flags::ACK, 3_000_000, 500, b"of nobody");
    run.send(A, Flags::ACK, 100, 500, b"bye");
    run.send(A, Flags::ACK | Flags::FIN, 103, 500, b"");
    run.send(B, Flags::ACK | Flags::FIN, 500, 104, b"");
    run.finish();
    let gap = run.log.told.iter().any(|told| matches!(told, Told::Gap(..)));
    assert!(!gap && run.log.has(&Told::Closed(Closed::Ended)), "{:?}", run.log.told);
}
