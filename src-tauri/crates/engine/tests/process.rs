//! The media process as a process: started, killed, attached to, spoken to in a foreign version, ignored by a client.
#![cfg(unix)]

#[path = "support/child.rs"]
mod child;
mod support;

use child::{child, is_there, kill, signal};
use stallcast_engine::protocol::{
    Command, CouponRibbon, EngineState, Event, GoLive, Hello, Message, Overlay, ProductCard, Recording, Reply, Request, Snapshot, VERSION,
};
use stallcast_engine::{Engine, EngineEvent, socket, socket_path, wire};
use std::time::Duration;
use support::{give, record_into, small_demo, wait_encoded, wait_for, wait_state};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_comes_back_and_the_show_goes_on_in_a_new_part() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("show.mp4");
    let engine = Engine::attach_or_start(folder.path(), &child()).await.expect("it starts");
    let mut events = engine.events();
    give(&engine, Command::Configure(small_demo())).await;
    give(&engine, Command::SetMuted { muted: true }).await;
    let clean = folder.path().join("show.clean.mp4");
    let clean_feed = Some(Recording { path: clean.clone(), overwrite: false });
    give(&engine, Command::GoLive(GoLive { clean_feed, ..record_into(&file, None) })).await;
    wait_state(&mut events, EngineState::Live).await;
    wait_encoded(&mut events, 60).await;
    let first = engine.pid();
    assert_ne!(first, std::process::id());
    kill(first);
    wait_for(&mut events, "Down", |e| matches!(e, EngineEvent::Down).then_some(())).await;
    let gap_ms = wait_for(&mut events, "Restarted", |e| {
        if let EngineEvent::Restarted { gap_ms, lost: None, ended: false } = e { Some(*gap_ms) } else { None }
    })
    .await;
    // The promise is 5 s until media is at the ingest; four times that only guards against a hang.
    assert!(gap_ms < 20_000, "{gap_ms} ms");
    eprintln!("engine back after {gap_ms} ms");
    assert_ne!(engine.pid(), first);
    assert!(!is_there(first), "no zombie stays");
    let Reply::Snapshot(snapshot) = give(&engine, Command::Snapshot).await else { panic!("a snapshot") };
    assert!(snapshot.state.muted);
    assert!(matches!(snapshot.state.engine, EngineState::Starting | EngineState::Live));
    wait_encoded(&mut events, 30).await;
    let second = engine.pid();
    let Reply::Ended(summary) = give(&engine, Command::End).await else { panic!("a summary") };
    assert_eq!(summary.recordings, [folder.path().join("show.part2.mp4")]);
    assert_eq!(summary.clean_feeds, [folder.path().join("show.clean.part2.mp4")]);
    // The process ends once its files are finished.
    engine.quit().await;
    for part in [&file, &summary.recordings[0], &clean, &summary.clean_feeds[0]] {
        let frames = support::video_frames(part);
        assert!(frames >= 25, "{}: {frames} frames", part.display());
        assert!(support::is_finished(part), "{} is left in fragments", part.display());
    }
    assert!(!is_there(second), "ended and reaped");
    assert!(Engine::attach(folder.path()).await.expect("no error").is_none());
}

/// As a laptop that was closed and opened again, only shorter: nothing ran, the clock did.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_stopped_goes_on_with_picture_and_sound_in_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("show.mp4");
    let engine = Engine::attach_or_start(folder.path(), &child()).await.expect("it starts");
    let mut events = engine.events();
    give(&engine, Command::Configure(small_demo())).await;
    give(&engine, Command::GoLive(record_into(&file, None))).await;
    wait_encoded(&mut events, 60).await;
    let pid = engine.pid();
    signal(pid, rustix::process::Signal::STOP);
    tokio::time::sleep(Duration::from_secs(5)).await;
    signal(pid, rustix::process::Signal::CONT);
    let resumed = std::time::Instant::now();
    let next = wait_for(&mut events, "stats", |event| match event {
        EngineEvent::Event(Event::Stats(stats)) if stats.loss.lagged > 100 => Some(stats.frames_encoded),
        _ => None,
    });
    let next = next.await;
    wait_encoded(&mut events, next + 60).await;
    eprintln!("two more seconds of pictures {:?} after it went on", resumed.elapsed());
    let Reply::Ended(summary) = give(&engine, Command::End).await else { panic!("a summary") };
    assert_eq!(engine.pid(), pid, "the same process");
    assert_eq!(summary.recordings, std::slice::from_ref(&file), "the same file");
    let [picture, sound] = support::track_ends(&file);
    assert!((picture - sound).abs() < 0.2, "picture ends at {picture} s, sound at {sound} s");
    assert!(picture > 5.0 + 4.0, "{picture} s: the time that was slept belongs to the show");
    engine.quit().await;
}

