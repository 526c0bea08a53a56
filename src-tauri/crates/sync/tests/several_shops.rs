//! Several connections in one order list: each with its own workers, seal and troubles.

mod support;

use secrecy::SecretString;
use stallcast_clock::SystemClock;
use stallcast_model::{ConnectionId, Effect, OrderId, Waybill};
use stallcast_platform::local::LocalShop;
use stallcast_shop::ShopOptions;
use stallcast_store::{IntentState, OrderQuery, Resource, Store};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use support::fake::{Call, Fake, Fault};
use support::{connect, local, open, quick, start, start_as, until};

fn second() -> ConnectionId {
    ConnectionId::new("second")
}

fn now_ms() -> i64 {
    stallcast_clock::Clock::utc_ms(&SystemClock)
}

/// All orders of the one list, as source and id.
async fn listed(store: &Store) -> BTreeSet<(String, String)> {
    let rows = store.orders(OrderQuery { limit: 10_000, ..OrderQuery::default() }).await.expect("orders");
    let ids: BTreeSet<_> = rows.iter().map(|r| (r.connection.to_string(), r.order.id.to_string())).collect();
    assert_eq!(ids.len(), rows.len(), "an order is there twice");
    ids
}

async fn sealed_to(store: &Store, connection: &ConnectionId) -> i64 {
    store.seal(connection, Resource::Orders).await.expect("seal").and_then(|s| s.complete_up_to_ms).unwrap_or(0)
}

const FAULTS: &[(Call, Fault)] = &[
    (Call::Feed, Fault::Lost),
    (Call::Feed, Fault::Nonsense),
    (Call::Feed, Fault::Repeats),
    (Call::Feed, Fault::Moves),
    (Call::Feed, Fault::SignedOut),
    (Call::Perform, Fault::DoneThenLost),
    (Call::Perform, Fault::Busy),
    (Call::Look, Fault::Lost),
];

#[tokio::test]
async fn two_hostile_platforms_with_the_same_order_numbers_stay_apart() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(dir.path()).await;
    connect(&store, &second(), "二店").await;
    let (a, b) = (Fake::new(), Fake::new());
    a.watch(&store);
    b.watch_as(&store, &second());
    for n in 0..20 {
        a.world().change(&format!("o-{n}"));
        // The same ids, other orders.
        b.world().change(&format!("o-{}", n / 2));
    }
    a.random(1, FAULTS);
    b.random(2, FAULTS);
    let (sync_a, mut events) = start(&store, Arc::new(a.clone()), quick());
    let (sync_b, mut events_b) = start_as(&store, Arc::new(b.clone()), quick(), second());
    until(&mut events, "all of the first", || async { listed(&store).await.iter().filter(|(c, _)| c == "local").count() == 20 }).await;
    until(&mut events_b, "all of the second", || async { listed(&store).await.len() == 30 }).await;

    // The same number is sent with two parcels, one in each shop.
    let parcel = |text: &str| Waybill { carrier: "SF".to_owned(), tracking: text.to_owned() };
    let order = OrderId::new("o-3");
    let mut wished = Vec::new();
    for (connection, text) in [(local(), "first"), (second(), "second")] {
        wished.push(store.request_ship(&connection, &order, &parcel(text), &[], now_ms()).await.expect("ship").expect("there"));
    }
    sync_a.wake_outbox();
    sync_b.wake_outbox();
    for (connection, events) in [(local(), &mut events), (second(), &mut events_b)] {
        until(events, "sent", || async { store.next_due_ms(&connection).await.expect("due").is_none() }).await;
    }
    for (fake, id, text) in [(&a, &wished[0], "first"), (&b, &wished[1], "second")] {
        let state = store.intent(id).await.expect("read").expect("there").state;
        assert!(matches!(state, IntentState::Confirmed { .. }), "{state:?}");
        let applied = fake.world().applied.clone();
        assert!(matches!(&applied[..], [(_, Effect::Ship { shipment, .. })] if shipment.tracking == text), "{applied:?}");
    }

    // One goes away: the other neither waits nor claims less.
    a.behave();
    b.behave();
    // Its last answers were faults as well: only once it was there can it be seen to go.
    until(&mut events_b, "the second answers", || async { sync_b.reach().reachable }).await;
    b.set_away(true);
    sync_b.read_now();
    until(&mut events_b, "the second is away", || async { !sync_b.reach().reachable }).await;
    let stands_at = sealed_to(&store, &second()).await;
    a.world().change("new");
    let end = a.world().now;
    // Its orders may be proven before its goods, whose last answer was a fault, are read again.
    until(&mut events, "the first goes on", || async { sync_a.reach().reachable && sealed_to(&store, &local()).await >= end }).await;
    assert!(listed(&store).await.contains(&("local".to_owned(), "new".to_owned())));
    b.world().change("unseen");
    assert_eq!(sealed_to(&store, &second()).await, stands_at, "nothing is proven of a platform that is away");
    b.set_away(false);
    sync_b.read_now();
    until(&mut events_b, "the second is back", || async { listed(&store).await.contains(&("second".to_owned(), "unseen".to_owned())) })
        .await;
    for fake in [&a, &b] {
        assert_eq!(fake.world().violations, Vec::<String>::new(), "a seal lied");
    }
    sync_a.stop().await;
    sync_b.stop().await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_real_shops_fill_one_list() {
    let (first, other) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
    let store = open(first.path()).await;
    connect(&store, &second(), "二店").await;
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut shops = Vec::new();
    for (dir, connection) in [(&first, local()), (&other, second())] {
        let options = ShopOptions { data: dir.path().to_owned(), listen };
        let shop = stallcast_shop::start(options, Arc::new(SystemClock)).await.expect("shop");
        let adapter = LocalShop::new(shop.url(), SecretString::from(shop.token().to_owned()), Arc::new(SystemClock)).expect("adapter");
        let (sync, events) = start_as(&store, Arc::new(adapter), stallcast_sync::Timing::default(), connection.clone());
        sync.first_read().await;
        shops.push((shop, sync, events, connection));
    }
    let mut expected = BTreeSet::new();
    for round in 0..2 {
        for (shop, _, _, connection) in &shops {
            let id = support::buy_something(shop.url(), &format!("k-{round}")).await;
            expected.insert((connection.to_string(), id));
        }
    }
    // Each shop's events tell of its own orders only.
    for (_, _, events, connection) in &mut shops {
        let own = |all: &BTreeSet<(String, String)>| all.iter().filter(|(c, _)| *c == connection.to_string()).cloned().collect::<Vec<_>>();
        until(events, "all of its orders", || async { own(&listed(&store).await) == own(&expected) }).await;
    }
    assert_eq!(listed(&store).await, expected);
    let rows = store.orders(OrderQuery::default()).await.expect("orders");
    let names: BTreeSet<_> = rows.iter().map(|r| r.connection_name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["二店", "店"]), "a row says where it is from");
    let of_second = store.orders(OrderQuery { connection: Some(second()), ..OrderQuery::default() }).await.expect("orders");
    assert_eq!(of_second.len(), 2);
    for (shop, sync, ..) in shops {
        sync.stop().await;
        shop.stop().await;
    }
    store.close().await;
}
