//! Finding the next believable record behind damage.
//!
//! Every position is tried once, each with a bounded look ahead, so that the search is linear in the bytes passed
//! over; what is found depends on the bytes alone, never on how they arrived.

use super::window::Window;
use crate::limits::RESYNC_LOOKAHEAD;

/// What may be seen from a position.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// The bytes from the position on, at most [`RESYNC_LOOKAHEAD`].
    pub(super) bytes: &'a [u8],
    /// Whether the capture ends behind them.
    pub(super) last: bool,
}

/// What [`search`] passed over, and whether it found a record: then that is what the window begins with, otherwise
/// the window is empty.
pub(super) struct Skipped {
    pub(super) bytes: u64,
    pub(super) found: bool,
}

/// Passes over the record at the window's start, which is broken, up to the next position that `believable` accepts.
pub(super) fn search(window: &mut Window, believable: impl Fn(View) -> bool) -> Skipped {
    let from = window.offset();
    window.fill(1);
    window.consume(1);
    loop {
        let whole = !window.fill(RESYNC_LOOKAHEAD.saturating_mul(2));
        let bytes = window.bytes();
        // Not at the end: only positions from which the whole look ahead is here.
        let tried = if whole { bytes.len() } else { bytes.len().saturating_sub(RESYNC_LOOKAHEAD) };
        let found = (0..tried).find(|&at| {
            let rest = bytes.get(at..).unwrap_or_default();
            match rest.get(..RESYNC_LOOKAHEAD) {
                Some(ahead) if !whole || rest.len() > RESYNC_LOOKAHEAD => {
                    believable(View { bytes: ahead, last: false })
                }
                _ => believable(View { bytes: rest, last: true }),
            }
        });
        window.consume(found.unwrap_or(tried));
        if found.is_some() || whole {
            return Skipped { bytes: window.offset().saturating_sub(from), found: found.is_some() };
        }
    }
}