/// An encoder is probed where it can do no harm.
#[test]
fn a_probe_is_a_process_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let probed = |task: &str| {
        let mut command = std::process::Command::new(child());
        command.arg("engine").arg("--data").arg(folder.path()).env("STALLCAST_PROBE", task).status().expect("it runs").success()
    };
    assert!(probed("libx264 360 640 30 800 0"));
    assert!(!probed("h264_omx 360 640 30 800 0"), "not in the table");
    if !std::path::Path::new("/dev/nvidiactl").exists() {
        assert!(!probed("h264_nvenc 360 640 30 800 0"), "no such hardware here");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_outlives_its_client_and_serves_the_next_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("show.mp4");
    let first = Engine::attach_or_start(folder.path(), &child()).await.expect("it starts");
    let mut events = first.events();
    give(&first, Command::Configure(small_demo())).await;
    give(&first, Command::GoLive(record_into(&file, None))).await;
    wait_state(&mut events, EngineState::Live).await;
    let pid = first.pid();
    first.detach();
    // Detached: its events end, its commands are refused.
    wait_closed(&mut events).await;
    assert_eq!(first.command(Command::Snapshot, bytes::Bytes::new()).await.expect_err("detached").code(), "engine_down");

    let second = Engine::attach_or_start(folder.path(), &child()).await.expect("it is there");
    assert_eq!(second.pid(), pid, "attached, not started");
    let third = Engine::attach(folder.path()).await.expect("no error").expect("it is there");
    let Reply::Snapshot(snapshot) = give(&third, Command::Snapshot).await else { panic!("a snapshot") };
    assert_eq!(snapshot.state.engine, EngineState::Live);
    assert_eq!(snapshot.configuration, Some(small_demo()));
    let mut seen_by_third = third.events();
    wait_encoded(&mut second.events(), 45).await;
    let Reply::Ended(summary) = give(&second, Command::End).await else { panic!("a summary") };
    wait_state(&mut seen_by_third, EngineState::Ready).await;
    assert_eq!(summary.recordings, std::slice::from_ref(&file));
    second.quit().await;
    wait_closed(&mut seen_by_third).await;
    // Its socket closes a moment before the process is gone and reaped by whoever started it.
    let gone = async {
        while is_there(pid) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(support::GUARD, gone).await.expect("the process ends");
}

async fn wait_closed(events: &mut tokio::sync::broadcast::Receiver<EngineEvent>) {
    use tokio::sync::broadcast::error::RecvError;
    let closed = async { while !matches!(events.recv().await, Err(RecvError::Closed)) {} };
    tokio::time::timeout(support::GUARD, closed).await.expect("events end");
}

fn card(picture_key: Option<&str>) -> ProductCard {
    let figure = |text: &str| Some(text.to_owned());
    let (title, sign) = ("Tea bowl".to_owned(), "¥".to_owned());
    let (price, old_price, picture_key) = (figure("268"), figure("300"), picture_key.and_then(figure));
    ProductCard { number: 3, title, sign, price, old_price, stock: Some(3), stock_of: Some(10), picture_key }
}

async fn snapshot(engine: &Engine) -> Snapshot {
    let Reply::Snapshot(snapshot) = give(engine, Command::Snapshot).await else { panic!("a snapshot") };
    snapshot
}

/// The app that heard of the platform is gone; the show goes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_confirms_any_more_leaves_the_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Engine::attach_or_start(folder.path(), &child()).await.expect("it starts");
    let mut events = first.events();
    give(&first, Command::Configure(small_demo())).await;
    let ends_at_ms = i64::MAX / 2;
    let coupon = Some(CouponRibbon { sign: "¥".to_owned(), discount: "30".to_owned(), threshold: None, ends_at_ms });
    let shown = Overlay { card: Some(card(None)), coupon };
    give(&first, Command::SetOverlay(shown.clone())).await;
    give(&first, Command::GoLive(record_into(&folder.path().join("show.mp4"), None))).await;
    wait_state(&mut events, EngineState::Live).await;
    assert_eq!(snapshot(&first).await.overlay, shown);
    first.detach();
    let bare = ProductCard { price: None, old_price: None, stock: None, stock_of: None, ..card(None) };
    let bare = Overlay { card: Some(bare), coupon: None };
    let left = async {
        loop {
            let look = Engine::glance(folder.path()).await.expect("no error").expect("it is there");
            let now = snapshot(&look).await.overlay;
            look.detach();
            if now == bare {
                return;
            }
            assert_eq!(now, shown);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(support::GUARD, left).await.expect("the figures leave");
    let second = Engine::attach(folder.path()).await.expect("no error").expect("it is there");
    give(&second, Command::End).await;
    second.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_without_its_picture_does_not_claim_to_have_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::attach_or_start(folder.path(), &child()).await.expect("it starts");
    let shown = Overlay { card: Some(card(Some("a:1"))), coupon: None };
    let key = |snapshot: Snapshot| snapshot.overlay.card.and_then(|card| card.picture_key);
    // As a process is told by an app that came after the picture.
    give(&engine, Command::SetOverlay(shown.clone())).await;
    assert_eq!(key(snapshot(&engine).await), None);
    let picture = bytes::Bytes::from_static(b"an encoded picture");
    engine.command(Command::SetOverlay(shown), picture).await.expect("carried out");
    assert_eq!(key(snapshot(&engine).await).as_deref(), Some("a:1"));
    engine.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_client_the_show_ends_after_the_grace_time_and_then_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("show.mp4");
    let engine = Engine::attach_or_start(folder.path(), &child()).await.expect("it starts");
    let mut events = engine.events();
    give(&engine, Command::Configure(small_demo())).await;
    give(&engine, Command::SetGrace { seconds: 1 }).await;
    give(&engine, Command::GoLive(record_into(&file, None))).await;
    wait_state(&mut events, EngineState::Live).await;
    let pid = engine.pid();
    engine.detach();
    // One who attaches would be company; whoever asks how it stands is none, be it all the time.
    let look = Engine::glance(folder.path()).await.expect("no error").expect("it is there");
    let ended = async {
        while !support::is_finished(&file) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(support::GUARD, ended).await.expect("the show ends by itself");
    look.detach();
    // Nobody would ever end it, and its camera would stay on.
    let gone = async {
        while is_there(pid) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(support::GUARD, gone).await.expect("so does the process");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_version_may_look_and_end_and_take_the_place_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::attach_or_start(folder.path(), &child()).await.expect("it starts");
    let path = socket_path(folder.path()).expect("a path");
    let mut stream = socket::connect(&path).await.expect("no error").expect("it listens");
    wire::write(&mut stream, &Hello { version: VERSION + 1, pid: 1, glances: false }, &[]).await.expect("written");
    let (hello, _) = wire::read::<Hello>(&mut stream).await.expect("read").expect("greeted");
    assert_eq!(hello.version, VERSION);
    for (id, command) in [(1, Command::Configure(small_demo())), (2, Command::Snapshot), (3, Command::End)] {
        wire::write(&mut stream, &Request { id, command }, &[]).await.expect("written");
    }
    wire::write(&mut stream, &serde_json::json!({"id": 5, "command": {"command": "dance"}}), &[]).await.expect("written");
    wire::write(&mut stream, &Request { id: 4, command: Command::Quit }, &[]).await.expect("written");
    let mut answers = Vec::new();
    while answers.len() < 5 {
        let read = tokio::time::timeout(support::GUARD, wire::read::<Message>(&mut stream)).await.expect("it answers");
        if let Some((Message::Reply { id, result }, _)) = read.expect("read") {
            answers.push((id, result.map(|r| matches!(r, Reply::Snapshot(_))).map_err(|f| f.code)));
        }
    }
    // Each as soon as it is known, so that what takes long holds up nothing behind it.
    answers.sort_by_key(|(id, _)| *id);
    let refused = |code: &str| Err(code.to_owned());
    assert_eq!(answers, [(1, refused("version")), (2, Ok(true)), (3, refused("not_live")), (4, Ok(false)), (5, refused("version"))]);
    engine.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_up_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::attach_or_start(folder.path(), &child()).await.expect("it starts");
    let mut events = engine.events();
    let path = socket_path(folder.path()).expect("a path");
    let mut stuck = socket::connect(&path).await.expect("no error").expect("it listens");
    wire::write(&mut stuck, &Hello { version: VERSION, pid: 1, glances: false }, &[]).await.expect("written");
    give(&engine, Command::Configure(small_demo())).await;
    give(&engine, Command::Preview { fps: 30, max_side: 960 }).await;
    // Enough pictures to fill every buffer on the way to the one that does not read.
    let (mut pictures, mut stats) = (0, None);
    wait_for(&mut events, "previews", |event| {
        match event {
            EngineEvent::Preview { jpeg, .. } => {
                assert_eq!(&jpeg[..2], [0xFF, 0xD8], "a JPEG");
                pictures += 1;
            }
            EngineEvent::Event(Event::Stats(s)) => stats = Some(s.clone()),
            _ => {}
        }
        (pictures >= 60 && stats.is_some()).then_some(())
    })
    .await;
    let stats = stats.expect("there");
    assert!(stats.fps > 20.0 || stats.frames_composed < 40, "{stats:?}");
    drop(stuck);
    engine.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_is_an_error_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = Engine::attach_or_start(folder.path(), &folder.path().join("no such program")).await.expect_err("nothing to start");
    assert_eq!(missing.code(), "program_missing");
    let begun = std::time::Instant::now();
    let dies = Engine::attach_or_start(folder.path(), std::path::Path::new("/bin/false")).await.expect_err("it ends at once");
    assert_eq!(dies.code(), "engine_down");
    assert!(begun.elapsed() < Duration::from_secs(8), "its end is noticed, not waited out");
}
