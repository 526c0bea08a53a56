//! What is made for whoever looks at the studio, and for nobody else: preview pictures as large as they are shown, levels.

mod support;

use stallcast_engine::Engine;
use stallcast_media::Canvas;
use stallcast_studio::view::StudioEvent;
use stallcast_studio::{EngineMode, Studio};
use support::{LIMIT, open, options, shop};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::Receiver;

/// Waits for an event; the levels that came before it.
async fn levels_until(events: &mut Receiver<StudioEvent>, holds: fn(&StudioEvent) -> bool) -> usize {
    let mut levels = 0;
    let waiting = async {
        loop {
            let event = events.recv().await.expect("the studio is there");
            if holds(&event) {
                return;
            }
            levels += usize::from(matches!(event, StudioEvent::Levels(_)));
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.expect("it comes");
    levels
}

/// Looks at pictures shown with this many pixels until one comes with that longest side.
async fn look(studio: &Studio, shown: u32, side: u32) {
    let looking = async {
        let mut after = 0;
        loop {
            let Some(picture) = studio.preview(after, shown, LIMIT).await else { continue };
            after = picture.seq;
            assert!(picture.jpeg.starts_with(&[0xff, 0xd8]), "no JPEG");
            if picture.width.max(picture.height) == side {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, looking).await.unwrap_or_else(|_| panic!("shown with {shown} pixels, and no picture of {side}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_and_levels_come_while_somebody_looks_and_as_large_as_they_are_shown() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let mut options = options(dir.path(), &shop);
    if let Some(configuration) = &mut options.configuration {
        configuration.canvas = Canvas { width: 360, height: 640, fps: 10 };
    }
    let studio = open(options).await;
    let mut events = studio.events();
    // Figures come once a second, looked at or not; levels would have come ten times in between.
    levels_until(&mut events, |event| matches!(event, StudioEvent::Stats(_))).await;
    let unseen = levels_until(&mut events, |event| matches!(event, StudioEvent::Stats(_))).await;
    assert_eq!(unseen, 0, "nobody looks");

    look(&studio, 300, 320).await;
    levels_until(&mut events, |event| matches!(event, StudioEvent::Levels(_))).await;
    // The window is made larger, then smaller.
    look(&studio, 640, 640).await;
    look(&studio, 400, 448).await;
    studio.close().await;
    shop.stop().await;
}

/// Held back until a test lets it start.
static HELD: Semaphore = Semaphore::const_new(0);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_looks_before_there_is_a_media_process_need_not_ask_again() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let mut options = options(dir.path(), &shop);
    options.engine = EngineMode::Given(|data| {
        Box::pin(async move {
            HELD.acquire().await.expect("open").forget();
            Engine::in_process(&data).await
        })
    });
    let studio = Studio::open(options).await.expect("it opens");
    let (picture, ()) = tokio::join!(studio.preview(0, 300, LIMIT / 2), async { HELD.add_permits(1) });
    assert!(picture.is_some(), "one question is enough");
    studio.close().await;
    shop.stop().await;
}
