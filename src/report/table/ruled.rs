//! How every table of the page looks: lines between its rows, none between its columns.

use crate::report::page::{Glyphs, Page};
use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};

/// A table as wide as the page, with these words above its columns.
pub(super) fn ruled<T: ToString>(page: Page, header: impl IntoIterator<Item = T>) -> Table {
    let mut table = Table::new();
    table
        .force_no_tty()
        .load_style(match page.glyphs {
            Glyphs::Unicode => presets::UTF8_HORIZONTAL_ONLY,
            Glyphs::Ascii => presets::ASCII_HORIZONTAL_ONLY,
        })
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(page.width()).unwrap_or(u16::MAX))
        .set_header(header.into_iter().map(|text| Cell::new(text).add_attribute(Attribute::Bold)));
    if page.color {
        table.enforce_styling();
    }
    table
}
