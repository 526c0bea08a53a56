//! Offset, drift, repeated and missing frames, holes in the sound: what became of the marker on its way.

use crate::clip::{BEEP_HZ, BEEP_S, PILOT_HZ, RATE};
use crate::decode::{self, Block};
use crate::figures;
use crate::marker::{self, PERIOD_S, Size};
use crate::packets;
use anyhow::ensure;
use std::f64::consts::TAU;
use std::fmt;
use std::path::Path;

/// Side of the shorter edge at which pictures are read.
const READ_AT: f64 = 180.0;
/// A flash and a beep farther apart than this do not belong together.
const PAIR_S: f64 = 0.5;
/// Windows in which the pilot tone is listened for.
const LISTEN: usize = 240;
/// Silence at the ends that an encoder may have added: two AAC frames.
const PADDING_S: f64 = 0.045;

/// How the marker was made and where it loops.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    /// Size at which it was drawn; `None`: it is found out among the usual shapes.
    pub size: Option<Size>,
    /// After this many frames the numbers begin again; `None`: they do not.
    pub loops_after: Option<u32>,
}

impl Made {
    /// Drawn at this size, not looped.
    #[must_use]
    pub const fn at(width: u32, height: u32) -> Self {
        Self { size: Some(Size::new(width, height)), loops_after: None }
    }

    /// The same, with numbers that begin again after `frames`.
    #[must_use]
    pub const fn looped(mut self, frames: u32) -> Self {
        self.loops_after = Some(frames);
        self
    }
}

/// What was found. Offsets are milliseconds, positive when the sound is late.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Pictures decoded.
    pub frames: usize,
    /// Pictures without a readable number.
    pub unreadable: usize,
    /// Pictures that show the number before them again.
    pub repeated: usize,
    /// Numbers left out.
    pub missing: u64,
    /// Pictures older than the one before.
    pub backwards: usize,
    /// First and last number.
    pub numbers: Option<(u32, u32)>,
    /// Flashes seen.
    pub flashes: usize,
    /// Beeps heard.
    pub beeps: usize,
    /// Offset of each flash with a beep, and the second at which it was seen.
    pub offsets: Vec<(f64, f64)>,
    /// Seconds at which the sound stops and how long it is gone, from 5 ms on.
    pub holes: Vec<(f64, f64)>,
    /// Seconds from the first picture to the last.
    pub span_s: f64,
}

impl Report {
    fn values(&self) -> Vec<f64> {
        self.offsets.iter().map(|(_, ms)| *ms).collect()
    }

    /// Mean offset, ms.
    #[must_use]
    pub fn offset_ms(&self) -> f64 {
        figures::mean(&self.values())
    }

    /// The largest distance of an offset from zero, ms.
    #[must_use]
    pub fn worst_ms(&self) -> f64 {
        self.values().into_iter().map(f64::abs).fold(0.0, f64::max)
    }

    /// 95th percentile of the offsets' distance from zero, ms.
    #[must_use]
    pub fn p95_ms(&self) -> f64 {
        let distances: Vec<f64> = self.values().into_iter().map(f64::abs).collect();
        figures::percentile(&distances, 95.0)
    }

    /// 95th percentile of the offsets' distance from their median, ms.
    #[must_use]
    pub fn jitter_p95_ms(&self) -> f64 {
        let values = self.values();
        let middle = figures::median(&values);
        let distances: Vec<f64> = values.into_iter().map(|v| (v - middle).abs()).collect();
        figures::percentile(&distances, 95.0)
    }

    /// How fast the sound falls behind the picture, parts per million.
    #[must_use]
    pub fn drift_ppm(&self) -> f64 {
        figures::slope(&self.offsets) * 1000.0
    }

    /// Repeated and missing frames of all that should have come, per cent.
    #[must_use]
    pub fn wrong_percent(&self) -> f64 {
        let expected = self.frames as u64 + self.missing;
        if expected == 0 { 100.0 } else { (self.repeated as u64 + self.missing + self.backwards as u64) as f64 * 100.0 / expected as f64 }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "frames     {} in {:.3} s, {} unreadable, numbers {:?}", self.frames, self.span_s, self.unreadable, self.numbers)?;
        writeln!(f, "repeated   {}", self.repeated)?;
        writeln!(f, "missing    {}", self.missing)?;
        writeln!(f, "backwards  {}", self.backwards)?;
        writeln!(f, "wrong      {:.3} %", self.wrong_percent())?;
        writeln!(f, "flashes    {}, beeps {}, pairs {}", self.flashes, self.beeps, self.offsets.len())?;
        let values = self.values();
        let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
        if !values.is_empty() {
            writeln!(
                f,
                "offset     mean {:+.1} ms, p95 {:.1}, min {least:+.1}, max {most:+.1} (positive: sound late)",
                self.offset_ms(),
                self.p95_ms()
            )?;
            writeln!(f, "jitter     p95 {:.1} ms", self.jitter_p95_ms())?;
            writeln!(f, "drift      {:+.0} ppm = {:+.1} ms an hour", self.drift_ppm(), self.drift_ppm() * 3.6)?;
        }
        let lost: f64 = self.holes.iter().map(|(_, s)| s).sum();
        writeln!(f, "holes      {} in the sound, {:.3} s", self.holes.len(), lost)?;
        for (at, length) in self.holes.iter().take(20) {
            writeln!(f, "           {:.3} s at {at:.3} s", length)?;
        }
        Ok(())
    }
}

