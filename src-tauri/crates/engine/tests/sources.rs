//! Sources that take their time to open: nothing of a show waits for them.
#![cfg(unix)]

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use rustix::fs::{CWD, Mode, mkfifoat};
use stallcast_engine::protocol::{CameraChoice, Command, Configuration, EngineState, Event, MicChoice, Reply, Restoration};
use stallcast_engine::{Engine, EngineError, EngineEvent};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::{GUARD, give, record_into, small_demo, wait_encoded, wait_for};
use tokio::task::JoinHandle;

/// Four times what is promised.
const ENDS_WITHIN: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn a_show_goes_on_and_ends_while_a_source_does_not_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::in_process(folder.path()).await.expect("it starts");
    let mut events = engine.events();
    give(&engine, Command::Configure(small_demo())).await;
    give(&engine, Command::GoLive(record_into(&folder.path().join("show.mp4"), None))).await;
    wait_encoded(&mut events, 30).await;
    // Nobody writes into it: whoever opens it waits.
    let fifo = folder.path().join("camera.mp4");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).expect("made");
    let slow = Configuration { camera: CameraChoice::File { path: fifo.clone() }, ..small_demo() };
    let choosing = tokio::spawn({
        let engine = engine.clone();
        async move { engine.command(Command::Configure(slow), bytes::Bytes::new()).await }
    });
    // Its figures come, and it takes what needs no source.
    for _ in 0..2 {
        wait_for(&mut events, "figures", |e| matches!(e, EngineEvent::Event(Event::Stats(_))).then_some(())).await;
    }
    give(&engine, Command::SetMuted { muted: true }).await;
    assert!(!choosing.is_finished());
    let asked = Instant::now();
    let Reply::Ended(summary) = give(&engine, Command::End).await else { panic!("it ends") };
    assert!(asked.elapsed() < ENDS_WITHIN, "{:?}", asked.elapsed());
    assert!(summary.frames_encoded >= 30);
    // Another choice waits for the first one, which is refused once that is known; everything stays as it was.
    let again = tokio::spawn({
        let engine = engine.clone();
        async move { engine.command(Command::Configure(small_demo()), bytes::Bytes::new()).await }
    });
    drop(std::fs::OpenOptions::new().write(true).open(&fifo).expect("opened"));
    let refused = tokio::time::timeout(GUARD, choosing).await.expect("in time").expect("no panic");
    assert!(refused.is_err(), "nothing comes out of it");
    tokio::time::timeout(GUARD, again).await.expect("in time").expect("no panic").expect("it is the demo again");
    let Reply::Snapshot(now) = give(&engine, Command::Snapshot).await else { panic!("a snapshot") };
    assert_eq!((now.state.engine, now.state.demo), (EngineState::Ready, true));
    engine.quit().await;
}

type Ordered = JoinHandle<Result<Reply, EngineError>>;

/// Sent when this returns, on a runtime of one thread: what is spawned there begins when somebody waits, and an answer that is quick
/// enough is waited for by nobody.
async fn order(engine: &Engine, command: Command) -> Ordered {
    let engine = engine.clone();
    let ordered = tokio::spawn(async move { engine.command(command, bytes::Bytes::new()).await });
    tokio::task::yield_now().await;
    ordered
}

/// The demo, and a camera that is being chosen in its place and does not open before somebody writes into the file.
async fn choosing(folder: &Path) -> (Engine, PathBuf, Ordered) {
    let engine = Engine::in_process(folder).await.expect("it starts");
    give(&engine, Command::Configure(small_demo())).await;
    let fifo = folder.join("camera.mp4");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).expect("made");
    let slow = Configuration { camera: CameraChoice::File { path: fifo.clone() }, ..small_demo() };
    let choosing = order(&engine, Command::Configure(slow)).await;
    // Answered behind it: the choice is being carried out.
    give(&engine, Command::SetMuted { muted: false }).await;
    (engine, fifo, choosing)
}

#[tokio::test]
async fn a_show_that_is_ended_while_it_waits_for_its_sources_does_not_begin() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, fifo, choosing) = choosing(folder.path()).await;
    let show = order(&engine, Command::GoLive(record_into(&folder.path().join("show.mp4"), None))).await;
    give(&engine, Command::SetMuted { muted: true }).await;
    assert!(!choosing.is_finished() && !show.is_finished());
    assert!(engine.command(Command::End, bytes::Bytes::new()).await.is_err(), "none runs");
    let refused = tokio::time::timeout(GUARD, show).await.expect("in time").expect("no panic");
    assert!(refused.is_err(), "it was ended");
    drop(std::fs::OpenOptions::new().write(true).open(&fifo).expect("opened"));
    tokio::time::timeout(GUARD, choosing).await.expect("in time").expect("no panic").expect_err("nothing comes out of it");
    let Reply::Snapshot(now) = give(&engine, Command::Snapshot).await else { panic!("a snapshot") };
    assert_eq!(now.state.engine, EngineState::Ready);
    engine.quit().await;
}

/// An app that went away while its show waited, and the next one that begins it again.
#[tokio::test]
async fn of_two_shows_that_wait_for_their_sources_the_first_begins() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, fifo, choosing) = choosing(folder.path()).await;
    let show = |name: &str| Command::GoLive(record_into(&folder.path().join(name), None));
    let shows = [order(&engine, show("first.mp4")).await, order(&engine, show("second.mp4")).await];
    give(&engine, Command::SetMuted { muted: true }).await;
    assert!(!choosing.is_finished() && shows.iter().all(|show| !show.is_finished()));
    drop(std::fs::OpenOptions::new().write(true).open(&fifo).expect("opened"));
    tokio::time::timeout(GUARD, choosing).await.expect("in time").expect("no panic").expect_err("nothing comes out of it");
    let [first, second] = shows;
    tokio::time::timeout(GUARD, first).await.expect("in time").expect("no panic").expect("it begins");
    let refused = tokio::time::timeout(GUARD, second).await.expect("in time").expect("no panic").expect_err("one runs");
    assert!(refused.to_string().contains("already_live"), "{refused}");
    let asked = tokio::time::timeout(GUARD, engine.command(Command::Snapshot, bytes::Bytes::new())).await;
    assert!(asked.is_ok_and(|answer| answer.is_ok()), "it answers as before");
    engine.quit().await;
}

/// After a death of the media process.
#[tokio::test]
async fn a_microphone_that_does_not_open_keeps_no_camera_off_the_air() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::in_process(folder.path()).await.expect("it starts");
    let fifo = folder.path().join("voice.mp4");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).expect("made");
    let configuration = Configuration { mic: MicChoice::File { path: fifo.clone() }, ..small_demo() };
    give(&engine, Command::Restore(Restoration { configuration, on_air: None, spared: false })).await;
    let Reply::Snapshot(now) = give(&engine, Command::Snapshot).await else { panic!("a snapshot") };
    assert!(now.state.demo && !now.state.camera.is_empty(), "{:?}", now.state);
    assert!(now.problems.is_empty() && now.state.mic.is_empty(), "{:?}", now.problems);
    // Whoever opens it waits for a writer, and finds nothing.
    let writing = std::thread::spawn(move || drop(std::fs::OpenOptions::new().write(true).open(&fifo)));
    let mut events = engine.events();
    give(&engine, Command::GoLive(record_into(&folder.path().join("show.mp4"), None))).await;
    wait_encoded(&mut events, 10).await;
    give(&engine, Command::End).await;
    engine.quit().await;
    writing.join().expect("no panic");
}
