use stallcast_media::{AudioBlock, SAMPLE_RATE};

/// Sample frames a mute fades over: 10 ms, short for a person, long enough not to click.
const RAMP: u32 = SAMPLE_RATE / 100;
/// −1.5 dBFS: what lossy coding adds to peaks still fits under full scale.
const CEILING: f32 = 0.841_395_1;
/// Where the limiter begins to bend, −6 dBFS.
const KNEE: f32 = 0.5;
/// The limiter lets go to 1/e in 80 ms.
const RELEASE: f32 = 0.999_739_6;

/// Mixes microphone and music into the program's sound: 48 kHz stereo, never above −1.5 dBFS.
#[derive(Debug, Clone)]
pub struct Mixer {
    muted: bool,
    /// Steps of the fade done: 0 is silence, [`RAMP`] is full.
    open: u32,
    /// Recent peak that the limiter works against.
    envelope: f32,
}

impl Default for Mixer {
    fn default() -> Self {
        Self { muted: false, open: RAMP, envelope: 0.0 }
    }
}

impl Mixer {
    /// An open microphone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Closes or opens the microphone; fades over 10 ms from the next block on.
    pub const fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Is the microphone closed?
    #[must_use]
    pub const fn is_muted(&self) -> bool {
        self.muted
    }

    /// One block of program sound with the instant and length of `mic`. Mono becomes stereo; music shorter than `mic`
    /// is silent at its end. Music is not muted.
    #[must_use]
    pub fn mix(&mut self, mic: &AudioBlock, music: Option<&AudioBlock>) -> AudioBlock {
        let frames = mic.frames();
        let mut samples = Vec::with_capacity(frames * 2);
        for i in 0..frames {
            self.open = if self.muted { self.open.saturating_sub(1) } else { (self.open + 1).min(RAMP) };
            let gain = self.open as f32 / RAMP as f32;
            let (mut left, mut right) = frame(mic, i);
            left *= gain;
            right *= gain;
            if let Some(music) = music {
                let (l, r) = frame(music, i);
                left += l;
                right += r;
            }
            let limit = self.limit(left.abs().max(right.abs()));
            samples.extend([left * limit, right * limit]);
        }
        AudioBlock { pts: mic.pts, rate: SAMPLE_RATE, channels: 2, samples }
    }

    /// Gain that keeps a frame of this peak under the ceiling. Both channels get the same, so the place of a sound
    /// does not move. The envelope is never below the peak, so neither is the result ever above the ceiling.
    fn limit(&mut self, peak: f32) -> f32 {
        self.envelope = peak.max(self.envelope * RELEASE);
        if self.envelope <= KNEE {
            return 1.0;
        }
        let room = CEILING - KNEE;
        (KNEE + room * ((self.envelope - KNEE) / room).tanh()) / self.envelope
    }
}

/// Left and right of sample frame `i`; silence beyond the end, and for what is no number.
fn frame(block: &AudioBlock, i: usize) -> (f32, f32) {
    let channels = usize::from(block.channels.max(1));
    let sample = |channel: usize| {
        let value = block.samples.get(i * channels + channel).copied().unwrap_or(0.0);
        if value.is_finite() { value } else { 0.0 }
    };
    (sample(0), sample(usize::from(channels > 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use stallcast_media::Pts;

    fn block(channels: u16, samples: Vec<f32>) -> AudioBlock {
        AudioBlock { pts: Pts(7), rate: SAMPLE_RATE, channels, samples }
    }

    #[test]
    fn quiet_sound_passes_untouched() {
        let mic = block(2, (0..2048_u16).map(|i| f32::from(i % 97) / 300.0 - 0.16).collect());
        let out = Mixer::new().mix(&mic, None);
        assert_eq!(out.samples, mic.samples);
        assert_eq!((out.pts, out.channels, out.rate), (Pts(7), 2, SAMPLE_RATE));
    }

    #[test]
    fn mono_goes_to_both_sides_and_music_is_added() {
        let out = Mixer::new().mix(&block(1, vec![0.25; 4]), Some(&block(2, vec![0.125, -0.125, 0.0, 0.0])));
        assert_eq!(out.samples, [0.375, 0.125, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25]);
    }

    #[test]
    fn muting_fades_over_ten_milliseconds_and_music_goes_on() {
        let mut mixer = Mixer::new();
        mixer.set_muted(true);
        let mic = block(1, vec![0.4; 1024]);
        let out = mixer.mix(&mic, None).samples;
        let steps: Vec<f32> = out.chunks(2).map(|f| f[0]).collect();
        assert!(steps.windows(2).all(|pair| (pair[0] - pair[1]).abs() <= 0.4 / 480.0 + 1e-6), "no step that clicks");
        assert!(steps[478] > 0.0 && steps[480..].iter().all(|s| *s == 0.0));
        let music = block(2, vec![0.2; 2048]);
        assert!(mixer.mix(&mic, Some(&music)).samples.iter().all(|s| *s == 0.2));
        mixer.set_muted(false);
        let back = mixer.mix(&mic, None).samples;
        assert!(back[0] < 0.01 && back[2 * 480] == 0.4);
    }

    #[test]
    fn loud_sound_is_held_under_the_ceiling_and_let_go_again() {
        let mut mixer = Mixer::new();
        let loud = mixer.mix(&block(1, vec![1.0; 1024]), Some(&block(1, vec![1.0; 1024])));
        assert!(loud.samples.iter().all(|s| *s <= CEILING && *s > 0.8), "limited, not squashed");
        let mut last = 0.0;
        for _ in 0..20 {
            last = *mixer.mix(&block(1, vec![0.3; 1024]), None).samples.last().expect("not empty");
        }
        assert_eq!(last, 0.3, "full gain again within half a second");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nothing_is_ever_above_the_ceiling(
            mic in prop::collection::vec(-8.0_f32..8.0, 0..400),
            music in prop::collection::vec(prop::num::f32::ANY, 0..400),
            muted in any::<bool>(),
        ) {
            let mut mixer = Mixer::new();
            mixer.set_muted(muted);
            let music = block(2, music.into_iter().map(|s| s.clamp(-1e6, 1e6)).collect());
            for sample in mixer.mix(&block(1, mic), Some(&music)).samples {
                prop_assert!(sample.abs() <= CEILING + 1e-6);
            }
        }
    }
}
