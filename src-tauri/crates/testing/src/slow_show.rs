//! A show over a cable that becomes too slow and good again, and what became of it. For the test and for the bench.

use crate::ingest::Ingest;
use crate::packets;
use crate::program::{Desk, Show};
use crate::slow_link::SlowLink;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::process::Command;
use std::time::{Duration, Instant};

/// Hang guard for each stretch of the show.
const LIMIT: Duration = Duration::from_secs(60);
/// Picture and sound, kbit/s.
const RATES: (u32, u32) = (1600, 128);
/// Seconds of each stretch.
const STRETCH: usize = 14;
/// A second's bytes are not even: three of them are looked at together.
const SMOOTH: usize = 3;
/// What is given to a cable, of what it carries, that it takes seconds to see from its queue.
const TOO_MUCH: f64 = 1.3;
/// Of a stretch, the seconds in which all is settled.
const SETTLED: usize = 4;

/// A stretch of a cable that carries less than it is given.
#[derive(Debug)]
pub struct Stretch {
    /// What the cable carries of the show's rate.
    pub share: f64,
    /// Seconds until the show says that its picture is lowered; its figures come once a second. `None` where it had been lowered
    /// so far before, for a step up that failed, that what it gives fits or nearly fits.
    pub reacts_s: Option<f64>,
    /// Seconds until it gives the cable no more than that carries.
    pub fits_s: f64,
    /// What it gives in the last seconds, of what the cable carries: with the steps up that it tries now and then.
    pub settled: f64,
    /// The farthest that its pictures were behind, ms.
    pub behind_ms: f64,
}

/// What became of the show.
#[derive(Debug)]
pub struct Outcome {
    /// At 60 %, then at 25 %.
    pub slow: Vec<Stretch>,
    /// Seconds from the mended cable to the full picture.
    pub full_again_s: f64,
    /// Of the whole show's rate, what was encoded then, compared with before.
    pub rate_again: f64,
    /// Pictures that the product says it dropped.
    pub dropped: u64,
    /// Pictures that were encoded and did not arrive.
    pub missing: u64,
    /// Longest hole in the sound that arrived, s.
    pub sound_gap_s: f64,
}

/// The next `seconds` lines of figures, one a second, each with the seconds since `begun`.
fn watch(show: &Show, begun: Instant, seconds: usize) -> anyhow::Result<Vec<(f64, Value)>> {
    let mut seen = vec![];
    let mark = show.mark();
    show.wait_from(mark, "figures", LIMIT, |line| {
        if line.value["type"] == "stats" {
            seen.push((line.at.saturating_duration_since(begun).as_secs_f64(), line.value.clone()));
        }
        (seen.len() >= seconds).then_some(())
    })?;
    Ok(seen)
}

fn percent(figures: &Value) -> u64 {
    figures["picture_percent"].as_u64().unwrap_or(100)
}

fn mean_kbps(figures: &[(f64, Value)]) -> f64 {
    figures.iter().filter_map(|(_, f)| f["kbps"].as_f64()).sum::<f64>() / figures.len().max(1) as f64
}

/// A clip that wants every bit of the rate, all the time: noise that never stops.
///
/// # Errors
/// ffmpeg does not run.
pub fn write_noise(clip: &std::path::Path) -> anyhow::Result<()> {
    let picture = "color=c=gray:s=360x640:r=30,noise=alls=60:allf=t+u";
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=440", "-t", "6", "-c:v", "libx264"])
        .args(["-preset", "ultrafast", "-crf", "30", "-pix_fmt", "yuv420p", "-c:a", "aac", "-y"])
        .arg(clip)
        .status()?;
    ensure!(status.success(), "no clip");
    Ok(())
}

