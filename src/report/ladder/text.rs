//! A ladder on a page of text.

use super::{DETAILS, LABEL, Ladder, Packet, Row, Shape};
use crate::report::escape;
use crate::report::model::Report;
use crate::report::page::{Glyphs, HEADING, Page, QUIET, wrap};
use crate::report::times::Times;
use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

/// The ladder as lines, each as wide as the page at most.
pub fn render(ladder: &Ladder, report: &Report, page: Page, times: &Times) -> String {
    let stamps: Vec<[String; 2]> =
        ladder.rows.iter().map(|row| [when(row, ladder, times), packets(&row.packets, report)]).collect();
    let widest = |n: usize| stamps.iter().map(|stamp| stamp[n].width()).max().unwrap_or(0);
    let (when, packet) = (widest(0), widest(1));
    let gutter = 2 + when + 2 + packet + 2;
    let gaps = ladder.lanes.len().saturating_sub(1).max(1);
    let gap = page.width().saturating_sub(gutter + 1) / gaps;
    if gap < NARROWEST {
        return list(ladder, report, page, &stamps);
    }
    let mut canvas =
        Canvas { page, gutter, gap: gap.min(WIDEST), lanes: ladder.lanes.len(), text: String::new() };
    canvas.lanes(ladder);
    for (row, [at, packets]) in ladder.rows.iter().zip(&stamps) {
        let stamp = format!("  {at:>when$}  {packets:>packet$}  ");
        canvas.row(row, &stamp, report);
    }
    canvas.text
}

/// Room between two lanes below which arrows are told in words, and above which they only grow longer.
const NARROWEST: usize = 26;
const WIDEST: usize = 56;

fn when(row: &Row, ladder: &Ladder, times: &Times) -> String {
    row.at.map_or(String::new(), |at| times.show(ladder.begins, at))
}

/// `4`, `4-9`; with several captures `2:4`, the capture first, counted from 1.
pub fn packets(packets: &[Packet], report: &Report) -> String {
    let name = |packet: &Packet| match report.captures.len() {
        0 | 1 => packet.number.to_string(),
        _ => format!("{}:{}", u32::from(packet.capture) + 1, packet.number),
    };
    match packets {
        [] => String::new(),
        [one] => name(one),
        [first, .., last] if first == last => name(first),
        [first, .., last] if first.capture == last.capture => format!("{}-{}", name(first), last.number),
        [first, .., last] => format!("{}-{}", name(first), name(last)),
    }
}

/// What such a list is called.
pub(super) fn noun(packets: &[Packet]) -> &'static str {
    if packets.len() == 1 { "packet" } else { "packets" }
}

struct Canvas {
    page: Page,
    gutter: usize,
    /// Columns from one lane to the next.
    gap: usize,
    lanes: usize,
    text: String,
}

impl Canvas {
    /// The parties' names and addresses over their lines.
    fn lanes(&mut self, ladder: &Ladder) {
        let lines = ladder.lanes.iter().map(|lane| lane.addresses.len()).max().unwrap_or(0);
        for line in 0..=lines {
            let mut drawn = " ".repeat(self.gutter);
            for (index, lane) in ladder.lanes.iter().enumerate() {
                let text = match line {
                    0 => lane.name,
                    _ => lane.addresses.get(line - 1).map_or("", String::as_str),
                };
                // The last one has no room on its right: it ends where its line is.
                let at = self.gutter + index * self.gap;
                let last = index + 1 == ladder.lanes.len();
                let room = if last { self.gap.saturating_sub(1) } else { self.gap.saturating_sub(2) };
                let text = fit(text, room);
                let at = if last { (at + 1).saturating_sub(text.width()) } else { at };
                if drawn.width() + 1 > at && !drawn.trim().is_empty() {
                    drawn.push(' ');
                }
                pad(&mut drawn, at);
                drawn.push_str(&text);
            }
            let style = if line == 0 { HEADING } else { QUIET };
            self.line(&drawn, style);
        }
    }

    fn row(&mut self, row: &Row, stamp: &str, report: &Report) {
        let mut style = Style::new();
        if let Some(finding) = row.findings.iter().filter_map(|id| report.findings.get(*id)).next() {
            let color = match finding.severity {
                "error" => AnsiColor::Red,
                "warning" => AnsiColor::Yellow,
                _ => AnsiColor::Cyan,
            };
            style = style.fg_color(Some(color.into()));
        }
        let mut text = escape::terminal_at_most(&row.text, LABEL);
        if self.page.glyphs == Glyphs::Ascii {
            text = text.replace('\u{21c4}', "<->");
        }
        text.push_str(&row.codes(report));
        let (left, right) = match row.shape {
            Shape::Arrow { from, to } => (from.min(to), from.max(to)),
            Shape::Exchange { left, right } | Shape::Note { left, right } => (left, right),
            Shape::Silence => (0, self.lanes.saturating_sub(1)),
        };
        let room = (self.gap * (right - left)).saturating_sub(1);
        let mut lines = self.label(row.shape, &text, room);
        for detail in row.details.iter().take(DETAILS) {
            let mark = if detail.changed { self.glyph("≠ ", "! ") } else { "  " };
            let text = escape::terminal_at_most(&detail.text, LABEL);
            let wrapped = wrap(&text, room, mark);
            lines.extend(wrapped.lines().map(str::to_owned));
        }
        for (index, line) in lines.iter().enumerate() {
            let start = if index == 0 { stamp.to_owned() } else { " ".repeat(self.gutter) };
            let drawn = self.between(start, left, right, line, room);
            self.line(&drawn, style);
        }
    }

