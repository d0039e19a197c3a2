//! Reassembly against an obvious oracle.

use super::tests::{A, B, Owned, Run, opened};
use super::*;
use crate::net::Flags;
use proptest::prelude::*;

/// The obvious way: a byte array in which the first copy to arrive stays.
fn oracle(len: usize, segments: &[(usize, Vec<u8>)]) -> Vec<Option<u8>> {
    let mut out = vec![None; len];
    for (at, bytes) in segments {
        for (i, byte) in bytes.iter().enumerate() {
            out[at + i].get_or_insert(*byte);
        }
    }
    out
}

fn segments() -> impl Strategy<Value = (usize, Vec<(usize, Vec<u8>)>)> {
    (1usize..300).prop_flat_map(|len| {
        let one = (0..len)
            .prop_flat_map(move |at| (Just(at), prop::collection::vec(any::<u8>(), 1..=(len - at).min(40))));
        (Just(len), prop::collection::vec(one, 1..40))
    })
}

proptest! {
    /// Any order, duplication, overlap and loss: what is told equals the oracle, and every missing byte is a gap.
    #[test]
    fn reassembly_equals_the_oracle((len, mut segments) in segments(), start in any::<u32>()) {
        // A last byte that always comes makes the end known.
        segments.push((len, vec![0]));
        let mut run = Run::default();
        run.open(start.wrapping_sub(1), 499);
        for (at, bytes) in &segments {
            run.send(A, Flags::ACK, start.wrapping_add(*at as u32), 500, bytes);
        }
        run.finish();
        prop_assert_eq!(run.log.stream(A), oracle(len + 1, &segments));
    }

    /// With both directions there and nothing lost, no order of arrival makes a gap.
    #[test]
    fn nothing_lost_means_no_gap(
        bytes in prop::collection::vec(any::<u8>(), 1..400),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        order in any::<prop::sample::Selector>(),
    ) {
        let mut at: Vec<usize> = cuts.iter().map(|i| i.index(bytes.len())).chain([0, bytes.len()]).collect();
        at.sort_unstable();
        at.dedup();
        let mut left: Vec<(usize, usize)> = at.windows(2).map(|w| (w[0], w[1])).collect();
        let mut run = opened();
        while !left.is_empty() {
            let next = *order.select(left.iter());
            left.retain(|range| *range != next);
            run.send(A, Flags::ACK, 100 + next.0 as u32, 500, &bytes[next.0..next.1]);
        }
        prop_assert_eq!(run.log.stream(A), bytes.iter().copied().map(Some).collect::<Vec<_>>());
    }

    /// Whatever arrives, events follow each other without a step, and nothing panics.
    #[test]
    fn any_segments_keep_the_order(
        sent in prop::collection::vec(
            (any::<bool>(), 0u8..32, any::<u8>(), any::<u8>(), 0usize..50, 0usize..60), 0..80),
    ) {
        let mut run = Run::default();
        for (a, flags, seq, ack, len, declared) in sent {
            let payload = vec![seq; len];
            let side = if a { A } else { B };
            run.cut(side, Flags(flags), seq.into(), ack.into(), &payload, declared.max(len));
            // A new connection on the tuple begins new streams.
            if run.log.told.iter().any(|t| matches!(t, Owned::Closed(_))) {
                run.log.told.clear();
                run.table = Table::default();
            }
        }
        run.finish();
        run.log.stream(A);
        run.log.stream(B);
    }
}
