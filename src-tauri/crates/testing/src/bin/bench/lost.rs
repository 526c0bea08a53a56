//! What a death of the media process costs its recording: the newest picture in each part, against the one that the camera
//! showed when the process was killed. The way through program, encoder and file is in it.

use crate::glass::{camera_clock, now_s};
use crate::table::Table;
use anyhow::{Context as _, ensure};
use stallcast_testing::analysis;
use stallcast_testing::clip::Clip;
use stallcast_testing::devices::Cameras;
use stallcast_testing::marker::Size;
use stallcast_testing::processes::Role;
use stallcast_testing::program::Desk;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);
const RUNS: usize = 10;
/// Pictures of the camera's loop, five seconds: a part that lost more would read as one that lost less.
const LOOP: u32 = 150;
/// What a part has recorded when its process is killed.
const BETWEEN: Duration = Duration::from_secs(6);
const PHASE: Duration = Duration::from_millis(50);
/// A part has begun.
const HEADERS: u64 = 20_000;

fn part(file: &Path, n: usize) -> PathBuf {
    if n == 0 { file.to_owned() } else { file.with_extension(format!("part{}.mp4", n + 1)) }
}

pub(crate) fn run(table: &mut Table) -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    let cameras = Cameras::new()?;
    let (pictures, file) = (desk.work("camera.yuyv"), desk.work("show.mp4"));
    Clip::new(640, 480, 30, LOOP / 30).write_camera(&pictures, "YUYV")?;
    cameras.plug_in(0, "Imitation", &[format!("YUYV 640 480 30 ={}", pictures.display())])?;
    cameras.show_to(&mut desk);
    let record = file.to_string_lossy().into_owned();
    let show = desk.live(&["--camera", "device", "--mic", "none", "--record", &record])?;
    show.wait_live(LIMIT)?;
    let mut deaths = vec![];
    for n in 0..RUNS {
        let grown = Instant::now();
        while part(&file, n).metadata().map_or(0, |m| m.len()) < HEADERS {
            ensure!(grown.elapsed() < LIMIT, "part {} never begins: {}", n + 1, show.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        // At another moment of its fragment each time.
        std::thread::sleep(BETWEEN + PHASE * u32::try_from(n)?);
        let (begun, period) = camera_clock(&cameras.log(0)?)?;
        let at = now_s();
        desk.kill(Role::Engine)?;
        deaths.push((begun, period, at));
    }
    let finished = show.end(LIMIT)?;
    ensure!(finished.status == Some(0), "{}", finished.log);
    let mut lost = vec![];
    for (n, (begun, period, at)) in deaths.into_iter().enumerate() {
        let pictures = analysis::read_pictures(&part(&file, n), Size::new(720, 1280), Some(Size::new(640, 480)))?;
        let last =
            pictures.iter().rev().find_map(|(_, reading)| reading.number).with_context(|| format!("part {} shows nothing", n + 1))?;
        let shown = (at - begun) / period - 1.0;
        lost.push((shown.floor() - f64::from(last)).rem_euclid(f64::from(LOOP)) * period * 1000.0);
    }
    table.promise("media process killed → pictures its recording lost", "ms", (95.0, 1000.0), lost);
    table.command(
        "lost",
        "stallcast live --camera device --mic none --record … ; kill -9 of `stallcast engine`; imitation camera, pictures numbered",
    );
    Ok(())
}
