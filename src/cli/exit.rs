//! The exit status, on which scripts rely.

use super::args::{FailOn, Verdict};
use crate::rules::Severity;
use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Nothing at or above `--fail-on`.
    Clean = 0,
    /// Findings at or above it.
    Findings = 1,
    /// Wrong usage.
    Usage = 2,
    /// An input could not be read as a capture at all, or a report could not be written.
    Unreadable = 3,
    /// No WebSocket handshake or frame in the input.
    Empty = 4,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        ExitCode::from(status as u8)
    }
}

/// What came of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Outcome {
    /// An input could not be read as a capture at all.
    pub(super) unreadable: bool,
    /// The gravest finding.
    pub(super) worst: Option<Severity>,
    /// WebSocket connections and attempts at one.
    pub(super) connections: u64,
}

impl Outcome {
    /// The status for it. What could not be read weighs most, for the answer may lie there; then what was found.
    pub(super) fn status(self, Verdict { fail_on, allow_empty }: Verdict) -> Status {
        let failed = fail_on.threshold().zip(self.worst).is_some_and(|(threshold, worst)| worst >= threshold);
        match self {
            Outcome { unreadable: true, .. } => Status::Unreadable,
            _ if failed => Status::Findings,
            Outcome { connections: 0, .. } if !allow_empty => Status::Empty,
            _ => Status::Clean,
        }
    }
}

impl FailOn {
    /// The severity from which on findings count; none do where there is none.
    pub(super) fn threshold(self) -> Option<Severity> {
        match self {
            FailOn::Error => Some(Severity::Error),
            FailOn::Warning => Some(Severity::Warning),
            FailOn::Info => Some(Severity::Info),
            FailOn::Never => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Outcome = Outcome { unreadable: false, worst: None, connections: 3 };

    #[test]
    fn findings_count_from_the_threshold_on() {
        let found = |worst, fail_on| {
            Outcome { worst: Some(worst), ..WELL }.status(Verdict { fail_on, allow_empty: false })
        };
        assert_eq!(WELL.status(Verdict { fail_on: FailOn::Info, allow_empty: false }), Status::Clean);
        assert_eq!(found(Severity::Error, FailOn::Error), Status::Findings);
        assert_eq!(found(Severity::Warning, FailOn::Error), Status::Clean);
        assert_eq!(found(Severity::Warning, FailOn::Warning), Status::Findings);
        assert_eq!(found(Severity::Info, FailOn::Warning), Status::Clean);
        assert_eq!(found(Severity::Info, FailOn::Info), Status::Findings);
        assert_eq!(found(Severity::Error, FailOn::Never), Status::Clean);
    }

    #[test]
    fn nothing_to_judge_is_no_success_unless_allowed() {
        let empty = Outcome { connections: 0, ..WELL };
        assert_eq!(empty.status(Verdict { fail_on: FailOn::Error, allow_empty: false }), Status::Empty);
        assert_eq!(empty.status(Verdict { fail_on: FailOn::Never, allow_empty: false }), Status::Empty);
        assert_eq!(empty.status(Verdict { fail_on: FailOn::Error, allow_empty: true }), Status::Clean);
    }

    #[test]
    fn what_could_not_be_read_weighs_most() {
        let all = Outcome { unreadable: true, worst: Some(Severity::Error), connections: 0 };
        assert_eq!(all.status(Verdict { fail_on: FailOn::Error, allow_empty: true }), Status::Unreadable);
    }

    #[test]
    fn the_numbers_are_those_promised() {
        let all = [Status::Clean, Status::Findings, Status::Usage, Status::Unreadable, Status::Empty];
        assert_eq!(all.map(|status| status as u8), [0, 1, 2, 3, 4]);
    }
}
