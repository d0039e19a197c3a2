//! Every connection on a line of its own: `wsanalyze connections`.

use super::escape;
use super::model::{Connection, Finding, Frames, Report};
use super::page::{HEADING, Page, QUIET, color};
use super::timeline::{is_late, note, text::seconds};
use super::times::Times;
use crate::http::without_query;
use crate::rules::Severity;
use anstyle::Style;
use std::collections::HashMap;
use unicode_width::UnicodeWidthStr as _;

/// How the list is laid out.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Which columns there are.
    pub columns: Columns,
    /// What becomes of a line that is longer than the page.
    pub long: Long,
    /// By what connections are put together.
    pub group: Option<GroupBy>,
    /// The most that are shown, of each group where there are groups.
    pub limit: Option<usize>,
    /// How times are told.
    pub times: Times,
}

/// Which columns there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Columns {
    /// What fits most pages.
    Few,
    /// Everything that fits a line.
    All,
}

/// What becomes of a line that is longer than the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Long {
    /// Its longest cells are cut.
    Cut,
    /// It stays, and the terminal wraps it.
    Kept,
}

/// By what connections are put together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupBy {
    /// The gravest thing that was found of them.
    Cause,
    /// Server and path.
    Endpoint,
    /// The client's address, without its port.
    Client,
}

/// The list, a line for its columns before it and a sum after it.
pub fn render(report: &Report, page: Page, layout: &Layout) -> String {
    let columns = columns(layout.columns);
    let mut text = String::new();
    for (name, members) in groups(report, layout.group) {
        if let Some(name) = &name {
            let count = format!("{} ({})", escape::terminal_at_most(name, NAME), members.len());
            text.push_str(&page.paint(HEADING, &fit(&count, page.width(), layout.long)));
            text.push('\n');
        }
        let shown = layout.limit.unwrap_or(usize::MAX).min(members.len());
        table(&mut text, &members[..shown], report, page, layout, &columns);
        if let Some(more @ 1..) = members.len().checked_sub(shown) {
            text.push_str(&page.paint(QUIET, &format!("and {more} more")));
            text.push('\n');
        }
        if name.is_some() {
            text.push('\n');
        }
    }
    let total = report.connections.len();
    text.push_str(&format!("{total} {}\n", if total == 1 { "connection" } else { "connections" }));
    text
}

