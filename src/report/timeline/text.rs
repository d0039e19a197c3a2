//! The time line on a page of text.

use super::{Column, End, Life, Timeline};
use crate::report::escape;
use crate::report::page::{Glyphs, HEADING, Page, QUIET, wrap};
use crate::report::times::Times;
use crate::time::Timestamp;
use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

/// The time line as lines, each as wide as the page at most. `begins` is when the first capture begins.
pub fn render(timeline: &Timeline, begins: Option<Timestamp>, page: Page, times: &Times) -> String {
    let Some((from, until)) = timeline.span() else { return String::from("no connections\n") };
    let mut text = headline(timeline, (from, until), begins, page, times);
    text.push('\n');
    match timeline.all() {
        Some(lives) => text.push_str(&lanes(&lives, (from, until), begins, page, times)),
        None => {
            text.push_str(&counts(timeline, (from, until), begins, page, times));
            text.push_str(&bursts(timeline, begins, page, times));
            text.push_str(&longest(timeline, begins, page, times));
        }
    }
    text
}

fn headline(
    timeline: &Timeline,
    (from, until): (Timestamp, Timestamp),
    begins: Option<Timestamp>,
    page: Page,
    times: &Times,
) -> String {
    let ends = End::ALL.into_iter().filter(|end| timeline.ended(*end) > 0);
    let ends: Vec<String> = ends.map(|end| format!("{} {}", timeline.ended(end), end.name())).collect();
    let connections = if timeline.total() == 1 { "connection" } else { "connections" };
    let line = format!(
        "{} {connections} over {} from {}: {}",
        timeline.total(),
        seconds(until.seconds_since(from)),
        times.brief(begins, from),
        ends.join(", ")
    );
    format!("{}\n", wrap(&line, page.prose(), ""))
}

/// One line a connection.
fn lanes(
    lives: &[&Life],
    span: (Timestamp, Timestamp),
    begins: Option<Timestamp>,
    page: Page,
    times: &Times,
) -> String {
    let names: Vec<String> = lives.iter().enumerate().map(|(id, life)| name(id, life, page)).collect();
    let note = lives.iter().map(|life| life.note.width()).max().unwrap_or(0).min(12);
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    let names_at_most = page.width().saturating_sub(note + 3 + LEAST).min(page.width() / 2);
    let label = widest.min(names_at_most);
    let columns = page.width().saturating_sub(label + 2 + note + 1).max(8);
    let mut text = String::new();
    let scale = scale(span, begins, columns, times);
    text.push_str(&page.paint(QUIET, format!("{:label$}  {scale}", "").trim_end()));
    text.push('\n');
    for (life, name) in lives.iter().zip(&names) {
        let name = fit(name, label);
        let padding = " ".repeat(label.saturating_sub(name.width()));
        let bar = bar(life, span, columns, page);
        let note = page.paint(style(life.end), &fit(&life.note, note));
        text.push_str(&format!("{name}{padding}  {bar} {note}"));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&page.paint(QUIET, &legend(page)));
    text.push('\n');
    text
}

fn name(id: usize, life: &Life, page: Page) -> String {
    let target = life.target.as_ref().map(|target| format!(" {}", escape::terminal_at_most(target, 60)));
    let depth = if life.role == "upstream-leg" { page_hook(page) } else { "" };
    format!("{id:>3} {depth}{} {} {}{}", life.client, page.arrow(), life.server, target.unwrap_or_default())
}

fn page_hook(page: Page) -> &'static str {
    match page.glyphs {
        Glyphs::Unicode => "└ ",
        Glyphs::Ascii => "` ",
    }
}

fn bar(life: &Life, (from, until): (Timestamp, Timestamp), columns: usize, page: Page) -> String {
    let span = until.nanos_since(from).max(1) as f64;
    let place = |at: Timestamp| {
        ((at.nanos_since(from).max(0) as f64 / span * columns as f64) as usize).min(columns - 1)
    };
    let (start, end) = (place(life.from), place(life.until));
    let (open, line, last) = match page.glyphs {
        Glyphs::Unicode => ("├", "─", unicode(life.end)),
        Glyphs::Ascii => ("|", "-", ascii(life.end)),
    };
    let mut drawn = " ".repeat(start);
    if end > start {
        drawn.push_str(open);
        drawn.push_str(&line.repeat(end - start - 1));
    }
    drawn.push_str(&page.paint(style(life.end), last));
    drawn.push_str(&" ".repeat(columns - 1 - end));
    drawn
}

const fn unicode(end: End) -> &'static str {
    match end {
        End::Closed => "●",
        End::Broken => "✕",
        End::Refused => "◌",
        End::Open => "▶",
    }
}

const fn ascii(end: End) -> &'static str {
    match end {
        End::Closed => "o",
        End::Broken => "x",
        End::Refused => "!",
        End::Open => ">",
    }
}

