//! Reads pictures and sound back, with their times, through the ffmpeg command line.

use crate::marker::Size;
use anyhow::{Context as _, bail, ensure};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

/// A stretch of decoded sound, mono.
#[derive(Debug, Clone)]
pub struct Block {
    /// Seconds at its first sample.
    pub at_s: f64,
    /// Samples at 48 kHz.
    pub samples: Vec<f32>,
}

/// ffmpeg writing raw media to its standard output, and the times of it as a thread reads them from its log.
struct Reading {
    child: Child,
    times: JoinHandle<anyhow::Result<Vec<(f64, usize)>>>,
}

fn start(path: &Path, args: &[&str]) -> anyhow::Result<Reading> {
    let mut child = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "info", "-copyts", "-i"])
        .arg(path)
        .args(args)
        .arg("pipe:1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("ffmpeg does not start")?;
    let log = child.stderr.take().context("no log")?;
    let shown = path.display().to_string();
    let times = std::thread::spawn(move || {
        let mut base = None;
        let mut times = vec![];
        let mut last = String::new();
        for line in BufReader::new(log).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            // "config in time_base: 1/15360, frame_rate: …": times are ticks of it, seconds are printed too short.
            if let Some(found) = after(&line, "config in time_base: ").and_then(|text| text.split_once('/')) {
                base = Some((leading(found.0), leading(found.1)));
            } else if line.contains("showinfo") && line.contains(" pts_time:") {
                let ticks = after(&line, " pts:").map(leading).context("a picture without a time")?;
                // Sound counts in samples of its rate.
                let (num, den) = match after(&line, " rate:") {
                    Some(rate) => (1.0, leading(rate)),
                    None => base.context("no time base")?,
                };
                times.push((ticks * num / den, after(&line, "nb_samples:").map_or(1, |n| leading(n) as usize)));
            } else if !line.trim().is_empty() && !line.contains("Parsed_") {
                last = line;
            }
        }
        if times.is_empty() {
            bail!("nothing to read in {shown}: {last}");
        }
        Ok(times)
    });
    Ok(Reading { child, times })
}

fn after<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.find(name).map(|at| line[at + name.len()..].trim_start())
}

fn leading(text: &str) -> f64 {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
    text[..end].parse().unwrap_or(f64::NAN)
}

/// Decodes every picture, scaled to `size`, as luma; the second of each with what `read` makes of it.
///
/// # Errors
/// ffmpeg is missing or finds no picture.
pub fn pictures<T>(path: &Path, size: Size, read: impl FnMut(&[u8]) -> T) -> anyhow::Result<Vec<(f64, T)>> {
    let filter = format!("scale={}:{}:flags=area,format=gray,showinfo=checksum=0", size.width, size.height);
    raw_pictures(path, &["-map", "0:v:0", "-vf", &filter, "-pix_fmt", "gray"], (size.width * size.height) as usize, read)
}

/// Decodes every picture at `size` as packed RGB.
///
/// # Errors
/// ffmpeg is missing or finds no picture.
pub fn colour_pictures<T>(path: &Path, size: Size, read: impl FnMut(&[u8]) -> T) -> anyhow::Result<Vec<(f64, T)>> {
    let filter = format!("scale={}:{}:flags=area,format=rgb24,showinfo=checksum=0", size.width, size.height);
    raw_pictures(path, &["-map", "0:v:0", "-vf", &filter, "-pix_fmt", "rgb24"], (size.width * size.height * 3) as usize, read)
}

fn raw_pictures<T>(path: &Path, args: &[&str], bytes: usize, mut read: impl FnMut(&[u8]) -> T) -> anyhow::Result<Vec<(f64, T)>> {
    let mut all = args.to_vec();
    all.extend(["-fps_mode", "passthrough", "-f", "rawvideo"]);
    let mut reading = start(path, &all)?;
    let mut out = BufReader::with_capacity(bytes, reading.child.stdout.take().context("no output")?);
    let mut picture = vec![0; bytes];
    let mut found = vec![];
    while out.read_exact(&mut picture).is_ok() {
        found.push(read(&picture));
    }
    let times = finish(reading)?;
    ensure!(times.len() >= found.len(), "{} pictures but {} times in {}", found.len(), times.len(), path.display());
    Ok(times.into_iter().map(|(at, _)| at).zip(found).collect())
}

/// Decodes the sound, mixed to mono at 48 kHz.
///
/// # Errors
/// ffmpeg is missing or finds no sound.
pub fn sound(path: &Path) -> anyhow::Result<Vec<Block>> {
    // Times are taken before anything could fill a hole or stretch it.
    let filter = "ashowinfo,aformat=sample_fmts=flt:channel_layouts=mono";
    let mut reading = start(path, &["-map", "0:a:0", "-af", filter, "-f", "f32le", "-ar", "48000"])?;
    let mut bytes = vec![];
    reading.child.stdout.take().context("no output")?.read_to_end(&mut bytes)?;
    let times = finish(reading)?;
    let mut samples = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let blocks = times.into_iter().map(|(at_s, count)| Block { at_s, samples: samples.by_ref().take(count).collect() });
    Ok(blocks.filter(|b| !b.samples.is_empty()).collect())
}

fn finish(mut reading: Reading) -> anyhow::Result<Vec<(f64, usize)>> {
    // A file cut off by a crash ends with an error of its own; what was decoded counts.
    reading.child.wait()?;
    match reading.times.join() {
        Ok(times) => times,
        Err(_) => bail!("the reader of ffmpeg's log panicked"),
    }
}
