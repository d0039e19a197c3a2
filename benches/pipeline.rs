//! The whole way from bytes to findings. Bytes of the capture a second. `cargo bench --bench pipeline`

#[path = "support/traffic.rs"]
mod traffic;

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use std::io::Cursor;
use traffic::Step;
use wsanalyze::capture::{Merged, Reader};
use wsanalyze::connection::Connection;
use wsanalyze::pipeline::{self, Observer};
use wsanalyze::rules::Finding;

#[global_allocator]
static MEMORY: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const SIZE: usize = 32 << 20;

#[divan::bench]
fn chat(bencher: Bencher) {
    analyze(bencher, traffic::chat(50));
}

#[divan::bench]
fn bulk(bencher: Bencher) {
    analyze(bencher, traffic::bulk());
}

#[divan::bench]
fn storm(bencher: Bencher) {
    analyze(bencher, traffic::storm(1010));
}

#[divan::bench]
fn haystack(bencher: Bencher) {
    analyze(bencher, traffic::haystack());
}

struct Count(usize);

impl Observer for Count {
    fn connection(&mut self, connection: Connection, findings: Vec<Finding>) {
        black_box(&connection);
        self.0 += findings.len();
    }
}

fn analyze(bencher: Bencher, step: Step) {
    let bytes = traffic::capture(SIZE, step);
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .with_inputs(|| Box::new(Cursor::new(bytes.clone())))
        .bench_local_values(|source| {
            let input = Merged::new(vec![Reader::from_read("made", 0, source).unwrap()]);
            let mut count = Count(0);
            pipeline::analyze(input, &mut count, &mut |_, _| {});
            black_box(count.0)
        });
}
