//! A clip on its way through the whole program: what arrives is read frame by frame and beep by beep.

use anyhow::{Context as _, ensure};
use stallcast_testing::analysis::{self, Made, Report};
use stallcast_testing::clip::{Clip, Sound};
use stallcast_testing::ingest::Ingest;
use stallcast_testing::packets;
use stallcast_testing::processes::{self, Role};
use stallcast_testing::program::Desk;
use std::path::Path;
use std::time::Duration;

/// Hang guard of a show of some seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// What must hold for a file: 40 ms, one per cent, no hole.
fn check(found: &Report) -> anyhow::Result<()> {
    ensure!(found.unreadable == 0 && found.backwards == 0, "{found}");
    ensure!(found.wrong_percent() < 1.0, "{found}");
    ensure!(found.offsets.len() >= 2 && found.worst_ms() <= 40.0, "{found}");
    ensure!(found.holes.is_empty(), "{found}");
    Ok(())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[test]
fn a_clip_arrives_at_the_ingest_and_in_the_recording_frame_by_frame() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let ingest = Ingest::start()?;
    let (clip, keys, record) = (desk.work("clip.mp4"), desk.work("keys"), desk.work("show.mp4"));
    // Wide, so that covering the upright canvas is part of it; longer than the show, so that no seam is.
    Clip::new(640, 360, 30, 26).write(&clip)?;
    std::fs::write(&keys, "main\n")?;
    let source = format!("file:{}", clip.display());
    let (url, keys, record_text) = (ingest.url(), text(&keys), text(&record));
    let words = ["--camera", &source, "--mic", &source, "--to", &url, "--key-file", &keys, "--record", &record_text, "--for", "20s"];
    let show = desk.live(&words)?;
    show.wait_live(LIMIT)?;
    // Whoever looks at a busy machine sees what each thread is for; only the first has the program's own name.
    let names: Vec<String> = processes::threads(desk.process(Role::Engine)?.pid).into_iter().map(|thread| thread.name).collect();
    ensure!(names.iter().filter(|name| name.starts_with("stallcast")).count() == 1, "{names:?}");
    for part in ["engine", "program", "enc:video", "enc:audio", "x264", "rtmp:", "record"] {
        ensure!(names.iter().any(|name| name.starts_with(part)), "{part} in {names:?}");
    }
    let finished = show.finish(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);

    let arrived = ingest.recording("main")?;
    for file in [&arrived, &record] {
        let tracks = packets::read(file)?;
        tracks.check_live(720, 1280, 30).with_context(|| file.display().to_string())?;
        ensure!((19.5..22.0).contains(&tracks.video.span_s()), "{} s in {}", tracks.video.span_s(), file.display());
        ensure!(tracks.video.stream["has_b_frames"] == 2, "two B-frames by default: {}", tracks.video.stream);
        let kbps = tracks.video.bits_per_s() / 1000.0;
        ensure!(kbps < 2900.0, "{kbps} kbit/s");
        check(&analysis::read(file, Made::at(640, 360))?).with_context(|| file.display().to_string())?;
    }
    // A plain MP4 whose index stands in front, playable from the first byte on.
    let bytes = std::fs::read(&record)?;
    let at = |name: &[u8]| bytes.windows(4).position(|w| w == name);
    ensure!(at(b"moov").context("no index")? < at(b"mdat").context("no media")?, "the index comes last");
    ensure!(at(b"moof").is_none(), "still in fragments");

    let summary = finished.summary()?;
    let count = |name: &str| summary[name].as_u64().with_context(|| format!("{name} in {summary}"));
    let encoded = count("frames_encoded")?;
    ensure!((585..=660).contains(&encoded), "{summary}");
    ensure!(count("frames_composed")? >= encoded && count("audio_blocks")? >= 900, "{summary}");
    ensure!(count("frames_lagged")? + count("frames_skipped")? <= encoded / 100 && count("frames_dropped")? == 0, "{summary}");
    ensure!(summary["recordings"] == serde_json::json!([record_text]), "{summary}");
    let to = &summary["destinations"][0];
    ensure!(to["host"] == "127.0.0.1" && to["reconnects"] == 0 && to["state"] == "closed", "{summary}");
    let sent = to["bytes_sent"].as_u64().context("bytes")?;
    let received = ingest.received("main");
    ensure!(sent.abs_diff(received) < received / 10, "{sent} bytes sent, {received} received");
    ensure!(summary["cpu_s"].as_f64().is_some_and(|s| s > 0.5) && count("peak_rss_bytes")? > 20 << 20, "{summary}");
    let seconds = finished.lines.iter().filter(|l| l.value["type"] == "stats").count();
    ensure!((17..=40).contains(&seconds), "{seconds} lines of figures for 20 seconds");
    ensure!(desk.processes().is_empty(), "left behind: {:?}", desk.processes());
    Ok(())
}

#[test]
fn a_loop_stays_in_step_at_its_seams() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let (clip, record) = (desk.work("clip.mp4"), desk.work("show.mp4"));
    Clip::new(360, 640, 30, 4).write(&clip)?;
    let source = format!("file:{}", clip.display());
    let record_text = text(&record);
    let words =
        ["--camera", &source, "--mic", &source, "--record", &record_text, "--canvas", "360x640", "--video-kbps", "1200", "--for", "14"];
    let finished = desk.live(&words)?.finish(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    let found = analysis::read(&record, Made::at(360, 640).looped(120))?;
    ensure!(found.unreadable == 0 && found.backwards == 0 && found.wrong_percent() < 1.0, "{found}");
    ensure!(found.offsets.len() >= 5 && found.worst_ms() <= 40.0, "{found}");
    // The last AAC frame of a file is longer than its sound: up to 22 ms of every seam belong to nobody.
    ensure!(found.holes.iter().all(|(_, length)| *length < 0.03), "{found}");
    Ok(())
}

#[test]
fn two_files_begin_at_the_same_instant() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let (clip, sound, record) = (desk.work("clip.mp4"), desk.work("sound.wav"), desk.work("show.mp4"));
    // The clip's own sound is wrong on purpose: it must not be used.
    Clip { sound: Sound { late_ms: 300.0, ..Sound::default() }, ..Clip::new(360, 640, 30, 14) }.write(&clip)?;
    Sound::default().write_wav(&sound, 14)?;
    let (camera, mic, record_text) = (format!("file:{}", clip.display()), format!("file:{}", sound.display()), text(&record));
    let words = ["--camera", &camera, "--mic", &mic, "--record", &record_text, "--canvas", "360x640", "--for", "8"];
    let finished = desk.live(&words)?.finish(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    check(&analysis::read(&record, Made::at(360, 640))?)
}

#[test]
fn low_latency_has_no_frames_out_of_order_and_no_microphone_is_silence() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let record = desk.work("show.mp4");
    let record_text = text(&record);
    let words = ["--mic", "none", "--record", &record_text, "--canvas", "640x360", "--fps", "25", "--low-latency", "--for", "6s"];
    let finished = desk.live(&words)?.finish(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    let tracks = packets::read(&record)?;
    tracks.check_live(640, 360, 25)?;
    ensure!(tracks.video.stream["has_b_frames"] == 0, "{}", tracks.video.stream);
    ensure!(tracks.video.packets.iter().all(|p| (p.pts_s - p.dts_s).abs() < 0.0001), "a frame is shown later than it is decoded");
    let loudest = stallcast_testing::decode::sound(&record)?.iter().flat_map(|b| b.samples.iter().map(|s| s.abs())).fold(0.0, f32::max);
    ensure!(loudest < 0.001, "no microphone is heard as {loudest}");
    Ok(())
}
