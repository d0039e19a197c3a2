//! Ladders and time lines as shapes with places; the templates write them down as SVG.

use crate::report::escape;
use crate::report::ladder::{Ladder, Row, Shape, text::packets};
use crate::report::model::Report;
use crate::report::page::wrap;
use crate::report::timeline::{End, Life, Timeline, text::seconds};
use crate::report::times::Times;
use crate::time::Timestamp;

/// A ladder as it is drawn.
pub(super) struct LadderPicture {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Where the lines of the parties begin and end.
    pub(super) top: usize,
    pub(super) bottom: usize,
    /// What a screen reader says.
    pub(super) title: String,
    pub(super) lanes: Vec<LanePicture>,
    pub(super) rows: Vec<RowPicture>,
}

pub(super) struct LanePicture {
    pub(super) x: usize,
    pub(super) anchor: &'static str,
    pub(super) name: &'static str,
    pub(super) addresses: Vec<Line>,
}

pub(super) struct RowPicture {
    /// `error`, `warning`, `info`, or nothing where no finding is about it; `silence` and `note` for what is no arrow.
    pub(super) class: &'static str,
    pub(super) time: String,
    pub(super) packets: String,
    /// The line on which time and label stand.
    pub(super) y: usize,
    /// Behind the row, where a finding is about it.
    pub(super) band: Option<(usize, usize)>,
    pub(super) lines: Vec<Line>,
    pub(super) arrow: Option<Arrow>,
    /// Codes of the findings about it.
    pub(super) codes: String,
    /// Who and whom, in words.
    pub(super) who: String,
    /// The whole label, and what belongs to it.
    pub(super) text: String,
    pub(super) details: Vec<(String, bool)>,
}

pub(super) struct Line {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) class: &'static str,
    pub(super) text: String,
}

pub(super) struct Arrow {
    pub(super) x1: usize,
    pub(super) x2: usize,
    pub(super) y: usize,
    /// The points of the heads.
    pub(super) heads: Vec<String>,
}

const WIDTH: usize = 860;
const LEFT: usize = 158;
const RIGHT: usize = 30;
/// Columns of a letter, for breaking lines: monospace, at 12 pixels.
const LETTER: f64 = 7.25;
const LINE: usize = 16;
const LABEL: usize = 300;
const DETAILS: usize = 16;

pub(super) fn ladder(ladder: &Ladder, report: &Report) -> LadderPicture {
    let gaps = ladder.lanes.len().saturating_sub(1).max(1);
    let width = WIDTH.max(LEFT + RIGHT + gaps * 300);
    let gap = (width - LEFT - RIGHT) / gaps;
    let x = |lane: usize| LEFT + lane * gap;
    let last = ladder.lanes.len().saturating_sub(1);
    let lanes: Vec<LanePicture> = ladder
        .lanes
        .iter()
        .enumerate()
        .map(|(index, lane)| LanePicture {
            x: x(index),
            anchor: if index == 0 {
                "start"
            } else if index == last {
                "end"
            } else {
                "middle"
            },
            name: lane.name,
            addresses: lane
                .addresses
                .iter()
                .enumerate()
                .map(|(n, address)| Line {
                    x: x(index),
                    y: 34 + 15 * n,
                    class: "address",
                    text: address.clone(),
                })
                .collect(),
        })
        .collect();
    let addresses = ladder.lanes.iter().map(|lane| lane.addresses.len()).max().unwrap_or(0);
    let top = 28 + 15 * addresses;
    let mut y = top + 22;
    let mut rows = Vec::with_capacity(ladder.rows.len());
    for row in &ladder.rows {
        let picture = row_picture(row, ladder, report, &x, gap, &mut y);
        rows.push(picture);
    }
    let names: Vec<&str> = ladder.lanes.iter().map(|lane| lane.name).collect();
    let title = format!("Ladder of a session between {}: {} events", names.join(", "), rows.len());
    LadderPicture { width, height: y + 6, top, bottom: y, title, lanes, rows }
}

