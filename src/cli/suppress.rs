//! `[[suppress]]` of the configuration file: findings that do not count, for a reason and for a time.

use super::suggest::rules;
use crate::rules::UrlPattern;
use crate::rules::suppression::Ignored;
use serde::Deserialize;
use toml::value::Datetime;

/// One entry, as written.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Suppress {
    rule: String,
    host: Option<String>,
    path: Option<String>,
    reason: String,
    expires: Option<Datetime>,
}

/// An entry, understood.
#[derive(Clone, Debug)]
pub(super) struct Suppressing {
    pub(super) ignored: Ignored,
    /// The last day on which it counts: `2026-12-31`.
    expires: Option<String>,
    /// As it was written.
    rule: String,
}

impl Suppress {
    /// What it says.
    ///
    /// # Errors
    /// Which value is none that its key can have.
    pub(super) fn meaning(self) -> Result<Suppressing, String> {
        if self.reason.trim().is_empty() {
            return Err(String::from("reason: say why, for whoever reads it next"));
        }
        let expires = match self.expires {
            None => None,
            Some(Datetime { date: Some(date), time: None, .. }) => Some(date.to_string()),
            Some(other) => return Err(format!("expires: expected a day as 2026-12-31, not {other}")),
        };
        Ok(Suppressing {
            ignored: Ignored {
                rules: rules("rule", &self.rule)?,
                place: UrlPattern::new(self.host.as_deref(), self.path.as_deref()),
                reason: self.reason,
            },
            expires,
            rule: self.rule,
        })
    }
}

impl Suppressing {
    /// Whether it still counts on that day.
    ///
    /// # Errors
    /// That it does not, for people.
    pub(super) fn on(self, today: &str) -> Result<Ignored, String> {
        match self.expires {
            // Days in this form are in order as text.
            Some(day) if today > day.as_str() => Err(format!(
                "{} is no longer ignored: that expired on {day} (it was: {})",
                self.rule, self.ignored.reason
            )),
            _ => Ok(self.ignored),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Suppressing, String> {
        let entry: Suppress = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        entry.meaning()
    }

    #[test]
    fn it_counts_until_its_last_day_is_over() {
        let entry = read("rule = \"WS-EX-001\"\nreason = \"old client\"\nexpires = 2026-12-31").unwrap();
        assert!(entry.clone().on("2026-12-31").is_ok());
        assert!(entry.on("2027-01-01").unwrap_err().contains("expired on 2026-12-31 (it was: old client)"));
        let forever = read("rule = \"extension\"\nhost = \"a.org\"\nreason = \"x\"").unwrap();
        assert!(forever.on("9999-12-31").unwrap().rules.len() > 5);
    }

    #[test]
    fn a_reason_a_rule_and_a_day_are_what_they_are() {
        for (text, says) in [
            ("rule = \"WS-EX-001\"", "missing field `reason`"),
            ("rule = \"WS-EX-001\"\nreason = \" \"", "say why"),
            ("rule = \"WS-EX-O01\"\nreason = \"x\"", "did you mean WS-EX-001"),
            ("rule = \"WS-EX-001\"\nreason = \"x\"\nexpires = 10:00:00", "expected a day"),
            ("rule = \"WS-EX-001\"\nreason = \"x\"\nuntil = 2026-12-31", "unknown field `until`"),
        ] {
            let reason = read(text).unwrap_err();
            assert!(reason.contains(says), "{text}: {reason}");
        }
    }
}
