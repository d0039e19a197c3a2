//! Works off batches with some of the parts of the run.

use super::super::part::{self, Part};
use super::batch::{Batch, Notice, Order, Step};
use super::turns::Turns;
use crate::capture::{PacketId, Seen};
use crate::connection::{Known, Told};
use crate::limits;
use std::sync::Arc;
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
        let known = Arc::<Known>::default();
        for part in &mut self.parts {
            part.take_turns(Box::new(self.turns.clone()), Arc::clone(&known));
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
        if let Notice::Icmp(part, error, seen) = notice {
            self.parts[*part].icmp(error, *seen);
            return self.told(*part, order, told);
        }
        for index in 0..self.parts.len() {
            match notice {
                Notice::Pass(now) => self.parts[index].pass(*now),
                Notice::Renew(keys) => self.parts[index].renew(keys),
                Notice::Icmp(..) => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Merged;
    use crate::net::{Flags, FlowKey, Segment};
    use crate::pipeline::front::Front;
    use crate::time::Timestamp;
    use crate::tls::KeyLog;
    use crate::websocket::Depth;
    use std::sync::mpsc::{channel, sync_channel};

    #[test]
    fn what_is_told_at_the_end_is_told_in_pieces() {
        let flows = 4 * limits::REPORT_AT_END;
        let mut parts = part::all(&Front::new(Merged::new(Vec::new()), KeyLog::default()), Depth::default());
        let seen = |number: usize| Seen {
            packet: PacketId::new(0, number as u64 + 1),
            at: Timestamp::from_nanos(number as i64),
        };
        for number in 0..flows {
            let (key, from) = FlowKey::v4(([10, 0, 0, 1], number as u16), ([10, 0, 0, 2], 80), 0);
            let (flags, seq, ack, window, ttl, ip_id) = (Flags::SYN, 1, 0, 1, 64, 0);
            let (declared_len, payload) = (0, &[][..]);
            let segment = Segment { key, from, seq, ack, flags, window, ttl, ip_id, declared_len, payload };
            let part = &mut parts[part::of(&key)];
            part.push(&segment, seen(number));
            assert!(part.tell().count() > 0, "it is told that each flow began");
        }
        let (orders, batches) = sync_channel(1);
        let (reports, told) = sync_channel(flows);
        let (used, _) = channel();
        let turns = Turns::of_workers(1).next().unwrap();
        orders.send(Order::End(Some(seen(flows)))).unwrap();
        Worker { number: 0, step: 1, parts, batches, reports, used, turns, expected: 0 }.work();
        let lengths: Vec<usize> = told.iter().map(|report| report.told.len()).collect();
        assert!(lengths.iter().all(|&len| len <= limits::REPORT_AT_END), "{lengths:?}");
        assert!(lengths.iter().sum::<usize>() >= flows);
    }
}
