//! The contract of the command line with scripts: how a show is begun, watched, followed and ended.

use anyhow::ensure;
use stallcast_testing::packets;
use stallcast_testing::processes::{self, Role};
use stallcast_testing::program::{Desk, Ran};
use std::path::Path;
use std::time::{Duration, Instant};

/// Hang guard of a show of some seconds.
const LIMIT: Duration = Duration::from_secs(120);
/// A small show: what is tested here is not the picture.
const SMALL: [&str; 4] = ["--canvas", "360x640", "--fps", "15"];

#[test]
fn one_ctrl_c_ends_a_show_cleanly() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let record = desk.work("show.mp4").to_string_lossy().into_owned();
    let show = desk.live(&[&["--record", &record], &SMALL[..]].concat())?;
    show.wait_live(LIMIT)?;
    show.wait("three seconds", LIMIT, |l| (l.value["frames_encoded"].as_u64() >= Some(45)).then_some(()))?;
    let begun = Instant::now();
    let finished = show.end(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}: two seconds are promised", begun.elapsed());
    packets::read(&desk.work("show.mp4"))?.check_live(360, 640, 15)?;
    assert_eq!(finished.summary()?["recordings"], serde_json::json!([record]));
    assert!(desk.processes().is_empty(), "{:?}", desk.processes());
    let states: Vec<&str> =
        finished.lines.iter().filter(|l| l.value["type"] == "state").filter_map(|l| l.value["state"].as_str()).collect();
    assert!(states.contains(&"live"), "{states:?}");
    assert_eq!(finished.lines[0].value["type"], "ready");
    Ok(())
}

#[test]
fn a_running_show_is_watched_followed_and_ended_from_outside() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    // Nothing runs yet: neither is a failure.
    let before = desk.run(&["status", "--json"])?.json()?;
    assert_eq!((before["show"]["state"].as_str(), before["held"].as_bool()), (Some("idle"), Some(false)), "{before}");
    assert_eq!(desk.run(&["end", "--json"])?.status, Some(0));
    assert_ne!(desk.run(&["live", "--attach", "--json"])?.status, Some(0), "there is nothing to follow");

    let record = desk.work("show.mp4").to_string_lossy().into_owned();
    let show = desk.live(&[&["--shop", "--record", &record], &SMALL[..]].concat())?;
    show.wait_live(LIMIT)?;
    let ready = show.wait_type("ready", LIMIT)?;
    let status = desk.run(&["status", "--json"])?.json()?;
    assert_eq!((status["show"]["state"].as_str(), status["pid"].as_u64()), (Some("live"), Some(u64::from(show.pid()))), "{status}");
    assert_eq!(status["shop"]["url"], ready["shop_url"]);
    assert!(processes::is_alive(status["engine"]["pid"].as_u64().and_then(|p| u32::try_from(p).ok()).unwrap_or(0)), "{status}");
    for process in desk.processes() {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", process.pid))?;
        let loads = |name: &str| maps.lines().any(|l| l.contains(name));
        ensure!(!loads("libwebkit") && !loads("libgtk"), "no window is open, and {process:?} loads what it needs");
        ensure!(loads("libavcodec") == (process.role() == Role::Engine), "codecs are the media process's alone, and {process:?}");
    }
    let follower = desk.live(&["--attach"])?;
    follower.wait_live(LIMIT)?;
    let mark = follower.mark();
    follower.wait_from(mark, "figures", LIMIT, |l| (l.value["type"] == "stats").then_some(()))?;

    let ended = desk.run(&["end", "--json"])?;
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(ended.json()?["type"], "summary", "{ended:?}");
    let finished = show.finish(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    assert!(finished.summary()?["frames_encoded"].as_u64() > Some(0));
    // Who ended it and who ran it are told the same: all processes together.
    let memory = |summary: &serde_json::Value| summary["peak_rss_bytes"].as_f64().unwrap_or_default();
    let (theirs, ours) = (memory(&ended.json()?), memory(finished.summary()?));
    ensure!((theirs / ours - 1.0).abs() < 0.1, "{theirs} and {ours} bytes");
    let followed = follower.finish(LIMIT)?;
    assert_eq!(followed.status, Some(0), "{}", followed.log);
    packets::read(&desk.work("show.mp4"))?.check_live(360, 640, 15)?;
    assert!(desk.processes().is_empty(), "{:?}", desk.processes());
    Ok(())
}

