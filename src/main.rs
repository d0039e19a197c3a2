//! The command line: `wsanalyze capture.pcap`.

use std::process::ExitCode;

/// Facts are many, small and kept for a while, and with several threads they are freed elsewhere than they were made.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wsanalyze::cli::main(std::env::args_os()).into()
}
