//! Time as captures tell it: nanoseconds since the Unix epoch, never the clock of this machine.

use std::fmt;

/// A moment in a capture, in nanoseconds since 1970-01-01T00:00:00Z. It may lie before 1970 where a capture says so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Timestamp(nanos)
    }

    /// From RFC 3339, as `2026-11-22T11:31:54.5Z`; `None` where `text` is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let time: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(time.as_nanosecond()).ok().map(Timestamp)
    }

    /// The day it lies in, in UTC: `2026-11-22`.
    pub fn day(self) -> String {
        let mut text = self.to_string();
        text.truncate(text.find('T').unwrap_or(text.len()));
        text
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Nanoseconds from `earlier` to `self`; negative where a capture's clock went back.
    pub const fn nanos_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Seconds from `earlier` to `self`, for people and reports.
    pub fn seconds_since(self, earlier: Timestamp) -> f64 {
        self.nanos_since(earlier) as f64 / 1e9
    }
}

/// A time zone, for people who read times on the clock on their wall.
#[derive(Clone, Debug)]
pub struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// That of the machine, by its settings and `TZ`; only `cli/` may ask for it.
    pub fn of_this_machine() -> Zone {
        Zone(jiff::tz::TimeZone::system())
    }

    /// So many seconds east of Greenwich; `None` where no place is.
    pub fn fixed(seconds: i32) -> Option<Zone> {
        jiff::tz::Offset::from_seconds(seconds).ok().map(|offset| Zone(jiff::tz::TimeZone::fixed(offset)))
    }
}

impl Timestamp {
    /// RFC 3339 in UTC, cut to microseconds.
    pub fn micros(self) -> String {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(t) => format!("{t:.6}"),
            Err(_) => self.to_string(),
        }
    }

    /// RFC 3339 in a time zone, cut to microseconds.
    pub fn micros_in(self, zone: &Zone) -> String {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(t) => format!("{:.6}", t.display_with_offset(zone.0.to_offset(t))),
            Err(_) => self.to_string(),
        }
    }

    /// Seconds since the Unix epoch, cut to microseconds.
    pub fn epoch_micros(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let micros = self.0.unsigned_abs() / 1000;
        format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

/// RFC 3339 in UTC with nine digits of fraction, as the report promises.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(t) => write!(f, "{t:.9}"),
            Err(_) => write!(f, "{} ns", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Nanoseconds of a length of time as people write it: `500ms`, `30s`, `1h 30m`; `None` where `text` is none, or
/// is negative.
pub fn duration(text: &str) -> Option<i64> {
    let duration: jiff::SignedDuration = text.trim().parse().ok()?;
    i64::try_from(duration.as_nanos()).ok().filter(|nanos| *nanos >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        for (text, nanos) in [
            ("500ms", 500_000_000),
            ("30s", 30_000_000_000),
            ("1h 30m", 5_400_000_000_000),
            ("2min", 120_000_000_000),
            ("0.25s", 250_000_000),
            (" 10 seconds ", 10_000_000_000),
        ] {
            assert_eq!(duration(text), Some(nanos), "{text}");
        }
        for text in ["", "30", "-1s", "soon", "1e3s", "99999999999h"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_moment_lies_in_a_day() {
        assert_eq!(Timestamp::from_nanos(1_700_000_000_000_000_001).day(), "2023-11-14");
    }

    #[test]
    fn a_moment_prints_with_nine_digits_in_utc() {
        assert_eq!(
            Timestamp::from_nanos(1_700_000_000_000_000_001).to_string(),
            "2023-11-14T22:13:20.000000001Z"
        );
        assert_eq!(Timestamp::from_nanos(0).to_string(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(Timestamp::from_nanos(-1).to_string(), "1969-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn what_is_printed_parses() {
        let moment = Timestamp::from_nanos(1_700_000_000_000_000_001);
        assert_eq!(Timestamp::parse(&moment.to_string()), Some(moment));
        assert_eq!(Timestamp::parse("2023-11-14T23:13:20+01:00"), Timestamp::parse("2023-11-14T22:13:20Z"));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn the_ends_of_the_range_do_not_panic() {
        let (min, max) = (Timestamp::from_nanos(i64::MIN), Timestamp::from_nanos(i64::MAX));
        assert!(!min.to_string().is_empty() && !max.to_string().is_empty());
        assert_eq!(max.nanos_since(min), i64::MAX);
    }
}
