//! One chapter for each rule in the table: what it means, when one sees it, how to mend it, and the facts.

use super::grid::server_and_target;
use super::groups::{Example, Group};
use super::{Detail, Places};
use crate::report::page::{HEADING, Page, QUIET, severity, wrap};
use crate::report::{escape, manual};
use crate::rules::codes::wording::{Shown, wordings};
use crate::rules::{Blame, Confidence, Finding, RULES, Rule, Severity};
use std::collections::BTreeMap;
use std::collections::HashSet;
use std::net::IpAddr;

/// The chapters, in the order in which the rules first appear in the table.
pub(super) fn chapters(groups: &[Group], detail: Detail, places: Places<'_>, page: Page) -> Vec<String> {
    let mut told = HashSet::new();
    let rules = groups.iter().map(|group| group.rule).filter(|rule| told.insert(rule.code));
    rules
        .map(|rule| {
            let of_rule: Vec<&Group> = groups.iter().filter(|g| g.rule.code == rule.code).collect();
            chapter(&of_rule, detail, places, page)
        })
        .collect()
}

fn chapter(groups: &[&Group], detail: Detail, places: Places<'_>, page: Page) -> String {
    let Some(first) = groups.first() else { return String::new() };
    let rule = first.rule;
    let mut text = title(rule, first.severity, page);
    text.push_str(&match detail {
        Detail::Full => manual_of(rule, page),
        Detail::Brief => String::from("\n"),
    });
    for group in groups.iter().take(GROUPS) {
        text.push_str(&facts(group, places, page));
    }
    if let Some(more @ 1..) = groups.len().checked_sub(GROUPS) {
        text.push_str(&format!("  and {more} more of this rule in the table above\n\n"));
    }
    text.push_str(&more(rule, page));
    text
}

/// What it means, why it matters, when one sees it, how to mend it, and what programs show; then the heading of the facts.
fn manual_of(rule: &Rule, page: Page) -> String {
    let mut text = String::new();
    for (heading, section) in [
        ("What it means", "What it finds"),
        ("Why it matters", "Why it matters"),
        ("When you see it", "What causes it"),
        ("How to fix it", "How to fix"),
    ] {
        let Some(text_of_section) = rule.section(section) else { continue };
        text.push_str(&format!("\n{}\n", page.paint(HEADING, heading)));
        text.push_str(&manual::render(&text_of_section, page, 2));
    }
    let words: Vec<String> = Shown::of_rule(rule.name)
        .into_iter()
        .flat_map(|shown| wordings(shown, None))
        .map(|row| format!("- {}: {}", row.name, row.with(None)))
        .collect();
    if !words.is_empty() {
        text.push_str(&format!("\n{}\n", page.paint(HEADING, "What programs show")));
        text.push_str(&manual::render(&words.join("\n"), page, 2));
    }
    text.push_str(&format!("\n{}\n", page.paint(HEADING, "In this capture")));
    text
}

/// Where to begin, when the causes are told screens above the last line: what it is, and what to do first.
pub(super) fn start(groups: &[Group], places: Places<'_>, page: Page) -> Option<String> {
    let [gravest, others @ ..] = groups else { return None };
    let example = gravest.examples.first().filter(|_| !others.is_empty() && is_urgent(gravest))?;
    let before = others.iter().filter_map(|other| Some((other, cause(other, gravest, example)?)));
    let (first, example) =
        before.min_by_key(|(_, example)| example.seen.packet).unwrap_or((gravest, example));
    let [title, help] = [&first.title, &first.help].map(|text| escape::terminal_at_most(text, TEXT));
    let packet = places.packet(example.seen.packet);
    Some(wrap(&format!("{title} ({}, {packet}): {help}", first.rule.code), page.prose(), "start with: "))
}

/// Whether there is something to be done about it.
fn is_urgent(group: &Group) -> bool {
    group.suppressed.is_none() && group.severity > Severity::Info && !group.help.is_empty()
}

/// Where this surely was wrong before the example of the gravest finding, on the same connection, where that may follow
/// from it: what other rules explain, or what nobody can be blamed for, tells what happened and not why.
fn cause<'a>(group: &'a Group, gravest: &Group, example: &Example) -> Option<&'a Example> {
    let explained = RULES.iter().any(|rule| rule.explains.contains(&gravest.rule.name));
    let follows = gravest.blame == Blame::Unknown || (explained && gravest.blame == group.blame);
    let may_be = follows && group.confidence == Confidence::Certain && is_urgent(group);
    let at = |example: &Example| (example.capture, example.stream);
    let earlier = |one: &&Example| at(one) == at(example) && one.seen.packet < example.seen.packet;
    group.examples.iter().filter(|_| may_be).find(earlier)
}

/// A finding about the captures as a whole: its own facts, for its manual would say them again.
pub(super) fn of_captures(finding: &Finding, page: Page) -> String {
    let mut lines = Lines { page, text: title(finding.rule, finding.severity, page) };
    lines.text.push('\n');
    lines.add("  ", &escape::terminal_at_most(&finding.message, TEXT));
    lines.add("  first: ", &escape::terminal_at_most(&finding.help, TEXT));
    lines.text.push('\n');
    lines.text.push_str(&more(finding.rule, page));
    lines.text
}

