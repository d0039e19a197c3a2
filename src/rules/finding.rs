//! What a rule says of a connection.

use super::rule::Rule;
use crate::capture::{PacketId, Seen};

/// How grave a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Context.
    Info,
    /// Harmful or suspicious, works today.
    Warning,
    /// A MUST is broken, or the session failed.
    Error,
}

/// How sure a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Confidence {
    /// One weak sign.
    Possible,
    /// One strong sign or two independent ones.
    Likely,
    /// The bytes prove it.
    Certain,
}

/// Who spoke: sent the answer, the Close, the FIN or the RST.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    /// The client.
    Client,
    /// The peer that the client's TCP connection reached.
    Server,
    /// The same peer, where there is evidence that it relays.
    Gateway,
    /// Something between.
    Network,
    /// The capture itself.
    Capture,
}

/// Where the cause lies, so who must mend it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Blame {
    /// The client.
    Client,
    /// The server, as seen from the capture point.
    Server,
    /// The gateway.
    Gateway,
    /// What stands behind the gateway.
    Upstream,
    /// The network between.
    Network,
    /// The capture.
    Capture,
    /// Nobody: it is in order.
    Nobody,
    /// The capture cannot tell.
    Unknown,
}

/// One thing a colleague can check in Wireshark.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// Where.
    pub packet: PacketId,
    /// What is there. May hold text from the wire; reports escape it.
    pub text: String,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule that found it.
    pub rule: &'static Rule,
    /// At most the rule's.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// Who spoke.
    pub origin: Option<Origin>,
    /// Who must mend it.
    pub blame: Blame,
    /// The packet that shows it best.
    pub seen: Seen,
    /// A few words, lower case, no final stop, the same for every connection with the same fault.
    pub title: String,
    /// One or two sentences with this connection's own facts.
    pub message: String,
    /// Where to check it, in order of packets.
    pub evidence: Vec<Evidence>,
    /// One sentence: what to do first.
    pub help: String,
    /// Findings of other rules that are consequences of this one.
    pub consequences: Vec<Finding>,
}

impl Severity {
    /// In lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

impl Confidence {
    /// In lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Confidence::Possible => "possible",
            Confidence::Likely => "likely",
            Confidence::Certain => "certain",
        }
    }
}

impl Origin {
    /// In lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Origin::Client => "client",
            Origin::Server => "server",
            Origin::Gateway => "gateway",
            Origin::Network => "network",
            Origin::Capture => "capture",
        }
    }
}

impl Blame {
    /// In lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Blame::Client => "client",
            Blame::Server => "server",
            Blame::Gateway => "gateway",
            Blame::Upstream => "upstream",
            Blame::Network => "network",
            Blame::Capture => "capture",
            Blame::Nobody => "none",
            Blame::Unknown => "unknown",
        }
    }
}
