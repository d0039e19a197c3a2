//! A capture that lacks packets is poor evidence, and never bad behaviour: what it makes the program say stands in the whole
//! capture too. `LOSSY_SEEDS=2000 cargo test --release lossy -- --nocapture` tries many more losses than a usual run.

use crate::support::copies::{Dice, Wrong, all};

#[test]
fn a_capture_that_lost_packets_blames_nobody_for_what_is_not_in_the_whole_one() {
    let mut wrong = Wrong::default();
    for capture in all() {
        for seed in 0..seeds(10) {
            let mut dice = Dice(seed ^ capture.salt());
            let rate = [2, 5, 10, 25, 50][(seed % 5) as usize];
            let burst = [1, 3, 1, 8][(seed % 4) as usize];
            let mut left = 0;
            let kept = capture.with(|_, _| {
                if left == 0 && dice.roll(100) < rate {
                    left = 1 + dice.roll(burst);
                }
                let is_lost = left > 0;
                left -= u64::from(is_lost);
                !is_lost
            });
            wrong.judge(&capture, &kept, || format!("seed {seed}"));
        }
    }
    wrong.none();
}

#[test]
fn a_capture_that_begins_or_ends_amid_it_blames_nobody_for_that() {
    let mut wrong = Wrong::default();
    for capture in all() {
        let step = if seeds(0) > 0 { 1 } else { 1 + capture.packets.len() / 8 };
        for cut in (1..capture.packets.len()).step_by(step) {
            let (first, last) = (capture.with(|n, _| n < cut), capture.with(|n, _| n >= cut));
            wrong.judge(&capture, &first, || format!("the first {cut} packets"));
            wrong.judge(&capture, &last, || format!("without the first {cut} packets"));
        }
    }
    wrong.none();
}

#[test]
fn a_capture_of_one_direction_blames_nobody_for_what_the_other_one_shows() {
    let mut wrong = Wrong::default();
    for capture in all() {
        let ports = capture.ports();
        for &port in &ports {
            let (from, to) = (capture.with(|_, p| p.from != port), capture.with(|_, p| p.to != port));
            wrong.judge(&capture, &from, || format!("nothing from port {port}"));
            wrong.judge(&capture, &to, || format!("nothing to port {port}"));
        }
    }
    wrong.none();
}

#[test]
fn a_capture_of_one_leg_blames_nobody_for_what_the_others_show() {
    let mut wrong = Wrong::default();
    for capture in all() {
        for &port in &capture.ports() {
            let (only, without) = (
                capture.with(|_, p| [p.from, p.to].contains(&port)),
                capture.with(|_, p| ![p.from, p.to].contains(&port)),
            );
            wrong.judge(&capture, &only, || format!("only port {port}"));
            wrong.judge(&capture, &without, || format!("nothing of port {port}"));
        }
    }
    wrong.none();
}

#[test]
fn a_capture_whose_packets_are_cut_blames_nobody_for_what_was_cut_off() {
    let mut wrong = Wrong::default();
    for capture in all() {
        for snap in [60, 68, 96, 128, 200, 262] {
            wrong.judge(&capture, &capture.snapped(snap), || format!("packets cut to {snap} bytes"));
        }
    }
    wrong.none();
}

/// How many losses are tried of each capture: `usual`, unless the run asks for more.
fn seeds(usual: u64) -> u64 {
    std::env::var("LOSSY_SEEDS").map_or(usual, |seeds| seeds.parse().expect("LOSSY_SEEDS is a number"))
}
