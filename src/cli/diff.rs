//! `wsanalyze diff`: the captures before a change, compared with those after it.

use super::args::{Diff, ListFormat, Paper};
use super::config::{Input, Surroundings, suppressions};
use super::exit::{Outcome, Status};
use super::file::File;
use super::run::{Analysis, analyze_input};
use super::{complain, printed};
use crate::report::{Collector, Secrets, compare, model};
use std::path::{Path, PathBuf};

/// Reads both, compares, prints.
pub(super) fn diff(args: &Diff, paper: &Paper, file: File, surroundings: &Surroundings) -> Status {
    let [before, after] = match inputs(args, file, surroundings) {
        Ok(inputs) => inputs,
        Err(reason) => {
            complain(&reason);
            return Status::Usage;
        }
    };
    let (before, after) = match (read(&before), read(&after)) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(status), _) | (_, Err(status)) => return status,
    };
    let comparison = compare::compare(&before.0, &after.0);
    let outcome = Outcome {
        unreadable: before.1.unreadable || after.1.unreadable,
        worst: comparison.worst_new(),
        of_run: None,
        // With nothing on one side, all is new or gone.
        connections: before.1.connections.min(after.1.connections),
    };
    let page = paper.page(surroundings);
    printed(
        page.color && args.format == ListFormat::Table,
        outcome.status(args.verdict),
        |mut out| match args.format {
            ListFormat::Table => compare::table::write(&comparison, page, out),
            ListFormat::Json => comparison.write(&mut out),
        },
    )
}

fn inputs(args: &Diff, file: File, surroundings: &Surroundings) -> Result<[Input; 2], String> {
    let suppressions = suppressions(file.suppressions, None, surroundings)?;
    if [&args.before, &args.after].iter().all(|path| path.as_path() == Path::new("-")) {
        return Err(String::from("-: standard input can be read only once"));
    }
    let input = |path: &PathBuf| {
        let captures = vec![path.clone()];
        Input::new(captures, args.reading.clone(), &args.judging, suppressions.clone(), surroundings)
    };
    Ok([input(&args.before)?, input(&args.after)?])
}

fn read(input: &Input) -> Result<(model::Report, Outcome), Status> {
    let Analysis { observer, summary, outcome } = analyze_input(input, Collector::new(Secrets::Hidden))?;
    Ok((observer.finish(&summary), outcome))
}
