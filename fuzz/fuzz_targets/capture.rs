//! Any bytes as a capture: no panic, and what is read never depends on how it arrives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::{Cursor, Read};
use wsanalyze::capture::{Item, Reader};

/// Gives a few bytes at a time.
struct Dribble(Cursor<Vec<u8>>, usize);

impl Read for Dribble {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let step = buf.len().min(self.1);
        self.0.read(&mut buf[..step])
    }
}

fn read(source: Box<dyn Read + Send>) -> Option<(Vec<String>, Vec<String>)> {
    let mut reader = Reader::from_read("fuzz", 0, source).ok()?;
    let mut items = Vec::new();
    while let Some(item) = reader.next() {
        items.push(match item {
            Item::Packet(packet) => format!("{packet:?}"),
            Item::Secrets(secrets) => format!("{secrets:?}"),
        });
    }
    Some((items, reader.info().warnings))
}

fuzz_target!(|data: &[u8]| {
    let whole = read(Box::new(Cursor::new(data.to_vec())));
    let step = 1 + usize::from(data.last().copied().unwrap_or(0));
    let dribbled = read(Box::new(Dribble(Cursor::new(data.to_vec()), step)));
    assert_eq!(whole, dribbled);
});
