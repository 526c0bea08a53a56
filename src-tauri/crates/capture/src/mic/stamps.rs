//! When the samples of a microphone were sounding, on the monotonic clock. Pure.
//!
//! Three clocks meet: the one the sound library stamps with, the monotonic one, and the device's own, which counts
//! samples. Stamps of single blocks jitter by milliseconds; the count does not jitter but drifts.

use stallcast_media::{NANOS_PER_MS, NANOS_PER_SEC, Pts};
use std::f64::consts::{SQRT_2, TAU};

/// How fast the library's clock may run away from the monotonic one: `CLOCK_MONOTONIC_RAW` is not disciplined.
const CLOCK_DRIFT: f64 = 300e-6;
/// A library clock this far off for so many blocks was set anew.
const CLOCK_JUMP: i64 = 200 * NANOS_PER_MS;
const CLOCK_JUMP_BLOCKS: u32 = 20;
/// Sound that is collected before the first stamp is believed.
const WARM_UP: f64 = 0.3 * NANOS_PER_SEC as f64;
/// Bandwidth of the loop that follows the device's clock, Hz: first and later.
const FAST: f64 = 0.3;
const SLOW: f64 = 0.05;
/// How long it is fast.
const FAST_FOR: f64 = 4.0 * NANOS_PER_SEC as f64;
/// No device's clock is further off.
const MOST_DRIFT: f64 = 1000e-6;
/// Stamps this far from the count, all to the same side for so many blocks, mean that sound was lost or moved.
const JUMP: f64 = 15.0 * NANOS_PER_MS as f64;
const JUMP_BLOCKS: usize = 8;
/// The same right after the library said that sound was lost.
const DISTURBED_JUMP: f64 = 4.0 * NANOS_PER_MS as f64;

/// Brings instants of the library's clock onto the monotonic one: a callback can only come late, so the least
/// difference is the truest.
#[derive(Debug, Default)]
pub(super) struct ClockMap {
    /// Least difference and when it was last looked at.
    offset: Option<(f64, i64)>,
    off: u32,
}

impl ClockMap {
    /// The monotonic instant of `stream` on the library's clock, read at the monotonic instant `arrival`.
    pub(super) fn monotonic(&mut self, arrival: Pts, stream: i64) -> Pts {
        let difference = (arrival.0 - stream) as f64;
        let offset = match self.offset {
            None => difference,
            Some((least, at)) => {
                let least = least + (arrival.0 - at).max(0) as f64 * CLOCK_DRIFT;
                self.off = if difference - least > CLOCK_JUMP as f64 { self.off + 1 } else { 0 };
                if self.off >= CLOCK_JUMP_BLOCKS { difference } else { least.min(difference) }
            }
        };
        self.offset = Some((offset, arrival.0));
        Pts(stream + offset as i64)
    }
}

/// A stretch of samples and when it sounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Segment {
    pub(super) frames: usize,
    /// Instants of its first sample and just after its last, ns.
    pub(super) start: f64,
    pub(super) end: f64,
    /// It does not continue the one before.
    pub(super) fresh: bool,
}

/// Follows the stamps of blocks smoothly.
#[derive(Debug)]
pub(super) struct Stamps {
    /// Nanoseconds of one sample by its name.
    nominal: f64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Sample frames so far, and what each block says the first sample's instant was.
    WarmUp {
        frames: usize,
        starts: Vec<f64>,
        fresh: bool,
    },
    Running(Loop),
}

#[derive(Debug)]
struct Loop {
    /// Expected instant of the next sample.
    next: f64,
    /// Nanoseconds of one sample as measured.
    step: f64,
    age: f64,
    /// Recent differences to the stamps, if all are large and on the same side.
    far: Vec<f64>,
    disturbed: bool,
}

impl Stamps {
    pub(super) fn new(rate: u32) -> Self {
        Self { nominal: NANOS_PER_SEC as f64 / f64::from(rate.max(1)), state: State::WarmUp { frames: 0, starts: vec![], fresh: true } }
    }

    /// The library said that sound was lost.
    pub(super) fn disturb(&mut self) {
        if let State::Running(running) = &mut self.state {
            running.disturbed = true;
        }
    }

