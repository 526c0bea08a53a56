//! What ending a long recording takes: `cargo xtask bench recording`. Linux: memory is read from `/proc`.
//!
//! An hour at a show's bit rate against a plain copy of the same file, and eight hours of small packets, whose index is
//! as long as that of a real show.
#![expect(clippy::print_stdout, reason = "a measuring program talks on standard output")]

use bytes::Bytes;
use stallcast_broadcast::RecordingSink;
use stallcast_media::{AudioConfig, NANOS_PER_SEC, Packet, Pts, StreamConfig, Track, VideoConfig};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const FPS: i64 = 30;
const RATE: i64 = 48_000;
/// Samples of an AAC packet.
const SOUND: i64 = 1024;
/// A hang guard.
const LIMIT: Duration = Duration::from_secs(600);
/// Memory that ending eight hours may take, MB: it comes when the encoders are gone.
const MOST_MB: f64 = 100.0;
/// Times what copying the file takes: it is read twice, once for its index.
const MOST_RATIO: f64 = 3.0;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let (hour_s, copy_s, _) = ended(1, [9_600, 340])?;
    let (eight_s, _, mb) = ended(8, [40, 20])?;
    let (ratio, word) = (hour_s / copy_s, |kept: bool| if kept { "yes" } else { "**no**" });
    println!("\nrecording: ended after an hour of 2.4 Mbit/s (1.1 GB), and after eight hours of small packets (2.2 million)\n");
    println!("| promise | bar | value | kept |\n|---|---|---|---|");
    println!(
        "| an hour becomes a plain file / a plain copy of it | ≤ {MOST_RATIO} | {ratio:.2} ({hour_s:.1} s) | {} |",
        word(ratio <= MOST_RATIO)
    );
    println!("| the index of eight hours | – | {eight_s:.1} s | – |");
    println!("| memory that eight hours take at the end | ≤ {MOST_MB} MB | {mb:.0} MB | {} |", word(mb <= MOST_MB));
    if ratio <= MOST_RATIO && mb <= MOST_MB { Ok(()) } else { Err("not kept".into()) }
}

/// Seconds until the file is plain, seconds of a plain copy, and MB that the end took.
fn ended(hours: i64, bytes: [usize; 2]) -> Outcome<(f64, f64, f64)> {
    let folder = tempfile::tempdir()?;
    let (path, copy) = (folder.path().join("show.mp4"), folder.path().join("copy.mp4"));
    let sink = RecordingSink::start(&path, false, config(), |_| {})?;
    let [picture, sound] = bytes.map(|length| Bytes::from(vec![7; length]));
    let (end, mut written) = (hours * 3600 * NANOS_PER_SEC, 0);
    let (mut frame, mut block) = (0, 0);
    loop {
        let (dts, heard) = (Pts::from_ticks(frame, FPS as u32), Pts::from_ticks(block * SOUND, RATE as u32));
        if dts.0 >= end {
            break;
        }
        let packet = if heard <= dts {
            block += 1;
            let duration = SOUND * NANOS_PER_SEC / RATE;
            let (track, payload, config) = (Track::Audio, sound.clone(), None);
            Packet { track, pts: heard, dts: heard, duration, keyframe: true, disposable: false, payload, config }
        } else {
            // I b b P…: the index has an entry for each.
            let shown = if frame % 3 == 0 { 2 } else { 0 };
            frame += 1;
            let (track, payload, config) = (Track::Video, picture.clone(), None);
            let pts = Pts::from_ticks(frame + shown, FPS as u32);
            let (duration, keyframe) = (NANOS_PER_SEC / FPS, frame % 60 == 1);
            Packet { track, pts, dts, duration, keyframe, disposable: false, payload, config }
        };
        sink.push(Arc::new(packet));
        // The queue holds thirty seconds: the disk is waited for.
        if dts.0 / NANOS_PER_SEC > written + 10 {
            written = dts.0 / NANOS_PER_SEC;
            wait_for_the_writer(&path)?;
        }
    }
    let (before, begun) = (memory(true)?, Instant::now());
    // What still waits is written, then the index is made.
    sink.finish(LIMIT);
    let (took, after) = (begun.elapsed().as_secs_f64(), memory(false)?);
    let begun = Instant::now();
    fs::copy(&path, &copy)?;
    File::options().write(true).open(&copy)?.sync_all()?;
    Ok((took, begun.elapsed().as_secs_f64(), after - before))
}

/// Until the file stands still: nothing waits in the queue. A disk that pauses for longer than it is watched leaves ten
/// seconds more in a queue of thirty.
fn wait_for_the_writer(path: &Path) -> Outcome<()> {
    let (mut length, begun) = (0, Instant::now());
    loop {
        let now = fs::metadata(path)?.len();
        if now > 0 && now == length {
            return Ok(());
        }
        if begun.elapsed() > LIMIT {
            return Err("the disk does not keep up".into());
        }
        length = now;
        std::thread::sleep(Duration::from_millis(8));
    }
}

/// The most memory that this process had, MB; from now on, if asked.
fn memory(from_now: bool) -> Outcome<f64> {
    if from_now {
        fs::write("/proc/self/clear_refs", "5")?;
    }
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0 / 1e6)
}

fn config() -> StreamConfig {
    // Of a 720x1280 x264 stream and of AAC-LC, 48 kHz stereo.
    let avcc = [1, 100, 0, 31, 255, 225, 0, 5, 103, 100, 0, 31, 172, 1, 0, 4, 104, 235, 236, 178];
    StreamConfig {
        video: VideoConfig { width: 720, height: 1280, fps: 30, kbps: 2400, avcc: Bytes::copy_from_slice(&avcc) },
        audio: AudioConfig { rate: 48_000, channels: 2, kbps: 128, asc: Bytes::from_static(&[17, 144]), priming: 1024 },
    }
}