fn row_picture(
    row: &Row,
    ladder: &Ladder,
    report: &Report,
    x: &dyn Fn(usize) -> usize,
    gap: usize,
    y: &mut usize,
) -> RowPicture {
    let found: Vec<_> = row.findings.iter().filter_map(|id| report.findings.get(*id)).collect();
    let worst = ["error", "warning", "info"].into_iter().find(|s| found.iter().any(|f| f.severity == *s));
    let (left, right) = match row.shape {
        Shape::Arrow { from, to } => (from.min(to), from.max(to)),
        Shape::Exchange { left, right } | Shape::Note { left, right } => (left, right),
        Shape::Silence => (0, ladder.lanes.len().saturating_sub(1)),
    };
    let columns = (((right - left) * gap - 24) as f64 / LETTER) as usize;
    let text = escape::terminal_at_most(&row.text, LABEL);
    let mut lines = Vec::new();
    let start = *y;
    let mut at = start;
    let mut add = |text: &str, first: &str, class: &'static str, at: &mut usize| {
        for line in wrap(text, columns.max(12), first).lines() {
            let indent = line.len() - line.trim_start().len();
            let x = x(left) + 12 + (indent as f64 * LETTER) as usize;
            lines.push(Line { x, y: *at, class, text: line.trim_start().to_owned() });
            *at += LINE;
        }
    };
    let label = if matches!(row.shape, Shape::Note { .. } | Shape::Silence) { "note" } else { "label" };
    add(&text, "", label, &mut at);
    let arrow_y = at - 8;
    let arrow = match row.shape {
        Shape::Arrow { from, to } => Some(arrow(x(from), x(to), arrow_y, false)),
        Shape::Exchange { left, right } => Some(arrow(x(left), x(right), arrow_y, true)),
        Shape::Note { .. } | Shape::Silence => None,
    };
    if arrow.is_some() {
        at += 10;
    }
    for detail in row.details.iter().take(DETAILS) {
        let text = escape::terminal_at_most(&detail.text, LABEL);
        let (mark, class) = if detail.changed { ("≠ ", "changed") } else { ("  ", "detail") };
        add(&text, mark, class, &mut at);
    }
    let end = at;
    *y = end + 10;
    let name = |lane: usize| ladder.lanes.get(lane).map_or("", |lane| lane.name);
    RowPicture {
        class: match (worst, row.shape) {
            (Some(worst), _) => worst,
            (None, Shape::Silence) => "silence",
            (None, Shape::Note { .. }) => "remark",
            (None, _) => "plain",
        },
        time: row.at.map_or(String::new(), |at| Times::Relative.show(ladder.begins, at)),
        packets: packets(&row.packets, report),
        y: start,
        band: (worst.is_some() || matches!(row.shape, Shape::Silence)).then(|| (start - 15, end - start + 8)),
        lines,
        arrow,
        codes: found.iter().map(|finding| finding.code).collect::<Vec<_>>().join(" "),
        who: match row.shape {
            Shape::Arrow { from, to } => format!("{} to {}", name(from), name(to)),
            Shape::Exchange { left, right } | Shape::Note { left, right } => {
                format!("{} and {}", name(left), name(right))
            }
            Shape::Silence => String::from("everybody"),
        },
        text,
        details: row
            .details
            .iter()
            .take(DETAILS)
            .map(|detail| (escape::terminal_at_most(&detail.text, LABEL), detail.changed))
            .collect(),
    }
}

fn arrow(from: usize, to: usize, y: usize, both: bool) -> Arrow {
    let (from, to) = (from as i64, to as i64);
    let towards = if to > from { 1 } else { -1 };
    let head = |tip: i64, towards: i64| {
        format!("{tip},{y} {},{} {},{}", tip - 8 * towards, y as i64 - 4, tip - 8 * towards, y as i64 + 4)
    };
    let mut heads = vec![head(to - towards, towards)];
    if both {
        heads.push(head(from + towards, -towards));
    }
    let inset = |x: i64| usize::try_from(x).unwrap_or(0);
    Arrow { x1: inset(from + if both { 6 * towards } else { 0 }), x2: inset(to - 6 * towards), y, heads }
}

/// All connections over time, as they are drawn.
pub(super) struct TimelinePicture {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) title: String,
    pub(super) scale: Vec<Tick>,
    pub(super) bottom: usize,
    pub(super) lives: Vec<LifePicture>,
    pub(super) series: Vec<Series>,
    /// Shown below: how many ended how.
    pub(super) ends: Vec<(&'static str, &'static str, u64)>,
    pub(super) notes: Vec<String>,
}

pub(super) struct Tick {
    pub(super) x: usize,
    pub(super) anchor: &'static str,
    pub(super) text: String,
}

pub(super) struct LifePicture {
    pub(super) y: usize,
    pub(super) x: usize,
    pub(super) width: usize,
    pub(super) end: usize,
    pub(super) class: &'static str,
    /// The mark at the end, as a path around (0, 0).
    pub(super) mark: &'static str,
    pub(super) name: String,
    pub(super) note: String,
    pub(super) note_x: usize,
    pub(super) note_anchor: &'static str,
    /// In full.
    pub(super) title: String,
}

pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    pub(super) y: usize,
    pub(super) most: u64,
    /// Of each column that is not empty: place, width, top and height.
    pub(super) bars: Vec<(usize, usize, usize, usize)>,
}

const NAMES: usize = 300;
const NOTES: usize = 70;

