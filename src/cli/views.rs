//! `wsanalyze connections`, `ladder` and `timeline`: looks at captures that are no report.

use super::args::{FailOn, GroupBy, TimeStyle, Verdict, View};
use super::config::{Input, Surroundings};
use super::exit::Status;
use super::run::{Analysis, analyze_input};
use super::{complain, printed};
use crate::pipeline::Observer;
use crate::report::connections::{self, Layout};
use crate::report::ladder::{self, Ladder};
use crate::report::timeline::{self, Timeline};
use crate::report::times::Times;
use crate::report::{Collector, Page, Secrets};
use crate::rules::Suppressions;
use crate::time::Zone;

/// Lists every connection.
pub(super) fn connections(view: View, layout: &Layout, surroundings: &Surroundings, page: Page) -> Status {
    let Analysis { observer, summary, outcome } = match look(view, surroundings, Collector::new) {
        Ok(analysis) => analysis,
        Err(status) => return status,
    };
    let text = connections::render(&observer.finish(&summary), page, layout);
    printed(page.color, outcome.status(LOOK), |out| out.write_all(text.as_bytes()))
}

/// How a ladder is drawn.
pub(super) enum Drawing {
    Page(Page),
    Mermaid,
}

/// Draws the session that connection `id` belongs to.
pub(super) fn ladder(id: usize, view: View, surroundings: &Surroundings, drawing: Drawing) -> Status {
    let times = view.telling.time.times();
    let Analysis { observer, summary, outcome } = match look(view, surroundings, Collector::new) {
        Ok(analysis) => analysis,
        Err(status) => return status,
    };
    let report = observer.finish(&summary);
    let sessions = ladder::sessions(&report);
    let Some(session) = sessions.iter().find(|session| session.has(id)) else {
        complain(&match report.connections.len() {
            0 => format!("{id}: the input holds no such connection, for it holds none"),
            count => format!("{id}: connections are numbered 0 to {}", count - 1),
        });
        return if outcome.unreadable { Status::Unreadable } else { Status::Usage };
    };
    let ladder = Ladder::new(&report, session);
    let (text, color) = match drawing {
        Drawing::Page(page) => (ladder::text::render(&ladder, &report, page, &times), page.color),
        Drawing::Mermaid => (ladder::mermaid::render(&ladder, &report, &times), false),
    };
    printed(color, outcome.status(LOOK), |out| out.write_all(text.as_bytes()))
}

/// Draws all connections over time.
pub(super) fn timeline(view: View, surroundings: &Surroundings, page: Page) -> Status {
    let times = view.telling.time.times();
    let Analysis { observer, summary, outcome } = match look(view, surroundings, Timeline::new) {
        Ok(analysis) => analysis,
        Err(status) => return status,
    };
    let begins = summary.captures.iter().filter_map(|capture| capture.first).min();
    let text = timeline::text::render(&observer, begins, page, &times);
    printed(page.color, outcome.status(LOOK), |out| out.write_all(text.as_bytes()))
}

/// A look is no judgement: only what cannot be read or is not there makes it fail.
const LOOK: Verdict = Verdict { fail_on: FailOn::Never, allow_empty: false };

/// Reads the captures of a view, and shows them to an observer.
fn look<O: Observer>(
    view: View,
    surroundings: &Surroundings,
    observer: impl FnOnce(Secrets) -> O,
) -> Result<Analysis<O>, Status> {
    let everything = Suppressions::default();
    let input = Input::new(view.captures, view.reading, &view.judging, everything, surroundings);
    let input = input.map_err(|reason| {
        complain(&reason);
        Status::Usage
    })?;
    analyze_input(&input, observer(input.secrets))
}

impl TimeStyle {
    pub(super) fn times(self) -> Times {
        match self {
            TimeStyle::Utc => Times::Utc,
            TimeStyle::Local => Times::Local(Zone::of_this_machine()),
            TimeStyle::Relative => Times::Relative,
            TimeStyle::Epoch => Times::Epoch,
        }
    }
}

impl From<GroupBy> for connections::GroupBy {
    fn from(by: GroupBy) -> Self {
        match by {
            GroupBy::Cause => connections::GroupBy::Cause,
            GroupBy::Endpoint => connections::GroupBy::Endpoint,
            GroupBy::Client => connections::GroupBy::Client,
        }
    }
}
