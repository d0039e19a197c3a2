//! Which connections a report is about: `--since`, `--until` and `--filter`.

use super::suggest::nearest;
use crate::connection::Connection;
use crate::rules::{Finding, RULES};
use crate::time::Timestamp;

/// All must hold of a connection that is reported.
#[derive(Clone, Default, Debug)]
pub(super) struct Scope {
    pub(super) since: Option<Moment>,
    pub(super) until: Option<Moment>,
    pub(super) filters: Vec<Filter>,
}

/// A time, as it can be typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Moment {
    /// RFC 3339.
    At(Timestamp),
    /// `+12.5`: nanoseconds after the first packet of all.
    After(i64),
}

/// `key=value`, or `!key=value` for what must not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Filter {
    negated: bool,
    test: Test,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Test {
    /// Address of either side, or the value of `Host`.
    Host(String),
    /// Port of either side.
    Port(u16),
    /// Pattern for the target without its query.
    Path(String),
    /// Code of any Close.
    Code(u16),
    /// Status of the answer.
    Status(u16),
    /// Code or name of a rule that found something.
    Rule(&'static str),
    /// Number of the TCP connection.
    Stream(u32),
    /// Who sent the first Close, or else ended the transport first.
    Side(&'static str),
}

const KEYS: [&str; 8] = ["host", "port", "path", "code", "status", "rule", "stream", "side"];

impl Scope {
    /// Whether a report is to tell of this connection, in a run whose first packet came at `begins`.
    pub(super) fn admits(
        &self,
        connection: &Connection,
        findings: &[Finding],
        begins: Option<Timestamp>,
    ) -> bool {
        let since = self.since.map(|moment| moment.in_run(begins));
        let until = self.until.map(|moment| moment.in_run(begins));
        since.is_none_or(|since| connection.last.at >= since)
            && until.is_none_or(|until| connection.first.at <= until)
            && self.filters.iter().all(|filter| filter.holds(connection, findings))
    }
}

impl Moment {
    /// Reads what was typed.
    ///
    /// # Errors
    /// What it should have been.
    pub(super) fn parse(text: &str) -> Result<Moment, String> {
        let read = match text.strip_prefix('+') {
            Some(seconds) => nanos(seconds).map(Moment::After),
            None => Timestamp::parse(text).map(Moment::At),
        };
        read.ok_or_else(|| {
            String::from(
                "expected a time as 2026-11-22T11:31:54Z, or seconds since the first packet as +12.5",
            )
        })
    }

    fn in_run(self, begins: Option<Timestamp>) -> Timestamp {
        match self {
            Moment::At(at) => at,
            Moment::After(nanos) => {
                Timestamp::from_nanos(begins.unwrap_or_default().as_nanos().saturating_add(nanos))
            }
        }
    }
}

/// Decimal seconds as nanoseconds, without rounding.
fn nanos(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<9}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction)
}

impl Filter {
    /// Reads what was typed.
    ///
    /// # Errors
    /// What is wrong with it, and what may have been meant.
    pub(super) fn parse(text: &str) -> Result<Filter, String> {
        let (negated, rest) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let Some((key, value)) = rest.split_once('=') else {
            return Err(format!("expected KEY=VALUE with one of the keys {}", KEYS.join(", ")));
        };
        let test = match key {
            "host" => Test::Host(value.trim_matches(['[', ']']).to_ascii_lowercase()),
            "port" => Test::Port(number(key, value)?),
            "path" => Test::Path(value.to_owned()),
            "code" => Test::Code(number(key, value)?),
            "status" => Test::Status(number(key, value)?),
            "rule" => Test::Rule(rule(value)?),
            "stream" => Test::Stream(number(key, value)?),
            "side" => match value {
                "client" => Test::Side("client"),
                "server" => Test::Side("server"),
                _ => return Err(format!("side is client or server, not {value}")),
            },
            _ => {
                let near = nearest(key, KEYS.into_iter());
                let hint = match near.first() {
                    Some(key) => format!("did you mean {key}?"),
                    None => format!("the keys are {}", KEYS.join(", ")),
                };
                return Err(format!("unknown key {key}: {hint}"));
            }
        };
        Ok(Filter { negated, test })
    }

    fn holds(&self, connection: &Connection, findings: &[Finding]) -> bool {
        self.test.holds(connection, findings) != self.negated
    }
}

fn number<N: std::str::FromStr>(key: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{key} is a number, not {value}"))
}

fn rule(value: &str) -> Result<&'static str, String> {
    let same = |name: &str| name.eq_ignore_ascii_case(value);
    match RULES.iter().find(|rule| same(rule.code) || same(rule.name)) {
        Some(rule) => Ok(rule.code),
        None => {
            let near = nearest(value, RULES.iter().flat_map(|rule| [rule.name, rule.code]));
            let hint = match near.as_slice() {
                [] => String::from("wsanalyze rules lists them"),
                names => format!("did you mean {}?", names.join(", ")),
            };
            Err(format!("no rule is called {value}; {hint}"))
        }
    }
}

