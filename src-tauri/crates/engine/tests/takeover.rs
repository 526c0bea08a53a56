//! A media process that dies, and what the next one makes of the show: with sources gone, with files that cannot be
//! written, after another app, and never against the will of the host.
#![cfg(unix)]

#[path = "support/child.rs"]
mod child;
mod support;

use child::{child, is_there, kill, signal};
use rustix::process::Signal;
use stallcast_engine::protocol::{
    CameraChoice, Command, Configuration, Destination, EngineState, Event, Failure, GoLive, LinkState, MicChoice, Reply, State,
};
use stallcast_engine::{Engine, EngineEvent};
use stallcast_media::HealthCode;
use std::path::Path;
use std::time::Instant;
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

/// A destination where nobody answers.
fn nobody(accepted: bool) -> Destination {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    Destination { id: "nobody".to_owned(), url: format!("rtmp://{free}/live").into(), key: Some("key".into()), accepted }
}

/// As an app that is frozen: nothing on this test's only thread runs, until the media process has cut it off and somebody else
/// has done something.
fn freeze<F: Future<Output = ()> + 'static>(folder: &Path, meanwhile: impl FnOnce(Engine) -> F + Send + 'static) {
    let folder = folder.to_owned();
    let elsewhere = std::thread::spawn(move || {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let other = Engine::attach(&folder).await.expect("no error").expect("it is there");
            let (begun, log) = (Instant::now(), folder.join("logs").join("engine.log"));
            while !std::fs::read_to_string(&log).is_ok_and(|log| log.contains("it is cut off")) {
                assert!(begun.elapsed() < support::GUARD, "it is waited for for ever");
                // News that wait: each is another state.
                for n in 0..100 {
                    give(&other, Command::SetMuted { muted: n % 2 == 0 }).await;
                }
            }
            meanwhile(other).await;
        });
    });
    elsewhere.join().expect("no panic");
}

#[tokio::test]
async fn a_show_that_ended_while_the_app_was_frozen_does_not_come_back_with_the_next_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, mut events) = recorded(folder.path()).await;
    let first = engine.pid();
    freeze(folder.path(), |other| async move { other.quit().await });
    assert_eq!(restarted(&mut events).await, None);
    assert_ne!(engine.pid(), first);
    assert_eq!(state(&engine).await.engine, EngineState::Ready, "it had ended in order");
    engine.quit().await;
}

#[tokio::test]
async fn a_show_that_ended_while_the_app_was_frozen_is_over_also_where_the_process_lives_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, mut events) = recorded(folder.path()).await;
    let first = engine.pid();
    freeze(folder.path(), |other| async move {
        give(&other, Command::End).await;
    });
    wait_for(&mut events, "Reconnected", |e| matches!(e, EngineEvent::Reconnected { ended: true }).then_some(())).await;
    assert_eq!(engine.pid(), first);
    kill(first);
    assert_eq!(restarted(&mut events).await, None);
    assert_eq!(state(&engine).await.engine, EngineState::Ready);
    engine.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_of_a_show_goes_on_in_the_next_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Engine::attach_or_start(folder.path(), &child()).await.expect("it starts");
    let mut events = first.events();
    give(&first, Command::Configure(small_demo())).await;
    give(&first, Command::GoLive(record_into(&folder.path().join("show.mp4"), Some(600)))).await;
    let since = wait_state(&mut events, EngineState::Live).await.live_since_ms;
    assert!(since.is_some());
    kill(first.pid());
    assert_eq!(restarted(&mut events).await, None);
    let now = state(&first).await;
    assert_eq!((now.engine, now.live_since_ms), (EngineState::Live, since));
    // And by way of an app that found it running.
    first.detach();
    let second = Engine::attach_or_start(folder.path(), &child()).await.expect("it is there");
    let mut events = second.events();
    kill(second.pid());
    assert_eq!(restarted(&mut events).await, None);
    let now = state(&second).await;
    assert_eq!((now.engine, now.live_since_ms), (EngineState::Live, since));
    second.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_show_that_was_live_ends_by_its_own_time_though_nobody_accepts_it_any_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::attach_or_start(folder.path(), &child()).await.expect("it starts");
    let mut events = engine.events();
    give(&engine, Command::Configure(small_demo())).await;
    let show = record_into(&folder.path().join("show.part2.mp4"), Some(3));
    give(&engine, Command::GoLive(GoLive { destinations: vec![nobody(true)], live_since_ms: Some(1_000), ..show })).await;
    let live = wait_state(&mut events, EngineState::Live).await;
    assert_eq!((live.live_since_ms, live.links[0].state), (Some(1_000), LinkState::Reconnecting));
    let Reply::Handover { show: Some(left), .. } = give(&engine, Command::Handover).await else { panic!("a show") };
    assert_eq!((left.live_since_ms, left.destinations[0].accepted), (Some(1_000), true), "whoever attaches learns it too");
    wait_for(&mut events, "Ended", |e| matches!(e, EngineEvent::Event(Event::Ended(_))).then_some(())).await;
    engine.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_goes_on_where_only_the_folder_of_the_viewers_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let (files, live) = (folder.path().join("files"), folder.path().join("live"));
    std::fs::create_dir(&files).expect("made");
    let engine = Engine::attach_or_start(folder.path(), &child()).await.expect("it starts");
    let mut events = engine.events();
    give(&engine, Command::Configure(small_demo())).await;
    give(&engine, Command::GoLive(GoLive { destinations: vec![nobody(false)], ..for_viewers(folder.path()) })).await;
    wait_encoded(&mut events, 30).await;
    // The process that dies does not notice.
    signal(engine.pid(), Signal::STOP);
    std::fs::rename(&live, folder.path().join("moved")).expect("moved");
    std::fs::write(&live, "in the way").expect("written");
    kill(engine.pid());
    let lost = |event: &EngineEvent| match event {
        EngineEvent::Event(Event::Health(health)) if health.code == HealthCode::RecordingFailed => Some(false),
        EngineEvent::Event(Event::Health(health)) if health.code == HealthCode::ViewersLost => Some(true),
        _ => None,
    };
    assert!(wait_for(&mut events, "a word about the folder", lost).await, "the recording has nothing to do with it");
    assert_eq!(restarted(&mut events).await, None);
    let now = state(&engine).await;
    assert!(on_air(&now) && now.recording == Some(files.join("show.part2.mp4")), "{now:?}");
    engine.quit().await;
}

