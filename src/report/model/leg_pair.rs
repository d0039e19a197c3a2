//! Two connections around one gateway.

use schemars::JsonSchema;
use serde::Serialize;

/// Two legs of one session, around one gateway.
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct LegPair {
    /// Id of the connection from client to gateway.
    pub client_leg: usize,
    /// Id of the connection from gateway to upstream.
    pub upstream_leg: usize,
    /// Ids of other connections from the gateway for that request: attempts that failed before that one, and questions
    /// asked of a service that decides whether the upgrade may pass.
    pub attempts: Vec<usize>,
    /// The gateway's address, as the client knows it.
    pub gateway: String,
    /// `sec-websocket-key`, `masking-keys`, `trace-header`, `timing`, `proxy-protocol`, `sec-websocket-accept`,
    /// `forwarded-for` or `content`.
    #[schemars(extend("enum" = ["sec-websocket-key", "masking-keys", "trace-header", "timing", "proxy-protocol", "sec-websocket-accept", "forwarded-for", "content"]))]
    pub matched_by: &'static str,
    /// `certain`, `likely` or `possible`.
    #[schemars(extend("enum" = ["certain", "likely", "possible"]))]
    pub confidence: &'static str,
    /// `tunnel` where the gateway copies bytes, `terminating` where it speaks WebSocket itself, else null.
    #[schemars(extend("enum" = ["tunnel", "terminating", null]))]
    pub passage: Option<&'static str>,
    /// Seconds to add to times of the upstream leg to compare them with the client leg's.
    pub clock_offset: f64,
    /// How far off that may be.
    pub clock_uncertainty: f64,
    /// What is not the same on both legs.
    pub changes: Vec<Change>,
}

/// See [`LegPair::changes`].
#[derive(Clone, PartialEq, Serialize, JsonSchema, Debug)]
pub struct Change {
    /// A field in lower case, or `target`, `http-version`, `status`, `close`.
    pub field: &'static str,
    /// `request`, `response`, `client-close` or `server-close`.
    #[serde(rename = "where")]
    #[schemars(extend("enum" = ["request", "response", "client-close", "server-close"]))]
    pub place: &'static str,
    /// Its value on the client leg.
    pub client_leg: Option<String>,
    /// Its value on the upstream leg.
    pub upstream_leg: Option<String>,
}
