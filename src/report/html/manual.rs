//! The manual of a rule as blocks for a page.

use crate::report::manual::{Block, blocks};
use crate::rules::Rule;

/// A part of a manual.
pub(super) struct Section {
    pub(super) heading: &'static str,
    pub(super) parts: Vec<Part>,
}

/// What belongs into one element.
pub(super) enum Part {
    Paragraph(Vec<Span>),
    List { numbered: bool, items: Vec<Vec<Span>> },
    Code(String),
}

/// Words, or words as a machine reads them.
pub(super) enum Span {
    Words(String),
    Code(String),
}

/// The parts of a manual that help a reader of a report.
pub(super) fn sections(rule: &Rule) -> Vec<Section> {
    let parts = [
        ("What it means", "What it finds"),
        ("Why it matters", "Why it matters"),
        ("When you see it", "What causes it"),
        ("How to fix it", "How to fix"),
    ];
    let section = |(heading, name): (&'static str, &str)| {
        rule.section(name).map(|text| Section { heading, parts: collected(blocks(&text)) })
    };
    parts.into_iter().filter_map(section).collect()
}

/// Items and lines of code that follow each other belong together.
fn collected(blocks: Vec<Block>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for block in blocks {
        match (block, parts.last_mut()) {
            (Block::Blank, _) => {}
            (Block::Paragraph(words), _) => parts.push(Part::Paragraph(spans(&words))),
            (Block::Code(line), Some(Part::Code(code))) => {
                code.push('\n');
                code.push_str(&line);
            }
            (Block::Code(line), _) => parts.push(Part::Code(line)),
            (Block::Item { number, words, .. }, Some(Part::List { numbered, items }))
                if *numbered == number.is_some() =>
            {
                items.push(spans(&words));
            }
            (Block::Item { number, words, .. }, _) => {
                parts.push(Part::List { numbered: number.is_some(), items: vec![spans(&words)] });
            }
        }
    }
    parts
}

/// Words between backticks are code.
fn spans(words: &str) -> Vec<Span> {
    let pieces = words.split('`').enumerate().filter(|(_, piece)| !piece.is_empty());
    pieces
        .map(
            |(index, piece)| {
                if index % 2 == 1 { Span::Code(piece.to_owned()) } else { Span::Words(piece.to_owned()) }
            },
        )
        .collect()
}
