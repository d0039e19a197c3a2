//! A bar on standard error for inputs that take their time; nothing for the others.

use crate::capture::Meter;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What is faster than this needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);
const BEAT: Duration = Duration::from_millis(100);

/// Watches the reading of all inputs from a thread of its own, so that reading need not know of it. Dropping it takes
/// the bar away.
pub(super) struct Progress {
    watch: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Starts to watch; draws only where `wanted`.
    pub(super) fn start(meters: Vec<Meter>, wanted: bool) -> Progress {
        let watch = wanted.then(|| {
            let (stop, stopped) = channel::<()>();
            let thread = thread::spawn(move || {
                let waits = |time| stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
                if !waits(PATIENCE) {
                    return;
                }
                let bar = bar(&meters);
                while {
                    bar.set_position(meters.iter().map(Meter::read).sum());
                    waits(BEAT)
                } {}
                bar.finish_and_clear();
            });
            (stop, thread)
        });
        Progress { watch }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.watch.take() {
            drop(stop);
            // A bar that failed is not worth a failed run.
            let _ = thread.join();
        }
    }
}

/// A bar where all sizes are known, else a count of bytes.
fn bar(meters: &[Meter]) -> ProgressBar {
    let total = meters.iter().map(Meter::total).sum::<Option<u64>>();
    let template = match total {
        Some(_) => "reading {bar:40} {bytes} of {total_bytes}, {eta} left",
        None => "reading {spinner} {bytes} in {elapsed}",
    };
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
