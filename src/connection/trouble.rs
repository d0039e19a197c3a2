//! What happens to few directions of a flow: gaps, repetitions, closed windows. Most flows have none of it, and no room
//! for it.

use super::facts::{Repeats, Span, Stall};
use crate::capture::Seen;
use crate::net::Side;
use crate::role::Sides;

/// Of both directions.
#[derive(Default)]
pub(super) struct Troubles(Option<Box<[Trouble; 2]>>);

/// Of one direction.
#[derive(Clone, Default)]
pub(super) struct Trouble {
    /// Bytes that the capture lacks.
    pub(super) missing: u64,
    /// The gaps that they make.
    pub(super) gaps: u32,
    /// The last of these.
    pub(super) last_gap: Option<Seen>,
    /// What was sent again since something new was sent.
    pub(super) repeats: Option<Box<Repeats>>,
    /// Since when its window is closed, until now, and the longest time that it was.
    closed: Option<Span>,
    stall: Option<Box<Stall>>,
}

impl Troubles {
    /// Something new was sent.
    #[inline]
    pub(super) fn forget_repeats(&mut self, from: Side) {
        if let Some(both) = &mut self.0 {
            both[from.index()].repeats = None;
        }
    }

    /// The capture lacks so many bytes.
    pub(super) fn gap(&mut self, from: Side, len: u64, seen: Seen) {
        let direction = self.of(from);
        direction.missing = direction.missing.saturating_add(len);
        direction.gaps = direction.gaps.saturating_add(1);
        direction.last_gap = Some(seen);
    }

    /// Bytes were sent again.
    pub(super) fn repeat(&mut self, from: Side, seen: Seen) {
        let first = Repeats { count: 0, span: Span { from: seen, until: seen } };
        let repeats = self.of(from).repeats.get_or_insert_with(|| Box::new(first));
        repeats.count = repeats.count.saturating_add(1);
        repeats.span.until = seen;
    }

    /// The window of one side is closed, or opened.
    pub(super) fn window(&mut self, from: Side, closed: bool, seen: Seen) {
        if self.0.is_none() && !closed {
            return;
        }
        let direction = self.of(from);
        match direction.closed {
            None if closed => direction.closed = Some(Span { from: seen, until: seen }),
            None => {}
            Some(told) if closed => direction.closed = Some(Span { from: told.from, until: seen }),
            Some(told) => {
                let stall = Stall { span: Span { from: told.from, until: seen }, told: told.until };
                direction.closed = None;
                if direction.stall.as_ref().is_none_or(|longest| stall.span.nanos() > longest.span.nanos()) {
                    direction.stall = Some(Box::new(stall));
                }
            }
        }
    }

    /// Whether a direction has gaps.
    pub(super) fn has_gaps(&self) -> bool {
        self.0.iter().flat_map(|both| &**both).any(|direction| direction.gaps > 0)
    }

    /// Bytes of one direction that the capture lacks.
    pub(super) fn missing(&self, from: Side) -> u64 {
        self.0.as_ref().map_or(0, |both| both[from.index()].missing)
    }

    /// By role, where this side is the client.
    pub(super) fn by_role(&self, client: Side) -> Sides<Trouble> {
        let [low, high] = self.0.as_deref().cloned().unwrap_or_default();
        match client {
            Side::Low => Sides { client: low, server: high },
            Side::High => Sides { client: high, server: low },
        }
    }

    fn of(&mut self, from: Side) -> &mut Trouble {
        &mut self.0.get_or_insert_default()[from.index()]
    }
}

impl Trouble {
    /// The longest time for which the window was closed, one that lasts until the last packet included.
    pub(super) fn stalled(&self, last: Seen) -> Option<Stall> {
        let open = self.closed.map(|told| {
            // The last packet that says so may be one without payload, which is told nowhere else.
            let until = if last.at < told.until.at { told.until } else { last };
            Stall { span: Span { from: told.from, until }, told: told.until }
        });
        open.into_iter().chain(self.stall.as_deref().copied()).max_by_key(|stall| stall.span.nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::PacketId;
    use crate::time::Timestamp;

    fn at(second: u64) -> Seen {
        let at = Timestamp::from_nanos(i64::try_from(second).unwrap() * 1_000_000_000);
        Seen { packet: PacketId::new(0, second), at }
    }

    #[test]
    fn what_happens_to_one_direction_is_of_its_role() {
        let mut troubles = Troubles::default();
        troubles.gap(Side::High, 7, at(1));
        troubles.gap(Side::High, 2, at(2));
        troubles.repeat(Side::Low, at(3));
        troubles.repeat(Side::Low, at(5));
        let Sides { client, server } = troubles.by_role(Side::High);
        assert_eq!((client.missing, client.gaps, client.last_gap), (9, 2, Some(at(2))));
        let repeats = server.repeats.as_deref().copied().unwrap();
        assert_eq!((repeats.count, repeats.span), (2, Span { from: at(3), until: at(5) }));
        assert_eq!((troubles.missing(Side::High), troubles.missing(Side::Low)), (9, 0));
        troubles.forget_repeats(Side::Low);
        assert!(troubles.by_role(Side::Low).client.repeats.is_none());
    }

    #[test]
    fn of_several_stalls_the_longest_counts_and_one_that_lasts_counts_until_the_end() {
        let mut troubles = Troubles::default();
        troubles.window(Side::Low, false, at(1));
        assert!(troubles.0.is_none(), "an open window takes no room");
        for (closed, opened) in [(2, 5), (6, 8)] {
            troubles.window(Side::Low, true, at(closed));
            troubles.window(Side::Low, true, at(closed + 1));
            troubles.window(Side::Low, false, at(opened));
        }
        let stalled = |troubles: &Troubles, last| troubles.by_role(Side::Low).client.stalled(at(last));
        let stall =
            |from, until, told| Stall { span: Span { from: at(from), until: at(until) }, told: at(told) };
        assert_eq!(stalled(&troubles, 9), Some(stall(2, 5, 3)));
        troubles.window(Side::Low, true, at(10));
        assert_eq!(stalled(&troubles, 20), Some(stall(10, 20, 10)));
        troubles.window(Side::Low, true, at(30));
        assert_eq!(stalled(&troubles, 20), Some(stall(10, 30, 30)));
    }
}
