//! Writes the marker as a clip, as what a camera delivers, and as sound; right, or wrong on purpose.

use crate::marker::{self, PERIOD_S, Size};
use anyhow::{Context as _, ensure};
use std::f64::consts::TAU;
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};

/// Samples a second of the sound.
pub const RATE: u32 = 48_000;
/// Seconds a beep lasts.
pub const BEEP_S: f64 = 0.04;
/// Pitch of the beep.
pub const BEEP_HZ: f64 = 1000.0;
/// A quiet tone under everything: where it is missing, sound was lost.
pub const PILOT_HZ: f64 = 250.0;
const BEEP_LEVEL: f64 = 0.5;
const PILOT_LEVEL: f64 = 0.03;
/// Of a voice, so that the beep stays the loudest.
const VOICE_LEVEL: f64 = 0.15;

/// The sound: a 1 kHz beep every two seconds over a quiet pilot tone.
#[derive(Debug, Clone, Default)]
pub struct Sound {
    /// Milliseconds that all beeps come late.
    pub late_ms: f64,
    /// Parts per million that it is slow.
    pub slow_ppm: f64,
    /// Seconds in which nothing at all is heard.
    pub silent: Vec<Range<f64>>,
    /// Somebody speaks: what an encoder has to do for a tone alone is not what a show costs.
    pub voice: bool,
}

/// Something like a voice at sample `at`: a buzz of eleven harmonics whose pitch and loudness move, with hiss between.
fn voice(at: u64) -> f64 {
    let t = at as f64 / f64::from(RATE);
    let loud = (0.5 - 0.5 * (TAU * 2.5 * t).cos()).powi(2);
    let phase = TAU * 150.0 * t + 3.0 * (TAU * 0.7 * t).sin();
    let buzz: f64 = (1..12).map(|k| (phase * f64::from(k)).sin() / f64::from(k)).sum();
    let mixed = at.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let hiss = f64::from(((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 48) as i16) / 32_768.0;
    loud * buzz + 0.2 * (1.0 - loud) * hiss
}

impl Sound {
    fn sample(&self, at: u64) -> f64 {
        let at_s = at as f64 / f64::from(RATE);
        if self.silent.iter().any(|s| s.contains(&at_s)) {
            return 0.0;
        }
        let t = (at_s - self.late_ms / 1000.0) / (1.0 + self.slow_ppm / 1e6);
        let into = t.rem_euclid(f64::from(PERIOD_S));
        let under = PILOT_LEVEL * (TAU * PILOT_HZ * at_s).sin() + if self.voice { VOICE_LEVEL * voice(at) } else { 0.0 };
        if t < 0.0 || into >= BEEP_S {
            return under;
        }
        // 2 ms up and down: a hard edge would click over the whole spectrum.
        let edge = (into.min(BEEP_S - into) / 0.002).min(1.0);
        under + BEEP_LEVEL * edge * (TAU * BEEP_HZ * into).sin()
    }

    /// Writes a mono 16-bit WAV file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_wav(&self, path: &Path, seconds: u32) -> anyhow::Result<()> {
        let samples = u64::from(seconds) * u64::from(RATE);
        let bytes = u32::try_from(samples * 2).context("too long for a WAV file")?;
        let mut out = BufWriter::new(std::fs::File::create(path)?);
        out.write_all(b"RIFF")?;
        out.write_all(&(bytes + 36).to_le_bytes())?;
        out.write_all(b"WAVEfmt \x10\0\0\0\x01\0\x01\0")?;
        out.write_all(&RATE.to_le_bytes())?;
        out.write_all(&(RATE * 2).to_le_bytes())?;
        out.write_all(b"\x02\0\x10\0data")?;
        out.write_all(&bytes.to_le_bytes())?;
        for at in 0..samples {
            out.write_all(&((self.sample(at) * 32_767.0).round() as i16).to_le_bytes())?;
        }
        Ok(out.flush()?)
    }
}

/// A marker clip.
#[derive(Debug, Clone)]
pub struct Clip {
    /// Picture size, even.
    pub size: Size,
    /// Frames a second.
    pub fps: u32,
    /// The frame number shown in each slot. Right is 0, 1, 2…
    pub numbers: Vec<u32>,
    /// Frames from one keyframe to the next.
    pub gop: u32,
    /// Sound.
    pub sound: Sound,
}

impl Clip {
    /// A clip without fault, 2 s GOP.
    #[must_use]
    pub fn new(width: u32, height: u32, fps: u32, seconds: u32) -> Self {
        Self { size: Size::new(width, height), fps, numbers: (0..fps * seconds).collect(), gop: fps * 2, sound: Sound::default() }
    }

    /// Encodes it as H.264 and AAC; the container follows from the file's ending.
    ///
    /// # Errors
    /// ffmpeg is missing or fails.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let wav = folder.path().join("sound.wav");
        self.sound.write_wav(&wav, self.numbers.len() as u32 / self.fps)?;
        let gop = self.gop.to_string();
        let wav = wav.to_string_lossy();
        let mut args = vec!["-i", &wav, "-map", "0:v", "-map", "1:a", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "20"];
        args.extend(["-g", &gop, "-keyint_min", &gop, "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "128k"]);
        self.encode(&args, path)
    }

    /// Writes pictures only, as the imitation camera plays them: `YUYV`, `NV12` or `MJPG`.
    ///
    /// # Errors
    /// ffmpeg is missing or fails, or the format is another.
    pub fn write_camera(&self, path: &Path, fourcc: &str) -> anyhow::Result<()> {
        let args: &[&str] = match fourcc {
            "YUYV" => &["-f", "rawvideo", "-pix_fmt", "yuyv422"],
            "NV12" => &["-f", "rawvideo", "-pix_fmt", "nv12"],
            "MJPG" => &["-f", "mjpeg", "-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj422p"],
            other => anyhow::bail!("no format {other}"),
        };
        self.encode(args, path)
    }

    fn encode(&self, args: &[&str], path: &Path) -> anyhow::Result<()> {
        let mut ffmpeg = Command::new("ffmpeg")
            .args(["-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-color_range", "tv"])
            .args([
                "-video_size",
                &format!("{}x{}", self.size.width, self.size.height),
                "-framerate",
                &self.fps.to_string(),
                "-i",
                "pipe:0",
            ])
            .args(args)
            .arg(path)
            .stdin(Stdio::piped())
            .spawn()
            .context("ffmpeg does not start")?;
        let mut pipe = ffmpeg.stdin.take().context("no pipe")?;
        let mut picture = vec![0; (self.size.width * self.size.height * 3 / 2) as usize];
        for number in &self.numbers {
            marker::draw(*number, marker::flashes(*number, self.fps), self.size, &mut picture);
            // If ffmpeg ended, its status says more than the broken pipe.
            if pipe.write_all(&picture).is_err() {
                break;
            }
        }
        drop(pipe);
        ensure!(ffmpeg.wait()?.success(), "ffmpeg could not write {}", path.display());
        Ok(())
    }
}
