//! What a container's reader hands to the reader of the capture.

use super::packet::LinkType;
use crate::time::Timestamp;
use std::ops::Range;

/// The loaded item; its bytes are ranges of the window.
pub(super) enum Record {
    Packet {
        number: u64,
        at: Timestamp,
        link: LinkType,
        /// In eight bytes: in four, it is read together with `link`, which waits for the two stores.
        original_len: u64,
        fcs_len: u8,
        data: Range<usize>,
    },
    Secrets(Range<usize>),
}
