//! Any bytes as a capture, through everything: no panic, and the reports are the same each time and free of what a
//! terminal would obey.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use wsanalyze::capture::{Merged, Reader};
use wsanalyze::connection::Connection;
use wsanalyze::pipeline::{self, Observer};
use wsanalyze::report::{Glyphs, JsonReport, Page, Secrets, TableReport, escape};
use wsanalyze::rules::Finding;

struct Both(TableReport, JsonReport);

impl Observer for Both {
    fn connection(&mut self, connection: Connection, findings: Vec<Finding>) {
        self.0.connection(connection.clone(), findings.clone());
        self.1.connection(connection, findings);
    }
}

fn reports(data: &[u8]) -> Option<[Vec<u8>; 2]> {
    let reader = Reader::from_read("fuzz", 0, Box::new(Cursor::new(data.to_vec()))).ok()?;
    let page = Page::new(80, false, Glyphs::Unicode);
    let mut both = Both(TableReport::new(page, Secrets::Hidden), JsonReport::new(Secrets::Hidden));
    let summary = pipeline::analyze(Merged::new(vec![reader]), &mut both, &mut |_, _| ());
    let mut out = [Vec::new(), Vec::new()];
    both.0.write(&summary, &mut out[0]).expect("memory takes everything");
    both.1.write(&summary, &mut out[1]).expect("memory takes everything");
    Some(out)
}

fuzz_target!(|data: &[u8]| {
    let Some(once) = reports(data) else { return };
    for text in &once {
        let text = std::str::from_utf8(text).expect("reports are UTF-8");
        assert!(!text.chars().any(|c| c != '\n' && escape::is_hidden(c)));
    }
    assert_eq!(Some(once), reports(data));
});
