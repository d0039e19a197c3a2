//! The capture itself: what it does not show.

pub(super) mod capture_encrypted;
pub(super) mod capture_lossy;
pub(super) mod capture_starts_midstream;
