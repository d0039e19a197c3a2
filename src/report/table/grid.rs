//! The table itself.

use super::Places;
use super::groups::{Example, Group};
use super::ruled::ruled;
use crate::report::escape;
use crate::report::page::{Page, color};
use crate::rules::Suppressed;
use anstyle::AnsiColor;
use comfy_table::{Cell, Color, ColumnConstraint};
use unicode_width::UnicodeWidthStr as _;

/// One row a group.
pub(super) fn render(groups: &[Group], places: Places<'_>, page: Page) -> String {
    let rows: Vec<Row> = groups.iter().filter_map(|group| Row::new(group, places, page)).collect();
    let layout = Layout::fitting(&rows, page);
    let mut table = ruled(page, layout.header(page));
    for row in &rows {
        table.add_row(layout.cells(row));
    }
    for (column, fixed) in table.column_iter_mut().zip(layout.fixed()) {
        if *fixed {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// How much stands side by side. The widest is taken in which no address has to be broken.
#[derive(Clone, Copy)]
enum Layout {
    /// Every fact in a column of its own.
    Six,
    /// Code under severity, packet under time, who under what.
    Four,
    /// Everything but severity and code in one column.
    Two,
}

struct Row {
    severity: Cell,
    severity_and_code: Cell,
    code: &'static str,
    client: String,
    server: String,
    when: String,
    packet: String,
    /// The capture, where there is more than one.
    capture: Option<String>,
    title: String,
    who: String,
    sure: &'static str,
}

impl Row {
    fn new(group: &Group, places: Places<'_>, page: Page) -> Option<Row> {
        let first = group.examples.first()?;
        let mut title = escape::terminal_at_most(&group.title, CELL_TEXT);
        if group.count > 1 {
            title.push_str(&format!(" {}{}", page.times(), group.count));
        }
        if group.servers.len() > 1 {
            title.push_str(&format!(" on {} servers", group.servers.len()));
        }
        let arrow = page.arrow();
        let severity = group.suppressed.as_ref().map_or(group.severity.name(), Suppressed::name);
        let grave = |text: String| {
            let fg = match color(group.severity) {
                AnsiColor::Red => Color::DarkRed,
                AnsiColor::Yellow => Color::DarkYellow,
                _ => Color::DarkCyan,
            };
            Cell::new(text).fg(fg)
        };
        Some(Row {
            severity: grave(String::from(severity)),
            severity_and_code: grave(format!("{severity}\n{}", group.rule.code)),
            code: group.rule.code,
            client: match first.upstream {
                Some(_) => format!("{} {arrow}\n{} {arrow}", first.client, first.server),
                None => format!("{} {arrow}", first.client),
            },
            server: server_and_target(first, CELL_TARGET),
            when: places.when(first.seen),
            packet: format!("packet {}", first.seen.packet.number()),
            capture: places.capture_name(first.seen.packet.capture(), CELL_CAPTURE),
            title,
            who: who(group, page),
            sure: group.confidence.name(),
        })
    }
}

impl Layout {
    /// Columns that the finding itself should have, at the least.
    const FINDING: [usize; 2] = [36, 30];

    fn fitting(rows: &[Row], page: Page) -> Layout {
        let widest = |part: fn(&Row) -> usize| rows.iter().map(part).max().unwrap_or(0);
        let clients = |r: &Row| r.client.lines().map(|line| line.width()).max().unwrap_or(0);
        let peers = rows.iter().map(|r| clients(r).max(r.server.width())).max().unwrap_or(0);
        let address = rows.iter().map(|r| clients(r).max(first_word(&r.server).width())).max().unwrap_or(0);
        let when = widest(|r| {
            let capture = r.capture.as_ref().map_or(0, |name| name.width());
            r.when.width().max(r.packet.width()).max(capture)
        });
        let who = widest(|r| r.who.width()).max(17);
        let left = |taken: usize, columns: usize| page.width().saturating_sub(taken + 2 * columns);
        if left(8 + 9 + peers + when + who, 6) >= Self::FINDING[0] {
            Layout::Six
        } else if left(9 + address + when, 4) >= Self::FINDING[1] {
            Layout::Four
        } else {
            Layout::Two
        }
    }

    fn header(self, page: Page) -> Vec<String> {
        let arrow = page.arrow();
        let who = format!("spoke {arrow} must mend");
        let connection = format!("Client {arrow}\nserver, target");
        let when = String::from("When\npacket");
        match self {
            Layout::Six => {
                let (severity, rule) = (String::from("Severity"), String::from("Rule"));
                let who = format!("Spoke {arrow} must mend\nhow sure");
                vec![severity, rule, connection, when, String::from("Finding"), who]
            }
            Layout::Four => {
                vec![String::from("Severity\nrule"), connection, when, format!("Finding\n{who}, how sure")]
            }
            Layout::Two => vec![String::from("Severity\nrule"), format!("Finding\n{who}, how sure")],
        }
    }

    fn cells(self, row: &Row) -> Vec<Cell> {
        let Row { client, server, when, packet, capture, title, who, sure, .. } = row;
        let capture_after =
            |between: &str| capture.as_ref().map(|c| format!("{between}{c}")).unwrap_or_default();
        match self {
            Layout::Six => vec![
                row.severity.clone(),
                Cell::new(row.code),
                Cell::new(format!("{client}\n{server}")),
                Cell::new(format!("{when}\n{packet}{}", capture_after("\n"))),
                Cell::new(title),
                Cell::new(format!("{who}\n{sure}")),
            ],
            Layout::Four => vec![
                row.severity_and_code.clone(),
                Cell::new(format!("{client}\n{server}")),
                Cell::new(format!("{when}\n{packet}{}", capture_after("\n"))),
                Cell::new(format!("{title}\n{who}, {sure}")),
            ],
            Layout::Two => vec![
                row.severity_and_code.clone(),
                Cell::new(format!(
                    "{title}\n{client} {server}\n{when}, {packet}{}\n{who}, {sure}",
                    capture_after(" of ")
                )),
            ],
        }
    }

    /// Which columns must keep the width of their content.
    fn fixed(self) -> &'static [bool] {
        match self {
            Layout::Six => &[true, true, false, true, false, true],
            Layout::Four => &[true, false, true, false],
            Layout::Two => &[true, false],
        }
    }
}

/// `10.0.0.9:80 /chat`, the target cut to `limit` characters; of a session through a gateway, what stands behind it.
pub(super) fn server_and_target(example: &Example, limit: usize) -> String {
    let server = example.upstream.map_or(example.server, |upstream| upstream.server);
    match &example.target {
        Some(target) => format!("{server} {}", escape::terminal_at_most(target, limit)),
        None => server.to_string(),
    }
}

/// `client → server`: who spoke, and who must mend it.
fn who(group: &Group, page: Page) -> String {
    use crate::rules::Blame;
    let origin = group.origin.map_or("nobody", |origin| origin.name());
    let blame = match group.blame {
        Blame::Nobody => "nobody",
        blame => blame.name(),
    };
    format!("{origin} {} {blame}", page.arrow())
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or(text)
}

/// Longest title, request target and name of a capture that a cell shows; the chapter below shows more.
const CELL_TEXT: usize = 160;

const CELL_TARGET: usize = 60;

const CELL_CAPTURE: usize = 20;
