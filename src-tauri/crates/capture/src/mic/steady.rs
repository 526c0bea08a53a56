//! Samples of any rate, with the instants they sounded at, onto the exact 48 kHz grid of the monotonic clock. A device
//! clock that drifts is followed by resampling; what comes out never drifts. Pure.

use super::stamps::Segment;
use stallcast_media::{AudioBlock, NANOS_PER_SEC, Pts, SAMPLE_RATE};
use std::collections::VecDeque;
use std::f64::consts::PI;

/// Positions between two samples that the kernel is computed for; between them it is interpolated.
const PHASES: usize = 256;
/// Half the kernel's length in samples at 48 kHz.
const HALF: usize = 16;
/// Part of the band that passes.
const BAND: f64 = 0.95;
/// Shape of the window: about 80 dB.
const KAISER: f64 = 8.0;

/// A windowed sinc for every phase.
#[derive(Debug)]
struct Kernel {
    half: usize,
    /// PHASES + 1 rows of 2 * half taps.
    taps: Vec<f32>,
}

impl Kernel {
    fn new(rate: u32) -> Self {
        // Shrinking needs a lower edge and so a longer kernel.
        let shrink = (f64::from(rate) / f64::from(SAMPLE_RATE)).max(1.0);
        let half = (HALF as f64 * shrink).ceil() as usize;
        let edge = BAND / shrink;
        let mut taps = Vec::with_capacity((PHASES + 1) * 2 * half);
        for phase in 0..=PHASES {
            let offset = phase as f64 / PHASES as f64;
            let row: Vec<f64> = (0..2 * half)
                .map(|i| {
                    let x = i as f64 - (half as f64 - 1.0) - offset;
                    let inside = (1.0 - (x / half as f64).powi(2)).max(0.0);
                    edge * sinc(edge * x) * bessel(KAISER * inside.sqrt()) / bessel(KAISER)
                })
                .collect();
            let sum: f64 = row.iter().sum();
            taps.extend(row.iter().map(|tap| (tap / sum) as f32));
        }
        Self { half, taps }
    }

    fn row(&self, phase: usize) -> &[f32] {
        &self.taps[phase * 2 * self.half..][..2 * self.half]
    }
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// Modified Bessel function of the first kind, order 0.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

/// Puts samples onto the grid.
#[derive(Debug)]
pub(super) struct Steady {
    channels: usize,
    kernel: Kernel,
    /// Interleaved input that is still needed, and the number of its first frame.
    held: VecDeque<f32>,
    first: u64,
    /// Number of the frame after the last one that has an instant.
    stamped: u64,
    /// Stretches that are not used up yet, each with the number of its first frame.
    segments: VecDeque<(u64, Segment)>,
    /// Number of the next sample of the grid.
    next: i64,
}

impl Steady {
    /// `channels` is 1 or 2.
    pub(super) fn new(rate: u32, channels: usize) -> Self {
        Self {
            channels: channels.max(1),
            kernel: Kernel::new(rate),
            held: VecDeque::new(),
            first: 0,
            stamped: 0,
            segments: VecDeque::new(),
            next: 0,
        }
    }

    /// Adds interleaved samples; their instants follow with [`Steady::stamp`].
    pub(super) fn hold(&mut self, samples: impl IntoIterator<Item = f32>) {
        // A broken driver may deliver NaN, which a filter would never forget.
        self.held.extend(samples.into_iter().map(|s| if s.is_finite() { s.clamp(-4.0, 4.0) } else { 0.0 }));
    }

    /// Gives the samples held since the last call their instants; what can be put onto the grid comes out.
    pub(super) fn stamp(&mut self, segment: Segment) -> Vec<AudioBlock> {
        let mut blocks = Vec::new();
        if segment.fresh {
            // What came before ends here: its last samples come out as if silence followed.
            blocks.extend(self.flush());
            self.next = grid_after(segment.start);
        }
        self.segments.push_back((self.stamped, segment));
        self.stamped += segment.frames as u64;
        blocks.extend(self.run(self.stamped.saturating_sub(self.kernel.half as u64)));
        blocks
    }

