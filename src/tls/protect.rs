//! Where one direction stands between its first keys and its last: which records come next, and with which number.

use super::keylog::{Label, Secret};
use super::open::{Opener, updated};
use super::record::{ContentType, Header, Lost};
use super::suite::CipherSuite;
use crate::limits;

/// How the next records of one direction are protected.
#[derive(Default)]
pub(super) enum Protection {
    /// Not yet.
    #[default]
    Clear,
    /// After ChangeCipherSpec of TLS 1.2.
    Tls12(Box<Tls12>),
    /// Since the first protected record of TLS 1.3.
    Tls13(Box<Tls13>),
    /// In a way that will not be opened: records are only counted.
    Sealed,
}

/// A direction of TLS 1.2 between two ChangeCipherSpec.
#[derive(Default)]
pub(super) struct Tls12 {
    /// Once the first record was opened.
    opener: Option<Opener>,
    /// Number of the next record.
    sequence: u64,
}

/// A direction of TLS 1.3.
pub(super) struct Tls13 {
    suite: CipherSuite,
    current: Option<Current>,
    /// The first phase that may come where none is current.
    floor: Phase,
}

struct Current {
    phase: Phase,
    secret: Vec<u8>,
    opener: Opener,
    /// Number of the next record.
    sequence: u64,
}

/// Whose keys protect a direction of TLS 1.3 (RFC 8446 §7).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Phase {
    Early,
    Handshake,
    Application,
}

/// A record that was opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub(super) kind: ContentType,
    /// Records of the same keys that are lost before it.
    pub(super) skipped: u64,
    /// Whether these keys opened a record for the first time.
    pub(super) fresh: bool,
    /// Bytes by which its records are longer than their contents.
    pub(super) overhead: u64,
}

/// A record as it came, and what may be spent on it.
pub(super) struct Attempt<'a> {
    pub(super) header: &'a Header,
    pub(super) body: &'a [u8],
    pub(super) lost: Option<Lost>,
    pub(super) tries: &'a mut u32,
    pub(super) out: &'a mut Vec<u8>,
}

impl Attempt<'_> {
    /// Tries the record with numbers from `sequence` on, as many as records may be lost; tells which one it was.
    fn with(&mut self, opener: &Opener, sequence: u64, least: u64) -> Option<(ContentType, u64)> {
        let most = self.lost.map_or(0, |lost| lost.most).min(least.saturating_add(limits::TLS_SEQUENCES));
        for skipped in least..=most.max(least) {
            let number = sequence.checked_add(skipped)?;
            if let Some(kind) = opener.open(number, self.header, self.body, self.out) {
                return Some((kind, skipped));
            }
            *self.tries = self.tries.checked_sub(1)?;
        }
        None
    }

    /// Records that are lost for certain.
    fn least(&self) -> u64 {
        self.lost.map_or(0, |lost| lost.least)
    }
}

impl Tls12 {
    pub(super) fn has_keys(&self) -> bool {
        self.opener.is_some()
    }

    /// Opens a record with the keys at hand.
    pub(super) fn open(&mut self, attempt: &mut Attempt<'_>) -> Option<Opening> {
        let opener = self.opener.as_ref()?;
        let (kind, skipped) = attempt.with(opener, self.sequence, attempt.least())?;
        self.sequence = self.sequence.saturating_add(skipped).saturating_add(1);
        Some(Opening { kind, skipped, fresh: false, overhead: opener.overhead() })
    }

    /// Opens the first record that these keys open.
    pub(super) fn begin(&mut self, opener: Opener, attempt: &mut Attempt<'_>) -> Option<Opening> {
        let (kind, skipped) = attempt.with(&opener, 0, 0)?;
        let overhead = opener.overhead();
        *self = Tls12 { opener: Some(opener), sequence: skipped.saturating_add(1) };
        // Number 0 is the Finished message, no application data.
        Some(Opening { kind, skipped: skipped.saturating_sub(1), fresh: true, overhead })
    }
}

impl Tls13 {
    pub(super) fn new(suite: CipherSuite, floor: Phase) -> Tls13 {
        Tls13 { suite, current: None, floor }
    }

