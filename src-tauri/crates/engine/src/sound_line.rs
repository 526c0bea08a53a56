use stallcast_media::{AudioBlock, Pts, SAMPLE_RATE};
use std::collections::VecDeque;

/// Sample frames kept behind the reader: what a show that begins may still need, and D.
const BEHIND: i64 = SAMPLE_RATE as i64;
/// Sample frames kept at all: what a source may deliver at once after a stall.
const MOST: i64 = 4 * SAMPLE_RATE as i64;
/// Stamps this close to the expected sample are jitter of the driver, not sound that moved.
const SNAP: i64 = SAMPLE_RATE as i64 * 60 / 1000;
/// A mean difference beyond this is real and is put right.
const REPLACE: f64 = SAMPLE_RATE as f64 * 0.015;
/// Part of a new difference that goes into the mean.
const SMOOTH: f64 = 0.02;

/// Stereo sound of one source at 48 kHz, addressed by time: sample `n` sounds at `n`/48000 s of the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct SoundLine {
    samples: VecDeque<[f32; 2]>,
    /// Number of the first sample held.
    first: i64,
    /// Mean difference between stamps and the running count.
    drift: f64,
    begun: bool,
    /// Sample frames of silence put in or sound taken out to follow the stamps.
    spliced: u64,
}

/// What a stretch of the line was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Filled {
    /// Sample frames that were not there and became silence.
    pub(crate) silent: u64,
}

/// Number of the sample at an instant.
pub(crate) fn sample_at(at: Pts) -> i64 {
    at.as_ticks(SAMPLE_RATE)
}

impl SoundLine {
    /// Number just after the last sample held.
    pub(crate) fn end(&self) -> i64 {
        self.first + i64::try_from(self.samples.len()).unwrap_or(0)
    }

    /// Sample frames that splicing added or removed so far.
    pub(crate) fn spliced(&self) -> u64 {
        self.spliced
    }

    /// Forgets everything: another source follows.
    pub(crate) fn clear(&mut self) {
        *self = Self { spliced: self.spliced, ..Self::default() };
    }

    /// Adds what a source delivered. Blocks of another rate are refused (sources deliver 48 kHz).
    pub(crate) fn push(&mut self, block: &AudioBlock) {
        if block.rate != SAMPLE_RATE || !(1..=2).contains(&block.channels) || block.samples.is_empty() {
            return;
        }
        let at = sample_at(block.pts);
        let mut skip = 0;
        if !self.begun {
            self.begun = true;
            self.first = at;
            self.samples.clear();
        } else {
            let off = at - self.end();
            if off.abs() <= SNAP {
                self.drift += (off as f64 - self.drift) * SMOOTH;
                if self.drift.abs() > REPLACE {
                    skip = self.splice(self.drift as i64);
                    self.drift = 0.0;
                }
            } else {
                skip = self.splice(off);
                self.drift = 0.0;
            }
        }
        let skip = usize::try_from(skip).unwrap_or(0);
        if block.channels == 2 {
            self.samples.extend(block.samples.chunks_exact(2).skip(skip).map(|s| [s[0], s[1]]));
        } else {
            self.samples.extend(block.samples.iter().skip(skip).map(|s| [*s, *s]));
        }
        while self.end() - self.first > MOST {
            self.samples.pop_front();
            self.first += 1;
        }
    }

    /// Moves the end by `off`: silence for a hole, or the number of sample frames to leave out for an overlap.
    fn splice(&mut self, off: i64) -> i64 {
        self.spliced += off.unsigned_abs();
        if !(-MOST..=MOST).contains(&off) {
            // The source's clock jumped: begin anew at its stamp.
            self.first = self.end() + off;
            self.samples.clear();
            return 0;
        }
        for _ in 0..off {
            self.samples.push_back([0.0; 2]);
        }
        (-off).max(0)
    }

    /// `out.len()` sample frames from the fractional number `from` on, `step` apart (1.0 as they are; near 1.0 to follow
    /// a D that grew). What is not there is silence and counted.
    pub(crate) fn read(&self, from: f64, step: f64, out: &mut [[f32; 2]]) -> Filled {
        let mut silent = 0;
        let straight = step == 1.0 && from.fract() == 0.0;
        for (i, slot) in out.iter_mut().enumerate() {
            let at = from + i as f64 * step;
            let whole = at.floor();
            let Some(a) = self.sample(whole as i64) else {
                *slot = [0.0; 2];
                silent += 1;
                continue;
            };
            *slot = if straight {
                a
            } else {
                let b = self.sample(whole as i64 + 1).unwrap_or(a);
                let part = (at - whole) as f32;
                [a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part]
            };
        }
        Filled { silent }
    }

