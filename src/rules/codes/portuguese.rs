//! The words for codes in Brazilian Portuguese.

mod close;
mod pairs;
mod status;

pub(super) use pairs::PAIRS;

use super::{Code, Kind, Words};

/// The words for a code; a test holds that every code has them.
pub(super) fn words(code: &Code) -> Option<&'static Words> {
    let known = match code.kind {
        Kind::Close => close::CLOSES,
        Kind::Status => status::STATUSES,
    };
    let number = (*code.codes.start(), *code.codes.end());
    known.iter().find(|(codes, _)| *codes == number).map(|(_, words)| words)
}
