//! The façade over the real store, workers and shop.

mod support;

use serde_json::json;
use stallcast_studio::view::{
    ActionView, AfterSaleStateView, CouponForm, CouponStateView, OfferForm, OrderStatusView, SealView, StudioEvent, StudioView,
};
use std::time::{Duration, Instant};
use support::{buy, open, options, order, plenty, room, shop, shop_at, until};

/// The shop of this machine.
fn own() -> String {
    "local".to_owned()
}

fn confirmed(action: Option<&ActionView>) -> bool {
    matches!(action, Some(ActionView::Confirmed { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_travels_from_the_buyer_to_the_list_and_back() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let sku = plenty(&shop).await;
    let studio = open(options(dir.path(), &shop)).await;
    let first = studio.snapshot().await;
    assert!(first.bag.len() >= 3 && !first.show.shop_name.is_empty());
    assert_eq!(first.show.viewer_url.as_deref(), Some(format!("{}/", shop.url()).as_str()));
    assert!(matches!(first.orders.seal, SealView::Complete { .. }), "{:?}", first.orders.seal);
    assert_eq!((first.orders.total, first.orders.rows.len()), (0, 0));

    let began = Instant::now();
    let id = buy(shop.url(), &sku, "a").await;
    let view =
        until(&studio, "the order is in the list", |v| v.orders.rows.iter().any(|r| r.id == id && r.status == OrderStatusView::ToShip))
            .await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}: four times what is promised", began.elapsed());
    eprintln!("buyer's click to row: {:?}", began.elapsed());
    assert_eq!((view.orders.rows.len(), view.orders.total, view.orders.to_ship), (1, 1, 1), "exactly once");
    let row = &view.orders.rows[0];
    assert_eq!((row.buyer.as_str(), row.lines[0].bag_number), ("林**", Some(1)), "the buyer is masked");
    assert!(!format!("{view:?}").contains("13800138000"));

    for (carrier, tracking, code) in [("", "SF1", "invalid"), ("顺丰", "a\nb", "invalid")] {
        let refused = studio.ship_order(own(), id.clone(), carrier.to_owned(), tracking.to_owned(), Vec::new()).await.expect_err("refused");
        assert_eq!(refused.code, code);
    }
    assert_eq!(
        studio.ship_order(own(), "none".to_owned(), "SF".to_owned(), "1".to_owned(), Vec::new()).await.expect_err("none").code,
        "not_found"
    );
    for _ in 0..2 {
        studio.ship_order(own(), id.clone(), "顺丰".to_owned(), "SF123".to_owned(), Vec::new()).await.expect("pressed twice is sent once");
    }
    let view = until(&studio, "shipping is confirmed", |v| confirmed(v.orders.rows[0].ship.as_ref())).await;
    assert_eq!(view.orders.rows[0].status, OrderStatusView::Shipped);
    let there = order(&shop, &id).await;
    assert_eq!((&there["fulfilment"], &there["shipments"][0]["tracking"]), (&json!("shipped"), &json!("SF123")));
    let other =
        studio.ship_order(own(), id.clone(), "顺丰".to_owned(), "SF999".to_owned(), Vec::new()).await.expect_err("it is on its way");
    assert_eq!((other.code.as_str(), other.params["state"].as_str()), ("wrong_state", "shipped"));
    studio.close().await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_buyer_asks_for_is_seen_and_answered_once() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let sku = plenty(&shop).await;
    let studio = open(options(dir.path(), &shop)).await;
    let id = buy(shop.url(), &sku, "a").await;
    until(&studio, "the order", |v| v.orders.rows.iter().any(|r| r.id == id)).await;
    for (n, agrees) in [(1, false), (2, true)] {
        let ask = reqwest::Client::new()
            .post(format!("{}/api/orders/{id}/after-sales", shop.url()))
            .header("X-Viewer", "viewer-1234")
            .header("Idempotency-Key", format!("ask-{n}"))
            .json(&json!({ "kind": "refund_only", "reason": "<i>拍错了</i>" }));
        assert!(ask.send().await.expect("asked").status().is_success());
        let view = until(&studio, "the request is in the list", |v| v.orders.rows[0].status == OrderStatusView::AfterSale).await;
        assert_eq!(view.orders.after_sale, 1, "the filter shows it");
        let asked = view.orders.rows[0].after_sales.last().expect("asked").clone();
        assert_eq!((asked.state, asked.reason.as_str(), &asked.action), (AfterSaleStateView::Requested, "<i>拍错了</i>", &None));
        assert_eq!(asked.amount, view.orders.rows[0].total);
        assert!(!format!("{view:?}").contains("拍错了"), "a buyer's words are in no log");
        let refused = studio.refuse_after_sale(own(), id.clone(), asked.id.clone(), " ".to_owned()).await.expect_err("no reason");
        assert_eq!((refused.code.as_str(), refused.params["field"].as_str()), ("invalid", "reason"));
        assert_eq!(studio.agree_after_sale(own(), id.clone(), "none".to_owned()).await.expect_err("none").code, "not_found");
        for _ in 0..2 {
            if agrees {
                studio.agree_after_sale(own(), id.clone(), asked.id.clone()).await.expect("pressed twice is paid once");
            } else {
                studio
                    .refuse_after_sale(own(), id.clone(), asked.id.clone(), "已经打包".to_owned())
                    .await
                    .expect("pressed twice is said once");
            }
        }
        let done = |v: &StudioView| confirmed(v.orders.rows[0].after_sales.last().and_then(|a| a.action.as_ref()));
        let view = until(&studio, "the answer is confirmed", done).await;
        let row = &view.orders.rows[0];
        let answered = row.after_sales.last().expect("there");
        if agrees {
            assert_eq!((row.status, answered.state), (OrderStatusView::Refunded, AfterSaleStateView::Refunded));
            assert_eq!(order(&shop, &id).await["refunded"], order(&shop, &id).await["total"], "once");
        } else {
            assert_eq!((row.status, answered.state), (OrderStatusView::ToShip, AfterSaleStateView::Rejected));
            assert_eq!(answered.answer, "已经打包");
        }
    }
    studio.close().await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_and_a_coupon_are_shown_as_true_only_when_they_are() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let studio = open(options(dir.path(), &shop)).await;
    studio.pin_product(2).await.expect("pinned");
    let pinned = studio.snapshot().await;
    assert!(pinned.bag[1].explaining_since_ms.is_some() && pinned.bag[1].pin.is_some(), "our own picture shows it at once");
    let view = until(&studio, "the pin is confirmed", |v| confirmed(v.bag[1].pin.as_ref())).await;
    assert_eq!(room(shop.url()).await["pin"]["productId"], json!(view.bag[1].product_id));
    assert_eq!(studio.pin_product(999).await.expect_err("not in the bag").code, "not_found");
    let (mime, bytes) = studio.product_picture("local", &view.bag[1].product_id).await.expect("a picture");
    assert!(mime.starts_with("image/") && !bytes.is_empty());
    studio.pin_product(3).await.expect("pinned");
    let view = until(&studio, "the other pin is confirmed", |v| confirmed(v.bag[2].pin.as_ref())).await;
    assert!(view.bag[1].explaining_since_ms.is_none());
    studio.unpin_product().await.expect("unpinned");
    until(&studio, "nothing is pinned", |v| v.bag.iter().all(|b| b.explaining_since_ms.is_none()) && confirmed(v.bag[2].pin.as_ref()))
        .await;
    assert_eq!(room(shop.url()).await["pin"], json!(null));

    // Active in any event means: read back from the shop.
    let mut events = studio.events();
    let form = CouponForm { discount: "30".to_owned(), threshold: "199".to_owned(), quantity: 5, valid_s: 120, connection_id: None };
    studio.issue_coupon(form.clone()).await.expect("issued");
    let view = until(&studio, "the coupon is active", |v| v.coupons.iter().any(|c| c.state == CouponStateView::Active)).await;
    let coupon = &view.coupons[0];
    assert!(coupon.ends_at_ms.is_some_and(|at| at > 0.0) && coupon.failure.is_none());
    let there = room(shop.url()).await;
    assert_eq!((&there["coupons"][0]["id"], &there["coupons"][0]["state"]), (&json!(coupon.id), &json!("active")));
    let mut states = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let StudioEvent::Coupons(coupons) = event {
            states.extend(coupons.first().map(|c| (c.state, c.ends_at_ms.is_some())));
        }
    }
    assert_eq!(states.first(), Some(&(CouponStateView::Sending, false)), "{states:?}");
    assert!(states.iter().all(|(state, ends)| *state != CouponStateView::Active || *ends), "{states:?}");
    let claim = reqwest::Client::new().post(format!("{}/api/coupons/{}/claim", shop.url(), coupon.id)).header("X-Viewer", "viewer-1234");
    assert!(claim.send().await.expect("claim").status().is_success());
    until(&studio, "the claim is seen", |v| v.coupons[0].claimed == 1).await;
    let bad = studio.issue_coupon(CouponForm { discount: "x".to_owned(), ..form }).await.expect_err("no amount");
    assert_eq!((bad.code.as_str(), bad.params["field"].as_str()), ("invalid", "discount"));
    studio.close().await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_went_away_is_said_to_be_and_nothing_is_lost() {
    let dir = tempfile::tempdir().expect("dir");
    let first = shop(dir.path()).await;
    let sku = plenty(&first).await;
    let studio = open(options(dir.path(), &first)).await;
    let before = buy(first.url(), &sku, "before").await;
    until(&studio, "the first order", |v| v.orders.rows.iter().any(|r| r.id == before)).await;
    let address = first.address();
    // Explained: the shop is watched closely, so its absence is seen soon.
    studio.pin_product(1).await.expect("pinned");
    until(&studio, "the pin is confirmed", |v| confirmed(v.bag[0].pin.as_ref())).await;
    first.stop().await;
    let view = until(&studio, "it is said to be away", |v| v.health.iter().any(|h| h.code == "platform_unreachable")).await;
    assert!(matches!(view.orders.seal, SealView::Behind { .. }), "{:?}", view.orders.seal);
    // Wishes wait.
    studio.pin_product(2).await.expect("pinned");
    assert!(matches!(studio.snapshot().await.bag[1].pin, Some(ActionView::Sending | ActionView::Checking)));
    let second = shop_at(dir.path(), address).await;
    let after = buy(second.url(), &sku, "after").await;
    let view = until(&studio, "both orders and the pin", |v| {
        v.orders.rows.len() == 2 && v.orders.rows.iter().any(|r| r.id == after) && confirmed(v.bag[1].pin.as_ref())
    })
    .await;
    assert!(matches!(view.orders.seal, SealView::Complete { .. }) || view.health.iter().any(|h| h.code == "platform_unreachable"));
    until(&studio, "it is said to be back", |v| v.health.iter().any(|h| h.code == "platform_back")).await;
    until(&studio, "the list is whole", |v| matches!(v.orders.seal, SealView::Complete { .. })).await;
    studio.close().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_placed_while_the_studio_was_closed_are_there_once() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let sku = plenty(&shop).await;
    let studio = open(options(dir.path(), &shop)).await;
    let mut bought = vec![buy(shop.url(), &sku, "0").await];
    until(&studio, "the first", |v| v.orders.total == 1).await;
    assert_eq!(stallcast_studio::Studio::open(options(dir.path(), &shop)).await.expect_err("held").code(), "folder_busy");
    studio.close().await;
    for n in 1..5 {
        bought.push(buy(shop.url(), &sku, &n.to_string()).await);
    }
    let studio = open(options(dir.path(), &shop)).await;
    // Ready means: read to the end.
    let view = studio.snapshot().await;
    let mut ids: Vec<_> = view.orders.rows.iter().map(|r| r.id.clone()).collect();
    ids.reverse();
    assert_eq!((ids, view.orders.total), (bought, 5));
    studio.close().await;
    shop.stop().await;
}

/// Names of the copies of the database.
fn copies(data: &std::path::Path) -> usize {
    let found = std::fs::read_dir(data.join("backups"))
        .map(|list| list.flatten().filter(|e| e.path().extension().is_some_and(|x| x == "db")).count());
    found.unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_database_costs_no_order() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let sku = plenty(&shop).await;
    let studio = open(options(dir.path(), &shop)).await;
    let before = buy(shop.url(), &sku, "a").await;
    until(&studio, "the first order", |v| v.orders.rows.iter().any(|r| r.id == before)).await;
    studio.go_live().await.expect("on air");
    let copied = async {
        while copies(dir.path()) == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(support::LIMIT, copied).await.expect("a show begins with a copy");
    let after = buy(shop.url(), &sku, "b").await;
    until(&studio, "the second order", |v| v.orders.rows.iter().any(|r| r.id == after)).await;
    studio.end_show().await.expect("ended");
    studio.close().await;
    drop(studio);

    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.path().join(format!("stallcast.db{suffix}")));
    }
    std::fs::write(dir.path().join("stallcast.db"), vec![b'x'; 1 << 16]).expect("damage");
    let studio = open(options(dir.path(), &shop)).await;
    let view = until(&studio, "both orders", |v| v.orders.rows.len() == 2 && matches!(v.orders.seal, SealView::Complete { .. })).await;
    for id in [&before, &after] {
        assert_eq!(view.orders.rows.iter().filter(|r| r.id == *id).count(), 1, "the copy and the shop together know it once");
    }
    assert!(view.health.iter().any(|h| h.code == "database_restored"), "{:?}", view.health);
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_orders_the_queue_and_every_number_keeps_its_product() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let studio = open(options(dir.path(), &shop)).await;
    let numbers = |v: &StudioView| v.bag.iter().map(|b| b.number).collect::<Vec<_>>();
    let view = studio.snapshot().await;
    let means: std::collections::BTreeMap<u32, String> = view.bag.iter().map(|b| (b.number, b.product_id.clone())).collect();
    let first = numbers(&view);
    assert!(first.len() >= 4 && first.is_sorted(), "{first:?}");

    // 3 comes first, 1 leaves.
    studio.move_in_bag(3, -2).await.expect("moved");
    studio.pin_product(1).await.expect("pinned");
    studio.remove_from_bag(1).await.expect("removed");
    let view = studio.snapshot().await;
    assert_eq!(numbers(&view)[..2], [3, 2]);
    assert!(view.bag.iter().all(|b| b.explaining_since_ms.is_none() && means[&b.number] == b.product_id), "and its explanation ended");
    assert_eq!(studio.pin_product(1).await.expect_err("not in the bag").code, "not_found");
    assert_eq!(studio.remove_from_bag(1).await.expect_err("not in the bag").code, "not_found");

    // One key goes through the queue as it stands.
    assert_eq!(studio.explain_next().await.expect("next"), 3);
    let sellable = view.bag[1..].iter().find(|b| b.stock != Some(0)).map(|b| b.number);
    assert_eq!(Some(studio.explain_next().await.expect("next")), sellable);
    let outside = studio.bag_candidates("1".to_owned()).await.expect("list").rows;
    assert_eq!(outside.iter().map(|c| (c.number, c.product_id.clone())).collect::<Vec<_>>(), [(Some(1), means[&1].clone())]);
    assert!(studio.product_picture("local", &means[&1]).await.is_some(), "the list shows what it is");
    assert_eq!(studio.add_to_bag(outside[0].connection_id.clone(), means[&1].clone()).await.expect("added"), 1);
    assert_eq!(studio.add_to_bag("local".to_owned(), "none".to_owned()).await.expect_err("no such").code, "not_found");
    let queue = numbers(&studio.snapshot().await);
    assert_eq!((queue[0], queue.last()), (3, Some(&1)));
    studio.close().await;

    let studio = open(options(dir.path(), &shop)).await;
    let view = studio.snapshot().await;
    assert_eq!(numbers(&view), queue, "after a restart as before");
    assert!(view.bag.iter().all(|b| means[&b.number] == b.product_id));
    studio.close().await;
    shop.stop().await;
}

/// A laptop whose clock is seven minutes slow.
#[derive(Debug)]
struct SlowClock;

const SLOW_MS: i64 = 7 * 60_000;

impl stallcast_clock::Clock for SlowClock {
    fn utc_ms(&self) -> i64 {
        stallcast_clock::Clock::utc_ms(&stallcast_clock::SystemClock) - SLOW_MS
    }
    fn mono(&self) -> stallcast_clock::Mono {
        stallcast_clock::Clock::mono(&stallcast_clock::SystemClock)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coupon_counts_down_by_the_shops_clock_and_ends_early_when_it_is_proven() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let mut slow = options(dir.path(), &shop);
    slow.clock = std::sync::Arc::new(SlowClock);
    let studio = open(slow).await;
    let form = CouponForm { discount: "30".to_owned(), threshold: "199".to_owned(), quantity: 5, valid_s: 300, connection_id: None };
    studio.issue_coupon(form).await.expect("issued");
    let view = until(&studio, "the coupon is active", |v| v.coupons.iter().any(|c| c.state == CouponStateView::Active)).await;
    let coupon = &view.coupons[0];
    // By the laptop's own clock, which is what its page counts with, five minutes are left and not twelve.
    #[expect(clippy::cast_precision_loss, reason = "ms UTC")]
    let left = coupon.ends_at_ms.expect("confirmed") - stallcast_clock::Clock::utc_ms(&SlowClock) as f64;
    assert!((240_000.0..=301_500.0).contains(&left), "{left} ms left");

    let mut events = studio.events();
    for _ in 0..2 {
        studio.withdraw_coupon(coupon.id.clone()).await.expect("pressed twice is once");
    }
    until(&studio, "its end is confirmed", |v| v.coupons[0].state == CouponStateView::Ended && confirmed(v.coupons[0].withdraw.as_ref()))
        .await;
    let mut states = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let StudioEvent::Coupons(coupons) = event {
            states.extend(coupons.first().map(|c| (c.state, c.withdraw.clone())));
        }
    }
    // What was told of its beginning may come after its beginning was seen.
    let states: Vec<_> = states.into_iter().skip_while(|(state, ending)| *state == CouponStateView::Active && ending.is_none()).collect();
    assert_eq!(states.first(), Some(&(CouponStateView::Active, Some(ActionView::Sending))), "{states:?}");
    // Ended is always the shop's word, whichever worker heard it first.
    assert!(states.is_sorted_by_key(|(state, _)| *state == CouponStateView::Ended), "{states:?}");
    assert!(room(shop.url()).await["coupons"].as_array().is_some_and(Vec::is_empty), "nobody can claim it");
    assert_eq!(studio.withdraw_coupon("none".to_owned()).await.expect_err("no such").code, "not_found");
    studio.close().await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_is_new_when_the_shop_says_so_and_orders_in_between_are_named() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let sku = plenty(&shop).await;
    let studio = open(options(dir.path(), &shop)).await;
    studio.pin_product(1).await.expect("pinned");
    let before = studio.snapshot().await.bag.remove(0);
    let old: i64 = before.price.amount.parse().expect("amount");
    let wish = |price: &str, stock_by| OfferForm { number: 1, sku_id: None, price: Some(price.to_owned()), stock_by };
    let cheaper = stallcast_model::Money::new(old - 1_000, stallcast_model::Currency::Cny).short();

    // A mistyped one goes nowhere.
    for (bad, rule) in [("abc", "format"), ("0", "zero"), (before.price.short.as_str(), "same")] {
        let refused = studio.change_offer(wish(bad, 0)).await.expect_err("refused");
        assert_eq!((refused.code.as_str(), refused.params["field"].as_str(), refused.params["rule"].as_str()), ("invalid", "price", rule));
    }

    let mut events = studio.events();
    studio.change_offer(wish(&cheaper, 7)).await.expect("asked");
    let view = until(&studio, "the price is confirmed", |v| confirmed(v.bag[0].change.as_ref().map(|c| &c.action))).await;
    let item = &view.bag[0];
    assert_eq!((item.price.short.as_str(), item.stock), (cheaper.as_str(), before.stock.map(|n| n + 7)));
    assert!(item.old_price.as_ref().is_some_and(|p| p.amount.parse::<i64>().expect("amount") >= old), "what it was is struck through");
    let change = item.change.as_ref().expect("change");
    assert_eq!((change.price_before.amount.as_str(), change.stock_by), (before.price.amount.as_str(), 7));
    while let Ok(event) = events.try_recv() {
        if let StudioEvent::Bag(bag) = event {
            let told = bag[0].change.as_ref().map(|c| c.action.clone());
            assert!(bag[0].price == before.price || bag[0].price.short == cheaper, "never anything else");
            assert!(!confirmed(told.as_ref()) || bag[0].price.short == cheaper, "confirmed and old at once: {told:?}");
        }
    }
    let id = buy(shop.url(), &sku, "cheap").await;
    assert_eq!(order(&shop, &id).await["lines"][0]["unitPrice"]["amount"], json!(old - 1_000));

    // More than what is left cannot go: it says what stands in the way.
    studio.change_offer(OfferForm { number: 1, sku_id: None, price: None, stock_by: -100_000 }).await.expect("asked");
    let failed = |v: &StudioView| match v.bag[0].change.as_ref().map(|c| &c.action) {
        Some(ActionView::Failed { code, params, .. }) => Some((code.clone(), params.clone())),
        _ => None,
    };
    let view = until(&studio, "it is refused", |v| failed(v).is_some()).await;
    let (code, params) = failed(&view).expect("failed");
    assert_eq!((code.as_str(), params["number"].as_str(), params["title"].as_str()), ("invalid", "1", view.bag[0].title.as_str()));
    assert_eq!(params["field"], "stockBy");
    assert_eq!(view.bag[0].price.short, cheaper, "what was confirmed before goes on");
    studio.close().await;
    shop.stop().await;
}
