//! Numbers flows as Wireshark's `tcp.stream` does: in the order of their first packets, apart for each capture.

use crate::capture::PacketId;
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// The flows that are open, each with its number.
#[derive(Default)]
pub(super) struct Streams {
    /// How many there were, by capture.
    counts: Vec<u32>,
    open: HashMap<PacketId, u32, RandomState>,
}

impl Streams {
    /// Gives the next number to the flow that begins with `first`.
    pub(super) fn open(&mut self, first: PacketId) {
        let capture = usize::from(first.capture());
        if self.counts.len() <= capture {
            self.counts.resize(capture + 1, 0);
        }
        self.open.insert(first, self.counts[capture]);
        self.counts[capture] = self.counts[capture].saturating_add(1);
    }

    /// The number of an open flow.
    pub(super) fn number(&self, first: PacketId) -> u32 {
        self.open.get(&first).copied().unwrap_or_default()
    }

    /// Nothing more will be told of this flow.
    pub(super) fn forget(&mut self, first: PacketId) {
        self.open.remove(&first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_capture_counts_by_itself_and_ended_flows_take_no_room() {
        let mut streams = Streams::default();
        for (capture, packet, number) in [(1, 1, 0), (0, 4, 0), (0, 9, 1), (1, 3, 1)] {
            let first = PacketId::new(capture, packet);
            streams.open(first);
            assert_eq!(streams.number(first), number);
        }
        streams.forget(PacketId::new(0, 4));
        streams.open(PacketId::new(0, 12));
        assert_eq!(streams.number(PacketId::new(0, 12)), 2);
        assert_eq!(streams.open.len(), 4);
    }
}
