//! How the connections stood to the policy: a row for each demand.

use super::Places;
use super::ruled::ruled;
use crate::report::escape;
use crate::report::page::{Page, counted};
use crate::rules::expectation::Account;
use comfy_table::{Cell, Color, ColumnConstraint};

/// The table, and a line that counts.
pub(super) fn render(accounts: &[Account], places: Places<'_>, page: Page) -> String {
    let mut table = ruled(page, ["Policy", "Expected", "Found"]);
    for account in accounts {
        let (word, color) = match account.met() {
            Some(true) => ("met", Color::DarkGreen),
            Some(false) => ("not met", Color::DarkRed),
            None => ("not judged", Color::DarkYellow),
        };
        let name = escape::terminal_at_most(&account.name, CELL);
        let at = match account.place.as_str() {
            "*" => String::new(),
            place if place == account.name => String::new(),
            place => format!("\n{}", escape::terminal_at_most(place, CELL)),
        };
        table.add_row([
            Cell::new(format!("{word}\n{}", account.rule.code)).fg(color),
            Cell::new(format!("{name}: {}{at}", escape::terminal_at_most(&account.expected, CELL))),
            Cell::new(found(account, places, page)),
        ]);
    }
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n{}", lines.join("\n"), count(accounts))
}

fn found(account: &Account, places: Places<'_>, page: Page) -> String {
    let Some((standing, connected)) = &account.shown else {
        return String::from("no connection by which to judge it");
    };
    let mut lines = vec![escape::terminal_at_most(&standing.actual, CELL)];
    if let Some(connected) = connected {
        lines.push(format!("{} {} {}", connected.client, page.arrow(), connected.server));
    }
    let judged = counted(account.judged, "connection", "connections");
    let of = match account.unmet {
        _ if connected.is_none() => None,
        0 => Some(format!("first of {judged}")),
        unmet => Some(format!("{unmet} of {judged}")),
    };
    let packet = standing.seen.map(|seen| places.packet(seen.packet));
    lines.extend([packet.into_iter().chain(of).collect::<Vec<_>>().join(", ")]);
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// `2 of 3 demands met, 1 not met`.
fn count(accounts: &[Account]) -> String {
    let of = |met: Option<bool>| accounts.iter().filter(|account| account.met() == met).count();
    let demands = counted(accounts.len() as u64, "demand", "demands");
    let mut line = format!("{} of {demands} met", of(Some(true)));
    for (n, what) in [(of(Some(false)), "not met"), (of(None), "not judged")] {
        if n > 0 {
            line.push_str(&format!(", {n} {what}"));
        }
    }
    line
}

/// Longest text of a cell.
const CELL: usize = 300;
