//! The command line: `wsanalyze capture.pcap`.

fn main() {}
