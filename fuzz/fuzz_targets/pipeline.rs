//! Any bytes as a capture, through everything: no panic, and the reports are the same each time and free of what a
//! terminal would obey.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use wsanalyze::capture::{Merged, Reader};
use wsanalyze::connection::Connection;
use wsanalyze::legs::LegPair;
use wsanalyze::pipeline::{self, Observer};
use wsanalyze::report::{Collector, Document, Glyphs, Page, Secrets, TableReport, escape};
use wsanalyze::rules::Finding;

struct Both(TableReport, Collector);

impl Observer for Both {
    fn connection(&mut self, connection: Box<Connection>, findings: Vec<Finding>) {
        self.1.add(&connection, &findings);
        self.0.connection(connection, findings);
    }

    fn legs(&mut self, pair: LegPair) {
        self.1.legs(pair.clone());
        self.0.legs(pair);
    }
}

fn reports(data: &[u8]) -> Option<Vec<Vec<u8>>> {
    let reader = Reader::from_read("fuzz", 0, Box::new(Cursor::new(data.to_vec()))).ok()?;
    let page = Page::new(80, false, Glyphs::Unicode);
    let mut both = Both(TableReport::new(Secrets::Hidden), Collector::new(Secrets::Hidden));
    let summary = pipeline::analyze(Merged::new(vec![reader]), &mut both, &mut |_, _| ());
    let mut table = Vec::new();
    both.0.write(page, &summary, &mut table).expect("memory takes everything");
    let report = both.1.finish(&summary);
    let document = |format: &Document| {
        let mut out = Vec::new();
        format.write(&report, &mut out).expect("memory takes everything");
        out
    };
    // JSON has all facts. Of the others one is written, whose turn the bytes tell: all of them would cost several times as
    // much as what they are made of.
    let turn = data.iter().fold(0_usize, |sum, byte| sum.wrapping_add(usize::from(*byte)));
    Some(vec![table, document(&Document::Json), document(&Document::ALL[turn % Document::ALL.len()])])
}

fuzz_target!(|data: &[u8]| {
    let Some(once) = reports(data) else { return };
    for text in &once {
        let text = std::str::from_utf8(text).expect("reports are UTF-8");
        let plain = |c: char| matches!(c, ' '..='~' | '\n');
        assert!(!text.replace("\r\n", "\n").chars().any(|c| !plain(c) && escape::is_hidden(c)));
    }
    assert_eq!(Some(once), reports(data));
});