const fn style(end: End) -> Style {
    let color = match end {
        End::Closed => AnsiColor::Green,
        End::Broken => AnsiColor::Red,
        End::Refused => AnsiColor::Yellow,
        End::Open => AnsiColor::Cyan,
    };
    Style::new().fg_color(Some(anstyle::Color::Ansi(color)))
}

fn legend(page: Page) -> String {
    let mark = |end: End| match page.glyphs {
        Glyphs::Unicode => unicode(end),
        Glyphs::Ascii => ascii(end),
    };
    End::ALL.map(|end| format!("{} {}", mark(end), end.name())).join("  ")
}

/// One line a count, time from left to right.
fn counts(
    timeline: &Timeline,
    span: (Timestamp, Timestamp),
    begins: Option<Timestamp>,
    page: Page,
    times: &Times,
) -> String {
    const LABEL: usize = 10;
    let room = page.width().saturating_sub(LABEL + 2 + 2 + 14).clamp(8, 240);
    let columns = timeline.bins().columns(room);
    type Part = fn(&Column) -> u64;
    let series: [(&str, Part); 5] = [
        ("opened", |column| column.count.opened),
        ("closed", |column| column.count.closed),
        ("broken off", |column| column.count.broken),
        ("refused", |column| column.count.refused),
        ("open", |column| column.open),
    ];
    let scale = scale(span, begins, room, times);
    let mut text = page.paint(QUIET, format!("{:LABEL$}  {scale}", "").trim_end());
    text.push('\n');
    for (name, part) in series {
        let most = columns.iter().map(part).max().unwrap_or(0);
        if most == 0 {
            continue;
        }
        let spark: String = columns.iter().map(|column| level(part(column), most, page)).collect();
        let name = page.paint(HEADING, &format!("{name:LABEL$}"));
        text.push_str(&format!("{name}  {spark}  at most {most}"));
        text.push('\n');
    }
    text
}

fn level(n: u64, most: u64, page: Page) -> char {
    let levels: &[char] = match page.glyphs {
        Glyphs::Unicode => &[' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
        Glyphs::Ascii => &[' ', '.', ':', '-', '=', '+', '*', '#', '@'],
    };
    if n == 0 {
        return ' ';
    }
    let top = levels.len() - 1;
    let step = (n as f64 / most.max(1) as f64 * top as f64).ceil() as usize;
    levels[step.clamp(1, top)]
}

fn bursts(timeline: &Timeline, begins: Option<Timestamp>, page: Page, times: &Times) -> String {
    let mut text = String::new();
    let bins = timeline.bins();
    let opened = bins.bursts(|count| count.opened).into_iter().map(|burst| ("opened", burst));
    let ended = bins.bursts(|count| count.ended()).into_iter().map(|burst| ("ended", burst));
    let mut all: Vec<_> = opened.chain(ended).collect();
    all.sort_by_key(|(_, (_, at, _))| *at);
    if !all.is_empty() {
        text.push_str(&format!("\n{}\n", page.paint(HEADING, "Bursts")));
    }
    for (what, (n, at, long)) in all {
        let line = format!("{n} {what} within {} at {}", seconds(long), times.brief(begins, at));
        text.push_str(&wrap(&line, page.prose(), "  "));
        text.push('\n');
    }
    text
}

fn longest(timeline: &Timeline, begins: Option<Timestamp>, page: Page, times: &Times) -> String {
    let mut text = format!("\n{}\n", page.paint(HEADING, "The longest lives"));
    for life in timeline.longest(LONGEST) {
        let line = format!(
            "{} from {}: {} {} {}{} ({}, tcp.stream {})",
            seconds(life.until.seconds_since(life.from)),
            times.brief(begins, life.from),
            life.client,
            page.arrow(),
            life.server,
            life.target.as_ref().map(|t| format!(" {}", escape::terminal_at_most(t, 60))).unwrap_or_default(),
            life.note,
            life.stream
        );
        text.push_str(&wrap(&line, page.prose(), "  "));
        text.push('\n');
    }
    text
}

/// Two times at the ends of so many columns, or the first one where there is no room.
fn scale(
    (from, until): (Timestamp, Timestamp),
    begins: Option<Timestamp>,
    columns: usize,
    times: &Times,
) -> String {
    let (left, right) = (times.brief(begins, from), times.brief(begins, until));
    match columns.checked_sub(left.width() + right.width()) {
        Some(between @ 1..) => format!("{left}{}{right}", " ".repeat(between)),
        _ => fit(&left, columns),
    }
}

/// `0.006 s`, `12.5 s`, `3 min 20 s`, `2 h 5 min`.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.3} s"),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{} min {} s", s as u64 / 60, s as u64 % 60),
        s => format!("{} h {} min", s as u64 / 3600, s as u64 % 3600 / 60),
    }
}

fn fit(text: &str, room: usize) -> String {
    if text.width() <= room {
        text.to_owned()
    } else {
        escape::terminal_at_most(text, room.saturating_sub(1))
    }
}

/// Columns that bars have at the least, before names are cut.
const LEAST: usize = 24;

/// Long lives that are named.
const LONGEST: usize = 8;
