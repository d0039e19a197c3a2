//! All connections over time: when they opened, how long they lived, how they ended. As many as there may be, what is
//! kept of them is bounded: each by itself while they are few, then counts by time, and the longest lives.

mod bins;
#[cfg(test)]
mod tests;
pub mod text;

pub use bins::{Bins, Column, Count};

use super::model::{Connection, Report};
use super::{Secrets, convert};
use crate::connection as facts;
use crate::limits;
use crate::net::Endpoint;
use crate::pipeline::Observer;
use crate::rules::Finding;
use crate::time::Timestamp;
use std::cmp::Reverse;

/// One connection, from its first packet to its last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Life {
    /// Index of its capture.
    pub capture: u16,
    /// Its `tcp.stream` there.
    pub stream: u32,
    /// Its first packet.
    pub packet: u64,
    /// `10.0.0.5:51234`.
    pub client: Endpoint,
    /// `10.0.0.9:80`.
    pub server: Endpoint,
    /// `client-leg` and the like.
    pub role: &'static str,
    /// The request target, where it was seen.
    pub target: Option<String>,
    /// The time of its first packet.
    pub from: Timestamp,
    /// The time of its last packet.
    pub until: Timestamp,
    /// How it ended.
    pub end: End,
    /// `1010`, `502`, `no Close`: the end in a word or two.
    pub note: String,
}

/// How a connection ended, as far as a picture of all of them tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// By Close of both sides.
    Closed,
    /// Without it.
    Broken,
    /// It was no WebSocket in the end: refused, unanswered, or answered wrongly.
    Refused,
    /// Not in this capture.
    Open,
}

impl End {
    /// All, in the order in which they are told.
    pub const ALL: [End; 4] = [End::Closed, End::Broken, End::Refused, End::Open];

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            End::Closed => "closed",
            End::Broken => "broken off",
            End::Refused => "refused",
            End::Open => "still open",
        }
    }

    fn of(connection: &Connection) -> End {
        match (connection.outcome, connection.end.transport, connection.end.close) {
            ("rejected" | "garbled" | "unanswered" | "invalid", _, _) => End::Refused,
            (_, _, Some("clean")) => End::Closed,
            (_, "open", _) => End::Open,
            // Of what could not be read, only the transport is known.
            ("encrypted", "fin", _) => End::Closed,
            _ => End::Broken,
        }
    }
}

impl Life {
    /// Of a connection.
    pub fn of(connection: &Connection) -> Life {
        Life {
            capture: connection.capture,
            stream: connection.tcp_stream,
            packet: connection.first_packet,
            client: connection.client,
            server: connection.server,
            role: connection.role,
            target: connection.request.as_ref().map(|request| request.target.clone()),
            from: connection.started,
            until: connection.ended.max(connection.started),
            end: End::of(connection),
            note: note(connection),
        }
    }

    fn nanos(&self) -> i64 {
        self.until.nanos_since(self.from)
    }
}

/// The end in a word or two.
pub fn note(connection: &Connection) -> String {
    if let Some(response) = connection.response.as_ref().filter(|response| response.status != 101)
        && connection.outcome == "rejected"
    {
        return response.status.to_string();
    }
    let close = connection.closes.first().filter(|_| !is_late(connection));
    match (connection.outcome, close, connection.end.transport) {
        ("unanswered", _, _) => String::from("no answer"),
        ("garbled", _, _) => String::from("no HTTP"),
        ("invalid", _, _) => String::from("invalid 101"),
        (_, Some(close), _) => close.code.map_or(String::from("Close"), |code| code.to_string()),
        (_, None, "open") => String::from("open"),
        (_, None, "reset") => String::from("RST"),
        (_, None, "stream-reset") => String::from("stream reset"),
        ("encrypted", None, _) => String::from("TLS"),
        (_, None, _) => String::from("no Close"),
    }
}

/// Whether its only Close came after the other side had ended the transport.
pub(in crate::report) fn is_late(connection: &Connection) -> bool {
    let end = &connection.end;
    let after = |packet: u64| end.packet.is_some_and(|end| end < packet);
    connection.closes.iter().all(|close| after(close.packet) && end.by != Some(close.from))
        && !connection.closes.is_empty()
}

/// An observer that counts all connections over time.
#[derive(Clone, Debug)]
pub struct Timeline {
    secrets: Secrets,
    lives: Vec<Life>,
    bins: Bins,
    total: u64,
    ends: [u64; 4],
}

impl Observer for Timeline {
    fn connection(&mut self, connection: Box<facts::Connection>, _: Vec<Finding>) {
        self.add(&convert::connection(&connection, self.secrets));
    }
}

impl Timeline {
    /// Without a connection.
    pub fn new(secrets: Secrets) -> Timeline {
        Timeline { secrets, lives: Vec::new(), bins: Bins::default(), total: 0, ends: [0; 4] }
    }

    /// Takes one connection.
    pub fn add(&mut self, connection: &Connection) {
        let life = Life::of(connection);
        self.total = self.total.saturating_add(1);
        let end = &mut self.ends[life.end as usize];
        *end = end.saturating_add(1);
        self.bins.add(life.from, |count| &mut count.opened);
        match life.end {
            End::Closed => self.bins.add(life.until, |count| &mut count.closed),
            End::Broken => self.bins.add(life.until, |count| &mut count.broken),
            End::Refused => self.bins.add(life.until, |count| &mut count.refused),
            End::Open => self.bins.reach(life.until),
        }
        self.lives.push(life);
        if self.lives.len() >= 2 * limits::TIMELINE_LIVES {
            self.forget();
        }
    }

    /// Of all connections of a report.
    pub fn of(report: &Report) -> Timeline {
        let mut timeline = Timeline::new(Secrets::Hidden);
        report.connections.iter().for_each(|connection| timeline.add(connection));
        timeline
    }

    /// How many connections there are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many of them ended so.
    pub fn ended(&self, end: End) -> u64 {
        self.ends[end as usize]
    }

    /// Every connection in order of its first packet, where they are few enough to be drawn one by one.
    pub fn all(&self) -> Option<Vec<&Life>> {
        let few = self.total <= limits::TIMELINE_LIVES as u64;
        let mut lives: Vec<&Life> = self.lives.iter().collect();
        lives.sort_by_key(|life| (life.capture, life.packet, life.stream));
        few.then_some(lives)
    }

    /// The longest lives, the longest first.
    pub fn longest(&self, limit: usize) -> Vec<&Life> {
        let mut lives: Vec<&Life> = self.lives.iter().collect();
        lives.sort_by_key(|life| rank(life));
        lives.truncate(limit);
        lives
    }

    /// Counts by time.
    pub fn bins(&self) -> &Bins {
        &self.bins
    }

    /// From the first packet of any connection to the last.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.bins.span()
    }

    fn forget(&mut self) {
        self.lives.sort_by_key(rank);
        self.lives.truncate(limits::TIMELINE_LIVES);
    }
}

fn rank(life: &Life) -> (Reverse<i64>, u16, u64, u32) {
    (Reverse(life.nanos()), life.capture, life.packet, life.stream)
}
