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
    /// The gravest finding about a connection.
    pub(super) worst: Option<Severity>,
    /// The gravest finding about the run as a whole.
    pub(super) of_run: Option<Severity>,
    /// WebSocket connections and attempts at one.
    pub(super) connections: u64,
}

impl Outcome {
    /// The status for it. What could not be read weighs most, for the answer may lie there; then what was found.
    pub(super) fn status(self, Verdict { fail_on, allow_empty }: Verdict) -> Status {
        let threshold = fail_on.threshold();
        let fails = |worst| threshold.zip(worst).is_some_and(|(threshold, worst)| worst >= threshold);
        match self {
            Outcome { unreadable: true, .. } => Status::Unreadable,
            _ if fails(self.worst) => Status::Findings,
            // That there are too few connections is not the news where there is none.
            Outcome { connections: 0, .. } if !allow_empty => Status::Empty,
            _ if fails(self.of_run) => Status::Findings,
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

    const WELL: Outcome = Outcome { unreadable: false, worst: None, of_run: None, connections: 3 };

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
    fn too_few_connections_fail_where_there_are_some_or_none_is_allowed() {
        let status = |connections, allow_empty| {
            let outcome = Outcome { connections, of_run: Some(Severity::Error), ..WELL };
            outcome.status(Verdict { fail_on: FailOn::Error, allow_empty })
        };
        assert_eq!(
            (status(1, false), status(0, true), status(0, false)),
            (Status::Findings, Status::Findings, Status::Empty)
        );
    }

    #[test]
    fn what_could_not_be_read_weighs_most() {
        let all = Outcome { unreadable: true, worst: Some(Severity::Error), of_run: None, connections: 0 };
        assert_eq!(all.status(Verdict { fail_on: FailOn::Error, allow_empty: true }), Status::Unreadable);
    }

    #[test]
    fn the_numbers_are_those_promised() {
        let all = [Status::Clean, Status::Findings, Status::Usage, Status::Unreadable, Status::Empty];
        assert_eq!(all.map(|status| status as u8), [0, 1, 2, 3, 4]);
    }
}
