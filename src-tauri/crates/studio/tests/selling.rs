//! The façade over the real store, workers and shop.

mod support;

use serde_json::json;
use stallcast_studio::view::{ActionView, CouponForm, CouponStateView, OrderStatusView, SealView, StudioEvent};
use std::time::{Duration, Instant};
use support::{buy, open, options, order, plenty, room, shop, shop_at, until};

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
        let refused = studio.ship_order(id.clone(), carrier.to_owned(), tracking.to_owned()).await.expect_err("refused");
        assert_eq!(refused.code, code);
    }
    assert_eq!(studio.ship_order("none".to_owned(), "SF".to_owned(), "1".to_owned()).await.expect_err("none").code, "not_found");
    for _ in 0..2 {
        studio.ship_order(id.clone(), "顺丰".to_owned(), "SF123".to_owned()).await.expect("pressed twice is sent once");
    }
    let view = until(&studio, "shipping is confirmed", |v| confirmed(v.orders.rows[0].ship.as_ref())).await;
    assert_eq!(view.orders.rows[0].status, OrderStatusView::Shipped);
    let there = order(&shop, &id).await;
    assert_eq!((&there["fulfilment"], &there["shipment"]["tracking"]), (&json!("shipped"), &json!("SF123")));
    let other = studio.ship_order(id.clone(), "顺丰".to_owned(), "SF999".to_owned()).await.expect_err("it is on its way");
    assert_eq!((other.code.as_str(), other.params["state"].as_str()), ("wrong_state", "shipped"));
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
    let (mime, bytes) = studio.product_picture(&view.bag[1].product_id).await.expect("a picture");
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
    let form = CouponForm { discount: "30".to_owned(), threshold: "199".to_owned(), quantity: 5, valid_s: 120 };
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
