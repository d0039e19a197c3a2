//! Inputs that once broke a promise, and their neighbours: captures of `fixtures/`, damaged in ways that repeat.

use crate::support::root;
use std::fs;
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

/// All reports of `data`; nothing where it is no capture.
fn reports(data: &[u8]) -> Option<Vec<Vec<u8>>> {
    let reader = Reader::from_read("damaged", 0, Box::new(Cursor::new(data.to_vec()))).ok()?;
    let page = Page::new(80, false, Glyphs::Unicode);
    let mut both = Both(TableReport::new(Secrets::Hidden), Collector::new(Secrets::Hidden));
    let summary = pipeline::analyze(Merged::new(vec![reader]), &mut both, &mut |_, _| ());
    let mut table = Vec::new();
    both.0.write(page, &summary, &mut table).unwrap();
    let report = both.1.finish(&summary);
    let document = |format: &Document| {
        let mut out = Vec::new();
        format.write(&report, &mut out).unwrap();
        out
    };
    let mut out = vec![table];
    out.extend(Document::ALL.iter().map(document));
    Some(out)
}

/// Numbers that look drawn by lot and are the same each time (splitmix64).
struct Lot(u64);

impl Lot {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }
}

/// Changes a few places: a bit, a byte of an extreme, a piece left out, doubled or put elsewhere, the end cut.
fn damage(data: &mut Vec<u8>, lot: &mut Lot) {
    for _ in 0..=lot.below(6) {
        let at = lot.below(data.len());
        let len = lot.below(64).min(data.len() - at);
        match lot.below(7) {
            0 => data[at] ^= 1 << lot.below(8),
            1 => data[at] = [0, 1, 0x7f, 0x80, 0xff][lot.below(5)],
            2 => drop(data.drain(at..at + len)),
            3 => {
                let piece = data[at..at + len].to_vec();
                let to = lot.below(data.len());
                data.splice(to..to, piece);
            }
            4 => data[at..at + len].fill(0),
            5 => data[at..at + len].reverse(),
            _ if lot.below(4) == 0 => data.truncate(at.max(24)),
            _ => {}
        }
        if data.is_empty() {
            return;
        }
    }
}

#[test]
fn no_damage_to_a_capture_stops_the_program_or_reaches_the_terminal() {
    let mut read = 0;
    let mut captures: Vec<_> = fs::read_dir(root().join("fixtures/captures"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "pcap" || ext == "pcapng"))
        .collect();
    captures.sort();
    assert!(!captures.is_empty());
    for (seed, path) in captures.iter().enumerate() {
        let whole = fs::read(path).unwrap();
        let mut lot = Lot(seed as u64);
        for _ in 0..if whole.len() < 64 << 10 { 24 } else { 2 } {
            let mut data = whole.clone();
            damage(&mut data, &mut lot);
            let Some(texts) = reports(&data) else { continue };
            read += 1;
            for text in texts {
                let text = String::from_utf8(text).unwrap();
                assert!(
                    !text.replace("\r\n", "\n").chars().any(|c| c != '\n' && escape::is_hidden(c)),
                    "{}",
                    path.display()
                );
            }
        }
    }
    assert!(read > captures.len(), "damage left {read} captures to read");
}
