//! What is concluded about who ended a session, or made its answer.
//!
//! A verdict is never bare: it names what speaks for it, and what speaks against it.

use crate::capture::Seen;
use crate::confidence::Confidence;

/// Who ended a session, or answered; and who must mend it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Who spoke.
    pub origin: Party,
    /// Where the cause lies.
    pub blame: Party,
    /// How sure it is.
    pub confidence: Confidence,
    /// What speaks for it, the strongest first.
    pub reasons: Vec<Reason>,
    /// The strongest thing that speaks against it.
    pub counter: Option<Reason>,
    /// What would settle it, where it is not certain.
    pub settle: Option<&'static str>,
}

/// A party to a session that goes through a gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Party {
    /// The client.
    Client,
    /// The gateway.
    Gateway,
    /// What stands behind the gateway.
    Upstream,
    /// The server's side, of which one leg shows no more.
    Server,
    /// The network between.
    Network,
    /// The capture does not show it.
    Unknown,
}

/// Something that speaks for or against a verdict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// The packet that shows it, where one does.
    pub seen: Option<Seen>,
    /// What it is, for people.
    pub text: String,
}

impl Party {
    /// In running text.
    pub const fn name(self) -> &'static str {
        match self {
            Party::Client => "client",
            Party::Gateway => "gateway",
            Party::Upstream => "upstream",
            Party::Server => "server",
            Party::Network => "network",
            Party::Unknown => "unknown",
        }
    }
}
