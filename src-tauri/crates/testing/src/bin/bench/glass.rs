//! From the camera to the ingest: when each numbered picture was ready, and when its packet stood in the ingest's file.

use crate::table::Table;
use anyhow::{Context as _, ensure};
use rustix::time::{ClockId, clock_gettime};
use stallcast_testing::analysis;
use stallcast_testing::clip::Clip;
use stallcast_testing::devices::Cameras;
use stallcast_testing::ingest::Ingest;
use stallcast_testing::marker::Size;
use stallcast_testing::program::Desk;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const SECONDS: &str = "15";
/// Pictures of the camera's loop.
const LOOP: u32 = 60;
/// The first pictures of a show come out of an encoder that is still filling.
const LEFT_OUT: usize = 30;

pub(crate) fn now_s() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// Where each video packet of an FLV file ends, and when it is shown, seconds.
fn tags(flv: &[u8]) -> Vec<(u64, f64)> {
    let mut found = vec![];
    let mut at = 13;
    while let Some(head) = flv.get(at..at + 16) {
        let be = |bytes: &[u8]| bytes.iter().fold(0_u32, |v, b| v << 8 | u32::from(*b));
        let size = be(&head[1..4]) as usize;
        let ms = be(&head[4..7]) | u32::from(head[7]) << 24;
        let end = at + 11 + size + 4;
        if head[0] == 9 && head[12] == 1 {
            found.push((end as u64 - 4, f64::from(ms + be(&head[13..16])) / 1000.0));
        }
        at = end;
    }
    found
}

/// Seconds of the monotonic clock at which the camera began, and its period.
pub(crate) fn camera_clock(log: &str) -> anyhow::Result<(f64, f64)> {
    let line = log.lines().rfind(|l| l.contains("exposes from")).context("the camera never ran")?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let after = |word: &str| words.iter().position(|w| *w == word).and_then(|at| words.get(at + 1)).context("the camera's log");
    Ok((after("from")?.parse()?, after("each")?.parse::<f64>()? / 1e9))
}

fn latencies(low_latency: bool) -> anyhow::Result<Vec<f64>> {
    let mut desk = Desk::new()?;
    let (ingest, cameras) = (Ingest::start()?, Cameras::new()?);
    let pictures = desk.work("camera.yuyv");
    Clip::new(640, 480, 30, LOOP / 30).write_camera(&pictures, "YUYV")?;
    cameras.plug_in(0, "Imitation", &[format!("YUYV 640 480 30 ={}", pictures.display())])?;
    cameras.show_to(&mut desk);
    let keys = desk.work("keys");
    std::fs::write(&keys, "glass\n")?;
    let (url, keys) = (ingest.url(), keys.to_string_lossy().into_owned());
    let mut words = vec!["--camera", "device", "--mic", "none", "--to", &url, "--key-file", &keys, "--for", SECONDS];
    words.extend(low_latency.then_some("--low-latency"));
    let show = desk.live(&words)?;

    let over = Arc::new(AtomicBool::new(false));
    let growth = std::thread::scope(|scope| {
        let (stop, ingest) = (Arc::clone(&over), &ingest);
        let watch = scope.spawn(move || {
            let (mut growth, mut known) = (vec![], 0);
            let mut file = None;
            while !stop.load(Ordering::Relaxed) {
                if file.is_none() {
                    file = ingest.recordings("glass").pop();
                }
                let size = file.as_ref().and_then(|f| f.metadata().ok()).map_or(0, |m| m.len());
                if size > known {
                    growth.push((now_s(), size));
                    known = size;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            growth
        });
        let finished = show.finish(LIMIT);
        over.store(true, Ordering::Relaxed);
        let growth = watch.join();
        finished.and_then(|finished| {
            ensure!(finished.status == Some(0), "{}", finished.log);
            growth.map_err(|_| anyhow::anyhow!("the watch broke off"))
        })
    })?;

    let file = ingest.recording("glass")?;
    let (begun, period) = camera_clock(&cameras.log(0)?)?;
    join(&file, &growth, begun, period)
}

/// Milliseconds from ready to arrived, for every picture that can be read.
fn join(file: &Path, growth: &[(f64, u64)], begun: f64, period: f64) -> anyhow::Result<Vec<f64>> {
    let mut tags = tags(&std::fs::read(file)?);
    tags.sort_by(|a, b| a.1.total_cmp(&b.1));
    let pictures = analysis::read_pictures(file, Size::new(720, 1280), Some(Size::new(640, 480)))?;
    let (Some(first_tag), Some(first_picture)) = (tags.first().map(|t| t.1), pictures.first().map(|p| p.0)) else {
        anyhow::bail!("nothing arrived");
    };
    let mut found = vec![];
    for (at, reading) in pictures.iter().skip(LEFT_OUT) {
        let wanted = at - first_picture + first_tag;
        let tag = tags.iter().min_by(|a, b| (a.1 - wanted).abs().total_cmp(&(b.1 - wanted).abs()));
        let (Some((end, _)), Some(number)) = (tag, reading.number) else { continue };
        let Some((arrived, _)) = growth.iter().find(|(_, size)| size >= end) else { continue };
        // The camera's own count, of which the picture shows the rest by the loop.
        let newest = ((arrived - begun) / period - 1.0).floor();
        let n = newest - (newest - f64::from(number)).rem_euclid(f64::from(LOOP));
        found.push((arrived - (begun + (n + 1.0) * period)) * 1000.0);
    }
    ensure!(found.len() > 200, "only {} of {} pictures could be timed", found.len(), pictures.len());
    Ok(found)
}

pub(crate) fn run(table: &mut Table) -> anyhow::Result<()> {
    table.promise("camera → ingest, with look-ahead", "ms", (95.0, 700.0), latencies(false)?);
    table.promise("camera → ingest, --low-latency", "ms", (95.0, 120.0), latencies(true)?);
    table.command(
        "glass",
        "stallcast live --camera device --mic none --to … --for 15 [--low-latency]; imitation camera 640x480 YUYV, pictures numbered",
    );
    Ok(())
}
