use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Behind by more than this, the link does not carry what it is given. The kernel's send buffer (about a second) is
/// counted too, so this is queueing and not jitter.
const TOO_FAR: Duration = Duration::from_millis(400);
/// Behind by less than this, it does.
const CLOSE: Duration = Duration::from_millis(250);
/// Throughput is measured over so long.
const WINDOW: Duration = Duration::from_secs(2);
/// Between two steps down: a lower rate comes out of the encoder's look-ahead and the send buffer about a second later.
const FALL_AGAIN: Duration = Duration::from_millis(1500);
/// The link must have kept up for so long before a step up. Doubles with each step that failed, up to the limit: a full
/// rate must be back within 20 s of a link that is good again.
const CLIMB_AFTER: Duration = Duration::from_millis(2400);
const CLIMB_LIMIT: Duration = Duration::from_secs(8);
/// A step up that is taken back within this time failed; one that lasts proves the link.
const FAILED_WITHIN: Duration = Duration::from_secs(4);
/// Of what the link was measured to carry: the rest drains the queue within seconds.
const SHARE: f64 = 0.75;
/// One step up, of the full rate.
const STEP: f64 = 0.2;
/// Lowest picture, kbit/s: a face can still be told.
const FLOOR_KBPS: u32 = 250;

/// What the slowest link of a show carries, and the picture bitrate that fits: down at once to what was measured, up in
/// steps that prove themselves. It only computes; whoever owns the encoder sets the rate.
#[derive(Debug, Clone)]
pub struct Congestion {
    full_kbps: u32,
    audio_kbps: u32,
    kbps: u32,
    /// When, how much had been sent, bytes.
    sent: VecDeque<(Instant, u64)>,
    /// When it was last looked whether to go down, and how far behind the link was then.
    fell: Option<(Instant, Duration)>,
    climbed: Option<Instant>,
    calm_since: Option<Instant>,
    patience: Duration,
}

impl Congestion {
    /// For a show of these rates, kbit/s.
    #[must_use]
    pub fn new(video_kbps: u32, audio_kbps: u32) -> Self {
        Self {
            full_kbps: video_kbps,
            audio_kbps,
            kbps: video_kbps,
            sent: VecDeque::new(),
            fell: None,
            climbed: None,
            calm_since: None,
            patience: CLIMB_AFTER,
        }
    }

    /// The picture rate that fits now, kbit/s.
    #[must_use]
    pub const fn kbps(&self) -> u32 {
        self.kbps
    }

