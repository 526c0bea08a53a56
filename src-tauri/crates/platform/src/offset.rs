use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

/// How far a platform's clock is ahead of ours.
///
/// Each answer bounds it: the platform's clock showed `remote` at some instant between our sending and our receiving. The
/// bounds of many answers together are much narrower than one round trip, also where the platform tells whole seconds.
/// Safe from any thread.
#[derive(Debug, Default)]
pub struct ClockOffset(Mutex<Option<(i64, i64)>>);

impl ClockOffset {
    /// Takes one answer, times in ms UTC by the clock they belong to.
    pub fn sample(&self, sent_ms: i64, received_ms: i64, remote: RangeInclusive<i64>) {
        if received_ms < sent_ms {
            // Our clock was set back meanwhile.
            return;
        }
        let (low, high) = (remote.start().saturating_sub(received_ms), remote.end().saturating_sub(sent_ms));
        let mut bounds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let narrowed = bounds.map(|(l, h)| (l.max(low), h.min(high))).filter(|(l, h)| l <= h);
        // Bounds that exclude each other: one of both clocks was set, and only the newest counts.
        *bounds = Some(narrowed.unwrap_or((low, high)));
    }

    /// Milliseconds to take off the platform's times to get ours; `None` before the first answer.
    #[must_use]
    pub fn ahead_ms(&self) -> Option<i64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).map(|(low, high)| low + (high - low) / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_add_up_to_milliseconds() {
        let offset = ClockOffset::default();
        assert_eq!(offset.ahead_ms(), None);
        // The platform is 1 234 ms ahead and tells seconds, rounded down; round trips take 40 ms.
        for n in 0..200_i64 {
            let sent = 1_000_000 + n * 737;
            let there = sent + 20 + 1_234;
            let told = there / 1_000 * 1_000;
            offset.sample(sent, sent + 40, told..=told + 999);
        }
        let ahead = offset.ahead_ms().expect("known");
        assert!((ahead - 1_234).abs() <= 25, "{ahead}");
    }

    #[test]
    fn a_clock_that_was_set_is_believed_at_once() {
        let offset = ClockOffset::default();
        offset.sample(1_000, 1_010, 5_005..=5_005);
        assert!((offset.ahead_ms().expect("known") - 4_000).abs() <= 5);
        offset.sample(2_000, 2_010, 2_005..=2_005);
        assert!(offset.ahead_ms().expect("known").abs() <= 5);
        offset.sample(3_000, 2_000, 9_000..=9_000);
        assert!(offset.ahead_ms().expect("known").abs() <= 5, "our own clock was set back: that answer bounds nothing");
    }
}
