//! Brings what the workers tell into one order.

use super::super::Observer;
use super::super::ledger::Ledger;
use super::worker::{Place, Report, When};
use crate::connection::Told;
use std::collections::VecDeque;
use std::sync::mpsc::Receiver;

/// What comes from one worker.
pub(super) struct Lane {
    reports: Receiver<Report>,
    told: VecDeque<(Place, Told)>,
    /// All that comes before this is in `told`, or was taken from it.
    until: When,
}

impl Lane {
    /// Nothing was told yet.
    pub(super) fn new(reports: Receiver<Report>) -> Lane {
        Lane { reports, told: VecDeque::new(), until: When::At(0) }
    }
}

/// Hands all that the workers tell to `ledger`, until their end.
///
/// # Errors
/// The number of a worker that ended before.
pub(super) fn merge<O: Observer>(
    lanes: &mut [Lane],
    ledger: &mut Ledger<'_, O>,
    progress: &mut impl FnMut(u64, Option<u64>),
) -> Result<(), usize> {
    loop {
        let slowest =
            lanes.iter().enumerate().min_by_key(|(_, lane)| lane.until).map_or(0, |(index, _)| index);
        let until = lanes[slowest].until;
        while let Some(told) = next(lanes, until) {
            ledger.take(told);
        }
        if until == When::Over {
            return Ok(());
        }
        let lane = &mut lanes[slowest];
        let report = lane.reports.recv().map_err(|_| slowest)?;
        // Nearly always nothing is left of the report before, so that this one need not be copied.
        match lane.told.is_empty() {
            true => lane.told = report.told.into(),
            false => lane.told.extend(report.told),
        }
        lane.until = report.until;
        if let Some((read, total)) = report.progress {
            progress(read, total);
        }
    }
}

/// The first of what was told before `until`.
fn next(lanes: &mut [Lane], until: When) -> Option<Told> {
    let first = |lane: &Lane| lane.told.front().map(|&(place, _)| place);
    let waiting = lanes.iter().enumerate().filter_map(|(index, lane)| Some((first(lane)?, index)));
    let ((when, _), index) = waiting.min()?;
    if when >= until {
        return None;
    }
    lanes[index].told.pop_front().map(|(_, told)| told)
}

#[cfg(test)]
mod tests {
    use super::super::super::When as Judged;
    use super::*;
    use crate::capture::PacketId;
    use crate::connection::{Carried, Connection};
    use crate::rules::testing::Scene;
    use crate::rules::{Finding, Selection};
    use std::sync::mpsc::sync_channel;

    struct Nobody;

    impl Observer for Nobody {
        fn connection(&mut self, _: Box<Connection>, _: Vec<Finding>) {}
    }

    #[test]
    fn what_is_left_of_a_report_is_told_before_the_next_one() {
        let (send, reports) = sync_channel(2);
        let [one, two] = [1, 2].map(|number| PacketId::new(0, number));
        // A flow may have more to tell at the end than goes into one report.
        for (first, until) in [(one, When::End(one)), (two, When::Over)] {
            let carried = Carried::WebSocket(Box::new(Scene::tcp().build()));
            let told = vec![((When::End(first), 0), Told::Carried(first, carried))];
            send.send(Report { told, until, progress: None }).unwrap();
        }
        let (selection, mut nobody) = (Selection::default(), Nobody);
        let mut ledger = Ledger::new(&selection, Judged::Late, &mut nobody);
        assert_eq!(merge(&mut [Lane::new(reports)], &mut ledger, &mut |_, _| ()), Ok(()));
        assert_eq!(ledger.finish().0.websocket_connections, 2);
    }
}
