//! Nothing sold is lost or doubled, whatever the platform does.

mod support;

use stallcast_model::OrderId;
use stallcast_store::{OrderQuery, Resource};
use stallcast_sync::{Pace, SyncEvent, Timing};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use support::fake::{Call, Fake, Fault};
use support::{local, open, quick, start, until};

const FEED_FAULTS: &[(Call, Fault)] = &[
    (Call::Products, Fault::NotSent),
    (Call::Products, Fault::Nonsense),
    (Call::Products, Fault::EmptyPage),
    (Call::Products, Fault::Repeats),
    (Call::Feed, Fault::NotSent),
    (Call::Feed, Fault::Lost),
    (Call::Feed, Fault::DoneThenLost),
    (Call::Feed, Fault::Busy),
    (Call::Feed, Fault::Nonsense),
    (Call::Feed, Fault::EmptyPage),
    (Call::Feed, Fault::Repeats),
    (Call::Feed, Fault::Moves),
    (Call::Feed, Fault::Unstamped),
];

async fn read_through(seed: u64) {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(dir.path()).await;
    let fake = Fake::new();
    fake.watch(&store);
    fake.random(seed, FEED_FAULTS);
    for n in 0..10 {
        fake.world().change(&format!("early-{n}"));
    }
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    // Orders come and change while the feed is being read.
    let mut new: HashMap<OrderId, u32> = HashMap::new();
    for n in 0..120_u64 {
        match (n + seed) % 3 {
            0 => fake.world().change(&format!("o-{}", n / 2)),
            1 => fake.world().change(&format!("o-{}", n / 7)),
            _ => fake.world().change(&format!("o-{n}")),
        }
        if n % 4 == 0
            && let Ok(event) = tokio::time::timeout(Duration::from_millis(3), events.recv()).await
        {
            count(&mut new, event.expect("few events"));
        }
    }
    // The platform's last word, then it behaves.
    fake.behave();
    let end = fake.world().now;
    until(&mut events, "the seal reaches the end", || async {
        let seal = store.seal(&local(), Resource::Orders).await.expect("seal");
        seal.and_then(|s| s.complete_up_to_ms).is_some_and(|up_to| up_to >= end)
    })
    .await;
    sync.stop().await;

    assert_eq!(fake.world().violations, Vec::<String>::new(), "seed {seed}: the seal lied");
    let expected: HashMap<_, _> = fake.world().orders.iter().map(|(id, o)| (id.clone(), o.order.version)).collect();
    let rows = store.orders(OrderQuery { limit: 10_000, ..OrderQuery::default() }).await.expect("orders");
    let stored: HashMap<_, _> = rows.iter().map(|r| (r.order.id.to_string(), r.order.version)).collect();
    assert_eq!(rows.len(), stored.len(), "seed {seed}: an order is there twice");
    assert_eq!(stored, expected, "seed {seed}: lost, or not the last version");
    assert_eq!(store.order_counts().await.expect("counts").total as usize, expected.len());
    assert!(new.values().all(|times| *times == 1), "seed {seed}: told as new more than once: {new:?}");
    store.close().await;
}

fn count(new: &mut HashMap<OrderId, u32>, event: SyncEvent) {
    if let SyncEvent::Orders(changes) = event {
        for change in changes.into_iter().filter(|c| c.is_new) {
            *new.entry(change.id).or_default() += 1;
        }
    }
}

#[tokio::test]
async fn every_order_is_there_once_at_its_last_version_and_the_seal_never_lies() {
    for seed in 1..=6 {
        read_through(seed).await;
    }
}

