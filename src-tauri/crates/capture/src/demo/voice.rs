//! The demo's sound: a quiet humming voice made of glottal pulses through two formants, and a soft blip at every full
//! second. One phrase of eight seconds, computed once and repeated without a seam.

use stallcast_media::{NANOS_PER_MS, SAMPLE_RATE};
use std::f32::consts::TAU;

const RATE: usize = SAMPLE_RATE as usize;
/// Seconds of the phrase.
const PHRASE: usize = 8;
/// Loudest sample of the voice: about -20 dBFS, quiet enough to talk over.
const VOICE_PEAK: f32 = 0.10;
const BLIP_PEAK: f32 = 0.16;
const BLIP_HZ: f32 = 880.0;
/// First two formants of a, e, i, o, u, Hz.
const VOWELS: [(f32, f32); 5] = [(730.0, 1090.0), (530.0, 1840.0), (300.0, 2300.0), (500.0, 880.0), (320.0, 800.0)];
/// Syllables: tenths of a second from the start, length in tenths, vowel, pitch in Hz.
const SYLLABLES: [(usize, usize, usize, f32); 18] = [
    (2, 2, 0, 196.0),
    (4, 2, 3, 220.0),
    (6, 3, 2, 247.0),
    (12, 2, 1, 220.0),
    (14, 4, 0, 196.0),
    (22, 2, 4, 165.0),
    (24, 2, 0, 196.0),
    (26, 3, 1, 220.0),
    (33, 5, 3, 175.0),
    (42, 2, 0, 196.0),
    (44, 2, 2, 247.0),
    (46, 3, 0, 262.0),
    (52, 2, 3, 247.0),
    (54, 4, 1, 220.0),
    (62, 2, 0, 196.0),
    (64, 2, 4, 175.0),
    (66, 3, 3, 165.0),
    (73, 5, 0, 147.0),
];

/// The phrase, mono.
pub(super) struct Voice {
    samples: Vec<f32>,
}

impl Voice {
    pub(super) fn new() -> Self {
        let mut samples = vec![0.0; PHRASE * RATE];
        for (from, length, vowel, pitch) in SYLLABLES {
            syllable(&mut samples[from * RATE / 10..][..length * RATE / 10], VOWELS[vowel], pitch);
        }
        for second in 0..PHRASE {
            blip(&mut samples[second * RATE..]);
        }
        Self { samples }
    }

    /// Sample frames `from..from + frames` counted from the start of the demo.
    pub(super) fn read(&self, from: i64, frames: usize) -> Vec<f32> {
        let length = self.samples.len();
        let start = usize::try_from(from.rem_euclid(length as i64)).unwrap_or(0);
        self.samples.iter().cycle().skip(start).take(frames).copied().collect()
    }
}

fn blip(out: &mut [f32]) {
    let length = usize::try_from(super::picture::FLASH / NANOS_PER_MS).unwrap_or(0) * RATE / 1000;
    for (i, sample) in out.iter_mut().take(length).enumerate() {
        let t = i as f32 / RATE as f32;
        // 2 ms of attack keep it soft and its beginning sharp enough to be measured.
        let envelope = (t / 0.002).min(1.0) * (1.0 - i as f32 / length as f32).powi(2);
        *sample += BLIP_PEAK * envelope * (TAU * BLIP_HZ * t).sin();
    }
}

fn syllable(out: &mut [f32], (low, high): (f32, f32), pitch: f32) {
    let mut formants = [Resonator::new(low, 90.0), Resonator::new(high, 130.0)];
    let mut phase = 0.0_f32;
    let length = out.len() as f32;
    for (i, sample) in out.iter_mut().enumerate() {
        let part = i as f32 / length;
        // The pitch glides down a little and trembles, as a voice does.
        let vibrato = 1.0 + 0.008 * (TAU * 5.2 * i as f32 / RATE as f32).sin();
        phase = (phase + pitch * (1.04 - 0.08 * part) * vibrato / RATE as f32).fract();
        // A glottal pulse: opens slowly, closes fast, rests.
        let pulse = if phase < 0.5 { (TAU * phase).sin().max(0.0) * phase * 2.0 } else { 0.0 };
        let envelope = (part * 6.0).min(1.0) * ((1.0 - part) * 4.0).min(1.0);
        let [first, second] = &mut formants;
        *sample = envelope * (first.filter(pulse) + 0.5 * second.filter(pulse));
    }
    let peak = out.iter().fold(1e-6_f32, |peak, s| peak.max(s.abs()));
    for sample in out {
        *sample *= VOICE_PEAK / peak;
    }
}

/// A two-pole resonance.
struct Resonator {
    a1: f32,
    a2: f32,
    gain: f32,
    y1: f32,
    y2: f32,
}

impl Resonator {
    fn new(hz: f32, bandwidth: f32) -> Self {
        let r = (-std::f32::consts::PI * bandwidth / RATE as f32).exp();
        let (sin, cos) = (TAU * hz / RATE as f32).sin_cos();
        // Gain 1 at the resonance.
        Self { a1: 2.0 * r * cos, a2: -r * r, gain: (1.0 - r) * 2.0 * sin, y1: 0.0, y2: 0.0 }
    }

    fn filter(&mut self, x: f32) -> f32 {
        let y = self.gain * x + self.a1 * self.y1 + self.a2 * self.y2;
        self.y2 = self.y1;
        self.y1 = y;
        y
    }
}
