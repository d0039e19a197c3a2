//! What was found, for people and for programs: one file a format. Reports compute nothing; they arrange facts.

mod collect;
pub mod compare;
pub mod connections;
mod convert;
pub mod escape;
pub mod html;
pub mod json;
pub mod ladder;
pub mod manual;
pub mod model;
pub mod page;
mod table;
pub mod timeline;
pub mod times;

#[cfg(test)]
mod testing;

pub use collect::Collector;
pub use page::{Glyphs, Page};
pub use table::TableReport;

use std::io;

/// A format that shows a whole report at once. The table is laid out as findings come and shows causes only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Document {
    /// Everything, for programs.
    Json,
    /// Everything on one page, for a browser.
    Html,
}

impl Document {
    /// All of them.
    pub const ALL: &[Document] = &[Document::Json, Document::Html];

    /// Writes `report` in this format.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(self, report: &model::Report, mut out: &mut dyn io::Write) -> io::Result<()> {
        match self {
            Document::Json => json::write(report, &mut out),
            Document::Html => html::write(report, &mut out),
        }
    }
}

/// What becomes of the values of query parameters, which often are tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Secrets {
    /// `?token=…`: names stay, values do not.
    Hidden,
    /// Printed as sent.
    Shown,
}