/// In order of first appearance; without groups, one of all.
fn groups(report: &Report, by: Option<GroupBy>) -> Vec<(Option<String>, Vec<&Connection>)> {
    let Some(by) = by else {
        let all: Vec<&Connection> = report.connections.iter().map(Box::as_ref).collect();
        return if all.is_empty() { Vec::new() } else { vec![(None, all)] };
    };
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<(Option<String>, Vec<&Connection>)> = Vec::new();
    for connection in &report.connections {
        let name = match by {
            GroupBy::Cause => cause(connection, report),
            GroupBy::Endpoint => endpoint(connection),
            GroupBy::Client => connection.client.ip.to_string(),
        };
        let place = *places.entry(name).or_insert_with_key(|name| {
            groups.push((Some(name.clone()), Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(connection);
    }
    groups
}

fn cause(connection: &Connection, report: &Report) -> String {
    worst(connection, report)
        .map_or(String::from("nothing found"), |finding| format!("{} {}", finding.code, finding.title))
}

fn endpoint(connection: &Connection) -> String {
    let target = connection.request.as_ref().map(|request| request.target.as_str());
    let path = target.map_or("", without_query);
    format!("{} {path}", connection.server).trim_end().to_owned()
}

struct Column {
    name: &'static str,
    cell: fn(&Connection, &Report, &Times) -> String,
    align: Align,
    /// How far it may be cut on a narrow page; `None` where it is never cut.
    least: Option<usize>,
    /// Left out first where even that does not help: the higher the earlier; 0 stays.
    rank: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

fn columns(which: Columns) -> Vec<Column> {
    use Align::{Left, Right};
    let column = |name, align, least, rank, cell| Column { name, cell, align, least, rank };
    let mut columns = vec![
        column("ID", Right, None, 0, |c, _, _| c.id.to_string()),
        column("STARTED", Right, None, 5, |c, report, times| {
            let begins = report.captures.get(usize::from(c.capture)).and_then(|c| c.first);
            times.brief(begins, c.started)
        }),
        column("CLIENT", Left, Some(13), 0, |c, _, _| c.client.to_string()),
        column("SERVER", Left, Some(13), 0, |c, _, _| c.server.to_string()),
        column("TARGET", Left, Some(6), 4, |c, _, _| {
            c.request.as_ref().map_or(String::new(), |r| escape::terminal_at_most(&r.target, CELL))
        }),
        column("OUTCOME", Left, None, 0, |c, _, _| c.outcome.to_owned()),
        column("END", Left, Some(4), 0, |c, _, _| codes(c)),
        column("BY", Left, None, 1, |c, _, _| {
            let by = c.closes.first().filter(|_| !is_late(c)).map(|close| close.from).or(c.end.by);
            by.unwrap_or_default().to_owned()
        }),
        column("LASTED", Right, None, 2, |c, _, _| lasted(c)),
        column("FRAMES", Right, None, 3, |c, _, _| {
            let both = c.frames.as_ref();
            both.map_or(String::new(), |both| format!("{}/{}", total(&both.client), total(&both.server)))
        }),
        column("FOUND", Left, None, 1, |c, report, _| found(c, report)),
    ];
    if which == Columns::All {
        columns.extend([
            column("ROLE", Left, None, 6, |c, _, _| c.role.to_owned()),
            column("CARRIER", Left, None, 7, |c, _, _| match &c.tls {
                Some(_) => format!("{}+tls", c.carrier),
                None => c.carrier.to_owned(),
            }),
            column("STREAM", Right, None, 7, |c, _, _| match c.stream_id {
                Some(id) => format!("{}:{id}", c.tcp_stream),
                None => c.tcp_stream.to_string(),
            }),
            column("PACKETS", Right, None, 8, |c, _, _| format!("{}-{}", c.first_packet, c.last_packet)),
            column("HOST", Left, Some(6), 8, |c, _, _| {
                let host = c.request.as_ref().and_then(|request| request.host.as_deref());
                let host = host.or_else(|| c.tls.as_ref()?.server_name.as_deref());
                escape::terminal_at_most(host.unwrap_or_default(), CELL)
            }),
            column("EXTENSIONS", Left, Some(10), 9, |c, _, _| {
                let agreed = c.response.as_ref().map(|response| super::ladder::listed(&response.extensions));
                escape::terminal_at_most(&agreed.unwrap_or_default(), CELL)
            }),
        ]);
    }
    columns
}

/// `1010` where both sides closed with it, `1010/1000` where they differ, `1010/-` where one only closed; or how it ended
/// without a Close.
fn codes(connection: &Connection) -> String {
    let mut sides: Vec<(&str, String)> = Vec::new();
    for close in &connection.closes {
        if !sides.iter().any(|(from, _)| *from == close.from) {
            sides.push((close.from, close.code.map_or(String::from("none"), |code| code.to_string())));
        }
    }
    match sides.as_slice() {
        [] => note(connection),
        [_] if is_late(connection) => note(connection),
        [(_, one)] => format!("{one}/-"),
        [(_, one), (_, other), ..] if one == other => one.clone(),
        [(_, one), (_, other), ..] => format!("{one}/{other}"),
    }
}

fn lasted(connection: &Connection) -> String {
    seconds(connection.ended.seconds_since(connection.started).max(0.0))
}

fn total(frames: &Frames) -> u64 {
    let Frames { text, binary, continuation, ping, pong, close, reserved, .. } = frames;
    [text, binary, continuation, ping, pong, close, reserved].iter().fold(0, |sum, n| sum.saturating_add(**n))
}

/// The code of the gravest finding, and how many there are beside it.
fn found(connection: &Connection, report: &Report) -> String {
    if let Some(first) = connection.same_as {
        return format!("same as {first}");
    }
    match (worst(connection, report), connection.findings.len()) {
        (None, _) => String::new(),
        (Some(finding), 1) => finding.code.to_owned(),
        (Some(finding), n) => format!("{} +{}", finding.code, n - 1),
    }
}

fn worst<'a>(connection: &Connection, report: &'a Report) -> Option<&'a Finding> {
    let found = connection.findings.iter().filter_map(|id| report.findings.get(*id));
    found.min_by_key(|finding| gravity(finding.severity))
}

fn gravity(severity: &str) -> u8 {
    match severity {
        "error" => 0,
        "warning" => 1,
        _ => 2,
    }
}

fn table(
    text: &mut String,
    members: &[&Connection],
    report: &Report,
    page: Page,
    layout: &Layout,
    columns: &[Column],
) {
    let cells: Vec<Vec<String>> = members
        .iter()
        .map(|c| columns.iter().map(|column| (column.cell)(c, report, &layout.times)).collect())
        .collect();
    let natural: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            cells.iter().map(|row| row[index].width()).max().unwrap_or(0).max(column.name.len())
        })
        .collect();
    let widths = match layout.long {
        Long::Kept => natural,
        Long::Cut => fitting(natural, columns, page.width()),
    };
    let line = |cells: &mut dyn Iterator<Item = &str>| -> String {
        let mut line = String::new();
        for ((cell, width), column) in cells.zip(&widths).zip(columns) {
            if *width == 0 {
                continue;
            }
            let cell = fit(cell, *width, Long::Cut);
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            let parts = if column.align == Align::Left { [cell, padding] } else { [padding, cell] };
            line.extend([parts[0].as_str(), parts[1].as_str(), "  "]);
        }
        line.trim_end().to_owned()
    };
    text.push_str(&page.paint(QUIET, &line(&mut columns.iter().map(|column| column.name))));
    text.push('\n');
    for (row, connection) in cells.iter().zip(members) {
        let drawn = line(&mut row.iter().map(String::as_str));
        text.push_str(&page.paint(style(connection, report), &drawn));
        text.push('\n');
    }
}

fn style(connection: &Connection, report: &Report) -> Style {
    match worst(connection, report).map(|finding| gravity(finding.severity)) {
        Some(0) => Style::new().fg_color(Some(color(Severity::Error).into())),
        Some(1) => Style::new().fg_color(Some(color(Severity::Warning).into())),
        _ => Style::new(),
    }
}

/// Widths that fit the page together: what can be cut is cut where most is to be had, then columns are left out. 0 is
/// left out.
fn fitting(mut widths: Vec<usize>, columns: &[Column], page: usize) -> Vec<usize> {
    let taken = |widths: &[usize]| {
        widths.iter().filter(|width| **width > 0).map(|width| width + 2).sum::<usize>().saturating_sub(2)
    };
    loop {
        let over = taken(&widths).saturating_sub(page);
        if over == 0 {
            return widths;
        }
        // Columns go first as long as what is left could not be cut enough.
        let spare: usize = widths
            .iter()
            .zip(columns)
            .filter(|(width, _)| **width > 0)
            .map(|(width, column)| column.least.map_or(0, |least| width.saturating_sub(least)))
            .sum();
        let rank = |index: usize| columns[index].rank;
        let last = (0..widths.len())
            .filter(|&index| widths[index] > 0 && rank(index) > 0)
            .max_by_key(|&index| rank(index));
        match last {
            Some(index) if spare < over || (rank(index) >= 5 && spare < 2 * over) => widths[index] = 0,
            // The last resort: every cell gives what it has.
            _ if spare == 0 => match (0..widths.len()).max_by_key(|&index| widths[index]) {
                Some(index) if widths[index] > 1 => widths[index] -= 1,
                _ => return widths,
            },
            _ => {
                let widest = (0..widths.len())
                    .filter(|&index| columns[index].least.is_some_and(|least| widths[index] > least))
                    .max_by_key(|&index| widths[index]);
                match widest {
                    Some(index) => widths[index] -= 1,
                    None => return widths,
                }
            }
        }
    }
}

fn fit(text: &str, room: usize, long: Long) -> String {
    if long == Long::Kept || text.width() <= room {
        return text.to_owned();
    }
    escape::terminal_at_most(text, room.saturating_sub(1))
}

/// Longest cell, and longest name of a group, in characters.
const CELL: usize = 120;
const NAME: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Glyphs;
    use crate::report::testing::{refused, report, well};

    fn layout() -> Layout {
        Layout { columns: Columns::Few, long: Long::Cut, group: None, limit: None, times: Times::Relative }
    }

    fn list(width: usize, layout: &Layout) -> String {
        let report = report(vec![refused(0), (well(), Vec::new()), refused(7)]);
        render(&report, Page::new(width, false, Glyphs::Ascii), layout)
    }

    #[test]
    fn every_connection_is_one_line_that_fits_the_page() {
        for width in [40, 60, 80, 120, 200] {
            for columns in [Columns::Few, Columns::All] {
                let text = list(width, &Layout { columns, ..layout() });
                assert_eq!(text.lines().count(), 5, "{text}");
                assert!(text.lines().all(|line| line.width() <= width), "{width}:\n{text}");
                assert!(text.contains("1010"), "{text}");
            }
        }
        assert!(list(120, &layout()).contains("WS-XX-001"));
    }

    #[test]
    fn what_is_not_to_be_cut_is_whole() {
        let text = list(40, &Layout { columns: Columns::All, long: Long::Kept, ..layout() });
        assert!(text.contains("10.0.0.5:51234") && text.contains("/chat?token="), "{text}");
    }

    #[test]
    fn groups_are_told_with_their_number_and_no_more_than_was_asked_for() {
        let text = list(80, &Layout { group: Some(GroupBy::Cause), limit: Some(1), ..layout() });
        assert!(text.contains("WS-XX-001 client closed with 1010 Mandatory Extension (2)"), "{text}");
        assert!(text.contains("nothing found (1)") && text.contains("and 1 more"), "{text}");
        let text = list(80, &Layout { group: Some(GroupBy::Client), ..layout() });
        assert!(text.contains("10.0.0.5 (3)"), "{text}");
        let text = list(80, &Layout { group: Some(GroupBy::Endpoint), ..layout() });
        assert!(text.contains("10.0.0.9:80 /chat (3)"), "{text}");
    }
}