    /// Takes the figures of the slowest publishing link, several times a second: how far it is behind and the bytes it has
    /// passed on in all. True when the rate changed.
    pub fn look(&mut self, now: Instant, behind: Duration, bytes_sent: u64) -> bool {
        if self.sent.back().is_some_and(|(_, before)| *before > bytes_sent) {
            // Another link is the slowest now: its count says nothing about this one.
            self.sent.clear();
        }
        self.sent.push_back((now, bytes_sent));
        while self.sent.len() > 2 && self.sent.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.sent.pop_front();
        }
        let before = self.kbps;
        if behind > TOO_FAR {
            self.calm_since = None;
            match self.fell {
                Some((at, _)) if now.duration_since(at) < FALL_AGAIN => {}
                // It catches up: lower would only be worse to look at.
                Some((_, before)) if behind < before => self.fell = Some((now, behind)),
                _ => {
                    self.fall(now);
                    self.fell = Some((now, behind));
                }
            }
        } else if behind < CLOSE {
            let since = *self.calm_since.get_or_insert(now);
            self.fell = None;
            if self.climbed.is_some_and(|at| now.duration_since(at) >= FAILED_WITHIN) {
                self.patience = CLIMB_AFTER;
            }
            let due = self.climbed.max(Some(since)).is_none_or(|at| now.duration_since(at) >= self.patience);
            if self.kbps < self.full_kbps && due {
                self.climb(now);
            }
        } else {
            self.calm_since = None;
        }
        self.kbps != before
    }

    fn fall(&mut self, now: Instant) {
        if self.climbed.is_some_and(|at| now.duration_since(at) < FAILED_WITHIN) {
            self.patience = (self.patience * 2).min(CLIMB_LIMIT);
        }
        let floor = FLOOR_KBPS.min(self.full_kbps);
        let carried = self.carried_kbps().map_or(f64::from(self.kbps) * 0.7, |all| (all - f64::from(self.audio_kbps)) * SHARE);
        // Never up on the way down, and never less than a tenth.
        let wanted = carried.min(f64::from(self.kbps) * 0.9);
        self.kbps = (wanted.max(0.0) as u32).clamp(floor, self.full_kbps);
        self.climbed = None;
    }

    fn climb(&mut self, now: Instant) {
        let step = (f64::from(self.full_kbps) * STEP) as u32;
        self.kbps = (self.kbps + step.max(1)).min(self.full_kbps);
        self.climbed = Some(now);
        if self.kbps == self.full_kbps {
            self.patience = CLIMB_AFTER;
        }
    }

    /// What went through in the window, kbit/s; `None` before half of it has passed.
    fn carried_kbps(&self) -> Option<f64> {
        let ((from, first), (to, last)) = (self.sent.front()?, self.sent.back()?);
        let seconds = to.duration_since(*from).as_secs_f64();
        (seconds >= WINDOW.as_secs_f64() / 2.0).then(|| (last - first) as f64 * 8.0 / 1000.0 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of a given rate behind a queue, looked at ten times a second. Encoders answer late: `lag` looks.
    struct Simulated {
        congestion: Congestion,
        now: Instant,
        /// What waits, a tenth of a second of the show each, kbit.
        queue: VecDeque<f64>,
        sent_kbit: f64,
        pipe: VecDeque<u32>,
    }

    impl Simulated {
        fn new() -> Self {
            // Ten looks: a second of look-ahead and send buffer.
            Self {
                congestion: Congestion::new(2500, 128),
                now: Instant::now(),
                queue: VecDeque::new(),
                sent_kbit: 0.0,
                pipe: vec![2500; 10].into(),
            }
        }

        /// Runs for `seconds` over a link of `link_kbps`; the farthest it was behind and the rate at the end.
        fn run(&mut self, seconds: u32, link_kbps: f64) -> (Duration, u32) {
            let mut farthest = Duration::ZERO;
            for _ in 0..seconds * 10 {
                self.now += Duration::from_millis(100);
                self.pipe.push_back(self.congestion.kbps());
                let rate = f64::from(self.pipe.pop_front().unwrap_or(0) + 128);
                self.queue.push_back(rate / 10.0);
                let mut room = link_kbps / 10.0;
                while let Some(oldest) = self.queue.front_mut().filter(|_| room > 0.0) {
                    let through = oldest.min(room);
                    (*oldest, room) = (*oldest - through, room - through);
                    self.sent_kbit += through;
                    if *oldest <= f64::EPSILON {
                        self.queue.pop_front();
                    }
                }
                let behind = Duration::from_millis(100) * u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
                farthest = farthest.max(behind);
                self.congestion.look(self.now, behind, (self.sent_kbit * 1000.0 / 8.0) as u64);
            }
            (farthest, self.congestion.kbps())
        }
    }

    #[test]
    fn a_good_link_is_left_alone() {
        let mut link = Simulated::new();
        assert_eq!(link.run(60, 6000.0), (Duration::ZERO, 2500));
    }

    #[test]
    fn a_link_at_sixty_and_then_a_quarter_of_the_rate_is_followed_and_left_again() {
        let mut link = Simulated::new();
        link.run(5, 6000.0);
        let (farthest, kbps) = link.run(10, 2628.0 * 0.6);
        assert!(farthest <= Duration::from_secs(2), "{farthest:?} behind");
        assert!((700..=1450).contains(&kbps), "settled at {kbps}");
        let (farthest, _) = link.run(10, 2628.0 * 0.6);
        assert!(farthest <= Duration::from_millis(1500), "{farthest:?}: it does not hunt");
        let (farthest, kbps) = link.run(10, 2628.0 * 0.25);
        assert!(farthest <= Duration::from_secs(2), "{farthest:?} behind");
        assert!((250..=530).contains(&kbps), "settled at {kbps}");
        let (_, kbps) = link.run(20, 6000.0);
        assert_eq!(kbps, 2500, "the full rate is back within 20 s");
    }

    #[test]
    fn a_step_that_fails_is_tried_less_often() {
        let mut link = Simulated::new();
        link.run(20, 1500.0);
        let mut falls = 0;
        let mut before = link.congestion.kbps();
        for _ in 0..60 {
            let (_, kbps) = link.run(1, 1500.0);
            falls += u32::from(kbps < before);
            before = kbps;
        }
        assert!(falls <= 8, "{falls} falls in a minute");
        assert!(before >= 250, "never below the floor");
    }

    #[test]
    fn another_link_that_becomes_the_slowest_does_not_look_like_none() {
        let mut congestion = Congestion::new(2500, 128);
        let start = Instant::now();
        for n in 0..30_u32 {
            congestion.look(start + Duration::from_millis(100) * n, Duration::from_millis(100), 1_000_000 + u64::from(n) * 30_000);
        }
        congestion.look(start + Duration::from_secs(3), Duration::from_millis(500), 10_000);
        assert!(congestion.kbps() >= 1700, "{}: a tenth to a third off, not to the floor", congestion.kbps());
    }
}