/// Reads a recording of the marker.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path, made: Made) -> anyhow::Result<Report> {
    let probe = packets::read(path)?;
    let whole = Size::new(probe.video.width, probe.video.height);
    let pictures = read_pictures(path, whole, made.size)?;
    let sound = decode::sound(path)?;
    let mut report = Report { frames: pictures.len(), ..Report::default() };
    count_numbers(&mut report, &pictures, made.loops_after);
    if let (Some(first), Some(last)) = (pictures.first(), pictures.last()) {
        report.span_s = last.0 - first.0;
    }
    let flashes: Vec<f64> = pictures.windows(2).filter(|p| p[1].1.flash && !p[0].1.flash).map(|p| p[1].0).collect();
    let beeps = beeps(&sound);
    report.flashes = flashes.len();
    report.beeps = beeps.len();
    for flash in flashes {
        let nearest = beeps.iter().map(|beep| beep - flash).min_by(|a, b| a.abs().total_cmp(&b.abs()));
        if let Some(offset) = nearest.filter(|o| o.abs() < PAIR_S) {
            report.offsets.push((flash, offset * 1000.0));
        }
    }
    report.holes = holes(&sound);
    Ok(report)
}

/// Shapes a clip or a camera usually has.
const SHAPES: [Size; 5] = [Size::new(16, 9), Size::new(9, 16), Size::new(4, 3), Size::new(3, 4), Size::new(1, 1)];

/// Second and reading of every picture. `whole` is the picture's size, `made` the size at which it was drawn.
///
/// # Errors
/// The file cannot be read.
pub fn read_pictures(path: &Path, whole: Size, made: Option<Size>) -> anyhow::Result<Vec<(f64, marker::Reading)>> {
    ensure!(whole.width > 0 && whole.height > 0, "{} has no picture", path.display());
    let scale = (READ_AT / f64::from(whole.width.min(whole.height))).min(1.0);
    let side = |n: u32| ((f64::from(n) * scale / 2.0).round() * 2.0) as u32;
    let size = Size::new(side(whole.width), side(whole.height));
    let candidates: Vec<Size> = made.map_or_else(|| [whole].into_iter().chain(SHAPES).collect(), |made| vec![made]);
    let all = decode::pictures(path, size, |luma| candidates.iter().map(|made| marker::read(luma, size, *made)).collect::<Vec<_>>())?;
    let readable = |n: usize| all.iter().filter(|(_, readings)| readings.get(n).is_some_and(|r| r.number.is_some())).count();
    // The first of the best: the picture's own shape before others.
    let best = (0..candidates.len()).rev().max_by_key(|n| readable(*n)).unwrap_or(0);
    Ok(all.into_iter().filter_map(|(at, readings)| Some((at, *readings.get(best)?))).collect())
}

fn count_numbers(report: &mut Report, pictures: &[(f64, marker::Reading)], loops_after: Option<u32>) {
    let mut before: Option<u32> = None;
    // Pictures without a number since the last readable one: their numbers are not missing.
    let mut unread: u64 = 0;
    for (_, reading) in pictures {
        let Some(number) = reading.number else {
            report.unreadable += 1;
            unread += 1;
            continue;
        };
        if let Some(before) = before {
            let ahead = match loops_after {
                Some(frames) => {
                    let ahead = (i64::from(number) - i64::from(before)).rem_euclid(i64::from(frames));
                    // Half a loop or more ahead is behind.
                    if ahead > i64::from(frames) / 2 { ahead - i64::from(frames) } else { ahead }
                }
                None => i64::from(number) - i64::from(before),
            };
            match u64::try_from(ahead) {
                Ok(0) => report.repeated += 1,
                Ok(ahead) => report.missing += (ahead - 1).saturating_sub(unread),
                Err(_) => report.backwards += 1,
            }
        }
        unread = 0;
        before = Some(number);
        report.numbers = Some((report.numbers.map_or(number, |(first, _)| first), number));
    }
}

