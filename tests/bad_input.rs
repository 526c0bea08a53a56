//! What a person can get wrong: one sentence with the next step in either language, the right exit status, nothing lost.

use anyhow::ensure;
use serde_json::Value;
use stallcast_testing::devices::Cameras;
use stallcast_testing::disk::SmallDisk;
use stallcast_testing::ingest::Ingest;
use stallcast_testing::packets;
use stallcast_testing::program::{Desk, Ran};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Hang guard of a show of some seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs `live` with these words in both languages and checks what a person and a script see.
fn refused(desk: &mut Desk, words: &[&str], code: &str, status: i32) -> anyhow::Result<Value> {
    let mut params = Value::Null;
    for language in ["zh-CN", "en"] {
        desk.set("STALLCAST_LANG", language);
        let mut all = vec!["live", "--json"];
        all.extend(words);
        let ran = desk.run(&all)?;
        params = check(&ran, language, code, status)?;
    }
    ensure!(desk.processes().is_empty(), "{code} left behind {:?}", desk.processes());
    Ok(params)
}

fn check(ran: &Ran, language: &str, code: &str, status: i32) -> anyhow::Result<Value> {
    ensure!(ran.status == Some(status), "{code}: {ran:?}");
    let lines: Vec<Value> = ran.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let error = lines.iter().find(|l| l["type"] == "error").unwrap_or(&Value::Null);
    ensure!(error["code"] == code, "{code}: {ran:?}");
    // Logs share standard error; the sentence is the line that is no log line.
    let is_sentence = |l: &&str| !l.is_empty() && !l.contains(" INFO ") && !l.contains(" WARN ") && !l.contains(" ERROR ");
    let sentences: Vec<&str> = ran.stderr.lines().filter(is_sentence).collect();
    let sentence = sentences.last().copied().unwrap_or_default();
    let is_chinese = sentence.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    ensure!(is_chinese == (language == "zh-CN"), "{code} in {language}: {sentence}");
    // What happened, then what to do.
    let (end, parts) = if is_chinese { ('。', sentence.matches('。').count()) } else { ('.', sentence.matches(". ").count() + 1) };
    ensure!(sentence.ends_with(end) && parts >= 2, "{code} in {language} has no next step: {sentence}");
    ensure!(!sentence.contains('{') && !ran.stderr.contains("panicked"), "{code}: {}", ran.stderr);
    Ok(error["params"].clone())
}

#[test]
fn words_that_make_no_show_end_with_2() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    let keys = desk.work("keys");
    std::fs::write(&keys, "a\nb\nc\n")?;
    let keys = keys.to_string_lossy().into_owned();
    let cases: &[(&[&str], &str)] = &[
        (&["--to", "http://127.0.0.1/live"], "bad_url"),
        (&["--to", "rtmp://127.0.0.1"], "bad_url"),
        (&["--to", "127.0.0.1/live"], "bad_url"),
        (&[], "no_output"),
        (&["--record", "a.mp4", "--canvas", "719x1280"], "bad_canvas"),
        (&["--record", "a.mp4", "--canvas", "100x100"], "bad_canvas"),
        (&["--record", "a.mp4", "--fps", "200"], "bad_value"),
        (&["--record", "a.mp4", "--video-kbps", "many"], "bad_value"),
        (&["--record", "a.mp4", "--for", "soon"], "bad_duration"),
        (&["--record", "a.mkv"], "bad_record"),
        (&["--record", "a.mp4", "--camera", "webcam"], "bad_source"),
        (&["--record", "a.mp4", "--pin", "first"], "needs_option"),
        (&["--record", "a.mp4", "--listen", "127.0.0.1:0"], "needs_option"),
        (&["--shop", "--listen", "nowhere"], "bad_address"),
        (&["--to", "rtmp://127.0.0.1/live", "--key-file", &keys], "key_file_count"),
        (&["--nonsense"], "usage"),
    ];
    for (words, code) in cases {
        refused(&mut desk, words, code, 2)?;
    }
    let ran = desk.run(&["nonsense"])?;
    assert_eq!(ran.status, Some(2), "{ran:?}");
    // Help is no failure, and names every option.
    let help = desk.run(&["live", "--help"])?;
    assert_eq!(help.status, Some(0));
    for option in [
        "--camera",
        "--mic",
        "--canvas",
        "--fps",
        "--video-kbps",
        "--audio-kbps",
        "--low-latency",
        "--to",
        "--key-file",
        "--record",
        "--overwrite",
        "--shop",
        "--listen",
        "--pin",
        "--for",
        "--attach",
        "--json",
        "--data",
    ] {
        assert!(help.stdout.contains(option), "{option} is not in the help");
    }
    Ok(())
}

