//! `[[expect]]` of the configuration file: what it says, and what that asks of connections.

use crate::role::Role;
use crate::rules::UrlPattern;
use crate::rules::expectation::{Demand, Expectation, Range};
use crate::rules::selection::is_extension_name;
use crate::time::duration;
use serde::Deserialize;

/// One entry, as written.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Expect {
    name: Option<String>,
    host: Option<String>,
    path: Option<String>,
    #[serde(default)]
    require_extensions: Vec<String>,
    #[serde(default)]
    forbid_extensions: Vec<String>,
    /// One of them is enough.
    #[serde(default)]
    require_subprotocols: Vec<String>,
    #[serde(default)]
    forbid_subprotocols: Vec<String>,
    client_close_codes: Option<Vec<Codes>>,
    server_close_codes: Option<Vec<Codes>>,
    max_handshake: Option<String>,
    ping_interval: Option<Interval>,
    min_life: Option<String>,
    #[serde(default)]
    no_reserved_codes: bool,
    /// One, unless it says otherwise: what finds nothing to judge must not look well.
    min_connections: Option<u64>,
}

/// `1000`, `"4000-4999"`.
#[derive(Deserialize, Debug)]
#[serde(untagged, expecting = "expected a close code as 1000, or several as \"4000-4999\"")]
enum Codes {
    One(u16),
    Several(String),
}

/// `{ min = "10s", max = "60s" }`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Interval {
    min: Option<String>,
    max: String,
}

impl Expect {
    /// What it asks.
    ///
    /// # Errors
    /// Which value is none that its key can have.
    pub(super) fn meaning(self) -> Result<Expectation, String> {
        let place = UrlPattern::new(self.host.as_deref(), self.path.as_deref());
        let time = |key: &str, text: &str| {
            duration(text)
                .ok_or_else(|| format!("{key}: expected a length of time as 500ms or 30s, not {text:?}"))
        };
        for (key, names) in
            [("require-extensions", &self.require_extensions), ("forbid-extensions", &self.forbid_extensions)]
        {
            if let Some(name) = names.iter().find(|name| !is_extension_name(name)) {
                return Err(format!(
                    "{key}: {name:?} is not the name of an extension, such as permessage-deflate"
                ));
            }
        }
        let mut demands = vec![match self.min_connections.unwrap_or(1) {
            0 => None,
            count => Some(Demand::Connections(count)),
        }];
        demands.extend(self.require_extensions.into_iter().map(Demand::Extension).map(Some));
        demands.extend(self.forbid_extensions.into_iter().map(Demand::NoExtension).map(Some));
        if !self.require_subprotocols.is_empty() {
            demands.push(Some(Demand::Subprotocol(self.require_subprotocols)));
        }
        demands.extend(self.forbid_subprotocols.into_iter().map(Demand::NoSubprotocol).map(Some));
        for (key, side, allowed) in [
            ("client-close-codes", Role::Client, self.client_close_codes),
            ("server-close-codes", Role::Server, self.server_close_codes),
        ] {
            let Some(allowed) = allowed else { continue };
            let ranges = allowed.into_iter().map(Codes::range).collect::<Result<_, _>>();
            let allowed = ranges.map_err(|reason| format!("{key}: {reason}"))?;
            demands.push(Some(Demand::CloseCodes { side, allowed }));
        }
        if let Some(text) = self.max_handshake {
            demands.push(Some(Demand::Handshake { longest: time("max-handshake", &text)? }));
        }
        if let Some(interval) = self.ping_interval {
            let shortest = interval.min.map_or(Ok(0), |text| time("ping-interval", &text))?;
            let longest = time("ping-interval", &interval.max)?;
            if shortest > longest {
                return Err(String::from("ping-interval: min is longer than max"));
            }
            demands.push(Some(Demand::Pings { shortest, longest }));
        }
        if let Some(text) = self.min_life {
            demands.push(Some(Demand::Life { shortest: time("min-life", &text)? }));
        }
        demands.push(self.no_reserved_codes.then_some(Demand::NoReservedCodes));
        let demands: Vec<Demand> = demands.into_iter().flatten().collect();
        if demands.is_empty() {
            return Err(String::from("it expects nothing: add a demand, such as no-reserved-codes = true"));
        }
        Ok(Expectation { name: self.name.unwrap_or_else(|| place.to_string()), place, demands })
    }
}

impl Codes {
    fn range(self) -> Result<Range, String> {
        match self {
            Codes::One(code) => Ok(code..=code),
            Codes::Several(text) => {
                let ends = text.split_once('-').unwrap_or((&text, &text));
                match (ends.0.trim().parse(), ends.1.trim().parse()) {
                    (Ok(start), Ok(end)) if start <= end => Ok(start..=end),
                    _ => Err(format!("expected codes as \"4000-4999\", not {text:?}")),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demands(text: &str) -> Result<Vec<Demand>, String> {
        let entry: Expect = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        entry.meaning().map(|expectation| expectation.demands)
    }

    #[test]
    fn every_key_is_a_demand() {
        let text = "require-extensions = [\"permessage-deflate\"]\nforbid-extensions = [\"x-a\"]\n\
            require-subprotocols = [\"v1\", \"v2\"]\nforbid-subprotocols = [\"v0\"]\n\
            client-close-codes = [1000, \"4000-4999\"]\nserver-close-codes = []\nmax-handshake = \"500ms\"\n\
            ping-interval = { min = \"10s\", max = \"1min\" }\nmin-life = \"30s\"\nno-reserved-codes = true\n\
            min-connections = 3";
        let second = 1_000_000_000;
        assert_eq!(
            demands(text).unwrap(),
            [
                Demand::Connections(3),
                Demand::Extension(String::from("permessage-deflate")),
                Demand::NoExtension(String::from("x-a")),
                Demand::Subprotocol(vec![String::from("v1"), String::from("v2")]),
                Demand::NoSubprotocol(String::from("v0")),
                Demand::CloseCodes { side: Role::Client, allowed: vec![1000..=1000, 4000..=4999] },
                Demand::CloseCodes { side: Role::Server, allowed: vec![] },
                Demand::Handshake { longest: second / 2 },
                Demand::Pings { shortest: 10 * second, longest: 60 * second },
                Demand::Life { shortest: 30 * second },
                Demand::NoReservedCodes,
            ]
        );
    }

    #[test]
    fn one_connection_is_expected_unless_none_may_be_there() {
        assert_eq!(demands("host = \"example.org\""), Ok(vec![Demand::Connections(1)]));
        assert_eq!(
            demands("min-connections = 0\nno-reserved-codes = true"),
            Ok(vec![Demand::NoReservedCodes])
        );
        assert!(demands("min-connections = 0").unwrap_err().contains("expects nothing"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, says) in [
            ("max-handshake = \"soon\"", "max-handshake: expected a length of time"),
            ("client-close-codes = [\"4999-4000\"]", "client-close-codes: expected codes as"),
            ("client-close-codes = [70000]", "expected a close code as 1000"),
            ("ping-interval = { min = \"2s\", max = \"1s\" }", "min is longer than max"),
            (
                "require-extensions = [\"permessage deflate\"]",
                "require-extensions: \"permessage deflate\" is not",
            ),
            ("forbid-extensions = [\"x-a\", \"\"]", "forbid-extensions: \"\" is not the name"),
            ("min-conections = 1", "unknown field `min-conections`, expected one of `name`, `host`"),
        ] {
            let reason = demands(text).unwrap_err();
            assert!(reason.contains(says), "{text}: {reason}");
        }
    }
}
