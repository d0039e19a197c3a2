//! The command line: what was typed, what it means, and the exit status. The only place that looks at the terminal,
//! the environment or the clock.

mod args;
mod baseline;
mod config;
mod defaults;
mod destination;
mod diff;
mod exit;
mod expect;
mod explain;
mod extract;
mod file;
mod inputs;
mod interrupt;
mod keys;
mod man;
mod progress;
mod reports;
mod rule_list;
mod run;
mod scope;
mod suggest;
mod suppress;
mod views;

pub use exit::Status;

use self::args::{Analysis, Command, Paper, SchemaFormat};
use self::config::{Config, Purpose, Surroundings};
use self::defaults::Outside;
use self::file::File;
use crate::report::connections::{Columns, Layout, Long};
use crate::report::escape;
use crate::report::json::{self, Shape};
use std::ffi::OsString;
use std::io;

/// Runs the program with these arguments, the first of which is its own name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Status {
    let (args, file) = match defaults::parse(arguments.into_iter().collect(), &Outside::look()) {
        Ok(typed) => typed,
        Err(status) => return status,
    };
    let surroundings = Surroundings::look();
    match args.command {
        None => analyze(args.analysis, &args.paper, file, Purpose::Report, &surroundings),
        Some(Command::Check { analysis }) => {
            analyze(*analysis, &args.paper, file, Purpose::Check, &surroundings)
        }
        Some(Command::Connections { view, wide, no_trunc, group_by, limit }) => {
            let layout = Layout {
                columns: if wide { Columns::All } else { Columns::Few },
                long: if no_trunc { Long::Kept } else { Long::Cut },
                group: group_by.map(Into::into),
                limit,
                times: view.telling.time.times(),
            };
            views::connections(*view, &layout, &surroundings, args.paper.page(&surroundings))
        }
        Some(Command::Timeline { view }) => {
            views::timeline(*view, &surroundings, args.paper.page(&surroundings))
        }
        Some(Command::Ladder { id, view, mermaid }) => {
            let drawing = if mermaid {
                views::Drawing::Mermaid
            } else {
                views::Drawing::Page(args.paper.page(&surroundings))
            };
            views::ladder(id, *view, &surroundings, drawing)
        }
        Some(Command::Explain { ref topics, lang }) => {
            explain::explain(topics, lang.into(), args.paper.page(&surroundings))
        }
        Some(Command::Extract { id, ref output, ref captures }) => extract::extract(id, output, captures),
        Some(Command::Schema { format }) => printed(false, Status::Clean, |mut out| {
            let shape = match format {
                SchemaFormat::Json => Shape::Document,
                SchemaFormat::Jsonl => Shape::Line,
            };
            json::write_schema(shape, &mut out)
        }),
        Some(Command::Diff(ref diff)) => diff::diff(diff, &args.paper, file, &surroundings),
        Some(Command::Completions { shell }) => man::completions(shell),
        Some(Command::Man) => man::man(),
        Some(Command::Rules { format }) => rule_list::list(format, args.paper.page(&surroundings)),
    }
}

fn analyze(
    analysis: Analysis,
    paper: &Paper,
    file: File,
    purpose: Purpose,
    surroundings: &Surroundings,
) -> Status {
    match Config::new(analysis, paper, file, purpose, surroundings) {
        Ok(config) => run::analyze(&config),
        Err(reason) => {
            complain(&reason);
            Status::Usage
        }
    }
}

/// One line for people, on standard error.
fn complain(reason: &str) {
    use io::Write as _;
    // Nowhere to complain to is no reason to panic.
    let _ = writeln!(io::stderr(), "wsanalyze: {}", escape::terminal(reason));
}

/// Writes a report to standard output. A reader that stopped reading, as `head` does, has what it wanted: no error.
fn print(color: bool, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<(), io::Error> {
    let stdout = io::stdout().lock();
    let done =
        if color { buffered(anstream::AutoStream::always(stdout), write) } else { buffered(stdout, write) };
    match done {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn buffered(out: impl io::Write, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
    use io::Write as _;
    let mut out = io::BufWriter::with_capacity(64 << 10, out);
    write(&mut out)?;
    out.flush()
}

/// [`print()`], and a status for it: `status` where all was written.
fn printed(color: bool, status: Status, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Status {
    match print(color, write) {
        Ok(()) => status,
        Err(error) => {
            complain(&format!("standard output: {error}"));
            Status::Unreadable
        }
    }
}
