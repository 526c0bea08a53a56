//! A media process that dies, and what the next one makes of the show: with sources gone, with files that cannot be
//! written, after another app, and never against the will of the host.
#![cfg(unix)]

#[path = "support/child.rs"]
mod child;
mod support;

use child::{child, is_there, kill, signal};
use rustix::process::Signal;
use stallcast_engine::protocol::{CameraChoice, Command, Configuration, EngineState, Event, Failure, GoLive, MicChoice, Reply, State};
use stallcast_engine::{Engine, EngineEvent};
use stallcast_media::HealthCode;
use std::path::Path;
use support::{give, record_into, small_demo, wait_encoded, wait_for, wait_state};
use tokio::sync::broadcast::Receiver;

async fn restarted(events: &mut Receiver<EngineEvent>) -> Option<Failure> {
    wait_for(events, "Restarted", |e| if let EngineEvent::Restarted { lost, .. } = e { Some(lost.clone()) } else { None }).await
}

async fn problems(engine: &Engine) -> Vec<HealthCode> {
    match give(engine, Command::Snapshot).await {
        Reply::Snapshot(snapshot) => snapshot.problems.iter().map(|health| health.code).collect(),
        other => panic!("{other:?}"),
    }
}

async fn state(engine: &Engine) -> State {
    match give(engine, Command::Snapshot).await {
        Reply::Snapshot(snapshot) => snapshot.state,
        other => panic!("{other:?}"),
    }
}

fn on_air(state: &State) -> bool {
    matches!(state.engine, EngineState::Starting | EngineState::Live)
}

/// A show with a picture for viewers, so that it lives without its recording.
fn for_viewers(folder: &Path) -> GoLive {
    GoLive { hls_dir: Some(folder.join("live")), ..record_into(&folder.join("files").join("show.mp4"), None) }
}

/// The demo, recorded and on air, as an app sees it.
async fn recorded(folder: &Path) -> (Engine, Receiver<EngineEvent>) {
    let engine = Engine::attach_or_start(folder, &child()).await.expect("it starts");
    let mut events = engine.events();
    give(&engine, Command::Configure(small_demo())).await;
    give(&engine, Command::GoLive(record_into(&folder.join("show.mp4"), None))).await;
    wait_encoded(&mut events, 30).await;
    (engine, events)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_show_that_is_ended_does_not_come_back_when_the_process_dies_meanwhile() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, mut events) = recorded(folder.path()).await;
    let first = engine.pid();
    // It hangs, so the host presses End, and then it dies.
    signal(first, Signal::STOP);
    let told = tokio::spawn({
        let engine = engine.clone();
        async move { engine.command(Command::End, bytes::Bytes::new()).await }
    });
    tokio::task::yield_now().await;
    kill(first);
    assert_eq!(restarted(&mut events).await, None);
    assert!(told.await.expect("no panic").is_err());
    assert_ne!(engine.pid(), first);
    assert_eq!(state(&engine).await.engine, EngineState::Ready, "sources are back, the show is not");
    engine.quit().await;
    assert!(!is_there(first));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_show_goes_on_without_the_file_that_cannot_be_written_any_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().join("files");
    std::fs::create_dir(&files).expect("made");
    let engine = Engine::attach_or_start(folder.path(), &child()).await.expect("it starts");
    let mut events = engine.events();
    give(&engine, Command::Configure(small_demo())).await;
    give(&engine, Command::GoLive(for_viewers(folder.path()))).await;
    wait_state(&mut events, EngineState::Live).await;
    // As a memory stick that was pulled out.
    std::fs::rename(&files, folder.path().join("pulled")).expect("moved");
    kill(engine.pid());
    let told = wait_for(&mut events, "a word about the file", |event| match event {
        EngineEvent::Event(Event::Health(health)) if health.code == HealthCode::RecordingFailed => Some(health.params.clone()),
        _ => None,
    });
    assert!(told.await["path"].ends_with("show.mp4") || folder.path().join("pulled").exists());
    assert_eq!(restarted(&mut events).await, None);
    let now = state(&engine).await;
    assert!(on_air(&now) && now.recording.is_none(), "{now:?}");
    wait_encoded(&mut events, 30).await;
    // And once more, without asking for it again.
    kill(engine.pid());
    assert_eq!(restarted(&mut events).await, None);
    assert!(on_air(&state(&engine).await));
    engine.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_show_goes_on_behind_a_slate_when_its_source_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (clip, file) = (folder.path().join("clip.mp4"), folder.path().join("show.mp4"));
    let engine = Engine::attach_or_start(folder.path(), &child()).await.expect("it starts");
    let mut events = engine.events();
    // A file for a camera: made by a show of its own.
    give(&engine, Command::Configure(small_demo())).await;
    give(&engine, Command::GoLive(record_into(&clip, None))).await;
    wait_encoded(&mut events, 60).await;
    give(&engine, Command::End).await;
    let camera = CameraChoice::File { path: clip.clone() };
    give(&engine, Command::Configure(Configuration { camera, mic: MicChoice::None, ..small_demo() })).await;
    give(&engine, Command::GoLive(record_into(&file, None))).await;
    wait_encoded(&mut events, 30).await;
    std::fs::remove_file(&clip).expect("removed");
    kill(engine.pid());
    assert_eq!(restarted(&mut events).await, None);
    assert!(on_air(&state(&engine).await));
    wait_encoded(&mut events, 60).await;
    assert_eq!(problems(&engine).await, [HealthCode::CameraLost], "for whoever attaches now");
    engine.quit().await;
    let part = folder.path().join("show.part2.mp4");
    assert!(support::is_finished(&part) && support::video_frames(&part) >= 30, "the show was recorded on");
    let [picture, sound] = support::track_ends(&part);
    assert!((picture - sound).abs() < 0.2, "picture ends at {picture} s, sound at {sound} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_show_survives_its_app_and_then_its_media_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, _) = recorded(folder.path()).await;
    first.detach();
    let second = Engine::attach_or_start(folder.path(), &child()).await.expect("it is there");
    let mut events = second.events();
    let pid = second.pid();
    kill(pid);
    assert_eq!(restarted(&mut events).await, None);
    assert_ne!(second.pid(), pid);
    let now = state(&second).await;
    assert!(on_air(&now), "{now:?}");
    assert_eq!(now.recording, Some(folder.path().join("show.part2.mp4")));
    wait_encoded(&mut events, 30).await;
    let last = second.pid();
    second.quit().await;
    assert!(!is_there(last));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_show_that_somebody_else_ended_does_not_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, mut events) = recorded(folder.path()).await;
    let other = Engine::attach(folder.path()).await.expect("no error").expect("it is there");
    give(&other, Command::End).await;
    wait_state(&mut events, EngineState::Ready).await;
    kill(engine.pid());
    assert_eq!(restarted(&mut events).await, None);
    assert_eq!(state(&engine).await.engine, EngineState::Ready);
    engine.quit().await;
}