/// A sample and the second it belongs to, without holes filled.
fn level_at(sound: &[Block], hz: f64, window: usize) -> Vec<(f64, f64)> {
    let mut out = vec![];
    // Stretches without a hole in their times are listened to as one.
    for stretch in sound.chunk_by(|a, b| (b.at_s - a.at_s - a.samples.len() as f64 / f64::from(RATE)).abs() < 0.002) {
        let Some(first) = stretch.first() else { continue };
        let samples: Vec<f32> = stretch.iter().flat_map(|b| b.samples.iter().copied()).collect();
        let (mut re, mut im) = (vec![0.0; samples.len() + 1], vec![0.0; samples.len() + 1]);
        for (n, sample) in samples.iter().enumerate() {
            let turn = TAU * hz * n as f64 / f64::from(RATE);
            re[n + 1] = re[n] + f64::from(*sample) * turn.cos();
            im[n + 1] = im[n] + f64::from(*sample) * turn.sin();
        }
        for n in 0..samples.len().saturating_sub(window) {
            let level = (re[n + window] - re[n]).hypot(im[n + window] - im[n]) * 2.0 / window as f64;
            out.push((first.at_s + n as f64 / f64::from(RATE), level));
        }
    }
    out
}

/// Seconds at which a beep begins: where a window as long as the beep holds most of its tone.
fn beeps(sound: &[Block]) -> Vec<f64> {
    let window = (BEEP_S * f64::from(RATE)) as usize;
    let levels = level_at(sound, BEEP_HZ, window);
    let loudest = levels.iter().map(|(_, l)| *l).fold(0.0, f64::max);
    if loudest < 0.02 {
        return vec![];
    }
    let mut found = vec![];
    // One beep is one stretch above half of the loudest; its middle is where the window lies on the beep.
    for stretch in levels.chunk_by(|a, b| (a.1 > loudest / 2.0) == (b.1 > loudest / 2.0)) {
        if let (Some(first), Some(last)) = (stretch.first(), stretch.last())
            && first.1 > loudest / 2.0
            && last.0 - first.0 < f64::from(PERIOD_S) / 4.0
        {
            found.push((first.0 + last.0) / 2.0);
        }
    }
    found
}

