//! The ladder of a session: who sent what to whom, one line of time downwards, all legs side by side. It is data here;
//! [`text`] draws it for a terminal, [`mermaid`] for pages written in Markdown, the HTML report as SVG.

mod events;
pub mod mermaid;
mod sessions;
#[cfg(test)]
mod tests;
pub mod text;

pub use events::{listed, spelled};
pub use sessions::{Session, sessions};

use super::model::Report;
use crate::time::Timestamp;

/// One session, ready to be drawn.
#[derive(Clone, PartialEq, Debug)]
pub struct Ladder {
    /// The parties from left to right: client, gateways, server.
    pub lanes: Vec<Lane>,
    /// What happened, in order of time by the clock of the client's leg.
    pub rows: Vec<Row>,
    /// When the capture of the client's leg begins: times are told from there.
    pub begins: Option<Timestamp>,
}

/// One party.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lane {
    /// `client`, `gateway`, `upstream` or `server`.
    pub name: &'static str,
    /// Its addresses: a gateway has one on each side.
    pub addresses: Vec<String>,
}

/// One thing that happened.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// When, by the clock of the client's leg; `None` for what has no time of its own.
    pub at: Option<Timestamp>,
    /// Until when, where it lasted.
    pub until: Option<Timestamp>,
    /// Between whom.
    pub shape: Shape,
    /// The packets that show it.
    pub packets: Vec<Packet>,
    /// What it is.
    pub text: String,
    /// Fields and the like that matter.
    pub details: Vec<Detail>,
    /// Ids of the findings whose chief packet it is.
    pub findings: Vec<usize>,
}

/// Where a row is drawn; lanes are counted from the left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Sent from one lane to the next.
    Arrow {
        /// Who sent it.
        from: usize,
        /// Who was to receive it.
        to: usize,
    },
    /// Both ways between two lanes.
    Exchange {
        /// The client's side.
        left: usize,
        /// The server's side.
        right: usize,
    },
    /// A remark about what lies between two lanes.
    Note {
        /// The client's side.
        left: usize,
        /// The server's side.
        right: usize,
    },
    /// Nothing, for a long time, on any leg.
    Silence,
}

/// A packet of a capture.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Packet {
    /// Index of the capture.
    pub capture: u16,
    /// Its number there.
    pub number: u64,
}

/// A line below a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Detail {
    /// `Sec-WebSocket-Extensions: permessage-deflate`, or `no Sec-WebSocket-Extensions`.
    pub text: String,
    /// Whether it is not the same on the other leg.
    pub changed: bool,
}

impl Row {
    /// ` [WS-EX-012]`: the codes of its findings, where it has some.
    fn codes(&self, report: &Report) -> String {
        let codes: Vec<&str> =
            self.findings.iter().filter_map(|id| report.findings.get(*id)).map(|found| found.code).collect();
        if codes.is_empty() { String::new() } else { format!(" [{}]", codes.join(", ")) }
    }
}

/// Longest label or field that is drawn, in characters, and most fields of one row.
const LABEL: usize = 300;
const DETAILS: usize = 16;

impl Ladder {
    /// Draws up `session`.
    pub fn new(report: &Report, session: &Session) -> Ladder {
        let mut rows = events::rows(report, session);
        // What has no packet of its own is a remark on what has.
        rows.sort_by_key(|row| {
            (row.at.is_none(), row.at, row.packets.is_empty(), row.packets.first().copied())
        });
        Ladder {
            lanes: sessions::lanes(report, session),
            rows: with_silences(rows),
            begins: session.begins(report),
        }
    }
}

/// Long times without a row become rows.
fn with_silences(rows: Vec<Row>) -> Vec<Row> {
    let mut drawn = Vec::with_capacity(rows.len());
    let mut last: Option<(Timestamp, Option<Packet>)> = None;
    for row in rows {
        if let (Some((since, packet)), Some(at)) = (last, row.at)
            && at.nanos_since(since) >= SILENCE
        {
            let packets = packet.into_iter().chain(row.packets.first().copied()).collect();
            drawn.push(silence(since, at, packets));
        }
        let ends = row.until.or(row.at);
        if let Some(ends) = ends.filter(|ends| last.is_none_or(|(last, _)| *ends >= last)) {
            last = Some((ends, row.packets.last().copied()));
        }
        drawn.push(row);
    }
    drawn
}

fn silence(since: Timestamp, until: Timestamp, packets: Vec<Packet>) -> Row {
    Row {
        at: Some(since),
        until: Some(until),
        shape: Shape::Silence,
        packets,
        text: format!("{:.1} s nothing", until.seconds_since(since)),
        details: Vec::new(),
        findings: Vec::new(),
    }
}

/// A second: what takes longer is waiting, not working.
const SILENCE: i64 = 1_000_000_000;
