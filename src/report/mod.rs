//! What was found, for people and for programs: one file or folder a format. Reports compute nothing; they arrange facts.
//!
//! The table and JSON Lines are written as findings come. All other formats of a report ([`Document`]) are written at the end,
//! from one [`model`]: `convert` makes it of facts and findings, and `collect` gathers it. Text from the wire is made harmless
//! by [`escape`] before it goes anywhere.

mod causes;
mod collect;
pub mod compare;
pub mod connections;
mod convert;
mod csv;
pub mod escape;
mod github;
mod gitlab;
pub mod html;
mod indent;
pub mod json;
mod jsonl;
mod junit;
pub mod ladder;
pub mod manual;
mod markdown;
pub mod model;
pub mod page;
mod sarif;
mod table;
pub mod timeline;
pub mod times;

#[cfg(test)]
mod testing;

pub use collect::Collector;
pub use jsonl::JsonLines;
pub use page::{Glyphs, Page};
pub use table::{Detail, Follow, TableReport};

use crate::rules::Severity;
use std::io;

/// A format that shows a whole report at once. The table is laid out as findings come and shows causes only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Document {
    /// Everything, for programs.
    Json,
    /// For viewers of code analysis.
    Sarif,
    /// For CI servers, as tests; findings of that severity or a higher one are failures.
    Junit(Option<Severity>),
    /// Annotations of a GitHub workflow.
    Github,
    /// A code quality report of GitLab.
    Gitlab,
    /// For an incident document.
    Markdown,
    /// For a spreadsheet.
    Csv,
    /// Everything on one page, for a browser.
    Html,
}

impl Document {
    /// All of them.
    pub const ALL: &[Document] = &[
        Document::Json,
        Document::Sarif,
        Document::Junit(Some(Severity::Error)),
        Document::Github,
        Document::Gitlab,
        Document::Markdown,
        Document::Csv,
        Document::Html,
    ];

    /// Writes `report` in this format.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(self, report: &model::Report, mut out: &mut dyn io::Write) -> io::Result<()> {
        match self {
            Document::Json => json::write(report, &mut out),
            Document::Sarif => sarif::write(report, &mut out),
            Document::Junit(failing) => junit::write(report, failing, &mut out),
            Document::Github => github::write(report, &mut out),
            Document::Gitlab => gitlab::write(report, &mut out),
            Document::Markdown => markdown::write(report, &mut out),
            Document::Csv => csv::write(report, &mut out),
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