pub(super) fn timeline(timeline: &Timeline, begins: Option<Timestamp>) -> Option<TimelinePicture> {
    let (from, until) = timeline.span()?;
    let (left, right) = (NAMES, WIDTH - NOTES);
    let lives = timeline.all();
    let left = if lives.is_some() { left } else { 100 };
    let span = until.nanos_since(from).max(1) as f64;
    let x = |at: Timestamp| {
        left + (at.nanos_since(from).max(0) as f64 / span * (right - left) as f64).round() as usize
    };
    let scale: Vec<Tick> = (0..=4)
        .map(|quarter| {
            let at = Timestamp::from_nanos(
                from.as_nanos().saturating_add((span * f64::from(quarter) / 4.0) as i64),
            );
            Tick {
                x: x(at),
                anchor: match quarter {
                    0 => "start",
                    4 => "end",
                    _ => "middle",
                },
                text: Times::Relative.brief(begins, at),
            }
        })
        .collect();
    let top = 30;
    let (lives, series, bottom) = match lives {
        Some(lives) => {
            let drawn: Vec<LifePicture> = lives
                .iter()
                .enumerate()
                .map(|(id, life)| life_picture(id, life, top + 20 + id * 22, &x, right))
                .collect();
            let bottom = top + 12 + drawn.len() * 22;
            (drawn, Vec::new(), bottom)
        }
        None => {
            let series = series(timeline, left, right, top);
            let bottom = top + series.len() * 56;
            (Vec::new(), series, bottom)
        }
    };
    let ends = End::ALL.into_iter().map(|end| (end.name(), class(end), timeline.ended(end)));
    let ends: Vec<_> = ends.filter(|(_, _, n)| *n > 0).collect();
    let told: Vec<String> = ends.iter().map(|(name, _, n)| format!("{n} {name}")).collect();
    Some(TimelinePicture {
        width: WIDTH,
        height: bottom + 8,
        title: format!(
            "Time line of {} connections over {}: {}",
            timeline.total(),
            seconds(until.seconds_since(from)),
            told.join(", ")
        ),
        scale,
        bottom,
        lives,
        series,
        ends,
        notes: notes(timeline, begins),
    })
}

fn life_picture(
    id: usize,
    life: &Life,
    y: usize,
    x: &dyn Fn(Timestamp) -> usize,
    right: usize,
) -> LifePicture {
    let (begin, end) = (x(life.from), x(life.until));
    let target = life.target.as_ref().map(|target| format!(" {target}")).unwrap_or_default();
    let full = format!("{id}: {} → {}{target}", life.client, life.server);
    let short = format!("{id}  {} → {}", life.client, life.server);
    LifePicture {
        y,
        x: begin,
        width: end.saturating_sub(begin).max(1),
        end,
        class: class(life.end),
        mark: mark(life.end),
        name: escape::terminal_at_most(&short, 44),
        note: life.note.clone(),
        note_x: end + 10,
        note_anchor: if end > right + NOTES { "end" } else { "start" },
        title: format!(
            "{}, {}, {}: {}",
            escape::terminal_at_most(&full, 200),
            seconds(life.until.seconds_since(life.from)),
            life.end.name(),
            life.note
        ),
    }
}

/// A shape for each ending, so that colour is not needed to tell them apart.
const fn mark(end: End) -> &'static str {
    match end {
        End::Closed => "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0z",
        End::Broken => "M-5,-5L5,5M-5,5L5,-5",
        End::Refused => "M0,-6L6,5L-6,5z",
        End::Open => "M-4,-5L5,0L-4,5z",
    }
}

const fn class(end: End) -> &'static str {
    match end {
        End::Closed => "closed",
        End::Broken => "broken",
        End::Refused => "refused",
        End::Open => "open",
    }
}

fn series(timeline: &Timeline, left: usize, right: usize, top: usize) -> Vec<Series> {
    const COLUMNS: usize = 170;
    const HEIGHT: usize = 40;
    let columns = timeline.bins().columns(COLUMNS);
    type Part = fn(&crate::report::timeline::Column) -> u64;
    let parts: [(&str, &str, Part); 5] = [
        ("opened", "opened", |column| column.count.opened),
        ("closed", "closed", |column| column.count.closed),
        ("broken off", "broken", |column| column.count.broken),
        ("refused", "refused", |column| column.count.refused),
        ("open", "open", |column| column.open),
    ];
    let mut drawn: Vec<Series> = Vec::new();
    for (name, class, part) in parts {
        let most = columns.iter().map(part).max().unwrap_or(0);
        if most == 0 {
            continue;
        }
        let base = top + drawn.len() * 56 + 50;
        let place = |column: usize| left + column * (right - left) / COLUMNS;
        let bars =
            columns.iter().enumerate().filter(|(_, column)| part(column) > 0).map(|(index, column)| {
                let height =
                    ((part(column) as f64 / most as f64 * HEIGHT as f64).ceil() as usize).clamp(1, HEIGHT);
                (place(index), (place(index + 1) - place(index)).max(1), base - height, height)
            });
        drawn.push(Series { name, class, y: base, most, bars: bars.collect() });
    }
    drawn
}

fn notes(timeline: &Timeline, begins: Option<Timestamp>) -> Vec<String> {
    let mut notes = Vec::new();
    let bins = timeline.bins();
    for (what, bursts) in
        [("opened", bins.bursts(|count| count.opened)), ("ended", bins.bursts(|count| count.ended()))]
    {
        for (n, at, long) in bursts {
            let at = Times::Relative.brief(begins, at);
            notes.push(format!("burst: {n} {what} within {} at {at}", seconds(long)));
        }
    }
    if timeline.all().is_none() {
        for life in timeline.longest(3) {
            notes.push(format!(
                "long life: {} from {}, {} → {}",
                seconds(life.until.seconds_since(life.from)),
                Times::Relative.brief(begins, life.from),
                life.client,
                life.server
            ));
        }
    }
    notes
}
