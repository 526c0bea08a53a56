use stallcast_media::{AudioBlock, SAMPLE_RATE};

/// Sample frames in one measurement: 100 ms.
const WINDOW: usize = SAMPLE_RATE as usize / 10;
/// What silence measures, dBFS.
const FLOOR_DB: f32 = -100.0;

/// One measurement of 100 ms over all channels, dBFS in -100.0..=0.0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// Loudest sample.
    pub peak_db: f32,
    /// Mean level.
    pub rms_db: f32,
}

/// Measures sound in windows of 100 ms (at 48 kHz).
#[derive(Debug, Clone, Default)]
pub struct Meter {
    peak: f32,
    squares: f64,
    samples: usize,
    frames: usize,
}

impl Meter {
    /// Nothing measured yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a block in. `Some` each time 100 ms are full; of several in one block the newest.
    pub fn push(&mut self, block: &AudioBlock) -> Option<Levels> {
        let mut levels = None;
        for frame in block.samples.chunks(usize::from(block.channels.max(1))) {
            for sample in frame {
                // A broken driver may deliver NaN; one must not blind the meter for the rest of the window.
                let level = if sample.is_finite() { sample.abs() } else { 0.0 };
                self.peak = self.peak.max(level);
                self.squares += f64::from(level) * f64::from(level);
            }
            self.samples += frame.len();
            self.frames += 1;
            if self.frames == WINDOW {
                let rms = (self.squares / self.samples as f64).sqrt() as f32;
                levels = Some(Levels { peak_db: decibels(self.peak), rms_db: decibels(rms) });
                *self = Self::default();
            }
        }
        levels
    }
}

fn decibels(level: f32) -> f32 {
    if level <= 0.0 { FLOOR_DB } else { (20.0 * level.log10()).clamp(FLOOR_DB, 0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stallcast_media::Pts;

    fn sine(amplitude: f32, frames: usize) -> AudioBlock {
        let samples = (0..frames)
            .flat_map(|i| {
                let sample = amplitude * (std::f32::consts::TAU * 1000.0 * i as f32 / 48_000.0).sin();
                [sample, sample]
            })
            .collect();
        AudioBlock { pts: Pts(0), rate: SAMPLE_RATE, channels: 2, samples }
    }

    #[test]
    fn a_sine_measures_three_decibels_below_its_peak() {
        let levels = Meter::new().push(&sine(0.5, WINDOW)).expect("one window");
        assert!((levels.peak_db + 6.02).abs() < 0.05, "{levels:?}");
        assert!((levels.rms_db + 9.03).abs() < 0.05, "{levels:?}");
    }

    #[test]
    fn windows_do_not_care_how_sound_is_cut() {
        let mut meter = Meter::new();
        let windows = (0..375).filter_map(|_| meter.push(&sine(0.1, 1024))).count();
        assert_eq!(windows, 80, "375 blocks of 1024 are eight seconds");
        assert!(Meter::new().push(&sine(0.1, WINDOW - 1)).is_none());
    }

    #[test]
    fn silence_and_garbage_have_a_level_too() {
        assert_eq!(Meter::new().push(&sine(0.0, WINDOW)), Some(Levels { peak_db: -100.0, rms_db: -100.0 }));
        let mut block = sine(0.5, WINDOW);
        block.samples[7] = f32::NAN;
        let levels = Meter::new().push(&block).expect("one window");
        assert!(levels.peak_db.is_finite() && levels.rms_db.is_finite());
        assert_eq!(Meter::new().push(&sine(4.0, WINDOW)).map(|l| l.peak_db), Some(0.0));
    }
}
