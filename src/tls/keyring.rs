//! All that may open connections: key logs, and sessions that were opened before and may be resumed.

use super::keylog::{KeyLog, Label, Secret};
use super::sessions::{Sessions, Turn};
use crate::limits;

/// The keys of all connections of one shard of a run.
#[derive(Default)]
pub struct Keyring {
    log: KeyLog,
    sessions: Sessions,
    /// Whether more keys may come.
    may_grow: bool,
    /// Counts the times that keys came.
    generation: u32,
    /// Bytes that wait for a key, in all connections.
    waiting: usize,
    /// Where records are opened.
    pub(super) scratch: Vec<u8>,
}

impl Keyring {
    /// With what is known before the first packet. `may_grow`: captures may bring more, so that what cannot be
    /// opened is kept for a while.
    pub fn new(log: KeyLog, may_grow: bool) -> Keyring {
        Keyring { log, may_grow, ..Keyring::default() }
    }

    /// Shares what is known of sessions with other shards of the run.
    pub fn sharing(self, sessions: Sessions) -> Keyring {
        Keyring { sessions, ..self }
    }

    /// From now on the shards of the run are worked on at the same time.
    pub fn take_turns(&mut self, turn: Box<dyn Turn>) {
        self.sessions.take_turns(turn);
    }

    /// Takes the key log anew: a capture brought more of it.
    pub fn renew(&mut self, log: &KeyLog) {
        if log.len() > self.log.len() {
            self.generation = self.generation.wrapping_add(1);
        }
        self.log = log.clone();
    }

    /// No more keys will come.
    pub fn seal(&mut self) {
        self.sessions.end();
        self.may_grow = false;
        self.generation = self.generation.wrapping_add(1);
    }

    /// The key log, with all that was added to it.
    pub fn log(&self) -> &KeyLog {
        &self.log
    }

    /// Whether more keys may come.
    pub fn may_grow(&self) -> bool {
        self.may_grow
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    pub(super) fn masters(&self, client_random: &[u8; 32]) -> impl Iterator<Item = Secret> {
        self.log.secrets(client_random, Label::Master).copied()
    }

    /// The master secret of a session by its ID or ticket.
    pub(super) fn session(&self, name: &[u8]) -> Option<Secret> {
        // Without any secret no session was opened either.
        if name.is_empty() || self.log.is_empty() {
            return None;
        }
        self.log.session(name).copied().or_else(|| self.sessions.get(name))
    }

    /// Remembers a session that may be resumed.
    pub(super) fn remember(&mut self, name: &[u8], master: &[u8]) {
        if name.is_empty() || name.len() > limits::TLS_TICKET {
            return;
        }
        if let Some(master) = Secret::new(master) {
            self.sessions.insert(name, master);
        }
    }

    /// Takes room for bytes that wait; false where there is none.
    pub(super) fn reserve(&mut self, bytes: usize) -> bool {
        let waiting = self.waiting.saturating_add(bytes);
        let fits = waiting <= limits::TLS_WAITING_TOTAL / limits::SHARDS;
        if fits {
            self.waiting = waiting;
        }
        fits
    }

    pub(super) fn release(&mut self, bytes: usize) {
        self.waiting = self.waiting.saturating_sub(bytes);
    }
}