#[test]
fn files_and_devices_that_are_not_there_or_in_the_way_end_with_3() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    let there = desk.work("there.mp4");
    std::fs::write(&there, "precious")?;
    let there_text = there.to_string_lossy().into_owned();
    refused(&mut desk, &["--record", "a.mp4", "--camera", "file:missing.mp4"], "file_missing", 3)?;
    refused(&mut desk, &["--record", "a.mp4", "--mic", "file:missing.wav"], "file_missing", 3)?;
    refused(&mut desk, &["--record", "no/such/folder/a.mp4"], "path_unwritable", 3)?;
    refused(&mut desk, &["--to", "rtmp://127.0.0.1/live", "--key-file", "missing"], "key_file_missing", 3)?;
    let params = refused(&mut desk, &["--record", &there_text], "file_exists", 3)?;
    assert_eq!(params["path"], there_text.as_str());
    assert_eq!(std::fs::read_to_string(&there)?, "precious", "nothing may be lost");
    // A text is no film.
    refused(&mut desk, &["--record", "a.mp4", "--camera", &format!("file:{there_text}")], "source_unusable", 3)?;

    let cameras = Cameras::new()?;
    cameras.show_to(&mut desk);
    refused(&mut desk, &["--record", "a.mp4", "--camera", "device"], "device_missing", 3)?;
    cameras.plug_in(0, "Imitation", &["YUYV 640 480 30 pattern".to_owned()])?;
    refused(&mut desk, &["--record", "a.mp4", "--camera", "device:nobody"], "device_missing", 3)?;
    // Another program holds it.
    cameras.fault(0, &["reqbufs=16"])?;
    let devices = desk.run(&["devices", "--json"])?.json()?;
    let id = devices["cameras"][0]["id"].as_str().unwrap_or_default().to_owned();
    for camera in ["device".to_owned(), format!("device:{id}")] {
        let params = refused(&mut desk, &["--record", "a.mp4", "--camera", &camera], "device_busy", 3)?;
        assert!(params["name"].as_str().is_some_and(|n| n.contains("Imitation")), "{params}");
    }
    assert!(!desk.work("a.mp4").exists(), "a show that did not begin leaves no file");
    Ok(())
}

#[test]
fn a_taken_key_is_refused_with_4() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    let ingest = Ingest::start()?;
    let _other = ingest.occupy("taken")?;
    let keys = desk.work("keys");
    std::fs::write(&keys, "taken\n")?;
    let (url, keys) = (ingest.url(), keys.to_string_lossy().into_owned());
    let params = refused(&mut desk, &["--to", &url, "--key-file", &keys, "--for", "5s"], "destination_refused", 4)?;
    assert_eq!(params["hosts"], "127.0.0.1");
    Ok(())
}

/// The platform has no show, the own viewers have.
#[test]
fn a_taken_key_does_not_keep_the_show_from_the_viewers() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let ingest = Ingest::start()?;
    let _other = ingest.occupy("taken")?;
    let keys = desk.work("keys");
    std::fs::write(&keys, "taken\n")?;
    let (url, keys) = (ingest.url(), keys.to_string_lossy().into_owned());
    let show = desk.live(&["--shop", "--to", &url, "--key-file", &keys, "--canvas", "360x640"])?;
    show.wait_live(LIMIT)?;
    show.wait_health(0, "destination_refused", LIMIT)?;
    let finished = show.end(LIMIT)?;
    assert_eq!(finished.status, Some(4), "{}", finished.log);
    Ok(())
}

#[test]
fn a_destination_that_is_not_there_ends_with_4_and_a_summary() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let nobody = format!("rtmp://127.0.0.1:{}/live/key", stallcast_testing::ports::free());
    let finished = desk.live(&["--to", &nobody, "--canvas", "360x640", "--for", "5s"])?.finish(LIMIT)?;
    assert_eq!(finished.status, Some(4), "{}", finished.log);
    let summary = finished.summary()?;
    assert_eq!(summary["destinations"][0]["bytes_sent"], 0, "{summary}");
    Ok(())
}

