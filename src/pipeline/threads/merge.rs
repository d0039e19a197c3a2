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
