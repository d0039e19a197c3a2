//! What the rules found.

use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// What a rule found.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Finding {
    /// Its index in `findings`.
    pub id: usize,
    /// The rule's name.
    pub rule: &'static str,
    /// The rule's permanent code.
    pub code: &'static str,
    /// `error`, `warning` or `info`.
    #[schemars(extend("enum" = ["error", "warning", "info"]))]
    pub severity: &'static str,
    /// `certain`, `likely` or `possible`.
    #[schemars(extend("enum" = ["certain", "likely", "possible"]))]
    pub confidence: &'static str,
    /// Who spoke.
    #[schemars(extend("enum" = ["client", "server", "gateway", "network", "capture", null]))]
    pub origin: Option<&'static str>,
    /// Who must mend it.
    #[schemars(extend("enum" = ["client", "server", "gateway", "upstream", "network", "capture", "none", "unknown"]))]
    pub blame: &'static str,
    /// The connection it is about; null for the capture as a whole.
    pub connection: Option<usize>,
    /// Other connections that it concerns.
    pub related: Vec<usize>,
    /// Index of the capture.
    pub capture: u16,
    /// The packet that shows it best.
    pub packet: u64,
    /// That packet's time.
    pub time: Timestamp,
    /// The same for every connection with the same fault.
    pub title: String,
    /// This connection's own facts.
    pub message: String,
    /// Where to check it.
    pub evidence: Vec<Evidence>,
    /// What to do first.
    pub help: String,
    /// The same in another capture of the same fault.
    pub fingerprint: String,
    /// Shows the connection in Wireshark.
    pub display_filter: String,
    /// What followed from it: findings of other rules on the same connection that have no other cause.
    pub consequences: Vec<Consequence>,
    /// Why it does not count; absent where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<Suppression>,
}

/// See [`Finding::suppressed`].
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Suppression {
    /// `ignored` by the configuration, or `known` from the baseline.
    #[schemars(extend("enum" = ["ignored", "known"]))]
    pub kind: &'static str,
    /// The reason that was given for it.
    pub justification: String,
}

/// One thing to check in a packet.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Evidence {
    /// Index of the capture.
    pub capture: u16,
    /// Number of the packet.
    pub packet: u64,
    /// What is there.
    pub text: String,
}

/// See [`Finding::consequences`].
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Consequence {
    /// The rule's name.
    pub rule: &'static str,
    /// The rule's code.
    pub code: &'static str,
    /// As a finding's.
    pub title: String,
    /// The packet that shows it.
    pub packet: u64,
}
