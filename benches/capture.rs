//! Reading captures, and nothing else: bytes of the capture a second. `cargo bench --bench capture`

#[path = "support/traffic.rs"]
mod traffic;

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use std::io::{Cursor, Write as _};
use wsanalyze::capture::{Item, Reader};

#[global_allocator]
static MEMORY: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const SIZE: usize = 32 << 20;

#[divan::bench]
fn small_packets(bencher: Bencher) {
    read(bencher, traffic::capture(SIZE, traffic::chat(50)));
}

#[divan::bench]
fn large_packets(bencher: Bencher) {
    read(bencher, traffic::capture(SIZE, traffic::bulk()));
}

#[divan::bench]
fn gzip(bencher: Bencher) {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&traffic::capture(SIZE, traffic::chat(50))).unwrap();
    read(bencher, encoder.finish().unwrap());
}

fn read(bencher: Bencher, bytes: Vec<u8>) {
    // Of a compressed capture the bytes behind the compression count.
    bencher
        .counter(BytesCount::new(SIZE))
        .with_inputs(|| Box::new(Cursor::new(bytes.clone())))
        .bench_local_values(|source| {
            let mut reader = Reader::from_read("made", 0, source).unwrap();
            let mut sum = 0;
            while let Some(item) = reader.next() {
                if let Item::Packet(packet) = item {
                    sum += packet.data.len();
                }
            }
            black_box(sum)
        });
}
