//! How times are shown to people.

use crate::time::{Timestamp, Zone};

/// The way the reader wants times told.
#[derive(Clone, Default, Debug)]
pub enum Times {
    /// Seconds since the capture began: `+12.345678 s`, as Wireshark counts them.
    #[default]
    Relative,
    /// RFC 3339 in UTC.
    Utc,
    /// RFC 3339 in the reader's time zone.
    Local(Zone),
    /// Seconds since 1970.
    Epoch,
}

impl Times {
    /// A moment of a capture that began at `begins`, to the microsecond.
    pub fn show(&self, begins: Option<Timestamp>, at: Timestamp) -> String {
        match (self, begins) {
            (Times::Relative, Some(begins)) => format!("{:+.6} s", at.seconds_since(begins)),
            (Times::Relative | Times::Utc, _) => at.micros(),
            (Times::Local(zone), _) => at.micros_in(zone),
            (Times::Epoch, _) => at.epoch_micros(),
        }
    }

    /// [`Times::show`], to the millisecond where seconds are counted.
    pub fn brief(&self, begins: Option<Timestamp>, at: Timestamp) -> String {
        match (self, begins) {
            (Times::Relative, Some(begins)) => format!("{:+.3} s", at.seconds_since(begins)),
            _ => self.show(begins, at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_four_ways() {
        let begins = Timestamp::parse("2026-11-22T11:31:54Z").unwrap();
        let at = Timestamp::parse("2026-11-22T11:31:55.5000004Z").unwrap();
        let zone = Zone::fixed(3600).unwrap();
        let shown = |times: Times| times.show(Some(begins), at);
        assert_eq!(shown(Times::Relative), "+1.500000 s");
        assert_eq!(shown(Times::Utc), "2026-11-22T11:31:55.500000Z");
        assert_eq!(shown(Times::Local(zone)), "2026-11-22T12:31:55.500000+01:00");
        assert_eq!(shown(Times::Epoch), "1795347115.500000");
        assert_eq!(Times::Relative.show(None, at), "2026-11-22T11:31:55.500000Z");
        assert_eq!(Times::Relative.brief(Some(begins), at), "+1.500 s");
        assert_eq!(Times::Epoch.show(None, Timestamp::from_nanos(-1_500_000_000)), "-1.500000");
    }
}
