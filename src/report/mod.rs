//! What was found, for people and for programs: one file a format. Reports compute nothing; they arrange facts.

mod convert;
pub mod escape;
mod json;
pub mod ladder;
pub mod markdown;
pub mod model;
pub mod page;
mod table;
pub mod times;

#[cfg(test)]
mod testing;

pub use json::{JsonReport, write_rules};
pub use page::{Glyphs, Page};
pub use table::TableReport;

/// What becomes of the values of query parameters, which often are tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Secrets {
    /// `?token=…`: names stay, values do not.
    Hidden,
    /// Printed as sent.
    Shown,
}
