//! Ctrl-C while a capture comes through a pipe.

use super::exit::Status;
use std::sync::atomic::{AtomicBool, Ordering};

/// Lets the first Ctrl-C pass: whatever writes the capture gets it as well, ends, and the report is made of what came. The
/// second one ends the program at once.
pub(super) fn end_with_the_input() {
    static ASKED: AtomicBool = AtomicBool::new(false);
    // Where no handler can be set, Ctrl-C ends the program, as it would without one.
    let _ = ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(Status::Unreadable as i32);
        }
    });
}
