//! The imitation camera and microphone on their way through the whole program.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use stallcast_testing::analysis::{self, Made};
use stallcast_testing::clip::{Clip, Sound};
use stallcast_testing::devices::{Cameras, Microphone};
use stallcast_testing::ingest::Ingest;
use stallcast_testing::packets;
use stallcast_testing::processes::Role;
use stallcast_testing::program::{Desk, Line};
use std::time::Duration;

/// Hang guard of a show of some seconds.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn camera_and_microphone_arrive_at_the_ingest_in_step() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    let ingest = Ingest::start()?;
    let cameras = Cameras::new()?;
    let microphone = Microphone::start()?;
    let (pictures, sound) = (desk.work("camera.yuyv"), desk.work("sound.wav"));
    Clip::new(640, 480, 30, 2).write_camera(&pictures, "YUYV")?;
    Sound::default().write_wav(&sound, 90)?;
    cameras.plug_in(0, "Imitation", &[format!("YUYV 640 480 30 ={}", pictures.display())])?;
    cameras.show_to(&mut desk);
    microphone.show_to(&mut desk);

    let devices = desk.run(&["devices", "--json"])?.json()?;
    let camera = &devices["cameras"][0];
    ensure!(camera["name"] == "Imitation" && camera["modes"][0]["width"] == 640 && camera["modes"][0]["fps"] == 30.0, "{devices}");
    ensure!(devices["microphones"].as_array().is_some_and(|m| !m.is_empty()), "{devices}");

    let _player = microphone.play(&sound)?;
    let keys = desk.work("keys");
    std::fs::write(&keys, "devices\n")?;
    let (url, keys) = (ingest.url(), keys.to_string_lossy().into_owned());
    let words = ["--camera", "device", "--mic", "device", "--to", &url, "--key-file", &keys, "--for", "20s"];
    let show = desk.live(&words)?;
    let ready = show.wait_type("ready", LIMIT)?;
    ensure!(ready["camera"].as_str().is_some_and(|c| c.contains("Imitation")) && ready["demo"] == Value::Bool(false), "{ready}");
    let finished = show.finish(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);

    let arrived = ingest.recording("devices")?;
    packets::read(&arrived)?.check_live(720, 1280, 30)?;
    let found = analysis::read(&arrived, Made::at(640, 480).looped(60))?;
    ensure!(found.frames >= 585 && found.unreadable == 0 && found.backwards == 0, "{found}");
    ensure!(found.wrong_percent() < 1.0, "{found}");
    ensure!(found.offsets.len() >= 7 && found.jitter_p95_ms() <= 20.0, "{found}{:?}\n{}", found.offsets, desk.logs());
    let summary = finished.summary()?;
    ensure!(summary["frames_lagged"].as_u64().context("lagged")? < 6, "{summary}");
    Ok(())
}

/// "Any camera" is the one that was on air, also for the next media process: what stands before another is nobody's business.
#[test]
fn after_a_death_the_same_camera_is_on_air_and_no_other() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    let cameras = Cameras::new()?;
    let mode = ["YUYV 640 480 30 pattern".to_owned()];
    cameras.plug_in(1, "On air", &mode)?;
    cameras.show_to(&mut desk);
    let record = desk.work("show.mp4").to_string_lossy().into_owned();
    let words = ["--camera", "device", "--mic", "none", "--canvas", "360x640", "--record", &record];
    let show = desk.live(&words)?;
    show.wait_live(LIMIT)?;
    let ready = show.wait_type("ready", LIMIT)?;
    ensure!(ready["camera"] == "On air", "{ready}");
    // It comes first where any would do.
    cameras.plug_in(0, "Bedroom", &mode)?;
    let mark = show.mark();
    desk.kill(Role::Engine)?;
    show.wait_health(mark, "engine_restarted", LIMIT)?;
    let part = desk.work("show.part2.mp4").to_string_lossy().into_owned();
    let goes_on = |line: &Line| {
        let is_next = line.value["type"] == "state" && line.value["recording"] == part.as_str();
        is_next.then(|| line.value["camera"].clone())
    };
    let camera = show.wait_from(mark, "state of the next process", LIMIT, goes_on)?;
    ensure!(camera == "On air", "{camera} is on air");
    let finished = show.end(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    let other = cameras.log(0).unwrap_or_default();
    ensure!(!other.contains("streaming"), "it was looked through: {other}");
    Ok(())
}

/// Without a picture from it the show would be gone from the ingest for as long as its driver takes.
#[test]
fn after_a_death_no_show_waits_for_a_camera_that_takes_its_time() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    let cameras = Cameras::new()?;
    cameras.plug_in(1, "On air", &["YUYV 640 480 30 pattern".to_owned()])?;
    cameras.show_to(&mut desk);
    let record = desk.work("show.mp4").to_string_lossy().into_owned();
    let words = ["--camera", "device", "--mic", "none", "--canvas", "360x640", "--record", &record];
    let show = desk.live(&words)?;
    show.wait_live(LIMIT)?;
    cameras.fault(1, &["stall"])?;
    let mark = show.mark();
    desk.kill(Role::Engine)?;
    let part = desk.work("show.part2.mp4").to_string_lossy().into_owned();
    let state = |line: &Line| (line.value["type"] == "state").then(|| line.value.clone());
    let goes_on = |line: &Line| state(line).filter(|state| state["recording"] == part.as_str() && state["state"] == "live");
    let without = show.wait_from(mark, "state of the next process", LIMIT, goes_on)?;
    ensure!(without["camera"] == "", "it waited for it: {without}");
    cameras.fault(1, &[])?;
    show.wait_from(mark, "the camera", LIMIT, |line| state(line).filter(|state| state["camera"] == "On air"))?;
    let finished = show.end(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    Ok(())
}
