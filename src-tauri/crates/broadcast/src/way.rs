use std::time::{Duration, Instant};

/// What was least in one of these halves and in the other up to now is taken for the way: within so long a time a queue of our own
/// has drained, since a step down leaves a quarter of the link free.
const HALF: Duration = Duration::from_secs(15);
/// No way is taken to be longer: a link that carries less than the lowest bitrate never drains, and must not be taken for a far one.
const LONGEST: Duration = Duration::from_millis(800);

/// How long the way to the peer of one session is, there and back.
///
/// It is the shortest round trip that the OS has measured. The first of them made the connection, before anything could wait, so
/// that a link which is full from its first second is not taken for a far one. That a way became longer (another route, somebody
/// else's queue before ours) the OS says minutes later; until then it is what pictures were behind at least for 15 to 30 s.
#[derive(Debug, Default)]
pub(crate) struct Way {
    /// When the present half began, and the least in it.
    half: Option<(Instant, Duration)>,
    /// The least in the half before.
    before: Option<Duration>,
}

impl Way {
    /// Takes how far the pictures are behind now, several times a second, and the OS's shortest round trip. Zero without that: the
    /// OS does not say what is on its way, so it is in neither.
    pub fn look(&mut self, now: Instant, behind: Duration, round_trip: Option<Duration>) -> Duration {
        let Some(round_trip) = round_trip else { return Duration::ZERO };
        let least = match self.half {
            Some((begun, least)) if now.duration_since(begun) < HALF => {
                let least = least.min(behind);
                self.half = Some((begun, least));
                least
            }
            half => {
                self.before = half.map(|(_, least)| least);
                self.half = Some((now, behind));
                behind
            }
        };
        let lately = self.before.map_or(Duration::ZERO, |before| before.min(least));
        round_trip.max(lately).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENTH: Duration = Duration::from_millis(100);

    /// A session whose OS says 50 ms, and the instant of its last look.
    struct Session(Way, Instant);

    impl Session {
        /// The way after `tenths` of a second of being behind by `ms`.
        fn after(&mut self, tenths: u32, ms: u64) -> u128 {
            let mut way = Duration::ZERO;
            for _ in 0..tenths {
                self.1 += TENTH;
                way = self.0.look(self.1, Duration::from_millis(ms), Some(Duration::from_millis(50)));
            }
            way.as_millis()
        }
    }

    #[test]
    fn a_queue_is_not_taken_for_the_way_before_it_has_had_time_to_drain() {
        let mut session = Session(Way::default(), Instant::now());
        assert_eq!(session.after(145, 700), 50, "full from the first second");
        assert_eq!(session.after(1, 60), 50);
        assert_eq!(session.after(150, 700), 60, "it was shorter a while ago");
    }

    #[test]
    fn what_never_gets_less_is_the_way_until_it_does() {
        let mut session = Session(Way::default(), Instant::now());
        session.after(100, 40);
        assert_eq!(session.after(100, 500), 50);
        assert_eq!(session.after(250, 500), 500, "another route");
        assert_eq!(session.after(1, 90), 90, "and back: at once");
        assert_eq!(session.after(400, 2000), 800, "no way is that long");
    }

    #[test]
    fn without_a_word_of_the_os_there_is_none() {
        let (mut way, now) = (Way::default(), Instant::now());
        for n in 0..400 {
            assert_eq!(way.look(now + TENTH * n, TENTH, None), Duration::ZERO);
        }
    }
}
