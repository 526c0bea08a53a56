//! A studio without a media process: it says why, and what it cannot look after it can end.

mod support;

use bytes::Bytes;
use stallcast_engine::protocol::{Command, EncoderLimits, EngineState, GoLive, Reply};
use stallcast_engine::{Engine, EngineError, EngineOptions};
use stallcast_studio::view::StudioView;
use stallcast_studio::{EngineMode, Studio};
use std::sync::atomic::{AtomicU32, Ordering};
use support::{LIMIT, options, shop, small_demo, until};
use tokio_util::sync::CancellationToken;

fn reason(view: &StudioView) -> Option<&str> {
    view.health.iter().find(|entry| entry.code == "engine_away").map(|entry| entry.params["reason"].as_str())
}

static TRIES: AtomicU32 = AtomicU32::new(0);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_there_is_no_media_process_is_said_until_there_is_one() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let mut options = options(dir.path(), &shop);
    // As a window, which tries again and again.
    options.configuration = None;
    options.engine = EngineMode::Given(|data| {
        Box::pin(async move {
            match TRIES.fetch_add(1, Ordering::SeqCst) {
                0 => Err(EngineError::Version { theirs: 99 }),
                _ => Engine::in_process(&data).await,
            }
        })
    });
    let studio = Studio::open(options).await.expect("it opens");
    until(&studio, "it is said", |view| reason(view) == Some("version")).await;
    until(&studio, "it is over", |view| reason(view).is_none()).await;
    tokio::time::timeout(LIMIT, async { while studio.preview(0, 300, LIMIT).await.is_none() {} }).await.expect("a picture");
    studio.close().await;
    shop.stop().await;
}

/// A real media process of the folder, which this studio takes for one of another version.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_show_of_another_version_is_ended_and_nothing_but_a_show() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let served = tokio::spawn(stallcast_engine::run(EngineOptions { data: dir.path().to_owned() }, CancellationToken::new()));
    let attached = async {
        loop {
            match Engine::attach(dir.path()).await.expect("no error") {
                Some(engine) => return engine,
                None => tokio::task::yield_now().await,
            }
        }
    };
    let other = tokio::time::timeout(LIMIT, attached).await.expect("it listens");
    let give = async |command: Command| other.command(command, Bytes::new()).await.expect("carried out");
    give(Command::Configure(small_demo())).await;

    let mut options = options(dir.path(), &shop);
    options.configuration = None;
    options.engine = EngineMode::Given(|_| Box::pin(async { Err(EngineError::Version { theirs: 99 }) }));
    let studio = Studio::open(options).await.expect("it opens");
    until(&studio, "it is said", |view| reason(view) == Some("version")).await;
    assert_eq!(studio.end_show().await.expect_err("none runs").code, "not_live");
    let Reply::Snapshot(now) = give(Command::Snapshot).await else { panic!("it is still there") };
    assert_eq!(now.state.engine, EngineState::Ready);

    let (hls_dir, limits) = (Some(dir.path().join("live")), EncoderLimits::default());
    let show = GoLive { destinations: vec![], hls_dir, recording: None, clean_feed: None, for_s: None, limits, live_since_ms: None };
    give(Command::GoLive(show)).await;
    studio.end_show().await.expect("it ends");
    tokio::time::timeout(LIMIT, served).await.expect("and its process with it").expect("no panic").expect("in order");
    studio.close().await;
    shop.stop().await;
}
