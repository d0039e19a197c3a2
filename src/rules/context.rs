//! What a rule may know beyond the one connection it judges.

use crate::connection::Unused;
use crate::gateway::Census;
use crate::rules::Selection;

/// The run around a connection.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// All connections, in brief.
    pub census: &'a Census,
    /// TCP connections that carried nothing, the last [`crate::limits::UNUSED`] of them, in order of their endings.
    pub unused: &'a [Unused],
    /// What the run asks of the rules.
    pub selection: &'a Selection,
}

#[cfg(test)]
impl Context<'_> {
    /// A run of which nothing else is known.
    pub(super) fn alone() -> Context<'static> {
        static ALONE: std::sync::LazyLock<Census> = std::sync::LazyLock::new(Census::default);
        static ALL: std::sync::LazyLock<Selection> = std::sync::LazyLock::new(Selection::default);
        Context { census: &ALONE, unused: &[], selection: &ALL }
    }
}
