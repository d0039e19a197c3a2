//! The manual of a rule, on a page: the little of Markdown that manuals use.

use super::page::{Page, wrap};

/// `text` wrapped to the page under an indent: paragraphs, lists and code blocks. Text of our own only; what comes
/// from the wire has no place in a manual.
pub fn render(text: &str, page: Page, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let mut out = String::new();
    for block in blocks(text) {
        let rendered = match block {
            Block::Paragraph(words) => wrap(&words, page.prose(), &pad),
            Block::Item { depth, number, words } => {
                let mark = number.map_or_else(|| format!("{} ", page.bullet()), |n| format!("{n} "));
                wrap(&words, page.prose(), &format!("{pad}{}{mark}", "  ".repeat(depth)))
            }
            Block::Code(line) => format!("{pad}    {line}"),
            Block::Blank => String::new(),
        };
        out.push_str(rendered.trim_end());
        out.push('\n');
    }
    out
}

/// The sections of a manual: heading and text, in order. Text before the first heading has an empty heading.
pub fn sections(manual: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = Vec::new();
    let mut code = false;
    for line in manual.lines() {
        let line = line.strip_prefix(' ').unwrap_or(line);
        code ^= line.starts_with("```");
        match (line.strip_prefix('#'), sections.last_mut()) {
            (Some(heading), _) if !code => {
                sections.push((heading.trim_start_matches('#').trim().to_owned(), String::new()));
            }
            (_, Some((_, text))) => text.extend([line, "\n"]),
            (_, None) => sections.push((String::new(), format!("{line}\n"))),
        }
    }
    sections.iter_mut().for_each(|(_, text)| *text = text.trim().to_owned());
    sections.retain(|(heading, text)| !heading.is_empty() || !text.is_empty());
    sections
}

/// A piece of a manual.
pub(super) enum Block {
    Paragraph(String),
    Item { depth: usize, number: Option<String>, words: String },
    Code(String),
    Blank,
}

/// Lines that belong together joined; between two paragraphs one blank line, between the items of a list none.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut fenced = false;
    for line in text.trim().lines() {
        let trimmed = line.trim();
        if trimmed.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            blocks.push(Block::Code(line.to_owned()));
        } else if trimmed.is_empty() {
            blocks.push(Block::Blank);
        } else if let Some((number, words)) = item(trimmed) {
            let depth = (line.len() - line.trim_start().len()) / 2;
            blocks.push(Block::Item { depth, number, words: words.to_owned() });
        } else {
            match blocks.last_mut() {
                Some(Block::Paragraph(words) | Block::Item { words, .. }) => words.extend([" ", trimmed]),
                _ => blocks.push(Block::Paragraph(trimmed.to_owned())),
            }
        }
    }
    blocks
}

/// `- words`, `* words` or `1. words`.
fn item(line: &str) -> Option<(Option<String>, &str)> {
    if let Some(words) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
        return Some((None, words));
    }
    let (number, words) = line.split_once(". ")?;
    let is_number = !number.is_empty() && number.len() < 3 && number.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| (Some(format!("{number}.")), words))
}

#[cfg(test)]
mod tests {
    use super::super::Glyphs;
    use super::*;

    #[test]
    fn a_manual_falls_into_its_sections() {
        let manual =
            " # What it finds\n A Close.\n\n # How to fix\n Enable it.\n ```\n # not a heading\n ```\n";
        assert_eq!(
            sections(manual),
            [
                ("What it finds".to_owned(), "A Close.".to_owned()),
                ("How to fix".to_owned(), "Enable it.\n```\n# not a heading\n```".to_owned()),
            ]
        );
    }

    #[test]
    fn paragraphs_are_filled_lists_hang_and_code_stays() {
        let text = "one two\nthree four five six seven eight nine\n\n- first item that is\n  long enough to wrap\n1. \
                    second\n```\nproxy_http_version 1.1;\n```";
        let page = Page::new(40, false, Glyphs::Unicode);
        assert_eq!(
            render(text, page, 2),
            "  one two three four five six seven\n  eight nine\n\n  • first item that is long enough to\n    wrap\n  \
             1. second\n      proxy_http_version 1.1;\n"
        );
    }
}
