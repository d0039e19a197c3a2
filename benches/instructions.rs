//! Instructions, counted by callgrind: they do not depend on what else the machine does, so that a change of one
//! percent is seen. `cargo bench --bench instructions`; needs valgrind, and says so where it is missing.
//!
//! Each shape of traffic is written to a file; a process that only analyses it is counted. The change is told against
//! the run before, of which `target/instructions` keeps the counts.

#[path = "support/shapes.rs"]
mod shapes;
#[path = "support/traffic.rs"]
mod traffic;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};
use wsanalyze::capture::{Merged, open};
use wsanalyze::connection::Connection;
use wsanalyze::pipeline::{self, Observer};
use wsanalyze::rules::Finding;

/// What makes this program analyse the file of that name instead of counting.
const INNER: &str = "WSANALYZE_BENCH_CAPTURE";

const SIZE: usize = 4 << 20;

fn main() {
    if let Some(path) = env::var_os(INNER) {
        return analyze(Path::new(&path));
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let kept = folder.join("instructions");
    let before = read(&kept);
    let mut counts = BTreeMap::new();
    println!("{:<12} {:>14} {:>8}  since the last run", "", "instructions", "a byte");
    for (name, shape) in shapes::ALL {
        let path = folder.join("instructions.pcap");
        let bytes = traffic::capture(SIZE, shape());
        fs::write(&path, &bytes).unwrap();
        let Some(count) = count(&path) else {
            println!("valgrind is not installed: instructions are not counted");
            return;
        };
        let change = before.get(name).map_or(String::from("-"), |&before| {
            format!("{:+.2} %", (count as f64 / before as f64 - 1.0) * 100.0)
        });
        println!("{name:<12} {count:>14} {:>8.2}  {change}", count as f64 / bytes.len() as f64);
        counts.insert(name.to_owned(), count);
    }
    let lines: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}\n")).collect();
    fs::write(kept, lines.concat()).unwrap();
}

/// The instructions that the analysis of a file takes; `None` without valgrind.
fn count(capture: &Path) -> Option<u64> {
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().unwrap())
        .env(INNER, capture)
        .output();
    let output = match run {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        other => other.unwrap(),
    };
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let collected = told.lines().find_map(|line| line.split_once("Collected : "));
    Some(collected.unwrap_or_else(|| panic!("valgrind counted nothing: {told}")).1.trim().parse().unwrap())
}

fn read(path: &Path) -> BTreeMap<String, u64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let pair = |line: &str| {
        let (count, name) = line.split_once(' ')?;
        Some((name.to_owned(), count.parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

struct Nobody;

impl Observer for Nobody {
    fn connection(&mut self, _: Box<Connection>, _: Vec<Finding>) {}
}

fn analyze(path: &Path) {
    let capture = open(path.to_str().unwrap(), 0).unwrap();
    pipeline::analyze(Merged::new(vec![capture]), &mut Nobody, &mut |_, _| {});
}