#[test]
fn what_is_taken_or_full_ends_with_5() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let params = refused(&mut desk, &["--shop", "--listen", &address, "--for", "5s"], "port_in_use", 5)?;
    assert_eq!(params["address"], address.as_str());

    let disk = SmallDisk::mount(&desk.work("disk"), 4 << 20)?;
    disk.fill()?;
    let path = disk.path("show.mp4").to_string_lossy().into_owned();
    refused(&mut desk, &["--record", &path, "--for", "5s"], "disk_full", 5)?;

    // A file where the data folder should be.
    let mut other = Desk::new()?;
    std::fs::write(other.data(), "not a folder")?;
    refused(&mut other, &["--record", "a.mp4"], "data_unwritable", 5)?;
    Ok(())
}

#[test]
fn a_second_show_on_the_folder_is_refused_and_the_first_does_not_notice() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    let first = desk.work("first.mp4").to_string_lossy().into_owned();
    let show = desk.live(&["--record", &first, "--canvas", "360x640", "--fps", "15"])?;
    show.wait_live(LIMIT)?;
    let pid = show.pid();
    for language in ["zh-CN", "en"] {
        desk.set("STALLCAST_LANG", language);
        let ran = desk.run(&["live", "--json", "--record", "second.mp4"])?;
        let code = if ran.stdout.contains("show_running") { "show_running" } else { "folder_busy" };
        let params = check(&ran, language, code, 5)?;
        assert_eq!(params["pid"], pid.to_string().as_str(), "the running show is named");
    }
    assert!(!desk.work("second.mp4").exists());
    let finished = show.end(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    packets::read(&desk.work("first.mp4"))?.check_live(360, 640, 15)
}

#[test]
fn a_disk_that_fills_stops_the_recording_and_nothing_else() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let ingest = Ingest::start()?;
    let disk = SmallDisk::mount(&desk.work("disk"), 2 << 20)?;
    let keys = desk.work("keys");
    std::fs::write(&keys, "disk\n")?;
    let (url, keys, record) = (ingest.url(), keys.to_string_lossy().into_owned(), disk.path("show.mp4"));
    let record_text = record.to_string_lossy().into_owned();
    let words =
        ["--to", &url, "--key-file", &keys, "--record", &record_text, "--canvas", "360x640", "--video-kbps", "3000", "--for", "18s"];
    let show = desk.live(&words)?;
    show.wait_health(0, "disk_saving", LIMIT)?;
    show.wait_health(0, "recording_stopped", LIMIT)?;
    let finished = show.finish(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    let summary = finished.summary()?;
    ensure!(summary["disk_full"] == true && summary["recordings"] == serde_json::json!([record_text]), "{summary}");
    // What was recorded plays; the destination got everything.
    let kept = packets::read(&record)?;
    ensure!(kept.video.span_s() > 2.0, "{} s", kept.video.span_s());
    kept.video.check_order()?;
    let tracks = packets::read(&ingest.recording("disk")?)?;
    tracks.check_live(360, 640, 30)?;
    ensure!(tracks.video.span_s() > 17.0, "{} s", tracks.video.span_s());
    Ok(())
}

#[test]
fn on_a_disk_that_fills_the_clean_feed_makes_room_for_the_recording() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let ingest = Ingest::start()?;
    let disk = SmallDisk::mount(&desk.work("disk"), 6 << 20)?;
    let keys = desk.work("keys");
    std::fs::write(&keys, "clean\n")?;
    let (url, keys) = (ingest.url(), keys.to_string_lossy().into_owned());
    let (record, clean) = (disk.path("show.mp4"), disk.path("clean.mp4"));
    let (record_text, clean_text) = (record.to_string_lossy().into_owned(), clean.to_string_lossy().into_owned());
    let words = ["--to", &url, "--key-file", &keys, "--record", &record_text, "--clean-feed", &clean_text];
    let show = desk.live(&[&words[..], &["--canvas", "360x640", "--video-kbps", "3000"]].concat())?;
    let stopped = show.wait_health(0, "clean_feed_stopped", LIMIT)?;
    ensure!(stopped["path"] == clean_text.as_str(), "{stopped}");
    // The recording has the rest of the disk for itself.
    let left = std::fs::metadata(&record)?.len();
    let begun = Instant::now();
    while std::fs::metadata(&record)?.len() < left + 200_000 {
        ensure!(begun.elapsed() < LIMIT, "the recording stands still: {}", show.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    let finished = show.end(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    for file in [&record, &clean] {
        let kept = packets::read(file)?;
        ensure!(kept.video.span_s() > 0.3, "{}: {} s", file.display(), kept.video.span_s());
        kept.video.check_order()?;
    }
    packets::read(&ingest.recording("clean")?)?.check_live(360, 640, 30)
}
