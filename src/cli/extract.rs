//! `wsanalyze extract`: the packets of one connection as a capture of their own.

use super::exit::Status;
use super::{complain, inputs};
use crate::capture::{self, Merged, Writer};
use crate::connection::Connection;
use crate::error::Error;
use crate::extract::{self, Wanted};
use crate::pipeline::{self, Observer};
use crate::rules::Finding;
use std::io;
use std::path::{Path, PathBuf};

/// Finds connection `id` of `captures` and writes its packets to `output`.
pub(super) fn extract(id: usize, output: &Path, captures: &[PathBuf]) -> Status {
    if captures.iter().any(|path| path.as_path() == Path::new("-")) {
        complain(
            "-: standard input can be read only once, and extract reads captures twice: save it to a file first",
        );
        return Status::Usage;
    }
    let (readers, failed) = inputs::open(captures);
    if !failed.is_empty() {
        return Status::Unreadable;
    }
    let mut all = All(Vec::new());
    let summary = pipeline::analyze(Merged::new(readers), &mut all, &mut |_, _| ());
    // What could not be opened when its turn came may hold packets of the connection.
    let mut unopened = summary.unreadable.iter().filter(|error| !matches!(error, Error::LinkType { .. }));
    if let Some(error) = unopened.next() {
        complain(&error.to_string());
        return Status::Unreadable;
    }
    all.0.sort_by_key(|wanted| wanted.order);
    let Some(wanted) = all.0.get(id) else {
        complain(&match all.0.len() {
            0 => format!("{id}: the input holds no WebSocket connection"),
            count => format!("{id}: connections are numbered 0 to {}", count - 1),
        });
        return Status::Usage;
    };
    match write(wanted, output, captures) {
        Ok(count) => {
            complain(&format!("{}: {count} packets written", output.display()));
            Status::Clean
        }
        Err(reason) => {
            complain(&reason);
            Status::Unreadable
        }
    }
}

fn write(wanted: &Wanted, output: &Path, captures: &[PathBuf]) -> Result<u64, String> {
    let (readers, _) = inputs::open(captures);
    let file = capture::create(output).map_err(|error| error.to_string())?;
    let failed = |error: io::Error| format!("{}: {error}", output.display());
    let mut writer = Writer::new(io::BufWriter::new(file)).map_err(failed)?;
    let count =
        extract::extract(Merged::new(readers), wanted, |packet| writer.packet(packet)).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(count)
}

/// Every connection, as far as its packets are known by it.
struct All(Vec<Wanted>);

impl Observer for All {
    fn connection(&mut self, connection: Box<Connection>, _: Vec<Finding>) {
        self.0.push(Wanted::of(&connection));
    }
}
