//! Peak memory of the same traffic at 1, 10 and 100 times the length. `cargo bench --bench memory`
//!
//! It follows the flows that are open, and what is kept of those that ended until its bounds are reached.

#[path = "support/shapes.rs"]
mod shapes;
#[path = "support/traffic.rs"]
mod traffic;

use peak_alloc::PeakAlloc;
use traffic::{Endless, Step};
use wsanalyze::capture::{Merged, Reader};
use wsanalyze::connection::Connection;
use wsanalyze::pipeline::{self, Observer};
use wsanalyze::rules::Finding;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn main() {
    println!("peak MB at    {:>8} {:>8} {:>8}", "1", "10", "100");
    row("2,000 sessions that talk on", 20, || traffic::chat(2_000));
    row("50 sessions that come and go", 20, shapes::w1);
    row("one short session after another", 4, shapes::w4);
    row("a flood of SYNs", 4, traffic::half_open);
    row("hostile", 10, shapes::w5);
}

/// Prints the peaks for `megabytes`, ten and a hundred times as many.
fn row(name: &str, megabytes: u64, shape: impl Fn() -> Step) {
    let peaks = [1, 10, 100].map(|times| peak((megabytes * times) << 20, shape()));
    println!("{name:<40} {}", peaks.map(|peak| format!("{peak:>8.1}")).join(" "));
}

struct Nobody;

impl Observer for Nobody {
    fn connection(&mut self, _: Box<Connection>, _: Vec<Finding>) {}
}

fn peak(bytes: u64, step: Step) -> f32 {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage_as_mb();
    let reader = Reader::from_read("made", 0, Box::new(Endless::new(bytes, step))).unwrap();
    pipeline::analyze(Merged::new(vec![reader]), &mut Nobody, &mut |_, _| {});
    MEMORY.peak_usage_as_mb() - before
}
