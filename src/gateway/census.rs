//! What many connections have in common: one small record of each, so that a rule can say "38 of 41 ended so".

use crate::connection::{Connection, Transport};
use crate::limits;
use crate::net::Endpoint;
use crate::role::Role;
use crate::time::Timestamp;
use std::net::IpAddr;

/// The records of a run, in order of their endings; the first [`limits::CENSUS`] of them.
#[derive(Clone, Default, Debug)]
pub struct Census {
    records: Vec<Record>,
}

/// What is kept of one connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// Who asked.
    pub client: IpAddr,
    /// Who was asked.
    pub server: Endpoint,
    /// When its first packet was seen.
    pub opened: Timestamp,
    /// When and by whom its transport was ended, and how; `None` where it was still open.
    pub ended: Option<(Role, Transport, Timestamp)>,
    /// Nanoseconds from the last payload of either side to that ending.
    pub quiet: Option<i64>,
    /// The code of the first Close, 1005 for one without.
    pub code: Option<u16>,
}

impl Census {
    /// Counts a connection in.
    pub fn push(&mut self, connection: &Connection) {
        if self.records.len() < limits::CENSUS {
            self.records.push(Record::of(connection));
        }
    }

    /// All records.
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

impl Record {
    fn of(connection: &Connection) -> Record {
        let ended = connection.ending.by.map(|(role, seen)| (role, connection.ending.transport, seen.at));
        let last = connection.frames.as_ref().and_then(|frames| {
            Role::BOTH.iter().filter_map(|&role| frames[role].last).map(|seen| seen.at).max()
        });
        Record {
            client: connection.tcp.client.ip,
            server: connection.tcp.server,
            opened: connection.first.at,
            ended,
            quiet: ended.zip(last).map(|((_, _, ended), last)| ended.nanos_since(last)),
            code: connection.closes.first().map(|close| close.code.unwrap_or(1005)),
        }
    }
}
