//! A bar on standard error for inputs that take their time; nothing for the others.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Shows how far reading has come. Dropping it takes the bar away.
pub(super) struct Progress {
    wanted: bool,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Shows nothing yet, and nothing ever unless `wanted`.
    pub(super) fn new(wanted: bool) -> Progress {
        Progress { wanted, started: Instant::now(), bar: None }
    }

    /// So many bytes were read, of so many where that is known.
    pub(super) fn tell(&mut self, read: u64, total: Option<u64>) {
        if !self.wanted || (self.bar.is_none() && self.started.elapsed() < PATIENCE) {
            return;
        }
        self.bar.get_or_insert_with(|| bar(total)).set_position(read);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A bar where the size is known, else a count of bytes.
fn bar(total: Option<u64>) -> ProgressBar {
    let template = match total {
        Some(_) => "reading {bar:40} {bytes} of {total_bytes}, {eta} left",
        None => "reading {spinner} {bytes}",
    };
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// What is faster than this needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_comes_only_where_it_is_wanted_and_after_a_while() {
        let mut unwanted = Progress::new(false);
        unwanted.started -= PATIENCE;
        unwanted.tell(5, Some(10));
        assert!(unwanted.bar.is_none());
        let mut quick = Progress::new(true);
        quick.tell(5, Some(10));
        assert!(quick.bar.is_none());
        quick.started -= PATIENCE;
        quick.tell(7, Some(10));
        let bar = quick.bar.as_ref().map(|bar| (bar.position(), bar.length()));
        assert_eq!(bar, Some((7, Some(10))));
    }

    #[test]
    fn both_templates_are_sound() {
        for total in [Some(10), None] {
            assert_eq!(bar(total).length(), total);
        }
    }
}