/// The listening socket of a process, held open as by a thread that cannot be woken. `None` where this is not allowed.
#[cfg(target_os = "linux")]
fn hold_listener(pid: u32, path: &Path) -> Option<std::os::fd::OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
    /// The kernel's mark of a socket that listens.
    const LISTENS: &str = "00010000";
    let sockets = std::fs::read_to_string("/proc/net/unix").expect("the kernel's list");
    let line = sockets.lines().find(|line| line.contains(LISTENS) && line.ends_with(path.to_str().expect("plain"))).expect("it listens");
    let wanted = format!("socket:[{}]", line.split_ascii_whitespace().nth(6).expect("an inode"));
    let mut open = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    let name = open.find(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == wanted.as_str()))?.file_name();
    let number = name.to_str()?.parse().ok()?;
    let process = pidfd_open(Pid::from_raw(i32::try_from(pid).ok()?)?, PidfdFlags::empty()).ok()?;
    pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok()
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(target_os = "linux")]
async fn a_killed_process_whose_socket_stays_open_is_in_nobodys_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, mut events) = recorded(folder.path()).await;
    let (first, path) = (engine.pid(), stallcast_engine::socket_path(folder.path()).expect("a path"));
    let Some(held) = hold_listener(first, &path) else {
        eprintln!("skipped: no right to hold what another process has open");
        return engine.quit().await;
    };
    kill(first);
    assert_eq!(restarted(&mut events).await, None);
    assert_ne!(engine.pid(), first);
    assert!(on_air(&state(&engine).await));
    let other = Engine::attach(folder.path()).await.expect("no error").expect("it is there");
    assert_eq!(other.pid(), engine.pid(), "whoever comes finds the one that lives");
    engine.quit().await;
    drop(held);
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

#[tokio::test]
async fn sources_that_were_let_go_of_while_the_app_was_frozen_are_opened_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Engine::attach_or_start(folder.path(), &child()).await.expect("it starts");
    let mut events = engine.events();
    give(&engine, Command::Configure(small_demo())).await;
    wait_state(&mut events, EngineState::Ready).await;
    let (first, log) = (engine.pid(), folder.path().join("logs").join("engine.log"));
    freeze(folder.path(), |other| async move {
        other.detach();
        let begun = Instant::now();
        while !std::fs::read_to_string(&log).is_ok_and(|log| log.contains("are let go of")) {
            assert!(begun.elapsed() < support::GUARD, "somebody still looks");
            std::thread::yield_now();
        }
    });
    wait_for(&mut events, "Reconnected", |e| matches!(e, EngineEvent::Reconnected { ended: false }).then_some(())).await;
    assert_eq!((engine.pid(), state(&engine).await.engine), (first, EngineState::Ready));
    engine.quit().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_crashes_again_and_again_goes_on_without_its_sources_until_somebody_chooses() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, mut events) = recorded(folder.path()).await;
    // Somebody who kills it is no crash.
    kill(engine.pid());
    assert_eq!(restarted(&mut events).await, None);
    for crash in 1..=3 {
        assert!(!problems(&engine).await.contains(&HealthCode::SourcesSpared), "before crash {crash}");
        signal(engine.pid(), Signal::ABORT);
        assert_eq!(restarted(&mut events).await, None);
    }
    // The slate says it.
    let told = async {
        while !problems(&engine).await.contains(&HealthCode::SourcesSpared) {
            wait_for(&mut events, "figures", |e| matches!(e, EngineEvent::Event(Event::Stats(_))).then_some(())).await;
        }
    };
    tokio::time::timeout(support::GUARD, told).await.expect("the sources are left out");
    assert_eq!(state(&engine).await.camera, "", "so that one that is chosen is news, be it the same");
    assert!(on_air(&state(&engine).await), "the show goes on behind a slate");
    wait_encoded(&mut events, 30).await;
    let Reply::Snapshot(snapshot) = give(&engine, Command::Snapshot).await else { panic!("a snapshot") };
    assert_eq!(snapshot.configuration, Some(small_demo()), "what was chosen stays chosen");
    assert!(!snapshot.state.demo);
    // Be it the same again.
    give(&engine, Command::Configure(small_demo())).await;
    let now = state(&engine).await;
    assert!(now.demo && on_air(&now), "{now:?}");
    assert!(!problems(&engine).await.contains(&HealthCode::SourcesSpared));
    engine.quit().await;
}
