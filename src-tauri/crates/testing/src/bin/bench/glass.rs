//! From the camera to the ingest: when each numbered picture was ready, and when its packet stood in the ingest's file.

use crate::table::Table;
use anyhow::{Context as _, ensure};
use rustix::time::{ClockId, clock_gettime};
use stallcast_testing::analysis;
use stallcast_testing::clip::Clip;
use stallcast_testing::devices::Cameras;
use stallcast_testing::flv::Tail;
use stallcast_testing::ingest::Ingest;
use stallcast_testing::marker::Size;
use stallcast_testing::program::Desk;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const SECONDS: &str = "15";
/// What the camera delivers: small, because its loop is long (92 MB).
const CAMERA: Size = Size::new(320, 240);
/// Pictures of the camera's loop: 20 s, longer than the show. A picture that is late by more than a loop would read as early.
const LOOP: u32 = 600;
/// The first pictures of a show come out of an encoder that is still filling.
const LEFT_OUT: usize = 30;
/// So many of the others must be timed: those that cannot be might be the late ones.
const TIMED: f64 = 0.9;
/// How late the camera is made, ms, to show that this is seen: more than the two seconds of a shorter loop.
const LAG_MS: u32 = 2050;

pub(crate) fn now_s() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// Seconds of the monotonic clock at which the camera began, and its period.
pub(crate) fn camera_clock(log: &str) -> anyhow::Result<(f64, f64)> {
    let line = log.lines().rfind(|l| l.contains("exposes from")).context("the camera never ran")?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let after = |word: &str| words.iter().position(|w| *w == word).and_then(|at| words.get(at + 1)).context("the camera's log");
    Ok((after("from")?.parse()?, after("each")?.parse::<f64>()? / 1e9))
}

/// Milliseconds from the camera to the ingest; `lag_ms`: each picture leaves the camera so much too late.
fn latencies(low_latency: bool, lag_ms: u32) -> anyhow::Result<Vec<f64>> {
    let mut desk = Desk::new()?;
    let (ingest, cameras) = (Ingest::start()?, Cameras::new()?);
    let pictures = desk.work("camera.yuyv");
    Clip::new(CAMERA.width, CAMERA.height, 30, LOOP / 30).write_camera(&pictures, "YUYV")?;
    cameras.plug_in(0, "Imitation", &[format!("YUYV {} {} 30 ={}", CAMERA.width, CAMERA.height, pictures.display())])?;
    if lag_ms > 0 {
        let late = format!("lag={lag_ms}");
        cameras.fault(0, &[late.as_str()])?;
    }
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

/// Milliseconds since the picture of this number was ready. The camera counts on; of its count the picture shows the rest by the
/// loop, and it is the newest one of those that can have arrived.
fn late_ms(arrived: f64, number: u32, begun: f64, period: f64) -> f64 {
    let newest = ((arrived - begun) / period - 1.0).floor();
    let n = newest - (newest - f64::from(number)).rem_euclid(f64::from(LOOP));
    (arrived - (begun + (n + 1.0) * period)) * 1000.0
}

/// Milliseconds from ready to arrived, for every picture that can be read.
fn join(file: &Path, growth: &[(f64, u64)], begun: f64, period: f64) -> anyhow::Result<Vec<f64>> {
    let mut tags = Tail::open(file)?.look()?;
    tags.sort_by(|a, b| a.pts_s.total_cmp(&b.pts_s));
    let pictures = analysis::read_pictures(file, Size::new(720, 1280), Some(CAMERA))?;
    let (Some(first_tag), Some(first_picture)) = (tags.first().map(|t| t.pts_s), pictures.first().map(|p| p.0)) else {
        anyhow::bail!("nothing arrived");
    };
    let mut found = vec![];
    for (at, reading) in pictures.iter().skip(LEFT_OUT) {
        let wanted = at - first_picture + first_tag;
        let tag = tags.iter().min_by(|a, b| (a.pts_s - wanted).abs().total_cmp(&(b.pts_s - wanted).abs()));
        let (Some(tag), Some(number)) = (tag, reading.number) else { continue };
        let Some((arrived, _)) = growth.iter().find(|(_, size)| *size >= tag.end) else { continue };
        found.push(late_ms(*arrived, number, begun, period));
    }
    let all = pictures.len().saturating_sub(LEFT_OUT);
    ensure!(found.len() > 200 && found.len() as f64 >= all as f64 * TIMED, "only {} of {all} pictures could be timed", found.len());
    Ok(found)
}

pub(crate) fn run(table: &mut Table) -> anyhow::Result<()> {
    table.promise("camera → ingest, with look-ahead", "ms", (95.0, 700.0), latencies(false, 0)?);
    table.promise("camera → ingest, --low-latency", "ms", (95.0, 120.0), latencies(true, 0)?);
    // The instrument itself: no picture can be here before it left the camera.
    let late = latencies(true, LAG_MS)?;
    let least = late.iter().copied().fold(f64::MAX, f64::min);
    ensure!(least > f64::from(LAG_MS) - 1.0, "a camera that is {LAG_MS} ms late reads as {least:.0} ms late");
    table.report("the same with a camera that is 2050 ms late: what this reads", "ms", late);
    table.command(
        "glass",
        "stallcast live --camera device --mic none --to … --for 15 [--low-latency]; imitation camera 320x240 YUYV, pictures numbered",
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_picture_is_late_by_all_of_it() {
        let (begun, period) = (1000.25, 1.0 / 30.0);
        for late_s in [0.001, 0.05, 2.05, 7.3, 19.9] {
            for n in [40_u32, 599, 600, 1234] {
                let arrived = begun + (f64::from(n) + 1.0) * period + late_s;
                let read = late_ms(arrived, n % LOOP, begun, period);
                assert!((read - late_s * 1000.0).abs() < 0.5, "picture {n}, {late_s} s late, reads {read} ms");
            }
        }
    }
}
