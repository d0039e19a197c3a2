//! A ladder as a Mermaid sequence diagram, which pages written in Markdown draw.

use super::text::{noun, packets};
use super::{Ladder, Row, Shape};
use crate::report::escape;
use crate::report::model::Report;
use crate::report::times::Times;

/// The diagram, without the fence that a page puts around it. Only what every version of Mermaid draws is in it.
pub fn render(ladder: &Ladder, report: &Report, times: &Times) -> String {
    let mut text = String::from("sequenceDiagram\n");
    for (index, lane) in ladder.lanes.iter().enumerate() {
        let name = std::iter::once(lane.name).chain(lane.addresses.iter().map(String::as_str));
        let name: Vec<String> = name.map(escaped).collect();
        text.push_str(&format!("    participant {} as {}\n", lane_name(index), name.join(BREAK)));
    }
    for row in &ladder.rows {
        let (between, over) = place(row.shape, ladder.lanes.len());
        let told = [escaped(&row.text), stamp(row, ladder, report, times), row.codes(report)].concat();
        text.push_str(&format!("    {between}: {told}\n"));
        let details = row
            .details
            .iter()
            .take(super::DETAILS)
            .map(|detail| format!("{}{}", if detail.changed { "≠ " } else { "" }, escaped(&detail.text)));
        let details: Vec<String> = details.collect();
        if !details.is_empty() {
            text.push_str(&format!("    {over}: {}\n", details.join(BREAK)));
        }
    }
    text
}

/// A line end inside a label.
const BREAK: &str = "<br/>";

/// What draws a row, and what draws a remark below it.
fn place(shape: Shape, lanes: usize) -> (String, String) {
    let over = |left, right| format!("Note over {},{}", lane_name(left), lane_name(right));
    match shape {
        Shape::Arrow { from, to } => {
            (format!("{}->>{}", lane_name(from), lane_name(to)), over(from.min(to), from.max(to)))
        }
        // Arrows with two heads are newer than what many pages draw with: a line says the same.
        Shape::Exchange { left, right } => {
            (format!("{}->{}", lane_name(left), lane_name(right)), over(left, right))
        }
        Shape::Note { left, right } => (over(left, right), over(left, right)),
        Shape::Silence => {
            let all = over(0, lanes.saturating_sub(1));
            (all.clone(), all)
        }
    }
}

fn lane_name(index: usize) -> String {
    format!("p{index}")
}

/// ` (+0.006 s, packet 4)`.
fn stamp(row: &Row, ladder: &Ladder, report: &Report, times: &Times) -> String {
    let at = row.at.map(|at| times.show(ladder.begins, at));
    let listed = format!("{} {}", noun(&row.packets), packets(&row.packets, report));
    let listed = Some(listed).filter(|_| !row.packets.is_empty());
    let known: Vec<String> = at.into_iter().chain(listed).collect();
    if known.is_empty() { String::new() } else { format!(" ({})", escaped(&known.join(", "))) }
}

/// Text of a label: what Mermaid or the page would take for its own is a character code, what controls or hides is shown as for
/// a terminal.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in escape::terminal_at_most(text, super::LABEL).chars() {
        match c {
            '#' | ';' | '<' | '>' | '&' | '%' | '$' | '`' | '\\' => {
                shown.push_str(&format!("#{};", u32::from(c)));
            }
            _ => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ladder::sessions;
    use crate::report::testing::report;
    use crate::role::Role::{Client, Server};
    use crate::rules::testing::Scene;

    fn drawn(scene: Scene) -> String {
        let report = report(vec![(scene.build(), Vec::new())]);
        render(&Ladder::new(&report, &sessions(&report)[0]), &report, &Times::Relative)
    }

    #[test]
    fn a_session_is_a_diagram_of_its_parties_and_what_they_sent() {
        let scene = Scene::session("permessage-deflate", "").messages(Client, 1).after(60.0);
        insta::assert_snapshot!(drawn(scene.close(Server, 1001, "bye")));
    }

    #[test]
    fn what_a_peer_sent_is_never_syntax() {
        let hostile = "%%{init: {}}%% ; end\n#35; <img src=x> `x` $$y$$ \u{1b}[2J";
        let drawn = drawn(Scene::session("", "").close(Client, 1000, hostile));
        let line = drawn.lines().find(|line| line.contains("1000")).unwrap();
        let label = line.split_once(": ").unwrap().1;
        for syntax in ["%", "<", ">", "`", "$", "\u{1b}"] {
            assert!(!label.contains(syntax), "{syntax} in {label}");
        }
        // Every # begins a character code, and every ; ends one.
        for code in label.split('#').skip(1) {
            let (number, _) = code.split_once(';').unwrap();
            assert!(number.parse::<u32>().is_ok(), "{label}");
        }
        assert_eq!(label.matches('#').count(), label.matches(';').count());
        assert!(
            drawn
                .lines()
                .skip(1)
                .all(|line| line.starts_with("    p") || line.starts_with("    Note over p"))
        );
    }
}
