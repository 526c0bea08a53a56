//! The workers against the real shop over HTTP.

mod support;

use secrecy::SecretString;
use serde_json::{Value, json};
use stallcast_clock::SystemClock;
use stallcast_model::{AfterSaleAnswer, CouponState, OrderId, OrderStatus, Waybill};
use stallcast_platform::local::LocalShop;
use stallcast_shop::{RunningShop, ShopOptions};
use stallcast_store::{IntentState, OrderQuery, Resource, Store};
use stallcast_sync::{Pace, Timing};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::fake::draft;
use support::{buy, local, open, start, until};

/// The design's own times: what comes quickly comes because of a hint, not because of a poll.
fn real() -> Timing {
    Timing::default()
}

async fn shop_at(data: &Path, listen: SocketAddr) -> RunningShop {
    // The port of a shop that just ended can stay taken for a moment.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match stallcast_shop::start(ShopOptions { data: data.to_owned(), listen }, Arc::new(SystemClock)).await {
            Ok(shop) => return shop,
            Err(e) if Instant::now() > deadline => panic!("no shop: {e}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn shop(data: &Path) -> RunningShop {
    shop_at(data, SocketAddr::from(([127, 0, 0, 1], 0))).await
}

fn adapter(shop: &RunningShop) -> Arc<LocalShop> {
    Arc::new(LocalShop::new(shop.url(), SecretString::from(shop.token().to_owned()), Arc::new(SystemClock)).expect("adapter"))
}

fn now_ms() -> i64 {
    stallcast_clock::Clock::utc_ms(&SystemClock)
}

/// Gives a product of the shop a lot of pieces and returns its SKU.
async fn plenty(shop: &RunningShop) -> String {
    let http = reqwest::Client::new();
    let products: Value = http.get(format!("{}/api/products", shop.url())).send().await.expect("ask").json().await.expect("json");
    let (id, sku) = (&products["products"][0]["id"], &products["products"][0]["skus"][0]["id"]);
    let patch = http.patch(format!("{}/api/seller/products/{}", shop.url(), id.as_str().expect("id")));
    let patched = patch.bearer_auth(shop.token()).json(&json!({ "stock": 10_000 })).send().await.expect("patch");
    assert!(patched.status().is_success());
    sku.as_str().expect("sku").to_owned()
}

async fn stored(store: &Store) -> HashSet<String> {
    let rows = store.orders(OrderQuery { limit: 10_000, ..OrderQuery::default() }).await.expect("orders");
    let ids: HashSet<_> = rows.iter().map(|r| r.order.id.to_string()).collect();
    assert_eq!(ids.len(), rows.len(), "an order is there twice");
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_here_within_two_seconds_although_polls_are_a_minute_apart() {
    let dir = tempfile::tempdir().expect("dir");
    let (shop, store) = (shop(dir.path()).await, open(dir.path()).await);
    let sku = plenty(&shop).await;
    let (sync, mut events) = start(&store, adapter(&shop), real());
    sync.first_read().await;
    assert!(store.bag().await.expect("bag").len() >= 3, "the shop's products are in the bag");
    // The stream may still be opening; an order now is found either way.
    let early = buy(shop.url(), &sku, "early").await.expect("bought");
    until(&mut events, "the first order", || async { store.order(&local(), &OrderId::new(&early)).await.expect("read").is_some() }).await;
    let began = Instant::now();
    let id = OrderId::new(buy(shop.url(), &sku, "k").await.expect("bought"));
    let paid = || async { store.order(&local(), &id).await.expect("read").is_some_and(|r| r.order.status() == OrderStatus::ToShip) };
    until(&mut events, "the paid order", paid).await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}: four times what is promised", began.elapsed());
    eprintln!("order to store: {:?}", began.elapsed());
    sync.stop().await;
    store.close().await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buyers_in_a_rush_while_the_shop_is_started_again_are_all_there_once() {
    let dir = tempfile::tempdir().expect("dir");
    let (mut shop, store) = (shop(dir.path()).await, open(dir.path()).await);
    let sku = plenty(&shop).await;
    let (sync, mut events) = start(&store, adapter(&shop), Timing { live: Duration::from_millis(300), ..real() });
    sync.set_pace(Pace::Live);
    let mut bought = HashSet::new();
    for round in 0..3 {
        let (url, sku) = (shop.url().to_owned(), sku.clone());
        let rush: Vec<_> = (0..8)
            .map(|n| {
                let (url, sku) = (url.clone(), sku.clone());
                tokio::spawn(async move { buy(&url, &sku, &format!("{round}-{n}")).await })
            })
            .collect();
        for buyer in rush {
            bought.extend(buyer.await.expect("buyer"));
        }
        let address = shop.address();
        shop.stop().await;
        shop = shop_at(dir.path(), address).await;
        sync.read_now();
    }
    assert_eq!(bought.len(), 24);
    until(&mut events, "all orders", || async { stored(&store).await == bought }).await;
    let end = now_ms();
    sync.read_now();
    until(&mut events, "the seal", || async {
        store.seal(&local(), Resource::Orders).await.expect("seal").and_then(|s| s.complete_up_to_ms).is_some_and(|up_to| up_to >= end)
    })
    .await;
    sync.stop().await;
    store.close().await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_seller_wants_becomes_true_in_the_shop() {
    let dir = tempfile::tempdir().expect("dir");
    let (shop, store) = (shop(dir.path()).await, open(dir.path()).await);
    let sku = plenty(&shop).await;
    let (sync, mut events) = start(&store, adapter(&shop), real());
    sync.first_read().await;
    let order = OrderId::new(buy(shop.url(), &sku, "k").await.expect("bought"));
    let to_ship = || async { store.order(&local(), &order).await.expect("read").is_some_and(|r| r.order.status() == OrderStatus::ToShip) };
    until(&mut events, "the order", to_ship).await;
    let parcel = Waybill { carrier: "顺丰".to_owned(), tracking: "SF123".to_owned() };
    let ship = store.request_ship(&local(), &order, &parcel, &[], now_ms()).await.expect("ship").expect("there");
    let coupon = store.issue_coupon(&local(), &draft(2), now_ms()).await.expect("coupon");
    let pin = store.pin(1, now_ms(), Some(1_500)).await.expect("pin").expect("there").intent.expect("intent");
    store.begin_show(now_ms()).await.expect("begin");
    store.show_live(now_ms()).await.expect("live");
    sync.wake_outbox();
    until(&mut events, "nothing is under way", || async { store.next_due_ms(&local()).await.expect("due").is_none() }).await;
    for id in [&ship, &pin] {
        let intent = store.intent(id).await.expect("read").expect("there");
        assert!(matches!(intent.state, IntentState::Confirmed { .. }), "{:?}", intent);
    }
    let row = store.order(&local(), &order).await.expect("read").expect("there");
    assert_eq!((row.order.status(), &row.order.shipments[0].waybill), (OrderStatus::Shipped, &parcel));
    let issued = || async { store.coupons().await.expect("coupons").into_iter().find(|c| c.coupon.id == coupon).expect("row").coupon };
    assert_eq!(issued().await.state, CouponState::Active);
    assert!(issued().await.ends_at_ms.is_some());
    let room: Value = reqwest::get(format!("{}/api/rooms/main", shop.url())).await.expect("ask").json().await.expect("json");
    assert_eq!((&room["live"]["state"], &room["pin"]["programMs"]), (&json!("live"), &json!(1_500)));

    // Claims are seen, and that there is none left.
    for viewer in ["viewer-aaaa", "viewer-bbbb"] {
        let claim = reqwest::Client::new().post(format!("{}/api/coupons/{coupon}/claim", shop.url())).header("X-Viewer", viewer);
        assert!(claim.send().await.expect("ask").status().is_success());
    }
    until(&mut events, "all are claimed", || async { issued().await.state == CouponState::Ended && issued().await.claimed == 2 }).await;
    sync.stop().await;
    store.close().await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_buyer_asks_for_is_answered_in_the_shop() {
    let dir = tempfile::tempdir().expect("dir");
    let (shop, store) = (shop(dir.path()).await, open(dir.path()).await);
    let sku = plenty(&shop).await;
    let (sync, mut events) = start(&store, adapter(&shop), real());
    sync.first_read().await;
    let id = buy(shop.url(), &sku, "k").await.expect("bought");
    let order = OrderId::new(&id);
    let ask = |key: &'static str| {
        let request = reqwest::Client::new().post(format!("{}/api/orders/{id}/after-sales", shop.url())).header("X-Viewer", "viewer-1234");
        let form = json!({ "kind": "refund_only", "reason": "不想要了" });
        async move { request.header("Idempotency-Key", key).json(&form).send().await.expect("ask").status() }
    };
    assert!(ask("first").await.is_success());
    let row = || async { store.order(&local(), &order).await.expect("read") };
    until(&mut events, "the request", || async { row().await.is_some_and(|r| r.order.asked().is_some()) }).await;
    let asked = row().await.expect("there").order.asked().expect("asked").clone();
    assert_eq!((row().await.expect("there").order.status(), asked.reason.as_str()), (OrderStatus::AfterSale, "不想要了"));
    let refuse = AfterSaleAnswer::Refuse { reason: "已经打包".to_owned() };
    store.answer_after_sale(&local(), &order, &asked.id, &refuse, now_ms()).await.expect("answer").expect("there");
    sync.wake_outbox();
    let settled = || async { store.next_due_ms(&local()).await.expect("due").is_none() };
    until(&mut events, "nothing is under way", settled).await;
    let refused = row().await.expect("there").order;
    assert_eq!((refused.status(), refused.after_sales[0].answer.as_str()), (OrderStatus::ToShip, "已经打包"));

    assert!(ask("second").await.is_success());
    until(&mut events, "the second request", || async { row().await.is_some_and(|r| r.order.asked().is_some()) }).await;
    let asked = row().await.expect("there").order.asked().expect("asked").clone();
    store.answer_after_sale(&local(), &order, &asked.id, &AfterSaleAnswer::Agree, now_ms()).await.expect("answer").expect("there");
    sync.wake_outbox();
    until(&mut events, "nothing is under way", settled).await;
    assert_eq!(row().await.expect("there").order.status(), OrderStatus::Refunded);
    sync.stop().await;
    store.close().await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_was_emptied_is_followed_from_its_new_beginning() {
    let (first, second) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
    let (old, store) = (shop(first.path()).await, open(first.path()).await);
    let sku = plenty(&old).await;
    for n in 0..3 {
        buy(old.url(), &sku, &n.to_string()).await.expect("bought");
    }
    let platform = adapter(&old);
    let (sync, mut events) = start(&store, platform.clone(), real());
    until(&mut events, "three orders", || async { stored(&store).await.len() == 3 }).await;
    old.stop().await;
    let new = shop(second.path()).await;
    platform.moved(new.url(), SecretString::from(new.token().to_owned())).expect("moved");
    sync.read_now();
    let sku = plenty(&new).await;
    let id = buy(new.url(), &sku, "new").await.expect("bought");
    until(&mut events, "the order of the new shop", || async { stored(&store).await.contains(&id) }).await;
    assert_eq!(stored(&store).await.len(), 4, "what was sold stays sold");
    sync.stop().await;
    store.close().await;
    new.stop().await;
}
