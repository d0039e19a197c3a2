//! The command line: `wsanalyze capture.pcap`.

use std::process::ExitCode;

fn main() -> ExitCode {
    wsanalyze::cli::main(std::env::args_os()).into()
}
