//! kill -9 of each process in the middle of a show.

use anyhow::{Context as _, ensure};
use rustix::process::Signal;
use stallcast_testing::analysis::{self, Made};
use stallcast_testing::clip::Clip;
use stallcast_testing::ingest::Ingest;
use stallcast_testing::packets;
use stallcast_testing::processes::{self, Role};
use stallcast_testing::program::Desk;
use std::path::Path;
use std::time::{Duration, Instant};

/// Hang guard.
const LIMIT: Duration = Duration::from_secs(90);

struct Running {
    desk: Desk,
    ingest: Ingest,
    show: stallcast_testing::program::Show,
    record: std::path::PathBuf,
}

/// A show of the marker clip with everything: destination, recording, shop.
fn start(key: &str, more: &[&str]) -> anyhow::Result<Running> {
    let desk = Desk::new()?;
    let ingest = Ingest::start()?;
    let (clip, keys, record) = (desk.work("clip.mp4"), desk.work("keys"), desk.work("show.mp4"));
    Clip::new(360, 640, 30, 40).write(&clip)?;
    std::fs::write(&keys, format!("{key}\n"))?;
    let (source, url) = (format!("file:{}", clip.display()), ingest.url());
    let (keys, record_text) = (keys.to_string_lossy().into_owned(), record.to_string_lossy().into_owned());
    let mut words = vec!["--camera", &source, "--mic", &source, "--canvas", "360x640", "--video-kbps", "1500", "--shop"];
    words.extend(["--to", &url, "--key-file", &keys, "--record", &record_text]);
    words.extend(more);
    let show = desk.live(&words)?;
    show.wait_live(LIMIT)?;
    ingest.wait_received(key, 300_000, LIMIT)?;
    Ok(Running { desk, ingest, show, record })
}

/// Everything in it is in order and whole; its seconds. Where it was cut off by a death, the last B-frames may be missing.
fn plays(file: &Path) -> anyhow::Result<f64> {
    let tracks = packets::read(file)?;
    tracks.video.check_order()?;
    tracks.audio.check_order()?;
    let found = analysis::read(file, Made::at(360, 640))?;
    let wrong = found.missing + found.repeated as u64 + found.backwards as u64;
    ensure!(found.unreadable == 0 && (wrong <= 2 || found.wrong_percent() < 1.0), "{}: {found}", file.display());
    Ok(found.span_s)
}

