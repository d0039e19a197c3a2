//! **wsanalyze** reads packet captures and tells who closed a WebSocket, why, and what to change.
//!
//! # The picture
//!
//! Bytes come in at the top, a report leaves at the bottom, and nothing flows back. A stage takes what the one above
//! it hands on and pushes its own results down; what it hands on is borrowed until a fact must be kept.
//!
//! ```text
//!  file, stdin, .gz ──▶ capture/     ──Packet──▶      records of pcap and pcapng, damage
//!                       net/         ──Segment──▶     link layer, tunnels, IP, fragments, TCP header, ICMP errors
//!                       tcp/         ──StreamEvent──▶ bytes of each direction in order, gaps, FIN, RST
//!                       tls/                          the same bytes opened, where a key is known
//!                       http/                         heads and bodies of HTTP/1.1, PROXY headers; frames and HPACK of HTTP/2
//!                       websocket/   ──FrameEvent──▶  frames, Close, the lists of the handshake
//!                       connection/  ──Connection──▶  every fact about one WebSocket connection; no opinion
//!                       legs/         ──LegPair──▶    the two connections around one gateway
//!                       gateway/      ──Verdict──▶    by what signs a gateway is known, and who ended a session
//!                       rules/       ──Finding──▶     one file a rule: pure functions from facts to findings
//!                       report/      ──text──▶        one file a format
//!                       cli/                          arguments, terminal, exit status
//! ```
//!
//! [`pipeline`] wires the stages and is the only file that knows all of them; [`limits`] holds every bound with its
//! reason. Nothing below `cli/` and `capture/` reads a file, a clock or an environment variable, and nothing that
//! stands in a capture makes the program panic. A test (`tests/house.rs`) holds the modules to this picture.
//!
//! Four kinds of trouble have four homes: [`error::Error`] where the run cannot go on, a [`rules::Finding`] where a
//! peer misbehaved, [`connection::Quality`] where the capture lacks something, and an assertion where we are wrong.
//!
//! # Using it as a library
//!
//! ```
//! use wsanalyze::capture::{Merged, open};
//! use wsanalyze::connection::Connection;
//! use wsanalyze::rules::Finding;
//! use wsanalyze::{Observer, analyze};
//!
//! /// Prints the code of each connection's first Close.
//! struct FirstCloses(Vec<Option<u16>>);
//!
//! impl Observer for FirstCloses {
//!     fn connection(&mut self, connection: Box<Connection>, _: Vec<Finding>) {
//!         self.0.extend(connection.closes.first().map(|close| close.code));
//!     }
//! }
//!
//! # fn main() -> Result<(), wsanalyze::error::Error> {
//! let capture = open("fixtures/captures/ext_1010_reason_list.pcapng", 0)?;
//! let mut closes = FirstCloses(Vec::new());
//! let summary = analyze(Merged::new(vec![capture]), &mut closes, &mut |_, _| {});
//! assert_eq!(summary.totals.websocket_connections, 1);
//! assert_eq!(closes.0, [Some(1010)]);
//! # Ok(())
//! # }
//! ```

pub mod capture;
pub mod cli;
pub mod confidence;
pub mod connection;
pub mod error;
pub mod extract;
pub mod gateway;
pub mod http;
pub mod legs;
pub mod limits;
pub mod net;
pub mod pipeline;
pub mod report;
pub mod role;
pub mod rules;
pub mod tcp;
pub mod time;
pub mod tls;

pub mod websocket;

pub use pipeline::{Observer, Summary, Totals, analyze};