    /// Everything up to the last stamped sample; then forgets it.
    fn flush(&mut self) -> Option<AudioBlock> {
        let block = self.run(self.stamped);
        let gone = usize::try_from(self.stamped - self.first).unwrap_or(0) * self.channels;
        self.held.drain(..gone.min(self.held.len()));
        self.first = self.stamped;
        self.segments.clear();
        block
    }

    /// Grid samples that lie before input frame `limit`.
    fn run(&mut self, limit: u64) -> Option<AudioBlock> {
        let from = self.next;
        let mut out = Vec::new();
        while let Some((begin, segment)) = self.segments.front().copied() {
            let at = self.next as f64 * NANOS_PER_SEC as f64 / f64::from(SAMPLE_RATE);
            if at >= segment.end {
                self.segments.pop_front();
                continue;
            }
            let part = (at - segment.start).max(0.0) / (segment.end - segment.start).max(1.0);
            let position = begin as f64 + part * segment.frames as f64;
            if position >= limit as f64 {
                break;
            }
            self.interpolate(position, &mut out);
            self.next += 1;
        }
        self.forget();
        let pts = Pts::from_ticks(from, SAMPLE_RATE);
        let channels = u16::try_from(self.channels).unwrap_or(1);
        (!out.is_empty()).then_some(AudioBlock { pts, rate: SAMPLE_RATE, channels, samples: out })
    }

    fn interpolate(&mut self, position: f64, out: &mut Vec<f32>) {
        let half = self.kernel.half;
        let whole = position.floor();
        let exact = (position - whole) * PHASES as f64;
        let (phase, part) = (exact as usize, (exact - exact.floor()) as f32);
        let (a, b) = (self.kernel.row(phase), self.kernel.row((phase + 1).min(PHASES)));
        let begin = whole as i64 - (half as i64 - 1) - i64::try_from(self.first).unwrap_or(0);
        let held = self.held.make_contiguous();
        let frames = held.len() / self.channels;
        let mut sums = [0.0_f32; 2];
        // Before the beginning and behind the end there is silence.
        let (skip, most) = (usize::try_from(-begin).unwrap_or(0), usize::try_from(frames as i64 - begin).unwrap_or(0).min(2 * half));
        for i in skip..most {
            let tap = a[i] + (b[i] - a[i]) * part;
            let at = usize::try_from(begin + i as i64).unwrap_or(0) * self.channels;
            for (sum, sample) in sums.iter_mut().zip(&held[at..at + self.channels]) {
                *sum += tap * sample;
            }
        }
        out.extend(&sums[..self.channels]);
    }