#[tokio::test]
async fn a_feed_that_does_not_go_on_is_asked_again_and_never_counts_as_complete() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(dir.path()).await;
    let fake = Fake::new();
    fake.world().change("a");
    fake.random(0, &[(Call::Feed, Fault::EmptyPage)]);
    // Odd numbers fail: this seed's every exchange is one more empty page until the script is over.
    fake.script(&[(Call::Feed, Fault::EmptyPage); 12]);
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    until(&mut events, "the order is there", || async { store.order(&local(), &OrderId::new("a")).await.expect("read").is_some() }).await;
    assert!(fake.calls(Call::Feed) > 12);
    fake.behave();
    sync.first_read().await;
    sync.stop().await;
    store.close().await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_holds_the_seal_until_it_can() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(dir.path()).await;
    let fake = Fake::new();
    fake.watch(&store);
    for id in ["a", "b", "c"] {
        fake.world().change(id);
    }
    fake.world().unreadable = Some("b".to_owned());
    // The single read fails as well, until the platform is repaired.
    fake.script(&[(Call::Look, Fault::Nonsense); 2]);
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    until(&mut events, "the others are there", || async { store.order(&local(), &OrderId::new("c")).await.expect("read").is_some() }).await;
    let seal = store.seal(&local(), Resource::Orders).await.expect("seal").expect("read");
    assert!(seal.complete_up_to_ms.is_none() || store.order(&local(), &OrderId::new("b")).await.expect("read").is_some());
    // The feed never gives it again by itself; it is asked for by its id.
    until(&mut events, "the row was read", || async { store.order(&local(), &OrderId::new("b")).await.expect("read").is_some() }).await;
    until(&mut events, "the seal moves", || async {
        store.seal(&local(), Resource::Orders).await.expect("seal").is_some_and(|s| s.complete_up_to_ms.is_some())
    })
    .await;
    assert_eq!(fake.world().violations, Vec::<String>::new());
    sync.stop().await;
    store.close().await;
}

#[tokio::test]
async fn a_platform_that_began_anew_is_read_from_its_start() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(dir.path()).await;
    let fake = Fake::new();
    for n in 0..20 {
        fake.world().change(&format!("old-{n}"));
    }
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    until(&mut events, "the old ones are there", || async {
        store.order(&local(), &OrderId::new("old-19")).await.expect("read").is_some()
    })
    .await;
    {
        let mut world = fake.world();
        world.orders.clear();
        world.changes.clear();
        (world.feed, world.now) = ("feed 2".to_owned(), 0);
        world.change("new");
    }
    until(&mut events, "the new one is there", || async { store.order(&local(), &OrderId::new("new")).await.expect("read").is_some() })
        .await;
    assert_eq!(store.order_counts().await.expect("counts").total, 21, "what was sold stays sold");
    sync.stop().await;
    store.close().await;
}

#[tokio::test]
async fn a_show_that_begins_is_watched_closely_at_once() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(dir.path()).await;
    let fake = Fake::new();
    let timing = Timing { idle: Duration::from_secs(3_600), ..quick() };
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), timing);
    sync.first_read().await;
    fake.world().change("a");
    let there = || async { store.order(&local(), &OrderId::new("a")).await.expect("read").is_some() };
    assert!(!there().await, "nobody looks");
    sync.set_pace(Pace::Live);
    until(&mut events, "the order", there).await;
    sync.stop().await;
    store.close().await;
}

#[tokio::test]
async fn a_platform_that_is_away_is_told_once_and_asked_less_and_less() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(dir.path()).await;
    let fake = Fake::new();
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    sync.first_read().await;
    until(&mut events, "it answers", || async { sync.reach().reachable }).await;
    let before = sync.read_at_ms(Resource::Products).expect("read");
    fake.set_away(true);
    until(&mut events, "it is away", || async { !sync.reach().reachable }).await;
    assert_eq!(sync.reach().code.as_deref(), Some("unreachable"));
    fake.set_away(false);
    sync.read_now();
    until(&mut events, "it is back", || async { sync.reach().reachable }).await;
    assert!(sync.read_at_ms(Resource::Products).expect("read") >= before);
    fake.world().signed_out = true;
    until(&mut events, "it does not know us", || async { sync.reach().code.as_deref() == Some("unauthorized") }).await;
    sync.stop().await;
    store.close().await;
}
