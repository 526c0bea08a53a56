//! Two things pressed at once: the second knows of the first.

mod support;

use stallcast_studio::view::{ShowStateView, SourceForm};
use std::task::Poll;
use support::{LIMIT, open, options, shop, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_made_while_another_source_opens_does_not_undo_it() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let studio = open(options(dir.path(), &shop)).await;
    until(&studio, "the demo's voice", |view| !view.show.mic.is_empty()).await;
    // Both are on their way before one of them is done.
    let (mic, camera) = tokio::join!(studio.choose_mic(SourceForm::None), studio.choose_camera(SourceForm::Demo));
    mic.expect("silence");
    camera.expect("the same picture");
    until(&studio, "silence stays", |view| view.show.mic.is_empty()).await;
    studio.close().await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_show_that_was_ended_before_it_began_does_not_begin() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let studio = open(options(dir.path(), &shop)).await;
    until(&studio, "the picture", |view| view.show.state == ShowStateView::Ready).await;
    let mut going = Box::pin(studio.go_live());
    // As far as the button is pressed, and no further: what it writes before it asks for the show takes its time.
    let pressed = async {
        loop {
            let done = std::future::poll_fn(|cx| Poll::Ready(going.as_mut().poll(cx).is_ready())).await;
            assert!(!done, "it went live before the end was pressed");
            if studio.snapshot().await.show.state == ShowStateView::Starting {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, pressed).await.expect("it is pressed");
    studio.end_show().await.expect("it is told that the show is over");
    assert_eq!(going.await.expect_err("it is").code, "not_live");
    let view = studio.snapshot().await;
    assert_eq!(view.show.state, ShowStateView::Ready);
    // The next one is not held up.
    studio.go_live().await.expect("live");
    until(&studio, "live", |view| view.show.state == ShowStateView::Live).await;
    studio.end_show().await.expect("over");
    studio.close().await;
    shop.stop().await;
}