#[test]
fn the_data_folder_is_taken_before_and_after_the_subcommand_and_from_the_environment() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    let data = desk.data().to_string_lossy().into_owned();
    let program = stallcast_testing::program::binary()?;
    let ask = |desk: &Desk, words: &[&str]| -> anyhow::Result<String> {
        let mut command = std::process::Command::new(&program);
        desk.furnish(&mut command);
        let ran = Ran::of(command.args(words), LIMIT)?;
        ensure!(ran.status == Some(0), "{ran:?}");
        Ok(ran.json()?["data"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(ask(&desk, &["--data", &data, "status", "--json"])?, data);
    assert_eq!(ask(&desk, &["status", "--data", &data, "--json"])?, data);
    assert!(ask(&desk, &["status", "--json"])?.ends_with("home/.local/share/stallcast"));
    desk.set("STALLCAST_DATA", &data);
    assert_eq!(ask(&desk, &["status", "--json"])?, data);
    Ok(())
}

#[test]
fn without_its_other_programs_one_sentence_says_what_to_do() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let program = stallcast_testing::program::binary()?;
    let alone = tempfile::tempdir_in(program.parent().unwrap_or(Path::new(".")))?;
    let alone = alone.path().join("stallcast");
    std::fs::hard_link(&program, &alone)?;
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(&alone);
        desk.furnish(&mut command);
        Ran::of(command.env("DISPLAY", ":1").arg("--data").arg(desk.data()).args(words), LIMIT)
    };
    let (window, engine) = (["stallcast-window", "stallcast live"], ["stallcast-engine", "Install Stallcast again"]);
    let record = desk.work("show.mp4").to_string_lossy().into_owned();
    for (words, named) in [(&[][..], window), (&["engine"], engine), (&["live", "--camera", "demo", "--record", &record], engine)] {
        let ran = run(words)?;
        assert_eq!(ran.status, Some(5), "{ran:?}");
        // A show says where its key is kept first.
        let said: Vec<&str> = ran.stderr.lines().filter(|line| !line.starts_with("Note: ")).collect();
        let [sentence] = said[..] else { anyhow::bail!("not one sentence: {ran:?}") };
        ensure!(named.iter().all(|word| sentence.contains(word)), "{ran:?}");
    }
    Ok(())
}

#[test]
fn a_display_that_does_not_answer_is_one_sentence_and_nothing_is_opened() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    // Of a session that is over.
    desk.set("DISPLAY", ":1947");
    let ran = desk.run::<&str>(&[])?;
    assert_eq!(ran.status, Some(5), "{ran:?}");
    let said: Vec<&str> = ran.stderr.lines().collect();
    let [sentence] = said[..] else { anyhow::bail!("not one sentence: {ran:?}") };
    ensure!(sentence.contains(":1947") && sentence.contains("stallcast live --shop"), "{ran:?}");
    ensure!(desk.processes().is_empty() && !desk.data().exists(), "{:?}", desk.processes());
    Ok(())
}

#[test]
fn a_second_ctrl_c_leaves_at_once_and_the_show_can_still_be_ended() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let record = desk.work("show.mp4").to_string_lossy().into_owned();
    let show = desk.live(&[&["--record", &record], &SMALL[..]].concat())?;
    show.wait_live(LIMIT)?;
    // A media process that does not answer keeps the end waiting: the case the second Ctrl-C is for.
    let engine = desk.process(Role::Engine)?.pid;
    processes::signal(engine, rustix::process::Signal::STOP);
    show.interrupt();
    std::thread::sleep(Duration::from_millis(300));
    show.interrupt();
    let finished = show.finish(LIMIT)?;
    processes::signal(engine, rustix::process::Signal::CONT);
    assert_eq!(finished.status, Some(130), "{}", finished.log);
    let ended = desk.run(&["end", "--json"])?;
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let begun = Instant::now();
    while !desk.processes().is_empty() {
        assert!(begun.elapsed() < LIMIT, "{:?}", desk.processes());
        std::thread::sleep(Duration::from_millis(50));
    }
    packets::read(&desk.work("show.mp4"))?.video.check_order()
}