impl Test {
    fn holds(&self, connection: &Connection, findings: &[Finding]) -> bool {
        let ends = [connection.tcp.client, connection.tcp.server];
        match self {
            Test::Host(host) => {
                let named = connection.request.as_ref().and_then(|request| request.head.head.text("host"));
                ends.iter().any(|end| end.ip.to_string() == *host)
                    || named.is_some_and(|named| {
                        let named = named.to_ascii_lowercase();
                        named == *host || named.split_once(':').is_some_and(|(name, _)| name == host)
                    })
            }
            Test::Port(port) => ends.iter().any(|end| end.port == *port),
            Test::Path(pattern) => connection
                .request
                .as_ref()
                .is_some_and(|request| glob(pattern.as_bytes(), request.head.path().as_bytes())),
            Test::Code(code) => connection.closes.iter().any(|close| close.code == Some(*code)),
            Test::Status(status) => {
                connection.response.as_ref().is_some_and(|response| response.head.status == *status)
            }
            Test::Rule(code) => findings.iter().any(|finding| {
                finding.rule.code == *code || finding.consequences.iter().any(|c| c.rule.code == *code)
            }),
            Test::Stream(stream) => connection.tcp.stream == *stream,
            Test::Side(side) => {
                let first = connection.closes.first().map(|close| close.from);
                first.or(connection.ending.by.map(|(role, _)| role)).is_some_and(|role| role.name() == *side)
            }
        }
    }
}

/// Whether `text` is as `pattern` says, in which `*` stands for any bytes and `?` for one. At most one star is tried
/// again, the last one, so that no pattern takes longer than its length times the text's.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role;
    use crate::rules::testing::Scene;

    fn chat() -> Connection {
        Scene::session("", "").close(Role::Server, 1001, "bye").close(Role::Client, 1001, "").build()
    }

    fn admits(filters: &[&str]) -> bool {
        let filters = filters.iter().map(|text| Filter::parse(text).unwrap()).collect();
        Scope { filters, ..Scope::default() }.admits(&chat(), &[], None)
    }

    #[test]
    fn each_key_looks_at_its_own_fact_and_can_be_negated() {
        let connection = chat();
        let facts = [
            (format!("host={}", connection.tcp.client.ip), "host=203.0.113.250"),
            (format!("port={}", connection.tcp.server.port), "port=1"),
            (format!("stream={}", connection.tcp.stream), "stream=4000000"),
            (String::from("path=/*"), "path=/nowhere/*/x"),
            (String::from("code=1001"), "code=1010"),
            (String::from("status=101"), "status=502"),
            (String::from("side=server"), "side=client"),
        ];
        for (holds, fails) in facts {
            assert!(admits(&[&holds]) && !admits(&[&format!("!{holds}")]), "{holds}");
            assert!(!admits(&[fails]) && admits(&[&format!("!{fails}")]), "{fails}");
            assert!(!admits(&[&holds, fails]));
        }
    }

    #[test]
    fn a_rule_is_known_by_code_and_name() {
        let rule = RULES[0];
        for text in [rule.code, rule.name, &rule.code.to_lowercase()] {
            let filter = Filter::parse(&format!("rule={text}")).unwrap();
            assert_eq!(filter.test, Test::Rule(rule.code));
            assert!(!filter.holds(&chat(), &[]));
        }
    }

    #[test]
    fn what_is_wrong_is_answered_with_what_may_have_been_meant() {
        let wrong = |text: &str| Filter::parse(text).unwrap_err();
        assert_eq!(wrong("prt=80"), "unknown key prt: did you mean port?");
        assert!(wrong("colour=blue").contains("the keys are host, port"), "{}", wrong("colour=blue"));
        assert!(wrong("port").contains("KEY=VALUE"));
        assert_eq!(wrong("port=http"), "port is a number, not http");
        assert_eq!(wrong("code=70000"), "code is a number, not 70000");
        assert!(wrong("side=proxy").contains("client or server"));
        assert!(wrong("rule=close-1010").contains("close-1010-mandatory-extension"));
    }

    #[test]
    fn a_time_is_absolute_or_counted_from_the_first_packet() {
        assert_eq!(Moment::parse("+12.5"), Ok(Moment::After(12_500_000_000)));
        assert_eq!(Moment::parse("+0.000000001"), Ok(Moment::After(1)));
        assert_eq!(
            Moment::parse("1970-01-01T00:00:02Z"),
            Ok(Moment::At(Timestamp::from_nanos(2_000_000_000)))
        );
        for wrong in ["", "+", "+-1", "+1.", "+1e3", "+0.1234567890", "+99999999999999", "noon"] {
            assert!(Moment::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_connection_that_reaches_into_the_time_is_selected() {
        let connection = chat();
        let (first, last) = (connection.first.at, connection.last.at);
        let later = |by: i64| Timestamp::from_nanos(last.as_nanos() + by);
        let admits = |since: Option<Moment>, until: Option<Moment>| {
            Scope { since, until, filters: Vec::new() }.admits(&connection, &[], Some(first))
        };
        assert!(admits(Some(Moment::At(last)), None) && !admits(Some(Moment::At(later(1))), None));
        assert!(admits(None, Some(Moment::After(0))));
        let before = Timestamp::from_nanos(first.as_nanos() - 1);
        assert!(!admits(None, Some(Moment::At(before))));
        assert!(admits(Some(Moment::After(0)), Some(Moment::After(0))));
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, same) in [
            ("/ws*", "/ws", true),
            ("/ws*", "/ws/a/b", true),
            ("/ws*", "/w", false),
            ("*", "", true),
            ("", "a", false),
            ("/a/*/c?", "/a/b/c/cd", true),
            ("/a/*/c?", "/a/b/c", false),
            ("**a**", "bab", true),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), same, "{pattern} {text}");
        }
        assert!(!glob(&b"*a".repeat(40), &b"a".repeat(39)));
    }
}
