//! A show over a link that becomes too slow and good again: bitrate first, nothing dropped, and the full rate comes back.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use stallcast_testing::ingest::Ingest;
use stallcast_testing::packets;
use stallcast_testing::program::{Desk, Show};
use stallcast_testing::slow_link::SlowLink;
use std::time::Duration;

/// Hang guard for each stretch of the show.
const LIMIT: Duration = Duration::from_secs(60);
/// Picture and sound, kbit/s.
const RATES: (u32, u32) = (1600, 128);

/// The next `seconds` lines of figures, one a second.
fn watch(show: &Show, seconds: usize) -> anyhow::Result<Vec<Value>> {
    let mut seen = vec![];
    let mark = show.mark();
    show.wait_from(mark, "figures", LIMIT, |line| {
        if line.value["type"] == "stats" {
            seen.push(line.value.clone());
        }
        (seen.len() >= seconds).then_some(())
    })?;
    Ok(seen)
}

fn farthest_ms(figures: &[Value]) -> u64 {
    figures.iter().filter_map(|f| f["destinations"][0]["behind_ms"].as_u64()).max().unwrap_or(0)
}

fn mean_kbps(figures: &[Value]) -> f64 {
    figures.iter().filter_map(|f| f["kbps"].as_f64()).sum::<f64>() / figures.len() as f64
}

#[test]
fn a_slow_link_costs_quality_and_no_frame() -> anyhow::Result<()> {
    let Some(link) = SlowLink::lay()? else {
        eprintln!("skipped: this user may not make network namespaces");
        return Ok(());
    };
    let desk = Desk::new()?;
    let ingest = Ingest::start_behind(&link)?;
    let (clip, keys) = (desk.work("clip.mp4"), desk.work("keys"));
    // Noise that never stops: every bit of the rate is wanted, all the time.
    let filter = "color=c=gray:s=360x640:r=30,noise=alls=60:allf=t+u";
    let made = std::process::Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            filter,
            "-f",
            "lavfi",
            "-i",
            "sine=440",
            "-t",
            "6",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
        ])
        .args(["-crf", "30", "-pix_fmt", "yuv420p", "-c:a", "aac", "-y"])
        .arg(&clip)
        .status()?;
    ensure!(made.success(), "no clip");
    std::fs::write(&keys, "slow\n")?;
    let (source, url, keys) = (format!("file:{}", clip.display()), ingest.url(), keys.to_string_lossy().into_owned());
    let (video, audio) = (RATES.0.to_string(), RATES.1.to_string());
    let words = ["--camera", &source, "--mic", &source, "--canvas", "360x640", "--to", &url, "--key-file", &keys];
    let rates = ["--video-kbps", &video, "--audio-kbps", &audio, "--for", "5m"];
    let show = desk.live(&[&words[..], &rates[..]].concat())?;
    show.wait_live(LIMIT)?;
    let all = RATES.0 + RATES.1;

    watch(&show, 3)?;
    let free = watch(&show, 4)?;
    ensure!(mean_kbps(&free) > f64::from(RATES.0) * 0.8, "the clip does not fill the rate: {}", mean_kbps(&free));
    let mark = show.mark();
    for share in [0.6, 0.25] {
        let carries = f64::from(all) * share;
        link.set_kbit(Some(carries as u32))?;
        let slow = watch(&show, 14)?;
        let (far, settled) = (farthest_ms(&slow), mean_kbps(&slow[10..]));
        eprintln!("link at {:.0} %: at most {far} ms behind, settled at {settled:.0} of {carries:.0} kbit/s", share * 100.0);
        ensure!(far <= 2000, "{far} ms behind at {share}");
        ensure!(settled < carries * 1.15, "{settled} kbit/s over a link of {carries}");
    }
    // The host hears of it, in the words of the language and with where it stands.
    let lowered = show.wait_health(mark, "picture_lowered", LIMIT)?;
    let told: u64 = lowered["percent"].as_str().and_then(|percent| percent.parse().ok()).context("how far")?;
    ensure!((5..90).contains(&told) && url.contains(lowered["host"].as_str().context("where")?), "{lowered}");
    let mark = show.mark();
    link.set_kbit(None)?;
    watch(&show, 20)?;
    show.wait_health(mark, "picture_restored", LIMIT)?;
    let back = watch(&show, 3)?;
    ensure!(mean_kbps(&back) > mean_kbps(&free) * 0.85, "{} of {} kbit/s came back", mean_kbps(&back), mean_kbps(&free));

    let finished = show.end(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    let summary = finished.summary()?;
    ensure!(summary["frames_dropped"] == 0 && summary["destinations"][0]["reconnects"] == 0, "{summary}");
    let arrived = packets::read(&ingest.recording("slow")?)?;
    ensure!(arrived.video.packets.len() as u64 == summary["frames_encoded"].as_u64().context("encoded")?, "every picture arrived");
    ensure!(arrived.audio.longest_gap_s() < 0.03, "a hole of {} s in the sound", arrived.audio.longest_gap_s());
    Ok(())
}
