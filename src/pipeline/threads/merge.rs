//! Merges the events of all workers into the order of a run on one thread.

use super::super::Observer;
use super::super::judge::Judge;
use super::worker::{Cause, Place, Report};
use crate::connection::FlowEvent;
use std::collections::VecDeque;
use std::sync::mpsc::Receiver;

/// The events that came from one worker and were not handed on yet.
pub(super) struct Lane {
    reports: Receiver<Report>,
    events: VecDeque<(Place, FlowEvent)>,
    /// Every event of this worker before this position has arrived.
    until: Cause,
    /// Reports that came.
    taken: u64,
}

impl Lane {
    /// Of a worker that has reported nothing yet.
    pub(super) fn new(reports: Receiver<Report>) -> Lane {
        Lane { reports, events: VecDeque::new(), until: Cause::At(0), taken: 0 }
    }
}

/// Hands the events of all workers to `judge`, until the last one has ended.
///
/// # Errors
/// The number of a worker that ended before.
pub(super) fn merge<O: Observer>(
    lanes: &mut [Lane],
    judge: &mut Judge<'_, O>,
    progress: &mut impl FnMut(u64, Option<u64>),
) -> Result<(), usize> {
    loop {
        // Batches without a step leave all where they were. Among equals it is the turn of whose reports are fewest: they are
        // as many as its batches, and one of which the merge always waits for the next keeps the others from theirs.
        let lanes_by_turn = lanes.iter().enumerate().min_by_key(|(_, lane)| (lane.until, lane.taken));
        let slowest = lanes_by_turn.map_or(0, |(index, _)| index);
        let until = lanes[slowest].until;
        while let Some(event) = next(lanes, until) {
            judge.take(event);
        }
        if until == Cause::Over {
            return Ok(());
        }
        let lane = &mut lanes[slowest];
        let report = lane.reports.recv().map_err(|_| slowest)?;
        // Nearly always nothing is left of the report before, so that this one need not be copied.
        match lane.events.is_empty() {
            true => lane.events = report.events.into(),
            false => lane.events.extend(report.events),
        }
        lane.until = report.until;
        lane.taken += 1;
        if let Some((read, total)) = report.progress {
            progress(read, total);
        }
    }
}

/// Takes the first event before `until`.
fn next(lanes: &mut [Lane], until: Cause) -> Option<FlowEvent> {
    let first = |lane: &Lane| lane.events.front().map(|&(place, _)| place);
    let waiting = lanes.iter().enumerate().filter_map(|(index, lane)| Some((first(lane)?, index)));
    let ((when, _), index) = waiting.min()?;
    if when >= until {
        return None;
    }
    lanes[index].events.pop_front().map(|(_, event)| event)
}

#[cfg(test)]
mod tests {
    use super::super::super::When;
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
    fn of_workers_that_come_no_further_none_is_waited_for_while_another_waits() {
        let (senders, reports): (Vec<_>, Vec<_>) = (0..3).map(|_| sync_channel(10)).unzip();
        for _ in 0..3 {
            for (number, worker) in (0..).zip(&senders) {
                let (events, progress) = (Vec::new(), Some((number, None)));
                worker.send(Report { events, until: Cause::At(1), progress }).unwrap();
            }
        }
        drop(senders);
        let (selection, mut nobody, mut order) = (Selection::default(), Nobody, Vec::new());
        let mut judge = Judge::new(&selection, When::Late, &mut nobody);
        let mut lanes: Vec<Lane> = reports.into_iter().map(Lane::new).collect();
        assert!(merge(&mut lanes, &mut judge, &mut |number, _| order.push(number)).is_err());
        assert_eq!(order, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn what_is_left_of_a_report_is_told_before_the_next_one() {
        let (send, reports) = sync_channel(2);
        let [one, two] = [1, 2].map(|number| PacketId::new(0, number));
        // A flow may have more to tell at the end than goes into one report.
        for (first, until) in [(one, Cause::End(one)), (two, Cause::Over)] {
            let carried = Carried::WebSocket(Box::new(Scene::tcp().build()));
            let events = vec![((Cause::End(first), 0), FlowEvent::Carried(first, carried))];
            send.send(Report { events, until, progress: None }).unwrap();
        }
        let (selection, mut nobody) = (Selection::default(), Nobody);
        let mut judge = Judge::new(&selection, When::Late, &mut nobody);
        assert_eq!(merge(&mut [Lane::new(reports)], &mut judge, &mut |_, _| ()), Ok(()));
        assert_eq!(judge.finish().0.websocket_connections, 2);
    }
}