/// Runs it, about 75 seconds.
///
/// # Errors
/// Something does not run, or the show is not told of in words, or ends otherwise than asked.
pub fn run(link: &SlowLink) -> anyhow::Result<Outcome> {
    let desk = Desk::new()?;
    let ingest = Ingest::start_behind(link)?;
    let (clip, keys) = (desk.work("clip.mp4"), desk.work("keys"));
    write_noise(&clip)?;
    std::fs::write(&keys, "slow\n")?;
    let (source, url, keys) = (format!("file:{}", clip.display()), ingest.url(), keys.to_string_lossy().into_owned());
    let (video, audio) = (RATES.0.to_string(), RATES.1.to_string());
    let words = ["--camera", &source, "--mic", &source, "--canvas", "360x640", "--to", &url, "--key-file", &keys];
    let rates = ["--video-kbps", &video, "--audio-kbps", &audio, "--for", "5m"];
    let show = desk.live(&[&words[..], &rates[..]].concat())?;
    show.wait_live(LIMIT)?;

    watch(&show, Instant::now(), 3)?;
    let free = mean_kbps(&watch(&show, Instant::now(), 4)?);
    ensure!(free > f64::from(RATES.0) * 0.8, "the clip does not fill the rate: {free}");
    let mark = show.mark();
    let mut slow = vec![];
    for share in [0.6, 0.25] {
        let before = watch(&show, Instant::now(), 1)?.first().map_or(100, |(_, f)| percent(f));
        slow.push(stretch(&show, link, share, before)?);
    }
    // The host hears of it, with where it stands.
    let lowered = show.wait_health(mark, "picture_lowered", LIMIT)?;
    let told: u64 = lowered["percent"].as_str().and_then(|percent| percent.parse().ok()).context("how far")?;
    ensure!((5..90).contains(&told) && url.contains(lowered["host"].as_str().context("where")?), "{lowered}");
    let mark = show.mark();
    link.set_kbit(None)?;
    let mended = Instant::now();
    let full_again_s = show.wait_from(mark, "the full picture", LIMIT, |line| {
        let full = line.value["type"] == "stats" && percent(&line.value) >= 100;
        full.then(|| line.at.saturating_duration_since(mended).as_secs_f64())
    })?;
    show.wait_health(mark, "picture_restored", LIMIT)?;
    // What is encoded follows about a second later, and the rate control of the encoder needs some more.
    let back = watch(&show, mended, 6)?;

    let finished = show.end(LIMIT)?;
    ensure!(finished.status == Some(0), "{}", finished.log);
    let summary = finished.summary()?;
    ensure!(summary["destinations"][0]["reconnects"] == 0, "{summary}");
    let arrived = packets::read(&ingest.recording("slow")?)?;
    let encoded = summary["frames_encoded"].as_u64().context("encoded")?;
    Ok(Outcome {
        slow,
        full_again_s,
        rate_again: mean_kbps(&back[3..]) / free,
        dropped: summary["frames_dropped"].as_u64().context("dropped")?,
        missing: encoded.saturating_sub(arrived.video.packets.len() as u64),
        sound_gap_s: arrived.audio.longest_gap_s(),
    })
}

/// `before`: the picture's share of its rate until now, percent.
fn stretch(show: &Show, link: &SlowLink, share: f64, before: u64) -> anyhow::Result<Stretch> {
    let carries = f64::from(RATES.0 + RATES.1) * share;
    link.set_kbit(Some(carries as u32))?;
    let begun = Instant::now();
    let seen = watch(show, begun, STRETCH)?;
    let given = f64::from(RATES.0) * before as f64 / 100.0 + f64::from(RATES.1);
    let reacts_s = seen.iter().find(|(_, f)| percent(f) < before).map_or(f64::INFINITY, |(at, _)| *at);
    let reacts_s = (given > carries * TOO_MUCH).then_some(reacts_s);
    // The first second is still what was encoded before.
    let fits_s = seen[1..].windows(SMOOTH).find(|three| mean_kbps(three) <= carries).map_or(f64::INFINITY, |three| three[0].0);
    let settled = mean_kbps(&seen[seen.len() - SETTLED..]) / carries;
    let behind_ms = seen.iter().filter_map(|(_, f)| f["destinations"][0]["behind_ms"].as_f64()).fold(0.0, f64::max);
    let (at, percents) = (share * 100.0, seen.iter().map(|(_, f)| percent(f)).collect::<Vec<_>>());
    eprintln!(
        "cable at {at:.0} %: from {before} % reacts after {reacts_s:.1?} s ({percents:?} %), fits after {fits_s:.1} s, settles at {settled:.2}, {behind_ms:.0} ms behind"
    );
    Ok(Stretch { share, reacts_s, fits_s, settled, behind_ms })
}
