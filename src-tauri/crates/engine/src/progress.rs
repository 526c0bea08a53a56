//! Does a show move? A call into a library that never comes back stops one thread while all others work, and the picture
//! stands still without an error. Nobody can end such a call from outside: the process has to be replaced.

use stallcast_media::Counters;
use std::time::{Duration, Instant};

/// Longest time in which a part of a running show may do nothing, in time that this process had. Longer than an encoder
/// that hangs takes to be opened (5 s) and then be given up (2 s), and than x264 takes for its first packets (about 1 s).
const LIMIT: Duration = Duration::from_secs(10);
/// What one pause between two looks counts at most: a stopped process or a machine that slept makes a single one long.
const MOST: Duration = Duration::from_millis(250);

/// A part of a show that should always move.
#[derive(Debug, Default)]
struct Part {
    count: u64,
    still: Duration,
}

/// What lies between two looks counts so much.
fn passed(seen: &mut Option<Instant>, now: Instant) -> Duration {
    seen.replace(now).map_or(Duration::ZERO, |seen| now.saturating_duration_since(seen).min(MOST))
}

/// Follows one counter of something that the show does without if it must.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    seen: Option<Instant>,
    part: Part,
}

impl Beside {
    /// Has it stood still? Called several times a second while it runs.
    pub(crate) fn stuck(&mut self, now: Instant, count: u64) -> bool {
        let passed = passed(&mut self.seen, now);
        self.part.is_stuck(count, passed)
    }
}

impl Part {
    fn is_stuck(&mut self, count: u64, passed: Duration) -> bool {
        if count == self.count {
            self.still += passed;
        } else {
            (self.count, self.still) = (count, Duration::ZERO);
        }
        self.still > LIMIT
    }
}

/// Follows the counters of one show.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    seen: Option<Instant>,
    program: Part,
    encoder: Part,
    sound: Part,
}

impl Progress {
    /// The part that stands still, if one does. Called several times a second while the show runs.
    pub(crate) fn stuck(&mut self, now: Instant, counters: &Counters) -> Option<&'static str> {
        let passed = passed(&mut self.seen, now);
        let stuck = [
            ("program", self.program.is_stuck(counters.composed(), passed)),
            // Pictures it skips do not count: before one that hangs the queue is full.
            ("encoder", self.encoder.is_stuck(counters.encoded(), passed)),
            ("sound", self.sound.is_stuck(counters.audio_blocks(), passed)),
        ];
        stuck.into_iter().find_map(|(part, is)| is.then_some(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_millis(100);

    fn all(counters: &Counters) {
        counters.add_composed(3);
        counters.add_encoded(3);
        counters.add_audio_blocks(4);
    }

    #[test]
    fn what_stands_still_is_named_and_what_is_slow_is_not() {
        type Moves = fn(&Counters);
        let parts: [(Option<&str>, Moves); 4] = [
            (None, all),
            (Some("program"), |c| (c.add_encoded(1), c.add_audio_blocks(1)).0),
            (Some("encoder"), |c| (c.add_composed(1), c.add_skipped(1), c.add_audio_blocks(1)).0),
            (Some("sound"), |c| (c.add_composed(1), c.add_encoded(1)).0),
        ];
        for (stuck, moves) in parts {
            let (mut progress, counters, mut now) = (Progress::default(), Counters::default(), Instant::now());
            all(&counters);
            let mut after = None;
            for look in 0..200 {
                moves(&counters);
                // One picture in nine seconds is slow, not stuck.
                if look == 90 {
                    all(&counters);
                }
                now += LOOK;
                if let Some(part) = progress.stuck(now, &counters) {
                    after = Some((part, look));
                    break;
                }
            }
            assert_eq!(after.map(|(part, _)| part), stuck);
            assert!(after.is_none_or(|(_, look)| look > 190), "{after:?}");
        }
    }

    #[test]
    fn a_process_that_was_stopped_is_not_taken_for_one_that_hangs() {
        let (mut progress, counters, mut now) = (Progress::default(), Counters::default(), Instant::now());
        for _ in 0..30 {
            now += Duration::from_secs(3600);
            assert_eq!(progress.stuck(now, &counters), None);
        }
    }
}
