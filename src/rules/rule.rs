//! What a rule is: its permanent code, its manual, and a pure check of facts.

use super::context::Context;
use super::cue::Cues;
use super::finding::{Finding, Severity};
use crate::connection::Connection;

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Permanent, never given to another rule: `WS-EX-012`.
    pub code: &'static str,
    /// In kebab case: `close-1010-mandatory-extension`.
    pub name: &'static str,
    /// The highest severity it gives; a finding may have a lower one.
    pub severity: Severity,
    /// What it is about.
    pub category: Category,
    /// Where the protocol says so.
    pub reference: &'static str,
    /// Names of rules whose findings on the same connection are consequences of this one's: they hang under it.
    pub explains: &'static [&'static str],
    /// The manual, in Markdown: What it finds · Why it matters · What causes it · How to fix · What it does not report.
    pub manual: &'static str,
    /// What must be there to be seen before it is worth asking.
    pub asked_on: Cues,
    /// The check.
    pub check: Check,
}

impl Rule {
    /// The text below a heading of the manual (`What it finds`), without the heading.
    pub fn section(&self, heading: &str) -> Option<String> {
        let mut lines = self.manual.lines().map(|line| line.strip_prefix(' ').unwrap_or(line));
        lines.find(|line| line.strip_prefix("# ") == Some(heading))?;
        let text: Vec<&str> = lines.take_while(|line| !line.starts_with("# ")).collect();
        Some(text.join("\n").trim().to_owned())
    }

    /// One sentence: the first of its manual.
    pub fn summary(&self) -> String {
        let text = self.section("What it finds").unwrap_or_default();
        let paragraph = text.split("\n\n").next().unwrap_or_default();
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        let end = line.find(". ").map_or(line.len(), |at| at + 1);
        line[..end].to_owned()
    }
}

/// What a rule is asked about.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// One connection at a time.
    Connection(fn(&Connection, &mut Vec<Finding>)),
    /// One connection, in view of the run around it.
    InContext(fn(&Connection, &Context<'_>, &mut Vec<Finding>)),
    /// The run as a whole, when all was read: [`super::expectation::Ledger`] tells it.
    Run,
}

impl Check {
    /// Adds what it has to say of one connection.
    pub(super) fn ask(self, connection: &Connection, context: &Context<'_>, found: &mut Vec<Finding>) {
        match self {
            Check::Connection(check) => check(connection, found),
            Check::InContext(check) => check(connection, context, found),
            Check::Run => {}
        }
    }
}

/// What a rule is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Category {
    /// The opening handshake.
    Handshake,
    /// Extensions.
    Extension,
    /// Subprotocols.
    Subprotocol,
    /// Frames.
    Frame,
    /// The closing handshake and the ending.
    Close,
    /// Gateways.
    Gateway,
    /// TCP.
    Transport,
    /// TLS.
    Tls,
    /// The capture itself.
    Capture,
    /// What the run's policy expects.
    Policy,
}

impl Category {
    /// In lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Category::Handshake => "handshake",
            Category::Extension => "extension",
            Category::Subprotocol => "subprotocol",
            Category::Frame => "frame",
            Category::Close => "close",
            Category::Gateway => "gateway",
            Category::Transport => "transport",
            Category::Tls => "tls",
            Category::Capture => "capture",
            Category::Policy => "policy",
        }
    }
}

/// Declares a rule; its doc comment is its manual, both for readers of the code and for `wsanalyze explain`.
macro_rules! rule {
    ($(#[doc = $doc:literal])* pub static $ident:ident = $code:literal $name:literal {
        severity: $severity:ident, category: $category:ident, reference: $reference:literal,
        explains: [$($explains:literal),* $(,)?], $(asked_on: [$($cue:ident),*],)? check: $check:expr $(,)?
    }) => {
        $(#[doc = $doc])*
        pub static $ident: $crate::rules::Rule = $crate::rules::Rule {
            code: $code,
            name: $name,
            severity: $crate::rules::Severity::$severity,
            category: $crate::rules::Category::$category,
            reference: $reference,
            explains: &[$($explains),*],
            manual: concat!($($doc, "\n"),*),
            asked_on: $crate::rules::rule::cues!($([$($cue),*])?),
            check: $check,
        };
    };
}

/// Those that are named, or none needed.
macro_rules! cues {
    () => { $crate::rules::Cues::ALWAYS };
    ([$($cue:ident),*]) => { $crate::rules::Cues::any(&[$($crate::rules::Cue::$cue),*]) };
}
pub(crate) use {cues, rule};