    fn sample(&self, number: i64) -> Option<[f32; 2]> {
        usize::try_from(number - self.first).ok().and_then(|i| self.samples.get(i)).copied()
    }

    /// Forgets what lies more than a second before `reader`.
    pub(crate) fn forget_before(&mut self, reader: i64) {
        let keep_from = reader - BEHIND;
        let gone = usize::try_from(keep_from - self.first).unwrap_or(0).min(self.samples.len());
        self.samples.drain(..gone);
        self.first += i64::try_from(gone).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block whose samples carry their own number.
    fn block(from: i64, frames: i64, stamp_off: i64) -> AudioBlock {
        let samples = (from..from + frames).map(|n| n as f32 / 1e6).collect();
        AudioBlock { pts: Pts::from_ticks(from + stamp_off, SAMPLE_RATE), rate: SAMPLE_RATE, channels: 1, samples }
    }

    fn read(line: &SoundLine, from: i64, frames: usize) -> (Vec<i64>, u64) {
        let mut out = vec![[0.0; 2]; frames];
        let filled = line.read(from as f64, 1.0, &mut out);
        (out.iter().map(|s| (f64::from(s[0]) * 1e6).round() as i64).collect(), filled.silent)
    }

    #[test]
    fn jitter_of_stamps_moves_no_sample() {
        let mut line = SoundLine::default();
        for i in 0..100 {
            line.push(&block(10_000 + i * 480, 480, if i % 2 == 0 { 300 } else { -300 } * i64::from(i > 0)));
        }
        let (got, silent) = read(&line, 20_000, 1024);
        assert_eq!(silent, 0);
        assert_eq!(got, (20_000..21_024).collect::<Vec<_>>());
        assert_eq!(line.spliced(), 0);
    }

    #[test]
    fn a_hole_is_silence_of_its_own_length_and_what_follows_keeps_its_time() {
        let mut line = SoundLine::default();
        line.push(&block(10_000, 4800, 0));
        line.push(&block(24_800, 4800, 0));
        let (got, _) = read(&line, 14_799, 3);
        assert_eq!(got, [14_799, 0, 0]);
        let (got, silent) = read(&line, 24_800, 100);
        assert_eq!((got, silent), ((24_800..24_900).collect(), 0));
        assert_eq!(read(&line, 29_590, 20).1, 10, "what has not come yet is counted");
    }

    #[test]
    fn a_lasting_difference_is_put_right() {
        let mut line = SoundLine::default();
        // The stamps say for good that the sound is 25 ms later than the count.
        for i in 0..200 {
            line.push(&block(i * 480, 480, if i < 10 { 0 } else { 1200 }));
        }
        assert!((700..=1300).contains(&line.spliced()), "{}", line.spliced());
    }

    #[test]
    fn a_clock_that_jumps_begins_anew_and_memory_stays_bounded() {
        let mut line = SoundLine::default();
        line.push(&block(10_000, 480, 0));
        line.push(&block(100_000_000, 480, 0));
        assert_eq!(line.end(), 100_000_480);
        assert_eq!(read(&line, 100_000_000, 480).1, 0);
        line.push(&block(10_000, 480, 0));
        assert_eq!(line.end(), 10_480);
        for i in 0..2000 {
            line.push(&block(10_480 + i * 480, 480, 0));
        }
        assert!(line.samples.len() as i64 <= MOST);
        line.forget_before(line.end());
        assert_eq!(line.samples.len() as i64, BEHIND);
    }

    #[test]
    fn reading_between_samples_interpolates() {
        let mut line = SoundLine::default();
        line.push(&block(0, 2000, 0));
        let mut out = [[0.0; 2]; 2];
        line.read(100.5, 0.995, &mut out);
        assert!((f64::from(out[0][0]) * 1e6 - 100.5).abs() < 0.1);
        assert!((f64::from(out[1][0]) * 1e6 - 101.495).abs() < 0.1);
    }
}
