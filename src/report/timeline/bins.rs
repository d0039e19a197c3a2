//! Counts by time in a fixed number of bins, whose width grows with the time that they cover.

use crate::limits;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// What happened in one stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Count {
    /// Connections begun.
    pub opened: u64,
    /// Ended by Close.
    pub closed: u64,
    /// Ended without it.
    pub broken: u64,
    /// Refused.
    pub refused: u64,
}

impl Count {
    fn join(&mut self, other: Count) {
        for (sum, more) in [
            (&mut self.opened, other.opened),
            (&mut self.closed, other.closed),
            (&mut self.broken, other.broken),
            (&mut self.refused, other.refused),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    /// How many ended in whatever way.
    pub fn ended(self) -> u64 {
        self.closed.saturating_add(self.broken).saturating_add(self.refused)
    }
}

/// One column of a picture.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Column {
    /// What happened in it.
    pub count: Count,
    /// How many connections were open in it at the most, as far as the bins tell.
    pub open: u64,
}

/// At most [`limits::TIMELINE_BINS`] of them, side by side, each a power of two of nanoseconds wide.
#[derive(Clone, Default, Debug)]
pub struct Bins {
    pub(super) counts: VecDeque<Count>,
    /// The number of the first one: its time by its width.
    first: i64,
    /// The width is two to this.
    shift: u32,
    span: Option<(Timestamp, Timestamp)>,
}

impl Bins {
    /// Counts something that happened at `at`.
    pub(super) fn add(&mut self, at: Timestamp, field: impl Fn(&mut Count) -> &mut u64) {
        self.reach(at);
        let place = (at.as_nanos() >> self.shift).saturating_sub(self.first);
        if let Some(count) = usize::try_from(place).ok().and_then(|place| self.counts.get_mut(place)) {
            let n = field(count);
            *n = n.saturating_add(1);
        }
    }

    /// Makes the bins cover `at`.
    pub(super) fn reach(&mut self, at: Timestamp) {
        let (from, until) = self.span.map_or((at, at), |(from, until)| (from.min(at), until.max(at)));
        self.span = Some((from, until));
        let needed = |shift: u32| {
            let (first, last) = (from.as_nanos() >> shift, until.as_nanos() >> shift);
            (first, last.saturating_sub(first))
        };
        while needed(self.shift).1 >= limits::TIMELINE_BINS as i64 {
            self.widen();
        }
        let (first, further) = needed(self.shift);
        if self.counts.is_empty() {
            self.first = first;
        }
        while self.first > first {
            self.counts.push_front(Count::default());
            self.first -= 1;
        }
        while (self.counts.len() as i64) <= further {
            self.counts.push_back(Count::default());
        }
    }

    /// Two bins become one.
    fn widen(&mut self) {
        let first = self.first >> 1;
        let mut counts: VecDeque<Count> = VecDeque::with_capacity(self.counts.len() / 2 + 1);
        for (index, count) in self.counts.iter().enumerate() {
            let place = ((self.first + index as i64) >> 1) - first;
            while (counts.len() as i64) <= place {
                counts.push_back(Count::default());
            }
            if let Some(sum) = counts.back_mut() {
                sum.join(*count);
            }
        }
        (self.counts, self.first) = (counts, first);
        self.shift += 1;
    }

    /// From the first moment counted to the last.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.span
    }

    /// The same counts in so many columns from the first moment to the last.
    pub fn columns(&self, columns: usize) -> Vec<Column> {
        let mut drawn = vec![Column::default(); columns.max(1)];
        let Some((from, until)) = self.span else { return drawn };
        let span = until.nanos_since(from).max(1) as f64;
        let mut open = 0u64;
        for (index, count) in self.counts.iter().enumerate() {
            let begins = (self.first + index as i64).saturating_mul(1 << self.shift);
            let middle = begins.saturating_add(1i64 << self.shift >> 1);
            let part = middle.saturating_sub(from.as_nanos()).max(0) as f64 / span;
            let place = ((part * drawn.len() as f64) as usize).min(drawn.len() - 1);
            let column = &mut drawn[place];
            column.count.join(*count);
            let most = open.saturating_add(count.opened);
            column.open = column.open.max(most);
            open = most.saturating_sub(count.ended());
        }
        // A column between two bins is as the one before it.
        let mut before = 0;
        let mut rest = 0u64;
        for column in &mut drawn {
            if column.open == 0 {
                column.open = before;
            }
            rest = rest.saturating_add(column.count.opened).saturating_sub(column.count.ended());
            before = rest;
        }
        drawn
    }

    /// The stretches in which most happened of what `part` counts, the earliest first: how many, from when, and how many
    /// seconds long. Only what stands out by a factor is a burst.
    pub fn bursts(&self, part: impl Fn(Count) -> u64) -> Vec<(u64, Timestamp, f64)> {
        let total: u64 = self.counts.iter().fold(0, |sum, count| sum.saturating_add(part(*count)));
        let mean = total / (self.counts.len() as u64).max(1);
        let mut bursts: Vec<(u64, usize)> = self
            .counts
            .iter()
            .enumerate()
            .map(|(index, count)| (part(*count), index))
            .filter(|(n, _)| *n >= BURST && *n >= mean.saturating_mul(BURST) && n.saturating_mul(20) >= total)
            .collect();
        bursts.sort_by_key(|(n, index)| (std::cmp::Reverse(*n), *index));
        bursts.truncate(BURSTS);
        bursts.sort_by_key(|(_, index)| *index);
        let begins = |index: usize| {
            let begins = (self.first + index as i64).saturating_mul(1 << self.shift);
            self.span.map_or(begins, |(from, _)| begins.max(from.as_nanos()))
        };
        let width = (1u64 << self.shift) as f64 / 1e9;
        bursts.into_iter().map(|(n, index)| (n, Timestamp::from_nanos(begins(index)), width)).collect()
    }
}

/// A burst has at least so many, and so many times the mean.
const BURST: u64 = 8;

/// Bursts that are told.
const BURSTS: usize = 3;
