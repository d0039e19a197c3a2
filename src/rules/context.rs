//! What a rule may know beyond the one connection it judges.

use crate::gateway::Census;
use crate::legs::{Legs, Terminations, Unconnected};
use crate::rules::Selection;

/// The run around a connection.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// All connections, in brief.
    pub census: &'a Census,
    /// TCP connections that carried nothing, the last [`crate::limits::UNUSED`] of them.
    pub unused: &'a Unconnected<'a>,
    /// TLS connections without a key, the last [`crate::limits::TLS_TERMINATIONS`] of them that ended.
    pub terminations: &'a Terminations,
    /// The pair of which this connection is the client leg.
    pub legs: Option<Legs<'a>>,
    /// What the run asks of the rules.
    pub selection: &'a Selection,
}

#[cfg(test)]
impl Context<'_> {
    /// A run of which nothing else is known.
    pub(crate) fn alone() -> Context<'static> {
        static ALONE: std::sync::LazyLock<Census> = std::sync::LazyLock::new(Census::default);
        static ALL: std::sync::LazyLock<Selection> = std::sync::LazyLock::new(Selection::default);
        static NONE: std::sync::LazyLock<Unconnected<'_>> = std::sync::LazyLock::new(Unconnected::default);
        static NO_TLS: std::sync::LazyLock<Terminations> = std::sync::LazyLock::new(Terminations::default);
        Context { census: &ALONE, unused: &NONE, terminations: &NO_TLS, legs: None, selection: &ALL }
    }
}
