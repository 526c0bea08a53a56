use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};

/// Nanoseconds in a second.
pub const NANOS_PER_SEC: i64 = 1_000_000_000;
/// Nanoseconds in a millisecond.
pub const NANOS_PER_MS: i64 = 1_000_000;

/// A media instant in nanoseconds. At sources and in the program it lies on the OS monotonic clock
/// ([`stallcast_clock::Mono`]); in packets it counts from the start of the program. Never wall-clock time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pts(pub i64);

impl Pts {
    /// From whole milliseconds.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms * NANOS_PER_MS)
    }

    /// Whole milliseconds, rounded to nearest: FLV's time base.
    #[must_use]
    pub const fn as_ms(self) -> i64 {
        (self.0 + NANOS_PER_MS / 2).div_euclid(NANOS_PER_MS)
    }

    /// In ticks of 1/`rate` second, rounded to nearest.
    #[must_use]
    pub fn as_ticks(self, rate: u32) -> i64 {
        let exact = i128::from(self.0) * i128::from(rate);
        i64::try_from((exact + i128::from(NANOS_PER_SEC / 2)).div_euclid(i128::from(NANOS_PER_SEC))).unwrap_or(i64::MAX)
    }

    /// From ticks of 1/`rate` second. Exact on the running count, so it does not drift.
    #[must_use]
    pub fn from_ticks(ticks: i64, rate: u32) -> Self {
        Self(i64::try_from(i128::from(ticks) * i128::from(NANOS_PER_SEC) / i128::from(rate.max(1))).unwrap_or(i64::MAX))
    }
}

impl Add<i64> for Pts {
    type Output = Self;
    fn add(self, nanos: i64) -> Self {
        Self(self.0 + nanos)
    }
}

impl Sub for Pts {
    type Output = i64;
    fn sub(self, other: Self) -> i64 {
        self.0 - other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_do_not_drift() {
        // 44.1 kHz blocks of 1024 for ten hours: the running count must give the exact instant every time.
        let ticks = 44_100 * 36_000;
        assert_eq!(Pts::from_ticks(ticks, 44_100), Pts(36_000 * NANOS_PER_SEC));
        assert_eq!(Pts::from_ticks(ticks, 44_100).as_ticks(44_100), ticks);
        assert_eq!(Pts(-1).as_ms(), 0);
        assert_eq!(Pts(1_499_999).as_ms(), 1);
    }
}
