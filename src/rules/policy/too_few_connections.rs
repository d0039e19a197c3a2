use super::Standing;
use crate::rules::Check;
use crate::rules::rule::rule;

rule! {
    /// # What it finds
    /// Fewer WebSocket connections to a host and path than the policy asks for: one, where it names no number.
    ///
    /// # Why it matters
    /// A policy that finds nothing to judge proves nothing, and must not look like one that is met.
    ///
    /// # What causes it
    /// The capture was taken elsewhere, is too short, or is encrypted; the test that makes the traffic did not run; or
    /// the policy's pattern for host or path does not match.
    ///
    /// # How to fix
    /// Compare host and path with those of wsanalyze CAPTURE; where a place may be quiet, write min-connections = 0.
    ///
    /// # What it does not report
    /// Connections whose request is not in the capture: their host and path are not known.
    pub static RULE = "WS-PO-010" "too-few-connections" {
        severity: Error, category: Policy, reference: "the policy of the run",
        explains: [], check: Check::Run,
    }
}

/// How the number of connections stands to the smallest.
pub(in crate::rules) fn standing(count: u64, smallest: u64) -> Standing {
    Standing::counted(count >= smallest, count)
}

#[cfg(test)]
mod tests {
    #[test]
    fn as_many_as_asked_for_are_enough() {
        assert!(super::standing(2, 2).met && !super::standing(1, 2).met);
    }
}
