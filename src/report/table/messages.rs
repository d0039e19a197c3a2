//! The messages of each connection one by one, where a list was asked for.

use super::Places;
use crate::capture::PacketId;
use crate::connection::{Connection, ListedMessages};
use crate::report::page::{HEADING, Page, QUIET, counted, wrap};
use crate::report::{Secrets, convert, escape};
use crate::role::Role;
use crate::time::Timestamp;
use crate::websocket::{Content, Entry};
use unicode_width::UnicodeWidthChar as _;

/// The messages of one connection.
#[derive(Debug)]
pub(super) struct Section {
    first: PacketId,
    stream: u32,
    client: String,
    server: String,
    target: Option<String>,
    filter: String,
    begins: Timestamp,
    listed: Box<ListedMessages>,
}

impl Section {
    /// What there is to list of a connection; it has no list any more then.
    pub(super) fn of(connection: &mut Connection, secrets: Secrets) -> Option<Section> {
        let listed = connection.messages.take().filter(|listed| !listed.entries.is_empty())?;
        let request = connection.request.as_ref();
        Some(Section {
            first: connection.first.packet,
            stream: connection.tcp.stream,
            client: connection.tcp.client.to_string(),
            server: connection.tcp.server.to_string(),
            target: request.map(|request| convert::target(&request.head.target, secrets)),
            filter: convert::display_filter(connection),
            begins: convert::session_begins(connection),
            listed,
        })
    }

    /// Where it stands among the others.
    pub(super) fn place(&self) -> (PacketId, u32) {
        (self.first, self.stream)
    }

    /// The heading and a line for each message.
    pub(super) fn render(&self, places: Places<'_>, page: Page) -> String {
        let ListedMessages { entries, left_out } = &*self.listed;
        let mut text = page.paint(HEADING, &wrap(&self.heading(places, page), page.prose(), ""));
        let count = counted(entries.len() as u64, "message", "messages");
        let after = match left_out {
            0 => String::new(),
            n => format!("; {n} more are left out, for only the last ones of each side are kept"),
        };
        text.push('\n');
        text.push_str(&page.paint(QUIET, &wrap(&format!("{count}{after}"), page.prose(), "  ")));
        text.push('\n');
        let rows: Vec<[String; COLUMNS.len()]> =
            entries.iter().map(|(from, entry)| cells(*from, entry, self.begins)).collect();
        let widths = widths(&rows);
        let fits = widths.iter().map(|width| width + 2).sum::<usize>() <= page.width();
        if fits {
            text.push_str(&page.paint(QUIET, &line(&COLUMNS.map(|(name, _)| name), &widths)));
            text.push('\n');
        }
        for (row, (_, entry)) in rows.iter().zip(entries) {
            if fits {
                text.push_str(&line(&row.each_ref().map(String::as_str), &widths));
            } else {
                text.push_str(&wrap(&sentence(row), page.prose(), "  "));
            }
            text.push('\n');
            if let Some(excerpt) = &entry.excerpt {
                text.push_str(&page.paint(QUIET, &quoted(excerpt, page)));
                text.push('\n');
            }
        }
        text
    }

    /// `messages of 10.0.0.5:51234 → 10.0.0.9:80 /chat (tcp.stream eq 5)`.
    fn heading(&self, places: Places<'_>, page: Page) -> String {
        let target = self.target.as_deref().map(|target| escape::terminal_at_most(target, TARGET));
        let target = target.map(|target| format!(" {target}")).unwrap_or_default();
        let capture = places.capture_name(self.first.capture(), TARGET);
        let capture = capture.map(|name| format!(" of {name}")).unwrap_or_default();
        format!(
            "messages of {} {} {}{target} ({}{capture})",
            self.client,
            page.arrow(),
            self.server,
            self.filter
        )
    }
}

/// Names of the columns, and what a narrow page says of each value.
const COLUMNS: [(&str, &str); 7] = [
    ("packet", "packet {}"),
    ("after", "{}"),
    ("from", "{}"),
    ("type", "{}"),
    ("frames", "frames {}"),
    ("payload", "payload {}"),
    ("inflated", "inflated {}"),
];

fn cells(from: Role, entry: &Entry, begins: Timestamp) -> [String; COLUMNS.len()] {
    [
        entry.seen.packet.number().to_string(),
        format!("{:+.3} s", entry.seen.at.seconds_since(begins)),
        from.name().to_owned(),
        String::from(match entry.text {
            Some(true) => "text",
            Some(false) => "binary",
            None => "unseen",
        }),
        entry.frames.to_string(),
        entry.bytes.to_string(),
        match entry.content {
            Content::Plain => String::from("-"),
            Content::Inflated(bytes) => bytes.to_string(),
            Content::Unread(why) => why.words().to_owned(),
        },
    ]
}

fn widths(rows: &[[String; COLUMNS.len()]]) -> [usize; COLUMNS.len()] {
    let mut widths = COLUMNS.map(|(name, _)| name.len());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    widths
}

/// Cells under each other, to the right but for those that are words.
fn line(cells: &[&str; COLUMNS.len()], widths: &[usize; COLUMNS.len()]) -> String {
    let mut text = String::new();
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        text.push_str("  ");
        let space = " ".repeat(width.saturating_sub(cell.len()));
        let (before, after) =
            if matches!(column, 2 | 3) { ("", space.as_str()) } else { (space.as_str(), "") };
        text.extend([before, cell, after]);
    }
    text
}

fn sentence(row: &[String; COLUMNS.len()]) -> String {
    let parts = row.iter().zip(COLUMNS).filter(|(cell, _)| *cell != "-");
    parts.map(|(cell, (_, says))| says.replace("{}", cell)).collect::<Vec<_>>().join(", ")
}

/// The beginning of a message on one line of its own.
fn quoted(excerpt: &[u8], page: Page) -> String {
    let shown = escape::terminal_bytes(escape::whole_characters(excerpt));
    let mut room = page.width().saturating_sub(INDENT.len());
    let fitting = shown.chars().take_while(|c| match room.checked_sub(c.width().unwrap_or(0)) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    });
    format!("{INDENT}{}", fitting.collect::<String>())
}

const INDENT: &str = "      ";

/// Longest request target in a heading.
const TARGET: usize = 100;
