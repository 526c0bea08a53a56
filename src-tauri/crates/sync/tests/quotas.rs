//! Workers in front of platforms that count: rates are kept, and a quota that is used up is heard once.

mod support;

use stallcast_clock::{ManualClock, SystemClock};
use stallcast_model::{ConnectionId, CouponState};
use stallcast_platform::limits::Rate;
use stallcast_store::Resource;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::door::Door;
use support::fake::{Call, Fake, draft};
use support::{connect, local, open, quick, start, start_as, until};

fn now_ms() -> i64 {
    stallcast_clock::Clock::utc_ms(&SystemClock)
}

#[tokio::test]
async fn all_workers_together_ask_no_faster_than_the_platform_allows() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(dir.path()).await;
    let fake = Fake::new();
    for n in 0..60 {
        fake.world().change(&format!("o-{n}"));
        fake.world().comment(&format!("c-{n}"), "在吗");
    }
    // Three feeds of twenty pages each, and effects: more than these workers would wait for by themselves.
    let rate = Rate { burst: 5, per_second: 100 };
    let began = Instant::now();
    let door = Door::new(rate, i64::MAX, Arc::new(SystemClock));
    fake.behind(&door);
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    for n in 1..6 {
        store.issue_coupon(&local(), &draft(n), now_ms()).await.expect("coupon");
        sync.wake_outbox();
    }
    let done = || async {
        let sealed = store.seal(&local(), Resource::Orders).await.expect("seal").is_some_and(|s| s.complete_up_to_ms.is_some());
        let active = store.coupons().await.expect("coupons").iter().filter(|c| c.coupon.state == CouponState::Active).count();
        sealed && active == 5 && door.arrived() > 60
    };
    until(&mut events, "everything read and confirmed", done).await;
    sync.stop().await;
    let (arrived, took) = (f64::from(door.arrived()), began.elapsed().as_secs_f64());
    let allowed = f64::from(rate.burst) + f64::from(rate.per_second) * took;
    assert!(arrived <= allowed, "{arrived} exchanges in {took:.2} s");
    assert_eq!(store.order_counts().await.expect("counts").total, 60);
    store.close().await;
}

#[tokio::test]
async fn a_used_up_quota_is_heard_once_and_silences_one_connection_until_it_is_over() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(dir.path()).await;
    let other = ConnectionId::new("other");
    connect(&store, &other, "第二家").await;
    let (fake, second) = (Fake::new(), Fake::new());
    for n in 0..30 {
        fake.world().change(&format!("o-{n}"));
    }
    let clock = ManualClock::new(0);
    // No rate: only the quota. It ends in the middle of the first reading.
    let door = Door::new(Rate { burst: 100_000, per_second: 1_000 }, 4, Arc::new(clock.clone()));
    fake.behind(&door);
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    until(&mut events, "the feeds hear of it", || async { sync.reach().code.as_deref() == Some("rate_limited") }).await;
    assert_eq!((door.arrived(), door.refused()), (5, 1));

    // Pressed now, it is tried, does not leave this machine, and is not lost.
    let coupon = store.issue_coupon(&local(), &draft(1), now_ms()).await.expect("coupon");
    sync.wake_outbox();
    let state = || async { store.coupons().await.expect("coupons").into_iter().find(|c| c.coupon.id == coupon).expect("there") };
    let tried = || async { state().await.intent.is_some_and(|intent| intent.attempts >= 1) };
    until(&mut events, "it was tried", tried).await;
    // The other shop goes on meanwhile: many rounds.
    let (beside, mut told) = start_as(&store, Arc::new(second.clone()), quick(), other.clone());
    let rounds = || async {
        second.world().change("b");
        second.calls(Call::Feed) > 10
    };
    until(&mut told, "the other shop is read", rounds).await;
    assert!(beside.reach().reachable);
    assert_eq!((door.arrived(), door.refused(), fake.calls(Call::Perform)), (5, 1, 0), "nobody asks again");
    sync.stop().await;

    // A start within the same minute finds the gate of its adapter as it was; a minute later everything goes on.
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    until(&mut events, "the feeds hear of it again", || async { sync.reach().code.as_deref() == Some("rate_limited") }).await;
    assert_eq!(door.arrived(), 5);
    sync.stop().await;
    clock.advance(Duration::from_secs(61));
    door.refill();
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    let whole = || async { store.order_counts().await.expect("counts").total == 31 && state().await.coupon.state == CouponState::Active };
    until(&mut events, "all orders, and the coupon", whole).await;
    assert_eq!((door.refused(), fake.world().applied.len()), (1, 1), "refused once, done once");
    sync.stop().await;
    beside.stop().await;
    store.close().await;
}