    /// A block whose first sample sounded at about `raw`; `lost` sample frames before it could not be kept. The answer
    /// covers everything since the last one; `None` while the beginning is being understood.
    pub(super) fn push(&mut self, raw: Pts, frames: usize, lost: u64) -> Option<Segment> {
        let raw = raw.0 as f64;
        match &mut self.state {
            State::WarmUp { frames: held, starts, fresh } => {
                starts.push(raw - *held as f64 * self.nominal);
                *held += frames;
                if (*held as f64) * self.nominal < WARM_UP {
                    return None;
                }
                starts.sort_by(f64::total_cmp);
                let start = starts[starts.len() / 2];
                let segment = Segment { frames: *held, start, end: start + *held as f64 * self.nominal, fresh: *fresh };
                self.state = State::Running(Loop { next: segment.end, step: self.nominal, age: 0.0, far: vec![], disturbed: false });
                Some(segment)
            }
            State::Running(running) => Some(running.push(raw, frames, lost, self.nominal)),
        }
    }
}

impl Loop {
    fn push(&mut self, raw: f64, frames: usize, lost: u64, nominal: f64) -> Segment {
        let mut fresh = lost > 0;
        self.next += lost as f64 * self.step;
        let mut error = raw - self.next;
        if let Some(jump) = self.jump(error) {
            fresh = true;
            self.next += jump;
            error -= jump;
        }
        let start = self.next;
        let length = frames as f64 * self.step;
        let bandwidth = if self.age < FAST_FOR { FAST } else { SLOW };
        let w = (TAU * bandwidth * length / NANOS_PER_SEC as f64).min(0.5);
        // One wild stamp must not be heard.
        let error = error.clamp(-JUMP, JUMP);
        self.next += length + SQRT_2 * w * error;
        let drift = MOST_DRIFT * nominal;
        self.step = (self.step + w * w * error / frames.max(1) as f64).clamp(nominal - drift, nominal + drift);
        self.age += length;
        Segment { frames, start, end: self.next, fresh }
    }

    /// By how much the count must be moved to be right again.
    fn jump(&mut self, error: f64) -> Option<f64> {
        let limit = if self.disturbed { DISTURBED_JUMP } else { JUMP };
        if error.abs() <= limit || self.far.first().is_some_and(|first| first.signum() != error.signum()) {
            self.far.clear();
        }
        if error.abs() <= limit {
            // Three good blocks after a disturbance: nothing was lost.
            self.disturbed = false;
            return None;
        }
        self.far.push(error);
        if self.far.len() < if self.disturbed { 2 } else { JUMP_BLOCKS } {
            return None;
        }
        let nearest = self.far.iter().copied().min_by(|a, b| a.abs().total_cmp(&b.abs()));
        self.far.clear();
        self.disturbed = false;
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device whose clock is `ppm` fast, seen through stamps that jitter by up to `jitter` ms.
    struct Device {
        ppm: f64,
        jitter: f64,
        seed: u64,
        /// Sample frames so far and the instant of the next.
        count: u64,
        at: f64,
    }

    impl Device {
        fn new(ppm: f64, jitter: f64) -> Self {
            Self { ppm, jitter, seed: 7, count: 0, at: 5e9 }
        }

        fn random(&mut self) -> f64 {
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.seed >> 33) as f64 / f64::from(1_u32 << 31) * 2.0 - 1.0
        }

        /// One block: what the stamps make of it, and when it truly began.
        fn block(&mut self, stamps: &mut Stamps, frames: usize) -> (Option<Segment>, f64) {
            let truth = self.at;
            let noise = self.random() * self.jitter * 1e6;
            let segment = stamps.push(Pts((truth + noise) as i64), frames, 0);
            self.count += frames as u64;
            self.at += frames as f64 * 1e9 / 48_000.0 / (1.0 + self.ppm * 1e-6);
            (segment, truth)
        }
    }