#[test]
fn a_dead_engine_comes_back_by_itself_and_its_recording_plays() -> anyhow::Result<()> {
    let Running { desk, ingest, show, record } = start("engine", &[])?;
    let follower = desk.live(&["--attach"])?;
    follower.wait_live(LIMIT)?;
    let mark = show.mark();
    let followed = follower.mark();
    let killed = Instant::now();
    let old = desk.kill(Role::Engine)?;
    let before = ingest.recordings("engine").len();
    while ingest.recordings("engine").len() == before {
        ensure!(killed.elapsed() < LIMIT, "never back at the ingest: {}", show.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    // Five seconds are promised and measured by the benchmark; here it is a hang guard.
    ensure!(killed.elapsed() < Duration::from_secs(20), "{:?} without a picture", killed.elapsed());
    let gap = show.wait_health(mark, "engine_restarted", LIMIT)?;
    ensure!(gap["gap_ms"].as_str().is_some(), "{gap}");
    let new = processes::wait_for_role(&desk.data(), Role::Engine, Some(old), LIMIT)?;
    ensure!(new.pid != old);
    // Whoever looks on from elsewhere sees the next one too.
    follower.wait_from(followed, "figures of the next process", LIMIT, |line| {
        (line.value["type"] == "stats" && line.value["cpu_s"].as_f64() < Some(killed.elapsed().as_secs_f64())).then_some(())
    })?;
    // The shop did not notice, and viewers go on buying.
    let seller = show.shop()?;
    seller.buyer("顾客").buy(&seller.product(1)?)?;
    // What was recorded so far lies there, playable, while the show goes on beside it.
    ensure!(plays(&record)? > 1.0);
    let second = ingest.recordings("engine").pop().context("a second part")?;
    let begun = Instant::now();
    while second.metadata()?.len() < 500_000 {
        ensure!(begun.elapsed() < LIMIT, "the second part does not grow");
        std::thread::sleep(Duration::from_millis(20));
    }
    let finished = show.end(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    assert_eq!(follower.finish(LIMIT)?.status, Some(0), "to the end of the show");
    // Both processes are in its figures, the first but for what it sent after its last word, a second ago at most.
    let to = &finished.summary()?["destinations"][0];
    let by_the_last = second.metadata()?.len();
    ensure!(to["bytes_sent"].as_u64() > Some(by_the_last + 100_000) && to["reconnects"] == 1, "{by_the_last} bytes by the last one: {to}");
    let part = record.with_file_name("show.part2.mp4");
    ensure!(finished.summary()?["recordings"] == serde_json::json!([record, part]), "{}", finished.summary()?);
    for file in [&record, &part] {
        ensure!(plays(file)? > 1.0, "{}", file.display());
    }
    for file in ingest.recordings("engine") {
        ensure!(plays(&file)? > 1.0, "{}", file.display());
    }
    Ok(())
}

#[test]
#[cfg(target_os = "linux")]
fn a_thread_caught_in_an_encoder_does_not_end_the_picture() -> anyhow::Result<()> {
    let Running { desk, ingest, show, record } = start("caught", &[])?;
    let mark = show.mark();
    let engine = desk.process(Role::Engine)?.pid;
    processes::freeze_thread(engine, "enc:video")?;
    show.wait_health(mark, "engine_restarted", LIMIT)?;
    ensure!(desk.process(Role::Engine)?.pid != engine);
    let received = ingest.received("caught");
    ingest.wait_received("caught", received + 300_000, LIMIT)?;
    let finished = show.end(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    for file in [&record, &record.with_file_name("show.part2.mp4")] {
        ensure!(plays(file)? > 1.0, "{}", file.display());
    }
    Ok(())
}

#[test]
fn a_dead_shop_comes_back_at_its_address_and_the_picture_does_not_notice() -> anyhow::Result<()> {
    let Running { desk, ingest, show, record } = start("shop", &[])?;
    let seller = show.shop()?;
    let first = seller.buyer("先来").buy(&seller.product(1)?)?;
    let mark = show.mark();
    let old = desk.kill(Role::Shop)?;
    let took = seller.wait_answers(LIMIT)?;
    ensure!(took < Duration::from_secs(20), "{took:?} without a shop");
    show.wait_health(mark, "shop_restarted", LIMIT)?;
    ensure!(desk.process(Role::Shop)?.pid != old);
    let second = seller.buyer("后到").buy(&seller.product(1)?)?;
    let begun = Instant::now();
    let ids = loop {
        let ids: Vec<_> = desk.query("select id from orders order by placed_at_ms")?.iter().map(|r| r["id"].clone()).collect();
        if ids.len() >= 2 {
            break ids;
        }
        ensure!(begun.elapsed() < LIMIT, "the studio has {ids:?}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(ids, [first["id"].clone(), second["id"].clone()], "each order once");
    let finished = show.end(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    packets::read(&ingest.recording("shop")?)?.check_live(360, 640, 30)?;
    plays(&ingest.recording("shop")?)?;
    plays(&record)?;
    Ok(())
}

#[test]
fn a_dead_app_is_not_missed_and_the_next_start_attaches() -> anyhow::Result<()> {
    let Running { desk, ingest, mut show, record } = start("app", &["--for", "40s"])?;
    let seller = show.shop()?;
    show.kill();
    ensure!(processes::of_role(&desk.data(), Role::App).is_none());
    let received = ingest.received("app");
    // Push, viewer page and checkout go on.
    let order = seller.buyer("顾客").buy(&seller.product(1)?)?;
    let page = stallcast_testing::http::get(&format!("{}/", seller.url()))?;
    assert_eq!(page.status, 200);
    let list = stallcast_testing::http::get(&format!("{}/live/stream.m3u8", seller.url()))?;
    assert_eq!(list.status, 200, "{}", list.text());
    ingest.wait_received("app", received + 200_000, LIMIT)?;
    ensure!(
        desk.query(&format!("select id from orders where id = '{}'", order["id"].as_str().unwrap_or_default()))?.is_empty(),
        "nobody reads orders now"
    );

    // Without --attach it is refused and named; with it the show is taken over.
    let refused = desk.run(&["live", "--json", "--record", "other.mp4"])?;
    assert_eq!(refused.status, Some(5), "{refused:?}");
    let again = desk.live(&["--attach", "--shop"])?;
    again.wait_live(LIMIT)?;
    let begun = Instant::now();
    while desk.query("select id from orders")?.is_empty() {
        ensure!(begun.elapsed() < LIMIT, "the order placed meanwhile never arrives: {}", again.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    let finished = again.end(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    let rows = desk.query("select id, count(*) n from orders group by id")?;
    assert_eq!(rows, [serde_json::json!({ "id": order["id"], "n": 1 })]);
    // One connection, one recording, no gap.
    let arrived = ingest.recording("app")?;
    packets::read(&arrived)?.check_live(360, 640, 30)?;
    let found = analysis::read(&arrived, Made::at(360, 640))?;
    ensure!(found.wrong_percent() < 1.0 && found.holes.is_empty(), "{found}");
    packets::read(&record)?.check_live(360, 640, 30)?;
    ensure!(desk.processes().is_empty(), "{:?}", desk.processes());
    Ok(())
}

#[test]
fn without_an_app_a_show_ends_by_its_own_time() -> anyhow::Result<()> {
    let Running { desk, ingest, mut show, record } = start("alone", &["--for", "12s"])?;
    show.kill();
    ingest.wait_publishing("alone", false, LIMIT)?;
    let tracks = packets::read(&ingest.recording("alone")?)?;
    tracks.check_live(360, 640, 30)?;
    ensure!((11.5..14.0).contains(&tracks.video.span_s()), "{} s", tracks.video.span_s());
    let begun = Instant::now();
    while packets::read(&record).is_err() {
        ensure!(begun.elapsed() < LIMIT, "the recording is not finished");
        std::thread::sleep(Duration::from_millis(100));
    }
    desk.run(&["end"])?;
    packets::read(&record)?.check_live(360, 640, 30)
}

#[test]
fn a_recording_that_a_power_cut_left_is_whole_after_the_next_start() -> anyhow::Result<()> {
    let Running { desk, ingest: _ingest, mut show, record } = start("cut", &[])?;
    // All at once, as far as that is possible: who would start the others again goes first.
    show.kill();
    desk.kill(Role::Engine)?;
    desk.kill(Role::Shop)?;
    let in_fragments = || anyhow::Ok(std::fs::read(&record)?.windows(4).any(|four| four == b"moof"));
    ensure!(in_fragments()?, "it was not cut off");
    let next = desk.live(&["--shop"])?;
    // A shop that takes its time: what was told before it stood is told all the same.
    let shop = processes::wait_for_role(&desk.data(), Role::Shop, None, LIMIT)?.pid;
    processes::signal(shop, Signal::STOP);
    let begun = Instant::now();
    while in_fragments()? {
        ensure!(begun.elapsed() < LIMIT, "not finished: {}", desk.logs());
        std::thread::sleep(Duration::from_millis(50));
    }
    processes::signal(shop, Signal::CONT);
    let health = next.wait_health(0, "recording_repaired", LIMIT)?;
    ensure!(health["name"] == "show.mp4" && health["minutes"] == "1", "{health}");
    ensure!(plays(&record)? > 1.0);
    ensure!(next.end(LIMIT)?.status == Some(0));
    Ok(())
}

#[test]
fn a_show_survives_its_app_and_then_its_media_process() -> anyhow::Result<()> {
    let Running { desk, ingest, mut show, record } = start("both", &[])?;
    show.kill();
    let again = desk.live(&["--attach", "--shop"])?;
    again.wait_live(LIMIT)?;
    let (mark, before) = (again.mark(), ingest.recordings("both").len());
    desk.kill(Role::Engine)?;
    again.wait_health(mark, "engine_restarted", LIMIT)?;
    let begun = Instant::now();
    while ingest.recordings("both").len() == before {
        ensure!(begun.elapsed() < LIMIT, "never back at the ingest: {}", again.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    let received = ingest.received("both");
    ingest.wait_received("both", received + 200_000, LIMIT)?;
    let finished = again.end(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    for file in [&record, &record.with_file_name("show.part2.mp4")] {
        ensure!(plays(file)? > 1.0, "{}", file.display());
    }
    ensure!(desk.processes().is_empty(), "{:?}", desk.processes());
    Ok(())
}

#[test]
fn a_show_that_cannot_be_taken_up_again_is_said_to_be_over() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let show = desk.live(&["--camera", "demo", "--mic", "demo", "--canvas", "360x640", "--shop"])?;
    show.wait_live(LIMIT)?;
    let mark = show.mark();
    // Nobody else gets it but viewers, and their folder cannot be written any more.
    let folder = desk.data().join("live");
    std::fs::rename(&folder, desk.work("moved"))?;
    std::fs::write(&folder, "in the way")?;
    desk.kill(Role::Engine)?;
    show.wait_health(mark, "show_lost", LIMIT)?;
    let finished = show.finish(LIMIT)?;
    assert_eq!(finished.status, Some(5), "{}", finished.log);
    finished.summary()?;
    let open = desk.query("select count(*) n from show where state not in ('ready', 'ended')")?;
    assert_eq!(open, [serde_json::json!({ "n": 0 })], "its row is closed");
    ensure!(desk.processes().is_empty(), "{:?}", desk.processes());
    Ok(())
}
