//! The whole way from bytes to findings. Bytes of the capture a second. `cargo bench --bench pipeline`

#[path = "support/shapes.rs"]
mod shapes;
#[path = "support/traffic.rs"]
mod traffic;

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use std::io::Cursor;
use wsanalyze::capture::{Merged, Reader};
use wsanalyze::connection::Connection;
use wsanalyze::pipeline::{self, Observer};
use wsanalyze::rules::Finding;

#[global_allocator]
static MEMORY: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const SIZE: usize = 8 << 20;

#[divan::bench(args = shapes::ALL.map(|(name, _)| name))]
fn shape(bencher: Bencher, name: &str) {
    let bytes = traffic::capture(SIZE, shapes::named(name));
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

struct Count(usize);

impl Observer for Count {
    fn connection(&mut self, connection: Box<Connection>, findings: Vec<Finding>) {
        black_box(&connection);
        self.0 += findings.len();
    }
}
