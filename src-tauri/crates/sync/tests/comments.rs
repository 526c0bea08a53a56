//! The feed of comments: complete and once each whatever the platform does; what goes wrong with it touches nothing else.

mod support;

use secrecy::SecretString;
use serde_json::{Value, json};
use stallcast_clock::SystemClock;
use stallcast_model::CommentId;
use stallcast_platform::local::LocalShop;
use stallcast_shop::ShopOptions;
use stallcast_store::{CommentRow, CommentSearch, IntentState, Resource, Store};
use stallcast_sync::{SyncEvent, Timing};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::fake::{Call, Fake, Fault};
use support::{local, open, quick, start, until};

async fn stored(store: &Store) -> Vec<CommentRow> {
    store.search_comments(CommentSearch { text: String::new(), before: None, limit: 1_000 }).await.expect("comments").rows
}

fn now_ms() -> i64 {
    stallcast_clock::Clock::utc_ms(&SystemClock)
}

const FAULTS: &[(Call, Fault)] = &[
    (Call::Comments, Fault::Lost),
    (Call::Comments, Fault::Nonsense),
    (Call::Comments, Fault::Repeats),
    (Call::Comments, Fault::EmptyPage),
    (Call::Comments, Fault::Busy),
    (Call::Perform, Fault::DoneThenLost),
    (Call::Look, Fault::Lost),
];

#[tokio::test]
async fn every_comment_is_here_once_although_pages_repeat_and_old_versions_come_late() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(dir.path()).await;
    let fake = Fake::new();
    for n in 0..20 {
        fake.world().comment(&format!("c-{n}"), "在吗");
    }
    fake.random(7, FAULTS);
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    until(&mut events, "all twenty", || async { stored(&store).await.len() == 20 }).await;
    // One is written anew on the platform, one is hidden from here.
    fake.world().comment("c-3", "改过的话");
    let intent = store.request_hide(&local(), &CommentId::new("c-5"), now_ms()).await.expect("asked").expect("there");
    sync.wake_outbox();
    let settled = || async {
        let rows = stored(&store).await;
        let row = |id: &str| rows.iter().find(|r| r.comment.id.as_str() == id).cloned().expect("there");
        row("c-3").comment.text == "改过的话" && row("c-5").comment.is_hidden
    };
    until(&mut events, "changed and hidden", settled).await;
    let done = || async { matches!(store.intent(&intent).await.expect("read").map(|i| i.state), Some(IntentState::Confirmed { .. })) };
    until(&mut events, "confirmed", done).await;
    let applied = fake.world().applied.len();
    assert_eq!(applied, 1, "hidden once, although the answer was lost");
    fake.behave();
    let seal = || async {
        let seal = store.seal(&local(), Resource::Comments).await.expect("seal");
        seal.and_then(|s| s.complete_up_to_ms) == Some(fake.world().now)
    };
    until(&mut events, "sealed", seal).await;
    let rows = stored(&store).await;
    let truth = fake.world().comments.clone();
    assert_eq!(rows.len(), truth.len(), "once each");
    for row in rows {
        let there = &truth[row.comment.id.as_str()];
        assert_eq!((row.comment.version, &row.comment.text), (there.version, &there.text));
    }
    sync.stop().await;
    store.close().await;
}

#[tokio::test]
async fn comments_that_cannot_be_read_leave_the_shop_reachable_and_orders_complete() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(dir.path()).await;
    let fake = Fake::new();
    fake.world().change("o-1");
    fake.world().comment("c-1", "在吗");
    // Longer than the test looks.
    for _ in 0..10_000 {
        fake.add(Call::Comments, Fault::SignedOut);
    }
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    sync.first_read().await;
    let enough = || async { fake.calls(Call::Comments) > 5 && fake.calls(Call::Feed) > 5 };
    // Polls of the other feeds bring events only when something changes.
    let change = || async {
        fake.world().change("o-1");
        enough().await
    };
    until(&mut events, "asked for often", change).await;
    assert!(sync.reach().reachable, "{:?}", sync.reach());
    assert!(!sync.reads(Resource::Comments) && sync.reads(Resource::Orders));
    assert!(store.seal(&local(), Resource::Orders).await.expect("seal").expect("row").complete_up_to_ms.is_some());
    assert_eq!((stored(&store).await.len(), sync.read_at_ms(Resource::Comments)), (0, None));
    fake.behave();
    sync.read_now();
    until(&mut events, "they come", || async { stored(&store).await.len() == 1 }).await;
    sync.stop().await;
    store.close().await;
}