/// `error WS-EX-012 close-1010-mandatory-extension ───`; on a narrow page the name stands below.
fn title(rule: &Rule, grave: Severity, page: Page) -> String {
    let name = format!("{} {}", rule.code, rule.name);
    if grave.name().len() + 1 + name.len() > page.prose() {
        let (severity, code) = (page.paint(severity(grave), grave.name()), page.paint(HEADING, rule.code));
        return format!("{severity} {code}\n{}\n", page.paint(HEADING, rule.name));
    }
    let line = page.rule().repeat(page.prose().saturating_sub(grave.name().len() + name.len() + 2));
    format!(
        "{} {} {}\n",
        page.paint(severity(grave), grave.name()),
        page.paint(HEADING, &name),
        page.paint(QUIET, &line)
    )
}

/// Where to read on.
fn more(rule: &Rule, page: Page) -> String {
    let reference = match rule.reference {
        "none" => format!("more: wsanalyze explain {}", rule.code),
        reference => format!("{reference}; more: wsanalyze explain {}", rule.code),
    };
    page.paint(QUIET, &wrap(&reference, page.prose(), "  "))
}

fn facts(group: &Group, places: Places<'_>, page: Page) -> String {
    let mut lines = Lines { page, text: String::new() };
    lines.add("  ", &escape::terminal_at_most(&group.title, TEXT));
    if let Some(suppressed) = &group.suppressed {
        let reason = escape::terminal_at_most(suppressed.reason(), TEXT);
        lines.add("    ", &format!("{}: {reason}", suppressed.name()));
    }
    if let Some((first, others)) = group.examples.split_first() {
        lines.add("    ", &place(first, places, page));
        lines.add("    ", &names(first, places));
        lines.add("    ", &escape::terminal_at_most(&first.message, TEXT));
        for evidence in first.evidence.iter().take(LINES) {
            let mark = format!("    {}  ", places.packet(evidence.packet));
            lines.add(&mark, &escape::terminal_at_most(&evidence.text, TEXT));
        }
        lines.more(
            "    ",
            first.evidence.len().saturating_sub(LINES),
            "line of evidence",
            "lines of evidence",
        );
        for consequence in first.consequences.iter().take(LINES) {
            let title = escape::terminal_at_most(&consequence.title, TEXT);
            let told = format!("{title} ({}, {})", consequence.code, places.packet(consequence.packet));
            lines.add(&format!("    {} ", page.hook()), &told);
        }
        lines.more("    ", first.consequences.len().saturating_sub(LINES), "consequence", "consequences");
        if !group.help.is_empty() {
            lines.add("    first: ", &escape::terminal_at_most(&group.help, TEXT));
        }
        for other in others {
            lines.add("    also: ", &place(other, places, page));
        }
        let shown = group.examples.len() as u64;
        lines.more(
            "    ",
            usize::try_from(group.count.saturating_sub(shown)).unwrap_or(usize::MAX),
            "like it",
            "like it",
        );
        for (capture, filter) in filters(&group.examples) {
            let name = places.capture_name(capture, 40).map(|name| format!(" ({name})")).unwrap_or_default();
            lines.add(&format!("    Wireshark{name}: "), &filter);
        }
    }
    lines.text.push('\n');
    lines.text
}

struct Lines {
    page: Page,
    text: String,
}

impl Lines {
    fn add(&mut self, first: &str, text: &str) {
        if !text.is_empty() {
            self.text.push_str(&wrap(text, self.page.prose(), first));
            self.text.push('\n');
        }
    }

    fn more(&mut self, first: &str, n: usize, one: &str, many: &str) {
        if n > 0 {
            self.add(first, &format!("and {n} more {}", if n == 1 { one } else { many }));
        }
    }
}

/// `10.0.0.5:51234 → 10.0.0.9:80 /chat (+12.345 s, packet 17)`; with a gateway, `client → gateway → upstream`.
fn place(example: &Example, places: Places<'_>, page: Page) -> String {
    let arrow = page.arrow();
    let gateway = example.upstream.map_or(String::new(), |_| format!("{} {arrow} ", example.server));
    format!(
        "{} {arrow} {gateway}{} ({}, {})",
        example.client,
        server_and_target(example, 300),
        places.when(example.seen),
        places.packet(example.seen.packet)
    )
}

/// `10.0.0.9 is edge.example`: what the captures call these hosts; empty where they name none of them.
fn names(example: &Example, places: Places<'_>) -> String {
    let hosts =
        [Some(example.client), Some(example.server), example.upstream.map(|upstream| upstream.server)];
    let mut addresses: Vec<IpAddr> = hosts.into_iter().flatten().map(|host| host.ip).collect();
    addresses.dedup();
    let named = addresses.into_iter().filter_map(|address| {
        let name = places.summary.captures.iter().find_map(|capture| capture.names.of(address))?;
        Some(format!("{address} is {}", escape::terminal_at_most(name, 100)))
    });
    named.collect::<Vec<_>>().join(", ")
}

/// For each capture, the filter that shows the examples in Wireshark.
fn filters(examples: &[Example]) -> BTreeMap<u16, String> {
    let mut streams: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
    let behind = |example: &Example| example.upstream.map(|upstream| upstream.stream);
    let own = examples.iter().flat_map(|e| std::iter::once((e.capture, e.stream)).chain(behind(e)));
    for (capture, stream) in own {
        let of_capture = streams.entry(capture).or_default();
        if !of_capture.contains(&stream) {
            of_capture.push(stream);
        }
    }
    let filter = |streams: Vec<u32>| {
        streams.iter().map(|stream| format!("tcp.stream eq {stream}")).collect::<Vec<_>>().join(" or ")
    };
    streams.into_iter().map(|(capture, streams)| (capture, filter(streams))).collect()
}

/// Bounds on what one example shows; more is counted.
const TEXT: usize = 1_000;

const LINES: usize = 8;

/// Groups of one rule that are told with their facts; all are in the table.
const GROUPS: usize = 10;
