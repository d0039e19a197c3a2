//! Beginnings and ends that are sent again, or that the capture lacks.

use super::tests::{A, B, Owned, Run, opened};
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
    assert_eq!(run.log.told[1..5], [Owned::Syn(A), Owned::Syn(B), Owned::SynAgain(A), Owned::SynAgain(B)]);
}

#[test]
fn a_fin_that_only_the_other_sides_fin_acknowledges_came_first() {
    let mut run = opened();
    run.send(A, Flags::ACK, 100, 500, b"bye");
    run.send(B, Flags::ACK | Flags::FIN, 500, 104, b"");
    for _ in 0..=limits::GAP_GRACE_SEGMENTS {
        run.send(A, Flags::ACK, 104, 501, b"");
    }
    let ends = [Owned::FinUnseen(A), Owned::Fin(B), Owned::Closed(Closed::Ended)];
    assert_eq!(run.log.told[4..], ends);
}

#[test]
fn bytes_that_are_missing_before_an_end_may_hold_no_fin() {
    let mut run = opened();
    run.send(A, Flags::ACK, 100, 500, b"bye");
    run.send(B, Flags::ACK | Flags::FIN, 500, 109, b"");
    run.finish();
    assert!(!run.log.has(&Owned::FinUnseen(A)), "{:?}", run.log.told);
    assert!(run.log.has(&Owned::Gap(A, 3, 6, GapCause::Lost)), "{:?}", run.log.told);
}

#[test]
fn both_fins_in_the_capture_are_told_as_they_are() {
    let mut run = opened();
    run.send(B, Flags::ACK | Flags::FIN, 500, 101, b"");
    run.send(A, Flags::ACK | Flags::FIN, 100, 500, b"");
    assert_eq!(run.log.told[3..5], [Owned::Fin(A), Owned::Fin(B)]);
}

#[test]
fn fins_of_which_neither_acknowledges_the_other_cross() {
    for (late, told) in [(500, Owned::FinCrossing(A)), (501, Owned::Fin(A))] {
        let mut run = opened();
        run.send(B, Flags::ACK | Flags::FIN, 500, 100, b"");
        run.send(A, Flags::ACK | Flags::FIN, 100, late, b"");
        assert_eq!(run.log.told[3..5], [Owned::Fin(B), told]);
    }
    // One that waits for bytes before it.
    let mut run = opened();
    run.send(B, Flags::ACK | Flags::FIN, 500, 100, b"");
    run.send(A, Flags::ACK | Flags::FIN, 103, 500, b"");
    run.send(A, Flags::ACK, 100, 500, b"bye");
    assert_eq!(
        run.log.told[3..6],
        [Owned::Fin(B), Owned::Data(A, 0, b"bye".to_vec()), Owned::FinCrossing(A)]
    );
}

#[test]
fn a_reset_behind_bytes_that_the_capture_lacks_tells_that_they_were_sent() {
    let mut run = opened();
    run.send(B, Flags::RST, 511, 0, b"");
    run.finish();
    assert!(run.log.has(&Owned::Gap(B, 0, 11, GapCause::Lost)), "{:?}", run.log.told);
}

#[test]
fn a_fin_that_acknowledges_what_is_missing_ends_the_flow_whatever_lies_behind_it() {
    let mut run = opened();
    run.send(A, Flags::ACK | Flags::FIN, 100, 900, b"");
    run.send(A, Flags::ACK, 150, 500, b"stray");
    run.finish();
    assert!(run.log.told.contains(&Owned::Fin(A)), "{:?}", run.log.told);
    assert!(!run.log.told.iter().any(|told| matches!(told, Owned::Data(..))), "{:?}", run.log.told);
}

#[test]
fn stray_segments_far_behind_a_fin_hold_up_no_end_and_are_no_gap() {
    let mut run = opened();
    run.send(A, Flags::ACK, 3_000_000, 500, b"of nobody");
    run.send(A, Flags::ACK, 100, 500, b"bye");
    run.send(A, Flags::ACK | Flags::FIN, 103, 500, b"");
    run.send(B, Flags::ACK | Flags::FIN, 500, 104, b"");
    run.finish();
    let gap = run.log.told.iter().any(|told| matches!(told, Owned::Gap(..)));
    assert!(!gap && run.log.has(&Owned::Closed(Closed::Ended)), "{:?}", run.log.told);
}

#[test]
fn a_reset_beside_the_stream_is_believed_once_its_sender_was_silent_for_long() {
    for (pause, believed) in
        [(limits::DOUBTED_RESET_NANOS - 5_000_000, false), (limits::DOUBTED_RESET_NANOS, true)]
    {
        let mut run = opened();
        run.send(B, Flags::RST, 560, 0, b"");
        run.send(A, Flags::ACK, 100, 500, b"still here?");
        assert!(!run.log.has(&Owned::Reset(B)));
        run.pass(pause);
        run.send(A, Flags::ACK, 111, 500, b"hello?");
        assert_eq!(run.log.has(&Owned::Reset(B)), believed);
        run.finish();
        assert!(run.log.has(&Owned::Reset(B)) && run.log.has(&Owned::Gap(B, 0, 60, GapCause::Lost)));
    }
}

#[test]
fn a_reset_beside_the_stream_is_not_believed_where_its_sender_goes_on() {
    for seq in [440, 560, 90_000] {
        let mut run = opened();
        run.send(B, Flags::ACK, 500, 100, &[0; 50]);
        run.send(B, Flags::RST, seq, 0, b"");
        run.pass(limits::GAP_GRACE_NANOS * 40);
        run.send(B, Flags::ACK, 550, 100, b"what reset?");
        run.pass(limits::DOUBTED_RESET_NANOS);
        run.send(A, Flags::ACK, 100, 561, b"none");
        run.finish();
        assert!(!run.log.has(&Owned::Reset(B)), "{:?}", run.log.told);
        assert!(run.log.has(&Owned::Data(A, 0, b"none".into())) && run.log.text(B).ends_with("reset?"));
    }
}

#[test]
fn a_reset_captured_before_the_bytes_that_it_follows_is_told_behind_them() {
    let mut run = opened();
    run.send(B, Flags::RST, 506, 0, b"");
    run.send(B, Flags::ACK, 500, 100, b"the");
    run.send(B, Flags::ACK, 503, 100, b"end");
    let end = [Owned::Data(B, 3, b"end".into()), Owned::Reset(B)];
    assert!(run.log.told.ends_with(&end), "{:?}", run.log.told);
}

#[test]
fn a_reset_by_who_had_ended_its_side_is_told_at_once() {
    let mut run = opened();
    run.send(B, Flags::ACK | Flags::FIN, 500, 100, b"");
    run.send(A, Flags::ACK, 100, 500, b"too late");
    run.send(B, Flags::RST, 500, 0, b"");
    assert!(run.log.has(&Owned::Reset(B)));
}

#[test]
fn a_fin_that_waits_for_the_other_side_is_told_before_what_strayed_behind_it() {
    let mut run = opened();
    run.send(A, Flags::ACK, 5_000, 500, b"of nobody");
    run.send(A, Flags::ACK | Flags::FIN, 100, 600, b"");
    run.finish();
    assert!(!run.log.told.iter().any(|told| matches!(told, Owned::Gap(A, ..) | Owned::Data(A, ..))));
    assert!(
        run.log.has(&Owned::Gap(B, 0, 100, GapCause::Lost)) && run.log.has(&Owned::Fin(A)),
        "{:?}",
        run.log.told
    );
}
