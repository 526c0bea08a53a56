//! A viewer's comment on its way to the host, over real HTTP.

mod support;

use serde_json::{Value, json};
use stallcast_studio::view::{ActionView, SealView, StudioView};
use std::time::{Duration, Instant};
use support::{open, options, shop, until};

/// Posts a comment as a viewer's page does; its id.
async fn post(url: &str, viewer: &str, text: &str) -> String {
    let http = reqwest::Client::new();
    let request = http.post(format!("{url}/api/comments")).header("X-Viewer", viewer).header("Idempotency-Key", viewer);
    let answer: Value = request.json(&json!({ "text": text, "name": "云朵朵" })).send().await.expect("post").json().await.expect("json");
    answer["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn has(view: &StudioView, id: &str) -> bool {
    view.comments.rows.iter().any(|row| row.id == id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewers_comment_reaches_the_host_and_leaves_the_page_when_it_is_hidden() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let studio = open(options(dir.path(), &shop)).await;
    // A viewer's page is open.
    let http = reqwest::Client::new();
    let mut page = http.get(format!("{}/api/rooms/main/events", shop.url())).send().await.expect("stream");
    let early = post(shop.url(), "viewer-0001", "早上好").await;
    until(&studio, "the first", |v| has(v, &early)).await;

    let began = Instant::now();
    let id = post(shop.url(), "viewer-0002", "3 号<b>多少钱</b>").await;
    let view = until(&studio, "the comment is in the list", |v| has(v, &id)).await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}: four times what is promised", began.elapsed());
    eprintln!("viewer's press to row: {:?}", began.elapsed());
    let row = &view.comments.rows[0];
    assert_eq!((row.author.as_str(), row.text.as_str(), row.is_question), ("云**", "3 号<b>多少钱</b>", true));
    assert_eq!((view.comments.total, view.comments.in_show, view.comments.next.as_ref()), (2, 0, None));
    assert!(!format!("{view:?}").contains("云朵朵"));
    until(&studio, "complete", |v| matches!(v.comments.seal, SealView::Complete { .. })).await;
    let found = studio.search_comments("多少".to_owned(), None).await.expect("search");
    assert_eq!(found.rows.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
    assert_eq!(studio.search_comments(String::new(), Some("x".to_owned())).await.expect_err("no position").code, "invalid");

    // The host answers it; a new one takes its place.
    assert_eq!(studio.read_comment("local".to_owned(), "none".to_owned()).await.expect_err("none").code, "not_found");
    studio.read_comment("local".to_owned(), early).await.expect("before the host");
    studio.read_comment("local".to_owned(), id.clone()).await.expect("before the host");
    let reading = studio.snapshot().await.comments.reading.expect("before the host");
    assert!(reading.comment.id == id && reading.until_ms > reading.comment.at_ms);
    studio.dismiss_comment().await.expect("answered");
    assert_eq!(studio.snapshot().await.comments.reading, None);

    // Hidden: it leaves the host's place, the viewers' page, and is marked in the list once the shop has confirmed.
    studio.read_comment("local".to_owned(), id.clone()).await.expect("before the host");
    for _ in 0..2 {
        studio.hide_comment("local".to_owned(), id.clone()).await.expect("pressed twice is asked once");
    }
    assert_eq!(studio.snapshot().await.comments.reading, None);
    let confirmed = |v: &StudioView| v.comments.rows[0].is_hidden && matches!(v.comments.rows[0].hide, Some(ActionView::Confirmed { .. }));
    until(&studio, "hidden and confirmed", confirmed).await;
    let gone = format!("event: comment_hidden\ndata: {{\"id\":\"{id}\"");
    let mut told = String::new();
    while !told.contains(&gone) {
        let chunk = tokio::time::timeout(Duration::from_secs(20), page.chunk()).await.expect("told in time").expect("stream");
        told.push_str(&String::from_utf8_lossy(&chunk.expect("the stream goes on")));
    }
    let shown: Value = http.get(format!("{}/api/comments", shop.url())).send().await.expect("ask").json().await.expect("json");
    assert_eq!(shown["comments"].as_array().map(Vec::len), Some(1));
    assert_eq!(studio.hide_comment("local".to_owned(), "none".to_owned()).await.expect_err("none").code, "not_found");
    studio.hide_comment("local".to_owned(), id).await.expect("it is so already");
    studio.close().await;
    shop.stop().await;
}
