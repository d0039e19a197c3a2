//! `--format html`: one page that holds everything it needs and asks nobody for anything. It is readable as it is; the
//! script adds filters and buttons that copy.

mod causes;
mod changes;
mod keys;
mod manual;
mod page;
mod places;
mod sessions;
mod svg;
#[cfg(test)]
mod tests;

use super::model::Report;
use askama::Template as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};
use std::io;

/// Writes `report` as a page.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report, out: &mut impl io::Write) -> io::Result<()> {
    page::Page::new(report).write_into(out)?;
    // The template leaves out the line break at its end.
    out.write_all(b"\n")
}

/// What the page may do: show its own style, run its own script, both known by their hashes (CSP 3 §2.3.1), and nothing
/// else.
fn policy() -> String {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
