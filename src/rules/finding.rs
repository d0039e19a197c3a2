//! What a rule says of a connection.

use super::rule::{Category, Rule};
use super::suppression::Suppressed;
use crate::capture::{PacketId, Seen};
pub use crate::confidence::Confidence;
use crate::role::Role;
use std::borrow::Cow;

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
    /// At most the rule's, unless the run asked for another.
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
    pub title: Cow<'static, str>,
    /// One or two sentences with this connection's own facts.
    pub message: String,
    /// Where to check it, in order of packets.
    pub evidence: Vec<Evidence>,
    /// One sentence: what to do first.
    pub help: Cow<'static, str>,
    /// Findings of other rules that are consequences of this one.
    pub consequences: Vec<Finding>,
    /// Whether the other side went on in spite of it, so that it is no reason for a later end.
    pub borne: bool,
    /// Other connections that it concerns, by [`crate::connection::Connection::serial`].
    pub related: Vec<u64>,
    /// Why it does not count, where it does not.
    pub suppressed: Option<Suppressed>,
}

impl Finding {
    /// A finding with the rule's severity, certain, that says nothing yet of who spoke and who is to blame.
    pub(super) fn new(rule: &'static Rule, seen: Seen, title: impl Into<Cow<'static, str>>) -> Finding {
        Finding {
            rule,
            severity: rule.severity,
            confidence: Confidence::Certain,
            origin: None,
            blame: Blame::Unknown,
            seen,
            title: title.into(),
            message: String::new(),
            evidence: Vec::new(),
            help: Cow::default(),
            consequences: Vec::new(),
            borne: false,
            related: Vec::new(),
            suppressed: None,
        }
    }

    /// Whether another finding may follow from it.
    pub(super) fn explains(&self, below: &Finding) -> bool {
        let left = matches!(
            below.rule.name,
            "closed-without-close-frame" | "close-unanswered" | "client-aborts-after-101"
        );
        // Nobody refuses what it offered itself.
        let own = self.origin == below.origin
            && matches!(self.rule.category, Category::Extension | Category::Subprotocol);
        // One that nobody refused explains nothing; that somebody did is never certain.
        let harmless = self.rule.name == "list-element-empty" && self.confidence == Confidence::Certain;
        self.rule.explains.contains(&below.rule.name)
            && !harmless
            && !(left && (self.borne || own))
            && !self.is_of_the_other(below)
            && !self.is_too_late(below)
    }

    /// Whether a fault in the stream or in a Close came only after what the other side had done, or after a Close: that
    /// had another reason.
    fn is_too_late(&self, below: &Finding) -> bool {
        let framing = self.rule.category == Category::Frame
            || matches!(
                self.rule.name,
                "rsv1-without-extension"
                    | "rsv-bits-misused"
                    | "compressed-message-undecodable"
                    | "close-code-reserved-on-wire"
                    | "close-payload-malformed"
                    | "close-reply-differs"
            );
        let of_another = self.origin != below.origin || below.rule.category == Category::Close;
        framing && of_another && below.seen.packet < self.seen.packet
    }

    /// Whether pings of one side were in vain, and what the other one ended or waited for is told below.
    fn is_of_the_other(&self, below: &Finding) -> bool {
        self.rule.name == "ping-unanswered"
            && match below.rule.name {
                "close-unanswered" => {
                    !matches!(self.origin, Some(Origin::Network)) && self.origin != below.origin
                }
                "idle-timeout-close" => self.origin == below.origin,
                // Only a Close that speaks of pings has this title, too.
                "close-reports-peer-violation" | "close-going-away" => self.title != below.title,
                _ => false,
            }
    }

    /// At most this grave.
    pub(super) fn at_most(mut self, severity: Severity) -> Finding {
        self.severity = self.severity.min(severity);
        self
    }

    /// Graver than the rule's, because the run asked for what is missing.
    pub(super) fn raised(mut self, severity: Severity) -> Finding {
        self.severity = self.severity.max(severity);
        self
    }

    /// At most this sure.
    pub(super) fn confidence(mut self, confidence: Confidence) -> Finding {
        self.confidence = self.confidence.min(confidence);
        self
    }

    /// At most this sure where there is a doubt.
    pub(super) fn doubted<T>(self, doubt: &Option<T>, confidence: Confidence) -> Finding {
        if doubt.is_some() { self.confidence(confidence) } else { self }
    }

    /// Who spoke.
    pub(super) fn origin(mut self, origin: impl Into<Origin>) -> Finding {
        self.origin = Some(origin.into());
        self
    }

    /// Nobody is known to have spoken, and nobody to be to blame.
    pub(super) fn of_nobody(mut self) -> Finding {
        (self.origin, self.blame) = (None, Blame::Unknown);
        self
    }

    /// Who must mend it.
    pub(super) fn blame(mut self, blame: impl Into<Blame>) -> Finding {
        self.blame = blame.into();
        self
    }

    /// This connection's own facts.
    pub(super) fn message(mut self, message: impl Into<String>) -> Finding {
        self.message = message.into();
        self
    }

    /// Adds evidence.
    pub(super) fn shows(mut self, seen: Seen, text: impl Into<String>) -> Finding {
        self.evidence.push(Evidence { packet: seen.packet, text: text.into() });
        self
    }

    /// Adds evidence line by line.
    pub(super) fn shows_all(self, seen: Seen, texts: Vec<String>) -> Finding {
        texts.into_iter().fold(self, |finding, text| finding.shows(seen, text))
    }

    /// What to do first.
    pub(super) fn help(mut self, help: impl Into<Cow<'static, str>>) -> Finding {
        self.help = help.into();
        self
    }
}

impl From<Role> for Origin {
    fn from(role: Role) -> Origin {
        match role {
            Role::Client => Origin::Client,
            Role::Server => Origin::Server,
        }
    }
}

impl From<Role> for Blame {
    fn from(role: Role) -> Blame {
        match role {
            Role::Client => Blame::Client,
            Role::Server => Blame::Server,
        }
    }
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