    /// Lets go of input that no later sample needs.
    fn forget(&mut self) {
        let Some((begin, segment)) = self.segments.front() else { return };
        let at = self.next as f64 * NANOS_PER_SEC as f64 / f64::from(SAMPLE_RATE);
        let part = ((at - segment.start) / (segment.end - segment.start).max(1.0)).clamp(0.0, 1.0);
        let position = *begin + (part * segment.frames as f64) as u64;
        let needed = position.saturating_sub(self.kernel.half as u64);
        let gone = usize::try_from(needed.saturating_sub(self.first)).unwrap_or(0);
        let gone = gone.min(self.held.len() / self.channels);
        self.held.drain(..gone * self.channels);
        self.first += gone as u64;
    }
}

/// Number of the first sample of the grid that is not before an instant.
fn grid_after(at: f64) -> i64 {
    (at * f64::from(SAMPLE_RATE) / NANOS_PER_SEC as f64).ceil() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// Plays a sine through a device of a rate that is `ppm` fast; everything that comes out, and its first instant.
    fn sine(rate: u32, ppm: f64, hertz: f64, seconds: f64) -> (Pts, Vec<f32>) {
        let step = 1e9 / f64::from(rate) / (1.0 + ppm * 1e-6);
        let mut steady = Steady::new(rate, 1);
        let (mut n, mut out, mut first) = (0_usize, vec![], None);
        let origin = 3_000_000_017.0;
        while (n as f64) * step < seconds * 1e9 {
            let frames = 700 + n % 90;
            let start = origin + n as f64 * step;
            steady.hold((n..n + frames).map(|i| (0.5 * (TAU * hertz * i as f64 * step / 1e9).sin()) as f32));
            let blocks = steady.stamp(Segment { frames, start, end: start + frames as f64 * step, fresh: n == 0 });
            for block in blocks {
                assert_eq!(block.pts, Pts::from_ticks(first.unwrap_or(block.pts).as_ticks(SAMPLE_RATE) + out.len() as i64, SAMPLE_RATE));
                first.get_or_insert(block.pts);
                out.extend(block.samples);
            }
            n += frames;
        }
        (first.expect("something"), out)
    }

    /// Strength of everything that is not the sine itself, dB below it.
    fn purity(first: Pts, out: &[f32], hertz: f64) -> f64 {
        let out = &out[200..];
        let (mut noise, mut signal) = (0.0, 0.0);
        for (i, sample) in out.iter().enumerate() {
            let at = Pts::from_ticks(first.as_ticks(SAMPLE_RATE) + 200 + i as i64, SAMPLE_RATE).0 as f64 - 3_000_000_017.0;
            let truth = 0.5 * (TAU * hertz * at / 1e9).sin();
            noise += (f64::from(*sample) - truth).powi(2);
            signal += truth.powi(2);
        }
        10.0 * (signal / noise).log10()
    }

    #[test]
    fn a_sine_comes_out_at_its_own_time_whatever_rate_and_drift_the_device_has() {
        for (rate, ppm, hertz) in [
            (48_000, 0.0, 1000.0),
            (48_000, 300.0, 1000.0),
            (48_000, -500.0, 8000.0),
            (44_100, 40.0, 1000.0),
            (16_000, 0.0, 440.0),
            (96_000, -80.0, 5000.0),
            (32_000, 0.0, 6000.0),
        ] {
            let (first, out) = sine(rate, ppm, hertz, 2.0);
            assert!(out.len() as f64 > 1.98 * 48_000.0);
            let purity = purity(first, &out, hertz);
            assert!(purity > 60.0, "{rate} Hz {ppm} ppm {hertz} Hz: {purity:.1} dB");
        }
    }

    #[test]
    fn a_hole_stays_a_hole_and_stereo_stays_apart() {
        let mut steady = Steady::new(48_000, 2);
        let mut blocks = vec![];
        for i in 0..10 {
            let gap = if i < 5 { 0.0 } else { 100e6 };
            let start = 1e9 + f64::from(i) * 20e6 + gap;
            steady.hold((0..960).flat_map(|_| [0.25, -0.5]));
            blocks.extend(steady.stamp(Segment { frames: 960, start, end: start + 20e6, fresh: i == 0 || i == 5 }));
        }
        let gaps: Vec<i64> = blocks.windows(2).map(|w| w[1].pts - w[0].end()).filter(|gap| gap.abs() > 50_000).collect();
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        assert!((gaps[0] - 100_000_000).abs() < 50_000, "{gaps:?}");
        let middle = &blocks[2].samples;
        assert!(middle.chunks(2).all(|s| (s[0] - 0.25).abs() < 0.001 && (s[1] + 0.5).abs() < 0.001));
        assert!(steady.held.len() < 3000, "what was used is let go of");
    }

    #[test]
    fn a_drivers_nan_is_silence() {
        let mut steady = Steady::new(48_000, 1);
        steady.hold([f32::NAN; 960]);
        let blocks = steady.stamp(Segment { frames: 960, start: 1e9, end: 1.02e9, fresh: true });
        assert!(!blocks.is_empty() && blocks.iter().flat_map(|b| &b.samples).all(|s| *s == 0.0));
    }
}