#[tokio::test]
async fn a_platform_without_comments_is_never_asked_for_them() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(dir.path()).await;
    let fake = Fake::new();
    fake.world().has_comments = false;
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    sync.first_read().await;
    let rounds = || async {
        fake.world().change("o-1");
        fake.calls(Call::Feed) > 10
    };
    until(&mut events, "many rounds", rounds).await;
    sync.read_now();
    assert_eq!((fake.calls(Call::Comments), sync.read_at_ms(Resource::Comments)), (0, None));
    sync.stop().await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewers_comment_is_here_within_two_seconds_although_polls_are_a_minute_apart() {
    let dir = tempfile::tempdir().expect("dir");
    let options = ShopOptions { data: dir.path().to_owned(), listen: SocketAddr::from(([127, 0, 0, 1], 0)) };
    let (shop, store) = (stallcast_shop::start(options, Arc::new(SystemClock)).await.expect("shop"), open(dir.path()).await);
    let adapter = LocalShop::new(shop.url(), SecretString::from(shop.token().to_owned()), Arc::new(SystemClock)).expect("adapter");
    let (sync, mut events) = start(&store, Arc::new(adapter), Timing::default());
    sync.first_read().await;
    let http = reqwest::Client::new();
    let post = async |viewer: &str, text: &str| {
        let request = http.post(format!("{}/api/comments", shop.url())).header("X-Viewer", viewer).header("Idempotency-Key", viewer);
        let answer: Value = request.json(&json!({ "text": text, "name": "云朵" })).send().await.expect("post").json().await.expect("json");
        CommentId::new(answer["id"].as_str().expect("posted"))
    };
    // The stream may still be opening; a comment now is found either way.
    let early = post("viewer-0001", "早").await;
    until(&mut events, "the first", || async { store.comment(&local(), &early).await.expect("read").is_some() }).await;
    let began = Instant::now();
    let id = post("viewer-0002", "3 号多少钱").await;
    until(&mut events, "the comment", || async { store.comment(&local(), &id).await.expect("read").is_some() }).await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}: four times what is promised", began.elapsed());
    eprintln!("comment to store: {:?}", began.elapsed());
    let row = store.comment(&local(), &id).await.expect("read").expect("there");
    assert_eq!((row.comment.author.as_str(), row.comment.is_question), ("云**", true));

    // What another tool read elsewhere comes the same way, with where it was written.
    let brought = http.post(format!("{}/api/tools/comments", shop.url())).bearer_auth(shop.tool_token());
    let brought = brought.json(&json!({ "source": "抖音", "id": "42", "author": "Martin", "text": "包邮吗" })).send().await.expect("post");
    let told: Value = brought.json().await.expect("json");
    let tools = CommentId::new(told["id"].as_str().expect("taken"));
    until(&mut events, "what the tool brought", || async { store.comment(&local(), &tools).await.expect("read").is_some() }).await;
    let row = store.comment(&local(), &tools).await.expect("read").expect("there");
    assert_eq!((row.comment.source.as_str(), row.comment.author.as_str(), row.comment.is_question), ("抖音", "M***n", true));
    assert_eq!(stored(&store).await.len(), 3, "in one list with those of viewers");

    store.request_hide(&local(), &id, now_ms()).await.expect("asked").expect("there");
    sync.wake_outbox();
    let hidden = || async { store.comment(&local(), &id).await.expect("read").is_some_and(|r| r.comment.is_hidden) };
    until(&mut events, "hidden and read back", hidden).await;
    let shown: Value = http.get(format!("{}/api/comments", shop.url())).send().await.expect("ask").json().await.expect("json");
    assert_eq!(shown["comments"].as_array().expect("list").len(), 1, "viewers see the other one only");

    // A crowd writes at once: everything is here, in few reads.
    let told = events.resubscribe();
    let crowd = (0..20).map(|n| {
        let form = json!({ "source": "抖音", "id": format!("crowd-{n}"), "text": format!("第 {n} 句") });
        http.post(format!("{}/api/tools/comments", shop.url())).bearer_auth(shop.tool_token()).json(&form).send()
    });
    futures_util::future::join_all(crowd).await;
    until(&mut events, "the crowd", || async { stored(&store).await.len() == 23 }).await;
    let reads = count(told);
    assert!(reads <= 10, "{reads} reads for twenty comments");
    sync.stop().await;
    store.close().await;
    shop.stop().await;
}

/// Events about comments that wait to be heard.
fn count(mut told: tokio::sync::broadcast::Receiver<SyncEvent>) -> usize {
    let mut reads = 0;
    while let Ok(event) = told.try_recv() {
        reads += usize::from(matches!(event, SyncEvent::Comments(_)));
    }
    reads
}
