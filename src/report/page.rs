//! The page a report is written on: its width, whether it takes colour, and which glyphs it can show.

use crate::rules::Severity;
use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

/// What the reader's terminal can do. The command line finds out; a report only obeys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// Columns; never less than [`Page::NARROWEST`].
    width: usize,
    /// Whether to colour.
    pub color: bool,
    /// The glyphs for lines and arrows.
    pub glyphs: Glyphs,
}

/// See [`Page`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Glyphs {
    /// Box drawing and arrows.
    Unicode,
    /// For a locale that is not UTF-8.
    Ascii,
}

impl Page {
    /// Below this nothing readable can be laid out; a narrower terminal wraps by itself.
    pub const NARROWEST: usize = 40;

    const LONGEST_LINE: usize = 100;

    /// A page of `width` columns.
    pub fn new(width: usize, color: bool, glyphs: Glyphs) -> Page {
        Page { width: width.max(Self::NARROWEST), color, glyphs }
    }

    /// The same page with colour or without.
    pub fn colored(self, color: bool) -> Page {
        Page { color, ..self }
    }

    /// Columns.
    pub fn width(self) -> usize {
        self.width
    }

    /// Columns for running text: longer lines are hard to read.
    pub fn prose(self) -> usize {
        self.width.min(Self::LONGEST_LINE)
    }

    /// From one party to another.
    pub fn arrow(self) -> &'static str {
        self.glyph("→", "->")
    }

    /// Before a count.
    pub fn times(self) -> &'static str {
        self.glyph("×", "x")
    }

    /// Before what follows from something.
    pub fn hook(self) -> &'static str {
        self.glyph("└─", "`-")
    }

    /// A horizontal line.
    pub fn rule(self) -> &'static str {
        self.glyph("─", "-")
    }

    /// Before an item of a list.
    pub fn bullet(self) -> &'static str {
        self.glyph("•", "-")
    }

    /// `text` in a style, or bare where the page takes no colour.
    pub fn paint(self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn glyph(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        match self.glyphs {
            Glyphs::Unicode => unicode,
            Glyphs::Ascii => ascii,
        }
    }
}

/// For headings.
pub(crate) const HEADING: Style = Style::new().bold();
/// For what is there for reference only.
pub(crate) const QUIET: Style = Style::new().dimmed();

/// The colour of a severity.
pub(super) const fn color(severity: Severity) -> AnsiColor {
    match severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Info => AnsiColor::Cyan,
    }
}

/// A severity's style in running text.
pub(crate) fn severity(severity: Severity) -> Style {
    Style::new().bold().fg_color(Some(color(severity).into()))
}

/// `text` in lines of at most `width` columns, each after its indent: `first` for the first, spaces as wide for the
/// rest. Lines break at spaces; a word longer than a line is broken where it must.
pub fn wrap(text: &str, width: usize, first: &str) -> String {
    let indent = " ".repeat(first.width());
    let room = width.saturating_sub(first.width()).max(8);
    let mut out = String::from(first);
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut word = word;
        if used > 0 && used + 1 + word.width() > room {
            out.push('\n');
            out.push_str(&indent);
            used = 0;
        }
        if used > 0 {
            out.push(' ');
            used += 1;
        }
        while word.width() > room {
            let (head, tail) = word.split_at(fitting(word, room));
            out.push_str(head);
            out.push('\n');
            out.push_str(&indent);
            word = tail;
        }
        out.push_str(word);
        used += word.width();
    }
    out
}

/// `1 packet`, `2 packets`.
pub(super) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// How many bytes of `word` fit `room` columns; at least one character.
fn fitting(word: &str, room: usize) -> usize {
    let mut buffer = [0; 4];
    let mut used = 0;
    for (at, c) in word.char_indices() {
        used += c.encode_utf8(&mut buffer).width();
        if used > room && at > 0 {
            return at;
        }
    }
    word.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_break_at_spaces_and_hang_under_the_first() {
        assert_eq!(wrap("the server did not accept it", 16, "- "), "- the server did\n  not accept it");
        assert_eq!(wrap("", 20, "> "), "> ");
    }

    #[test]
    fn a_word_longer_than_the_line_is_broken_and_wide_characters_count_double() {
        assert_eq!(wrap("abcdefghijkl", 8, ""), "abcdefgh\nijkl");
        assert_eq!(wrap("東京東京東京", 8, ""), "東京東京\n東京");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_page(text in "[a-z東é ]{0,200}", width in 12usize..60) {
            let wrapped = wrap(&text, width, "  ");
            prop_assert!(wrapped.lines().all(|line| line.width() <= width));
            let letters = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&wrapped), letters(&text));
        }
    }
}
