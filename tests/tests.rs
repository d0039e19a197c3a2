//! The one test binary: what the program promises as a whole. Each stage has its own tests beside its code.

#[path = "../benches/support/traffic.rs"]
mod traffic;

mod support;

/// The code keeps to the design: layers, fences around crates, sizes of files, the list of rules.
mod house;

/// Every capture under `fixtures/` gives the report that is written down beside it.
mod fixtures;

/// The same traffic gives the same report, whatever it is wrapped in and however it arrives.
mod wrappings;

/// The number of threads changes nothing.
mod threads;

/// The JSON report has the shape that scripts rely on.
mod reports;

/// Every format tells the same facts, and none tells a secret.
mod formats;

/// What a stranger wrote is shown and never obeyed.
mod hostile;

/// The command line: what it accepts, prints and returns.
mod cli;

/// Compressed messages are read as far as was asked, and listed where that was asked for.
mod messages;

/// Options come from the command line, the environment and a file, in this order.
mod settings;

/// Recorded traffic is held to a policy, and what is known or ignored does not count.
mod policy;

/// What a change made better or worse is told by comparing two captures.
mod diff;

/// What comes through a pipe is told while it comes.
mod follow;

/// Every command that the documents show runs as it stands there.
mod documents;
/// Looks at captures that are no report, and the page for a browser.
mod views;

/// Memory stays bounded, whatever the length and the malice of the input.
mod bounds;

/// Damaged captures are read as far as they go.
mod regression;

/// What is cut, or changes while it is read, is read as far as it goes, and said in one line.
mod changing;

/// Packets that a capture lacks are nobody's fault.
mod lossy;

/// However TCP carried it, and whoever else is in the capture, a session is told as what it is.
mod carried;