    /// The line with the arrow and as much of the label as fits, and the rest below it.
    fn label(&self, shape: Shape, text: &str, room: usize) -> Vec<String> {
        let line = self.page.rule();
        let inner = room.saturating_sub(6);
        let wrapped = wrap(text, inner, "");
        let mut lines = wrapped.lines();
        let first = lines.next().unwrap_or_default();
        let fill = |n: usize| line.repeat(n);
        let rest = inner.saturating_sub(first.width());
        let head = match shape {
            Shape::Arrow { from, to } if from < to => {
                format!("{} {first} {}{}", fill(2), fill(rest + 1), self.glyph("▶", ">"))
            }
            Shape::Arrow { .. } => format!("{}{} {first} {}", self.glyph("◀", "<"), fill(1), fill(rest + 2)),
            Shape::Exchange { .. } => {
                let (left, right) = (self.glyph("◀", "<"), self.glyph("▶", ">"));
                format!("{left}{} {first} {}{right}", fill(1), fill(rest + 1))
            }
            Shape::Note { .. } | Shape::Silence => format!("   {first}"),
        };
        std::iter::once(head).chain(lines.map(|line| format!("   {line}"))).collect()
    }

    /// One line of text between two lanes; the other lanes go on.
    fn between(&self, mut drawn: String, left: usize, right: usize, text: &str, room: usize) -> String {
        let bar = self.glyph("│", "|");
        pad(&mut drawn, self.gutter);
        for lane in 0..self.lanes {
            if lane > left && lane < right {
                continue;
            }
            pad(&mut drawn, self.gutter + lane * self.gap);
            drawn.push_str(bar);
            if lane == left {
                drawn.push_str(text);
                pad(&mut drawn, self.gutter + left * self.gap + 1 + room);
            }
        }
        drawn
    }

    fn line(&mut self, drawn: &str, style: Style) {
        let drawn = drawn.trim_end();
        if style == Style::new() {
            self.text.push_str(drawn);
        } else {
            self.text.push_str(&self.page.paint(style, drawn));
        }
        self.text.push('\n');
    }

    fn glyph(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        match self.page.glyphs {
            Glyphs::Unicode => unicode,
            Glyphs::Ascii => ascii,
        }
    }
}

/// For pages too narrow to draw on: the same in words.
fn list(ladder: &Ladder, report: &Report, page: Page, stamps: &[[String; 2]]) -> String {
    let mut text = String::new();
    for lane in &ladder.lanes {
        text.push_str(&wrap(&format!("{}: {}", lane.name, lane.addresses.join(", ")), page.width(), ""));
        text.push('\n');
    }
    let name = |lane: usize| ladder.lanes.get(lane).map_or("", |lane| lane.name);
    for (row, [at, packets]) in ladder.rows.iter().zip(stamps) {
        let who = match row.shape {
            Shape::Arrow { from, to } => format!("{} {} {}", name(from), page.arrow(), name(to)),
            Shape::Exchange { left, right } | Shape::Note { left, right } => {
                format!("{} and {}", name(left), name(right))
            }
            Shape::Silence => String::from("everybody"),
        };
        let codes = row.codes(report);
        let packets = match row.packets.is_empty() {
            true => String::new(),
            false => format!(", {} {packets}", noun(&row.packets)),
        };
        text.push_str(&wrap(&format!("{at}{packets}: {who}"), page.width(), ""));
        text.push('\n');
        let what = escape::terminal_at_most(&row.text, LABEL);
        let what = if page.glyphs == Glyphs::Ascii { what.replace('\u{21c4}', "<->") } else { what };
        text.push_str(&wrap(&format!("{what}{codes}"), page.width(), "  "));
        text.push('\n');
        for detail in row.details.iter().take(DETAILS) {
            let mark = match (detail.changed, page.glyphs) {
                (false, _) => "    ",
                (true, Glyphs::Unicode) => "  ≠ ",
                (true, Glyphs::Ascii) => "  ! ",
            };
            text.push_str(&wrap(&escape::terminal_at_most(&detail.text, LABEL), page.width(), mark));
            text.push('\n');
        }
    }
    text
}

/// Spaces up to a column.
fn pad(line: &mut String, column: usize) {
    let width = line.width();
    line.extend(std::iter::repeat_n(' ', column.saturating_sub(width)));
}

fn fit(text: &str, room: usize) -> String {
    if text.width() <= room {
        text.to_owned()
    } else {
        escape::terminal_at_most(text, room.saturating_sub(1))
    }
}
