//! From the ticks of a pcapng interface to nanoseconds since 1970 (draft-ietf-opsawg-pcapng, `if_tsresol` and
//! `if_tsoffset`): any base, any resolution, a signed offset, computed in 128 bits and saturating at the ends of
//! [`Timestamp`].

use crate::time::Timestamp;

/// The clock of one interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    tick: Tick,
    offset: i128,
}

/// How many nanoseconds a tick is.
#[derive(Clone, Copy, Debug)]
enum Tick {
    /// That many: a decimal resolution of 1 ns or coarser.
    Nanos(i128),
    /// A fraction with this denominator: a decimal resolution finer than 1 ns.
    OneOf(i128),
    /// A second divided by two to this power.
    Binary(u32),
}

impl Clock {
    /// From the raw octet of `if_tsresol` (its high bit chooses base 2, the others are the negative exponent) and the
    /// seconds of `if_tsoffset`.
    pub(super) fn new(resolution: u8, offset_seconds: i64) -> Self {
        let exponent = u32::from(resolution & 0x7f);
        let tick = if resolution & 0x80 != 0 {
            Tick::Binary(exponent)
        } else if exponent <= 9 {
            Tick::Nanos(10i128.saturating_pow(9u32.saturating_sub(exponent)))
        } else {
            // Past 10^38 the power saturates far above any count of ticks: the quotient is 0, as it should be.
            Tick::OneOf(10i128.saturating_pow(exponent.saturating_sub(9)))
        };
        Clock { tick, offset: i128::from(offset_seconds).saturating_mul(NANOS_PER_SECOND) }
    }

    /// The moment at which the clock shows `ticks`. Digits below a nanosecond are dropped.
    #[inline]
    pub(super) fn at(&self, ticks: u64) -> Timestamp {
        let ticks = i128::from(ticks);
        // Neither product nor sum can wrap: 64 bits times 10^9 take 94, and so does the offset.
        let nanos = match self.tick {
            Tick::Nanos(each) => ticks.wrapping_mul(each),
            Tick::OneOf(parts) => ticks.checked_div(parts).unwrap_or(0),
            Tick::Binary(exponent) => ticks.wrapping_mul(NANOS_PER_SECOND).checked_shr(exponent).unwrap_or(0),
        };
        let nanos = nanos.wrapping_add(self.offset);
        Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl Default for Clock {
    /// Microseconds since 1970, as where the options are absent.
    fn default() -> Self {
        Clock::new(6, 0)
    }
}

const NANOS_PER_SECOND: i128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: u64 = 1_700_000_000;
    const NANOS: i64 = 1_700_000_000_000_000_000;

    fn at(resolution: u8, offset: i64, ticks: u64) -> i64 {
        Clock::new(resolution, offset).at(ticks).as_nanos()
    }

    #[test]
    fn decimal_resolutions_from_seconds_to_picoseconds_tell_the_same_time() {
        assert_eq!(at(0, 0, SECONDS), NANOS);
        assert_eq!(at(3, 0, SECONDS * 1_000 + 5), NANOS + 5_000_000);
        assert_eq!(at(6, 0, SECONDS * 1_000_000 + 5), NANOS + 5_000);
        assert_eq!(at(9, 0, SECONDS * 1_000_000_000 + 5), NANOS + 5);
        assert_eq!(at(10, 0, SECONDS * 10_000_000_000 + 59), NANOS + 5);
        assert_eq!(at(12, 0, 1_000_999_999_999_999), 1_000_999_999_999);
    }

    #[test]
    fn binary_resolutions_divide_the_second_by_a_power_of_two() {
        assert_eq!(at(0x80, 0, SECONDS), NANOS);
        assert_eq!(at(0x80 | 20, 0, (SECONDS << 20) + (1 << 19)), NANOS + 500_000_000);
        assert_eq!(at(0x80 | 32, 0, (SECONDS << 32) + (1 << 30)), NANOS + 250_000_000);
        assert_eq!(at(0x80 | 63, 0, 1 << 62), 500_000_000);
        assert_eq!(at(0xff, 0, u64::MAX), 0);
    }

    #[test]
    fn the_offset_is_signed() {
        assert_eq!(at(6, 3600, SECONDS * 1_000_000), NANOS + 3_600_000_000_000);
        assert_eq!(at(6, -3600, SECONDS * 1_000_000), NANOS - 3_600_000_000_000);
        assert_eq!(at(6, -1, 0), -1_000_000_000);
    }

    #[test]
    fn moments_outside_the_range_saturate() {
        assert_eq!(at(0, 0, u64::MAX), i64::MAX);
        assert_eq!(at(6, i64::MIN, 0), i64::MIN);
        assert_eq!(at(6, i64::MAX, u64::MAX), i64::MAX);
        assert_eq!(at(127, 0, u64::MAX), 0);
    }
}