/// Stretches of 5 ms and more in which the pilot tone is missing. At both ends an encoder may add some silence.
fn holes(sound: &[Block]) -> Vec<(f64, f64)> {
    let levels = level_at(sound, PILOT_HZ, LISTEN * 4);
    let middle = figures::median(&levels.iter().step_by(LISTEN).map(|(_, l)| *l).collect::<Vec<_>>());
    let mut found = vec![];
    if middle < 0.001 {
        // No pilot: nothing was lost of what was never there. The caller sees that there are no beeps either.
        return found;
    }
    let window_s = (LISTEN * 4) as f64 / f64::from(RATE);
    for stretch in levels.chunk_by(|a, b| (a.1 < middle / 4.0) == (b.1 < middle / 4.0)) {
        if let (Some(first), Some(last)) = (stretch.first(), stretch.last())
            && first.1 < middle / 4.0
        {
            // The window must lie three quarters in silence to fall below a quarter.
            let length = last.0 - first.0 + window_s / 2.0;
            let at_start = levels.first().is_some_and(|l| last.0 < l.0 + PADDING_S);
            let at_end = levels.last().is_some_and(|l| first.0 > l.0 - PADDING_S);
            if !at_start && !at_end {
                found.push((first.0 + window_s / 4.0, length));
            }
        }
    }
    // Holes in the times themselves.
    for pair in sound.windows(2) {
        let gap = pair[1].at_s - pair[0].at_s - pair[0].samples.len() as f64 / f64::from(RATE);
        if gap > 0.005 {
            found.push((pair[1].at_s - gap, gap));
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    // At the edge of its threshold one hole looks like several.
    let mut holes: Vec<(f64, f64)> = vec![];
    for (at, length) in found {
        match holes.last_mut() {
            Some((from, long)) if at < *from + *long + window_s => *long = (at + length - *from).max(*long),
            _ => holes.push((at, length)),
        }
    }
    holes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::{Clip, Sound};

    fn report(clip: &Clip, ending: &str) -> anyhow::Result<Report> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(format!("clip.{ending}"));
        clip.write(&path)?;
        read(&path, Made { size: None, loops_after: None })
    }

    #[test]
    fn a_right_clip_has_no_fault_in_any_container() -> anyhow::Result<()> {
        for ending in ["mp4", "flv", "ts"] {
            let found = report(&Clip::new(320, 240, 30, 8), ending)?;
            assert_eq!(
                (found.frames, found.unreadable, found.repeated, found.missing, found.backwards),
                (240, 0, 0, 0, 0),
                "{ending}\n{found}"
            );
            assert_eq!(found.numbers, Some((0, 239)));
            // The first flash begins with the file: nothing dark is before it.
            assert_eq!((found.flashes, found.offsets.len()), (3, 3), "{ending}\n{found}");
            assert!(found.worst_ms() < 3.0 && found.jitter_p95_ms() < 1.5, "{ending}\n{found}");
            assert_eq!(found.holes, [], "{ending}\n{found}");
        }
        Ok(())
    }

    #[test]
    fn late_and_early_sound_is_measured() -> anyhow::Result<()> {
        for late_ms in [80.0, -60.0, 7.0] {
            let clip = Clip { sound: Sound { late_ms, ..Sound::default() }, ..Clip::new(320, 240, 30, 8) };
            let found = report(&clip, "mp4")?;
            assert!((found.offset_ms() - late_ms).abs() < 2.0, "{late_ms}\n{found}");
        }
        Ok(())
    }

    #[test]
    fn drift_is_measured() -> anyhow::Result<()> {
        // 2000 ppm over 20 s are 40 ms.
        let clip = Clip { sound: Sound { slow_ppm: 2000.0, ..Sound::default() }, ..Clip::new(160, 120, 30, 20) };
        let found = report(&clip, "mp4")?;
        assert!((found.drift_ppm() - 2000.0).abs() < 150.0, "{found}");
        assert!(found.worst_ms() > 30.0, "{found}");
        Ok(())
    }

    #[test]
    fn repeated_missing_and_swapped_frames_are_counted() -> anyhow::Result<()> {
        let mut clip = Clip::new(160, 120, 30, 4);
        clip.numbers[10] = 9; // shown twice, and its own number never
        clip.numbers[50] = 51; // 50 is missing, 51 comes twice
        clip.numbers.swap(70, 71);
        let found = report(&clip, "mp4")?;
        assert_eq!((found.repeated, found.backwards, found.unreadable), (2, 1, 0), "{found}");
        // 10 and 50; before the swapped pair one is jumped over, after it one more.
        assert_eq!(found.missing, 4, "{found}");
        assert!(found.wrong_percent() > 1.0);
        Ok(())
    }

    #[test]
    fn the_shape_is_found_out_where_nobody_says() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (wide, tall) = (folder.path().join("wide.mp4"), folder.path().join("tall.mp4"));
        Clip::new(320, 180, 30, 2).write(&wide)?;
        let filter = "scale=-2:640,crop=360:640";
        let made =
            std::process::Command::new("ffmpeg").args(["-loglevel", "error", "-i"]).arg(&wide).args(["-vf", filter]).arg(&tall).status()?;
        assert!(made.success());
        for made in [Made { size: None, loops_after: None }, Made::at(320, 180)] {
            let found = read(&tall, made)?;
            assert_eq!((found.frames, found.unreadable, found.missing), (60, 0, 0), "{found}");
        }
        assert_eq!(read(&tall, Made::at(360, 640))?.unreadable, 60, "read at the wrong place there is nothing");
        Ok(())
    }

    #[test]
    fn a_loop_is_no_fault() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("loop.mp4");
        let mut clip = Clip::new(160, 120, 30, 6);
        clip.numbers = (0..180).map(|n| n % 60).collect();
        clip.write(&path)?;
        let found = read(&path, Made { size: None, loops_after: Some(60) })?;
        assert_eq!((found.repeated, found.missing, found.backwards), (0, 0, 0), "{found}");
        let unlooped = read(&path, Made { size: None, loops_after: None })?;
        assert_eq!(unlooped.backwards, 2, "{unlooped}");
        Ok(())
    }

    #[test]
    fn holes_in_the_sound_are_found() -> anyhow::Result<()> {
        let silent = vec![1.5..1.54, 3.3..3.9];
        let clip = Clip { sound: Sound { silent, ..Sound::default() }, ..Clip::new(160, 120, 30, 6) };
        let found = report(&clip, "mp4")?;
        assert_eq!(found.holes.len(), 2, "{found}");
        for ((at, length), (wanted, long)) in found.holes.iter().zip([(1.5, 0.04), (3.3, 0.6)]) {
            assert!((at - wanted).abs() < 0.02 && (length - long).abs() < 0.02, "{found}");
        }
        Ok(())
    }
}