    /// The phase whose keys opened the last record.
    pub(super) fn phase(&self) -> Option<Phase> {
        self.current.as_ref().map(|current| current.phase)
    }

    /// Whether the client may still send early data.
    pub(super) fn skip_early_data(&mut self) {
        self.floor = self.floor.max(Phase::Handshake);
    }

    /// Opens a record. `secrets` gives those of a phase. The phase of the last record is tried first, then those that
    /// may follow it, so that a lost Finished message costs nothing.
    pub(super) fn open<'s>(
        &mut self,
        attempt: &mut Attempt<'_>,
        secrets: impl Fn(Phase) -> Vec<&'s Secret>,
    ) -> Option<Opening> {
        let least = attempt.least();
        if let Some(current) = &mut self.current {
            if let Some((kind, skipped)) = attempt.with(&current.opener, current.sequence, least) {
                current.sequence = current.sequence.saturating_add(skipped).saturating_add(1);
                return Some(Opening { kind, skipped, fresh: false, overhead: current.opener.overhead() });
            }
            if least > 0
                && current.phase == Phase::Application
                && let Some(next) = current.updated(self.suite)
                && let Some((kind, skipped)) = attempt.with(&next.opener, 0, 0)
            {
                // The KeyUpdate itself is among the lost records.
                let overhead = next.opener.overhead();
                self.current = Some(Current { sequence: skipped.saturating_add(1), ..next });
                return Some(Opening { kind, skipped: skipped.max(least), fresh: false, overhead });
            }
        }
        let after = self.phase();
        for phase in [Phase::Early, Phase::Handshake, Phase::Application] {
            if phase < self.floor || after.is_some_and(|after| phase <= after) {
                continue;
            }
            for secret in secrets(phase) {
                let Some(opener) = Opener::tls13(self.suite, secret.bytes()) else { continue };
                if let Some((kind, skipped)) = attempt.with(&opener, 0, 0) {
                    let (secret, sequence) = (secret.bytes().to_vec(), skipped.saturating_add(1));
                    let overhead = opener.overhead();
                    self.current = Some(Current { phase, secret, opener, sequence });
                    return Some(Opening { kind, skipped, fresh: true, overhead });
                }
            }
        }
        None
    }

    /// Whether any key is there that could open the next record.
    pub(super) fn has_keys<'s>(&self, secrets: impl Fn(Phase) -> Vec<&'s Secret>) -> bool {
        self.current.is_some()
            || [Phase::Early, Phase::Handshake, Phase::Application]
                .into_iter()
                .any(|phase| phase >= self.floor && !secrets(phase).is_empty())
    }

    /// A message said that the next records have the keys of this phase.
    pub(super) fn enter(&mut self, phase: Phase) {
        if self.phase().is_none_or(|current| current < phase) {
            self.current = None;
            self.floor = phase;
        }
    }

    /// A KeyUpdate was the last message under the current keys (RFC 8446 §4.6.3).
    pub(super) fn update(&mut self) {
        if let Some(current) = &self.current
            && let Some(next) = current.updated(self.suite)
        {
            self.current = Some(next);
        }
    }
}

impl Current {
    fn updated(&self, suite: CipherSuite) -> Option<Current> {
        let (_, hash) = suite.parts()?;
        let secret = updated(hash, &self.secret)?;
        let opener = Opener::tls13(suite, &secret)?;
        Some(Current { phase: self.phase, secret, opener, sequence: 0 })
    }
}

impl Phase {
    /// The label of this phase's secret in key logs.
    pub(super) const fn label(self, from_client: bool) -> Option<Label> {
        Some(match (self, from_client) {
            (Phase::Early, true) => Label::ClientEarly,
            (Phase::Early, false) => return None,
            (Phase::Handshake, true) => Label::ClientHandshake,
            (Phase::Handshake, false) => Label::ServerHandshake,
            (Phase::Application, true) => Label::ClientTraffic,
            (Phase::Application, false) => Label::ServerTraffic,
        })
    }
}
