//! Works off batches with some of the parts of the run.

use super::super::part::{self, Part};
use super::batch::{Batch, Notice, Order, Step};
use super::turns::Turns;
use crate::capture::{PacketId, Seen};
use crate::connection::Told;
use crate::limits;
use std::sync::mpsc::{Receiver, Sender, SyncSender};

/// See the module.
pub(super) struct Worker {
    /// Its parts are this one and every so many more.
    pub(super) number: usize,
    pub(super) step: usize,
    pub(super) parts: Vec<Part>,
    pub(super) batches: Receiver<Order>,
    pub(super) reports: SyncSender<Report>,
    /// Where lists of steps are used again.
    pub(super) used: Sender<Vec<Step>>,
    pub(super) turns: Turns,
    /// Things that the next report will hold, or fewer.
    pub(super) expected: usize,
}

/// What a worker has to tell, in order.
pub(super) struct Report {
    pub(super) told: Vec<(Place, Told)>,
    /// All that comes before this was told.
    pub(super) until: When,
    /// Bytes read so far, and how many there are.
    pub(super) progress: Option<(u64, Option<u64>)>,
}

/// What caused something to be told, in the order of a run on one thread.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum When {
    /// The step or notice at this place in the order.
    At(u64),
    /// The end of the input: first the flow that began first.
    End(PacketId),
    /// Nothing follows.
    Over,
}

/// When something is told, and by which part of the run: what concerns all parts is told part by part.
pub(super) type Place = (When, usize);

impl Worker {
    /// Works until the end of the input, and gives the parts back.
    pub(super) fn work(mut self) -> Vec<Part> {
        let _guard = self.turns.guard();
        for part in &mut self.parts {
            part.take_turns(Box::new(self.turns.clone()));
        }
        while let Ok(order) = self.batches.recv() {
            let alive = match order {
                Order::Batch(batch) => self.batch(batch),
                Order::End(last) => {
                    self.end(last);
                    false
                }
            };
            if !alive {
                break;
            }
        }
        self.parts
    }

    /// False where nobody wants to hear of it.
    fn batch(&mut self, mut batch: Batch) -> bool {
        // About as many as before: a list that grows leaves its smaller ones behind.
        let mut told = Vec::with_capacity(self.expected);
        let mut notices = std::mem::take(&mut batch.notices).into_iter().peekable();
        for (index, step) in batch.steps.iter().enumerate() {
            while let Some((_, order, notice)) = notices.next_if(|&(before, ..)| before <= index) {
                self.notice(order, &notice, &mut told);
            }
            let (part, order) = (step.part(), batch.order(step));
            self.turns.reach(order);
            self.parts[part].push(&batch.segment(step), step.seen);
            if self.parts[part].has_told() {
                self.told(part, order, &mut told);
            }
        }
        for (_, order, notice) in notices {
            self.notice(order, &notice, &mut told);
        }
        self.turns.reach(batch.until);
        self.expected = told.len() + told.len() / 4;
        let report = Report { told, until: When::At(batch.until), progress: Some(batch.progress) };
        let mut steps = std::mem::take(&mut batch.steps);
        // The chunks are free before the merge goes on.
        drop(batch);
        steps.clear();
        // At the end of the run nobody needs the list.
        let _ = self.used.send(steps);
        self.reports.send(report).is_ok()
    }

    fn notice(&mut self, order: u64, notice: &Notice, told: &mut Vec<(Place, Told)>) {
        self.turns.reach(order);
        for index in 0..self.parts.len() {
            match notice {
                Notice::Pass(now) => self.parts[index].pass(*now),
                Notice::Renew(keys) => self.parts[index].renew(keys),
            }
            self.told(index, order, told);
        }
    }

    /// Notes what a part has to tell.
    fn told(&mut self, index: usize, order: u64, told: &mut Vec<(Place, Told)>) {
        let place = (When::At(order), self.number + index * self.step);
        told.extend(self.parts[index].tell().map(|what| (place, what)));
    }

    fn end(&mut self, last: Option<Seen>) {
        self.turns.reach(u64::MAX);
        let (mut told, reports) = (Vec::new(), &self.reports);
        let send = |told: Vec<(Place, Told)>, until| {
            // Where nobody hears it, there is nothing left to do.
            let _ = reports.send(Report { told, until, progress: None });
        };
        part::end(&mut self.parts, last, |first, what| {
            if told.len() >= limits::REPORT_AT_END {
                send(std::mem::take(&mut told), When::End(first));
            }
            told.push(((When::End(first), 0), what));
        });
        send(told, When::Over);
    }
}
