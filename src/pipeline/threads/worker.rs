//! A worker thread: owns some of the shards, feeds them the batches it is sent, and reports their events.

use super::super::shard::{self, Shard};
use super::batch::{Batch, Message, Notice, Step};
use super::turns::Turns;
use crate::capture::{PacketId, Seen};
use crate::connection::{FlowEvent, HeadCache};
use crate::limits;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender};

/// A worker, with its shards and its channels.
pub(super) struct Worker {
    /// Its shards are `number`, `number + step`, `number + 2 * step` and so on.
    pub(super) number: usize,
    pub(super) step: usize,
    pub(super) shards: Vec<Shard>,
    pub(super) batches: Receiver<Message>,
    pub(super) reports: SyncSender<Report>,
    /// Takes back lists of steps that were worked off, so that their memory is used again.
    pub(super) used: Sender<Vec<Step>>,
    pub(super) turns: Turns,
    /// How many events the next report will probably hold.
    pub(super) expected: usize,
}

/// The events of a worker's flows, in order.
pub(super) struct Report {
    pub(super) events: Vec<(Place, FlowEvent)>,
    /// Every event before this position is in this report or an earlier one.
    pub(super) until: Cause,
    /// Bytes read so far, and how many there are.
    pub(super) progress: Option<(u64, Option<u64>)>,
}

/// What caused an event. Ordered as a run on one thread comes upon it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Cause {
    /// The step or notice at this place in the order.
    At(u64),
    /// The end of the input: first the flow that began first.
    End(PacketId),
    /// Nothing follows.
    Over,
}

/// The position of an event in the run: its cause, and the shard it comes from where one cause concerns all shards.
pub(super) type Place = (Cause, usize);

impl Worker {
    /// Works until the end of the input, then returns the shards.
    pub(super) fn work(mut self) -> Vec<Shard> {
        let _guard = self.turns.guard();
        let heads = Arc::<HeadCache>::default();
        for shard in &mut self.shards {
            shard.take_turns(Box::new(self.turns.clone()), Arc::clone(&heads));
        }
        while let Ok(message) = self.batches.recv() {
            let alive = match message {
                Message::Batch(batch) => self.batch(batch),
                Message::End(last) => {
                    self.end(last);
                    false
                }
            };
            if !alive {
                break;
            }
        }
        self.shards
    }

    /// Works off one batch; false where the merge is gone, so that there is no use in going on.
    fn batch(&mut self, mut batch: Batch) -> bool {
        // About as many as before: a list that grows leaves its smaller ones behind.
        let mut events = Vec::with_capacity(self.expected);
        let mut notices = std::mem::take(&mut batch.notices).into_iter().peekable();
        for (index, step) in batch.steps.iter().enumerate() {
            while let Some((_, order, notice)) = notices.next_if(|&(before, ..)| before <= index) {
                self.notice(order, &notice, &mut events);
            }
            let (shard, order) = (step.shard(), batch.order(step));
            self.turns.reach(order);
            self.shards[shard].push(&batch.segment(step), step.seen);
            if self.shards[shard].has_events() {
                self.collect(shard, order, &mut events);
            }
        }
        for (_, order, notice) in notices {
            self.notice(order, &notice, &mut events);
        }
        self.turns.reach(batch.until);
        self.expected = events.len() + events.len() / 4;
        let report = Report { events, until: Cause::At(batch.until), progress: Some(batch.progress) };
        let mut steps = std::mem::take(&mut batch.steps);
        // The chunks are free before the merge goes on.
        drop(batch);
        steps.clear();
        // At the end of the run nobody needs the list.
        let _ = self.used.send(steps);
        self.reports.send(report).is_ok()
    }

    fn notice(&mut self, order: u64, notice: &Notice, events: &mut Vec<(Place, FlowEvent)>) {
        self.turns.reach(order);
        if let Notice::Icmp(shard, error, seen) = notice {
            self.shards[*shard].icmp(error, *seen);
            return self.collect(*shard, order, events);
        }
        for index in 0..self.shards.len() {
            match notice {
                Notice::Pass(now) => self.shards[index].pass(*now),
                Notice::Renew(keys) => self.shards[index].renew(keys),
                Notice::Icmp(..) => {}
            }
            self.collect(index, order, events);
        }
    }

    /// Moves the events of a shard to the list, each with its position.
    fn collect(&mut self, index: usize, order: u64, events: &mut Vec<(Place, FlowEvent)>) {
        let place = (Cause::At(order), self.number + index * self.step);
        events.extend(self.shards[index].take_events().map(|what| (place, what)));
    }

    fn end(&mut self, last: Option<Seen>) {
        self.turns.reach(u64::MAX);
        let (mut events, reports) = (Vec::new(), &self.reports);
        let send = |events: Vec<(Place, FlowEvent)>, until| {
            // Where nobody hears it, there is nothing left to do.
            let _ = reports.send(Report { events, until, progress: None });
        };
        shard::end(&mut self.shards, last, |first, what| {
            if events.len() >= limits::REPORT_AT_END {
                send(std::mem::take(&mut events), Cause::End(first));
            }
            events.push(((Cause::End(first), 0), what));
        });
        send(events, Cause::Over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Merged;
    use crate::net::{Flags, FlowKey, Segment};
    use crate::pipeline::source::Source;
    use crate::time::Timestamp;
    use crate::tls::KeyLog;
    use crate::websocket::Depth;
    use std::sync::mpsc::{channel, sync_channel};

    #[test]
    fn what_is_told_at_the_end_is_told_in_pieces() {
        let flows = 4 * limits::REPORT_AT_END;
        let mut shards =
            shard::all(&Source::new(Merged::new(Vec::new()), KeyLog::default()), Depth::default());
        let seen = |number: usize| Seen {
            packet: PacketId::new(0, number as u64 + 1),
            at: Timestamp::from_nanos(number as i64),
        };
        for number in 0..flows {
            let (key, from) = FlowKey::v4(([10, 0, 0, 1], number as u16), ([10, 0, 0, 2], 80), 0);
            let (flags, seq, ack, window, ttl, ip_id) = (Flags::SYN, 1, 0, 1, 64, 0);
            let (declared_len, payload) = (0, &[][..]);
            let segment = Segment { key, from, seq, ack, flags, window, ttl, ip_id, declared_len, payload };
            let shard = &mut shards[shard::of(&key)];
            shard.push(&segment, seen(number));
            assert!(shard.take_events().count() > 0, "it is told that each flow began");
        }
        let (messages, batches) = sync_channel(1);
        let (reports, reported) = sync_channel(flows);
        let (used, _) = channel();
        let turns = Turns::of_workers(1).next().unwrap();
        messages.send(Message::End(Some(seen(flows)))).unwrap();
        Worker { number: 0, step: 1, shards, batches, reports, used, turns, expected: 0 }.work();
        let lengths: Vec<usize> = reported.iter().map(|report| report.events.len()).collect();
        assert!(lengths.iter().all(|&len| len <= limits::REPORT_AT_END), "{lengths:?}");
        assert!(lengths.iter().sum::<usize>() >= flows);
    }
}
