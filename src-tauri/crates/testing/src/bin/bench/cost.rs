//! What a show costs, against the ffmpeg command line doing the same work.

use crate::table::Table;
use anyhow::{Context as _, ensure};
use stallcast_testing::analysis::{self, Made};
use stallcast_testing::clip::Clip;
use stallcast_testing::ingest::Ingest;
use stallcast_testing::packets;
use stallcast_testing::processes;
use stallcast_testing::program::Desk;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SECONDS: u32 = 20;
const PAIRS: u32 = 3;
const LIMIT: Duration = Duration::from_secs(120);

/// CPU seconds of ffmpeg: decode, x264 with the same options, AAC, RTMP, in real time.
fn ffmpeg(clip: &Path, url: &str) -> anyhow::Result<f64> {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-re", "-i"]).arg(clip).args(["-t", &SECONDS.to_string()]);
    command.args([
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-profile:v",
        "high",
        "-bf",
        "2",
        "-g",
        "60",
        "-keyint_min",
        "60",
        "-sc_threshold",
        "0",
    ]);
    command.args([
        "-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "2500k", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "128k", "-ar", "48000",
        "-ac", "2",
    ]);
    let mut child = command.args(["-f", "flv", url]).stdin(Stdio::null()).spawn().context("ffmpeg does not start")?;
    let begun = Instant::now();
    let mut cpu = 0.0;
    loop {
        let now = processes::cpu_s(child.id());
        // After its end the figure is gone.
        cpu = f64::max(cpu, now);
        if child.try_wait()?.is_some() {
            return Ok(cpu);
        }
        ensure!(begun.elapsed() < LIMIT, "ffmpeg hangs");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// CPU seconds of all processes of a show of the same clip, by its summary; the share of frames lost; bytes of memory.
fn show(clip: &Path, ingest: &Ingest, key: &str) -> anyhow::Result<(f64, f64, f64)> {
    let desk = Desk::new()?;
    let keys = desk.work("keys");
    std::fs::write(&keys, format!("{key}\n"))?;
    let (source, url, keys, time) =
        (format!("file:{}", clip.display()), ingest.url(), keys.to_string_lossy().into_owned(), SECONDS.to_string());
    let finished = desk.live(&["--camera", &source, "--mic", &source, "--to", &url, "--key-file", &keys, "--for", &time])?.finish(LIMIT)?;
    ensure!(finished.status == Some(0), "{}", finished.log);
    let summary = finished.summary()?;
    let number = |name: &str| summary[name].as_f64().with_context(|| format!("{name} in {summary}"));
    let lost = (number("frames_lagged")? + number("frames_skipped")?) * 100.0 / number("frames_composed")?;
    Ok((number("cpu_s")?, lost, number("peak_rss_bytes")? / 1e6))
}

pub(crate) fn run(table: &mut Table) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let clip = folder.path().join("clip.mp4");
    Clip::new(720, 1280, 30, SECONDS + 8).write(&clip)?;
    let ingest = Ingest::start()?;
    let (mut ratios, mut ours, mut theirs, mut lost, mut memory, mut wrong) = (vec![], vec![], vec![], vec![], vec![], vec![]);
    for pair in 0..PAIRS {
        let (a, b) = (format!("ours{pair}"), format!("theirs{pair}"));
        let (cpu, share, rss) = show(&clip, &ingest, &a)?;
        let other = ffmpeg(&clip, &format!("{}/{b}", ingest.url()))?;
        // For each second of picture that arrived: neither may win by doing less.
        let seconds = |key: &str| anyhow::Ok(packets::read(&ingest.recording(key)?)?.video.packets.len() as f64 / 30.0);
        let (cpu, other) = (cpu / seconds(&a)?, other / seconds(&b)?);
        ratios.push(cpu / other);
        ours.push(cpu);
        theirs.push(other);
        lost.push(share);
        memory.push(rss);
        wrong.push(analysis::read(&ingest.recording(&a)?, Made::at(720, 1280))?.wrong_percent());
    }
    table.report("CPU of all processes / CPU of ffmpeg, same work", "ratio", ratios);
    table.report("CPU s a stream second, stallcast", "s/s", ours);
    table.report("CPU s a stream second, ffmpeg", "s/s", theirs);
    table.report("lagged + skipped frames", "%", lost);
    table.report("repeated + missing frames at the ingest", "%", wrong);
    table.report("memory of all processes, peak", "MB", memory);
    table.command("cost", format!("stallcast live --camera file:CLIP --mic file:CLIP --to … --for {SECONDS} (720x1280, 30)"));
    table.command(
        "cost",
        "ffmpeg -re -i CLIP -c:v libx264 -preset veryfast -profile:v high -bf 2 -g 60 -keyint_min 60 -sc_threshold 0 \
         -b:v 2500k -maxrate 2500k -bufsize 2500k -c:a aac -b:a 128k -f flv rtmp://…; pairs alternate",
    );
    Ok(())
}