    #[test]
    fn jitter_is_smoothed_and_drift_followed() {
        for ppm in [0.0, 80.0, -250.0] {
            let (mut device, mut stamps) = (Device::new(ppm, 3.0), Stamps::new(48_000));
            let (mut errors, mut last): (Vec<f64>, Option<Segment>) = (vec![], None);
            for i in 0..6000 {
                let (segment, truth) = device.block(&mut stamps, 1024);
                let Some(segment) = segment else { continue };
                if let Some(last) = last {
                    assert!(!segment.fresh && (segment.start - last.end).abs() < 1.0, "no seam");
                    let pitch = (segment.end - segment.start) / (segment.frames as f64 * 1e9 / 48_000.0);
                    assert!((pitch - 1.0).abs() < 0.02, "pitch {pitch}");
                    if i > 600 {
                        errors.push((segment.start - truth).abs() / 1e6);
                        assert!((pitch - 1.0).abs() < 0.0025, "pitch {pitch}");
                    }
                }
                last = Some(segment);
            }
            errors.sort_by(f64::total_cmp);
            let p95 = errors[errors.len() * 95 / 100];
            assert!(p95 < 1.0, "{ppm} ppm: 3 ms of jitter became {p95} ms");
        }
    }

    #[test]
    fn lost_sound_leaves_a_hole_of_its_own_length() {
        let (mut device, mut stamps) = (Device::new(20.0, 1.0), Stamps::new(48_000));
        for _ in 0..500 {
            device.block(&mut stamps, 1024);
        }
        // The library says that it lost something: 40 ms are gone.
        stamps.disturb();
        device.at += 40e6;
        let after: Vec<_> = (0..20).map(|_| device.block(&mut stamps, 1024)).collect();
        let fresh = after.iter().position(|(s, _)| s.is_some_and(|s| s.fresh)).expect("noticed");
        assert!(fresh < 3, "after {fresh} blocks");
        let (segment, truth) = after[19];
        assert!((segment.map_or(0.0, |s| s.start) - truth).abs() < 3e6);
        // Nobody says anything and a quarter of a second is gone.
        device.at += 250e6;
        let after: Vec<_> = (0..20).map(|_| device.block(&mut stamps, 1024)).collect();
        assert_eq!(after.iter().filter(|(s, _)| s.is_some_and(|s| s.fresh)).count(), 1);
        let (segment, truth) = after[19];
        assert!((segment.map_or(0.0, |s| s.start) - truth).abs() < 3e6);
    }

    #[test]
    fn one_wild_stamp_moves_nothing() {
        let (mut device, mut stamps) = (Device::new(0.0, 0.5), Stamps::new(48_000));
        for i in 0..1000 {
            let jitter = device.jitter;
            if i % 100 == 50 {
                device.jitter = 700.0;
            }
            let (segment, truth) = device.block(&mut stamps, 1024);
            device.jitter = jitter;
            if let Some(segment) = segment
                && i > 400
            {
                assert!(!segment.fresh && (segment.start - truth).abs() < 2e6, "block {i}: {} ms", (segment.start - truth) / 1e6);
            }
        }
    }

    #[test]
    fn what_the_ring_could_not_keep_is_counted_in() {
        let mut stamps = Stamps::new(48_000);
        let mut last = None;
        for i in 0..20 {
            last = stamps.push(Pts(i * 21_333_333), 1024, 0);
        }
        let end = last.expect("running").end;
        let segment = stamps.push(Pts(21 * 21_333_333), 1024, 1024).expect("running");
        assert!(segment.fresh && (segment.start - end - 21_333_333.0).abs() < 1e5);
    }

    #[test]
    fn the_librarys_clock_is_mapped_by_its_least_delay() {
        let mut map = ClockMap::default();
        // The library's clock began 5 s ago and runs 50 ppm fast; callbacks come 0.1 to 8 ms late.
        let (mut device, mut worst) = (Device::new(0.0, 1.0), 0.0_f64);
        for i in 0..5000_i64 {
            let truth = i * 21_333_333;
            let stream = (truth as f64 * 1.00005) as i64 + 1_000_000;
            let late = ((device.random() + 1.0) * 4e6) as i64 + 100_000;
            let mapped = map.monotonic(Pts(truth + late), stream);
            if i > 200 {
                worst = worst.max((mapped.0 - truth).abs() as f64 / 1e6);
            }
        }
        assert!(worst < 1.0, "{worst} ms");
        // It was set anew.
        let mut last = Pts(0);
        for i in 0..100_i64 {
            let truth = 200_000_000_000 + i * 21_333_333;
            last = map.monotonic(Pts(truth), 17 + i * 21_333_333) + -truth;
        }
        assert!(last.0.abs() < NANOS_PER_MS, "{last:?}");
    }
}
