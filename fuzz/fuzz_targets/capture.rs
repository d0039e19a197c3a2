//! Any bytes as a capture: no panic, and what is read never depends on how it arrives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::{Cursor, Read};
use wsanalyze::capture::{Item, LinkType, Packet, Reader, Seen};

/// Gives a few bytes at a time.
struct Dribble(Cursor<Vec<u8>>, usize);

impl Read for Dribble {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let step = buf.len().min(self.1);
        self.0.read(&mut buf[..step])
    }
}

/// An item, kept as it is: to print its bytes takes many times as long as to read them.
#[derive(PartialEq, Debug)]
enum Kept {
    Packet(Seen, LinkType, u32, u8, Vec<u8>),
    Secrets(Vec<u8>),
}

fn read(source: Box<dyn Read + Send>) -> Option<(Vec<Kept>, Vec<String>)> {
    let mut reader = Reader::from_read("fuzz", 0, source).ok()?;
    let mut items = Vec::new();
    while let Some(item) = reader.next() {
        items.push(match item {
            Item::Packet(Packet { seen, link, original_len, fcs_len, data }) => {
                Kept::Packet(seen, link, original_len, fcs_len, data.to_vec())
            }
            Item::Secrets(secrets) => Kept::Secrets(secrets.to_vec()),
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
